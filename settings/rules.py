"""Rules that compare settings with one another. Each names the setting to change, why, and what to write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from . import audit, backups, changes, escalation, maintenance, patching, prometheus, records, schedules, thresholds
from .faults import Fault
from .kinds import Sealed
from .regions import REGIONS
from .times import collide, free_weekly

if TYPE_CHECKING:
    from .model import Settings

#: What documentation uses where a real value should be; prod cannot work with them.
PLACEHOLDER_ACCOUNTS = frozenset({"000000000000", "111122223333", "123456789012"})
PLACEHOLDER_DOMAINS = ("example.com", "example.net", "example.org")

YEAR = 365
#: As long as the site may take on average (004_… Performance Indicators), milliseconds.
SLOW_MS = 2000
FOUR_WEEKS = 28
HEADROOM = 1.2

Rule = Callable[["Settings"], Iterator[Fault]]


def broken_rules(settings: Settings) -> Iterator[Fault]:
    """All faults of settings whose values are each right by themselves."""
    for rule in RULES:
        yield from rule(settings)


def _regions_differ(settings: Settings) -> Iterator[Fault]:
    if settings.recovery_region == settings.region:
        yield Fault(
            path=("recovery_region",),
            wrong="is the primary region too",
            rule="The recovery region must survive the loss of aws:region (002_… §6).",
            way_out="Write another region, for example "
            + ("us-east-2." if settings.region == "us-west-2" else "us-west-2."),
        )


def _primary_in_partition(settings: Settings) -> Iterator[Fault]:
    yield from _in_partition("region", settings.region, settings.account.partition)


def _recovery_in_partition(settings: Settings) -> Iterator[Fault]:
    yield from _in_partition("recovery_region", settings.recovery_region, settings.account.partition)


def _in_partition(key: str, region: str, partition: str) -> Iterator[Fault]:
    actual = REGIONS[region].partition
    if actual != partition:
        yield Fault(
            path=(key,),
            wrong=f"is in the partition {actual}, the account in {partition}",
            rule="An account reaches the regions of its own partition only.",
            way_out=f"Write a region of {partition}, or account.partition: {actual}.",
        )


def _zones_in_region(settings: Settings) -> Iterator[Fault]:
    region = settings.region
    names = [region + letter for letter in REGIONS[region].letters if letter in "abcd"]
    for position, zone in enumerate(settings.network.zones):
        if zone not in names:
            yield Fault(
                path=("network", "zones", position),
                wrong=f"is no zone of {region}",
                rule="The zones are those of aws:region.",
                way_out=f"Write one of {', '.join(names)}.",
            )


def _zones_distinct(settings: Settings) -> Iterator[Fault]:
    zones = settings.network.zones
    for position, zone in enumerate(zones):
        if zone in zones[:position]:
            yield Fault(
                path=("network", "zones", position),
                wrong="is named twice",
                rule="A zone has one subnet of each tier.",
                way_out="Write each zone once.",
            )


def _ranges_apart(settings: Settings) -> Iterator[Fault]:
    network = settings.network
    if network.cidr.overlaps(network.recovery_cidr):
        yield Fault(
            path=("network", "recovery_cidr"),
            wrong=f"overlaps network.cidr, {network.cidr}",
            rule="The ranges of all stacks and of their recovery regions are disjoint, so that they can be joined "
            "(002_… §7.3).",
            way_out="Write a range that no stack uses.",
        )


def _key_where_ssh(settings: Settings) -> Iterator[Fault]:
    access = settings.access
    if access.mode == "ssm" and access.key_name is not None:
        yield Fault(
            path=("access", "key_name"),
            wrong="has no use while access.mode is ssm",
            rule="Session Manager needs no key, and a key that nobody uses is one that nobody guards (002_… §2).",
            way_out="Delete the line, or write mode: both.",
        )
    if access.mode != "ssm" and access.key_name is None:
        yield Fault(
            path=("access", "key_name"),
            wrong=f"is missing while access.mode is {access.mode}",
            rule="SSH needs the name of an EC2 key pair (000_… §1).",
            way_out="Add key_name, or write mode: ssm.",
        )


def _addresses_where_ssh(settings: Settings) -> Iterator[Fault]:
    access = settings.access
    if access.mode != "ssm" and not access.admin_cidrs:
        yield Fault(
            path=("access", "admin_cidrs"),
            wrong=f"is empty while access.mode is {access.mode}",
            rule="SSH is open to named ranges only (003_… Patching & Updates).",
            way_out="Add the range that administrators come from, or write mode: ssm.",
        )


def _addresses_apart(settings: Settings) -> Iterator[Fault]:
    ranges = settings.access.admin_cidrs
    for position, admin in enumerate(ranges):
        for other in ranges[:position]:
            if admin.overlaps(other):
                yield Fault(
                    path=("access", "admin_cidrs", position),
                    wrong=f"overlaps {other}",
                    rule="Each address is let in by one line.",
                    way_out="Delete the narrower of the two.",
                )


def _windows_apart(settings: Settings) -> Iterator[Fault]:
    database = settings.database
    if collide(database.backup_window, database.maintenance_window):
        free = free_weekly(database.backup_window, database.maintenance_window)
        yield Fault(
            path=("database", "maintenance_window"),
            wrong=f"collides with database.backup_window, {database.backup_window} each day",
            rule="RDS refuses windows that overlap (002_… §7.4).",
            way_out=f"Write, for example, {free}" if free else "Write a shorter backup window.",
        )


def _storage_headroom(settings: Settings) -> Iterator[Fault]:
    database = settings.database
    least = math.ceil(database.storage_gib * HEADROOM)
    if database.max_storage_gib < least:
        yield Fault(
            path=("database", "max_storage_gib"),
            wrong=f"leaves too little above storage_gib, {database.storage_gib}",
            rule="Storage can grow to 1.2 times its size, so that <20% free heals itself (004_… Key Metrics).",
            way_out=f"Write {least} or more."
            if least <= 65536
            else f"Write storage_gib: {int(65536 / HEADROOM)} or less.",
        )


def _host_in_zone(settings: Settings) -> Iterator[Fault]:
    domain = settings.web.domain
    if isinstance(domain.host, Sealed) or isinstance(domain.zone_name, Sealed):
        return
    if domain.host != domain.zone_name and not domain.host.endswith(f".{domain.zone_name}"):
        yield Fault(
            path=("web", "domain", "host"),
            wrong=f"is outside of web.domain.zone_name, {domain.zone_name}",
            rule="The certificate is validated, and the name written, in the hosted zone.",
            way_out=f"Write {domain.zone_name} or a name that ends in .{domain.zone_name}",
        )


def _bounds_in_order(settings: Settings) -> Iterator[Fault]:
    web = settings.web
    if web.min_instances > web.max_instances:
        yield Fault(
            path=("web", "min_instances"),
            wrong=f"is above web.max_instances, {web.max_instances}",
            rule="The least number of servers is at most the greatest (000_… §5).",
            way_out=f"Write {web.max_instances}, or max_instances: {web.min_instances}.",
        )


def _prod_keeps_its_network(settings: Settings) -> Iterator[Fault]:
    if settings.environment == "prod" and settings.network.nat != "per-zone":
        yield _survives(("network", "nat"), "does not give each zone a way out of its own", "nat: per-zone")


def _prod_keeps_its_database(settings: Settings) -> Iterator[Fault]:
    if settings.environment == "prod" and not settings.database.multi_az:
        yield _survives(("database", "multi_az"), "leaves the database in one zone", "multi_az: true")


def _survives(path: tuple[str, ...], wrong: str, line: str) -> Fault:
    rule = "Prod survives the loss of a zone (002_… §6)."
    return Fault(path=path, wrong=wrong, rule=rule, way_out=f"Write {line}")


def _prod_is_protected(settings: Settings) -> Iterator[Fault]:
    if settings.environment == "prod" and not settings.protect:
        yield Fault(
            path=("protect",),
            wrong="lets the data of prod be deleted",
            rule="Prod is protected against deletion (002_… §3.2).",
            way_out="Write true, or delete the line.",
        )


def _prod_keeps_backups(settings: Settings) -> Iterator[Fault]:
    if settings.environment == "prod" and settings.database.backup_retention_days < FOUR_WEEKS:
        yield Fault(
            path=("database", "backup_retention_days"),
            wrong="is less than 4 weeks",
            rule="Backups of prod are kept for 4 weeks (000_… §4).",
            way_out="Write 28 to 35.",
        )


def _prod_writes_slow_statements_down(settings: Settings) -> Iterator[Fault]:
    if settings.environment == "prod" and settings.database.slow_query_ms > SLOW_MS:
        yield Fault(
            path=("database", "slow_query_ms"),
            wrong=f"is more than {SLOW_MS}",
            rule="A statement that takes as long as an answer may is written down (004_… Performance Indicators).",
            way_out=f"Write {SLOW_MS} or less.",
        )


def _keeps_a_year(path: tuple[str, ...], days: Callable[[Settings], int]) -> Rule:
    def rule(settings: Settings) -> Iterator[Fault]:
        if settings.environment == "prod" and days(settings) < YEAR:
            yield Fault(
                path=path,
                wrong="is less than a year",
                rule="Logs of prod are kept for a year (002_… §9 Record retention policies).",
                way_out="Write 365 or more.",
            )

    return rule


def _prod_has_a_real_account(settings: Settings) -> Iterator[Fault]:
    if settings.environment == "prod" and settings.account.id in PLACEHOLDER_ACCOUNTS:
        yield Fault(
            path=("account", "id"),
            wrong="is an account id of the AWS documentation",
            rule="Prod has an account of its own (002_… §7.1).",
            way_out="Write the 12 digits that aws sts get-caller-identity shows.",
        )


def _prod_has_a_real_contact(settings: Settings) -> Iterator[Fault]:
    domain = settings.alerts_email.rpartition("@")[2].lower()
    if settings.environment == "prod" and any(
        domain == placeholder or domain.endswith(f".{placeholder}") for placeholder in PLACEHOLDER_DOMAINS
    ):
        yield Fault(
            path=("alerts_email",),
            wrong="is an address that nobody reads",
            rule="An alarm of prod reaches a person (004_… Emergency Contacts).",
            way_out="Write the address of those on call.",
        )


def _trail_is_kept(settings: Settings) -> Iterator[Fault]:
    yield from audit.broken_rules(settings.audit, settings.environment)


def _metrics_have_a_way(settings: Settings) -> Iterator[Fault]:
    yield from prometheus.broken_rules(
        settings.prometheus,
        environment=settings.environment,
        partition=settings.account.partition,
        nat=settings.network.nat,
    )


def _thresholds_agree(settings: Settings) -> Iterator[Fault]:
    yield from thresholds.broken_rules(
        settings.thresholds,
        cpu_target_percent=settings.web.cpu_target_percent,
        memory_target_percent=settings.web.memory_target_percent,
    )


def _freezes_end(settings: Settings) -> Iterator[Fault]:
    yield from changes.broken_rules(settings.changes)


def _of_escalation(rule: escalation.Rule) -> Rule:
    return lambda settings: rule(settings.escalation)


def _prod_calls_people(settings: Settings) -> Iterator[Fault]:
    if settings.environment == "prod":
        yield from escalation.placeholder_contacts(settings.escalation)


def _schedules_leave_windows(settings: Settings) -> Iterator[Fault]:
    yield from schedules.broken_rules(settings.schedules, needs=schedules.needs(settings))


def _maintenance_is_whole(settings: Settings) -> Iterator[Fault]:
    yield from maintenance.broken_rules(
        settings.maintenance, admin_cidrs=bool(settings.access.admin_cidrs), web_host=settings.web.domain.host
    )


def _records_are_kept(settings: Settings) -> Iterator[Fault]:
    yield from records.broken_rules(settings.records, settings.environment)


def _backups_agree(settings: Settings) -> Iterator[Fault]:
    db = settings.database
    yield from backups.broken_rules(
        settings.backups,
        environment=settings.environment,
        nat=settings.network.nat,
        backup_window=db.backup_window,
        maintenance_window=db.maintenance_window,
        database_retention_days=db.backup_retention_days,
    )


def _patches_come_in_order(settings: Settings) -> Iterator[Fault]:
    db = settings.database
    yield from patching.broken_rules(
        settings.patching,
        environment=settings.environment,
        backup_window=db.backup_window,
        maintenance_window=db.maintenance_window,
    )


RULES: tuple[Rule, ...] = (
    _backups_agree,
    _patches_come_in_order,
    _records_are_kept,
    _maintenance_is_whole,
    _schedules_leave_windows,
    _metrics_have_a_way,
    _thresholds_agree,
    _freezes_end,
    _trail_is_kept,
    _regions_differ,
    _primary_in_partition,
    _recovery_in_partition,
    _zones_in_region,
    _zones_distinct,
    _ranges_apart,
    _key_where_ssh,
    _addresses_where_ssh,
    _addresses_apart,
    _windows_apart,
    _storage_headroom,
    _host_in_zone,
    _bounds_in_order,
    _prod_keeps_its_network,
    _prod_keeps_its_database,
    _prod_is_protected,
    _prod_keeps_backups,
    _prod_writes_slow_statements_down,
    _keeps_a_year(("network", "flow_log_retention_days"), lambda settings: settings.network.flow_log_retention_days),
    _keeps_a_year(
        ("access", "session_log_retention_days"), lambda settings: settings.access.session_log_retention_days
    ),
    _keeps_a_year(("database", "log_retention_days"), lambda settings: settings.database.log_retention_days),
    _keeps_a_year(("web", "log_retention_days"), lambda settings: settings.web.log_retention_days),
    _keeps_a_year(("escalation", "log_retention_days"), lambda settings: settings.escalation.log_retention_days),
    _prod_has_a_real_account,
    _prod_has_a_real_contact,
    *map(_of_escalation, escalation.RULES),
    _prod_calls_people,
)
