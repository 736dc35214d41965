"""The schema that editors pick up: the same file, the same keys, and no stricter than the loader."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from settings.load import schema
from settings.model import Settings
from settings.schema import schema_text

from .stacks import PROD, STAGING, edited

ROOT = Path(__file__).parents[2]
FILE = ROOT / "settings" / "learning-platform.schema.json"
VALIDATOR = jsonschema.Draft7Validator(schema())


def errors(text):
    return [error.json_path for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def sections(model=Settings):
    """A section and all below it: in its fields, in their lists and in their mappings."""
    yield model
    for field in model.model_fields.values():
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from sections(inner)


def test_the_file_is_what_the_command_prints():
    assert FILE.read_text(encoding="utf-8") == schema_text(), f"runbook settings schema > {FILE.relative_to(ROOT)}"


def test_it_is_a_schema():
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("text", [STAGING, PROD])
def test_a_right_file_is_right_to_the_schema(text):
    assert errors(text) == []


def test_it_knows_every_setting_and_refuses_all_others():
    known = {section.__name__: set(section.model_fields) for section in sections() if section is not Settings}
    definitions = schema()["definitions"]
    assert {name: set(part["properties"]) for name, part in definitions.items()} == known
    assert {name for name, part in definitions.items() if part["additionalProperties"] is not False} == set()


def test_every_setting_says_what_it_is():
    parts = [part for definition in schema()["definitions"].values() for part in definition["properties"].values()]
    parts += schema()["properties"]["config"]["properties"].values()
    assert [part for part in parts if not part.get("description", "").strip()] == []


@pytest.mark.parametrize(
    ("section", "setting", "words"),
    [
        ("DatabaseSettings", "backup_retention_days", ["Days", "000_… §4"]),
        ("DatabaseSettings", "storage_gib", ["GiB"]),
        ("DatabaseSettings", "slow_query_ms", ["milliseconds", "004_…"]),
        ("WebSettings", "cooldown_seconds", ["Seconds", "004_…"]),
        ("WebSettings", "cpu_target_percent", ["percent", "004_…"]),
        ("NetworkSettings", "flow_log_retention_days", ["Days", "004_…"]),
    ],
)
def test_a_number_says_its_unit_and_its_source(section, setting, words):
    description = schema()["definitions"][section]["properties"][setting]["description"]
    assert [word for word in words if word not in description] == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("    nat: one", "    nad: one"), "$.config['learning-platform:network']"),
        (("    nat: one", "    nat: two"), "$.config['learning-platform:network'].nat"),
        (("cidr: 10.20.0.0/16", "cidr: 10.20.0.0/8"), "$.config['learning-platform:network'].cidr"),
        (("flow_log_retention_days: 90", "flow_log_retention_days: 91"), None),
        (("[us-east-1a, us-east-1b]", "[us-east-1a]"), "$.config['learning-platform:network'].zones"),
        (("port: 5432", "port: 80"), "$.config['learning-platform:database'].port"),
        (("05:30-06:15", "5:30-6:15"), "$.config['learning-platform:database'].backup_window"),
        (("db.t4g.medium", "db.t4g.mediun"), "$.config['learning-platform:database'].instance_class"),
        (("cron(0 2 ? * * *)", "cron(0 2 * * *)"), "$.config['learning-platform:web'].agent_schedule"),
        (("platform-staging@", "platform-staging."), "$.config['learning-platform:alerts_email']"),
        (("protect: true", "protect: maybe"), "$.config['learning-platform:protect']"),
        (("  aws:region: us-east-1\n", ""), "$.config"),
        (("aws:region", "aws:regoin"), None),
        (("config:\n", "confg:\n"), None),
    ],
)
def test_it_marks_a_mistake_where_it_stands(change, place):
    found = errors(edited(STAGING, change))
    assert found
    assert place is None or place in found


@pytest.mark.parametrize(
    "change",
    [
        ("email: platform-staging@learning.example", "email: {secure: v1:abc}"),
        ("key_name: platform-staging", "key_name: {secure: v1:abc}"),
        ("wed:07:00-wed:08:00", "Wed:07:00-Wed:08:00"),
        ("cpu_target_percent: 70", "cpu_target_percent: 66.5"),
        ("config:\n", "secretsprovider: awskms://alias/x\nencryptedkey: AQ==\nconfig:\n  pulumi:tags: {a: b}\n"),
        ("  aws:region", "  aws:secretKey: {secure: v1:abc}\n  aws:profile: staging\n  aws:region"),
    ],
)
def test_it_takes_what_the_loader_takes(change):
    assert errors(edited(STAGING, change)) == []
