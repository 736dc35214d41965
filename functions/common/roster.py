"""Who can be called, and who is on call when (``002_… §3.1``, ``004_… Emergency Contacts``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """``phone`` in the international form, ``+15125550142``."""

    name: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Who is on call from ``starts`` to ``ends`` instead; both are local times of the rotation's zone."""

    starts: datetime
    ends: datetime
    primary: str
    backup: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A shift lasts ``days`` and goes through ``order``, whose members are contacts; the next one is the backup.

    ``first_hand_over``: a local time of ``zone`` at which the first of ``order`` takes over.
    """

    zone: str
    first_hand_over: datetime
    days: int
    order: tuple[str, ...]
    overrides: tuple[Override, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The contacts by their key, and their rotation."""

    contacts: Mapping[str, Contact]
    rotation: Rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """When people are at work. ``days``: 0 is Monday; ``opens``: minutes after midnight, local time of ``zone``."""

    zone: str
    days: tuple[int, ...]
    opens: int
    holidays: tuple[date, ...]
