"""``python -m runbook.diff DOCUMENT``: the comment from a stored difference, with the standard library alone.

For the job that may write: it reads data, runs nothing of the change, and installs nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import comment, document

MISTAKE = 2

#: Characters; a difference of three large stacks has two million. What is longer is cut, and so no document.
_LARGEST = 50_000_000


def main() -> int:
    """Prints the comment; ends with 2 where the file is no such document."""
    parser = argparse.ArgumentParser(prog="python -m runbook.diff", description="The comment from a stored difference.")
    parser.add_argument("document", type=Path, help="what `runbook diff --format json` printed")
    parser.add_argument("--link", help="where a reader finds the whole document")
    parser.add_argument("--commit", help="the full hash of the commit that was compared")
    given = parser.parse_args()
    try:
        with given.document.open(encoding="utf-8") as file:
            found = document.read(file.read(_LARGEST))
    except (OSError, UnicodeDecodeError, document.DocumentError) as error:
        sys.stderr.write(f"{given.document} is no difference. {error}\n")
        return MISTAKE
    sys.stdout.write(comment.text(found, link=given.link, commit=given.commit))
    return 0


if __name__ == "__main__":
    sys.exit(main())
