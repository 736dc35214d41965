"""The mute rules: alarms of what is stopped ring for nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pulumi
import pulumi_aws as aws

from functions.common.calendar import Period
from settings.naming import Labels

from .._base import Component
from . import plan


@dataclass(frozen=True, kw_only=True, slots=True)
class MutesArgs:
    """``periods``: by name; ``follows``: resource -> the period it follows.

    ``alarms``: resource -> names of its alarms, 100 at most, muted from each stop until ``ready_minutes`` after the
    next start. ``alarms_of``: what declares them, because a rule can only name alarms that exist.
    """

    periods: Mapping[str, Period]
    follows: Mapping[str, str]
    alarms: Mapping[str, Sequence[pulumi.Input[str]]]
    alarms_of: Sequence[pulumi.Resource]
    ready_minutes: int


class Mutes(Component):
    """Each time in which a resource is stopped has rules that mute that resource's alarms, and no rule lasts longer.

    Apart from ``Schedule``, because alarms watch that and are named here.
    """

    TYPE = "learning-platform:schedule:Mutes"
    SERVICE = "schedule"
    RUNBOOK = "003_720b7a256857bf84.txt Resource Scaling and Cost Management"

    #: logical name -> the rule's name
    rule_names: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: MutesArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        ready = timedelta(minutes=args.ready_minutes)
        self.rule_names = {
            f"{name}-{resource}-{mute.key}": self._create_rule(resource, period, mute, args).name
            for resource, period in sorted(args.follows.items())
            if _has_alarms(resource, args)
            for mute in plan.mutes(args.periods[period], ready)
        }
        self.register_outputs({"ruleNames": self.rule_names})

    def _create_rule(
        self, resource: str, period: str, mute: plan.Mute, args: MutesArgs
    ) -> aws.cloudwatch.AlarmMuteRule:
        name = f"{self.name}-{resource}-{mute.key}"
        return aws.cloudwatch.AlarmMuteRule(
            name,
            name=self.labels.physical("schedule", resource, mute.key, limit=255),
            description=f"{resource} is stopped, as {period} says",
            mute_targets={"alarm_names": list(args.alarms[resource])},
            rule={"schedule": {"expression": mute.expression, "duration": mute.duration, "timezone": mute.zone}},
            start_date=_written(mute.starts),
            expire_date=_written(mute.expires),
            tags=self.tags(name),
            opts=self.child(depends_on=list(args.alarms_of)),
        )


def _has_alarms(resource: str, args: MutesArgs) -> bool:
    """True. Raises ValueError where a rule cannot name the resource's alarms."""
    count = len(args.alarms.get(resource, ()))
    if not 0 < count <= plan.MOST_ALARMS:
        raise ValueError(
            f"{resource} has {count} alarms; a mute rule names 1 to {plan.MOST_ALARMS}. "
            "Name those that ring while it is stopped."
        )
    return True


def _written(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:00Z}" if moment else None
