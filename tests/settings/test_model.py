"""What the model takes, refuses and derives."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from settings.model import AccessSettings, DatabaseSettings, NetworkSettings, Settings, WebSettings

DOMAIN = {"zone_id": "Z08425517RM3CH6WYP9LA", "zone_name": "learning.example", "host": "app.learning.example"}
MINIMAL = {
    "backups": {"weekly": {"time": "10:00"}},
    "environment": "dev",
    "region": "us-east-1",
    "recovery_region": "us-west-2",
    "ownership": {"owner": "team", "cost_center": "1"},
    "account": {"id": "528846019273"},
    "network": {"cidr": "10.20.0.0/16", "recovery_cidr": "10.120.0.0/16", "zones": ["us-east-1a", "us-east-1b"]},
    "access": {"admin_cidrs": []},
    "database": {"backup_window": "03:00-04:00", "maintenance_window": "Sun:05:00-Sun:06:00"},
    "web": {"domain": DOMAIN},
    "escalation": {
        "time_zone": "America/Detroit",
        "contacts": {
            key: {"name": key, "email": f"{key}@learning.example", "phone": f"+44770090014{digit}"}
            for digit, key in enumerate(("ana", "ben"))
        },
        "rotation": {"first_hand_over": "2026-01-05T09:00", "order": ["ana", "ben"]},
        "channels": {
            "slack_webhook_secret": "arn:aws:secretsmanager:us-east-1:528846019273:secret:slack-AbCdEf",
            "email_sender": "alerts@learning.example",
            "email_identity": "arn:aws:ses:us-east-1:528846019273:identity/learning.example",
            "sms_number": f"arn:aws:sms-voice:us-east-1:528846019273:phone-number/phone-{'3f' * 16}",
            "voice_number": f"arn:aws:sms-voice:us-east-1:528846019273:phone-number/phone-{'8c' * 16}",
        },
    },
    "alerts_email": "team@learning.example",
}


def database(**values):
    return DatabaseSettings(backup_window="03:00-04:00", maintenance_window="sun:05:00-sun:06:00", **values)


def network(**values):
    return NetworkSettings(**{**MINIMAL["network"], **values})


def test_what_a_stack_leaves_out_has_the_run_books_values():
    settings = Settings.model_validate(MINIMAL)
    assert settings.model_dump(include={"protect": True, "access": {"mode", "key_name"}}) == {
        "protect": True,
        "access": {"mode": "ssm", "key_name": None},
    }
    assert (settings.web.min_instances, settings.web.max_instances) == (1, 2)
    assert (settings.web.cpu_target_percent, settings.web.cooldown_seconds) == (70.0, 300)
    assert settings.database.backup_retention_days == 28
    assert settings.network.nat == "one"


def test_settings_cannot_be_changed():
    settings = Settings.model_validate(MINIMAL)
    with pytest.raises(ValidationError):
        settings.database.port = 1


def test_settings_made_in_python_obey_the_same_rules():
    wrong = {**MINIMAL, "environment": "prod"}
    with pytest.raises(ValidationError, match="Prod survives the loss of a zone"):
        Settings.model_validate(wrong)


def test_networks_may_be_given_as_such():
    assert network(cidr=IPv4Network("10.20.0.0/16")).cidr == IPv4Network("10.20.0.0/16")


def test_the_maintenance_window_is_kept_in_small_letters_as_rds_gives_it_back():
    assert Settings.model_validate(MINIMAL).database.maintenance_window == "sun:05:00-sun:06:00"


def ok(section, field, *values):
    return [pytest.param(section, field, value, id=f"{field} {value}") for value in values]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        *ok(network, "cidr", "10.0.0.0/16", "172.31.0.0/18", "192.168.240.0/20"),
        *ok(database, "engine_version", "14", "17", "16.9", "15.14"),
        *ok(database, "port", 1150, 5432, 65535),
        *ok(database, "name", "a", "Platform_2", "x" * 63),
        *ok(database, "username", "platform_admin", "admin1"),
        *ok(database, "storage_gib", 20, 65536),
        *ok(database, "backup_retention_days", 7, 35),
        *ok(database, "password_rotation_days", 1, 31),
        *ok(database, "log_retention_days", 1, 365, 3653),
        *ok(database, "monitoring_interval_seconds", 1, 60),
    ],
)
def test_a_right_value_is_kept(section, field, value):
    kept = getattr(section(**{field: value}), field)
    assert kept == (IPv4Network(value) if field == "cidr" else value)


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        *ok(network, "cidr", "10.0.0.0/15", "10.0.0.0/21", "172.32.0.0/16", "192.169.0.0/16", "10.0.0.0", "::/16", 10),
        *ok(network, "cidr", "10.0.0.0/255.255.0.0", "10.20.0.1/16", "010.0.0.0/16", "10.0.0.0/016", ""),
        *ok(database, "engine_version", "13", "18", "17.0", "17.", "17.4.1", "v17", 17, 17.4),
        *ok(database, "port", 1149, 65536, 0, -1, "5432", True, 5432.0, None),
        *ok(database, "name", "", "1a", "a-b", "select", "Table", "postgres", "template0", "x" * 64),
        *ok(database, "username", "root", "Admin", "postgres", "pg_monitor", "rds_superuser", "rdsadmin", "user"),
        *ok(database, "storage_gib", 19, 65537, "20"),
        *ok(database, "backup_retention_days", 0, 6, 36),
        *ok(database, "password_rotation_days", 0, 32),
        *ok(database, "log_retention_days", 0, 2, 366, 3654, "365", True),
        *ok(database, "monitoring_interval_seconds", 0, 2, 61, "60"),
        *ok(database, "instance_class", "db.t4g.nano", "t4g.micro", "db.m7g", "db.x99.large", ""),
        *ok(database, "multi_az", "true", 1, None),
        *ok(network, "zones", ["us-east-1a"], ["a", "b"], [], "us-east-1a", ["us-east-1a", "us-east-1A"], None),
        *ok(network, "flow_log_retention_days", 42),
    ],
)
def test_a_wrong_value_is_refused(section, field, value):
    with pytest.raises(ValidationError):
        section(**{field: value})


def access(**values):
    return AccessSettings(**{"admin_cidrs": [], **values})


def web(**values):
    return WebSettings(**{"domain": DOMAIN, **values})


def domain(**values):
    return web(domain={**DOMAIN, **values})


def settings(**values):
    return Settings.model_validate({**MINIMAL, **values})


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        *ok(access, "admin_cidrs", ["203.0.113.0/24"], ["203.0.113.7/32", "198.51.100.0/28"]),
        *ok(access, "key_name", None, "key", "a@b.c_d+e-f"),
        *ok(access, "instance_class", "t3.nano", "t4g.micro"),
        *ok(web, "instance_class", "m7i-flex.large", "c8g.medium"),
        *ok(web, "app_port", 1024, 65535),
        *ok(web, "health_path", "/h", "/health?deep=1"),
        *ok(web, "cpu_target_percent", 10, 55.5, 79.5),
        *ok(web, "memory_target_percent", 84.5),
        *ok(web, "cooldown_seconds", 60, 3600),
        *ok(web, "requests_per_5_minutes", 10, 30_000),
        *ok(domain, "host", "learning.example", "a.b.learning.example"),
        *ok(settings, "alerts_email", "a@b.co", "first.last+tag@sub.learning.example"),
        *ok(settings, "recovery_region", "eu-central-1"),
        *ok(settings, "ownership", {"owner": "Team A: x/y=z", "cost_center": "0"}),
        *ok(settings, "environment", "dev", "staging"),
    ],
)
def test_other_right_values_are_taken(section, field, value):
    section(**{field: value})


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        *ok(access, "admin_cidrs", ["0.0.0.0/24"], ["127.0.0.0/24"], ["224.0.0.0/24"], ["169.254.0.0/24"]),
        *ok(access, "admin_cidrs", ["203.0.112.0/23"], ["203.0.113.7/24"], [7], None, "203.0.113.0/24"),
        *ok(access, "admin_cidrs", [f"203.0.113.{number}/32" for number in range(9)]),
        *ok(access, "key_name", "", "my key", "a;b", "$(id)", 7),
        *ok(access, "instance_class", "t3.nanoo", "t2.micro", "m5.metal", "db.t3.micro"),
        *ok(access, "mode", "none", None, "SSM"),
        *ok(web, "app_port", 22, 443, 1023, 65536),
        *ok(web, "health_path", "", "/", "health", "/a b", "/é", "/" + "x" * 1024),
        *ok(web, "cpu_target_percent", 9, 80.1, "70", True, None, float("nan"), float("inf")),
        *ok(web, "memory_target_percent", 86),
        *ok(web, "cooldown_seconds", 59, 3601),
        *ok(web, "requests_per_5_minutes", 9, 30_001),
        *ok(web, "min_instances", 0, 3),
        *ok(web, "max_instances", 0, 3),
        *ok(domain, "host", "App.learning.example", "app", "app.learning.example.", "-a.learning.example"),
        *ok(domain, "host", f"{'a' * 63}.learning.example", "a_b.learning.example"),
        *ok(domain, "zone_id", "", "z08425517", "Z12", "/hostedzone/Z08425517RM"),
        *ok(settings, "alerts_email", "", "a", "a@b", "a b@c.de", "a..b@c.de", "a@c..de", "@c.de", "a@-c.de", None, 1),
        *ok(settings, "recovery_region", "us-east-9", "US-WEST-2", "", "us-west-2a"),
        *ok(settings, "ownership", {"owner": "x" * 257, "cost_center": "0"}, {"owner": " x", "cost_center": "0"}),
        *ok(settings, "account", {"id": "1234"}, {"id": 528846019273}, {"id": "52884601927a"}),
        *ok(settings, "environment", "test", "Prod", None),
        *ok(settings, "protect", "true", 0),
        *ok(settings, "surprise", 1),
    ],
)
def test_other_wrong_values_are_refused(section, field, value):
    with pytest.raises(ValidationError):
        section(**{field: value})


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_vpc_range_is_private_and_of_a_size_that_can_be_cut(address, prefix):
    cidr = IPv4Network((address, prefix), strict=False)
    private = any(map(cidr.subnet_of, map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))))
    try:
        taken = network(cidr=str(cidr)).cidr == cidr
    except ValidationError:
        taken = False
    assert taken == (private and 16 <= prefix <= 20)
