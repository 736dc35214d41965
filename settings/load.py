"""From a stack's configuration to its settings: the only reader of ``pulumi.Config``, and the same without the CLI.

A real run and an offline check judge the same texts by the same rules, and both name every mistake at once, with its
file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from .faults import MISSING, Fault, Path, listed, nearest, without_echoes
from .judge import ELSEWHERE, field_at, is_section, judge, judged
from .kinds import ACCOUNT_ID, PLACEHOLDER, Sealed
from .model import Settings
from .problems import Problem, SettingsError, shown
from .schema import AWS_KEYS, AWS_SECRET_KEYS, schema
from .stackfile import (
    StackFile,
    dotted,
    file_name,
    parse_stack_file,
    project_name,
    read_stack_file,
    stacks_in,
)

if TYPE_CHECKING:
    from pulumi import Output

__all__ = [
    "PLACEHOLDER",
    "Problem",
    "SettingsError",
    "StackFile",
    "check",
    "guarded",
    "load",
    "project_name",
    "ranges_of_other_stacks",
    "read_stack_file",
    "schema",
]

_ACCOUNTS_KEY = "aws:allowedAccountIds"


def check(stack: str, folder: FilePath) -> Settings:
    """The settings of ``stack`` from its file in ``folder``, without running the program.

    An encrypted value stands as ``[secret]``. Raises SettingsError with every mistake.
    """
    file, problems = parse_stack_file(stack, folder, project_name(folder))
    source = _Source(
        project=file.project,
        stack=file.stack,
        folder=folder,
        config=file.config,
        secret_keys=file.secret_keys,
    )
    return _settle(source, problems)


def load() -> Settings:
    """The settings of the stack that runs, from its configuration.

    Raises SettingsError with every mistake; it is a ``pulumi.RunError`` too, which the CLI shows without a traceback.
    """
    import pulumi
    from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env, is_config_secret

    keys = {**get_config_env(), **CONFIG.get()}
    config = {key: pulumi.Config(key.rpartition(":")[0]).get(key.rpartition(":")[2]) for key in keys}
    source = _Source(
        project=pulumi.get_project(),
        stack=pulumi.get_stack(),
        folder=FilePath(pulumi.get_root_directory() or "."),
        config={key: text for key, text in config.items() if text is not None},
        secret_keys=frozenset(get_config_secret_keys_env()) | {key for key in keys if is_config_secret(key)},
    )
    try:
        return _settle(source)
    except SettingsError as error:

        class _ProgramError(SettingsError, pulumi.RunError):
            pass

        raise _ProgramError(error.problems) from None


def guarded(key: str, value: str) -> Output[str] | str:
    """``value``, which ``load`` read from ``key``, as a secret where the stack's file has it encrypted.

    What the state then holds is encrypted too.
    """
    import pulumi

    is_secret = pulumi.runtime.is_config_secret(f"{pulumi.get_project()}:{key}")
    return pulumi.Output.secret(value) if is_secret else value


def ranges_of_other_stacks(stack: str, folder: FilePath) -> dict[str, IPv4Network]:
    """``dev network.cidr`` -> range, for each range that another stack's file in ``folder`` lays claim to.

    Raises SettingsError where one of those files cannot be read.
    """
    neighbours, problems = _neighbours(stack, folder, project_name(folder))
    if problems:
        raise SettingsError(problems)
    return {f"{other.stack} network.{name}": cidr for other in neighbours for name, cidr in _ranges(other).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A stack's configuration as the CLI hands it over, and the folder of its file."""

    project: str
    stack: str
    folder: FilePath
    config: Mapping[str, str]
    secret_keys: frozenset[str]

    def written(self, path: Path) -> Path:
        """The path of a setting as the file has it: with its full key in front."""
        first = str(path[0])
        return path if ":" in first else (ELSEWHERE.get(first, f"{self.project}:{first}"), *path[1:])


def _settle(source: _Source, problems: Sequence[Problem] = ()) -> Settings:
    """The settings; or SettingsError with ``problems`` and all that is found."""
    settings, faults = judge(_tree(source))
    neighbours, unreadable = _neighbours(source.stack, source.folder, source.project)
    faults += _unknown_keys(source)
    faults += judged(_environment_of(settings, source.stack))
    faults += _allowed_accounts(source.config)
    faults += judged(_account_allowed(settings, source.config))
    for other in neighbours:
        faults += judged(_cidr_apart(settings, other))
        faults += judged(_recovery_cidr_apart(settings, other))
        faults += judged(_host_apart(settings, other))
    if faults or problems or unreadable:
        raise SettingsError([*problems, *unreadable, *_Places(source).of(without_echoes(faults))])
    return settings


def _tree(source: _Source) -> dict[str, Any]:
    """The configuration as one structure in the shape of ``Settings``."""
    tree: dict[str, Any] = {}
    for name in Settings.model_fields:
        key = str(source.written((name,))[0])
        if key in source.config:
            value = _parsed(name, source.config[key])
            tree[name] = _with_seals(value) if key in source.secret_keys else value
    return tree


def _parsed(name: str, text: str) -> Any:
    field = Settings.model_fields[name]
    if text == "":
        return None
    if field.annotation is bool:
        return {"true": True, "false": False}.get(text, text)
    if not is_section(field):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _with_seals(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_seals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_seals(item) for item in value]
    return Sealed(value) if value == PLACEHOLDER else value


def _unknown_keys(source: _Source) -> Iterator[Fault]:
    for key in source.config:
        namespace, _, name = key.rpartition(":")
        if namespace == source.project:
            yield from _unknown_setting(key, name)
        elif namespace == "aws":
            yield from _unknown_aws_key(key, name, secret=key in source.secret_keys)
        elif namespace != "pulumi":
            near = nearest(namespace, (source.project, "aws"))
            yield Fault(
                path=(key,),
                wrong="belongs to nothing here",
                rule=f"Keys begin with {source.project}: or aws: (the CLI's own with pulumi:).",
                way_out=f"Did you mean {near}:{name}?" if near else "Delete the line.",
                quiet=True,
                meant=(name,),
            )


def _unknown_setting(key: str, name: str) -> Iterator[Fault]:
    known = [setting for setting in Settings.model_fields if setting not in ELSEWHERE]
    if name in known:
        return
    near = name if name in ELSEWHERE else nearest(name, known)
    yield Fault(
        path=(key,),
        wrong="is an unknown key",
        rule=f"Known here are {listed(known, 'and')}.",
        way_out=f"Did you mean {ELSEWHERE.get(near, near)}?" if near else "Delete the line.",
        quiet=True,
        meant=(near,) if near else None,
    )


def _unknown_aws_key(key: str, name: str, *, secret: bool) -> Iterator[Fault]:
    if name in AWS_SECRET_KEYS and not secret:
        yield Fault(
            path=(key,),
            wrong="stands in clear text",
            rule="A credential is encrypted in the file, or better comes from the session (002_… §2).",
            way_out=f"Delete the line and revoke the credential; if it must be here, pulumi config set --secret {key}",
            quiet=True,
        )
    elif name not in (*AWS_KEYS, *AWS_SECRET_KEYS):
        near = nearest(name, AWS_KEYS)
        yield Fault(
            path=(key,),
            wrong="is an unknown key",
            rule=f"Of the AWS provider's keys a stack sets {listed(AWS_KEYS, 'and')}.",
            way_out=f"Did you mean aws:{near}?" if near else "Delete the line.",
            quiet=True,
            meant=(near,) if near in ELSEWHERE else (f"aws:{near}",),
        )


def _environment_of(settings: Settings, stack: str) -> Iterator[Fault]:
    if stack in ("dev", "staging", "prod") and settings.environment != stack:
        yield Fault(
            path=("environment",),
            wrong=f"does not fit the stack {stack}",
            rule="The stacks dev, staging and prod are the environments of the same name.",
            way_out=f"Write {stack}.",
        )


def _allowed_accounts(config: Mapping[str, str]) -> Iterator[Fault]:
    rule = "The list names the accounts a run may touch, so that one with the wrong credentials stops at once."
    example = f"{_ACCOUNTS_KEY}: [{ACCOUNT_ID.example}]"
    allowed = _allowed(config)
    if not allowed:
        wrong = MISSING if _ACCOUNTS_KEY not in config else "is no list of account ids"
        yield Fault(path=(_ACCOUNTS_KEY,), wrong=wrong, rule=rule, way_out=f"Write {example}")
    for position, account in enumerate(allowed):
        try:
            ACCOUNT_ID.accept(account)
        except PydanticCustomError as error:
            words = error.context or {}
            yield Fault(
                path=(_ACCOUNTS_KEY, position),
                wrong=str(words["wrong"]),
                rule=str(words["rule"]),
                way_out=str(words["way_out"]),
            )


def _allowed(config: Mapping[str, str]) -> list[Any]:
    try:
        allowed = json.loads(config.get(_ACCOUNTS_KEY, ""))
    except ValueError:
        return []
    return allowed if isinstance(allowed, list) else []


def _account_allowed(settings: Settings, config: Mapping[str, str]) -> Iterator[Fault]:
    allowed = _allowed(config)
    if allowed and settings.account.id not in map(str, allowed):
        yield Fault(
            path=("account", "id"),
            wrong=f"is not among {_ACCOUNTS_KEY}",
            rule="The provider refuses to work in an account that is not on its list.",
            way_out="Write the same id in both places.",
        )


def _cidr_apart(settings: Settings, other: StackFile) -> Iterator[Fault]:
    yield from _range_apart("cidr", settings.network.cidr, other)


def _recovery_cidr_apart(settings: Settings, other: StackFile) -> Iterator[Fault]:
    yield from _range_apart("recovery_cidr", settings.network.recovery_cidr, other)


def _range_apart(name: str, own: IPv4Network, other: StackFile) -> Iterator[Fault]:
    for claimed, cidr in _ranges(other).items():
        if own.overlaps(cidr):
            line = other.line((f"{other.project}:network", claimed))
            yield Fault(
                path=("network", name),
                wrong=f"overlaps network.{claimed} of the stack {other.stack}, {cidr} ({other.path.name}:{line})",
                rule="The ranges of all stacks and of their recovery regions are disjoint, so that they can be joined "
                "(002_… §7.3).",
                way_out="Write a range that no stack uses.",
            )


def _host_apart(settings: Settings, other: StackFile) -> Iterator[Fault]:
    domain = _section(other, "web").get("domain")
    host = settings.web.domain.host
    if isinstance(domain, dict) and domain.get("host") == host and not isinstance(host, Sealed):
        yield Fault(
            path=("web", "domain", "host"),
            wrong=f"is the host of the stack {other.stack} too",
            rule="A name leads to one stack.",
            way_out=f"Write another name below {host.partition('.')[2]}",
        )


def _neighbours(stack: str, folder: FilePath, project: str) -> tuple[list[StackFile], list[Problem]]:
    """The files of the other stacks, and what is wrong with those that are not YAML.

    Their other mistakes are theirs: a range that is none cannot have been deployed.
    """
    files: list[StackFile] = []
    problems: list[Problem] = []
    for name in stacks_in(folder):
        if name == stack.rpartition("/")[2]:
            continue
        try:
            files.append(parse_stack_file(name, folder, project)[0])
        except SettingsError as error:
            rule = f"The ranges of {stack} are compared with those of every other stack (002_… §7.3)."
            problems += [replace(problem, rule=rule) for problem in error.problems]
    return files, problems


def _ranges(file: StackFile) -> dict[str, IPv4Network]:
    network = _section(file, "network")
    ranges: dict[str, IPv4Network] = {}
    for name in ("cidr", "recovery_cidr"):
        try:
            ranges[name] = IPv4Network(str(network.get(name)), strict=False)
        except ValueError:
            continue
    return ranges


def _section(file: StackFile, name: str) -> dict[str, Any]:
    value = _parsed(name, file.config.get(f"{file.project}:{name}", ""))
    return value if isinstance(value, dict) else {}


class _Places:
    """Finds the file, line and value of faults, and keeps what is secret out of their sentences."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        try:
            self._file: StackFile | None = parse_stack_file(source.stack, source.folder, source.project)[0]
        except SettingsError:
            self._file = None
        self._structure = {source.written((name,))[0]: value for name, value in _tree(source).items()}
        self._structure[_ACCOUNTS_KEY] = _allowed(source.config) or source.config.get(_ACCOUNTS_KEY)
        self._secrets = sorted(
            {text for key in source.secret_keys for text in self._secret_texts((key,), self._structure.get(key))},
            key=len,
            reverse=True,
        )

    def of(self, faults: Sequence[Fault]) -> Iterator[Problem]:
        for fault in faults:
            path = self._source.written(fault.path)
            file, line = self._place(path)
            yield Problem(
                file=file,
                line=line,
                key=dotted(path),
                value="" if fault.quiet else self._value(path, fault.path),
                wrong=self._covered(fault.wrong),
                rule=self._covered(fault.rule),
                way_out=self._covered(fault.way_out),
            )

    def _place(self, path: Path) -> tuple[str, int | None]:
        """The stack file and the line; no line where the value did not come from there."""
        key = str(path[0])
        if self._file is None:
            return file_name(self._source.stack), None
        same = self._file.config.get(key) == self._source.config.get(key) or key in self._source.secret_keys
        return (self._file.path.name, self._file.line(path)) if same else (f"stack {self._source.stack}", None)

    def _value(self, path: Path, setting: Path) -> str:
        if self._is_secret(path):
            return PLACEHOLDER
        value: Any = self._structure
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                field = field_at(setting)
                default = None if field is None or field.is_required() else field.default
                return "" if default is None else f"{shown(default)} (the default)"
        return PLACEHOLDER if isinstance(value, Sealed) else self._covered(shown(value))

    def _is_secret(self, path: Path) -> bool:
        if path[0] not in self._source.secret_keys:
            return False
        if self._file is None or not self._file.sealed:
            return True
        return any(path[: len(sealed)] == sealed for sealed in self._file.sealed)

    def _secret_texts(self, path: Path, value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from self._secret_texts((*path, key), item)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                yield from self._secret_texts((*path, position), item)
        elif isinstance(value, str) and value and self._is_secret(path):
            yield value

    def _covered(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, PLACEHOLDER)
        return text
