"""``runbook bootstrap`` as a person types it."""

import json
from pathlib import Path

import boto3
import pytest

from runbook import cli

ROOT = Path(__file__).parents[3]
ACCOUNT = "123456789012"
BUCKET = f"learning-platform-staging-state-{ACCOUNT}"


@pytest.fixture
def folder(tmp_path):
    """The project with its staging stack in the account that the stand-in knows."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    text = (ROOT / "Pulumi.staging.yaml").read_text()
    (project / "Pulumi.staging.yaml").write_text(text.replace("528846019273", ACCOUNT))
    return project


def bootstrap(folder, *options):
    return cli.main(["bootstrap", "--environment", "staging", "--folder", str(folder), *options])


def buckets():
    return [bucket["Name"] for bucket in boto3.client("s3", region_name="us-east-1").list_buckets()["Buckets"]]


def test_a_dry_run_lists_the_calls_and_makes_none(folder, tmp_path, capsys):
    assert bootstrap(folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"State of staging: bucket and key in account {ACCOUNT}, us-east-1"
    assert [line.strip() for line in lines if line.startswith("      ") and line[6] != " "] == [
        "kms.create_key",
        "kms.create_alias",
        "kms.enable_key_rotation",
        "s3.create_bucket",
        "s3.put_public_access_block",
        "s3.put_bucket_ownership_controls",
        "s3.put_bucket_versioning",
        "s3.put_bucket_encryption",
        "s3.put_bucket_policy",
        "s3.put_bucket_lifecycle_configuration",
        "s3.put_bucket_tagging",
    ]
    assert f'        Bucket  "{BUCKET}"' in lines
    assert lines[-1] == "11 calls would change this. Nothing was changed; --apply makes them."
    assert buckets() == []
    assert not (tmp_path / "state").exists()


def test_applying_makes_everything_and_says_what_to_type_next(folder, tmp_path, capsys):
    assert bootstrap(folder, "--apply") == 0
    out = capsys.readouterr().out
    assert "Step 11 of 11 is done." in out
    assert out.endswith(
        f"11 calls made; the journal is {tmp_path}/state/runbook/journal/bootstrap.jsonl.\n"
        "Next:\n"
        f"  pulumi login 's3://{BUCKET}?region=us-east-1'\n"
        "  pulumi stack init staging --secrets-provider "
        "'awskms://alias/learning-platform-staging-state?region=us-east-1'\n"
        "  make up STACK=staging\n"
    )
    assert buckets() == [BUCKET]


def test_a_second_run_does_nothing(folder, tmp_path, capsys):
    bootstrap(folder, "--apply", "--journal", str(tmp_path / "book"))
    written = (tmp_path / "book" / "bootstrap.jsonl").read_text()
    capsys.readouterr()
    assert bootstrap(folder, "--apply", "--journal", str(tmp_path / "book")) == 0
    assert "Nothing to do: everything is as it should be." in capsys.readouterr().out
    assert (tmp_path / "book" / "bootstrap.jsonl").read_text() == written


def test_the_document_is_all_there_is_on_standard_output(folder, capsys):
    assert bootstrap(folder, "--json", "--apply") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["applied"], len(document["steps"])) == (True, 11)
    assert set(document["steps"][0]) == {"action", "arguments", "call", "changes"}
    assert bootstrap(folder, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"applied": False, "steps": []}


def test_the_permissions_need_no_credentials(folder, capsys, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert bootstrap(folder, "--permissions") == 0
    document = json.loads(capsys.readouterr().out)
    (bucket,) = [s for s in document["Statement"] if s["Sid"] == "Bucket"]
    assert bucket["Resource"] == f"arn:aws:s3:::{BUCKET}"


def test_the_account_of_the_settings_is_the_only_one(capsys):
    assert bootstrap(ROOT, "--apply") == 2
    assert capsys.readouterr().err.startswith(
        f"These credentials are for account {ACCOUNT}, but staging belongs to account 528846019273"
    )
    assert buckets() == []


def test_without_credentials_it_says_so(folder, capsys, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert bootstrap(folder) == 2
    assert capsys.readouterr().err == (
        "There are no AWS credentials.\nSign in (for example `aws sso login`), or name a --profile.\n"
    )


def test_wrong_settings_are_told_before_anything_is_asked(folder, capsys):
    path = folder / "Pulumi.staging.yaml"
    path.write_text(path.read_text().replace("nat: one", "nat: many"))
    assert bootstrap(folder, "--apply") == 2
    assert "'many'" in capsys.readouterr().err
    assert buckets() == []
