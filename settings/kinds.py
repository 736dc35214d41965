"""The kinds of value a setting can have: each with its check, its rule in words, an example and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .faults import RefusedError, listed, nearest
from .instance_classes import EC2_MEMORY_GIB, RDS_MEMORY_GIB
from .postgres import RESERVED_DATABASES, RESERVED_ROLES, RESERVED_WORDS
from .regions import REGIONS
from .times import DAILY_PATTERN, WEEKLY_PATTERN, association_schedule, daily_window, weekly_window

#: What stands for an encrypted value where nothing can decrypt it, as in the CLI's own output.
PLACEHOLDER = "[secret]"


#: JSON Schema of an encrypted value.
SEALED: Mapping[str, Any] = {
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}

#: Why an encrypted value is refused where it decides what is built: a preview has nothing to decrypt it with.
SEALED_WRONG = "is encrypted, but what is built depends on it"
SEALED_WAY_OUT = "Write it without secure:"


class Sealed(str):
    """The placeholder of a value that the stack file holds encrypted; taken for any text whose form decides nothing."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """What a value of this kind must be. ``check`` returns the value to keep or raises RefusedError.

    ``example`` is YAML, ready to be pasted; ``may_be_sealed``: an encrypted value passes offline.
    """

    check: Callable[[Any], Any]
    rule: str
    example: str
    schema: Mapping[str, Any]
    may_be_sealed: bool = False

    def accept(self, value: Any) -> Any:
        """The value to keep. Raises PydanticCustomError, whose context has the wrong, the rule and the way out."""
        if isinstance(value, Sealed):
            if self.may_be_sealed:
                return value
            raise self._refusal(SEALED_WRONG, SEALED_WAY_OUT)
        try:
            return self.check(value)
        except RefusedError as error:
            raise self._refusal(error.wrong, error.way_out or self._way_out(value)) from None

    def _way_out(self, value: Any) -> str:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                self.check(str(value))
            except RefusedError:
                pass
            else:
                return f'Write it in quotes, digit by digit: "{value}"'
        return f"Write, for example, {self.example}"

    def _refusal(self, wrong: str, way_out: str) -> PydanticCustomError:
        details = {"wrong": wrong, "rule": self.rule, "way_out": way_out}
        return PydanticCustomError("setting", "{wrong}. {rule} {way_out}", details)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.accept)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = dict(self.schema)
        if not self.may_be_sealed:
            return schema
        return {"anyOf": [schema, SEALED]}


def what_it_is(value: Any) -> str:
    """``text``, ``a number``…: the type of a value in words."""
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "empty"}
    return names.get(type(value), "a list" if isinstance(value, (list, tuple)) else "a group of keys")


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise RefusedError(f"is {what_it_is(value)}, not text")


def text(what: str, pattern: str, rule: str, example: str, *, most: int | None = None, sealed: bool = False) -> Kind:
    """Text that matches ``pattern`` as a whole. ``what`` names it ("is no account id"); ``most``: characters."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str:
        found = _as_text(value)
        if not compiled.fullmatch(found):
            raise RefusedError(f"is no {what}" if found else "is empty")
        if most is not None and len(found) > most:
            raise RefusedError(f"is {len(found)} characters long")
        return found

    schema: dict[str, Any] = {"type": "string", "pattern": f"^(?:{pattern})$"}
    if most is not None:
        schema["maxLength"] = most
    return Kind(check=check, rule=rule, example=example, schema=schema, may_be_sealed=sealed)


def between(least: int, most: int, what: str, why: str = "") -> Kind:
    """A whole number from ``least`` to ``most``; ``what`` names it with its unit, ``why`` the reason of the bounds."""

    def check(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch("-?[0-9]+", value):
            raise RefusedError("is text, not a number", f"Write it without quotes: {value}")
        if isinstance(value, bool) or not isinstance(value, int):
            found = "not a whole number" if isinstance(value, float) else f"{what_it_is(value)}, not a number"
            raise RefusedError(f"is {found}", f"Write {least} to {most}.")
        if not least <= value <= most:
            raise RefusedError("is too small" if value < least else "is too large", f"Write {least} to {most}.")
        return value

    return Kind(
        check=check,
        rule=f"{what}, a whole number from {least} to {most}{': ' + why if why else ''}.",
        example=str(least),
        schema={"type": "integer", "minimum": least, "maximum": most},
    )


def percent(most: int, why: str) -> Kind:
    """A percentage from 10 to ``most``, with or without decimals."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise RefusedError(f"is {what_it_is(value)}, not a number")
        if not 10 <= value <= most:
            raise RefusedError("is too small" if value < 10 else "is too large", f"Write 10 to {most}.")
        return float(value)

    return Kind(
        check=check,
        rule=f"Percent, from 10 to {most}: {why}.",
        example=str(most - 10),
        schema={"type": "number", "minimum": 10, "maximum": most},
    )


def one_of_days(days: Collection[int]) -> Kind:
    """A number of days of which AWS knows only some."""
    known = sorted(days)

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise RefusedError(
                f"is {what_it_is(value)}, not a number of days", "Write it without quotes, for example 365."
            )
        if value not in days:
            longer = [day for day in known if day > value] or known[-1:]
            raise RefusedError("is a retention that CloudWatch Logs does not know", f"Write {longer[0]}.")
        return value

    return Kind(
        check=check,
        rule=f"Days; one of {listed(map(str, known))}.",
        example="365",
        schema={"type": "integer", "enum": known},
    )


def _known(what: str, known: Collection[str], example: str, rule: str) -> Kind:
    def check(value: Any) -> str:
        found = _as_text(value)
        if found not in known:
            near = nearest(found, known)
            raise RefusedError(f"is no {what}", f"Did you mean {near}?" if near else None)
        return found

    return Kind(check=check, rule=rule, example=example, schema={"type": "string", "enum": sorted(known)})


def _network(value: Any) -> IPv4Network:
    """The network, with the bits of a host in it cleared; see ``_from_its_start``."""
    if isinstance(value, IPv4Network):
        return value
    found = _as_text(value)
    if not re.fullmatch(r"[0-9.]+/[0-9]{1,2}", found):
        raise RefusedError("is not an IPv4 network: four numbers, a slash, a prefix length")
    try:
        return IPv4Network(found, strict=False)
    except ValueError:
        raise RefusedError("is not an IPv4 network") from None


def _from_its_start(network: IPv4Network, value: Any) -> IPv4Network:
    """``network`` where ``value`` names its first address; the last check, so that what it proposes is right."""
    if str(network) != str(value):
        raise RefusedError("does not begin at its first address", f"Write {network}")
    return network


_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def _vpc_cidr(value: Any) -> IPv4Network:
    network = _network(value)
    if not 16 <= network.prefixlen <= 20:
        raise RefusedError("is too large for a VPC" if network.prefixlen < 16 else "leaves no room for the subnets")
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise RefusedError("is not private")
    return _from_its_start(network, value)


def _admin_cidr(value: Any) -> IPv4Network:
    network = _network(value)
    if network.prefixlen < 24:
        raise RefusedError("lets in too many addresses")
    if network.is_multicast or network.is_loopback or network.is_link_local or network.network_address.packed[0] == 0:
        raise RefusedError("is no address that a person can come from")
    return _from_its_start(network, value)


def _daily(value: Any) -> str:
    found = _as_text(value)
    daily_window(found)
    return found


def _weekly(value: Any) -> str:
    # RDS gives the window back in small letters; as written, every preview would show a difference.
    found = _as_text(value).lower()
    weekly_window(found)
    return found


def _schedule(value: Any) -> str:
    found = _as_text(value)
    association_schedule(found)
    return found


_NAME = "[A-Za-z][A-Za-z0-9_]{0,62}"


def _database_name(value: Any) -> str:
    found = _name(value)
    if found.lower() in RESERVED_WORDS | RESERVED_DATABASES:
        raise RefusedError("is a word that PostgreSQL or RDS keeps for itself")
    return found


def _username(value: Any) -> str:
    found = _name(value)
    lower = found.lower()
    if lower in RESERVED_WORDS | RESERVED_ROLES or lower.startswith(("pg_", "rds_")):
        raise RefusedError("is a name that PostgreSQL or RDS keeps for itself, or that every attacker tries first")
    return found


def _name(value: Any) -> str:
    found = _as_text(value)
    if not re.fullmatch(_NAME, found):
        raise RefusedError("is no name of that form" if found else "is empty")
    return found


_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])"

REGION = _known("AWS region", REGIONS, "us-east-1", "The name of an AWS region.")

ZONE = text(
    "name of a zone with a place in the network plan",
    r"[a-z]{2}(?:-[a-z]+)+-[0-9][a-d]",
    "The name of an availability zone: a region and a letter. The network plan has a place for the letters a to d.",
    "us-east-1a",
)

VPC_CIDR = Kind(
    check=_vpc_cidr,
    rule="An IPv4 network of /16 to /20 inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918).",
    example="10.20.0.0/16",
    schema={"type": "string", "pattern": r"^(10|172|192)(\.[0-9]{1,3}){3}/(1[6-9]|20)$"},
)

ADMIN_CIDR = Kind(
    check=_admin_cidr,
    rule="An IPv4 network of /24 to /32 that administrators come from (003_… Patching & Updates).",
    example="203.0.113.0/28",
    schema={"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/(2[4-9]|3[0-2])$"},
)

EC2_CLASS = _known(
    "EC2 instance class",
    EC2_MEMORY_GIB,
    "t3.small",
    "An instance class of a current family: t3, t3a, t4g, and m, c and r from the fifth generation on.",
)

RDS_CLASS = _known(
    "RDS instance class",
    RDS_MEMORY_GIB,
    "db.t4g.small",
    "An RDS class whose memory is known, because max_connections is derived from it: db.t3, db.t4g, db.m5 to db.m8g "
    "and db.r5 to db.r8g.",
)

ENGINE_VERSION = text(
    "supported version of PostgreSQL",
    r"1[4-7](?:\.[1-9][0-9]?)?",
    "A PostgreSQL major version from 14 to 17, alone or with a minor version.",
    '"17"',
)

BACKUP_WINDOW = Kind(
    check=_daily,
    rule="A daily window in UTC of the form HH:MM-HH:MM, at least 30 minutes long.",
    example='"03:00-04:00"',
    schema={"type": "string", "pattern": DAILY_PATTERN},
)

MAINTENANCE_WINDOW = Kind(
    check=_weekly,
    rule="A weekly window in UTC of the form ddd:HH:MM-ddd:HH:MM, 30 minutes to 24 hours long.",
    example="sun:05:00-sun:06:00",
    schema={"type": "string", "pattern": WEEKLY_PATTERN},
)

ASSOCIATION_SCHEDULE = Kind(
    check=_schedule,
    rule="A schedule that associations of Systems Manager take: every 30 minutes, every 1, 2, 4, 8 or 12 hours, a UTC "
    "time of every day or of a weekday, or a rate from 30 minutes to 30 days.",
    example="cron(0 3 ? * SUN *)",
    schema={"type": "string", "pattern": r"^(cron\([^ ]+( [^ ]+){5}\)|rate\([1-9][0-9]* (minute|hour|day)s?\))$"},
)

LOG_RETENTION = one_of_days(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)

DATABASE_NAME = Kind(
    check=_database_name,
    rule="A letter, then letters, digits and underscores, 63 at most, and no reserved word.",
    example="platform",
    schema={"type": "string", "pattern": f"^{_NAME}$"},
    may_be_sealed=True,
)

USERNAME = Kind(
    check=_username,
    rule="A letter, then letters, digits and underscores, 63 at most; not postgres, admin or root, and not a role that "
    "exists already.",
    example="platform_admin",
    schema={"type": "string", "pattern": f"^{_NAME}$"},
    may_be_sealed=True,
)

KEY_NAME = text(
    "name of a key pair",
    r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,254}",
    "The name of an EC2 key pair of the account and region: letters, digits and . _ @ + - only, as the ssh command "
    "holds it (000_… §1).",
    "learning-platform-dev",
    sealed=True,
)

TAG_VALUE = text(
    "value of a tag",
    r"[A-Za-z0-9_.:/=+@-](?:[A-Za-z0-9_ .:/=+@-]{0,254}[A-Za-z0-9_.:/=+@-])?",
    "1 to 256 letters, digits, spaces and . : / = + - @ _, as AWS tags take them.",
    "platform-team",
)

ACCOUNT_ID = text("account id", "[0-9]{12}", "The 12 digits of an AWS account id, in quotes.", '"012345678901"')

IMAGE_ID = text(
    "id of an image",
    r"ami-([0-9a-f]{8}|[0-9a-f]{17})",
    "The id of an AMI of the account's region: ami- and 17 hexadecimal digits.",
    "ami-0a1b2c3d4e5f60718",
    sealed=True,
)

ZONE_ID = text(
    "id of a hosted zone", "Z[A-Z0-9]{7,31}", "The id of a Route 53 hosted zone.", "Z04178273JX5QN8VKM2TD", sealed=True
)

ZONE_NAME = text(
    "domain name", _DOMAIN, "A domain name in small letters, without a dot at its end.", "learning.example", sealed=True
)

HOST = text(
    "host name",
    _DOMAIN,
    "A full host name in small letters, 64 characters at most because it is the certificate's common name.",
    "app.learning.example",
    most=64,
    sealed=True,
)

EMAIL = text(
    "e-mail address",
    r"[A-Za-z0-9_%+'-]+(?:\.[A-Za-z0-9_%+'-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}",
    "An e-mail address that somebody reads.",
    "platform-alerts@learning.example",
    most=254,
    sealed=True,
)

HEALTH_PATH = text("path", r"/[!-~]{1,1023}", "A path below /, which any page would answer; without spaces.", "/health")
