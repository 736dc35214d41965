"""The score of each stack, in a process of its own; they share nothing but the files."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from policies.rulebook.context import of_project

from .. import stacks, streams
from ..errors import UserError
from ..preview.project import preview
from . import judgement
from .score import Score, idle, report

#: What is judged where nobody says which: what is deployed for people.
STACKS = ("prod", "staging")


def run(wanted: Sequence[str], types: Sequence[str] = ()) -> int:
    """Prints the survivors and the score of each stack.

    ``types``: patterns of types without package and class (``s3/bucket*``); empty for all. Returns 1 where an entry of
    the table meets nothing any more or a rule fails with an error. Raises UserError for a mistake.
    """
    folder = stacks.project_folder(None)
    table = judgement.load()
    chosen = stacks.chosen(list(wanted) or list(STACKS), folder)
    scores: list[Score] = []
    with ProcessPoolExecutor(len(chosen), mp_context=multiprocessing.get_context("spawn")) as pool:
        for stack, score in zip(chosen, pool.map(partial(scored, folder, table, tuple(types)), chosen), strict=True):
            if types and not score.made:
                raise UserError(
                    f"{stack} has no resource of a type that is meant with {', '.join(types)}.",
                    "Write a type without package and class, such as 's3/bucket*'.",
                )
            scores.append(score)
            streams.write("".join(f"{line}\n" for line in report(stack, score)))
    # One stack alone, or some types, do not have what all of them need.
    left = () if wanted or types else idle(scores, table)
    streams.complain([f"judgement.yaml: {entry.text!r} meets nothing any more; delete it." for entry in left])
    return 1 if left or any(score.broken for score in scores) else 0


def scored(folder: Path, table: judgement.Judgement, types: Sequence[str], stack: str) -> Score:
    """The score of one stack, captured anew."""
    score = Score()
    score.take(preview(stack, folder), of_project(folder, stack), table, types=types)
    return score
