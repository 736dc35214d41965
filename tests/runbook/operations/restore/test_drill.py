"""The monthly drill: a database and a host's files, and one record whatever comes of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from runbook.errors import UserError
from runbook.operations.journal import Journal
from runbook.operations.procedure import run
from runbook.operations.restore import drill
from runbook.operations.restore.database import Restoration, Witness
from runbook.operations.restore.evidence import Run
from runbook.operations.restore.files import Shelf
from runbook.operations.restore.job import prepare

from .fakes import ACCOUNT, BACKUPS, HOST, PRODUCTION, REGION, WHO, Dying, World

ROOT = Path(__file__).parents[4]
PREFIX = f"hosts/arn:aws:ec2:{REGION}:{ACCOUNT}:instance/"
RECORD = "drills/2026/11/drill-2026-11.json"
COPY = "learning-platform-staging-drill-2026-11"


@pytest.fixture
def world():
    made = World(ROOT)
    put(made)
    return made


def put(world, digest=None):
    content = b"archive"
    text = f"{digest or hashlib.sha256(content).hexdigest()}\n"
    name = f"{PREFIX}{HOST}/20261101T000000Z"
    world.s3.put_object(Bucket=BACKUPS, Key=f"{name}.tar.gz", Body=content)
    world.s3.put_object(Bucket=BACKUPS, Key=f"{name}.manifest", Body=text)


def carry_out(world, folder, clients=None):
    clients = clients or world.clients
    store = world.store(clients["s3"])
    job = prepare(world.site, clients, store, Run("drill-2026-11"), backup=world.entry, production=PRODUCTION, who=WHO)
    made = Restoration(job=job, clients=clients, store=store, now=world.clock.moment)
    shelf = Shelf(s3=clients["s3"], bucket=BACKUPS, prefix=PREFIX, owner=ACCOUNT)
    book = Witness(Journal(folder, "drill", environment="staging", account=ACCOUNT, who=WHO), made.troubles)
    stages = drill.stages(made, shelf)
    return run(stages, clients, book, pause=world.clock.pause, clock=world.clock.monotonic)


def files_check(world):
    (found,) = [check for check in world.versions(RECORD)["checks"] if check["name"] == "files"]
    return found["passed"], found["found"]


def test_a_drill_leaves_one_record_of_database_and_files(world, tmp_path):
    facts = carry_out(world, tmp_path)
    assert (facts["verdict"], facts["record"]) == ("passed", RECORD)
    assert world.records("drills/") == {RECORD}
    assert world.versions(RECORD)["files"] == {
        "backup": f"{HOST}/20261101T000000Z",
        "taken": "2026-11-01T00:00:00Z",
    }
    assert files_check(world) == (True, f"{HOST}/20261101T000000Z has the checksum of its manifest")
    assert world.instances() == {PRODUCTION}


def test_damaged_files_fail_the_drill(world, tmp_path):
    put(world, digest="0" * 64)
    assert carry_out(world, tmp_path)["verdict"] == "failed"
    assert files_check(world)[0] is False


def test_a_drill_whose_restore_fails_still_verifies_the_files_and_is_recorded_as_failed(world, tmp_path):
    world.rds.end = "incompatible-network"
    with pytest.raises(UserError, match="incompatible-network"):
        carry_out(world, tmp_path)
    record = world.versions(RECORD)
    assert (record["verdict"], len(record["troubles"])) == ("failed", 1)
    assert files_check(world)[0] is True
    assert [check["name"] for check in record["checks"]] == ["files", "clean-up"]


def test_a_drill_that_is_repeated_changes_nothing(world, tmp_path):
    carry_out(world, tmp_path)
    before = world.versions(RECORD)
    carry_out(world, tmp_path)
    assert (world.versions(RECORD), world.rds.restored, world.rds.deleted) == (before, [COPY], [COPY])


@pytest.mark.parametrize("before", [True, False])
def test_a_failing_drill_killed_at_any_call_leaves_one_record_of_its_failure(world, tmp_path, before):
    """Nothing is restored a second time, and what failed first is in the record that the second run writes."""
    world.rds.end = "incompatible-restore"
    counted = Dying(world.clients)
    with pytest.raises(UserError):
        carry_out(world, tmp_path, counted.clients)
    for dies_at in range(1, counted.count + 1):
        world.empty()
        put(world)
        world.rds.end = "incompatible-restore"
        with pytest.raises(KeyboardInterrupt):
            carry_out(world, tmp_path, Dying(world.clients, dies_at, before=before).clients)
        # Where the copy is gone and its findings are kept, the rest is done without another failure.
        again = _outcome(world, tmp_path)
        record = world.versions(RECORD)
        assert (again, record["verdict"]) == ("failed", "failed")
        assert len(record["troubles"]) == 1
        assert (world.rds.restored, world.rds.deleted) == ([COPY], [COPY])


def _outcome(world, folder):
    try:
        return carry_out(world, folder)["verdict"]
    except UserError:
        return "failed"
