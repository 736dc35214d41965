"""The monthly drill (``004_… Backup and Recovery Testing``): the database and a host's files, and evidence of both."""

from __future__ import annotations

from ..procedure import Done, Facts, Look, Stage
from . import files
from .database import Restoration
from .files import Shelf


def stages(restoration: Restoration, shelf: Shelf) -> tuple[Stage, ...]:
    """The trial restore, and the newest backup of any host verified.

    The files are verified also where the database failed: a drill tells of all that is wrong.
    """

    def look(facts: Facts) -> Look:
        found = restoration.findings()
        if found is not None:
            return Done(found["facts"])
        check, told = files.newest_check(shelf)
        others = [one for one in facts.get("checks", ()) if one["name"] != check.name]
        return Done({"checks": [*others, check.document()], "files": told})

    verified = Stage(
        name="files",
        changes="Verifies the newest backup of a host against its manifest.",
        look=look,
        action=("s3:ListBucket", "s3:GetObject"),
        always=True,
    )
    return restoration.stages(verified)
