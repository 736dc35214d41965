"""The schedule component: declares what ``plan`` decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from functions.common.calendar import Period
from functions.schedule.env import ScheduleEnv
from settings.naming import Labels

from .. import iam
from .._base import Component
from .._dead_letters import dead_letters, let_rules_in
from .._keys import Home, log_group
from . import grants, plan

_ROOT = Path(__file__).parents[2]

#: An instance started by RDS because it was stopped for seven days (0154), and one that has come up (0088).
_RDS_EVENTS = ("RDS-EVENT-0088", "RDS-EVENT-0154")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleArgs:
    """``regions``: where there may be something to stop; the home region among them.

    ``periods``: by name. ``alarm_topic_arn``: who is told of what stays undone.
    """

    home: Home
    regions: tuple[str, ...]
    periods: Mapping[str, Period]
    alarm_topic_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    log_retention_days: int
    reserved_concurrency: int | None


class Schedule(Component):
    """Stops and starts instances, Auto Scaling groups and databases by the tag ``Schedule``, on a recurring schedule.

    EventBridge Scheduler calls one function at each start and stop, and every quarter of an hour; RDS does when a
    database has come up, which it does by itself after seven days. Whatever the event says, the function asks the
    calendar in its parameter what has to run now.

    A group keeps the sizes of its running hours in its tag ``ScheduleSizes``, which the program writes: nothing that
    the function does could lose them. Whoever needs something out of hours tags it ``ScheduleHold`` with a moment,
    seven days ahead at most. The schedules are encrypted with a key of AWS's: they hold nothing but a period's name.
    """

    TYPE = "learning-platform:schedule:Schedule"
    SERVICE = "schedule"
    RUNBOOK = "003_720b7a256857bf84.txt Resource Scaling and Cost Management"

    group_name: pulumi.Output[str]
    function_name: pulumi.Output[str]
    function_arn: pulumi.Output[str]
    #: Name of the SSM parameter that holds the periods.
    configuration: pulumi.Output[str]
    #: The scheduler's role.
    role_arn: pulumi.Output[str]
    dead_letters_name: pulumi.Output[str]
    #: Seconds that a run may take.
    function_seconds = plan.SECONDS

    def __init__(
        self, name: str, args: ScheduleArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._dead_letters = dead_letters(
            self, f"{self.name}-dead-letters", physical=self.labels.physical("schedule", "dead-letters", limit=80)
        )
        self._parameter = self._create_parameter(args)
        self._log_group = self._create_log_group(args)
        self._function = self._create_function(args)
        self._create_rule()
        self._group, self._role = self._create_schedules(args)
        self._create_alarm(args)
        self.group_name = self._group.name
        self.function_name, self.function_arn = self._function.name, self._function.arn
        self.configuration = self._parameter.name
        self.role_arn = self._role.arn
        self.dead_letters_name = self._dead_letters.name
        self.register_outputs(
            {
                "groupName": self.group_name,
                "functionName": self.function_name,
                "functionArn": self.function_arn,
                "configuration": self.configuration,
                "roleArn": self.role_arn,
                "deadLettersName": self.dead_letters_name,
            }
        )

    @property
    def _physical(self) -> str:
        return self.labels.physical("schedule", limit=64)

    def _create_parameter(self, args: ScheduleArgs) -> aws.ssm.Parameter:
        name = f"{self.name}-configuration"
        return aws.ssm.Parameter(
            name,
            name=self.labels.path("schedule", "configuration"),
            description="When what runs; the schedule function reads it",
            type="String",
            tier="Standard",
            # Plain, so that previews and reports show it.
            insecure_value=plan.configuration(args.periods),
            tags=self.tags(name),
            opts=self.child(),
        )

    def _create_log_group(self, args: ScheduleArgs) -> aws.cloudwatch.LogGroup:
        return log_group(
            self,
            self.name,
            self.labels.path("schedule", "function"),
            retention_days=args.log_retention_days,
            key_arn=args.logs_key_arn,
        )

    def _create_function(self, args: ScheduleArgs) -> aws.lambda_.Function:
        name = f"{self.name}-function"
        reach = grants.Reach(
            home=args.home,
            regions=args.regions,
            project=self.labels.project,
            environment=self.labels.environment,
            periods=sorted(args.periods),
        )
        # Lambda sends no account along when it takes a role on, so the trust can name none.
        role, policy = self._create_role(
            name,
            "Stops and starts what follows a schedule",
            iam.trust("lambda.amazonaws.com"),
            grants.function(
                reach,
                own_arn=args.home.arn("lambda", f"function:{self._physical}"),
                parameter_arn=self._parameter.arn,
                dead_letters_arn=self._dead_letters.arn,
                log_group_arn=self._log_group.arn,
            ),
        )
        made = aws.lambda_.Function(
            name,
            name=self._physical,
            description="Stops and starts what follows a schedule",
            role=role.arn,
            runtime="python3.13",
            architectures=["arm64"],
            handler="functions.schedule.handler.handler",
            code=pulumi.AssetArchive({path: pulumi.FileAsset(path) for path in plan.files(_ROOT)}),
            timeout=plan.SECONDS,
            memory_size=512,
            reserved_concurrent_executions=args.reserved_concurrency,
            environment={"variables": self._variables(args)},
            dead_letter_config={"target_arn": self._dead_letters.arn},
            tracing_config={"mode": "Active"},
            logging_config={
                "log_format": "JSON",
                "application_log_level": "INFO",
                "log_group": self._log_group.name,
            },
            tags=self.tags(name),
            # Lambda looks at once whether the role may reach the dead letters.
            opts=self.child(depends_on=[policy]),
        )
        aws.lambda_.FunctionEventInvokeConfig(
            name,
            function_name=made.name,
            maximum_event_age_in_seconds=3600,
            maximum_retry_attempts=2,
            opts=self.child(),
        )
        return made

    def _variables(self, args: ScheduleArgs) -> pulumi.Output[dict[str, str]]:
        def write(made: Mapping[str, str]) -> dict[str, str]:
            return ScheduleEnv(
                configuration=made["configuration"],
                dead_letters=made["dead_letters"],
                function=self._physical,
                project=self.labels.project,
                environment=self.labels.environment,
                regions=args.regions,
                namespace=self._physical,
            ).variables()

        known = pulumi.Output.all(configuration=self._parameter.name, dead_letters=self._dead_letters.url)
        return known.apply(write)

    def _create_role(
        self, name: str, description: str, trust: str, statements: list[iam.Statement]
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            name, description=description, assume_role_policy=trust, tags=self.tags(name), opts=self.child()
        )
        policy = aws.iam.RolePolicy(name, role=role.name, policy=iam.document(*statements), opts=self.child())
        return role, policy

    def _create_rule(self) -> None:
        """Databases that have come up: the function stops those again that RDS started by itself."""
        name = f"{self.name}-database-up"
        rule = aws.cloudwatch.EventRule(
            name,
            name=self.labels.physical("schedule", "database-up", limit=64),
            description="A database has been started, by whomever",
            event_pattern=json.dumps(
                {
                    "source": ["aws.rds"],
                    "detail-type": ["RDS DB Instance Event"],
                    "detail": {"EventID": list(_RDS_EVENTS)},
                },
                sort_keys=True,
            ),
            tags=self.tags(name),
            opts=self.child(),
        )
        permission = aws.lambda_.Permission(
            name,
            action="lambda:InvokeFunction",
            function=self._function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=self.child(),
        )
        policy = let_rules_in(self, self.name, self._dead_letters, [rule])
        aws.cloudwatch.EventTarget(
            name,
            rule=rule.name,
            target_id="schedule",
            arn=self._function.arn,
            dead_letter_config={"arn": self._dead_letters.arn},
            retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 20},
            opts=self.child(depends_on=[permission, policy]),
        )

    def _create_schedules(self, args: ScheduleArgs) -> tuple[aws.scheduler.ScheduleGroup, aws.iam.Role]:
        group = aws.scheduler.ScheduleGroup(
            self.name, name=self._physical, tags=self.tags(self.name), opts=self.child()
        )
        role, policy = self._create_role(
            f"{self.name}-scheduler",
            "EventBridge Scheduler: invokes the schedule function",
            iam.trust(
                "scheduler.amazonaws.com",
                account_id=args.home.account_id,
                source_arn=args.home.arn("scheduler", f"schedule-group/{self._physical}"),
            ),
            grants.scheduler(self._function.arn, self._dead_letters.arn),
        )
        for call in plan.calls(args.periods):
            window: aws.scheduler.ScheduleFlexibleTimeWindowArgsDict = (
                {"mode": "FLEXIBLE", "maximum_window_in_minutes": call.flexible} if call.flexible else {"mode": "OFF"}
            )
            aws.scheduler.Schedule(
                f"{self.name}-{call.name}",
                name=call.name,
                group_name=group.name,
                description=call.says,
                schedule_expression=call.expression,
                schedule_expression_timezone=call.zone,
                flexible_time_window=window,
                state="ENABLED",
                target={
                    "arn": self._function.arn,
                    "role_arn": role.arn,
                    "input": json.dumps(dict(call.event), sort_keys=True),
                    "dead_letter_config": {"arn": self._dead_letters.arn},
                    "retry_policy": {"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 10},
                },
                opts=self.child(depends_on=[policy]),
            )
        return group, role

    def _create_alarm(self, args: ScheduleArgs) -> None:
        """Rings when four sweeps in a row find something that is not as the calendar says."""
        name = f"{self.name}-unsettled"
        counter = aws.cloudwatch.LogMetricFilter(
            name,
            name=self.labels.physical("schedule", "unsettled", limit=512),
            log_group_name=self._log_group.name,
            pattern="{ $.unsettled = * }",
            metric_transformation={"namespace": self._physical, "name": "Unsettled", "value": "$.unsettled"},
            opts=self.child(),
        )
        aws.cloudwatch.MetricAlarm(
            name,
            name=self.labels.physical("schedule", "unsettled", limit=255),
            alarm_description="Something has not been stopped or started for an hour\n"
            "Severity: medium, respond within 4 hours\n"
            "Impact: It costs money while nobody uses it, or is missing where people work.\n"
            "Run book: 003_… Resource Scaling & Cost Management\n"
            "First action: Look in the schedule function's log for what fails or waits, and why.",
            namespace=counter.metric_transformation.namespace,
            metric_name=counter.metric_transformation.name,
            statistic="Minimum",
            period=900,
            evaluation_periods=4,
            datapoints_to_alarm=4,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            # Sweeps that do not come ring at the schedule group and the function.
            treat_missing_data="notBreaching",
            alarm_actions=[args.alarm_topic_arn],
            ok_actions=[args.alarm_topic_arn],
            tags=self.tags(name, Severity="medium"),
            opts=self.child(),
        )
