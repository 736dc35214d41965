"""The facts that rules compare with: the same from the CLI's hands and from the stack's files."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from policies.rulebook.context import ContextError, load_context, of_process, of_project
from policies.rulebook.resource import Context

CONFIG = {
    "aws:region": "eu-west-1",
    "learning-platform:environment": "staging",
    "learning-platform:recovery_region": "eu-central-1",
    "learning-platform:network": json.dumps({"cidr": "10.20.0.0/16", "recovery_cidr": "10.120.0.0/16"}),
    "learning-platform:access": json.dumps({"admin_cidrs": ["198.51.100.0/24", "203.0.113.7/32"]}),
}

PROD = {"learning-platform:network": json.dumps({"cidr": "10.30.0.0/16", "recovery_cidr": "10.130.0.0/16"})}

STAGING_FILE = """
config:
  aws:region: eu-west-1
  learning-platform:environment: staging
  learning-platform:recovery_region: eu-central-1
  learning-platform:network:
    cidr: 10.20.0.0/16
    recovery_cidr: 10.120.0.0/16
    zones: [eu-west-1a, eu-west-1b]
  learning-platform:access:
    admin_cidrs: [198.51.100.0/24, 203.0.113.7/32]
  learning-platform:token:
    secure: AAABAM9nCw==
"""

PROD_FILE = """
config:
  learning-platform:network:
    cidr: 10.30.0.0/16
    recovery_cidr: 10.130.0.0/16
"""

STAGING = Context(
    environment="staging",
    admin_cidrs=(IPv4Network("198.51.100.0/24"), IPv4Network("203.0.113.7/32")),
    regions=("eu-west-1", "eu-central-1"),
    reserved_cidrs={
        "staging network.recovery_cidr": IPv4Network("10.120.0.0/16"),
        "prod network.cidr": IPv4Network("10.30.0.0/16"),
        "prod network.recovery_cidr": IPv4Network("10.130.0.0/16"),
    },
)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: learning-platform\nruntime: python\n")
    (tmp_path / "Pulumi.staging.yaml").write_text(STAGING_FILE)
    (tmp_path / "Pulumi.prod.yaml").write_text(PROD_FILE)
    (tmp_path / "policies").mkdir()
    return tmp_path


def test_configuration_becomes_facts():
    assert load_context("staging", CONFIG, {"prod": PROD, "staging": CONFIG}) == STAGING


def test_nothing_known_is_as_strict_as_prod():
    assert load_context("staging", {}) == Context()
    assert Context().environment == "prod"


@pytest.mark.parametrize(
    ("written", "judged"), [("dev", "dev"), ("staging", "staging"), ("prod", "prod"), ("live", "prod"), ("", "prod")]
)
def test_only_the_known_environments_are_softer_than_prod(written, judged):
    assert load_context("x", {"learning-platform:environment": written}).environment == judged


def test_a_stacks_own_range_is_not_reserved_against_it():
    context = load_context("prod", PROD, {"prod": PROD})
    assert context.reserved_cidrs == {"prod network.recovery_cidr": IPv4Network("10.130.0.0/16")}


def test_keys_belong_to_the_projects_own_name():
    config = {"school:environment": "dev", "learning-platform:environment": "staging"}
    assert load_context("x", config, project="school").environment == "dev"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            "access",
            json.dumps({"admin_cidrs": ["198.51.100.0/33"]}),
            "Stack staging: access.admin_cidrs: '198.51.100.0/33' is no IPv4 range such as 10.0.0.0/16.",
        ),
        (
            "access",
            json.dumps({"admin_cidrs": [{"secure": "v1:abc"}]}),
            "Stack staging: access.admin_cidrs: what stands there is no IPv4 range such as 10.0.0.0/16.",
        ),
        (
            "network",
            json.dumps({"recovery_cidr": "10.120.0.1/16"}),
            "Stack staging: network.recovery_cidr: '10.120.0.1/16' is no IPv4 range such as 10.0.0.0/16.",
        ),
        ("network", "[]", "Stack staging: network is no group of settings; write its keys below it."),
        ("access", "everyone", "Stack staging: access is no group of settings; write its keys below it."),
    ],
)
def test_a_mistake_is_said_in_one_sentence(key, value, sentence):
    with pytest.raises(ContextError) as raised:
        load_context("staging", {f"learning-platform:{key}": value})
    assert str(raised.value) == sentence


def test_a_mistake_in_another_stack_names_that_stack():
    broken = {"learning-platform:network": json.dumps({"cidr": "everything"})}
    with pytest.raises(ContextError, match=r"^Stack prod: network\.cidr: 'everything' is no IPv4 range"):
        load_context("staging", CONFIG, {"prod": broken})


@pytest.mark.parametrize("stack", ["staging", "organization/learning-platform/staging"])
def test_a_projects_files_give_the_same_facts(project, stack):
    assert of_project(project, stack) == STAGING


def test_a_key_without_a_namespace_is_the_projects(project):
    (project / "Pulumi.dev.yaml").write_text("config:\n  environment: dev\n")
    assert of_project(project, "dev").environment == "dev"


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("Pulumi.staging.yaml", None, "Stack staging has no Pulumi.staging.yaml in {folder}."),
        ("Pulumi.staging.yaml", "config: [", "{folder}/Pulumi.staging.yaml is not YAML."),
        ("Pulumi.prod.yaml", "config: [", "{folder}/Pulumi.prod.yaml is not YAML."),
        ("Pulumi.yaml", None, "{folder}/Pulumi.yaml is not there, so {folder} is no project's folder."),
        ("Pulumi.yaml", "runtime: python", "{folder}/Pulumi.yaml has no name."),
    ],
)
def test_files_that_are_missing_or_broken_are_named(project, file, text, sentence):
    if text is None:
        (project / file).unlink()
    else:
        (project / file).write_text(text)
    with pytest.raises(ContextError) as raised:
        of_project(project, "staging")
    assert str(raised.value) == sentence.format(folder=project)


@pytest.mark.parametrize("text", ["", "config:\n", "encryptionsalt: v1:x\n"])
def test_a_stack_file_without_configuration_has_no_facts(project, text):
    (project / "Pulumi.empty.yaml").write_text(text)
    assert of_project(project, "empty").environment == "prod"


def environ(stack="staging", config=CONFIG):
    return {
        "PULUMI_STACK": stack,
        "PULUMI_PROJECT": "learning-platform",
        "PULUMI_CONFIG": json.dumps(config),
    }


def test_the_clis_hands_give_the_same_facts_as_the_files(project):
    assert of_process(project / "policies", environ()) == of_project(project, "staging") == STAGING


def test_what_the_cli_hands_over_counts_more_than_the_file(project):
    (project / "Pulumi.staging.yaml").write_text("config: {}\n")
    assert of_process(project / "policies", environ()) == STAGING


def test_without_the_clis_configuration_the_stacks_file_counts(project):
    assert of_process(project / "policies", {"PULUMI_STACK": "staging"}) == STAGING


def test_a_pack_that_lies_elsewhere_looks_in_the_current_folder(project, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(project)
    assert of_process(tmp_path_factory.mktemp("pack"), environ()) == STAGING


def test_a_pack_without_a_project_knows_only_what_it_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = of_process(tmp_path / "policies", environ())
    assert told.environment == "staging"
    assert set(told.reserved_cidrs) == {"staging network.recovery_cidr"}


def test_a_pack_that_is_only_asked_for_its_rules_is_as_strict_as_prod(project):
    assert of_process(project / "policies", {}) == Context()


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_projects_own_stacks_have_facts(stack):
    context = of_project(ROOT, stack)
    assert context.environment == stack
    assert len(context.regions) == 2
    assert context.admin_cidrs
    others = {"dev", "staging", "prod"} - {stack}
    ranges = {f"{other} network.{name}" for other in others for name in ("cidr", "recovery_cidr")}
    assert set(context.reserved_cidrs) == {*ranges, f"{stack} network.recovery_cidr"}


def test_the_pack_and_the_audit_read_the_same_waivers(project):
    (project / "policies").mkdir(exist_ok=True)
    (project / "policies" / "waivers.yaml").write_text("- just words\n", encoding="utf-8")
    said = ("waivers.yaml:1: the waiver is no group of keys, so it covers nothing.",)
    assert of_project(project, "staging").waivers.malformed == said
    assert of_process(project / "policies", environ()).waivers.malformed == said
