"""What verification finds, on bytes alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.evidence.container import ContainerError, pack, unpack
from runbook.evidence.manifest import (
    NAME,
    Collected,
    Days,
    Manifest,
    Missing,
    Previous,
    canonical,
    chained,
    hashed,
    read,
    sealed,
)
from runbook.evidence.verify import Bundle, chain_faults, faults

AT = "2026-11-21T09:00:00Z"
PATHS = ("alarms/history.json", "drills/2026/11/drill-2026-11.json", "patches/states.json", "trail/digests.json")


def manifest(files, name="staging-2026-11-01-to-2026-11-07", previous=None, at=AT, missing=()):
    return sealed(
        [
            Collected(
                path=path,
                kind=path.partition("/")[0],
                sha256=hashed(body),
                size=len(body),
                source=f"s3://evidence/{path}",
                version_id=None,
                collected_at=AT,
            )
            for path, body in files.items()
        ],
        id=name,
        project="learning-platform",
        environment="staging",
        account="123456789012",
        region="us-east-1",
        period=Days(first="2026-11-01", last="2026-11-07"),
        collected_at=at,
        who="ada",
        tools={"runbook": "0.1.0"},
        kinds=("alarms", "drills", "patches", "trail"),
        audited=(),
        missing=missing,
        previous=previous,
    )


def bundle(files):
    return {**files, NAME: manifest(files).bytes}


FILES = {path: f"content of {path}".encode() for path in PATHS}

contents = st.dictionaries(st.sampled_from(PATHS), st.binary(max_size=20), min_size=1)


def damaged(body, draw):
    """The bytes with one of them changed, one more or one less."""
    at = draw(st.integers(0, len(body)))
    match draw(st.sampled_from(("change", "insert", "remove"))):
        case "change" if at < len(body):
            return body[:at] + bytes([body[at] ^ draw(st.integers(1, 255))]) + body[at + 1 :]
        case "remove" if at < len(body):
            return body[:at] + body[at + 1 :]
        case _:
            return body[:at] + bytes([draw(st.integers(0, 255))]) + body[at:]


@given(contents)
def test_a_bundle_as_it_was_collected_has_no_fault(files):
    assert list(faults(bundle(files))) == []


@given(contents, st.data())
def test_a_single_byte_changed_anywhere_is_found(files, data):
    whole = bundle(files)
    path = data.draw(st.sampled_from(sorted(whole)))
    assert list(faults(whole | {path: damaged(whole[path], data.draw)})) != []


@given(contents, st.data())
def test_a_file_that_is_gone_renamed_swapped_or_added_is_found(files, data):
    whole = bundle(files)
    path = data.draw(st.sampled_from(sorted(whole)))
    rest = {name: body for name, body in whole.items() if name != path}
    assert list(faults(rest)) != []
    assert list(faults({**rest, f"{path}.old": whole[path]})) != []
    assert list(faults({**whole, "drills/invented.json": b"{}"})) != []
    other = data.draw(st.sampled_from(sorted(whole)))
    if whole[path] != whole[other]:
        assert list(faults(whole | {path: whole[other], other: whole[path]})) != []


def resealed(document):
    """The manifest of somebody who knows how a seal is made."""
    document["seal"] = "0" * 64
    draft = Manifest.model_validate_json(json.dumps(document))
    return draft.model_copy(update={"seal": draft.right_seal}).bytes


@given(st.data())
def test_an_edited_list_of_files_is_found_under_a_new_seal_too(data):
    document = manifest(FILES).data()
    entries = document["files"]
    at = data.draw(st.integers(0, len(entries) - 1))
    files = dict(FILES)
    match data.draw(st.sampled_from(("drop", "move", "repeat", "edit"))):
        case "drop":
            del files[entries.pop(at)["path"]]
        case "move":
            entries.append(entries.pop(at))
            if at == len(entries) - 1:
                entries.insert(0, entries.pop())
        case "repeat":
            entries.append(entries[at])
        case "edit":
            key = data.draw(st.sampled_from(("source", "collectedAt", "kind")))
            entries[at][key] = "2026-11-20T09:00:00Z" if key == "collectedAt" else "other"
    assert list(faults({**files, NAME: resealed(document)})) != []


def test_each_fault_is_one_sentence():
    whole = bundle(FILES)
    gone = {path: body for path, body in whole.items() if path != PATHS[0]}
    assert list(faults(gone)) == ["alarms/history.json is missing."]
    assert list(faults(whole | {PATHS[0]: b"x"})) == [
        "alarms/history.json was changed: it is not what was collected.",
    ]
    assert list(faults(whole | {"drills/more.json": b"x"})) == [
        "drills/more.json was added: the manifest does not list it.",
    ]
    assert list(faults(FILES)) == [
        "There is no manifest.json: the bundle is not whole. Collecting its period again completes one that was begun."
    ]


def test_an_edited_manifest_is_told_as_such():
    whole = bundle(FILES)
    assert list(faults(whole | {NAME: whole[NAME].replace(b'"who":"ada"', b'"who":"eve"')})) == [
        "manifest.json was edited: its seal does not fit what it says."
    ]
    spaced = json.dumps(json.loads(whole[NAME]), sort_keys=True).encode()
    assert list(faults(whole | {NAME: spaced})) == [
        "manifest.json was edited: it is not written the way runbook writes it."
    ]
    (unreadable,) = faults(whole | {NAME: b"{"})
    assert unreadable.startswith("manifest.json cannot be read: ")
    later = whole[NAME].replace(b'"version":1', b'"version":2')
    assert list(faults(whole | {NAME: later})) == ["manifest.json cannot be read: version: Input should be 1."]


def test_files_in_another_order_are_told_as_such():
    document = manifest(FILES).data()
    document["files"][1], document["files"][2] = document["files"][2], document["files"][1]
    found = list(faults({**FILES, NAME: resealed(document)}))
    assert found[0] == (
        "patches/states.json does not follow alarms/history.json: an entry was changed, added, left out or moved."
    )


def test_a_manifest_that_points_outside_of_the_bundle_is_refused():
    outside = {"../../etc/passwd": b"root"}
    assert "'../../etc/passwd' is no name of a file in a bundle." in list(faults(bundle(outside)))


def test_what_is_missing_from_a_bundle_is_part_of_what_is_sealed():
    lacking = manifest(FILES, missing=(Missing(kind="drills", what="all", reason="throttled"),)).bytes
    hidden = json.loads(lacking)
    hidden["missing"] = []
    assert list(faults({**FILES, NAME: canonical(hidden)})) == [
        "manifest.json was edited: its seal does not fit what it says."
    ]


def test_a_chain_belongs_to_its_bundle():
    files = read(manifest(FILES).bytes).files
    plain = [Collected(**file.model_dump(exclude={"previous"})) for file in files]
    assert chained("one", plain)[0].previous != chained("another", plain)[0].previous


# From bundle to bundle


def series(count):
    made = []
    for number in range(1, count + 1):
        previous = Previous(bundle=made[-1].manifest.id, sha256=made[-1].manifest.sha256) if made else None
        at = f"2026-11-{number:02}T09:00:00Z"
        made.append(Bundle(f"{number:06}.zip", manifest(FILES, f"staging-{number}", previous, at)))
    return made


@given(st.integers(0, 6), st.randoms())
def test_bundles_that_follow_one_another_have_no_fault_in_any_order(count, random):
    bundles = series(count)
    random.shuffle(bundles)
    assert list(chain_faults(bundles)) == []


@given(st.integers(2, 6), st.data())
def test_a_bundle_written_anew_from_end_to_end_is_found_by_the_next(count, data):
    bundles = series(count)
    at = data.draw(st.integers(0, count - 2))
    old = bundles[at].manifest
    bundles[at] = Bundle("new", manifest({PATHS[0]: b"forged"}, old.id, old.previous, old.collected_at))
    assert list(chain_faults(bundles)) == [
        f"{bundles[at + 1].name} follows another {old.id} than new: one was written anew."
    ]


@given(st.integers(3, 6), st.data())
def test_a_bundle_that_was_taken_out_of_the_middle_is_found(count, data):
    bundles = series(count)
    at = data.draw(st.integers(1, count - 2))
    gone = bundles.pop(at)
    assert list(chain_faults(bundles)) == [
        f"{bundles[at].name} is not linked to the others: it follows {gone.manifest.id}."
    ]


def test_old_bundles_may_be_deleted_when_their_time_is_over():
    assert list(chain_faults(series(5)[2:])) == []


def test_a_second_branch_and_a_second_bundle_of_one_id_are_found():
    bundles = series(2)
    branch = Bundle("branch", manifest(FILES, "staging-x", bundles[1].manifest.previous, "2026-11-30T00:00:00Z"))
    assert list(chain_faults([*bundles, branch])) == [
        "000002.zip and branch both follow staging-1: one of them is not of the chain."
    ]
    assert list(chain_faults([bundles[0], Bundle("copy", bundles[0].manifest)])) == [
        "000001.zip and copy both say that they are staging-1."
    ]


# As an archive


@given(contents)
def test_an_archive_holds_the_same_files(files):
    assert unpack(pack(files)) == files
    assert pack(dict(reversed(files.items()))) == pack(files)


@given(contents, st.data())
def test_a_single_byte_changed_in_an_archive_is_found(files, data):
    body = damaged(pack(bundle(files)), data.draw)
    try:
        found = list(faults(unpack(body)))
    except ContainerError:
        return
    assert found != []


@pytest.mark.parametrize("body", [b"", b"PK", b"not a zip at all" * 10])
def test_what_is_no_archive_is_told_so(body):
    with pytest.raises(ContainerError, match=r"The archive cannot be read: .*\."):
        unpack(body)
