"""The import table of the README, held by parsing imports, and a few rules of the house."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("settings", "components", "functions", "policies", "runbook")

#: how the command speaks to a person
SHOWING = ("runbook.console", "runbook.errors", "runbook.words")

#: room -> what of this project it may import. The longest matching room counts.
MAY_IMPORT = {
    "__main__": ("settings", "components"),
    "settings": ("settings", "functions.common.calendar"),
    "components": (
        "settings.backups",
        "settings.changes",
        "settings.costs",
        "settings.escalation",
        "settings.instance_classes",
        "settings.model",
        "settings.maintenance",
        "settings.naming",
        "settings.patching",
        "settings.prometheus",
        "settings.records",
        "settings.severity",
        "settings.thresholds",
        "settings.times",
        # what a function is told: the component fills it, the handler reads it
        "functions.acknowledge.env",
        "functions.escalate.env",
        "functions.notify.env",
        "functions.common.calendar",
        "functions.common.plain",
        "functions.schedule.env",
        "functions.validate_restore.env",
        "components._base",
        "components._bucket",
        "components._dead_letters",
        "components._keys",
        "components._told",
        "components.iam",
    ),
    "functions": ("functions.common",),
    "policies": ("policies",),
    "runbook": ("settings", "policies.rulebook", "runbook", "functions.common.calendar"),
    "runbook.preview": ("runbook.preview", *SHOWING, "settings.load"),
    "runbook.audit": ("runbook.audit", "runbook.preview", *SHOWING, "policies.rulebook"),
    "runbook.evidence": ("runbook.evidence", "runbook.operations", *SHOWING),
    "runbook.operations": ("runbook.operations", *SHOWING, "settings.model", "settings.naming"),
}

#: room -> packages that must not be loaded by it.
MAY_NOT_LOAD = {
    "functions": ("pulumi", "pulumi_aws", "pydantic", "yaml"),
    "policies": ("pydantic", "boto3"),
    "runbook.evidence": ("pulumi", "pulumi_aws"),
    "runbook.operations": ("pulumi", "pulumi_aws"),
    "components": ("pydantic", "boto3", "yaml"),
}


def sources() -> Iterator[tuple[str, Path]]:
    yield "__main__", ROOT / "__main__.py"
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(module: str, path: Path) -> Iterator[str]:
    """Every module that ``path`` imports, relative ones made absolute, with the names imported from packages."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def room_of(module: str, table: dict) -> str | None:
    fitting = [room for room in table if module == room or module.startswith(f"{room}.")]
    return max(fitting, key=len, default=None)


def within(target: str, room: str) -> bool:
    return target == room or target.startswith(f"{room}.")


MODULES = [pytest.param(module, path, id=module) for module, path in sources()]


@pytest.mark.parametrize(("module", "path"), MODULES)
def test_a_room_imports_only_what_the_table_allows(module, path):
    room = room_of(module, MAY_IMPORT)
    assert room is not None, f"{module} is in no room of the table"
    own = ".".join(module.split(".")[:2])  # a component's own folder
    allowed = (*MAY_IMPORT[room], *([own] if room in ("components", "functions") else []))
    of_project = [target for target in imports(module, path) if target.split(".")[0] in ROOMS]
    assert [target for target in of_project if not any(within(target, may) for may in allowed)] == []


@pytest.mark.parametrize(("module", "path"), MODULES)
def test_a_room_does_not_load_what_it_must_do_without(module, path):
    room = room_of(module, MAY_NOT_LOAD)
    forbidden = MAY_NOT_LOAD.get(room or "", ())
    assert [t for t in imports(module, path) if any(within(t, package) for package in forbidden)] == []


def test_only_the_loader_reads_the_configuration():
    readers = [
        module
        for module, path in sources()
        if "pulumi.Config(" in path.read_text(encoding="utf-8") or "pulumi import Config" in path.read_text()
    ]
    assert readers == ["settings.load"]


def test_the_program_makes_no_invoke():
    calls = [
        (module, node.lineno)
        for module, path in sources()
        if module == "__main__" or module.startswith("components")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("get_")
        and ast.unparse(node.value).startswith("aws")
    ]
    assert calls == []


def test_children_take_their_options_from_the_component_alone():
    """``opts=`` of a resource inside a component is ``self.child(...)`` or ``owner.child(...)``."""
    wrong = []
    for module, path in sources():
        if not module.startswith("components.") or module == "components._base":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called.startswith("aws.") and not called.endswith("Args"):
                given = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg == "opts"]
                if len(given) != 1 or ".child(" not in given[0]:
                    wrong.append((module, node.lineno))
    assert wrong == []
