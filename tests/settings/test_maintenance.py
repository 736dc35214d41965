"""What a stack may say of the maintenance page and of its hosts' certificates."""

import pytest
from pydantic import ValidationError

from settings.maintenance import MaintenanceSettings, broken_rules

SERVER = {"instance_id": "i-0a1b2c3d4e5f60718", "host": "prime.learning.example"}
ADDRESS = {"allocation_id": "eipalloc-0a1b2c3d4e5f60718"}
NAME = {"address": "198.51.100.7", "zone_id": "Z04178273JX5QN8VKM2TD"}


def faults(said, *, admin_cidrs=True, web_host="app.learning.example"):
    settings = MaintenanceSettings.model_validate(said)
    return [
        (".".join(map(str, fault.path)), fault.wrong)
        for fault in broken_rules(settings, admin_cidrs=admin_cidrs, web_host=web_host)
    ]


def refused(said):
    with pytest.raises(ValidationError) as caught:
        MaintenanceSettings.model_validate(said)
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors()]


def test_nothing_is_made_unless_a_stack_asks_for_it():
    settings = MaintenanceSettings()
    assert (settings.enabled, settings.certbot.enabled, settings.server) == (False, False, None)
    assert faults({}, admin_cidrs=False) == []


def test_switching_it_on_is_enough():
    assert MaintenanceSettings(enabled=True).mode == "listener-rule"
    assert faults({"enabled": True}, admin_cidrs=False) == []


@pytest.mark.parametrize(("mode", "needed"), [("elastic-ip", ADDRESS), ("dns", NAME)])
def test_each_mode_needs_its_own(mode, needed):
    said = {"enabled": True, "mode": mode}
    assert faults(said) == [("maintenance.mode", "has no server to stand in for")]
    assert faults({**said, "server": SERVER}) == [
        (f"maintenance.server.{key}", f"is missing while maintenance.mode is {mode}") for key in needed
    ]
    assert faults({**said, "server": {**SERVER, **needed}}) == []
    assert faults({"mode": mode}) == []


def test_a_name_has_one_owner():
    said = {"enabled": True, "mode": "dns", "server": {**SERVER, **NAME}}
    assert faults(said, web_host=SERVER["host"]) == [
        ("maintenance.server.host", "is web.domain.host, whose record leads to the load balancer")
    ]
    assert faults({**said, "mode": "listener-rule"}, web_host=SERVER["host"]) == []


def test_a_key_pair_needs_somebody_who_may_come():
    said = {"enabled": True, "key_name": "page"}
    assert faults(said, admin_cidrs=False) == [("maintenance.key_name", "lets nobody in")]
    assert faults(said) == []


def test_certbot_needs_a_server_and_an_address():
    assert faults({"enabled": True, "certbot": {"enabled": True}}) == [
        ("maintenance.certbot.enabled", "has no server to renew a certificate on"),
        ("maintenance.certbot.email", "is missing while certbot is enabled"),
    ]
    said = {"server": SERVER, "certbot": {"enabled": True, "email": "team@learning.example"}}
    assert faults({"enabled": True, **said}) == []
    assert faults(said) == [("maintenance.certbot.enabled", "has no server to renew a certificate on")]


@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        ("title", "Back at {{ until }}", "is no title"),
        ("message", "One line\nand another", "is no message"),
        ("message", " padded", "is no message"),
        ("brand", "x" * 61, "is 61 characters long"),
        ("accent", "red", "is no colour"),
        ("accent", "#fff", "is no colour"),
        ("language", "English", "is no language tag"),
        ("time_zone", "Mars/Olympus", "is no time zone"),
        ("contact", "nobody", "is no e-mail address"),
    ],
)
def test_the_page_takes_only_what_can_be_shown(key, value, wrong):
    [(place, said)] = refused({"page": {key: value}})
    assert place == f"page.{key}"
    assert said.startswith(f"{wrong}. ")


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1", "0.0.0.0"])  # noqa: S104
def test_dns_leads_to_an_address_of_the_internet(address):
    [(_, said)] = refused({"server": {**SERVER, "address": address}})
    assert said.startswith("is no address of the internet. ")


@pytest.mark.parametrize(
    ("address", "wrong"),
    [("198.51.100", "is no IPv4 address"), (7, "is a number, not text"), ("::1", "is no IPv4 address")],
)
def test_dns_leads_to_an_ipv4_address(address, wrong):
    [(_, said)] = refused({"server": {**SERVER, "address": address}})
    assert said.startswith(f"{wrong}. A public IPv4 address.")


@pytest.mark.parametrize("webroot", ["var/www", "/var/www/", "/var/www/my site", "/", "/a$(b)"])
def test_the_webroot_is_a_plain_folder(webroot):
    [(place, _)] = refused({"certbot": {"webroot": webroot}})
    assert place == "certbot.webroot"
