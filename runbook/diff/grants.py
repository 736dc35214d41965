"""What is allowed now and was not: by policies, attachments and permissions (``002_… IAM role assignments``)."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .nodes import Node
from .values import Symbols, opened

_MOST_NAMED = 5

#: type -> properties that grant something by being there.
_GRANTING = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("role", "policyArn"),
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": ("user", "policyArn"),
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": ("group", "policyArn"),
    "aws:iam/policyAttachment:PolicyAttachment": ("roles", "users", "groups", "policyArn"),
    "aws:lambda/permission:Permission": ("action", "principal", "sourceAccount", "sourceArn", "principalOrgId"),
    "aws:kms/grant:Grant": ("granteePrincipal", "keyId", "operations"),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """One principal, one action, one resource, under one condition (JSON, or empty).

    A leading ``!`` stands for "all but": ``NotAction``, ``NotResource``, ``NotPrincipal``.
    """

    principal: str
    action: str
    resource: str
    condition: str

    def covers(self, other: Grant) -> bool:
        """Whether whoever has this one has the other as well."""
        return (
            self.condition in ("", other.condition)
            and (self.principal in ("*", other.principal))
            and _fits(self.action.lower(), other.action.lower())
            and _fits(self.resource, other.resource)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """The grants and denials of one document."""

    allowed: frozenset[Grant]
    denied: frozenset[Grant]


_NOTHING = Policy(frozenset(), frozenset())


def widened(old: Node | None, new: Node, base: Symbols, head: Symbols) -> Iterator[tuple[str, str]]:
    """(property, sentence) for everything that ``new`` allows and ``old`` did not; the sentence holds symbols."""
    before = _policies(base.read(dict(old.inputs))) if old else {}
    after = _policies(head.read(dict(new.inputs)))
    for path, policy in after.items():
        was = before.get(path, _NOTHING)
        come = {grant for grant in policy.allowed if not any(each.covers(grant) for each in was.allowed)}
        yield from ((path, sentence) for sentence in _sentences("allows", come))
        if old:
            gone = {grant for grant in was.denied if not any(each.covers(grant) for each in policy.denied)}
            yield from ((path, sentence) for sentence in _sentences("no longer denies", gone))
    for path in before.keys() - after.keys():
        yield from ((path, sentence) for sentence in _sentences("no longer denies", before[path].denied))
    yield from _attached(old, new, base, head)


def _policies(inputs: Mapping[str, Any]) -> dict[str, Policy]:
    """Every policy document among the inputs, by the path of its property."""
    found: dict[str, Policy] = {}

    def look(value: Any, path: str) -> None:
        document = opened(value) if isinstance(value, str) else None
        if isinstance(document, dict) and "Statement" in document:
            found[path] = _policy(document["Statement"])
        elif isinstance(value, dict):
            for key, item in value.items():
                look(item, f"{path}.{key}" if path else key)
        elif isinstance(value, list):
            for item in value:
                name = item.get("name", "") if isinstance(item, dict) else ""
                look(item, f"{path}[{name}]")

    look(inputs, "")
    return found


def _policy(statements: Any) -> Policy:
    allowed: set[Grant] = set()
    denied: set[Grant] = set()
    for statement in statements if isinstance(statements, list) else [statements]:
        if isinstance(statement, dict):
            (denied if statement.get("Effect") == "Deny" else allowed).update(_grants(statement))
    return Policy(frozenset(allowed), frozenset(denied))


def _grants(statement: Mapping[str, Any]) -> Iterator[Grant]:
    condition = json.dumps(statement["Condition"], sort_keys=True) if statement.get("Condition") else ""
    for principal, action, resource in itertools.product(
        _either(statement, "Principal"), _either(statement, "Action"), _either(statement, "Resource")
    ):
        yield Grant(principal, action, resource, condition)


def _either(statement: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The values of ``key``, or those of ``NotKey`` together; an empty one where the document has neither."""
    if key in statement:
        return tuple(_texts(statement[key]))
    if f"Not{key}" in statement:
        return ("!" + ", ".join(_texts(statement[f"Not{key}"])),)
    return ("",)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        texts = [text if text == "*" else f"{kind} {text}" for kind in value for text in _texts(value[kind])]
        return sorted("*" if text == "AWS *" else text for text in texts)
    return sorted(str(item) for item in value) if isinstance(value, list) else [str(value)]


def _fits(pattern: str, text: str) -> bool:
    """Whether everything that ``text`` names is named by ``pattern``; "all but" is compared as a whole."""
    if pattern == text or pattern == "*":
        return True
    if "!" in (pattern[:1], text[:1]) or not pattern:
        return False
    return _pattern(pattern).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "[^*]"}
    return re.compile("".join(parts.get(sign, re.escape(sign)) for sign in text), re.DOTALL)


def _sentences(verb: str, grants: Iterable[Grant]) -> Iterator[str]:
    """One for each principal, condition and set of resources, so that it does not say more than is granted."""
    actions: dict[tuple[str, str, str], set[str]] = {}
    for grant in grants:
        actions.setdefault((grant.principal, grant.condition, grant.resource), set()).add(grant.action)
    resources: dict[tuple[str, str, frozenset[str]], set[str]] = {}
    for (principal, condition, resource), names in actions.items():
        resources.setdefault((principal, condition, frozenset(names)), set()).add(resource)
    for (principal, condition, all_names), places in sorted(
        resources.items(), key=lambda item: (item[0][0], item[0][1], sorted(item[0][2]))
    ):
        where = f" on {_listed(places)}" if places != {""} else ""
        whom = f" to {_listed([principal])}" if principal else ""
        when = f" where {condition}" if condition else ""
        yield f"{verb} {_listed(all_names)}{where}{whom}{when}"


def _listed(texts: Iterable[str]) -> str:
    told = sorted(f"all but {text[1:]}" if text.startswith("!") else text for text in texts)
    more = len(told) - _MOST_NAMED
    return ", ".join(told[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _attached(old: Node | None, new: Node, base: Symbols, head: Symbols) -> Iterator[tuple[str, str]]:
    properties = _GRANTING.get(new.type, ())
    before = [base.read(old.inputs.get(name)) for name in properties] if old else []
    after = [head.read(new.inputs.get(name)) for name in properties]
    if properties and before != after:
        told = [(name, value) for name, value in zip(properties, after, strict=True) if value]
        yield properties[-1], "; ".join(f"{name} {_listed(_texts(value))}" for name, value in told)
