"""What a stack may say of the maintenance page and of its hosts' certificates (``003_… Patching & Updates``)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import Field

from . import kinds
from .escalation import TIME_ZONE
from .faults import Fault, Path, RefusedError
from .kinds import Kind, between, text
from .section import Section

#: How requests are led to the page.
Mode = Literal["listener-rule", "elastic-ip", "dns"]

#: RFC 6890: this network, private networks, carriers' networks, loopback, link-local, multicast and beyond.
_NOT_PUBLIC = tuple(
    map(
        IPv4Network,
        [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/3",
        ],
    )
)

_PATH = r"/(?:[A-Za-z0-9._-]+/)*[A-Za-z0-9._-]+"


def _words(what: str, most: int, example: str) -> Kind:
    # Braces would be read as parameters by Systems Manager, which brings the page to its machine.
    return text(what, r"[^\s{}\x00-\x1f](?:[^{}\x00-\x1f]*[^\s{}\x00-\x1f])?", _plain(most), example, most=most)


def _plain(most: int) -> str:
    return f"Plain text of one line, {most} characters at most, without braces."


def _address(value: Any) -> str:
    if not isinstance(value, str):
        raise RefusedError(f"is {kinds.what_it_is(value)}, not text")
    try:
        address = IPv4Address(value)
    except ValueError:
        raise RefusedError("is no IPv4 address") from None
    if any(address in network for network in _NOT_PUBLIC):
        raise RefusedError("is no address of the internet")
    return value


COLOUR = text("colour", "#[0-9A-Fa-f]{6}", "A colour of the form #RRGGBB, in quotes.", '"#0b5cad"')

LANGUAGE = text(
    "language tag", r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-[A-Z]{2})?", "The tag of a language as HTML takes it.", "en"
)

INSTANCE_ID = text(
    "id of an instance", r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})", "The id of an EC2 instance.", "i-0a1b2c3d4e5f60718"
)

ALLOCATION_ID = text(
    "allocation id of an Elastic IP address",
    r"eipalloc-(?:[0-9a-f]{8}|[0-9a-f]{17})",
    "The allocation id of an Elastic IP address.",
    "eipalloc-0a1b2c3d4e5f60718",
)

ROLE_NAME = text("name of a role", r"[\w+=,.@-]{1,64}", "The name of an IAM role, without a path.", "prime-server")

ADDRESS = Kind(
    check=_address,
    rule="A public IPv4 address.",
    example='"198.51.100.7"',
    schema={"type": "string", "format": "ipv4"},
)

FOLDER = text("folder", _PATH, "An absolute path of letters, digits and . _ -", "/var/www/html", most=200)

CONTAINER = text("name of a container", "[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", "The name of a Docker container.", "nginx")


class PageSettings(Section):
    """What the page says and how it looks."""

    brand: Annotated[str, _words("name", 60, "Learning platform")] = Field(
        default="Learning platform", description="Whose page it is; stands above its title."
    )
    title: Annotated[str, _words("title", 80, "We will be back soon")] = Field(
        default="We will be back soon", description="Title of the page."
    )
    message: Annotated[str, _words("message", 400, "We are updating the platform.")] = Field(
        default="We are updating the platform. Your work is saved, and nothing is lost.",
        description="What is going on, in a sentence or two.",
    )
    until_label: Annotated[str, _words("label", 60, "Expected back")] = Field(
        default="Expected back", description="Stands before the end time, which is shown where it is known."
    )
    retry_label: Annotated[str, _words("label", 40, "Try again")] = Field(
        default="Try again", description="The button that asks again."
    )
    contact_label: Annotated[str, _words("label", 80, "Questions?")] = Field(
        default="Questions?", description="Stands before the contact."
    )
    contact: Annotated[str, kinds.EMAIL] | None = Field(
        default=None, description="Public e-mail address on the page; none by default."
    )
    accent: Annotated[str, COLOUR] = Field(default="#0b5cad", description="Colour of the button and of the stripe.")
    language: Annotated[str, LANGUAGE] = Field(default="en", description="Language of the texts above.")
    time_zone: Annotated[str, TIME_ZONE] = Field(default="UTC", description="Zone that the end time is shown in.")


class ServerSettings(Section):
    """A server outside this stack that the page stands in for: its own nginx, its own Let's Encrypt certificate."""

    instance_id: Annotated[str, INSTANCE_ID] = Field(
        description="The server, in this account and region, managed by Systems Manager."
    )
    host: Annotated[str, kinds.HOST] = Field(description="Its host name; its certificate bears it.")
    health_path: Annotated[str, kinds.HEALTH_PATH] = Field(
        default="/", description="Path that answers 2xx or 3xx when the server is well; dns asks it."
    )
    role_name: Annotated[str, ROLE_NAME] | None = Field(
        default=None,
        description="Its role, which is allowed to hand the certificate over; none: somebody else does it.",
    )
    allocation_id: Annotated[str, ALLOCATION_ID] | None = Field(
        default=None, description="Its Elastic IP address, which elastic-ip moves."
    )
    address: Annotated[str, ADDRESS] | None = Field(default=None, description="Its public address, which dns leads to.")
    zone_id: Annotated[str, kinds.ZONE_ID] | None = Field(
        default=None, description="The hosted zone of its host name, in which dns writes both records."
    )


class CertbotSettings(Section):
    """Renewal of the server's certificate without stopping it (``003_… Certificate & Domain Renewal``)."""

    enabled: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="Certbot and its timer on the server; the load balancer's certificate needs none."
    )
    email: Annotated[str, kinds.EMAIL] | None = Field(
        default=None, description="Address of the account with Let's Encrypt; needed where certbot is enabled."
    )
    webroot: Annotated[str, FOLDER] = Field(
        default="/var/www/html", description="Folder of the server from which the site's files are served."
    )
    container: Annotated[str, CONTAINER] | None = Field(
        default=None, description="Docker container that nginx runs in; none: it runs on the server itself."
    )
    late_days: Annotated[int, between(3, 20, "Days", "less than a third of the certificate's life")] = Field(
        default=14, description="Days to expiry at which the renewal is late (003_… The renew should happen regularly)."
    )
    drill_schedule: Annotated[str, kinds.ASSOCIATION_SCHEDULE] = Field(
        default="cron(0 5 ? * SUN#1 *)",
        description="When the renewal is rehearsed against staging servers, UTC; monthly.",
    )


class MaintenanceSettings(Section):
    """The machine that answers while the platform is being worked on (``003_… Patching & Updates``)."""

    enabled: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="A t3.nano with the page, always ready; about 8 USD a month with its address."
    )
    mode: Mode = Field(
        default="listener-rule",
        description="How requests are led to the page: by a rule of the load balancer; or, for server, by moving its "
        "Elastic IP address or by its DNS name.",
    )
    key_name: Annotated[str, kinds.KEY_NAME] | None = Field(
        default=None, description="EC2 key pair for SSH; none: Session Manager alone (003_… Patching & Updates)."
    )
    page: PageSettings = Field(default=PageSettings(), description="Text and colours of the page.")
    server: ServerSettings | None = Field(
        default=None,
        description="A server outside this stack that the page stands in for; none for the platform itself.",
    )
    certbot: CertbotSettings = Field(default=CertbotSettings(), description="Renewal of the server's certificate.")
    hand_over_schedule: Annotated[str, kinds.ASSOCIATION_SCHEDULE] = Field(
        default="cron(0 2 ? * SUN *)", description="When the server hands its certificate over, UTC."
    )


def broken_rules(
    settings: MaintenanceSettings,
    *,
    admin_cidrs: bool,
    web_host: str,
    path: Path = ("maintenance",),
) -> Iterator[Fault]:
    """Faults of settings whose values are each right by themselves.

    ``admin_cidrs``: whether administrators' ranges are known; ``web_host``: the platform's own name; ``path``: where
    ``settings`` stands.
    """
    if settings.enabled:
        yield from _mode_rules(settings, web_host, path)
        if settings.key_name is not None and not admin_cidrs:
            yield Fault(
                path=(*path, "key_name"),
                wrong="lets nobody in",
                rule="SSH is open to access.admin_cidrs only (003_… Patching & Updates), and there are none.",
                way_out="Delete the line, or add the range that administrators come from.",
            )
    if settings.certbot.enabled:
        yield from _certbot_rules(settings, (*path, "certbot"))


def _mode_rules(settings: MaintenanceSettings, web_host: str, path: Path) -> Iterator[Fault]:
    mode, server = settings.mode, settings.server
    needed = {"listener-rule": (), "elastic-ip": ("allocation_id",), "dns": ("address", "zone_id")}[mode]
    if needed and server is None:
        yield Fault(
            path=(*path, "mode"),
            wrong="has no server to stand in for",
            rule=f"{mode} leads the requests of one server away; the platform itself is behind a load balancer.",
            way_out="Add maintenance.server, or write mode: listener-rule.",
        )
    for key in needed if server is not None else ():
        if getattr(server, key) is None:
            yield Fault(
                path=(*path, "server", key),
                wrong=f"is missing while maintenance.mode is {mode}",
                rule={
                    "allocation_id": "Moving an address needs to know which.",
                    "address": "The name leads to the server's address while it is well.",
                    "zone_id": "Both records are written in the hosted zone of the server's name.",
                }[key],
                way_out=f"Add {key}, or write mode: listener-rule.",
            )
    if mode == "dns" and server is not None and server.host == web_host:
        yield Fault(
            path=(*path, "server", "host"),
            wrong="is web.domain.host, whose record leads to the load balancer",
            rule="A name has one owner.",
            way_out="Write mode: listener-rule, which needs no change of DNS.",
        )


def _certbot_rules(settings: MaintenanceSettings, path: Path) -> Iterator[Fault]:
    if not settings.enabled or settings.server is None:
        yield Fault(
            path=(*path, "enabled"),
            wrong="has no server to renew a certificate on",
            rule="Certbot runs on maintenance.server; the load balancer's certificate is renewed by ACM.",
            way_out="Write false, or maintenance.enabled: true and maintenance.server.",
        )
    if settings.certbot.email is None:
        yield Fault(
            path=(*path, "email"),
            wrong="is missing while certbot is enabled",
            rule="Let's Encrypt registers an address for each account (003_… Certificate & Domain Renewal).",
            way_out="Add the address of a team.",
        )
