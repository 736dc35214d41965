"""The table of what cannot be changed in place: complete for what the stacks declare, and spelt as the SDK does."""

import ast
import importlib
from pathlib import Path

from runbook.diff.provider import IMMUTABLE, IMMUTABLE_WHERE
from runbook.preview.sdk import resource_type

ROOT = Path(__file__).parents[3]


def declared() -> set[str]:
    """The tokens of every ``aws.<module>.<Class>(...)`` in the components and the program."""
    found = set()
    for path in (ROOT / "__main__.py", *(ROOT / "components").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="aws"), attr=module), attr=name)
                ):
                    token = getattr(getattr(importlib.import_module(f"pulumi_aws.{module}"), name), "pulumi_type", None)
                    found |= {token} if token else set()
    return found


def test_every_declared_type_has_a_row():
    missing = declared() - IMMUTABLE.keys()
    assert missing == set(), "Add what the provider replaces them for to runbook/diff/provider.py."


def test_every_property_is_an_input_of_its_type():
    rows = [*IMMUTABLE.items(), *((type_, switched) for type_, (_switch, switched) in IMMUTABLE_WHERE.items())]
    odd = {
        (type_, property_)
        for type_, properties in rows
        for property_ in properties
        if property_.partition(".")[0] not in resource_type(type_).inputs
    }
    assert odd == set()
