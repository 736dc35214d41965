"""What a restored copy must be, and what a drill concludes: pure decisions over what AWS says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["passed", "failed", "incomplete"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``passed`` is None where it could not be judged, which is never a pass."""

    name: str
    passed: bool | None
    found: str
    wanted: str

    def document(self) -> dict[str, Any]:
        """As the record holds it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a restored copy must come out. ``parameter_group``: None where the source's is not there to be had."""

    engine_version: str
    subnet_group: str
    security_group_id: str
    parameter_group: str | None


def of_instance(instance: Mapping[str, Any], wanted: Wanted) -> tuple[Check, ...]:
    """A copy's standing, from DescribeDBInstances; what the answer leaves out counts as not so."""
    groups = sorted(group["VpcSecurityGroupId"] for group in instance.get("VpcSecurityGroups", ()))
    parameters = ", ".join(group["DBParameterGroupName"] for group in instance.get("DBParameterGroups", ())) or "none"
    subnets = str(instance.get("DBSubnetGroup", {}).get("DBSubnetGroupName", "none"))
    expected = wanted.parameter_group
    return (
        _equal("status", instance.get("DBInstanceStatus", "unknown"), "available"),
        _equal("encrypted", _yes(instance.get("StorageEncrypted")), "yes"),
        _equal("engine version", instance.get("EngineVersion", "unknown"), wanted.engine_version),
        _equal("subnet group", subnets, wanted.subnet_group),
        _equal("security groups", ", ".join(groups) or "none", wanted.security_group_id),
        _equal("public", _yes(instance.get("PubliclyAccessible")), "no"),
        _equal("parameter group", parameters, expected)
        if expected is not None
        else Check("parameter group", parameters.startswith("default."), parameters, "the engine's default"),
    )


def of_rows(answer: Mapping[str, Any] | None) -> Check:
    """What the validator said: ``outcome`` (SUCCESSFUL, FAILED, or what else it did), ``faults``, ``reason``.

    None: there is no validator where the copy is. An ``error`` is that of the function itself.
    """
    wanted = "rows answered"
    if answer is None:
        return Check("rows", None, "no validator reaches the copy", wanted)
    if "error" in answer:
        return Check("rows", False, str(answer["error"]), wanted)
    outcome, faults = answer.get("outcome"), " ".join(map(str, answer.get("faults", ())))
    passed = {"SUCCESSFUL": True, "FAILED": False}.get(str(outcome))
    reason = "they answered" if passed else faults or answer.get("reason") or f"the validator says {outcome!r}"
    return Check("rows", passed, str(reason), wanted)


def of_target(name: str, measured: float | None, target: float) -> Check:
    """A measured time against its target, both in minutes."""
    found = "not measured" if measured is None else f"{measured:g} minutes"
    return Check(name, measured is not None and measured <= target, found, f"{target:g} minutes at the most")


def verdict(checks: Iterable[Check], troubles: Iterable[str]) -> Verdict:
    """``passed`` only where every check did and nothing went wrong; ``incomplete`` where one could not be judged."""
    results = [check.passed for check in checks]
    if any(troubles) or False in results or not results:
        return "failed"
    return "incomplete" if None in results else "passed"


def _equal(name: str, found: Any, wanted: str) -> Check:
    return Check(name, found == wanted, str(found), wanted)


def _yes(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, "unknown")
