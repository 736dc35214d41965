"""A rule on the backups that never begin: they make no event, so an alarm has to ask how old the newest one is."""

from __future__ import annotations

from collections.abc import Iterator

from .alarms import ALARM
from .backup_parts import VAULT
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule
from .storage import BUCKETS
from .values import is_false

#: Hours since the newest recovery point of a vault; the vault is the alarm's dimension.
VAULT_AGE = "RecoveryPointAgeHours"

#: What the servers tell of the backups of their own configuration.
HOST_METRICS = ("ConfigurationBackupAge", "ConfigurationBackupFailures")

_MACHINES = ("aws:autoscaling/group:Group",)


def _watched(stack: Stack) -> Iterator[Fault]:
    ringing = [alarm for alarm in stack.of(ALARM) if not is_false(alarm.props.get("actionsEnabled"))]
    vaults = tuple(stack.of(VAULT))
    watched = {_dimensions(alarm) for alarm in ringing if alarm.props.get("metricName") == VAULT_AGE}
    if len(watched) < len(vaults):
        yield Fault(
            f"{len(vaults)} vaults are declared, and alarms on {VAULT_AGE} watch {len(watched)}: a backup or a copy "
            "that never begins is noticed by nobody."
        )
    if any(True for _ in stack.of(*_MACHINES)) and any(_keeps_backups(bucket) for bucket in stack.of(*BUCKETS)):
        names = {alarm.props.get("metricName") for alarm in ringing}
        for metric in HOST_METRICS:
            if metric not in names:
                yield Fault(f"No alarm watches {metric}: servers that no longer save their configuration tell nobody.")


def _dimensions(alarm: Resource) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(key), str(value)) for key, value in (alarm.section("dimensions") or {}).items()))


def _keeps_backups(bucket: Resource) -> bool:
    return bool(bucket.section("tags", "Purpose") == "backup")


WATCHED = StackRule(
    id="backup-age-watched",
    sentence="004_5ca73e3508d74ec8.txt Daily Checklist: Check backup completion status",
    title="Alarms ask how old the newest backup of each vault and of the servers' configuration is.",
    why="A schedule that was switched off fails nowhere: the day it is noticed is the day a backup is needed.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-9", "NIST SI-4"),
    remedy="Declare the alarms of components.backup (restore_test) and of components.archive.",
    types=frozenset({VAULT, ALARM}),
    check=_watched,
)

RULES: tuple[Rule, ...] = (WATCHED,)
