"""As much of Go's text/template as alert manager's template uses, to see what it writes."""

from __future__ import annotations

import json
import re
from datetime import UTC

_PART = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)


def render(text, name, data):
    """What the template ``name``, defined in ``text``, writes of ``data``. Raises ValueError for what is not known."""
    return _run(_definitions(text)[name], data, data, _definitions(text))


def _definitions(text):
    """name -> its tree: a list of texts, actions and ``[keyword, condition, then, else]``."""
    parts = []
    at = 0
    for match in _PART.finditer(text):
        parts += [("text", text[at : match.start()]), ("action", match[1])]
        at = match.end()
    parts.append(("text", text[at:]))
    found = {}
    while parts:
        kind, value = parts.pop(0)
        if kind == "action":
            if not (match := re.fullmatch(r'define "(.+)"', value)):
                raise ValueError(f"{value!r} stands outside of a definition")
            found[match[1]], ending = _tree(parts)
            if ending != "end":
                raise ValueError("a definition has no end")
        elif value.strip():
            raise ValueError(f"{value!r} stands outside of a definition")
    return found


def _tree(parts):
    nodes = []
    while parts:
        kind, value = parts.pop(0)
        if kind == "text":
            nodes.append(("text", value))
        elif value in ("end", "else"):
            return nodes, value
        elif value.split()[0] in ("if", "with"):
            keyword, condition = value.split(maxsplit=1)
            then, ending = _tree(parts)
            other = _tree(parts)[0] if ending == "else" else []
            nodes.append((keyword, condition, then, other))
        else:
            nodes.append(("action", value))
    raise ValueError("the template ends too early")


def _run(nodes, dot, top, definitions):
    out = []
    for node in nodes:
        if node[0] == "text":
            out.append(node[1])
        elif node[0] == "if":
            chosen = node[2] if _value(node[1], dot) else node[3]
            out.append(_run(chosen, dot, top, definitions))
        elif node[0] == "with":
            out.append(_run(node[2], _value(node[1], dot), top, definitions))
        elif match := re.fullmatch(r'template "(.+)" (\S+)', node[1]):
            out.append(_run(definitions[match[1]], _value(match[2], dot), top, definitions))
        else:
            out.append(_value(node[1], dot))
    return "".join(out)


def _value(text, dot):
    if match := re.fullmatch(r'eq (\S+) "(.*)"', text):
        return _value(match[1], dot) == match[2]
    if match := re.fullmatch(r"index (\S+) ([0-9]+)", text):
        return _value(match[1], dot)[int(match[2])]
    if match := re.fullmatch(r'printf "%q" (\S+)', text):
        return json.dumps(_value(match[1], dot), ensure_ascii=False)
    if match := re.fullmatch(r'(\S+)\.UTC\.Format "2006-01-02T15:04:05.000Z"|\.UTC\.Format "(.+)"', text):
        moment = dot if match[1] is None else _value(match[1], dot)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    if text == ".":
        return dot
    if not re.fullmatch(r"(?:\.[A-Za-z]+)+", text):
        raise ValueError(f"{text!r} is not known")
    for step in text[1:].split("."):
        dot = [alert for alert in dot if alert["Status"] == "firing"] if step == "Firing" else dot[step]
    return dot
