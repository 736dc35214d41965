"""The Pulumi CLI's policy configuration, offline: the file that ``--policy-pack-config`` names, read and applied.

The CLI overlooks what it does not know, a misspelt rule above all; here that is a mistake.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from policies.rulebook import waiver_rules
from policies.rulebook.remedies import REMEDIES, Change, Remedy, made
from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, ResourceRule, Rule

from ..errors import UserError
from ..preview.graph import Graph, Resource
from .evaluate import seen

#: What the CLI takes as a level -> what it means for a rule. What a remedy leaves is refused.
_LEVELS = {
    "advisory": Level.ADVISORY,
    "mandatory": Level.MANDATORY,
    "remediate": Level.MANDATORY,
    "disabled": None,
}

#: Stands for every policy; one that is named as well goes by its own entry.
_ALL = "all"
_LEVEL = "enforcementLevel"


@dataclass(frozen=True, slots=True)
class Configuration:
    """``levels`` and ``options`` by the name of the policy; both are empty where no file is given."""

    levels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def level(self, policy: str) -> str | None:
        """The level that is set for a policy; None leaves it as it is."""
        return self.levels.get(policy, self.levels.get(_ALL))

    def rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """The rules that are left, each at its level."""
        told = waiver_rules.waived(rules)
        # The audit shows what is waived beside the rest; only where that shall refuse does it take the rule.
        extra = [told] if _LEVELS[self.level(told.id) or "advisory"] is Level.MANDATORY else []
        levels = ((rule, self.level(rule.id)) for rule in (*rules, *extra))
        return tuple(
            replace(rule, level=set_to) if level and (set_to := _LEVELS[level]) else rule
            for rule, level in levels
            if level != "disabled"
        )

    def disabled(self, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        """The rules that are switched off."""
        return tuple(rule for rule in rules if self.level(rule.id) == "disabled")

    def mended(self, captured: Graph, context: Context, remedies: Iterable[Remedy] = REMEDIES) -> Graph:
        """The graph as the CLI registers it: what its remedies fill in is there."""
        wanted = [remedy for remedy in remedies if self.level(_policy(remedy)) == "remediate"]
        if not wanted:
            return captured
        return replace(captured, resources=tuple(self._mend(one, wanted, context) for one in captured.resources))

    def _mend(self, resource: Resource, remedies: Iterable[Remedy], context: Context) -> Resource:
        for remedy in remedies:
            waivers, rule = context.waivers, remedy.rule.id
            if resource.type not in remedy.types or waivers.covering(
                rule, resource, context.environment, context.today
            ):
                continue
            inputs, outputs = copy.deepcopy(dict(resource.inputs)), copy.deepcopy(dict(resource.outputs))
            for change in self._changes(remedy, resource):
                made([change], inputs)
                made([change], outputs)
            resource = replace(resource, inputs=inputs, outputs=outputs)
        return resource

    def _changes(self, remedy: Remedy, resource: Resource) -> tuple[Change, ...]:
        """As in the pack, a remedy that fails or meets an unknown value changes nothing."""
        defaults = {name: schema["default"] for name, schema in remedy.options.items() if "default" in schema}
        options = {**defaults, **self.options.get(_policy(remedy), {})}
        try:
            return tuple(remedy.changes(seen(resource, resource.inputs), options))
        except UnknownValueError:
            return ()
        except Exception:  # noqa: BLE001 - the rule still tells what is wrong
            return ()


def read(path: Path, rules: Sequence[Rule], remedies: Iterable[Remedy] = REMEDIES) -> Configuration:
    """The configuration of a file in the CLI's format. Raises UserError with every mistake in it.

    An empty file configures nothing, as for the CLI.
    """
    try:
        text = path.read_text(encoding="utf-8")
        entries = json.loads(text) if text.strip() else {}
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as JSON: {error}.",
            'It is the file of the Pulumi CLI, such as {"net-sg-described": "disabled"}.',
        ) from None
    if not isinstance(entries, Mapping):
        raise UserError(f'{path} holds no object such as {{"net-sg-described": "disabled"}}.')
    remedies = tuple(remedies)
    options: dict[str, Mapping[str, Any]] = {rule.id: {} for rule in (*rules, waiver_rules.waived(rules))} | {
        _policy(remedy): remedy.options for remedy in remedies
    }
    mistakes: list[str] = []
    levels: dict[str, str] = {}
    settings: dict[str, Mapping[str, Any]] = {}
    for policy, entry in entries.items():
        told = {_LEVEL: entry} if isinstance(entry, str) else entry
        if not isinstance(told, Mapping):
            mistakes.append(f"{policy}: a level or an object is expected, {_kind(entry)} stands there.")
            continue
        mistakes += (f"{policy}: {said}" for said in _mistakes(policy, told, options))
        settings[policy] = {name: value for name, value in told.items() if name != _LEVEL}
        if _LEVEL in told:
            levels[policy] = told[_LEVEL]
    if mistakes:
        raise UserError(*(f"{path}: {mistake}" for mistake in mistakes))
    return Configuration(levels, settings)


def _mistakes(
    policy: str, told: Mapping[str, Any], options: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> Iterator[str]:
    if policy not in (*options, _ALL):
        yield f"there is no such policy{_meant(policy, options)}"
        return
    for name, value in told.items():
        if name == _LEVEL:
            if not isinstance(value, str) or value not in _LEVELS:
                shown = repr(value) if isinstance(value, str) else _kind(value)
                yield f"{shown} is no level; {', '.join(_LEVELS)} are."
        elif name not in options.get(policy, {}):
            known = options.get(policy, {})
            yield f"there is no setting {name!r}{_meant(name, (_LEVEL, *known))}"
        else:
            takes = options[policy][name].get("enum", (value,))
            if isinstance(value, bool) or value not in takes:
                yield f"{name}: {json.dumps(value)} is none of {', '.join(map(str, takes))}."


def _policy(remedy: Remedy) -> str:
    return remedy.rule.id if isinstance(remedy.rule, ResourceRule) else remedy.name


def _meant(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")
