"""Many mistakes at once, other stacks, secrets, and the same judgement in a run of the program."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

import pulumi
import pytest

from runbook.errors import UserError
from runbook.preview.capture import capture
from settings.kinds import Sealed
from settings.load import (
    PLACEHOLDER,
    Problem,
    SettingsError,
    check,
    load,
    project_name,
    ranges_of_other_stacks,
    read_stack_file,
)

from .stacks import DEV, PROD, STAGING, edited, problems, project

SECRET = "kQ9-very-secret"


def run(folder, config=None, secret_keys=None):
    """What ``load`` returns inside a run of the staging stack."""
    file = read_stack_file("staging", folder)
    loaded = []
    capture(
        lambda: loaded.append(load()),
        stack="staging",
        config=file.config if config is None else config,
        secret_keys=file.secret_keys if secret_keys is None else secret_keys,
        root=folder,
    )
    return loaded[0]


def text_of(folder, stack="staging"):
    with pytest.raises(SettingsError) as error:
        check(stack, folder)
    return str(error.value)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path):
    text = edited(
        STAGING,
        ("cidr: 10.20.0.0/16", "cidr: 10.20.0.0/8"),
        ("nat: one", "nat: two"),
        ("key_name: platform-staging", "key_nam: platform-staging"),
        ("port: 5432", "port: abc"),
        ("wed:07:00-wed:08:00", "wed:05:00-wed:08:00"),
        ("max_storage_gib: 200", "max_storage_gib: 50"),
        ("  learning-platform:alerts_email: platform-staging@learning.example\n", ""),
    )
    assert [(problem.line, problem.key) for problem in problems(project(tmp_path, staging=text))] == [
        (1, "learning-platform:alerts_email"),
        (12, "learning-platform:network.cidr"),
        (15, "learning-platform:network.nat"),
        (22, "learning-platform:access.key_nam"),
        (27, "learning-platform:database.port"),
        (31, "learning-platform:database.max_storage_gib"),
        (35, "learning-platform:database.maintenance_window"),
    ]


def test_a_problem_reads_as_place_then_rule_then_way_out():
    problem = Problem(
        file="Pulumi.dev.yaml",
        line=7,
        key="p:network.cidr",
        value="'10.0.0.0/33'",
        wrong="is not an IPv4 network",
        rule="The rule.",
        way_out="The way out.",
    )
    assert str(SettingsError([problem, problem])) == (
        "Pulumi.dev.yaml:7: p:network.cidr: '10.0.0.0/33' is not an IPv4 network.\n    The rule.\n    The way out."
    )


def test_an_empty_file_misses_every_group_and_nothing_else(tmp_path):
    keys = {problem.key.removeprefix("learning-platform:") for problem in problems(project(tmp_path, staging=""))}
    assert keys == {
        "aws:allowedAccountIds",
        "aws:region",
        "environment",
        "recovery_region",
        "ownership",
        "account",
        "network",
        "access",
        "database",
        "web",
        "escalation",
        "alerts_email",
    }


def test_a_rule_is_not_told_about_a_setting_that_is_wrong_itself(tmp_path):
    text = edited(PROD, ("    nat: per-zone", "    nat: sometimes"))
    assert [problem.wrong for problem in problems(project(tmp_path, prod=text), "prod")] == ["is none of the choices"]


def test_both_regions_belong_to_the_accounts_partition(tmp_path):
    text = edited(STAGING, ('    id: "528846019273"', '    id: "528846019273"\n    partition: aws-us-gov'))
    assert [(problem.key, problem.wrong) for problem in problems(project(tmp_path, staging=text))] == [
        ("aws:region", "is in the partition aws, the account in aws-us-gov"),
        ("learning-platform:recovery_region", "is in the partition aws, the account in aws-us-gov"),
    ]


def test_bare_keys_belong_to_the_project(tmp_path):
    folder = project(tmp_path, staging=STAGING.replace("learning-platform:", ""))
    assert check("staging", folder) == check("staging", project(tmp_path, staging=STAGING))


def test_a_stack_of_another_name_may_choose_its_environment(tmp_path):
    text = edited(STAGING, ("environment: staging", "environment: dev"))
    assert check("feature-42", project(tmp_path, **{"feature-42": text})).environment == "dev"


def test_a_stack_may_be_named_with_its_organisation(tmp_path):
    assert check("acme/learning-platform/staging", project(tmp_path, staging=STAGING)).environment == "staging"


@pytest.mark.parametrize(
    ("stack", "rule", "way_out"),
    [
        ("stagin", "The stacks here are dev and staging.", "Did you mean staging?"),
        ("x", "The stacks here are dev and staging.", "Name one of them, or write Pulumi.x.yaml."),
    ],
)
def test_an_unknown_stack_names_those_there_are(tmp_path, stack, rule, way_out):
    (problem,) = problems(project(tmp_path, staging=STAGING), stack)
    assert problem == Problem(
        file=f"Pulumi.{stack}.yaml",
        line=None,
        key="",
        value="",
        wrong=f"is not there, so there is no stack '{stack}'",
        rule=rule,
        way_out=way_out,
    )


def test_the_project_is_named_in_its_file(tmp_path):
    assert project_name(project(tmp_path)) == "learning-platform"


@pytest.mark.parametrize("text", [None, "runtime: python\n", "name:\n", "- name\n"])
def test_a_folder_without_a_project_is_told(tmp_path, text):
    if text is not None:
        (tmp_path / "Pulumi.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"Pulumi\.yaml: (is not there|has no name)"):
        project_name(tmp_path)


# Other stacks


def test_the_ranges_of_other_stacks_are_those_of_their_files(tmp_path):
    folder = project(tmp_path, staging=STAGING, prod=PROD, sandbox="config: {}\n")
    assert ranges_of_other_stacks("staging", folder) == {
        "dev network.cidr": IPv4Network("10.10.0.0/16"),
        "dev network.recovery_cidr": IPv4Network("10.110.0.0/16"),
        "prod network.cidr": IPv4Network("10.30.0.0/16"),
        "prod network.recovery_cidr": IPv4Network("10.130.0.0/16"),
    }


def test_every_overlap_is_told(tmp_path):
    text = edited(STAGING, (" cidr: 10.20.0.0/16", " cidr: 10.110.0.0/16"), ("10.120.0.0/16", "10.10.0.0/20"))
    wrong = [(problem.line, problem.wrong) for problem in problems(project(tmp_path, staging=text))]
    assert wrong == [
        (12, "overlaps network.recovery_cidr of the stack dev, 10.110.0.0/16 (Pulumi.dev.yaml:4)"),
        (13, "overlaps network.cidr of the stack dev, 10.10.0.0/16 (Pulumi.dev.yaml:3)"),
    ]


def test_a_neighbour_that_is_not_yaml_is_told_because_its_ranges_are_unknown(tmp_path):
    (problem,) = problems(project(tmp_path, staging=STAGING, dev="config:\n  network: [\n"))
    assert (problem.file, problem.line, problem.rule) == (
        "Pulumi.dev.yaml",
        3,
        "The ranges of staging are compared with those of every other stack (002_… §7.3).",
    )


def test_a_neighbours_other_mistakes_are_its_own(tmp_path):
    dev = edited(DEV, ("10.10.0.0/16", "10.20.0.0/33")) + "  unheard: of\n"
    assert problems(project(tmp_path, staging=STAGING, dev=dev)) == ()


# Secrets


SEALED_EMAIL = ("email: platform-staging@learning.example", f"email:\n    secure: v1:{SECRET}")
SEALED_KEY = ("key_name: platform-staging", f"key_name: {{secure: v1:{SECRET}}}")


def test_an_encrypted_text_stands_as_a_placeholder(tmp_path):
    folder = project(tmp_path, staging=edited(STAGING, SEALED_EMAIL, SEALED_KEY))
    settings = check("staging", folder)
    assert (settings.alerts_email, settings.access.key_name) == (PLACEHOLDER, PLACEHOLDER)
    assert read_stack_file("staging", folder).secret_keys == {
        "learning-platform:alerts_email",
        "learning-platform:access",
    }


def test_the_placeholder_written_by_hand_is_no_secret(tmp_path):
    text = edited(STAGING, ("platform-staging@learning.example", f'"{PLACEHOLDER}"'))
    (problem,) = problems(project(tmp_path, staging=text))
    assert (problem.key, problem.wrong) == ("learning-platform:alerts_email", "is no e-mail address")


def test_rules_between_settings_leave_encrypted_ones_alone(tmp_path):
    text = edited(
        STAGING,
        ("host: staging.learning.example", f"host: {{secure: v1:{SECRET}}}"),
        ("username: platform_admin", f"username: {{secure: v1:{SECRET}}}"),
    )
    assert problems(project(tmp_path, staging=text)) == ()


def test_an_encrypted_credential_of_the_provider_is_taken(tmp_path):
    text = edited(STAGING, ("  aws:region", f"  aws:secretKey: {{secure: v1:{SECRET}}}\n  aws:region"))
    assert problems(project(tmp_path, staging=text)) == ()


@pytest.mark.parametrize(
    "change",
    [
        ("port: 5432", f"port: {{secure: v1:{SECRET}}}"),
        ("  aws:region", f"  aws:secretKey: {SECRET}\n  aws:region"),
        ("  aws:region", f"  learning-platform:password: {SECRET}\n  aws:region"),
        ("    nat: one", f"    nat: one\n    token: {SECRET}"),
        ("config:", f"encryptionsalz: {SECRET}\nconfig:"),
    ],
)
def test_what_may_be_a_secret_is_never_shown(tmp_path, change):
    assert SECRET not in text_of(project(tmp_path, staging=edited(STAGING, change)))


def test_a_decrypted_value_is_shown_neither_as_value_nor_in_a_sentence(tmp_path):
    text = edited(STAGING, SEALED_EMAIL, ("zone_name: learning.example", f"zone_name: {{secure: v1:{SECRET}}}"))
    folder = project(tmp_path, staging=text)
    file = read_stack_file("staging", folder)
    web = json.loads(file.config["learning-platform:web"])
    web["domain"]["zone_name"] = "hidden.example"
    config = {
        **file.config,
        "learning-platform:alerts_email": "nobody",
        "learning-platform:web": json.dumps(web),
    }
    with pytest.raises(UserError) as error:
        run(folder, config)
    assert str(error.value).splitlines() == [
        "Pulumi.staging.yaml:43: learning-platform:web.domain.host: 'staging.learning.example' is outside of "
        "web.domain.zone_name, [secret].",
        "    The certificate is validated, and the name written, in the hosted zone.",
        "    Write [secret] or a name that ends in .[secret]",
        "Pulumi.staging.yaml:51: learning-platform:alerts_email: [secret] is no e-mail address.",
        "    An e-mail address that somebody reads.",
        "    Write, for example, platform-alerts@learning.example",
    ]


# In a run of the program


def test_a_run_reads_what_a_check_reads(tmp_path):
    folder = project(tmp_path, staging=STAGING)
    assert run(folder) == check("staging", folder)


def test_a_run_with_encrypted_values_gets_placeholders_offline(tmp_path):
    settings = run(project(tmp_path, staging=edited(STAGING, SEALED_EMAIL, SEALED_KEY)))
    assert isinstance(settings.alerts_email, Sealed)
    assert settings.access.key_name == PLACEHOLDER


def test_a_run_tells_the_same_as_a_check(tmp_path):
    folder = project(tmp_path, staging=edited(STAGING, ("nat: one", "nat: two"), ("port: 5432", "port: 1")))
    with pytest.raises(UserError) as error:
        run(folder)
    assert str(error.value) == text_of(folder)


def test_a_run_that_gets_other_values_than_its_file_has_names_no_line(tmp_path):
    folder = project(tmp_path, staging=STAGING)
    config = {**read_stack_file("staging", folder).config, "learning-platform:recovery_region": "us-moon-1"}
    with pytest.raises(UserError, match=r"^stack staging: learning-platform:recovery_region: 'us-moon-1' is no AWS"):
        run(folder, config)


def test_a_run_without_a_file_names_no_line(tmp_path):
    folder = project(tmp_path, staging=STAGING)
    config = {**read_stack_file("staging", folder).config, "learning-platform:protect": "maybe"}
    (tmp_path / "Pulumi.staging.yaml").unlink()
    with pytest.raises(UserError) as error:
        capture(load, stack="staging", config=config, root=folder)
    assert str(error.value).startswith("Pulumi.staging.yaml: learning-platform:protect: 'maybe' is text")


def test_a_mistake_ends_a_run_without_a_traceback(tmp_path):
    folder = project(tmp_path, staging=STAGING)
    caught = []

    def program():
        try:
            load()
        except SettingsError as error:
            caught.append(error)

    capture(program, stack="staging", config={}, root=folder)
    assert isinstance(caught[0], pulumi.RunError)
    assert "Traceback" not in str(caught[0])
    assert len(caught[0].problems) == 12
