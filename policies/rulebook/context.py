"""The facts of a stack that rules compare with, read from its configuration.

The pack reads what the CLI hands to it and the audit reads the stack's file, both through here, so that both judge by
the same facts. A missing fact makes the rules stricter: without an environment everything is judged as prod.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from . import waivers
from .resource import Context

#: The environments in which rules may be softer than in prod; every other name counts as prod.
_SOFT = ("dev", "staging")

#: The ranges that a stack lays claim to, by their names in ``network``.
_RANGES = ("cidr", "recovery_cidr")


class ContextError(Exception):
    """A stack's configuration that cannot be read, in one sentence."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """One stack's configuration: full key -> text, structures as JSON."""

    stack: str
    project: str
    config: Mapping[str, str]

    def structure(self, key: str) -> Mapping[str, Any]:
        """The mapping under a key of the project; empty where it is not set."""
        text = self.config.get(f"{self.project}:{key}")
        if not text:
            return {}
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, Mapping):
            raise ContextError(f"Stack {self.stack}: {key} is no group of settings; write its keys below it.")
        return value

    def range(self, key: str, value: Any) -> IPv4Network:
        try:
            return IPv4Network(value)
        except ValueError:
            shown = f"{value!r}" if isinstance(value, str) else "what stands there"
            raise ContextError(f"Stack {self.stack}: {key}: {shown} is no IPv4 range such as 10.0.0.0/16.") from None

    def claims(self, *names: str) -> Iterator[tuple[str, IPv4Network]]:
        network = self.structure("network")
        for name in names:
            if network.get(name) is not None:
                yield f"{self.stack} network.{name}", self.range(f"network.{name}", network[name])


def load_context(
    stack: str,
    config: Mapping[str, str],
    siblings: Mapping[str, Mapping[str, str]] | None = None,
    *,
    project: str = "learning-platform",
) -> Context:
    """The context of ``stack`` from its configuration and that of the project's other stacks.

    ``config``: full key (``learning-platform:network``, ``aws:region``) -> text, structures as JSON.
    Raises ContextError for a range that is none.
    """
    own = _Facts(stack, project, config)
    others = [_Facts(name, project, texts) for name, texts in sorted((siblings or {}).items()) if name != stack]
    environment = config.get(f"{project}:environment", "prod")
    regions = (config.get("aws:region"), config.get(f"{project}:recovery_region"))
    admins = own.structure("access").get("admin_cidrs") or ()
    return Context(
        environment=environment if environment in _SOFT else "prod",
        admin_cidrs=tuple(own.range("access.admin_cidrs", value) for value in admins),
        regions=tuple(region for region in regions if region),
        reserved_cidrs=dict(
            [*own.claims("recovery_cidr"), *(claim for other in others for claim in other.claims(*_RANGES))]
        ),
        staging_install_window=next(
            (
                other.structure("patching").get("install_window")
                for other in others
                if other.config.get(f"{project}:environment") == "staging"
            ),
            None,
        ),
    )


def of_project(folder: Path, stack: str, today: date | None = None) -> Context:
    """The context of ``stack`` from the files of its project, without the CLI; ``today`` is that of UTC by default.

    Raises ContextError where the project or the stack's file is missing or is no YAML.
    """
    name = stack.rpartition("/")[2]
    project = _project(folder)
    siblings = _stacks(folder, project)
    if name not in siblings:
        raise ContextError(f"Stack {name} has no Pulumi.{name}.yaml in {folder}.")
    context = load_context(name, siblings[name], siblings, project=project)
    return _with_waivers(context, folder / "policies", today)


def of_process(pack: Path, environ: Mapping[str, str]) -> Context:
    """The context in which the CLI runs the pack in folder ``pack``: what it hands over, and the other stacks' files.

    The project is the folder above the pack, or the current one where the pack lies somewhere else. Without a stack,
    as when the CLI asks for the list of rules, the strictest context holds.
    """
    folder = pack.parent if (pack.parent / "Pulumi.yaml").is_file() else Path.cwd()
    is_project = (folder / "Pulumi.yaml").is_file()
    name = environ.get("PULUMI_STACK", "").rpartition("/")[2]
    project = environ.get("PULUMI_PROJECT") or (_project(folder) if is_project else "learning-platform")
    siblings = _stacks(folder, project) if is_project else {}
    handed_over = environ.get("PULUMI_CONFIG")
    config = json.loads(handed_over) if handed_over else siblings.get(name, {})
    return _with_waivers(load_context(name, config, siblings if name else {}, project=project), pack, None)


def _with_waivers(context: Context, pack: Path, today: date | None) -> Context:
    """The context with what the pack's file waives; both callers read the same one."""
    return replace(context, waivers=waivers.read(pack / waivers.FILE), today=today or datetime.now(UTC).date())


def _project(folder: Path) -> str:
    top = _read(folder / "Pulumi.yaml")
    name = top.get("name")
    if not isinstance(name, str):
        raise ContextError(f"{folder / 'Pulumi.yaml'} has no name.")
    return name


def _stacks(folder: Path, project: str) -> dict[str, dict[str, str]]:
    """Stack -> its configuration, for each ``Pulumi.<stack>.yaml``."""
    return {
        path.name[len("Pulumi.") : -len(".yaml")]: dict(_texts(_read(path).get("config"), project))
        for path in sorted(folder.glob("Pulumi.*.yaml"))
    }


def _texts(config: Any, project: str) -> Iterator[tuple[str, str]]:
    """A file's configuration as the CLI hands it over; encrypted values are left out."""
    for key, value in config.items() if isinstance(config, Mapping) else ():
        if isinstance(value, Mapping) and set(value) == {"secure"}:
            continue
        full = key if ":" in str(key) else f"{project}:{key}"
        yield full, value if isinstance(value, str) else json.dumps(value)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        top = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ContextError(f"{path} is not there, so {path.parent} is no project's folder.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ContextError(f"{path} is not YAML.") from None
    return top if isinstance(top, Mapping) else {}
