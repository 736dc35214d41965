"""A backup that never begins makes no event: alarms ask how old the newest one is."""

from __future__ import annotations

import pytest

from policies.rulebook.alarms import ALARM
from policies.rulebook.backup_watch import WATCHED
from policies.rulebook.rule import Level, Severity

from .bags import ABSENT, UNKNOWN, altered, not_evaluated, resource, stack_faults

VAULT, BUCKET, GROUP = "aws:backup/vault:Vault", "aws:s3/bucket:Bucket", "aws:autoscaling/group:Group"


def age(vault):
    return {"namespace": "x", "metricName": "RecoveryPointAgeHours", "dimensions": {"Vault": vault}}


def own(metric):
    return {"namespace": "y", "metricName": metric}


BAGS = {
    "home-vault": (VAULT, {"name": "home"}),
    "far-vault": (VAULT, {"name": "far", "region": "eu-central-1"}),
    "home-age": (ALARM, age("home")),
    "far-age": (ALARM, age("recovery")),
    "store": (BUCKET, {"tags": {"Purpose": "backup"}}),
    "servers": (GROUP, {}),
    "stale": (ALARM, own("ConfigurationBackupAge")),
    "failed": (ALARM, own("ConfigurationBackupFailures")),
}


def stack(**changes):
    """The compliant stack with some bags changed; None leaves one out."""
    bags = {name: changes.get(name, bag) for name, (_, bag) in BAGS.items()}
    return [resource(BAGS[name][0], name, bag) for name, bag in bags.items() if bag is not None]


def said(**changes):
    return [sentence for sentence, _ in stack_faults(WATCHED, *stack(**changes))]


def of_vaults(watched):
    return (
        f"2 vaults are declared, and alarms on RecoveryPointAgeHours watch {watched}: a backup or a copy that never "
        "begins is noticed by nobody."
    )


def of_servers(metric):
    return f"No alarm watches {metric}: servers that no longer save their configuration tell nobody."


def test_it_refuses_in_prod():
    assert (WATCHED.id, WATCHED.severity, WATCHED.level) == (
        "backup-age-watched",
        Severity.HIGH,
        Level.MANDATORY_IN_PROD,
    )


def test_a_stack_that_watches_every_vault_and_its_servers_is_clean():
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({"home-age": None}, [of_vaults(1)]),
        ({"home-age": None, "far-age": None}, [of_vaults(0)]),
        ({"far-age": age("home")}, [of_vaults(1)]),
        ({"far-age": altered(age("recovery"), metricName=ABSENT)}, [of_vaults(1)]),
        ({"far-age": {**age("recovery"), "actionsEnabled": False}}, [of_vaults(1)]),
        ({"stale": None}, [of_servers("ConfigurationBackupAge")]),
        (
            {"failed": {**own("ConfigurationBackupFailures"), "actionsEnabled": False}},
            [of_servers("ConfigurationBackupFailures")],
        ),
        ({"stale": None, "failed": None, "servers": None}, []),
        ({"stale": None, "failed": None, "store": {"tags": {"Purpose": "logs"}}}, []),
    ],
)
def test_what_is_not_watched_is_named(changes, sentences):
    assert said(**changes) == sentences


def test_an_alarm_whose_metric_is_not_known_is_not_judged():
    assert not_evaluated(WATCHED, *stack(**{"far-age": altered(age("recovery"), metricName=UNKNOWN)}))
