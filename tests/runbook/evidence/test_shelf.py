"""Bundles in the bucket: written once, locked, one chain whoever stores, and verified from there."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pytest

from runbook.errors import UserError
from runbook.evidence import places
from runbook.evidence.container import pack, unpack
from runbook.evidence.folder import load
from runbook.evidence.manifest import NAME, Period

from .world import EVIDENCE, INVENTORY, NOW, PERIOD, World, error, site

KEY = "audits/bundles/000001.zip"


def earlier(days):
    return Period(PERIOD.first - timedelta(days=days), PERIOD.first - timedelta(days=days))


def verdict(world, prefix="", expected=None):
    return places.verify(places.stored(world.clients["s3"], EVIDENCE, prefix), expected)


def told(found):
    return [fault for finding in found.findings for fault in finding.faults] + list(found.between)


def test_a_bundle_is_one_object_locked_encrypted_and_described(world):
    manifest = world.collect_and_store()
    head = world.clients["s3"].head_object(Bucket=EVIDENCE, Key=KEY)
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == (
        "COMPLIANCE",
        (NOW + timedelta(days=365)).replace(microsecond=0),
    )
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", INVENTORY["archive"]["keyArn"])
    assert head["Metadata"] == {"bundle": manifest.id, "manifest": manifest.sha256}
    body = world.clients["s3"].get_object(Bucket=EVIDENCE, Key=KEY)["Body"].read()
    assert unpack(body) == load(world.bundle().path)[0]


def test_a_stack_without_a_lock_stores_without_one(tmp_path):
    world = World(tmp_path, site("none"))
    world.collect_and_store()
    assert "ObjectLockMode" not in world.clients["s3"].head_object(Bucket=EVIDENCE, Key=KEY)


def test_a_bucket_that_cannot_lock_gets_no_bundle(world):
    s3 = world.clients["s3"]
    s3.create_bucket(Bucket="plain")
    manifest = world.collect()
    stage = dataclasses.replace(world.shelf(), bucket="plain").stage(world.bundle(), manifest, NOW)
    assert stage.look({})
    with pytest.raises(s3.exceptions.ClientError):
        stage.act({})
    assert s3.list_objects_v2(Bucket="plain").get("Contents", []) == []


def test_every_bundle_follows_the_one_that_was_stored_before(world):
    manifests = [world.collect_and_store(period=period) for period in (earlier(9), earlier(8), PERIOD)]
    assert [one.previous.bundle if one.previous else None for one in manifests] == [
        None,
        manifests[0].id,
        manifests[1].id,
    ]
    found = verdict(world, expected=manifests[1].sha256)
    assert (found.is_well, len(found.findings)) == (True, 3)
    assert told(verdict(world, expected="0" * 64)) == [f"No manifest has the hash {'0' * 64}."]


def test_storing_again_writes_nothing(world):
    manifest = world.collect_and_store()
    assert world.store(world.bundle(), manifest) == {"stored": f"s3://{EVIDENCE}/{KEY}"}
    assert world.bundles() == {KEY: 1}


def test_whoever_is_slower_goes_on_after_the_other(world):
    mine = world.collect()
    world.collect_and_store(period=earlier(3))
    with pytest.raises(UserError, match="is the last one now; the same command goes on after it"):
        world.store(world.bundle(), mine)
    again = world.collect_and_store()
    assert (again.files, again.previous.bundle) == (mine.files, world.bundle(earlier(3)).id)
    assert verdict(world).is_well


def test_a_number_that_is_taken_at_the_last_moment_is_not_overwritten(world, monkeypatch):
    s3, put = world.clients["s3"], world.clients["s3"].put_object
    mine = world.collect()

    def overtaken(**asked):
        monkeypatch.setattr(s3, "put_object", put)
        world.collect_and_store(period=earlier(3))
        return put(**asked)

    monkeypatch.setattr(s3, "put_object", overtaken)
    with pytest.raises(UserError, match="is the last one now"):
        world.store(world.bundle(), mine)
    assert world.bundles() == {KEY: 1}


def test_the_same_period_stored_by_somebody_else_is_told(world):
    mine = world.collect()
    theirs = world.bundle(out="theirs")
    world.store(theirs, world.collect(theirs))
    with pytest.raises(UserError, match=r"another .* was stored meanwhile, s3://.*; --again collects one more"):
        world.store(world.bundle(), mine)


def test_an_answer_that_is_lost_is_no_second_bundle(world):
    manifest = world.collect()
    trouble, clients = world.struck(2, before=False)
    with pytest.raises(KeyboardInterrupt):
        world.store(world.bundle(), manifest, clients)
    assert trouble.at is None
    world.store(world.bundle(), manifest)
    assert world.bundles() == {KEY: 1}


def test_a_refused_lock_or_a_busy_service_is_told_and_stores_nothing(world):
    manifest = world.collect()
    for code, words in (("AccessDenied", "AWS refuses s3:PutObject"), ("SlowDown", "AWS is too busy for s3:PutObject")):
        _, clients = world.struck(2, error(code))
        with pytest.raises(UserError, match=words):
            world.store(world.bundle(), manifest, clients)
    assert world.bundles() == {}


def test_a_bundle_that_was_changed_before_it_was_stored_is_not_stored(world):
    manifest = world.collect()
    (world.bundle().path / "alarms/history.json").write_bytes(b"{}")
    with pytest.raises(UserError, match="is not what was collected"):
        world.store(world.bundle(), manifest)
    assert world.bundles() == {}


def test_the_journal_has_no_content_of_a_bundle(world):
    world.collect_and_store()
    (call,) = [
        line
        for line in map(json.loads, (world.folder / "journal" / "evidence.jsonl").read_text().splitlines())
        if line["event"] == "call"
    ]
    assert call["arguments"]["Body"] == f"<{world.bundle().path}>"


def test_an_object_that_is_no_bundle_is_told(world):
    world.put("audits/bundles/notes.txt", b"hello")
    with pytest.raises(
        UserError, match=r"audits/bundles/notes\.txt is no bundle of runbook, though it lies among them"
    ):
        world.shelf().stored()


# Verified where it is


def test_a_stored_bundle_that_was_overwritten_is_found(world):
    world.collect_and_store(period=earlier(9))
    world.collect_and_store()
    answer = world.clients["s3"].get_object(Bucket=EVIDENCE, Key=KEY)
    world.put(KEY, answer["Body"].read().replace(b"ada", b"eve"), Metadata=answer["Metadata"])
    assert told(verdict(world)) == [
        "The archive cannot be read: Bad CRC-32 for file 'manifest.json'.",
    ]
    with pytest.raises(UserError, match="is not what was stored"):
        world.shelf().manifest(world.shelf().stored()[0])


def test_a_bundle_written_anew_is_found_by_the_one_that_follows(world):
    first = world.collect_and_store(period=earlier(9))
    world.collect_and_store()
    forged = world.bundle(earlier(9), out="forged")
    manifest = world.collect(forged, period=earlier(9))
    assert manifest.sha256 != first.sha256
    world.put(KEY, pack(load(forged.path)[0]))
    assert told(verdict(world)) == [
        f"audits/bundles/000002.zip follows another {first.id} than {KEY}: one was written anew."
    ]


def test_a_bundle_alone_verifies_by_its_key(world):
    world.collect_and_store()
    found = verdict(world, KEY)
    assert (found.is_well, [one.name for one in found.findings]) == (True, [KEY])


def test_places_without_a_bundle_say_so(world, tmp_path):
    s3 = world.clients["s3"]
    for prefix, words in (("", "There is no bundle below"), ("audits/bundles/000009.zip", "There is no s3://")):
        with pytest.raises(UserError, match=words):
            list(places.stored(s3, EVIDENCE, prefix))
    with pytest.raises(UserError, match="There is no "):
        list(places.local(tmp_path / "nowhere"))


def test_a_bundle_in_glacier_is_told_with_the_way_to_get_it_and_the_others_are_verified(world, monkeypatch):
    for days in (9, 8):
        world.collect_and_store(period=earlier(days))
    get = world.clients["s3"].get_object

    def frozen(**asked):
        if asked["Key"] == KEY:
            raise error("InvalidObjectState")
        return get(**asked)

    monkeypatch.setattr(world.clients["s3"], "get_object", frozen)
    assert told(verdict(world)) == [
        f"s3://{EVIDENCE}/{KEY} is in Glacier. `aws s3api restore-object --bucket {EVIDENCE} --key {KEY} "
        "--restore-request Days=7` brings it back, in hours."
    ]
    with pytest.raises(UserError, match=r"is in Glacier\.\n`aws s3api restore-object"):
        verdict(world, KEY)


# On disk


def test_a_folder_an_archive_and_a_folder_of_both_verify(world):
    world.collect_and_store(period=earlier(9))
    world.collect_and_store()
    out = world.folder / "out"
    second = world.clients["s3"].get_object(Bucket=EVIDENCE, Key="audits/bundles/000002.zip")["Body"].read()
    (world.folder / "second.zip").write_bytes(second)
    for place, count in ((world.bundle().path, 1), (world.folder / "second.zip", 1), (out, 2)):
        found = places.verify(places.local(place), None)
        assert (found.is_well, len(found.findings)) == (True, count)


def test_a_folder_whose_manifest_is_gone_is_no_bundle(world):
    world.collect()
    (world.bundle().path / NAME).unlink()
    found = places.verify(places.local(world.bundle().path), None)
    assert told(found)[0].startswith("There is no manifest.json: the bundle is not whole.")


def test_an_archive_that_cannot_be_read_says_only_that(world):
    (world.folder / "x.zip").write_bytes(b"nothing")
    (fault,) = told(places.verify(places.local(world.folder / "x.zip"), None))
    assert fault.startswith("The archive cannot be read: ")
