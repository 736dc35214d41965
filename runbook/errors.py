"""The one exception a person may cause; commands print it and end with 2."""

from __future__ import annotations


class UserError(Exception):
    """What is wrong, the value, the rule and the way out, in words; ``lines`` are printed one below the other."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
