"""``Pulumi.<stack>.yaml`` read without the CLI: what the CLI would hand to the program, and the line of each value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any

import yaml

from .faults import Path, listed, nearest
from .kinds import PLACEHOLDER
from .problems import Problem, SettingsError

#: What a stack file may hold beside its configuration; all of it is written by the CLI.
FILE_KEYS = ("config", "encryptedkey", "encryptionsalt", "environment", "secretsprovider")

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFile:
    """A stack's configuration before it is judged.

    ``config``: full key (``learning-platform:network``) -> the text the CLI hands to the program; structures are
    compact JSON. ``secret_keys``: the keys that hold a ``secure:`` value, each of which stands as ``[secret]``.
    ``lines``: path -> line from 1, where a path begins with the full key. ``sealed``: paths of the secure values.
    """

    stack: str
    path: FilePath
    project: str
    config: Mapping[str, str]
    secret_keys: frozenset[str]
    lines: Mapping[Path, int]
    sealed: frozenset[Path]

    def line(self, path: Path) -> int | None:
        """The line of the value at ``path``, or of the nearest thing that holds it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def file_name(stack: str) -> str:
    """``Pulumi.<stack>.yaml``; of a stack named with its organisation the last part counts, as with the CLI."""
    return f"Pulumi.{stack.rpartition('/')[2]}.yaml"


def stacks_in(folder: FilePath) -> tuple[str, ...]:
    """The stacks that have a file in ``folder``, in alphabetical order."""
    return tuple(sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in folder.glob("Pulumi.*.yaml")))


def project_name(folder: FilePath) -> str:
    """The ``name`` in ``Pulumi.yaml``. Raises SettingsError where there is none."""
    path = folder / "Pulumi.yaml"
    rule = "The project's name is the namespace of its settings."
    if not path.is_file():
        raise SettingsError(
            [_plain(path, None, f"is not there: {folder} is no project's folder", rule, "Go to the project's folder.")]
        )
    top = _compose(path)
    for key, value in _pairs(top):
        if key.value == "name" and isinstance(value, yaml.ScalarNode) and value.value:
            return str(value.value)
    raise SettingsError([_plain(path, None, "has no name", rule, "Write, for example, name: learning-platform")])


def read_stack_file(stack: str, folder: FilePath) -> StackFile:
    """The configuration of ``stack`` from its file in ``folder``.

    Raises SettingsError with every mistake of form: no such file, no YAML, a key that stands twice, an unknown part.
    """
    file, problems = parse_stack_file(stack, folder, project_name(folder))
    if problems:
        raise SettingsError(problems)
    return file


def parse_stack_file(stack: str, folder: FilePath, project: str) -> tuple[StackFile, tuple[Problem, ...]]:
    """The same with the mistakes beside it, as far as the file can be understood. Raises where it cannot."""
    path = folder / file_name(stack)
    if not path.is_file():
        raise SettingsError([_no_such_stack(path, stack, folder)])
    reader = _Reader(path)
    configuration = reader.configuration(_compose(path))
    file = StackFile(
        stack=stack.rpartition("/")[2],
        path=path,
        project=project,
        config=reader.read(configuration, project),
        secret_keys=frozenset(str(sealed[0]) for sealed in reader.sealed),
        lines=reader.lines,
        sealed=frozenset(reader.sealed),
    )
    return file, tuple(reader.problems)


def _no_such_stack(path: FilePath, stack: str, folder: FilePath) -> Problem:
    known = stacks_in(folder)
    near = nearest(stack, known)
    rule = f"The stacks here are {listed(known, 'and')}." if known else "No stack has a file here."
    way_out = f"Did you mean {near}?" if near else f"Name one of them, or write {path.name}."
    return _plain(path, None, f"is not there, so there is no stack '{stack}'", rule, way_out)


def _plain(path: FilePath, line: int | None, wrong: str, rule: str, way_out: str, key: str = "") -> Problem:
    return Problem(file=path.name, line=line, key=key, value="", wrong=wrong, rule=rule, way_out=way_out)


def _compose(path: FilePath) -> yaml.Node | None:
    """The YAML nodes of a file, None for an empty one. Raises SettingsError with the line where it is no YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        rule = "A stack file is text in UTF-8."
        raise SettingsError([_plain(path, line, "is not UTF-8", rule, "Save the file as UTF-8.")]) from None
    try:
        return _nodes(text)
    except yaml.YAMLError as error:
        raise SettingsError([_not_yaml(path, text, error)]) from None


def _nodes(text: str) -> yaml.Node | None:
    node: yaml.Node | None
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError:
        # The slow parser's messages are the clearer ones, and the same on every machine.
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    return node


def _not_yaml(path: FilePath, text: str, error: yaml.YAMLError) -> Problem:
    mark = (error.problem_mark or error.context_mark) if isinstance(error, yaml.MarkedYAMLError) else None
    reason = (error.problem or error.context) if isinstance(error, yaml.MarkedYAMLError) else None
    line = mark.line + 1 if mark else None
    if line is not None and "\t" in "".join(text.splitlines()[line - 1 : line]):
        return _plain(path, line, "has a tab", "A stack file is YAML.", "Replace the tab with spaces.")
    wrong = f"is not YAML: {reason}" if reason else "is not YAML"
    way_out = "Indent with spaces, end each key with a colon and a space, and close each quote and bracket."
    return _plain(path, line, wrong, "A stack file is YAML.", way_out)


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


@dataclass(slots=True)
class _Reader:
    """Turns nodes into values as the CLI's own YAML library does, and notes lines, secrets and mistakes on the way."""

    path: FilePath
    lines: dict[Path, int] = field(default_factory=dict)
    sealed: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)

    def configuration(self, top: yaml.Node | None) -> yaml.Node | None:
        """The node under ``config``; notes what else there is and should not be.

        Raises SettingsError where that leaves no settings at all: a list of all that is missing would hide the reason.
        """
        if top is not None and not isinstance(top, yaml.MappingNode):
            rule = "A stack file has the key config at its top."
            self._problem(top, "", "is not made of keys", rule, "Write config: and indent the settings below it.")
        found: yaml.Node | None = None
        for key, value in self._distinct(_pairs(top), ""):
            name = str(key.value)
            if name == "config":
                found = value
                self.lines[()] = key.start_mark.line + 1
            elif name not in FILE_KEYS:
                near = nearest(name, FILE_KEYS)
                self._problem(
                    key,
                    name,
                    "is an unknown key",
                    f"The top of a stack file knows {listed(FILE_KEYS, 'and')}.",
                    f"Did you mean {near}?" if near else "Indent it below config, or delete it.",
                )
        if found is not None and not isinstance(found, yaml.MappingNode) and not _is_null(found):
            rule = "Each setting is a key below config."
            self._problem(found, "config", "is not made of keys", rule, "Write, for example, aws:region: us-east-1")
        if self.problems and not isinstance(found, yaml.MappingNode):
            raise SettingsError(self.problems)
        return found

    def read(self, node: yaml.Node | None, project: str) -> dict[str, str]:
        """Full key -> text, for every key below ``config``."""
        config: dict[str, str] = {}
        for key, value in self._distinct(_pairs(node), "config"):
            name = full_key(str(key.value), project)
            if name in config:
                self._twice(key, name, self.lines[(name,)])
                continue
            self.lines[(name,)] = key.start_mark.line + 1
            config[name] = as_cli(None if _is_null(value) else self._value(value, (name,)))
        return config

    def _value(self, node: yaml.Node, path: Path) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.value if _is_text(node) else _resolved(node.value)
        if id(node) in self._open:
            self._problem(node, dotted(path), "contains itself", "A setting has an end.", "Write the value out.")
            return None
        self._open.append(id(node))
        try:
            return self._sequence(node, path) if isinstance(node, yaml.SequenceNode) else self._mapping(node, path)
        finally:
            self._open.pop()

    def _sequence(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        values = []
        for position, item in enumerate(node.value):
            self.lines[(*path, position)] = item.start_mark.line + 1
            values.append(self._value(item, (*path, position)))
        return values

    def _mapping(self, node: yaml.Node, path: Path) -> Any:
        pairs = self._distinct(_pairs(node), dotted(path))
        if len(pairs) == 1 and pairs[0][0].value == "secure" and _is_text(pairs[0][1]):
            self.sealed.append(path)
            return PLACEHOLDER
        values = {}
        for key, value in pairs:
            here = (*path, str(key.value))
            self.lines[here] = key.start_mark.line + 1
            values[str(key.value)] = self._value(value, here)
        return values

    def _distinct(self, pairs: Iterable[tuple[yaml.Node, yaml.Node]], where: str) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs whose key is text and stands once; the first of equal ones counts."""
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in pairs:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if not isinstance(key, yaml.ScalarNode) or not isinstance(_resolved(name) if not key.style else name, str):
                self._problem(key, where, "has a key that is not text", "Keys are text.", "Write the key in quotes.")
            elif name == "<<":
                rule = "Settings are written out: whoever reads them sees each value."
                self._problem(key, where, "merges keys with <<", rule, "Write the keys out.")
            elif name in found:
                self._twice(key, f"{where}.{name}" if where else name, found[name][0].start_mark.line + 1)
            else:
                found[name] = (key, value)
        return list(found.values())

    def _twice(self, node: yaml.Node, key: str, first: int) -> None:
        rule = "A key stands once; the CLI refuses the file otherwise."
        self._problem(node, key, f"stands twice, first in line {first}", rule, "Delete one of the two.")

    def _problem(self, node: yaml.Node, key: str, wrong: str, rule: str, way_out: str) -> None:
        self.problems.append(_plain(self.path, node.start_mark.line + 1, wrong, rule, way_out, key))


def full_key(key: str, project: str) -> str:
    """The key with its namespace: a bare one belongs to the project; ``project:config:key`` is an old form."""
    namespace, _, name = key.replace(":config:", ":", 1).rpartition(":")
    return f"{namespace or project}:{name}"


def dotted(path: Path) -> str:
    """``("learning-platform:network", "zones", 1)`` -> ``learning-platform:network.zones[1]``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _is_text(node: yaml.Node) -> bool:
    """A scalar that is text whatever stands in it: quoted, a block, or plain and nothing else."""
    return isinstance(node, yaml.ScalarNode) and (bool(node.style) or isinstance(_resolved(node.value), str))


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and _resolved(node.value) is None


_INTEGER = re.compile("[-+]?(0b[01]+|0o?[0-7]+|0x[0-9a-fA-F]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def _resolved(plain: str) -> str | int | float | bool | None:
    """What a plain scalar means to the CLI, whose YAML knows no ``yes`` and ``on`` but does know octal numbers."""
    if plain in ("", "~", "null", "Null", "NULL"):
        return None
    if plain.lower() in ("true", "false") and plain in (plain.lower(), plain.upper(), plain.capitalize()):
        return plain.lower() == "true"
    digits = plain.replace("_", "")
    if _INTEGER.fullmatch(digits):
        bare = digits.lstrip("+-")
        octal = len(bare) > 1 and bare[0] == "0" and bare[1].isdigit()
        return int(digits, 8 if octal else 0)
    if _FLOAT.fullmatch(digits):
        return float(digits)
    return plain


def as_cli(value: Any) -> str:
    """A value as the text that the CLI puts into the program's configuration."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        for character in "<>&\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _number(value: float) -> str:
    if value and not 1e-6 <= abs(value) < 1e21:
        mantissa, exponent = repr(value).split("e")
        return f"{mantissa}e{int(exponent):+d}"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
