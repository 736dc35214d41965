"""What the function's package holds: its own sources, and the driver of the database as it is installed here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

FUNCTION = "validate_restore"

#: The driver of PostgreSQL: pure Python, so that one package serves every architecture.
DRIVER = "pg8000"

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def files(root: Path) -> dict[str, str]:
    """Path in the package -> path below ``root``, sorted: sources of the function, the shared ones, and the driver's.

    The driver lies in the virtual environment that ``Pulumi.yaml`` names, so its paths are the same on every machine;
    what it is made of is pinned with hashes. Raises ValueError where it is not installed.
    """
    folders = (root / "functions" / FUNCTION, root / "functions" / "common")
    own = [root / "functions" / "__init__.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    packed = {path.relative_to(root).as_posix(): path for path in own} | dict(_driver())
    return {name: Path(os.path.relpath(path, root)).as_posix() for name, path in sorted(packed.items())}


def _driver() -> Iterator[tuple[str, Path]]:
    """The driver and what it needs, itself included, each module under the path by which it is imported."""
    waiting, seen = [DRIVER], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = _distribution(name)
        waiting += [match[0] for need in found.requires or () if "extra ==" not in need if (match := _NAME.match(need))]
        for path in found.files or ():
            # Some look up their own version when they are imported, which stands in the metadata.
            if (path.suffix == ".py" or path.name == "METADATA") and ".." not in path.parts:
                yield path.as_posix(), Path(str(found.locate_file(path)))


def _distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise ValueError(
            f"The package {name!r} is not installed; the restore test's function carries it. "
            "Run pip install -r requirements.txt."
        ) from None
