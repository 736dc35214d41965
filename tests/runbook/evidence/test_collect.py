"""A bundle is collected whole, gone on with, and never in silence about what it lacks."""

from __future__ import annotations

import json
import os

import pytest

from runbook.errors import UserError
from runbook.evidence.collect import collect
from runbook.evidence.collectors import COLLECTORS
from runbook.evidence.folder import load
from runbook.evidence.manifest import NAME, Period, Previous
from runbook.evidence.scope import Gap, Item
from runbook.evidence.verify import faults

from .world import NOW, PERIOD, SECRET, WHO, World, site, throttled

KINDS = ("audits", "restores", "restore-tests", "drills", "patches", "alarms", "trail")


class One:
    """A collector of the test's. ``found``: what it yields, or raises."""

    clients = components = ()

    def __init__(self, kind, *found):
        self.kind, self.found, self.asked = kind, list(found), 0

    def collect(self, _scope):
        self.asked += 1
        for one in self.found:
            if isinstance(one, BaseException):
                raise one
            yield one

    def permissions(self, _site):
        return ()


def item(path="a.json", body=b"{}"):
    return Item(path=path, body=body, source="s3://evidence/a.json")


def wrong(bundle):
    files, unreadable = load(bundle.path)
    return [*unreadable, *faults(files)]


def listed(bundle):
    return sorted(path for path in load(bundle.path)[0] if path != NAME)


def test_a_bundle_holds_every_kind_and_verifies(world):
    manifest = world.collect()
    assert wrong(world.bundle()) == []
    assert [file.path for file in manifest.files] == [
        "audits/bucket/2026/11/audit.json",
        "audits/folder/audit.json",
        "restore-tests/2026/11/20261105T100000Z-job.json",
        "drills/2026/11/drill-2026-11.json",
        "patches/runs.json",
        "patches/states.json",
        "alarms/history.json",
        "trail/digests.json",
    ]
    assert (manifest.kinds, manifest.missing, manifest.previous, manifest.who) == (KINDS, (), None, WHO)
    assert [(one.path, one.commit, one.settings_sha256, one.graph_sha256) for one in manifest.audited] == [
        ("audits/bucket/2026/11/audit.json", "c0ffee", "a" * 64, "b" * 64),
        ("audits/folder/audit.json", "c0ffee", "a" * 64, "b" * 64),
    ]
    assert set(manifest.tools) == {"boto3", "python", "runbook"}
    assert [path.name for path in (world.folder / "out").iterdir()] == [world.bundle().id]


def test_no_value_that_could_be_secret_is_in_it(world):
    world.collect()
    files, _ = load(world.bundle().path)
    assert [path for path, body in files.items() if SECRET.encode() in body] == []


def test_a_bundle_that_is_whole_is_kept_as_it_is(world):
    first = world.collect()
    before = load(world.bundle().path)
    world.put("drills/2026/11/drill-2026-11-2.json")
    asked = []
    assert world.collect(told=asked.append) == first
    assert (load(world.bundle().path), asked) == (before, [])


def test_a_bundle_that_follows_another_than_before_is_sealed_anew_and_nothing_else(world):
    first = world.collect()
    asked = []
    second = world.collect(previous=Previous(bundle="staging-x", sha256="1" * 64), told=asked.append)
    assert (second.files, second.previous.bundle, asked) == (first.files, "staging-x", [])
    assert wrong(world.bundle()) == []


def test_a_kind_that_cannot_be_had_is_missing_with_the_reason_and_takes_no_other_with_it(world):
    del world.inventory["patching"]
    world.inventory["audit"] = {"bucket": "b"}
    manifest = world.collect()
    assert [(gap.kind, gap.what, gap.reason) for gap in manifest.missing] == [
        ("patches", "whatever else there is", "staging has no inventory of patching"),
        (
            "trail",
            "whatever else there is",
            "the inventory of audit does not say trailArn; `make up STACK=staging` writes it",
        ),
    ]
    assert manifest.kinds == KINDS
    assert "alarms/history.json" in listed(world.bundle())
    assert wrong(world.bundle()) == []


def test_a_defect_of_one_collector_is_told_without_its_text(world):
    manifest = world.collect(collectors=[One("x", item(), ValueError(SECRET)), One("y", item())])
    assert [(gap.what, gap.reason) for gap in manifest.missing] == [
        ("whatever else there is", "a defect of the collector (ValueError)")
    ]
    assert listed(world.bundle()) == ["x/a.json", "y/a.json"]


def test_what_was_missing_is_looked_for_again_and_nothing_else(world):
    good, bad = One("good", item()), One("bad", UserError("AWS is too busy.", "Try again."))
    assert [gap.reason for gap in world.collect(collectors=[good, bad]).missing] == ["AWS is too busy"]
    bad.found = [item()]
    manifest = world.collect(collectors=[good, bad])
    assert (manifest.missing, good.asked, bad.asked) == ((), 1, 2)
    assert wrong(world.bundle()) == []


def test_what_nobody_can_find_any_more_is_not_looked_for_again(world):
    one = One("x", Gap(what="history", reason="forgotten", lasting=True))
    world.collect(collectors=[one])
    assert len(world.collect(collectors=[one]).missing) == 1
    assert one.asked == 1


def test_an_attempt_that_fails_takes_nothing_away_from_an_earlier_one(world):
    one = One("x", item("a.json", b"1"), Gap(what="b", reason="gone"))
    world.collect(collectors=[one])
    one.found = [item("a.json", b"2"), UserError("AWS is too busy.")]
    manifest = world.collect(collectors=[one])
    assert ((world.bundle().path / "x/a.json").read_bytes(), [gap.what for gap in manifest.missing]) == (b"1", ["b"])
    one.found = [item("a.json", b"3"), item("b.json", b"3")]
    assert world.collect(collectors=[one]).missing == ()
    assert listed(world.bundle()) == ["x/a.json", "x/b.json"]


@pytest.mark.parametrize("path", ["../../outside", "/etc/passwd", ".hidden", "a//b", "a b", "ü"])
def test_a_name_that_could_leave_the_bundle_is_missing_and_not_written(world, path):
    manifest = world.collect(collectors=[One("x", item(path))])
    assert [gap.reason for gap in manifest.missing] == ["its name cannot be that of a file in a bundle"]
    assert (listed(world.bundle()), {one.name for one in world.folder.iterdir()}) == ([], {"out", "reports"})


def test_two_files_of_one_name_do_not_replace_each_other(world):
    manifest = world.collect(collectors=[One("x", item(body=b"1"), item(body=b"2"))])
    assert (len(manifest.missing), (world.bundle().path / "x/a.json").read_bytes()) == (1, b"1")


@pytest.mark.parametrize("change", ["content", "added", "manifest", "link"])
def test_a_bundle_that_was_changed_is_never_taken_for_one(world, change):
    world.collect()
    path = world.bundle().path
    if change == "content":
        (path / "alarms/history.json").write_bytes(b"{}")
    elif change == "added":
        (path / "drills/more.json").write_bytes(b"{}")
    elif change == "manifest":
        (path / NAME).write_bytes((path / NAME).read_bytes().replace(b"ada", b"eve"))
    else:
        body = (path / "alarms/history.json").read_bytes()
        (world.folder / "elsewhere").write_bytes(body)
        (path / "alarms/history.json").unlink()
        (path / "alarms/history.json").symlink_to(world.folder / "elsewhere")
    with pytest.raises(UserError, match=r"is not what was collected:\n(  .*\.\n)+Move it away"):
        world.collect()


def test_a_file_that_no_collector_left_does_not_get_into_a_bundle(world):
    path = world.bundle().path
    (path / "drills").mkdir(parents=True)
    (path / "drills" / "invented.json").write_text("{}")
    world.collect(collectors=[One("x", item())])
    assert (listed(world.bundle()), wrong(world.bundle())) == (["x/a.json"], [])


def test_a_folder_that_cannot_be_written_is_no_missing_evidence(world):
    (world.folder / "out").write_text("a file")
    with pytest.raises(UserError, match=r"cannot be written: .*\nName another folder with --output\."):
        world.collect()


def test_half_a_note_is_no_note(world):
    one = One("x", item())
    world.collect(collectors=[one])
    (world.bundle().path / NAME).unlink()
    notes = world.folder / "out" / f".{world.bundle().id}"
    notes.mkdir()
    (notes / "x.json").write_text('{"kind": "x"')
    world.collect(collectors=[one])
    assert (one.asked, wrong(world.bundle())) == (2, [])


# Killed, throttled, resumed


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_run_that_is_killed_at_any_call_goes_on_and_leaves_one_bundle(tmp_path, before):
    world, key, at = World(tmp_path, site("governance"), hours=2), "audits/bundles/000001.zip", 0
    while True:
        at += 1
        bundle = world.bundle(out=f"out-{at}")
        trouble, clients = world.struck(at, before=before)
        try:
            world.collect_and_store(bundle, clients=clients)
        except KeyboardInterrupt:
            # Whatever is there now is no bundle, or a whole one.
            files, _ = load(bundle.path)
            assert NAME not in files or list(faults(files)) == []
            assert world.bundles() in ({}, {key: 1})
            if not world.bundles():
                world.collect_and_store(bundle)
        assert (wrong(bundle), world.bundles()) == ([], {key: 1})
        assert world.shelf().manifest(world.shelf().stored()[0]) == bundle.whole()
        world.forget(key)
        if trouble.at is not None:
            break
    assert at > 15


def test_a_run_that_is_killed_collects_no_kind_twice(world):
    first, second = One("first", item()), One("second", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.collect(collectors=[first, second])
    assert NAME not in load(world.bundle().path)[0]
    second.found = [item()]
    world.collect(collectors=[first, second])
    assert (first.asked, second.asked, wrong(world.bundle())) == (1, 2, [])


def test_a_file_that_was_changed_after_its_run_was_killed_is_collected_again(world):
    first, second = One("first", item(body=b"1")), One("second", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.collect(collectors=[first, second])
    (world.bundle().path / "first/a.json").write_bytes(b"forged")
    second.found = []
    world.collect(collectors=[first, second])
    assert (first.asked, (world.bundle().path / "first/a.json").read_bytes()) == (2, b"1")


def test_a_bundle_that_is_being_completed_is_not_whole_until_it_is(world):
    first, second = One("first", Gap(what="a", reason="busy")), One("second", Gap(what="b", reason="busy"))
    world.collect(collectors=[first, second])
    first.found, second.found = [item()], [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        world.collect(collectors=[first, second])
    assert wrong(world.bundle())[0].startswith("There is no manifest.json: the bundle is not whole.")
    second.found = [item()]
    assert world.collect(collectors=[first, second]).missing == ()
    assert first.asked == 2


@pytest.mark.parametrize("written", range(1, 6))
def test_a_run_that_is_killed_while_it_writes_leaves_no_half_file(world, monkeypatch, written):
    left, replace = [written], os.fsync

    def dying(descriptor):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        replace(descriptor)

    monkeypatch.setattr(os, "fsync", dying)
    collectors = [One("x", item("a.json"), item("b.json")), One("y", item())]
    with pytest.raises(KeyboardInterrupt):
        world.collect(collectors=collectors)
    assert NAME not in load(world.bundle().path)[0]
    manifest = world.collect(collectors=collectors)
    assert (listed(world.bundle()), wrong(world.bundle())) == (["x/a.json", "x/b.json", "y/a.json"], [])
    assert manifest.missing == ()


@pytest.mark.parametrize("at", range(1, 12))
def test_a_throttled_call_costs_its_kind_alone_and_the_next_attempt_has_it(world, at):
    trouble, clients = world.struck(at, throttled())
    manifest = world.collect(clients=clients)
    assert trouble.at is None
    assert all("too busy" in gap.reason for gap in manifest.missing)
    assert len({gap.kind for gap in manifest.missing}) == 1
    assert world.collect().missing == ()
    assert wrong(world.bundle()) == []


def test_two_kinds_of_evidence_have_two_names():
    kinds = [one.kind for one in COLLECTORS]
    assert (tuple(kinds), len(set(kinds))) == (KINDS, len(kinds))


def test_a_period_without_any_evidence_says_so_kind_by_kind(world):
    long_ago = Period(PERIOD.first.replace(year=2020, month=1, day=1), PERIOD.last.replace(year=2020, month=1, day=2))
    manifest = world.collect(period=long_ago)
    assert manifest.kinds == KINDS
    assert [(gap.kind, gap.what, gap.lasting) for gap in manifest.missing] == [
        ("patches", "runs before 2020-01-03 00:00 UTC", True),
        ("alarms", "history before 2020-01-03 00:00 UTC", True),
        ("trail", "digests", False),
    ]


def test_moments_are_those_at_which_each_file_was_collected(world):
    manifest = collect(
        world.scope(),
        world.bundle(),
        [One("x", item("a.json"), item("b.json"))],
        who=WHO,
        previous=None,
        now=lambda: NOW,
    )
    assert {file.collected_at for file in manifest.files} == {manifest.collected_at} == {f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}
    assert json.loads(manifest.bytes)["period"] == {"first": str(PERIOD.first), "last": str(PERIOD.last)}
