"""The backup component: declares what ``plan`` decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from settings.backups import START_MINUTES, BackupSettings
from settings.naming import Labels
from settings.severity import Severity

from .. import iam
from .._base import Component
from .._dead_letters import dead_letters, let_rules_in
from .._keys import Home
from .._told import advice
from . import grants, plan
from .testing import Isolation, RestoreTest, selected_tags
from .vaults import Vaults

_EVENTS = "events.amazonaws.com"

_BACKUP = "backup.amazonaws.com"

_REPORTS = {"backup": "BACKUP_JOB_REPORT", "copy": "COPY_JOB_REPORT", "restore": "RESTORE_JOB_REPORT"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupArgs:
    """``database_arn``: of the living database, which no restore may touch and whose logs are replicated.

    ``app_subnet_ids``: where the function that validates restores runs; ``data_subnet_ids``: where databases are
    restored. ``evidence_bucket`` (name, ARN, key): where records of restore tests go. ``report_bucket`` (name) and
    ``report_prefix`` (without a slash at its end): where AWS Backup itself may write reports. ``topic_arns``: severity
    -> topic. ``deployers``: roles that may change a vault's policy; without them everybody may whose own rights allow.
    """

    home: Home
    recovery_region: str
    settings: BackupSettings
    vpc_id: pulumi.Input[str]
    app_subnet_ids: Sequence[pulumi.Input[str]]
    data_subnet_ids: Sequence[pulumi.Input[str]]
    database_arn: pulumi.Input[str]
    database_port: int
    evidence_bucket: pulumi.Input[str]
    evidence_bucket_arn: pulumi.Input[str]
    evidence_key_arn: pulumi.Input[str]
    report_bucket: pulumi.Input[str]
    report_prefix: str
    topic_arns: Mapping[Severity, pulumi.Input[str]]
    topic_key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    deployers: tuple[str, ...]
    protect: bool


class Backup(Component):
    """AWS Backup of whatever bears the plan's tags: weekly, copied to another region, locked, and tested by restoring.

    A restore test brings a database back into a corner of the data tier; a function measures it, writes the record to
    the evidence bucket and tells AWS Backup. A failed job, a failed test, and what never happened ring.

    Which kinds of resources AWS Backup looks at is a setting of the account and region, which stacks share, so none
    is declared here; RDS is on in every account by default.
    """

    TYPE = "learning-platform:backup:Backup"
    SERVICE = "backup"
    RUNBOOK = "000_b5883a9168e66709.txt 4"

    vault_name: pulumi.Output[str]
    recovery_vault_name: pulumi.Output[str] | None
    plan_id: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    restore_role_arn: pulumi.Output[str]
    key_arn: pulumi.Output[str]
    #: The subnet group and the security group of restored databases.
    subnet_group: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    #: None where nothing is tested, as the next two.
    restore_testing_plan: pulumi.Output[str] | None
    #: function -> its name, and seconds that a run may take
    function_names: Mapping[str, pulumi.Output[str]]
    function_seconds: Mapping[str, int]
    dead_letters_name: pulumi.Output[str]
    #: Where the metrics of restore tests are.
    metric_namespace: str
    #: What commands need to know.
    inventory: Mapping[str, pulumi.Input[Any]]

    def __init__(
        self, name: str, args: BackupArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._args = args
        self.metric_namespace = labels.physical("backup", limit=255)
        self._vaults = Vaults(self, args)
        self._role = self._create_role("plan", "Makes and copies backups", plan.BACKUP_POLICIES)
        self._restore_role = self._create_restore_role(args)
        self._plan = self._create_plan(args)
        self._select()
        self._replicate(args)
        self._dead_letters = dead_letters(
            self, f"{self.name}-dead-letters", physical=self.labels.physical("backup", "dead-letters", limit=80)
        )
        self._isolation = Isolation(self, args)
        self._test = self._create_test(args)
        bells = self._ring(args)
        ringing = [*bells, *(self._test.rules if self._test else ())]
        let_rules_in(self, f"{self.name}-dead-letters", self._dead_letters, ringing)
        self._create_alarms(args)
        self._report(args)
        self._set_outputs(args)

    # What is backed up, by whom and when

    def _create_role(self, purpose: str, description: str, policies: Mapping[str, str]) -> aws.iam.Role:
        """AWS's own policies, because what a backup takes changes with AWS; the trust keeps it to this account."""
        name, home = f"{self.name}-{purpose}", self._args.home
        role = aws.iam.Role(
            name,
            description=description,
            assume_role_policy=iam.trust(_BACKUP, account_id=home.account_id),
            tags=self.tags(name),
            opts=self.child(),
        )
        for kind, policy in policies.items():
            aws.iam.RolePolicyAttachment(
                f"{name}-{kind}",
                role=role.name,
                policy_arn=f"arn:{home.partition}:iam::aws:policy/{policy}",
                opts=self.child(),
            )
        return role

    def _create_restore_role(self, args: BackupArgs) -> aws.iam.Role:
        role = self._create_role("restore", "Restores backups", plan.RESTORE_POLICIES)
        aws.iam.RolePolicy(
            f"{self.name}-restore", role=role.name, policy=grants.live_database(args.database_arn), opts=self.child()
        )
        return role

    def _create_plan(self, args: BackupArgs) -> aws.backup.Plan:
        return aws.backup.Plan(
            self.name,
            name=self.labels.physical("backup", limit=50),
            rules=[self._rule(rule) for rule in plan.rules(args.settings)],
            tags=self.tags(self.name),
            opts=self.child(protect=args.protect),
        )

    def _rule(self, rule: plan.PlannedRule) -> aws.backup.PlanRuleArgsDict:
        recovery = self._vaults.recovery
        copies: list[aws.backup.PlanRuleCopyActionArgsDict] = (
            [
                {
                    "destination_vault_arn": recovery.arn,
                    "lifecycle": {"delete_after": rule.copy_days, "cold_storage_after": rule.cold_after_days},
                }
            ]
            if recovery and rule.copy_days
            else []
        )
        return {
            "rule_name": rule.name,
            "target_vault_name": self._vaults.home.name,
            "schedule": rule.schedule,
            "schedule_expression_timezone": "Etc/UTC",
            "start_window": START_MINUTES,
            "completion_window": plan.COMPLETION_MINUTES,
            "enable_continuous_backup": rule.is_continuous,
            "lifecycle": {"delete_after": rule.keep_days, "cold_storage_after": rule.cold_after_days},
            "copy_actions": copies,
            # Restore tests know a backup by its own tags.
            "recovery_point_tags": selected_tags(self),
        }

    def _select(self) -> None:
        """By tag: a new database is backed up by itself. All of the tags have to be there."""
        aws.backup.Selection(
            self.name,
            name="by-tag",
            plan_id=self._plan.id,
            iam_role_arn=self._role.arn,
            resources=["*"],
            conditions=[
                {
                    "string_equals": [
                        {"key": f"aws:ResourceTag/{key}", "value": value} for key, value in selected_tags(self).items()
                    ]
                }
            ],
            opts=self.child(),
        )

    def _replicate(self, args: BackupArgs) -> None:
        """The database's automated backups in the recovery region: it loses minutes there, not days."""
        key = self._vaults.recovery_key
        if args.settings.replicate_days is None or key is None:
            return
        aws.rds.InstanceAutomatedBackupsReplication(
            self.name,
            source_db_instance_arn=args.database_arn,
            kms_key_id=key.arn,
            retention_period=args.settings.replicate_days,
            region=args.recovery_region,
            opts=self.child(protect=args.protect),
        )

    # What is tested

    def _create_test(self, args: BackupArgs) -> RestoreTest | None:
        if args.settings.restore_test is None:
            return None
        return RestoreTest(
            self,
            args,
            args.settings.restore_test,
            vaults=self._vaults,
            isolation=self._isolation,
            role=self._restore_role,
            dead_letters=self._dead_letters,
            namespace=self.metric_namespace,
        )

    # What rings

    def _ring(self, args: BackupArgs) -> list[aws.cloudwatch.EventRule]:
        """Rules publish with a role: a topic could not tell them from another account's."""
        name, home = f"{self.name}-bells", args.home
        own_rules = home.arn("events", f"rule/{self.labels.project}-{self.labels.environment}-*")
        role = aws.iam.Role(
            name,
            description="Publishes what failed",
            assume_role_policy=iam.trust(_EVENTS, account_id=home.account_id, source_arn=own_rules),
            tags=self.tags(name),
            opts=self.child(),
        )
        topics = [args.topic_arns[severity] for severity in sorted({bell.severity for bell in plan.BELLS})]
        aws.iam.RolePolicy(
            name,
            role=role.name,
            policy=iam.document(*iam.publish(topics, args.topic_key_arn)),
            opts=self.child(),
        )
        return [self._ring_for(bell, role) for bell in plan.BELLS]

    def _ring_for(self, bell: plan.Bell, role: aws.iam.Role) -> aws.cloudwatch.EventRule:
        name, physical = f"{self.name}-{bell.key}", self.labels.physical(bell.key, limit=64)
        rule = aws.cloudwatch.EventRule(
            name,
            name=physical,
            description=bell.title,
            event_pattern=(self._restore_role.arn if bell.own == "iamRoleArn" else self._vaults.home.arn).apply(
                bell.pattern
            ),
            tags=self.tags(name),
            opts=self.child(),
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=rule.name,
            target_id=bell.severity,
            arn=self._args.topic_arns[bell.severity],
            role_arn=role.arn,
            input_transformer={"input_paths": bell.paths, "input_template": bell.message(physical)},
            dead_letter_config={"arn": self._dead_letters.arn},
            retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 24},
            opts=self.child(),
        )
        return rule

    def _create_alarms(self, args: BackupArgs) -> None:
        self._alarm(
            "backup-dead-letters",
            "high",
            title="An event of the backups could not be worked on",
            impact="A failed backup may be unknown, or a restored database unmeasured.",
            first="Read the message in the queue and its attribute Reason, act on it, then repair the way.",
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": self._dead_letters.name},
            period=60,
            evaluation_periods=1,
            threshold=1,
            treat_missing_data="notBreaching",
        )
        # The function that measures belongs to the restore test.
        if self._test:
            self._alarm_of_tests()
            self._alarms_of_ages(args)

    def _alarm_of_tests(self) -> None:
        self._alarm(
            "restore-test-failed",
            "critical",
            title="A restore test failed",
            impact="The backups may not bring the database back as they have to.",
            first="Read the newest record below restore-tests/ in the evidence bucket, then restore by hand.",
            namespace=self.metric_namespace,
            metric_name="RestoreTestFailed",
            # A test is rare: it rings for a day, and its failure is not over sooner.
            period=24 * 3600,
            evaluation_periods=1,
            threshold=1,
            treat_missing_data="notBreaching",
        )

    def _alarms_of_ages(self, args: BackupArgs) -> None:
        for alarm in plan.age_alarms(args.settings):
            self._alarm(
                alarm.purpose,
                "high",
                title=alarm.title,
                impact=alarm.impact,
                first=alarm.first,
                namespace=self.metric_namespace,
                metric_name=alarm.metric,
                dimensions=dict(alarm.dimensions) or None,
                period=3600,
                # Somebody measures once an hour; silence for six hours is as bad as an age that is too great.
                evaluation_periods=6,
                threshold=alarm.hours,
                treat_missing_data="breaching",
            )

    def _alarm(self, purpose: str, severity: Severity, *, title: str, impact: str, first: str, **inputs: Any) -> None:
        name, topic = f"{self.name}-{purpose}", self._args.topic_arns[severity]
        aws.cloudwatch.MetricAlarm(
            name,
            name=self.labels.physical(purpose, limit=255),
            alarm_description=advice(severity, title, impact, run_book=plan.RUN_BOOK, first=first),
            statistic="Maximum",
            comparison_operator="GreaterThanOrEqualToThreshold",
            alarm_actions=[topic],
            ok_actions=[topic],
            tags=self.tags(name, Severity=severity),
            opts=self.child(),
            **inputs,
        )

    # What is shown

    def _report(self, args: BackupArgs) -> None:
        for jobs, template in _REPORTS.items():
            name = f"{self.name}-{jobs}-jobs"
            aws.backup.ReportPlan(
                name,
                name=self.labels.physical(jobs, "jobs", limit=256).replace("-", "_"),
                description=f"All {jobs} jobs of a day (004_… Daily Checklist)",
                report_delivery_channel={
                    "s3_bucket_name": args.report_bucket,
                    "s3_key_prefix": args.report_prefix,
                    "formats": ["CSV", "JSON"],
                },
                report_setting={"report_template": template},
                tags=self.tags(name),
                opts=self.child(),
            )

    def _set_outputs(self, args: BackupArgs) -> None:
        vaults, test, settings = self._vaults, self._test, args.settings
        self.vault_name = vaults.home.name
        self.recovery_vault_name = vaults.recovery.name if vaults.recovery else None
        self.plan_id = self._plan.id
        self.role_arn, self.restore_role_arn = self._role.arn, self._restore_role.arn
        self.key_arn = vaults.key.arn
        self.subnet_group, self.security_group_id = self._isolation.subnets.name, self._isolation.group.id
        self.restore_testing_plan = test.plan.name if test else None
        self.function_names = {"validate-restore": test.function.name} if test else {}
        self.function_seconds = {"validate-restore": plan.FUNCTION_SECONDS} if test else {}
        self.dead_letters_name = self._dead_letters.name
        optional = {
            "recoveryVault": self.recovery_vault_name,
            "restoreTestingPlan": self.restore_testing_plan,
            "validator": self.function_names.get("validate-restore"),
        }
        self.inventory = {
            "vault": self.vault_name,
            "planId": self.plan_id,
            "roleArn": self.role_arn,
            "restoreRoleArn": self.restore_role_arn,
            "keyArn": self.key_arn,
            "subnetGroup": self.subnet_group,
            "securityGroupId": self.security_group_id,
            "rpoMinutes": settings.rpo_minutes,
            "rtoMinutes": settings.rto_minutes,
            "retentionDays": settings.weekly.keep_days,
            "recoveryRegion": args.recovery_region,
            **{key: value for key, value in optional.items() if value is not None},
        }
        self.register_outputs(dict(self.inventory))
