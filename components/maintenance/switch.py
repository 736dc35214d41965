"""How requests are led to the page and back: what each mode needs, and what takes the page off at its end.

What the switch changes is never a property that the program sets, so no deployment undoes it: ``listener-rule`` adds a
rule of its own, ``elastic-ip`` moves an address that the program does not have, and ``dns`` holds a health check by two
properties that the program leaves alone once they are made.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from settings.maintenance import ServerSettings
from settings.severity import Severity

from .. import iam
from .._base import Component
from .._dead_letters import dead_letters, let_rules_in
from . import plan
from .args import MaintenanceArgs
from .host import Host

#: Seconds that resolvers may remember where the name leads.
_TTL = 60

#: The severity whose topic hears of the page: it is news, and calls nobody.
_NEWS: Severity = "low"

_EVENTS, _SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"


class Switch:
    """The way to the page and back. Its resources are children of ``owner``."""

    def __init__(self, owner: Component, args: MaintenanceArgs, host: Host) -> None:
        self._owner, self._name = owner, owner.name
        #: What the switch works on, under the names that the inventory has.
        self.places: dict[str, pulumi.Input[Any]]
        inputs, grants = {
            "listener-rule": self._by_rule,
            "elastic-ip": self._by_address,
            "dns": self._by_name,
        }[args.settings.mode](args, host)
        self.off_role = self._create_off_role(args, grants)
        self.off_document = self._create_off_document(args, inputs)
        self.dead_letters = dead_letters(owner, f"{owner.name}-dead-letters")
        self.group = self._create_schedule_group()
        self.scheduler_role = self._create_scheduler_role(args)
        self._ring_on_failure(args)

    # The modes: each says what it works on and returns the input and the permissions of what undoes it

    def _by_rule(self, args: MaintenanceArgs, host: Host) -> tuple[dict[str, pulumi.Input[Any]], list[iam.Statement]]:
        target = self._create_target(args, host)
        listener, live = pulumi.Output.from_input(args.balancer.listener_arn), args.balancer.target_group_arn
        self.places = {"listenerArn": listener, "liveTargetGroupArn": live, "targetGroupArn": target.arn}
        own_rules = listener.apply(lambda arn: f"{arn.replace(':listener/', ':listener-rule/')}/*")
        grants = [
            # Neither takes a resource.
            iam.allow(
                ["elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetHealth"], ["*"], sid="Look"
            ),
            iam.allow(["elasticloadbalancing:DeleteRule"], [own_rules], sid="EndTheRule"),
        ]
        inputs: dict[str, pulumi.Input[Any]] = {
            "listener": listener,
            "page": target.arn,
            "site": live,
            "priority": plan.SWITCH_PRIORITY,
        }
        return inputs, grants

    def _create_target(self, args: MaintenanceArgs, host: Host) -> aws.lb.TargetGroup:
        """The machine behind the load balancer, in use before it is needed: only then its health is known."""
        group = aws.lb.TargetGroup(
            self._name,
            vpc_id=args.vpc_id,
            target_type="instance",
            protocol="HTTP",
            port=80,
            deregistration_delay=0,
            health_check={
                "path": plan.HEALTH_PATH,
                "protocol": "HTTP",
                "port": "traffic-port",
                "matcher": "200",
                "interval": 15,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 3,
            },
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )
        aws.lb.TargetGroupAttachment(
            self._name, target_group_arn=group.arn, target_id=host.instance.id, port=80, opts=self._owner.child()
        )
        name = f"{self._name}-from-balancer"
        aws.vpc.SecurityGroupEgressRule(
            name,
            security_group_id=args.balancer.security_group_id,
            description="To the maintenance page",
            ip_protocol="tcp",
            from_port=80,
            to_port=80,
            referenced_security_group_id=host.group.id,
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        self._watch_target(args, group)
        name = f"{self._name}-preview"
        aws.lb.ListenerRule(
            name,
            listener_arn=args.balancer.listener_arn,
            priority=plan.PREVIEW_PRIORITY,
            actions=[{"type": "forward", "target_group_arn": group.arn}],
            conditions=[{"path_pattern": {"values": list(plan.PREVIEW_PATHS)}}],
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        return group

    def _watch_target(self, args: MaintenanceArgs, group: aws.lb.TargetGroup) -> None:
        """A page that is not ready is told of before it is needed."""
        alarms = [
            aws.cloudwatch.MetricAlarm(
                f"{self._name}-{alarm.purpose}",
                name=self._owner.labels.physical(self._name, alarm.purpose, limit=255),
                alarm_description=alarm.description,
                namespace="AWS/ApplicationELB",
                metric_name=alarm.metric,
                dimensions={"LoadBalancer": args.balancer.arn_suffix, "TargetGroup": group.arn_suffix},
                statistic=alarm.statistic,
                period=60,
                evaluation_periods=5,
                comparison_operator=alarm.operator,
                threshold=1,
                treat_missing_data=alarm.missing,
                alarm_actions=[args.topic_arns["medium"]],
                ok_actions=[args.topic_arns["medium"]],
                tags=self._owner.tags(f"{self._name}-{alarm.purpose}", Severity="medium"),
                opts=self._owner.child(),
            )
            for alarm in plan.TARGET_ALARMS
        ]
        name = f"{self._name}-not-ready"
        aws.cloudwatch.CompositeAlarm(
            name,
            alarm_name=self._owner.labels.physical(name, limit=255),
            alarm_description=plan.NOT_READY,
            alarm_rule=alarms[-1].name.apply(lambda missing: f'ALARM("{missing}")'),
            alarm_actions=[args.topic_arns["high"]],
            ok_actions=[args.topic_arns["high"]],
            tags=self._owner.tags(name, Severity="high"),
            opts=self._owner.child(),
        )

    def _by_address(
        self, args: MaintenanceArgs, _host: Host
    ) -> tuple[dict[str, pulumi.Input[Any]], list[iam.Statement]]:
        server = _server(args)
        allocation = server.allocation_id or ""
        self.places = {"allocationId": allocation, "serverInstanceId": server.instance_id}
        grants = [
            # Neither takes a resource.
            iam.allow(["ec2:DescribeAddresses", "ec2:DescribeInstanceStatus"], ["*"], sid="Look"),
            iam.allow(
                ["ec2:AssociateAddress"],
                [args.home.arn("ec2", part) for part in (f"elastic-ip/{allocation}", f"instance/{server.instance_id}")],
                sid="GiveTheAddressBack",
            ),
        ]
        return {"allocation": allocation, "server": server.instance_id}, grants

    def _by_name(self, args: MaintenanceArgs, host: Host) -> tuple[dict[str, pulumi.Input[Any]], list[iam.Statement]]:
        server = _server(args)
        check = self._create_check(server)
        addresses: dict[str, pulumi.Input[str]] = {
            "PRIMARY": server.address or "",
            "SECONDARY": host.address.public_ip if host.address else host.instance.public_ip,
        }
        for place, address in addresses.items():
            aws.route53.Record(
                f"{self._name}-{place.lower()}",
                zone_id=server.zone_id or "",
                name=server.host,
                type="A",
                ttl=_TTL,
                records=[address],
                set_identifier=place.lower(),
                failover_routing_policies=[{"type": place}],
                health_check_id=check.id if place == "PRIMARY" else None,
                opts=self._owner.child(),
            )
        self.places = {"healthCheckId": check.id, "zoneId": server.zone_id}
        grants = [
            iam.allow(["route53:GetHealthCheck", "route53:UpdateHealthCheck"], [check.arn], sid="ReleaseTheCheck"),
        ]
        return {"check": check.id}, grants

    def _create_check(self, server: ServerSettings) -> aws.route53.HealthCheck:
        """Asks the server itself. Where it is not well, the name leads to the page without anybody's doing."""
        return aws.route53.HealthCheck(
            self._name,
            type="HTTPS",
            ip_address=server.address,
            fqdn=server.host,
            port=443,
            resource_path=server.health_path,
            enable_sni=True,
            request_interval=30,
            failure_threshold=3,
            tags=self._owner.tags(self._name),
            # The switch holds the check by these: disabled and inverted it counts as failed.
            opts=self._owner.child(ignore_changes=["disabled", "invertHealthcheck"]),
        )

    # The way back

    def _create_off_role(self, args: MaintenanceArgs, grants: list[iam.Statement]) -> aws.iam.Role:
        return self._role(
            "off",
            "Takes the maintenance page off the air",
            iam.trust(
                "ssm.amazonaws.com",
                account_id=args.home.account_id,
                source_arn=args.home.arn("ssm", "automation-execution/*"),
            ),
            [*grants, *iam.publish([args.topic_arns[_NEWS]], args.topic_key_arn)],
        )

    def _role(self, purpose: str, description: str, trust: str, grants: list[iam.Statement]) -> aws.iam.Role:
        name = f"{self._name}-{purpose}"
        role = aws.iam.Role(
            name,
            description=description,
            assume_role_policy=trust,
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        aws.iam.RolePolicy(name, role=role.name, policy=iam.document(*grants), opts=self._owner.child())
        return role

    @property
    def _off_name(self) -> str:
        return self._owner.labels.physical(self._name, "off", limit=128)

    def _create_off_document(self, args: MaintenanceArgs, inputs: dict[str, pulumi.Input[Any]]) -> aws.ssm.Document:
        name = f"{self._name}-off"
        known: dict[str, pulumi.Input[Any]] = {
            **inputs,
            "mode": args.settings.mode,
            "topic": args.topic_arns[_NEWS],
            "url": plan.url_of(plan.host_of(args.settings, args.host)),
        }
        return aws.ssm.Document(
            name,
            name=self._off_name,
            document_type="Automation",
            document_format="JSON",
            content=pulumi.Output.all(role=self.off_role.arn, inputs=known).apply(
                lambda made: plan.off_document(made["role"], made["inputs"])
            ),
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )

    @property
    def _group_name(self) -> str:
        return self._owner.labels.physical(self._name, limit=64)

    def _create_schedule_group(self) -> aws.scheduler.ScheduleGroup:
        """Where the switch puts its schedule, which runs once and then deletes itself."""
        return aws.scheduler.ScheduleGroup(
            self._name,
            name=self._group_name,
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )

    def _create_scheduler_role(self, args: MaintenanceArgs) -> aws.iam.Role:
        home = args.home
        # IAM knows an Automation document by two names.
        off = [
            home.arn("ssm", f"automation-definition/{self._off_name}:*"),
            home.arn("ssm", f"document/{self._off_name}"),
        ]
        group = home.arn("scheduler", f"schedule-group/{self._group_name}")
        return self._role(
            "scheduler",
            "Starts what takes the maintenance page off the air",
            iam.trust(_SCHEDULER, account_id=home.account_id, source_arn=group),
            [
                iam.allow(["ssm:StartAutomationExecution"], off, sid="StartOff"),
                iam.allow(["sqs:SendMessage"], [self.dead_letters.arn], sid="BuryLetters"),
                iam.allow(
                    ["iam:PassRole"],
                    [self.off_role.arn],
                    sid="PassOffRole",
                    condition={"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}},
                ),
            ],
        )

    def _ring_on_failure(self, args: MaintenanceArgs) -> None:
        """A page that stays longer than announced is told of, whether its end failed or never began."""
        name, topic = f"{self._name}-off-failed", args.topic_arns["high"]
        physical = self._owner.labels.physical(name, limit=64)
        rule = aws.cloudwatch.EventRule(
            name,
            name=physical,
            description="The maintenance page did not go off",
            event_pattern=plan.failure_pattern(self._off_name),
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        role = self._role(
            "off-failed",
            "Tells that the maintenance page did not go off",
            iam.trust(
                _EVENTS,
                account_id=args.home.account_id,
                source_arn=args.home.arn("events", f"rule/{physical}"),
            ),
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
                "input_template": plan.failure_message(physical),
            },
            dead_letter_config={"arn": self.dead_letters.arn},
            retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 24},
            opts=self._owner.child(),
        )
        let_rules_in(self._owner, f"{self._name}-dead-letters", self.dead_letters, [rule])


def _server(args: MaintenanceArgs) -> ServerSettings:
    if args.settings.server is None:
        raise ValueError(
            f"Mode {args.settings.mode} needs a server to stand in for; settings.maintenance.server has none."
        )
    return args.settings.server
