"""``python -m runbook.mutate [STACK]…``: the score of each stack, prod and staging where none is named.

Exit code 1 where an entry of the table meets nothing any more or a rule fails with an error; 2 for a mistake.
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from policies.rulebook.context import of_project

from .. import stacks, streams
from ..errors import UserError
from ..preview.project import preview
from . import judgement
from .score import Score, idle, report


def main(wanted: list[str]) -> int:
    try:
        folder = stacks.project_folder(None)
        table = judgement.load()
        chosen = stacks.chosen(wanted or ["prod", "staging"], folder)
        scores: list[Score] = []
        # A stack is a process of its own; they share nothing but the files.
        with ProcessPoolExecutor(len(chosen), mp_context=multiprocessing.get_context("spawn")) as pool:
            for stack, score in zip(chosen, pool.map(partial(scored, folder, table), chosen), strict=True):
                scores.append(score)
                streams.write("".join(f"{line}\n" for line in report(stack, score)))
    except UserError as error:
        streams.complain(error.lines)
        return 2
    # One stack alone does not have what all of them need.
    left = () if wanted else idle(scores, table)
    streams.complain([f"judgement.yaml: {entry.text!r} meets nothing any more; delete it." for entry in left])
    return 1 if left or any(score.broken for score in scores) else 0


def scored(folder: Path, table: judgement.Judgement, stack: str) -> Score:
    """The score of one stack, captured anew."""
    score = Score()
    score.take(preview(stack, folder), of_project(folder, stack), table)
    return score


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
