"""Policy documents as statements: what they allow, to whom, and under which conditions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .resource import is_list

#: Condition keys that tie a request to an account, an organisation or a resource of it.
_SCOPING_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "kms:calleraccount",
    }
)
#: Operators that refuse a request which lacks the key. ``…IfExists`` and ``ForAllValues:`` let it pass.
_DEMANDING = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"})


class DocumentError(ValueError):
    """The text is no policy document; the message says why, without quoting it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``operator`` and ``key`` in lower case, because AWS reads them in any."""

    operator: str
    key: str
    values: tuple[str, ...]


#: The conditions, each alone, that hold for requests without TLS and no others.
_PLAIN = tuple((Condition(operator, "aws:securetransport", ("false",)),) for operator in ("bool", "boolifexists"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. ``principals``: pairs of kind (``AWS``, ``Service``, …; ``*`` for a bare star) and value.

    ``everyone_but`` is True for ``NotPrincipal``; ``not_actions`` and ``not_resources`` are the inverted lists.
    """

    allows: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[tuple[str, str], ...]
    everyone_but: bool
    conditions: tuple[Condition, ...]

    def speaks_of(self, action: str) -> bool:
        """Whether the statement is about ``action`` (``service:Name``, no wildcard)."""
        if self.not_actions:
            return not any(matches(pattern, action, ignore_case=True) for pattern in self.not_actions)
        return any(matches(pattern, action, ignore_case=True) for pattern in self.actions)

    def reaches(self, arn: str) -> bool:
        """Whether the statement is about ``arn``."""
        if self.not_resources:
            return not any(matches(pattern, arn) for pattern in self.not_resources)
        return any(matches(pattern, arn) for pattern in self.resources)

    @property
    def is_for_anyone(self) -> bool:
        """Whether a stranger is among the principals, whatever the conditions say."""
        return self.everyone_but or any("*" in value for kind, value in self.principals if kind in ("*", "AWS"))

    @property
    def is_scoped(self) -> bool:
        """Whether a condition ties every request to an account, an organisation or a source."""
        return any(is_scoping(condition) for condition in self.conditions)

    def services(self) -> tuple[str, ...]:
        return tuple(value for kind, value in self.principals if kind == "Service")


def refuses_plain_transport(statement: Statement, action: str) -> bool:
    """Whether the statement denies ``action`` (``s3:*`` for all of a service) to everybody without TLS, whatever else.

    A second condition would let some through. What resources it reaches is not judged here.
    """
    return (
        not statement.allows
        and any(kind in ("*", "AWS") and value == "*" for kind, value in statement.principals)
        and not statement.everyone_but
        and any(matches(pattern, action, ignore_case=True) for pattern in statement.actions)
        and statement.conditions in _PLAIN
    )


def is_scoping(condition: Condition) -> bool:
    """Whether a request without the key, or with a stranger's value, is refused."""
    operator = condition.operator.removeprefix("foranyvalue:")
    return (
        operator in _DEMANDING
        and condition.key in _SCOPING_KEYS
        and bool(condition.values)
        and not any(is_everything(value) for value in condition.values)
    )


def is_everything(resource: str) -> bool:
    """Whether a resource pattern stands for all resources: ``*``, or an ARN that names nothing but its service."""
    if not resource.strip("*?"):
        return True
    parts = resource.split(":", 5)
    return len(parts) == 6 and parts[0] == "arn" and not any(part.strip("*?") for part in parts[3:])


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether ``pattern`` with the wildcards ``*`` (any text) and ``?`` (one character) stands for ``value``."""
    if ignore_case:
        pattern, value = pattern.lower(), value.lower()
    head, *rest = pattern.split("*")
    if not rest:
        return len(head) == len(value) and _fits(head, value, 0)
    *middle, tail = rest
    end = len(value) - len(tail)
    if len(head) > end or not _fits(head, value, 0) or not _fits(tail, value, end):
        return False
    # The first place of each part is the best: it leaves most for the rest. No pattern takes more than a few passes.
    at = len(head)
    for part in middle:
        found = next((start for start in range(at, end - len(part) + 1) if _fits(part, value, start)), None)
        if found is None:
            return False
        at = found + len(part)
    return True


def _fits(part: str, value: str, at: int) -> bool:
    """Whether ``part``, in which ``?`` is any character, stands in ``value`` at ``at``."""
    return all(sign in ("?", there) for sign, there in zip(part, value[at : at + len(part)], strict=True))


def read(document: Any) -> tuple[Statement, ...]:
    """The statements of a document given as JSON text or as a mapping.

    Raises DocumentError where it is neither, or lacks what a document must have.
    """
    if isinstance(document, str):
        return _parsed(document)
    if isinstance(document, Mapping):
        return tuple(_statements(document))
    raise DocumentError("it is neither JSON text nor an object")


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[Statement, ...]:
    try:
        body = json.loads(text)
    except ValueError:
        raise DocumentError("it is no JSON") from None
    if not isinstance(body, dict):
        raise DocumentError("it is no JSON object")
    return tuple(_statements(body))


def _statements(body: Mapping[str, Any]) -> Iterator[Statement]:
    found: Any = body.get("Statement")
    statements: Sequence[Any] = found if is_list(found) else (found,)
    for statement in statements:
        if not isinstance(statement, Mapping):
            raise DocumentError("it has no statement")
        yield _statement(statement)


def _statement(body: Mapping[str, Any]) -> Statement:
    effect = body.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise DocumentError("a statement neither allows nor denies")
    principal = body.get("Principal")
    if principal is None:
        principal = body.get("NotPrincipal")
    return Statement(
        allows=effect == "Allow",
        actions=_texts(body.get("Action")),
        not_actions=_texts(body.get("NotAction")),
        resources=_texts(body.get("Resource")),
        not_resources=_texts(body.get("NotResource")),
        principals=tuple(_principals(principal)),
        everyone_but=body.get("NotPrincipal") is not None,
        conditions=tuple(_conditions(body.get("Condition"))),
    )


def _principals(principal: Any) -> Iterator[tuple[str, str]]:
    if isinstance(principal, Mapping):
        for kind, values in principal.items():
            yield from ((kind, value) for value in _texts(values))
    else:
        yield from (("*", value) for value in _texts(principal))


def _conditions(condition: Any) -> Iterator[Condition]:
    if condition is None:
        return
    if not isinstance(condition, Mapping):
        raise DocumentError("a condition is no object")
    for operator, terms in condition.items():
        if not isinstance(terms, Mapping):
            raise DocumentError("a condition is no object")
        for key, values in terms.items():
            yield Condition(operator.lower(), key.lower(), _texts(values))


def _texts(value: Any) -> tuple[str, ...]:
    """A text or a list of texts; booleans and numbers, as conditions may hold them, in JSON's spelling."""
    if value is None:
        return ()
    values = value if is_list(value) else (value,)
    texts = []
    for item in values:
        if isinstance(item, bool):
            texts.append(str(item).lower())
        elif isinstance(item, (str, int, float)):
            texts.append(str(item))
        else:
            raise DocumentError("a list holds something that is no text")
    return tuple(texts)
