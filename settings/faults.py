"""How a mistake is told: what is wrong, the rule, the way out. The value itself is shown by whoever holds it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

#: Where a value stands: the keys and list positions that lead to it from the top of the settings.
Path = tuple[str | int, ...]


#: How the sentence on a setting that is not there begins.
MISSING = "is missing"


class RefusedError(ValueError):
    """A value breaks the rule of its kind. ``wrong`` goes on where the value ends: "is not an IPv4 network"."""

    def __init__(self, wrong: str, way_out: str | None = None) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.way_out = way_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A mistake at ``path``. ``wrong`` has no full stop; ``rule`` and ``way_out`` are whole sentences.

    ``quiet``: the value is not shown, because nobody knows what it is: it may be a password under a wrong key.
    ``meant``: where the value probably belongs; that nothing stands there is then no mistake of its own.
    """

    path: Path
    wrong: str
    rule: str
    way_out: str
    quiet: bool = False
    meant: Path | None = None


def without_echoes(faults: Iterable[Fault]) -> list[Fault]:
    """The faults without those of settings that are missing only because their key is misspelt."""
    faults = list(faults)
    meant = {fault.meant for fault in faults}
    return [fault for fault in faults if not fault.wrong.startswith(MISSING) or fault.path not in meant]


def listed(words: Iterable[str], last: str = "or") -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *head, tail = words
    return f"{', '.join(head)} {last} {tail}" if head else tail


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant, or None where nothing is close."""
    return next(iter(get_close_matches(word, sorted(known), n=1, cutoff=0.6)), None)
