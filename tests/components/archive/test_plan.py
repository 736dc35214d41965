"""What servers are told to run, and what the settings make of the buckets."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components._bucket import Lock, Retention
from components.archive import plan
from settings.records import BUCKETS, RecordsSettings

#: What SSM takes of a document, in bytes.
LIMIT = 64 * 1024

PLACE = plan.Place(
    bucket="backups",
    key_arn="arn:aws:kms:us-east-1:210987654321:key/1",
    region="us-east-1",
    hosts="hosts/arn:aws:ec2:us-east-1:210987654321:instance/",
    namespace="learning-platform-staging-archive",
    paths=("/etc/nginx", "/opt/platform/.env*"),
)

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


def commands(document):
    (step,) = document["mainSteps"]
    assert step["action"] == "aws:runShellScript"
    return "\n".join(step["inputs"]["runCommand"]) + "\n"


def installed(path, minutes=5):
    """The file that the installation writes."""
    script = commands(plan.backup_document(PLACE, watch_minutes=minutes))
    return re.search(rf"^cat >{re.escape(path)} <<'(\w+)'\n(.*?)^\1$", script, re.DOTALL | re.MULTILINE)[2]


def unit(text):
    """A unit's settings; a key that occurs twice would be lost, so it fails."""
    lines = [line.partition("=") for line in text.splitlines() if "=" in line]
    settings = {key: value for key, _, value in lines}
    assert len(settings) == len(lines)
    return settings


def test_what_is_saved_is_what_the_run_book_names():
    assert plan.paths(RecordsSettings()) == (
        "/etc/letsencrypt",
        "/etc/nginx",
        "/opt/platform/.env*",
        "/opt/platform/config",
    )


def test_each_kind_of_records_has_a_prefix_of_its_own_and_nothing_lies_between_them():
    assert set(plan.PREFIXES) == {kind for kinds in BUCKETS.values() for kind in kinds}
    prefixes = sorted(plan.PREFIXES.values())
    assert not [a for a in prefixes for b in prefixes if a != b and b.startswith(a)]


def test_the_lifecycle_is_what_the_settings_say():
    records = RecordsSettings.model_validate({"restores": {"days": 3000, "glacier_days": 100}})
    assert plan.retention(records, "evidence") == (
        *(
            Retention(name=name, prefix=f"{name}/", days=3000, glacier_days=100, deep_archive_days=365)
            for name in ("restores", "restore-tests", "drills", "progress")
        ),
        Retention(name="audits", prefix="audits/", days=2557, glacier_days=90, deep_archive_days=365),
        Retention(name="beside", days=3000, glacier_days=100),
    )


@given(bucket=st.sampled_from(sorted(BUCKETS)), days=st.integers(500, 3653))
def test_what_lies_beside_the_records_goes_too_and_shortens_none(bucket, days):
    records = RecordsSettings.model_validate({kind: {"days": days} for kind in BUCKETS[bucket][:1]})
    *named, beside = plan.retention(records, bucket)
    assert beside.prefix == ""
    assert beside.days == max(one.days for one in named)
    assert beside.glacier_days == max(one.glacier_days for one in named)


def test_what_is_never_moved_is_not_moved_by_the_rule_for_the_rest():
    records = RecordsSettings.model_validate({"state": {"glacier_days": None}})
    assert plan.retention(records, "backup")[-1].glacier_days is None


def test_a_bucket_is_locked_as_the_settings_say():
    records = RecordsSettings.model_validate(
        {"locks": {"evidence": {"mode": "compliance"}, "backup": {"mode": "none"}}}
    )
    locks = {bucket: plan.lock(records, bucket) for bucket in BUCKETS}
    assert locks == {
        "backup": None,
        "evidence": Lock(mode="compliance", days=365),
        "archive": Lock(mode="governance", days=365),
    }


def test_the_prefix_of_a_server_is_the_arn_that_iam_sees():
    prefix = plan.hosts_prefix(partition="aws-cn", region="cn-north-1", account_id="210987654321")
    assert f"{prefix}i-1" == "hosts/arn:aws-cn:ec2:cn-north-1:210987654321:instance/i-1"


@given(bucket=TEXT, namespace=TEXT, paths=st.lists(TEXT, max_size=4))
def test_a_shell_reads_the_values_as_they_are(bucket, namespace, paths):
    place = plan.Place(
        bucket=bucket, key_arn="k", region="r", hosts="h/", namespace=namespace, paths=["/etc/x", *paths]
    )
    head = plan.backup_script(place).partition("\n\n")[0].splitlines()
    found = dict(line.split("=", 1) for line in head[1:-1])
    assert (shlex.split(found["BUCKET"] or "''"), shlex.split(found["NAMESPACE"])) == ([bucket], [namespace])
    assert shlex.split(head[-1].removeprefix("PATHS=(").removesuffix(")")) == ["/etc/x", *paths]


@pytest.mark.parametrize(
    "document", [plan.backup_document(PLACE, watch_minutes=5), plan.restore_document(PLACE)], ids=["backup", "restore"]
)
def test_systems_manager_takes_the_documents(document):
    text = json.dumps(document, sort_keys=True)
    assert len(text.encode()) <= LIMIT
    assert (document["schemaVersion"], commands(document).splitlines()[0]) == ("2.2", "#!/bin/bash")
    asked = set(re.findall(r"\{\{ *(\w+) *\}\}", text))
    assert asked == set(document.get("parameters", {}))


def test_what_systems_manager_fills_in_cannot_leave_its_quotes():
    document = plan.restore_document(PLACE)
    script = commands(document)
    assert {line for line in script.splitlines() if "{{" in line} == {"BACKUP='{{ backup }}'", "MODE='{{ mode }}'"}
    parameters = document["parameters"]
    assert parameters["mode"]["allowedValues"] == ["check", "apply"]
    assert parameters["mode"]["default"] == "check"
    pattern = re.compile(parameters["backup"]["allowedPattern"])
    assert pattern.search("i-0a1b2c3d4e5f60718/20260104T020000Z")
    for wrong in (
        "",
        "i-0a1b2c3d4e5f60718/20260104T020000Z'; id '",
        "../i-0a1b2c3d4e5f60718/x",
        "i-0/20260104T020000Z",
    ):
        assert not pattern.search(wrong)


def test_the_installation_writes_the_command_whole_and_runs_it():
    command = "/usr/local/libexec/platform-configuration-backup"
    assert installed(f"{command}.new") == plan.backup_script(PLACE)
    lines = commands(plan.backup_document(PLACE, watch_minutes=5)).splitlines()
    assert lines[-1] == f"exec {command} now"
    assert lines.index(f"chmod 0700 {command}.new") < lines.index(f"mv -T {command}.new {command}")


def test_a_timer_looks_for_changes_as_often_as_it_is_told():
    timer = unit(installed("/etc/systemd/system/platform-configuration-backup.timer", minutes=7))
    assert (timer["OnActiveSec"], timer["OnUnitInactiveSec"]) == ("7min", "7min")
    service = unit(installed("/etc/systemd/system/platform-configuration-backup.service"))
    assert service["ExecStart"] == "/usr/local/libexec/platform-configuration-backup watch"
    assert {key: service[key] for key in ("Type", "ProtectSystem", "NoNewPrivileges", "ReadWritePaths")} == {
        "Type": "oneshot",
        "ProtectSystem": "strict",
        "NoNewPrivileges": "yes",
        "ReadWritePaths": plan.STATE,
    }


def test_the_installation_ends_at_the_first_command_that_fails(tmp_path):
    script = commands(plan.backup_document(PLACE, watch_minutes=5)).replace(
        "/usr/local", str(tmp_path / "no" / "where")
    )
    log = tmp_path / "log"
    (tmp_path / "install").write_text("#!/bin/bash\nexit 1\n")
    (tmp_path / "install").chmod(0o755)
    (tmp_path / "systemctl").write_text(f"#!/bin/bash\ntouch {log}\n")
    (tmp_path / "systemctl").chmod(0o755)
    done = subprocess.run(
        ["bash"], input=script, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, text=True, capture_output=True, check=False
    )
    assert (done.returncode, log.exists()) == (1, False)
