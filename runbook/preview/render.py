"""A preview for a person: the tree of resources, how many of each type, how much is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from ..console import Page
from ..words import count, is_default_provider, percent, short_type
from .graph import STACK_TYPE, Graph, Resource

#: So many unknown values are named; the digest has them all.
_MOST_UNKNOWN = 12

#: Rules judge by them, so their readers should know.
_STAND_INS = "What AWS makes up (ids, ARNs, endpoints) has a stand-in, which a real preview does not have."

_WIDEST_TYPE = 36


def lines(graph: Graph, page: Page) -> Iterator[Text]:
    """The whole page but for the rules' findings."""
    shown = [resource for resource in graph.resources if not is_default_provider(resource.type, resource.name)]
    yield from heading(graph, shown, page)
    yield Text()
    yield from tree(shown, page)
    yield Text()
    yield from counts(shown, page)
    yield Text()
    yield from fidelity(graph, page)
    yield from messages(graph, page)


def heading(graph: Graph, shown: Sequence[Resource], page: Page) -> Iterator[Text]:
    """What this is and how large."""
    components = sum(not resource.custom and resource.type != STACK_TYPE for resource in shown)
    made = sum(resource.custom for resource in shown)
    size = f"{count(made, 'resource')} in {count(components, 'component')}"
    title = Text.assemble(("Preview of ", "bold"), (graph.stack, "bold cyan"), f" ({graph.project}), offline: {size}")
    yield from page.hang(Text(), title)


def tree(shown: Sequence[Resource], page: Page) -> Iterator[Text]:
    """Stack, components, children. On a terminal, children of one type that have none of their own share a row.

    Nothing is left out, and the order is that of types and names.
    """
    urns = {resource.urn for resource in shown}
    children: dict[str | None, list[Resource]] = {}
    for resource in shown:
        children.setdefault(resource.parent if resource.parent in urns else None, []).append(resource)
    for root in sorted(children.get(None, ()), key=_by_type):
        if root.type == STACK_TYPE:
            yield Text(root.name, "bold cyan")
        else:
            yield Text.assemble((f"{short_type(root.type)}  ", "cyan"), _named(root))
        yield from _branches(children.get(root.urn, ()), children, page, Text())


def _branches(
    siblings: Sequence[Resource], children: Mapping[str | None, Sequence[Resource]], page: Page, indent: Text
) -> Iterator[Text]:
    leaves: dict[str, list[Resource]] = {}
    nodes: list[Resource] = []
    for resource in sorted(siblings, key=_by_type):
        if resource.urn in children or not resource.custom:
            nodes.append(resource)
        else:
            leaves.setdefault(short_type(resource.type), []).append(resource)
    rows = [row for type_, group in leaves.items() for row in _rows(type_, group, page)]
    column = min(max((len(title) for title, _ in rows), default=0), _WIDEST_TYPE)
    for number, (title, names) in enumerate(rows):
        branch, below = _limb(page, last=not nodes and number == len(rows) - 1)
        head = Text.assemble(indent, (branch, "dim"), (f"{title:<{column}}  ", "blue"))
        yield from page.hang(head, names, Text.assemble(indent, (below, "dim")))
    for number, node in enumerate(nodes):
        branch, below = _limb(page, last=number == len(nodes) - 1)
        name = _named(node)
        name.stylize("bold")
        yield Text.assemble(indent, (branch, "dim"), (f"{short_type(node.type)}  ", "cyan"), name)
        yield from _branches(children.get(node.urn, ()), children, page, Text.assemble(indent, (below, "dim")))


def _limb(page: Page, *, last: bool) -> tuple[str, str]:
    return (page.signs.last, page.signs.gap) if last else (page.signs.branch, page.signs.bar)


def _rows(type_: str, group: Sequence[Resource], page: Page) -> list[tuple[str, Text]]:
    """One row for them all on a terminal; one for each in a pipe, where lines are searched and compared."""
    if page.width is None or len(group) == 1:
        return [(type_, _named(resource)) for resource in group]
    return [(f"{type_} {page.signs.times}{len(group)}", Text(", ").join(map(_named, group)))]


def _by_type(resource: Resource) -> tuple[str, str]:
    return short_type(resource.type), resource.name


def _named(resource: Resource) -> Text:
    return Text.assemble(resource.name, (" (protected)", "green") if resource.protect else "")


def counts(shown: Sequence[Resource], page: Page) -> Iterator[Text]:
    """How many resources of each type, the most frequent first, in as many columns as fit."""
    yield Text("By type", "bold")
    numbers = Counter(short_type(resource.type) for resource in shown if resource.custom)
    cells = [f"{number:>4}  {type_}" for type_, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0]))]
    breadth = max(map(len, cells), default=0) + 2
    columns = max(1, (page.width or 1) // breadth)
    rows = -(-len(cells) // columns)
    for row in range(rows):
        yield Text("".join(cell.ljust(breadth) for cell in cells[row::rows]))


def fidelity(graph: Graph, page: Page) -> Iterator[Text]:
    """How much of the graph is known without an account, and what is not."""
    known = graph.fidelity
    share = f"{percent(known.known, known.total)} of {count(known.total, 'property value')} known. {_STAND_INS}"
    yield from page.hang(Text("Fidelity  ", "bold"), Text(share))
    if known.unknown:
        yield Text("Unknown before a deployment:")
    for path in known.unknown[:_MOST_UNKNOWN]:
        urn, _, property_ = path.rpartition("#")
        resource = graph.by_urn.get(urn)
        where = f"{resource.name}.{property_} ({short_type(resource.type)})" if resource else path
        yield from page.hang(Text("  "), Text(where))
    if (more := len(known.unknown) - _MOST_UNKNOWN) > 0:
        yield Text(f"  and {more:,} more")


def messages(graph: Graph, page: Page) -> Iterator[Text]:
    """What the program itself said."""
    if not graph.diagnostics:
        return
    yield Text()
    yield Text("Messages of the program", "bold")
    for diagnostic in graph.diagnostics:
        resource = graph.by_urn.get(diagnostic.urn or "")
        about = f"{resource.name}: " if resource else ""
        style = {"warning": "yellow", "error": "red"}.get(diagnostic.severity, "")
        head = Text(f"  {diagnostic.severity:<7}  ", style)
        for line in f"{about}{diagnostic.message}".strip().splitlines():
            yield from page.hang(head, Text(line))
            head = Text(" " * head.cell_len)
