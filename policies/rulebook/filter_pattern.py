"""Filter patterns of CloudWatch Logs, evaluated offline: which log events a metric filter counts.

Source: CloudWatch Logs User Guide, "Filter pattern syntax". Three languages share one text field:

- ``{ $.eventName = "StopLogging" && $.errorCode NOT EXISTS }`` for events that are JSON objects,
- ``[ip, user, ..., status = 4*, bytes > 1000]`` for lines of words,
- ``ERROR -"health check"``, ``?ERROR ?WARN`` and ``%[45]\\d\\d%`` for any text.

What the guide says little about, and what the service does:

- A comparison holds for texts and numbers alone. Where the property is missing, null, a boolean, a list or an object it
  does not hold, ``!=`` no more than ``=``; "absent or other" is written ``($.a NOT EXISTS || $.a != "b")``.
- ``*`` stands for any text at the beginning and at the end of a value; between two characters it is a star.
- ``?term`` beside another kind of term has no effect.
- The last field of a line pattern takes the rest of the line.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn

#: Characters in a pattern at most (API reference, MetricFilter).
MAX_LENGTH = 1024

_MAX_REGEXES = 2
_MAX_WILDCARDS = 3
_MAX_DEPTH = 50

#: A log event: its text, or what that text says as JSON.
Event = str | Mapping[str, Any]


class FilterPatternError(ValueError):
    """CloudWatch Logs would refuse the pattern. ``position``: of the character at fault, 0 for the first."""

    def __init__(self, text: str, position: int, wrong: str, way_out: str) -> None:
        self.position = position
        here = text[position : position + 20]
        where = f"at character {position + 1}, before {here!r}" if here else "at its end"
        super().__init__(f"The filter pattern is wrong {where}: {wrong}. {way_out}")


@dataclass(frozen=True, slots=True)
class Text:
    """A value with a wildcard for its beginning, its end, or both."""

    body: str
    open_start: bool = False
    open_end: bool = False

    def equals(self, value: str | float) -> bool:
        text = value if isinstance(value, str) else _number_text(value)
        if self.open_start:
            return self.body in text if self.open_end else text.endswith(self.body)
        return text.startswith(self.body) if self.open_end else text == self.body


@dataclass(frozen=True, slots=True)
class Number:
    """A number, which a text that reads as one equals too."""

    value: float

    def equals(self, value: str | float) -> bool:
        return _as_number(value) == self.value


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression, looked for anywhere in a value."""

    expression: re.Pattern[str]

    def equals(self, value: str | float) -> bool:
        return self.expression.search(value if isinstance(value, str) else _number_text(value)) is not None


Operand = Text | Number | Regex


def _number_text(value: float) -> str:
    return json.dumps(value)


def _as_number(value: str | float) -> float | None:
    if isinstance(value, str) and not re.fullmatch(_NUMBER, value):
        return None
    return float(value)


_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"

#: What a regular expression may hold, and what it may hold behind a backslash.
_REGEX_SIGNS = r"(?:[A-Za-z0-9 :_#=@/;,^$?\[\]{}|*+.-]|\\(?:x[0-9A-Fa-f]{2}|[dDsSwW]|[:_#=@/;,^$?\[\]{}|*+.\\-]))*"

_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _compares(value: Any, operator: str, operand: Operand) -> bool:
    """``value operator operand``; never for what is neither text nor number."""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return False
    if operator == "=":
        return operand.equals(value)
    if operator == "!=":
        return not operand.equals(value)
    number = _as_number(value)
    return number is not None and isinstance(operand, Number) and _ORDERS[operator](number, operand.value)


#: Stands for any key or index in a selector.
ANY = object()


@dataclass(frozen=True, slots=True)
class Selector:
    """A path into a JSON event; ``text`` is how the pattern writes it, from ``$.`` on."""

    steps: tuple[Any, ...]
    text: str

    def find(self, event: Any) -> Sequence[Any]:
        """What the path leads to: nothing, one value, or many where it has a wildcard."""
        here = event
        for step in self.steps:
            if not isinstance(here, dict) or not isinstance(step, str):
                return self._spread(event)
            if step not in here:
                return ()
            here = here[step]
        return (here,)

    def _spread(self, event: Any) -> Sequence[Any]:
        found: list[Any] = [event]
        for step in self.steps:
            found = [inner for outer in found for inner in _descend(outer, step)]
        return found


def _descend(outer: Any, step: Any) -> Iterator[Any]:
    if step is ANY:
        if isinstance(outer, Mapping):
            yield from outer.values()
        elif isinstance(outer, list):
            yield from outer
    elif isinstance(step, int):
        if isinstance(outer, list) and step < len(outer):
            yield outer[step]
    elif isinstance(outer, Mapping) and step in outer:
        yield outer[step]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``$.selector operator operand``."""

    selector: Selector
    operator: str
    operand: Operand

    def holds(self, event: Mapping[str, Any]) -> bool:
        return any(_compares(value, self.operator, self.operand) for value in self.selector.find(event))


@dataclass(frozen=True, slots=True)
class Is:
    """``$.selector IS NULL`` (or TRUE, FALSE)."""

    selector: Selector
    value: bool | None

    def holds(self, event: Mapping[str, Any]) -> bool:
        return any(value is self.value for value in self.selector.find(event))


@dataclass(frozen=True, slots=True)
class NotExists:
    """``$.selector NOT EXISTS``."""

    selector: Selector

    def holds(self, event: Mapping[str, Any]) -> bool:
        return not self.selector.find(event)


@dataclass(frozen=True, slots=True)
class Both:
    """Parts joined by ``&&``."""

    parts: tuple[Condition, ...]

    def holds(self, event: Mapping[str, Any]) -> bool:
        return all(part.holds(event) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either:
    """Parts joined by ``||``. ``choices``: where all say that one property is one of some texts, which most do."""

    parts: tuple[Condition, ...]
    choices: tuple[Selector, frozenset[str]] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", _choices(self.parts))

    def holds(self, event: Mapping[str, Any]) -> bool:
        if self.choices is not None:
            selector, texts = self.choices
            return any(_is_one_of(value, texts) for value in selector.find(event))
        return any(part.holds(event) for part in self.parts)


def _choices(parts: Sequence[Condition]) -> tuple[Selector, frozenset[str]] | None:
    found = [
        (part.selector, part.operand.body)
        for part in parts
        if isinstance(part, Comparison)
        and part.operator == "="
        and isinstance(part.operand, Text)
        and not (part.operand.open_start or part.operand.open_end)
    ]
    if len(found) < len(parts) or len({selector.text for selector, _ in found}) > 1:
        return None
    return found[0][0], frozenset(body for _, body in found)


def _is_one_of(value: Any, texts: frozenset[str]) -> bool:
    if isinstance(value, str):
        return value in texts
    return isinstance(value, (int, float)) and not isinstance(value, bool) and _number_text(value) in texts


Condition = Comparison | Is | NotExists | Both | Either


@dataclass(frozen=True, slots=True)
class JsonPattern:
    """``{ … }``"""

    condition: Condition

    def matches(self, event: Event) -> bool:
        if isinstance(event, str):
            try:
                event = json.loads(event)
            except ValueError:
                return False
        return isinstance(event, Mapping) and self.condition.holds(event)

    def conditions(self) -> Iterator[Comparison | Is | NotExists]:
        """The conditions without what joins them, from left to right."""
        waiting: list[Condition] = [self.condition]
        while waiting:
            condition = waiting.pop()
            if isinstance(condition, (Both, Either)):
                waiting.extend(reversed(condition.parts))
            else:
                yield condition


@dataclass(frozen=True, slots=True)
class Field:
    """A word of a line; ``tests``: alternatives, each a series of comparisons that hold together."""

    name: str
    tests: tuple[tuple[tuple[str, Operand], ...], ...] = ()

    def takes(self, word: str) -> bool:
        return not self.tests or any(
            all(_compares(word, operator, operand) for operator, operand in series) for series in self.tests
        )


@dataclass(frozen=True, slots=True)
class LinePattern:
    """``[ … ]``: ``head``, then any number of words where ``gap``, then ``tail``."""

    head: tuple[Field, ...]
    gap: bool
    tail: tuple[Field, ...] = ()

    def matches(self, event: Event) -> bool:
        return self.fields(event) is not None

    def fields(self, event: Event) -> Mapping[str, str] | None:
        """Name -> word of a matching line; None where it does not match."""
        line = _as_line(event)
        words = [(match.start(), match["quoted"] or match["bracketed"] or match[0]) for match in _WORD.finditer(line)]
        named = len(self.head) + len(self.tail)
        if not named:
            return {}
        if len(words) < named:
            return None
        if not self.gap and len(words) > named:
            start, _ = words[named - 1]
            words[named - 1 :] = [(start, line[start:].rstrip())]
        ends = [*words[: len(self.head)], *words[len(words) - len(self.tail) :]] if self.tail else words[:named]
        pairs = list(zip((*self.head, *self.tail), (word for _, word in ends), strict=True))
        if not all(field.takes(word) for field, word in pairs):
            return None
        return {field.name: word for field, word in pairs if field.name}


_WORD = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|\[(?P<bracketed>[^\]]*)\]|\S+')


@dataclass(frozen=True, slots=True)
class TermPattern:
    """Terms: all ``wanted``, none ``unwanted``; ``optional`` ones count where there is nothing else."""

    wanted: tuple[str | Regex, ...] = ()
    unwanted: tuple[str | Regex, ...] = ()
    optional: tuple[str | Regex, ...] = ()

    def matches(self, event: Event) -> bool:
        line = _as_line(event)
        if self.wanted or self.unwanted or not self.optional:
            return all(_within(term, line) for term in self.wanted) and not any(
                _within(term, line) for term in self.unwanted
            )
        return any(_within(term, line) for term in self.optional)


def _within(term: str | Regex, line: str) -> bool:
    # A phrase of blanks is the guide's way to match everything.
    return not term.strip() or term in line if isinstance(term, str) else term.equals(line)


def _as_line(event: Event) -> str:
    return event if isinstance(event, str) else json.dumps(event)


Pattern = JsonPattern | LinePattern | TermPattern


@lru_cache(maxsize=512)
def parse(text: str) -> Pattern:
    """The pattern that ``text`` stands for.

    Raises FilterPatternError for what CloudWatch Logs refuses.
    """
    if len(text) > MAX_LENGTH:
        raise FilterPatternError(
            text,
            MAX_LENGTH,
            f"it is {len(text)} characters long and CloudWatch Logs takes {MAX_LENGTH}",
            "Shorten it, or make two filters that feed one metric.",
        )
    parser = _Parser(text)
    parser.skip()
    if parser.peek("{"):
        return parser.json_pattern()
    if parser.peek("["):
        return parser.line_pattern()
    return parser.term_pattern()


class _Parser:
    """Reads a pattern from left to right; ``_at`` is the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._regexes = 0
        self._wildcards = 0

    def skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def peek(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _take(self, sign: str) -> bool:
        self.skip()
        if self.peek(sign):
            self._at += len(sign)
            return True
        return False

    def _match(self, expression: str) -> str | None:
        found = re.compile(expression).match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _refuse(self, wrong: str, way_out: str, position: int | None = None) -> NoReturn:
        raise FilterPatternError(self._text, self._at if position is None else position, wrong, way_out)

    def _end(self) -> None:
        self.skip()
        if self._at < len(self._text):
            self._refuse("there is something behind the closing bracket", "Take it away, or put it inside.")

    # JSON

    def json_pattern(self) -> JsonPattern:
        self._take("{")
        condition = self._either(0)
        if not self._take("}"):
            self._refuse("&&, || or the closing } is expected", "Join conditions with && or ||.")
        self._end()
        return JsonPattern(condition)

    def _either(self, depth: int) -> Condition:
        parts = [self._both(depth)]
        while self._take("||"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self, depth: int) -> Condition:
        parts = [self._condition(depth)]
        while self._take("&&"):
            parts.append(self._condition(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _condition(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            self._refuse(f"parentheses are nested more than {_MAX_DEPTH} deep", "Take the needless ones away.")
        if self._take("("):
            condition = self._either(depth + 1)
            if not self._take(")"):
                self._refuse("&&, || or the closing ) is expected", "Close each parenthesis that is opened.")
            return condition
        selector = self._selector()
        self.skip()
        if self._match(r"NOT\s+EXISTS\b"):
            return NotExists(selector)
        if word := self._match(r"IS\s+(?:NULL|TRUE|FALSE)\b"):
            return Is(selector, {"NULL": None, "TRUE": True, "FALSE": False}[word.split()[1]])
        operator = self._operator("= != < > <= >=, NOT EXISTS, IS NULL, IS TRUE and IS FALSE")
        return Comparison(selector, operator, self._operand(operator, r"[A-Za-z0-9_.*+-]+"))

    def _operator(self, known: str) -> str:
        self.skip()
        operator = self._match(r"!=|<=|>=|=(?!=)|<|>")
        if operator is None:
            self._refuse("an operator is expected", f"There are {known}.")
        return operator

    def _selector(self) -> Selector:
        self.skip()
        start = self._at
        if not self._match(r"\$(?=[.\[])"):
            self._refuse("a property such as $.eventName is expected", "Begin it with $. and name it from the top.")
        steps: list[Any] = []
        while (step := self._step()) is not None:
            steps.append(step)
        if not steps or self.peek(".") or self.peek("["):
            self._refuse(
                "the property has a step that is none",
                "A step is .name of letters, digits, _ and -, .*, [0], [*] or ['a.b'].",
            )
        self._count_wildcards(steps, start)
        return Selector(tuple(steps), self._text[start : self._at])

    def _step(self) -> Any:
        if name := self._match(r"\.[A-Za-z0-9_-]+"):
            return name[1:]
        if self._match(r"\.\*|\.?\[\*\]"):
            return ANY
        if index := self._match(r"\[\d{1,9}\]"):
            return int(index[1:-1])
        if key := self._match(r"""\.?\[(?:'[^']+'|"[^"]+")\]"""):
            return key.lstrip(".")[2:-2]
        return None

    def _count_wildcards(self, steps: Sequence[Any], start: int) -> None:
        wildcards = sum(step is ANY for step in steps)
        self._wildcards += bool(wildcards)
        if wildcards > 1 or self._wildcards > _MAX_WILDCARDS:
            self._refuse(
                "there are too many wildcards",
                f"A property has one at most, a pattern {_MAX_WILDCARDS} properties with one.",
                start,
            )

    # Operands

    def _operand(self, operator: str, bare: str) -> Operand:
        self.skip()
        start = self._at
        operand: Operand
        if self.peek('"'):
            operand = _as_text(self._quoted())
        elif self.peek("%"):
            operand = self._regex()
        elif word := self._match(bare):
            operand = Number(float(word)) if re.fullmatch(_NUMBER, word) else _as_text(word)
        else:
            self._refuse("a value is expected", "Put texts with signs other than _ . * + - in double quotes.")
        if operator in _ORDERS and not isinstance(operand, Number):
            self._refuse(f"{operator} compares numbers alone", "Write a number, or = or != for a text.", start)
        return operand

    def _quoted(self) -> str:
        start = self._at
        found = self._match(r'"(?:[^"\\]|\\.)*"')
        if found is None:
            self._refuse("the quotation marks are not closed", "Add the second one.", start)
        return re.sub(r"\\(.)", r"\1", found[1:-1], flags=re.DOTALL)

    def _regex(self) -> Regex:
        start = self._at
        found = self._match(r"%[^%]+%")
        if found is None:
            self._refuse("the regular expression is empty or not closed", "Write it between two % signs.", start)
        self._regexes += 1
        if self._regexes > _MAX_REGEXES:
            self._refuse(f"there are more than {_MAX_REGEXES} regular expressions", "Join some with |.", start)
        body = found[1:-1]
        taken = re.compile(_REGEX_SIGNS).match(body)
        strange = taken.end() if taken else 0
        if strange < len(body):
            self._refuse(
                "the regular expression has a sign that is not taken",
                r"Write it as \x and its two hexadecimal digits; ( and ) have no other way in.",
                start + 1 + strange,
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return Regex(re.compile(body, re.ASCII))
        except (re.error, OverflowError):
            self._refuse("the regular expression is none", "Close its brackets and give each * + ? a term.", start + 1)

    # Lines of words

    def line_pattern(self) -> LinePattern:
        self._take("[")
        parts: list[list[Field]] = [[]]
        names: set[str] = set()
        closed = self._take("]")
        while not closed:
            if self._take("..."):
                if len(parts) > 1:
                    self._refuse("there are two ellipses", "Keep one: where each ends could not be told.", self._at - 3)
                parts.append([])
            else:
                parts[-1].append(self._field(names))
            closed = self._take("]")
            if not closed and not self._take(","):
                self._refuse("a comma or the closing ] is expected", "Separate fields with commas.")
        self._end()
        return LinePattern(tuple(parts[0]), len(parts) > 1, tuple(parts[1]) if len(parts) > 1 else ())

    def _field(self, names: set[str]) -> Field:
        self.skip()
        start = self._at
        name = self._match(r"[A-Za-z_][A-Za-z0-9_-]*") or ""
        if name in names:
            self._refuse(f"two fields are called {name}", "Give each its own name.", start)
        if not name:
            if not self.peek(",") and not self.peek("]"):
                self._refuse("the name of a field is expected", "A name begins with a letter.")
            return Field("")
        names.add(name)
        self.skip()
        if self.peek(",") or self.peek("]"):
            return Field(name)
        tests = [self._series(name, named=True)]
        while self._take("||"):
            tests.append(self._series(name))
        return Field(name, tuple(tests))

    def _series(self, name: str, *, named: bool = False) -> tuple[tuple[str, Operand], ...]:
        """Comparisons joined by ``&&``; ``named``: the name of the first has been read."""
        series: list[tuple[str, Operand]] = []
        while True:
            self.skip()
            if not named and self._match(rf"{name}(?![A-Za-z0-9_-])") is None:
                self._refuse(f"{name} is expected", "A condition of a field is about that field.")
            named = False
            operator = self._operator("= != < > <= and >=")
            series.append((operator, self._operand(operator, r'[^\s,\]&|"%]+')))
            if not self._take("&&"):
                return tuple(series)

    # Terms

    def term_pattern(self) -> TermPattern:
        kinds: dict[str, list[str | Regex]] = {"": [], "-": [], "?": []}
        self.skip()
        while self._at < len(self._text):
            kind = self._match(r"[?-]") or ""
            kinds[kind].append(self._term())
            self.skip()
        return TermPattern(tuple(kinds[""]), tuple(kinds["-"]), tuple(kinds["?"]))

    def _term(self) -> str | Regex:
        if self.peek('"'):
            return self._quoted()
        if self.peek("%"):
            return self._regex()
        word = self._match(r"[A-Za-z0-9_]+(?=\s|$)")
        if word is None:
            self._refuse("a term has signs other than letters, digits and _", "Put it in double quotes.")
        return word


def _as_text(value: str) -> Text:
    """``*`` counts at both ends alone; a lone one stands for any text, the empty one too."""
    open_start = value.startswith("*")
    open_end = value.endswith("*") and (len(value) > 1 or not open_start)
    return Text(value[open_start : len(value) - open_end], open_start, open_end)
