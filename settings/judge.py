"""Whether a structure is settings: all faults at once, those of values and those between values that are right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .faults import MISSING, Fault, Path, listed, nearest
from .kinds import SEALED_WAY_OUT, SEALED_WRONG, Kind, Sealed, what_it_is
from .model import Settings
from .rules import RULES

#: Settings that stand under a key of their own namespace.
ELSEWHERE = {"region": "aws:region"}


class _UnknownError(Exception):
    """A rule asked for a setting that is itself wrong."""


class _Partial:
    """The settings that are right by themselves; asking for any other ends the rule that asks."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise _UnknownError(name)


def judge(tree: Mapping[str, Any]) -> tuple[Settings, list[Fault]]:
    """The settings and their faults. With faults they hold only what is right by itself: read them with ``judged``."""
    try:
        return Settings.model_validate(tree), []
    except ValidationError as error:
        partial = cast("Settings", _partial(Settings, tree))
        faults = [_fault(details) for details in error.errors(include_url=False) if not _is_echo(details)]
        for rule in RULES:
            faults += judged(rule(partial))
        return partial, faults


def _is_echo(details: ErrorDetails) -> bool:
    """What is told elsewhere: the rules, each by itself, and a list that is short only of its wrong entries."""
    if details["type"] == "too_short":
        least: int = details["ctx"]["min_length"]
        return len(details["input"]) >= least
    return details["type"] == "rules"


def judged(faults: Iterable[Fault]) -> Iterator[Fault]:
    """The faults until one depends on a setting that is wrong itself."""
    try:
        yield from faults
    except _UnknownError:
        return


def is_section(field: FieldInfo) -> bool:
    return _is_model(field.annotation)


def field_at(path: Path) -> FieldInfo | None:
    """The field of the model at ``path``, or None where the model has none; an entry of a group is its field's."""
    return _at(path)[0]


def _at(path: Path) -> tuple[FieldInfo | None, Any]:
    """``field_at``, and the type of what stands there: an entry's where ``path`` ends at one."""
    kind: Any = Settings
    field: FieldInfo | None = None
    for step in path:
        if (entry := _entry(kind)) is not None:
            kind = entry
            continue
        if isinstance(step, int):
            continue
        field = kind.model_fields.get(step) if _is_model(kind) else None
        if field is None:
            return None, None
        kind = field.annotation
    return field, kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _entry(kind: Any) -> Any:
    """What each entry of a list or of a group of named entries is, None where ``kind`` is neither."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Mapping:
        entry = inside[1]
    elif origin is tuple:
        entry = inside[0]
    else:
        return None
    return get_args(entry)[0] if get_origin(entry) is Annotated else entry


def _partial(model: type[BaseModel], tree: Any) -> _Partial:
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        given = isinstance(tree, Mapping) and name in tree
        if is_section(field):
            values[name] = _partial(cast("type[BaseModel]", field.annotation), tree[name] if given else {})
        elif given:
            kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            try:
                values[name] = TypeAdapter(kind).validate_python(tree[name])
            except ValidationError:
                continue
        elif not field.is_required():
            values[name] = field.default
    return _Partial(values)


def _fault(details: ErrorDetails) -> Fault:
    """The library's finding in our words."""
    path: Path = details["loc"]
    if details["type"] == "extra_forbidden":
        return _unknown_key(path)
    wrong, rule, way_out = _words(details, path)
    return Fault(path=path, wrong=wrong, rule=rule, way_out=way_out)


def _words(details: ErrorDetails, path: Path) -> tuple[str, str, str]:
    context = details.get("ctx", {})
    if details["type"] == "setting":
        return str(context["wrong"]), str(context["rule"]), str(context["way_out"])
    field, kind = _at(path)
    if field is None:
        return f"is refused: {details['msg']}", "It is not of the kind its section asks for.", "See the schema."
    if details["type"] == "missing":
        name = str(path[-1])
        return MISSING, _rule(field), _to_add(ELSEWHERE.get(name, name), field)
    if isinstance(details["input"], Sealed):
        return SEALED_WRONG, _rule(field), SEALED_WAY_OUT
    if details["type"] == "literal_error":
        return _choice(field, details["input"])
    return _shape(details, field, kind)


def _shape(details: ErrorDetails, field: FieldInfo, kind: Any) -> tuple[str, str, str]:
    """A value that is not even of the right type, or a list of the wrong length."""
    found, write = what_it_is(details["input"]), f"Write, for example, {_example(field)}"
    if _is_model(kind):
        keys = listed(kind.model_fields, "and")
        return f"is {found}, not a group of keys", f"It holds {keys}.", "Indent these keys below it."
    wrong = {
        "too_short": "has too few entries",
        "too_long": "has too many entries",
        "bool_type": f"is {found}, not true or false",
        "tuple_type": f"is {found}, not a list",
    }
    if details["type"] == "bool_type":
        write = "Write true or false, without quotes."
    return wrong.get(details["type"], f"is refused: {details['msg']}"), _rule(field), write


def _unknown_key(path: Path) -> Fault:
    known = _at(path[:-1])[1].model_fields
    near = nearest(str(path[-1]), known)
    return Fault(
        path=path,
        wrong="is an unknown key",
        rule=f"Known here are {listed(known, 'and')}.",
        way_out=f"Did you mean {near}?" if near else "Delete the line.",
        quiet=True,
        meant=(*path[:-1], near) if near else None,
    )


def _choice(field: FieldInfo, value: Any) -> tuple[str, str, str]:
    choices = [str(choice) for choice in get_args(field.annotation)]
    rule = f"One of {listed(choices)}."
    if isinstance(value, str) and value in choices:
        return "is text, not a number", rule, f"Write it without quotes: {value}"
    near = nearest(value, choices) if isinstance(value, str) else None
    return "is none of the choices", rule, f"Did you mean {near}?" if near else f"Write {listed(choices)}."


def _rule(field: FieldInfo) -> str:
    description = field.description or ""
    return description if description.endswith(".") else f"{description}."


def _example(field: FieldInfo) -> str:
    if field.examples:
        return str(field.examples[0])
    kinds = [item.example for item in field.metadata if isinstance(item, Kind)]
    return kinds[0] if kinds else str(next(iter(get_args(field.annotation)), "true"))


def _to_add(name: str, field: FieldInfo) -> str:
    if not is_section(field):
        return f"Add {name}: {_example(field)}"
    model = cast("type[BaseModel]", field.annotation)
    needed = (key for key, part in model.model_fields.items() if part.is_required())
    return f"Add {name}: with {listed(needed, 'and')} below it."
