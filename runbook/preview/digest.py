"""The preview as a document: what ``pulumi preview --json`` prints, so that tools that read the one read the other.

Two things differ, because nothing is asked of AWS: a ``newState`` has an ``id`` and complete ``outputs``. Its booleans,
lists and maps are there even when empty, which to a reader of the engine's own form is the same. Keys are sorted, and
everything but ``duration`` is the same on every run.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..words import is_default_provider
from .graph import STACK_TYPE, Diagnostic, Graph, Resource, SourcePosition

#: Options that the engine keeps in a resource's state under the same name and in the same form.
_KEPT_OPTIONS = (
    "additionalSecretOutputs",
    "deletedWith",
    "hideDiff",
    "ignoreChanges",
    "importID",
    "replaceOnChanges",
    "replaceWith",
    "retainOnDelete",
)

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"([0-9]*\.?[0-9]+)(ns|us|µs|ms|s|m|h)")


def text(graph: Graph) -> str:
    """The document as printed: indented by four, as the CLI does, with a newline at the end."""
    return json.dumps(digest(graph), indent=4, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def digest(graph: Graph) -> dict[str, Any]:
    """The document as data; ``duration`` is in nanoseconds.

    As in the engine's, default providers are no steps and the rules' findings are not in it.
    """
    steps = [_step(resource) for resource in graph.resources if not is_default_provider(resource.type, resource.name)]
    return {
        "changeSummary": {"create": len(steps)},
        "config": dict(graph.config),
        "diagnostics": [_diagnostic(diagnostic) for diagnostic in graph.diagnostics],
        "duration": round(graph.seconds * 1e9),
        "steps": steps,
    }


def _step(resource: Resource) -> dict[str, Any]:
    step: dict[str, Any] = {
        "op": "create",
        "urn": resource.urn,
        "newState": _state(resource),
        "detailedDiff": None,
    }
    if resource.provider:
        step["provider"] = resource.provider
    return step


def _state(resource: Resource) -> dict[str, Any]:
    state: dict[str, Any] = {
        "urn": resource.urn,
        "custom": resource.custom,
        "type": resource.type,
        "inputs": resource.inputs,
        "outputs": resource.outputs,
        "protect": resource.protect,
        "dependencies": list(resource.dependencies),
        "propertyDependencies": {key: list(urns) for key, urns in resource.property_dependencies.items()},
    }
    told = {
        "id": resource.id,
        "parent": resource.parent,
        "provider": resource.provider,
        "sourcePosition": _position(resource.source),
        "aliases": [_alias(alias, resource) for alias in resource.options.get("aliases", ())],
        "customTimeouts": {
            action: _seconds(duration) for action, duration in resource.options.get("customTimeouts", {}).items()
        },
        **{option: resource.options.get(option) for option in _KEPT_OPTIONS},
    }
    return state | {key: value for key, value in told.items() if value}


def _position(source: SourcePosition | None) -> str | None:
    """``project:///folder/file.py#line``; a file outside the project keeps its own address."""
    if source is None:
        return None
    scheme, path = ("file://", source.file) if source.file.startswith("/") else ("project:///", source.file)
    return f"{scheme}{quote(path)}#{source.line}"


def _alias(alias: str | Mapping[str, Any], resource: Resource) -> str:
    """The URN that an alias stands for; what it leaves out is as it is now."""
    if isinstance(alias, str):
        return alias
    stack, project, _types, _name = resource.urn.removeprefix("urn:pulumi:").split("::", 3)
    parent = None if alias.get("noParent") else alias.get("parentUrn") or resource.parent
    chain = parent.split("::")[2] if parent else STACK_TYPE
    type_ = alias.get("type", resource.type)
    qualified = type_ if chain == STACK_TYPE else f"{chain}${type_}"
    return (
        f"urn:pulumi:{alias.get('stack', stack)}::{alias.get('project', project)}"
        f"::{qualified}::{alias.get('name', resource.name)}"
    )


def _seconds(duration: str) -> float:
    """``1h30m`` as seconds, whole where they are."""
    seconds = math.fsum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(duration))
    return int(seconds) if seconds.is_integer() else seconds


def _diagnostic(diagnostic: Diagnostic) -> dict[str, str]:
    said = {"message": diagnostic.message, "severity": diagnostic.severity}
    return said | ({"urn": diagnostic.urn} if diagnostic.urn else {})
