"""A reader of the PromQL that the rules use. It refuses what it does not know."""

from __future__ import annotations

import re
from dataclasses import dataclass

AGGREGATIONS = {"avg", "count", "max", "min", "sum"}

#: function -> whether it takes a range (``[5m]``)
FUNCTIONS = {"absent": False, "avg_over_time": True, "max_over_time": True, "min_over_time": True, "rate": True}

#: from the loosest
OPERATORS = (("or",), ("and", "unless"), ("==", "!=", ">", ">=", "<", "<="), ("+", "-"), ("*", "/"))

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?)
    |(?P<range>\[[0-9]+[smhd]\])
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>"[^"\\]*")
    |(?P<sign>==|!=|=~|!~|>=|<=|[-+*/(){},=<>]))""",
    re.VERBOSE,
)


class PromQLError(ValueError):
    pass


@dataclass(frozen=True)
class Read:
    """``kind``: scalar, one (a vector of one series), many, or range; ``metrics``: the names that are read."""

    kind: str
    metrics: frozenset[str]
    selectors: tuple[tuple[str, frozenset[str]], ...] = ()


def read(text: str) -> Read:
    """What ``text`` yields and reads. Raises PromQLError."""
    parser = _Parser(_tokens(text))
    result = parser.binary(0)
    if parser.left:
        raise PromQLError(f"{parser.left[0][1]!r} is left over in {text!r}")
    return result


def _tokens(text):
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise PromQLError(f"{text[at:]!r} begins with nothing known")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens):
        self.left = tokens

    def take(self, *wanted):
        if not self.left or (wanted and self.left[0][1] not in wanted):
            raise PromQLError(f"{wanted} is expected, not {self.left[:1]}")
        return self.left.pop(0)

    def sees(self, *signs):
        return bool(self.left) and self.left[0][1] in signs

    def binary(self, level):
        if level == len(OPERATORS):
            return self.single()
        result = self.binary(level + 1)
        while self.sees(*OPERATORS[level]):
            self.take()
            other = self.binary(level + 1)
            if "range" in (result.kind, other.kind):
                raise PromQLError("a range cannot be compared or counted with")
            kinds = {result.kind, other.kind}
            kind = "many" if "many" in kinds else "one" if "one" in kinds else "scalar"
            result = Read(kind, result.metrics | other.metrics, result.selectors + other.selectors)
        return result

    def single(self):
        kind, text = self.take()
        if kind == "number":
            return Read("scalar", frozenset())
        if text == "(":
            result = self.binary(0)
            self.take(")")
            return result
        if kind != "name":
            raise PromQLError(f"{text!r} begins no expression")
        if text in AGGREGATIONS:
            inner = self.argument()
            if inner.kind not in ("one", "many"):
                raise PromQLError(f"{text} takes a vector, not a {inner.kind}")
            return Read("one", inner.metrics, inner.selectors)
        if text == "time":
            self.take("(")
            self.take(")")
            return Read("scalar", frozenset())
        if text in FUNCTIONS:
            inner = self.argument()
            if (inner.kind == "range") is not FUNCTIONS[text]:
                raise PromQLError(f"{text} does not take a {inner.kind}")
            return Read("one" if text == "absent" else "many", inner.metrics, inner.selectors)
        return self.selector(text)

    def argument(self):
        self.take("(")
        inner = self.binary(0)
        self.take(")")
        return inner

    def selector(self, metric):
        labels = []
        if self.sees("{"):
            self.take()
            while not self.sees("}"):
                labels.append(self.take()[1])
                self.take("=", "!=", "=~", "!~")
                if self.take()[0] != "text":
                    raise PromQLError("a label is compared with a text")
                if not self.sees("}"):
                    self.take(",")
            self.take("}")
        kind = "many"
        if self.left and self.left[0][0] == "range":
            self.take()
            kind = "range"
        return Read(kind, frozenset({metric}), ((metric, frozenset(labels)),))
