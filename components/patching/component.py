"""The patching component: declares what ``plan`` decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from settings.naming import Labels
from settings.patching import PatchingSettings
from settings.severity import Severity

from .. import iam
from .._base import Component
from .._dead_letters import dead_letters, let_rules_in
from .._keys import Home, log_group
from . import grants, plan

_EVENTS = "events.amazonaws.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchingArgs:
    """``calendar_name`` and ``calendar_arn``: of the change calendar. ``scaling_group``: name of the servers' group.

    ``image_pinned``: servers start from an image that was chosen; else from the newest, by which a run replaces them.
    """

    home: Home
    settings: PatchingSettings
    calendar_name: pulumi.Input[str]
    calendar_arn: pulumi.Input[str]
    scaling_group: pulumi.Input[str]
    target_group_arn: pulumi.Input[str]
    image_pinned: bool
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    topic_key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]


class Patching(Component):
    """Patches machines: a daily look for what is missing, and a weekly run that installs it (``001_… §3``).

    A maintenance window, and not an association, starts the run: it has a length, and begins nothing near its end. The
    look is an association, which also takes machines in that were started a minute ago. What is approved is said by
    release date: in prod up to a day that staging has run, which only a change of the settings moves on.

    Machines that stay are patched in place and restarted, with a snapshot as the way back. Servers of the group are
    replaced: where no image is pinned by each run, from the newest; where one is pinned, by the deployment that changes
    it. In between they are patched without a restart.

    The tag ``PatchGroup`` puts a machine into a group; without it, the account's default baseline would judge it.
    """

    TYPE = "learning-platform:patching:Patching"
    SERVICE = "patching"
    RUNBOOK = "001_62c8c82a6a764433.txt 3"

    #: role (``hosts``, ``servers``) -> patch group, the value of the tag ``PatchGroup``
    groups: Mapping[plan.Role, str]
    baseline_id: pulumi.Output[str]
    window_id: pulumi.Output[str]
    document_name: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    dead_letters_name: pulumi.Output[str]
    #: What the inventory holds.
    entry: Mapping[str, Any]

    def __init__(
        self, name: str, args: PatchingArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self.groups = {role: plan.patch_group(labels, role) for role in plan.ROLES}
        self._baseline = self._create_baseline(args)
        self._create_groups()
        self._log_group = self._create_log_group(args)
        self._run_role = self._create_run_role(args)
        self._document = self._create_document(args, self._create_hooks(args))
        self._window = self._create_window(args)
        self._association = self._create_scan(args)
        self._dead_letters = dead_letters(self, f"{self.name}-dead-letters")
        self._ring_on_failure(args)
        self.baseline_id, self.window_id = self._baseline.id, self._window.id
        self.document_name, self.log_group_name = self._document.name, self._log_group.name
        self.dead_letters_name = self._dead_letters.name
        self.entry = self._describe(args)
        self.register_outputs({"baselineId": self.baseline_id, "windowId": self.window_id})

    def _describe(self, args: PatchingArgs) -> dict[str, Any]:
        return {
            "associationId": self._association.association_id,
            "baselines": {plan.OPERATING_SYSTEM: self.baseline_id},
            "document": self.document_name,
            "groups": dict(self.groups),
            "lastStep": plan.LAST_STEP,
            "logGroup": self.log_group_name,
            "scalingGroup": args.scaling_group,
            "windowId": self.window_id,
        }

    # What is approved

    def _create_baseline(self, args: PatchingArgs) -> aws.ssm.PatchBaseline:
        settings = args.settings
        return aws.ssm.PatchBaseline(
            self.name,
            name=self.labels.physical("amazon-linux-2023", limit=128),
            description=f"Patches of {self.labels.environment}",
            operating_system=plan.OPERATING_SYSTEM,
            approval_rules=[
                aws.ssm.PatchBaselineApprovalRuleArgs(
                    approve_until_date=settings.approve_until,
                    approve_after_days=settings.delay_days,
                    compliance_level=approval.level,
                    patch_filters=[
                        aws.ssm.PatchBaselineApprovalRulePatchFilterArgs(key=key, values=list(values))
                        for key, values in approval.filters.items()
                    ],
                )
                for approval in plan.APPROVALS
            ],
            tags=self.tags(self.name),
            opts=self.child(),
        )

    def _create_groups(self) -> None:
        for role, group in self.groups.items():
            aws.ssm.PatchGroup(
                f"{self.name}-{role}", baseline_id=self._baseline.id, patch_group=group, opts=self.child()
            )

    # What installs it

    def _create_log_group(self, args: PatchingArgs) -> aws.cloudwatch.LogGroup:
        return log_group(
            self,
            self.name,
            plan.log_path(self.labels),
            retention_days=args.settings.log_retention_days,
            key_arn=args.logs_key_arn,
        )

    def _role(self, purpose: str, description: str, trust: str, statements: list[iam.Statement]) -> aws.iam.Role:
        name = f"{self.name}-{purpose}"
        role = aws.iam.Role(
            name, description=description, assume_role_policy=trust, tags=self.tags(name), opts=self.child()
        )
        aws.iam.RolePolicy(name, role=role.name, policy=iam.document(*statements), opts=self.child())
        return role

    def _create_run_role(self, args: PatchingArgs) -> aws.iam.Role:
        return self._role(
            "run",
            "Installs patches",
            iam.trust(
                "ssm.amazonaws.com",
                account_id=args.home.account_id,
                source_arn=args.home.arn("ssm", "automation-execution/*"),
            ),
            grants.run(
                args.home,
                self.labels,
                self.groups,
                calendar_arn=args.calendar_arn,
                scaling_group=None if args.image_pinned else args.scaling_group,
            ),
        )

    def _create_hooks(self, args: PatchingArgs) -> dict[str, aws.ssm.Document]:
        settings = args.settings
        contents = {
            "restart": plan.restart_document(settings.services),
            "check": plan.check_document(settings.services, settings.packages),
        }
        return {
            purpose: aws.ssm.Document(
                f"{self.name}-{purpose}",
                name=self.labels.physical("patching", purpose, limit=128),
                document_type="Command",
                document_format="JSON",
                content=content,
                tags=self.tags(f"{self.name}-{purpose}"),
                opts=self.child(),
            )
            for purpose, content in contents.items()
        }

    @property
    def _document_name(self) -> str:
        return self.labels.physical("patching", limit=128)

    def _create_document(self, args: PatchingArgs, hooks: Mapping[str, aws.ssm.Document]) -> aws.ssm.Document:
        known = {
            "calendar": args.calendar_name,
            "target_group_arn": args.target_group_arn,
            "scaling_group": args.scaling_group,
            "log_group": self._log_group.name,
            "restart": hooks["restart"].name,
            "check": hooks["check"].name,
            "role_arn": self._run_role.arn,
        }
        made: pulumi.Output[Mapping[str, Any]] = pulumi.Output.from_input(known)
        return aws.ssm.Document(
            self.name,
            name=self._document_name,
            document_type="Automation",
            document_format="JSON",
            content=made.apply(
                lambda made: plan.install_document(plan.Run(**made, groups=self.groups, replace=not args.image_pinned))
            ),
            tags=self.tags(self.name),
            opts=self.child(),
        )

    def _create_window(self, args: PatchingArgs) -> aws.ssm.MaintenanceWindow:
        times = plan.window(args.settings.install_window)
        window = aws.ssm.MaintenanceWindow(
            self.name,
            name=self.labels.physical("patching", limit=128),
            description="Installs approved patches",
            schedule=times.schedule,
            schedule_timezone="UTC",
            duration=times.hours,
            cutoff=plan.CUTOFF_HOURS,
            allow_unassociated_targets=False,
            tags=self.tags(self.name),
            opts=self.child(),
        )
        role = self._role(
            "window",
            "Starts the patch run",
            # A maintenance window tells its account, and no ARN of its own that is known before.
            iam.trust("ssm.amazonaws.com", account_id=args.home.account_id),
            grants.window(args.home, self._document_name, self._run_role.arn),
        )
        # Without targets a task takes neither concurrency nor errors: the run's own steps have both.
        aws.ssm.MaintenanceWindowTask(
            self.name,
            name=self.labels.physical("patching", limit=128),
            description="Installs approved patches",
            window_id=window.id,
            task_type="AUTOMATION",
            task_arn=self._document.name,
            service_role_arn=role.arn,
            priority=1,
            # What has begun comes to its end: half a run leaves machines apart.
            cutoff_behavior="CONTINUE_TASK",
            task_invocation_parameters={"automation_parameters": {"document_version": "$DEFAULT"}},
            opts=self.child(),
        )
        return window

    # What looks

    def _create_scan(self, args: PatchingArgs) -> aws.ssm.Association:
        name = f"{self.name}-scan"
        return aws.ssm.Association(
            name,
            name=plan.SCAN_DOCUMENT,
            association_name=self.labels.physical("patching", "scan", limit=128),
            parameters={"Operation": "Scan"},
            targets=[{"key": f"tag:{plan.TAG}", "values": sorted(self.groups.values())}],
            schedule_expression=plan.scan_schedule(args.settings.scan_time),
            max_concurrency=plan.CONCURRENCY,
            # One machine that cannot be looked at keeps no other from it.
            max_errors="100%",
            compliance_severity="HIGH",
            tags=self.tags(name),
            opts=self.child(),
        )

    # Who is told

    def _ring_on_failure(self, args: PatchingArgs) -> None:
        name, topic = f"{self.name}-failed", args.topic_arns["high"]
        physical = self.labels.physical("patching-failed", limit=64)
        rule = aws.cloudwatch.EventRule(
            name,
            name=physical,
            description="A patch run did not end well",
            event_pattern=plan.failure_pattern(self._document_name),
            tags=self.tags(name),
            opts=self.child(),
        )
        role = self._role(
            "failed",
            "Tells that a patch run did not end well",
            iam.trust(_EVENTS, account_id=args.home.account_id, source_arn=args.home.arn("events", f"rule/{physical}")),
            iam.publish([topic], args.topic_key_arn),
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=rule.name,
            target_id="high",
            arn=topic,
            role_arn=role.arn,
            input_transformer={
                "input_paths": plan.FAILURE_PATHS,
                "input_template": plan.failure_message(physical, self.labels.environment),
            },
            dead_letter_config={"arn": self._dead_letters.arn},
            retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 24},
            opts=self.child(),
        )
        let_rules_in(self, f"{self.name}-dead-letters", self._dead_letters, [rule])
