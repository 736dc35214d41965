"""Two values of a property: where they differ, and how that is shown.

What only AWS knows has a stand-in in a captured graph. It is made from the URN, so a renamed resource gets another;
where values differ, each stand-in is read as the resource and property that it stands for.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..preview.graph import SECRET, UNKNOWN
from .nodes import Node

#: Stands where a property is not set.
MISSING = object()

HIDDEN = "[secret]"
REORDERED = "the same in another order"

#: Longer values are cut or told by what changed in them.
_MOST_CHARACTERS = 120

#: A stand-in shorter than this could be any value.
_LEAST_DISTINCTIVE = 10

_TOKEN = re.compile(r"[\w.:/+=@-]+")
_SYMBOL = re.compile("\u27e6(.*?)#([^#\u27e7]*)\u27e7")

#: A literal text below such a name is not shown, whatever the program says of it.
_SECRET_NAME = re.compile(
    r"(?i)(password|passwd|secret(string|value)?|token|credentials?|private_?key|api_?key|webhook(_?url)?)(wo)?$"
)

#: What identifies an item of a list, where its items have it.
_IDENTITIES = ("Sid", "sid", "id", "name", "key", "targetId", "priority", "ruleNumber", "ruleNo")

Path = tuple[str, ...]


class Symbols:
    """Reads stand-ins as ``⟦urn#property⟧``; two graphs agree where ``called`` gives both the same URN."""

    def __init__(self, nodes: Iterable[Node], called: Mapping[str, str]) -> None:
        owners: dict[str, list[tuple[str, str]]] = {}
        for node in nodes:
            urn = called.get(node.urn, node.urn)
            for prop, value in _texts(node.made):
                if len(value) >= _LEAST_DISTINCTIVE and value != UNKNOWN and not value.isdigit():
                    owners.setdefault(value, []).append((urn, prop))
        named = {value: _owner(found) for value, found in owners.items()}
        self._symbols = {value: "\u27e6{}#{}\u27e7".format(*owner) for value, owner in named.items() if owner}

    def read(self, value: Any) -> Any:
        """``value`` with every stand-in inside read, those in JSON texts too."""
        if isinstance(value, str):
            return _TOKEN.sub(lambda found: self._token(found[0]), value)
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if isinstance(value, dict):
            return {key: self.read(item) for key, item in value.items()}
        return value

    def _token(self, token: str) -> str:
        """The longest beginning that is a stand-in counts: an ARN may go on with ``:*`` or a folder."""
        end = len(token)
        while end > 0:
            if symbol := self._symbols.get(token[:end]):
                return symbol + token[end:]
            end = max(token.rfind(sign, 0, end) for sign in ":/.")
        return token


def _owner(found: list[tuple[str, str]]) -> tuple[str, str] | None:
    """Of one resource, its shortest property; of several, the first by whose id or ARN the others are called."""
    if len({urn for urn, _prop in found}) == 1:
        return min(found, key=lambda each: (len(each[1]), each))
    return next((each for each in found if each[1] in ("id", "arn")), None)


def _texts(value: Any, path: Path = ()) -> Iterator[tuple[str, str]]:
    """Every text inside, with its path."""
    if isinstance(value, str):
        yield dotted(path), value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _texts(item, (*path, f"[{position}]"))


def refers_to(value: Any) -> frozenset[str]:
    """The URNs whose stand-ins are inside a value that was read."""
    return frozenset(found[0] for found in _SYMBOL.findall(json.dumps(value, ensure_ascii=False)))


def opened(value: Any) -> Any:
    """A text that is a JSON object or list as what it says; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Where two values differ, leaf by leaf: path, old value, new value, one of which may be ``MISSING``.

    JSON texts are compared by what they say. Items of a list are told apart by their names where they have some, and
    otherwise by their values; the same items in another order are one difference.
    """
    if old == new and type(old) is type(new):
        return
    old, new = opened(old), opened(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key, MISSING), new.get(key, MISSING), (*path, str(key)))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _items(old, new, path)
    elif old != new or type(old) is not type(new):
        yield path, old, new


def _items(old: list[Any], new: list[Any], path: Path) -> Iterator[tuple[Path, Any, Any]]:
    by = next((key for key in _IDENTITIES if _identifies(key, old) and _identifies(key, new)), None)
    if by:
        before, after = ({str(item[by]): item for item in items} for items in (old, new))
        for name in dict.fromkeys((*before, *after)):
            yield from differences(before.get(name, MISSING), after.get(name, MISSING), (*path, f"[{name}]"))
        if list(before) != list(after) and before.keys() == after.keys():
            yield path, REORDERED, REORDERED
        return
    if len(old) == len(new) and all(isinstance(item, dict) for item in (*old, *new)):
        for position, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, (*path, f"[{position}]"))
        return
    gone, come = (Counter(map(_canonical, items)) for items in (old, new))
    if gone == come:
        if old != new:
            yield path, REORDERED, REORDERED
        return
    for text in sorted((gone - come).elements()):
        yield (*path, "[]"), json.loads(text), MISSING
    for text in sorted((come - gone).elements()):
        yield (*path, "[]"), MISSING, json.loads(text)


def _identifies(key: str, items: list[Any]) -> bool:
    names = [item.get(key) if isinstance(item, dict) else None for item in items]
    return all(isinstance(name, str | int) and not isinstance(name, bool) for name in names) and len(set(names)) == len(
        names
    )


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def dotted(path: Path) -> str:
    """``policy.Statement[Read].Action``."""
    return ".".join(path).replace(".[", "[")


def shown(
    path: Path, old: Any, new: Any, titles: Mapping[str, str], *, hidden: bool = False
) -> tuple[str | None, str | None]:
    """How a difference is told. ``titles``: URN -> what a reader calls the resource; ``hidden``: it is a secret."""
    if hidden or any(value is not MISSING and _is_secret(path, value) for value in (old, new)):
        return tuple(None if value is MISSING else HIDDEN for value in (old, new))  # type: ignore[return-value]
    old, new = _unpacked(old), _unpacked(new)
    if isinstance(old, str) and isinstance(new, str) and (_is_long(old) or _is_long(new)):
        lines = [line[0] for line in difflib.ndiff(old.splitlines(), new.splitlines())]
        return _size(old), f"{_size(new)}: {lines.count('+')} lines added, {lines.count('-')} removed"
    return _plain(old, titles), _plain(new, titles)


def _is_secret(path: Path, value: Any) -> bool:
    """Marked as one anywhere inside, or a literal text under the name of one."""
    if isinstance(value, dict):
        return any(_is_secret((*path, str(key)), item) for key, item in value.items())
    if isinstance(value, list):
        return any(_is_secret(path, item) for item in value)
    if not isinstance(value, str):
        return False
    name = next((part for part in reversed(path) if not part.startswith("[")), "")
    named = bool(_SECRET_NAME.search(name)) and not value.startswith(("arn:", "\u27e6"))
    return SECRET in value or named


def _unpacked(value: Any) -> Any:
    """A Base64 text, as user data is, as what it says."""
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        try:
            return base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return value
    return value


def _is_long(text: str) -> bool:
    return len(text) > _MOST_CHARACTERS or "\n" in text


def _size(text: str) -> str:
    return f"a text of {len(text.splitlines()):,} lines and {len(text):,} characters"


def _plain(value: Any, titles: Mapping[str, str]) -> str | None:
    if value is MISSING:
        return None
    if isinstance(value, str):
        text = named(value, titles)
        return _size(value) if _is_long(text) else text
    text = named(json.dumps(value, sort_keys=True, ensure_ascii=False), titles)
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "\u2026"


def named(text: str, titles: Mapping[str, str]) -> str:
    """A text that was read, in a reader's words: ``{kms.Key logs.arn}``."""
    text = _SYMBOL.sub(lambda found: f"{{{titles.get(found[1], found[1])}.{found[2]}}}", text)
    return text.replace(UNKNOWN, "(unknown)")
