"""Tags and length-safe physical names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

#: Tags that every taggable resource carries (rule ``gov-tags``).
REQUIRED_TAGS = ("Environment", "Owner", "Service", "CostCenter", "Backup", "RunbookRef")


#: What every AWS service takes in a tag's value: letters, digits, spaces and these signs, 256 characters at most.
_TAG_VALUE = re.compile(r"[\w .:/=+\-@]{0,256}")


def fit(name: str, limit: int) -> str:
    """``name``, or its head and a 7-digit hash of the whole where it is longer than ``limit`` characters.

    Raises ValueError when ``limit`` leaves no room for the hash.
    """
    if limit < 9:
        raise ValueError(f"A name limit of {limit} leaves no room for a hash; the least is 9.")
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:7]
    return f"{name[: limit - 8].rstrip('-')}-{digest}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """What names and tags are made of; the same for every component of a stack."""

    project: str
    environment: str
    owner: str
    cost_center: str

    def physical(self, *parts: str, limit: int = 63) -> str:
        """``project-environment-part…`` for the few resources whose name AWS or an operator must know."""
        return fit("-".join((self.project, self.environment, *parts)), limit)

    def path(self, *parts: str) -> str:
        """``/project/environment/part…``, for SSM parameters and log groups."""
        return "/" + "/".join((self.project, self.environment, *parts))

    def tags(self, *, service: str, runbook: str, backup: str = "none", **extra: str) -> dict[str, str]:
        """The required tags and any others.

        ``service``: the component's system; ``runbook``: the file and section of the run book it answers
        (``000_b5883a9168e66709.txt 3``); ``backup``: the backup class that selections by tag look for (``none`` or
        ``weekly``). Raises ValueError for a value that AWS would refuse.
        """
        tags = {
            "Backup": backup,
            "CostCenter": self.cost_center,
            "Environment": self.environment,
            "Owner": self.owner,
            "Project": self.project,
            "RunbookRef": runbook,
            "Service": service,
            **extra,
        }
        for key, value in tags.items():
            if not _TAG_VALUE.fullmatch(value):
                raise ValueError(
                    f"Tag {key} is {value!r}; AWS takes letters, digits, spaces and _.:/=+-@, 256 characters at most."
                )
        return tags
