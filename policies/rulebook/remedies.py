"""What the Pulumi CLI may mend by itself, where it is told to.

A remedy fills in what nobody has set and overrides nothing that somebody wrote: that stays a finding. What would
replace a resource that exists is mended only where it is protected: a new one is made right, and one that exists the
engine refuses to replace, so that nothing is lost without a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from . import compute, database, telemetry
from .links import TEMPLATE
from .resource import Resource, is_list, whole
from .rule import Rule
from .values import show

Path = tuple[str | int, ...]

#: Days that CloudWatch Logs takes as a retention.
RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A value where there was none. It is never a secret."""

    path: Path
    value: bool | int | str

    def told(self) -> str:
        """``metadataOptions.httpTokens was unset and is now required``."""
        return f"{'.'.join(map(str, self.path))} was unset and is now {show(self.value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What mends the findings of ``rule``. ``changes`` yields what is to be set, from a resource and the configuration.

    ``options``: the JSON Schema of what the CLI's configuration may say, by name.
    """

    rule: Rule
    types: frozenset[str]
    changes: Callable[[Resource, Mapping[str, Any]], Iterator[Change]]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """That of a policy of its own, for a rule on whole stacks, which cannot mend."""
        return f"{self.rule.id}-remedy"


def made(changes: Iterable[Change], props: MutableMapping[str, Any]) -> None:
    """Makes ``changes`` in ``props``; groups on the way that are missing are added."""
    for change in changes:
        here: Any = props
        for step in change.path[:-1]:
            if isinstance(here, Mapping) and here.get(step) is None:
                here[step] = {}  # type: ignore[index]  # the SDK's proxies can be written to
            here = here[step]
        here[change.path[-1]] = change.value


def _is_unset(resource: Resource, *path: str | int) -> bool:
    """Whether nothing is set at ``path``, in a group that is there or could be added. An unknown group may set it."""
    here: Any = resource.props
    for step in path:
        if isinstance(here, Mapping):
            here = here.get(step)
            if here is None:
                return True
        elif is_list(here) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            return False
    return False


def _required_tokens(resource: Resource, _: Mapping[str, Any]) -> Iterator[Change]:
    """Both types take it in place."""
    yield from _where_unset(resource, ("metadataOptions", "httpTokens"), "required")


def _encrypted_volumes(resource: Resource, _: Mapping[str, Any]) -> Iterator[Change]:
    """A launch template gets a new version; the volumes of instances, and volumes, would be replaced.

    What comes from a snapshot is encrypted as that is.
    """
    if resource.type == TEMPLATE:
        for index in range(len(resource.items("blockDeviceMappings"))):
            device = ("blockDeviceMappings", index, "ebs")
            if isinstance(resource.section(*device), Mapping) and not resource.section(*device, "snapshotId"):
                yield from _where_unset(resource, (*device, "encrypted"), "true")
    elif not resource.protect:
        return
    elif resource.type == compute.VOLUME:
        if not resource.section("snapshotId"):
            yield from _where_unset(resource, ("encrypted",), True)
    else:
        if resource.section("launchTemplate") is None or resource.section("rootBlockDevice") is not None:
            yield from _where_unset(resource, ("rootBlockDevice", "encrypted"), True)
        for index in range(len(resource.items("ebsBlockDevices"))):
            if not resource.section("ebsBlockDevices", index, "snapshotId"):
                yield from _where_unset(resource, ("ebsBlockDevices", index, "encrypted"), True)


def _encrypted_database(resource: Resource, _: Mapping[str, Any]) -> Iterator[Change]:
    """What begins as a copy of something is encrypted as that is."""
    sources = ("replicateSourceDb", "restoreToPointInTime", "snapshotIdentifier", "s3Import")
    if resource.protect and not any(resource.section(source) for source in sources):
        yield from _where_unset(resource, ("storageEncrypted",), True)


def _copied_tags(resource: Resource, _: Mapping[str, Any]) -> Iterator[Change]:
    yield from _where_unset(resource, ("copyTagsToSnapshot",), True)


def _retention(resource: Resource, options: Mapping[str, Any]) -> Iterator[Change]:
    """A group of the class DELIVERY keeps its logs for two days whatever is set."""
    if resource.section("logGroupClass") != "DELIVERY":
        days = whole(options.get("retentionInDays")) or telemetry.EVIDENCE_DAYS
        yield from _where_unset(resource, ("retentionInDays",), days)


def _where_unset(resource: Resource, path: Path, value: bool | int | str) -> Iterator[Change]:
    if _is_unset(resource, *path):
        yield Change(path, value)


REMEDIES: tuple[Remedy, ...] = (
    Remedy(rule=compute.IMDSV2, types=compute.MACHINES, changes=_required_tokens),
    Remedy(rule=compute.VOLUMES_ENCRYPTED, types=compute.MACHINES | {compute.VOLUME}, changes=_encrypted_volumes),
    Remedy(rule=database.ENCRYPTED, types=frozenset({database.INSTANCE}), changes=_encrypted_database),
    Remedy(rule=database.COPY_TAGS, types=frozenset({database.INSTANCE}), changes=_copied_tags),
    Remedy(
        rule=telemetry.RETENTION,
        types=frozenset({telemetry.LOG_GROUP}),
        changes=_retention,
        options={
            "retentionInDays": {
                "type": "integer",
                "description": "Days that a log group without a retention keeps its logs.",
                "enum": list(RETENTIONS),
                "default": telemetry.EVIDENCE_DAYS,
            }
        },
    ),
)
