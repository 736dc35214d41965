"""What the rules cost over large stacks: the graph of a real stack, again and again under other names.

    python bench/rules.py [--stack prod] [--runs 3] [--json]

Everything is judged by the code behind `runbook audit`. Times are processor seconds, the best of the runs. A straight
line has a ratio of about 2 from each size to the next, and from half of the rules to all.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from policies.rulebook import RULES  # noqa: E402 - the folder of the project comes first
from policies.rulebook.context import of_project  # noqa: E402
from policies.rulebook.resource import Context  # noqa: E402
from policies.rulebook.rule import Rule  # noqa: E402
from runbook.audit.evaluate import audit  # noqa: E402
from runbook.preview.graph import Graph  # noqa: E402
from runbook.preview.project import preview  # noqa: E402

SIZES = (625, 1250, 2500, 5000)


def enlarged(graph: Graph, size: int) -> Graph:
    """``graph`` over and over until ``size`` resources are there; within each copy all relations hold as in the first.

    The last copy is cut. As a graph is in the order of its dependencies, what is left of it refers to nothing missing.
    """
    copies = -(-size // len(graph.resources))
    named = names_of(graph)
    resources = (replace(r, **renamed(fields(r), named, copy)) for copy in range(copies) for r in graph.resources)
    return replace(graph, resources=tuple(resources)[:size])


def fields(resource: Any) -> dict[str, Any]:
    """What of a resource says who it is and to whom it refers."""
    keys = ("urn", "id", "parent", "dependencies", "property_dependencies", "inputs", "outputs")
    return {key: getattr(resource, key) for key in keys}


def names_of(graph: Graph) -> re.Pattern[str]:
    """Finds what is one stack's alone: the project's name, and names and ids that the provider makes."""
    made = r"(?<![0-9a-f])(?:[0-9a-f]{7}|[0-9a-f]{17}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|[0-9A-F]{26})(?![0-9a-f])"
    return re.compile(f"{re.escape(graph.project)}|{made}")


def renamed(value: Any, named: re.Pattern[str], copy: int) -> Any:
    """``value`` in the names of a copy; the first one keeps its own."""
    if not copy:
        return value
    if isinstance(value, str):
        return named.sub(lambda name: f"{name[0]}{copy:x}", value)
    if isinstance(value, dict):
        return {renamed(key, named, copy): renamed(item, named, copy) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(renamed(item, named, copy) for item in value)
    return value


def best(runs: int, graph: Graph, context: Context, rules: Sequence[Rule]) -> float:
    """Processor seconds of one audit."""

    def once() -> float:
        started = time.process_time()
        audit(graph, context, rules)
        return time.process_time() - started

    return min(once() for _ in range(runs))


def slowest(graph: Graph, context: Context, count: int) -> list[tuple[str, float]]:
    """The rules that take longest, with their processor seconds; what several share is the first one's."""
    spent: Counter[str] = Counter()

    def timed(rule: Rule) -> Callable[..., Iterator[Any]]:
        def check(*given: Any) -> Iterator[Any]:
            started = time.process_time()
            try:
                yield from rule.check(*given)  # type: ignore[attr-defined]  # both kinds of rules have it
            finally:
                spent[rule.id] += time.process_time() - started

        return check

    audit(graph, context, [replace(rule, check=timed(rule)) for rule in RULES])  # type: ignore[call-arg]
    return spent.most_common(count)


def measure(stack: str, runs: int) -> dict[str, Any]:
    one, context = preview(stack, ROOT), of_project(ROOT, stack)
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        graph = enlarged(one, size)
        seconds = best(runs, graph, context, RULES)
        said = audit(graph, context)
        rows.append(
            {
                "resources": size,
                "seconds": seconds,
                "us_per_resource_and_rule": seconds / size / len(RULES) * 1e6,
                "ratio": seconds / rows[-1]["seconds"] if rows else None,
                "findings": len(said.findings),
                "not_evaluated": len(said.not_evaluated),
            }
        )
    return {
        "stack": stack,
        "rules": len(RULES),
        "rows": rows,
        "half_of_the_rules": best(runs, graph, context, RULES[::2]),
        "slowest": slowest(graph, context, 10),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="prod")
    parser.add_argument("--runs", type=int, default=3, help="how often each audit is repeated")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.stack, given.runs)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['rules']} rules over {given.stack}, enlarged\n")
    print("resources  seconds  us/(resource*rule)  ratio  findings  not evaluated")
    for row in found["rows"]:
        ratio = f"{row['ratio']:5.2f}" if row["ratio"] else "     "
        print(
            f"{row['resources']:9d}  {row['seconds']:7.3f}  {row['us_per_resource_and_rule']:18.3f}  {ratio}"
            f"  {row['findings']:8d}  {row['not_evaluated']:13d}"
        )
    largest = found["rows"][-1]["seconds"]
    half = found["half_of_the_rules"]
    print(f"\nHalf of the rules over {SIZES[-1]}: {half:.3f} s; all of them take {largest / half:.2f} times that.\n")
    print(f"The slowest ten over {SIZES[-1]}, seconds:")
    for name, seconds in found["slowest"]:
        print(f"  {seconds:6.3f}  {name}")


if __name__ == "__main__":
    main()
