"""A picture of a CloudWatch dashboard, drawn from its JSON: every widget in its place, every threshold as a line.

It shows the layout and no data. ``python -m runbook.handbook.dashboard prod docs/dashboard.svg`` draws it anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import takewhile
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..preview.graph import Graph
from ..preview.project import preview

DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"

#: Pixels of a column and a row of CloudWatch's grid of 24 columns, of a gap, and of a letter of ten pixels.
_COLUMN, _ROW, _GAP, _LETTER = 50, 30, 4, 5.4

#: Pixels of "and 12 more".
_MORE = 60

_INK, _FAINT, _EDGE, _PAGE = "#16191f", "#687078", "#d5dbdb", "#f2f3f3"

#: Colours of the series, in CloudWatch's order.
_SERIES = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")

Widget = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Box:
    """Where something is drawn, in pixels."""

    x: int
    y: int
    width: int
    height: int


def draw(body: Mapping[str, Any], title: str) -> str:
    """The picture as SVG text. ``body``: the dashboard's JSON; the same JSON always gives the same text."""
    widgets = body["widgets"]
    height = _ROW * max(widget["y"] + widget["height"] for widget in widgets)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * _COLUMN} {height}" role="img" '
        'font-family="Helvetica, Arial, sans-serif" font-size="10">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{24 * _COLUMN}" height="{height}" fill="{_PAGE}"/>',
    ]
    for widget in widgets:
        lines += _widget(widget)
    return "\n".join([*lines, "</svg>", ""])


def _widget(widget: Widget) -> Iterator[str]:
    box = _Box(
        widget["x"] * _COLUMN + _GAP,
        widget["y"] * _ROW + _GAP,
        widget["width"] * _COLUMN - 2 * _GAP,
        widget["height"] * _ROW - 2 * _GAP,
    )
    properties = widget["properties"]
    match widget["type"]:
        case "text":
            yield from _text(properties["markdown"], box)
        case "alarm":
            yield from _alarms(properties, box)
        case _:
            yield from _graph(properties, box)


def _frame(box: _Box, title: str) -> Iterator[str]:
    yield (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="3" fill="#ffffff" '
        f'stroke="{_EDGE}"/>'
    )
    yield _words(box.x + 8, box.y + 15, title, box.width - 16, size=11, weight="bold")


def _text(markdown: str, box: _Box) -> Iterator[str]:
    """Headings and plain lines; a link is shown by its words."""
    y = box.y
    for line in markdown.splitlines():
        level = len(line) - len(line.lstrip("#"))
        size = {1: 18, 2: 14}.get(level, 10)
        y += size + 4
        yield _words(
            box.x + 4, y, _without_links(line.lstrip("# ")), box.width, size=size, weight="bold" if level else "normal"
        )


def _without_links(line: str) -> str:
    parts = line.split("](")
    words = [parts[0], *(part.partition(")")[2] for part in parts[1:])]
    return "".join(words).replace("[", "")


def _alarms(properties: Widget, box: _Box) -> Iterator[str]:
    """A pill for each alarm, column by column."""
    names = _short([arn.rpartition(":")[2] for arn in properties["alarms"]])
    yield from _frame(box, f"{properties['title']} ({len(names)})")
    rows = (box.height - 26) // 16
    columns = -(-len(names) // rows)
    width = (box.width - 12) // columns
    for place, name in enumerate(names):
        x, y = box.x + 8 + place // rows * width, box.y + 24 + place % rows * 16
        yield (
            f'<rect x="{x}" y="{y}" width="{width - 4}" height="13" rx="2" fill="#eaf3ea" stroke="#b7d8b7" '
            'stroke-width="0.5"/>'
        )
        yield _words(x + 4, y + 10, name, width - 12, size=9)


def _short(names: Sequence[str]) -> list[str]:
    """Names without the words that all of them begin with: those of the project and the environment."""
    words = [name.split("-") for name in names]
    common = sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*words, strict=False)))
    return ["-".join(parts[min(common, len(parts) - 1) :]) for parts in words]


def _graph(properties: Widget, box: _Box) -> Iterator[str]:
    yield from _frame(box, properties["title"])
    shown = [line for line in properties["metrics"] if _options(line).get("visible", True)]
    plot = _Box(box.x + 8, box.y + 22, box.width - 16, box.height - 40)
    for share in (0, 1, 2, 3):
        y = plot.y + plot.height * share // 3
        yield _rule(plot, y, _EDGE if share < 3 else _FAINT)
    yield from _thresholds(properties.get("annotations", {}).get("horizontal", ()), plot)
    yield from _legend(shown, _Box(plot.x, box.y + box.height - 14, plot.width, 12))


def _rule(plot: _Box, y: int, colour: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="5 3"' if dashed else ""
    return (
        f'<line x1="{plot.x}" y1="{y}" x2="{plot.x + plot.width}" y2="{y}" stroke="{colour}" '
        f'stroke-width="{1.5 if dashed else 0.5}"{dashes}/>'
    )


def _thresholds(marks: Sequence[Widget], plot: _Box) -> Iterator[str]:
    """Each threshold at its height; the highest stands at three quarters, so that there is room above it."""
    top = max((mark["value"] for mark in marks), default=0) or 1
    taken: list[int] = []
    for mark in sorted(marks, key=lambda mark: -float(mark["value"])):
        y = plot.y + plot.height - round(0.75 * plot.height * mark["value"] / top)
        yield _rule(plot, y, mark["color"], dashed=True)
        label = next(place for place in range(y - 3, y + 200, 11) if all(abs(place - other) > 10 for other in taken))
        taken.append(label)
        text = _words(plot.x + plot.width, label, mark["label"], plot.width, colour=mark["color"], anchor="end")
        yield text


def _legend(lines: Sequence[Sequence[Any]], box: _Box) -> Iterator[str]:
    """As many series by name as fit, and how many more there are."""
    names = [_options(line).get("label") or str(line[1]) for line in lines]
    x, end = box.x, box.x + box.width
    for place, name in enumerate(names):
        width = 18 + int(len(name) * _LETTER)
        left = len(names) - place
        if place and x + width + (_MORE if left > 1 else 0) > end:
            yield _words(x, box.y + 8, f"and {left} more", _MORE, size=9, colour=_FAINT)
            return
        yield f'<rect x="{x}" y="{box.y + 1}" width="7" height="7" fill="{_SERIES[place % len(_SERIES)]}"/>'
        yield _words(x + 10, box.y + 8, name, end - x - 10, size=9, colour=_FAINT)
        x += width


def _options(line: Sequence[Any]) -> Mapping[str, Any]:
    return line[-1] if isinstance(line[-1], Mapping) else {}


def _words(
    x: int,
    y: int,
    words: str,
    width: int,
    *,
    size: int = 10,
    weight: str = "normal",
    colour: str = _INK,
    anchor: str = "start",
) -> str:
    """A line of text, cut where ``width`` pixels end."""
    room = int(width / (_LETTER * size / 10))
    text = words if len(words) <= room else f"{words[: max(room - 1, 0)]}…"
    style = "" if weight == "normal" else f' font-weight="{weight}"'
    end = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{style}{end}>{escape(text)}</text>'


def picture(graph: Graph) -> str:
    """The picture of a captured stack's dashboard. Raises UserError where it declares none, or several."""
    dashboards = list(graph.of(DASHBOARD))
    if len(dashboards) != 1:
        raise UserError(f"{graph.stack} declares {len(dashboards)} dashboards; one is drawn.", "Declare one.")
    body = json.loads(dashboards[0].inputs["dashboardBody"])
    return draw(body, f"The dashboard of {graph.stack}")


def main(arguments: Sequence[str]) -> int:
    """Draws the dashboard of a stack of the current folder into a file."""
    if len(arguments) != 2:
        sys.stderr.write("Name a stack and a file: python -m runbook.handbook.dashboard prod docs/dashboard.svg\n")
        return 2
    stack, file = arguments
    try:
        Path(file).write_text(picture(preview(stack, Path.cwd())), encoding="utf-8")
    except UserError as error:
        sys.stderr.write("\n".join(error.lines) + "\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
