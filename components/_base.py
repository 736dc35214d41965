"""What every component is: a type token, labels, and children that are its own."""

from __future__ import annotations

from typing import Any, ClassVar

import pulumi

from settings.naming import Labels


class Component(pulumi.ComponentResource):
    """A system of the run books.

    ``TYPE`` is its token and never changes without an alias; ``SERVICE`` and ``RUNBOOK`` (file and
    section, ``000_b5883a9168e66709.txt 3``) become tags of each child.
    """

    TYPE: ClassVar[str]
    SERVICE: ClassVar[str]
    RUNBOOK: ClassVar[str]

    def __init__(self, name: str, labels: Labels, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TYPE, name, None, opts)
        self.name = name
        self.labels = labels

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a child. The component's own options reach it through the parent, never by merging."""
        return pulumi.ResourceOptions(parent=self, **options)

    def tags(self, name: str | None = None, *, backup: str = "none", **extra: str) -> dict[str, str]:
        """The tags of a child; ``name`` is the logical name shown as ``Name`` in the console."""
        named = {"Name": self.labels.physical(name, limit=128)} if name else {}
        return self.labels.tags(service=self.SERVICE, runbook=self.RUNBOOK, backup=backup, **named, **extra)
