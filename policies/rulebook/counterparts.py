"""Whether the other half of what a resource names is there: a bucket's key and log, a profile's application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .links import targets
from .resource import Resource, Stack, is_list
from .rule import Fault, Level, Rule, Severity, StackRule, each
from .storage import BUCKETS, ENCRYPTION, LOGGING, POLICY, VERSIONING
from .values import listed, show

_KEYS = ("aws:kms/key:Key", "aws:kms/replicaKey:ReplicaKey", "aws:kms/alias:Alias")
_APPLICATION = "aws:appconfig/application:Application"
_PROFILE = "aws:appconfig/configurationProfile:ConfigurationProfile"
_VERSION = "aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion"
_MONITOR = "aws:costexplorer/anomalyMonitor:AnomalyMonitor"
_SUBSCRIPTION = "aws:costexplorer/anomalySubscription:AnomalySubscription"


@dataclass(frozen=True, slots=True)
class _Half:
    """``path`` of a property names one of ``types``, which is ``what``; * in it is any index."""

    path: tuple[str, ...]
    types: tuple[str, ...]
    what: str


#: Type -> what it names that only its own stack makes. Ids of networks, keys and topics: ``gov-references-declared``.
_HALVES: Mapping[str, tuple[_Half, ...]] = {
    **dict.fromkeys(
        ENCRYPTION,
        (_Half(("rules", "*", "applyServerSideEncryptionByDefault", "kmsMasterKeyId"), _KEYS, "key"),),
    ),
    # The bucket may be named through what has to be there before.
    **dict.fromkeys(LOGGING, (_Half(("targetBucket",), (*BUCKETS, POLICY, *VERSIONING), "bucket"),)),
    _PROFILE: (_Half(("applicationId",), (_APPLICATION,), "application"),),
    _VERSION: (
        _Half(("applicationId",), (_APPLICATION,), "application"),
        _Half(("configurationProfileId",), (_PROFILE,), "profile"),
    ),
    _SUBSCRIPTION: (_Half(("monitorArnLists", "*"), (_MONITOR,), "monitor of costs"),),
}


def _whole(stack: Stack) -> Iterator[Fault]:
    def judge(resource: Resource) -> Iterator[Fault]:
        for half in _HALVES[resource.type]:
            if targets(stack, resource, half.path[0], *half.types):
                continue
            if named := [show(value) for value in _values(resource, half.path) if value]:
                yield Fault(
                    f"The {half.what} {listed(named)} that {half.path[-1].strip('*') or half.path[0]} names is not "
                    "declared in this stack.",
                    resource.urn,
                )

    return each(stack.of(*_HALVES), judge)


def _values(resource: Resource, path: tuple[str, ...], *before: str | int) -> Iterator[object]:
    """The values at ``path``; raises where one is unknown, and so may be anything."""
    if not path:
        yield resource.section(*before)
    elif path[0] == "*":
        here = resource.section(*before)
        for index in range(len(here) if is_list(here) else 0):
            yield from _values(resource, path[1:], *before, index)
    else:
        yield from _values(resource, path[1:], *before, path[0])


WHOLE = StackRule(
    id="gov-counterparts-declared",
    sentence="002_3d1abe7e242e6afd.txt §1: Key components and dependencies",
    title="The keys and logs of buckets, the applications of configuration and the monitors of costs are declared.",
    why="An access log that goes to another's bucket is another's evidence, and a key of elsewhere is another's lock.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-8", "NIST SC-12", "NIST AU-9"),
    remedy="Hand over the Output of the resource in the program instead of a copied id.",
    types=frozenset(_HALVES),
    check=_whole,
)

RULES: tuple[Rule, ...] = (WHOLE,)
