"""The files of a report."""

import json
from pathlib import Path

import pytest

from runbook.audit.report import FORMATS, write
from runbook.errors import UserError

from . import examples


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    for stack in ("staging", "prod"):
        (folder / f"Pulumi.{stack}.yaml").write_text("config: {}\n", encoding="utf-8")
    return folder


def written(project, *formats, **options):
    audits = [(each.graph, each.audit) for each in (examples.broken(), examples.clean())]
    return write(audits, formats, project / "reports", project=project, now=examples.NOW, **options)


def test_every_format_has_files_of_its_own(project):
    paths = written(project, *FORMATS)
    assert [path.name for path in paths] == [
        "audit.html",
        "audit.json",
        "audit.sarif",
        "audit.junit.xml",
        "audit.csv",
        "controls.csv",
        "audit.md",
        "audit.oscal.json",
    ]
    assert {path.name for path in (project / "reports").iterdir()} == {path.name for path in paths}
    assert all(path.read_bytes().endswith(b"\n") for path in paths)


def test_the_same_audit_gives_the_same_bytes(project):
    first = {path: path.read_bytes() for path in written(project, *FORMATS)}
    assert first == {path: path.read_bytes() for path in written(project, *FORMATS)}


def test_a_format_that_is_named_twice_is_written_once(project):
    assert [path.name for path in written(project, "csv", "csv")] == ["audit.csv", "controls.csv"]


def test_an_unknown_format_is_refused_before_anything_is_written(project):
    with pytest.raises(UserError) as refused:
        written(project, "csv", "pdf")
    assert refused.value.lines == (
        "There is no report pdf.",
        "Reports: html, json, sarif, junit, csv, markdown, oscal.",
    )
    assert not (project / "reports").exists()


def test_an_earlier_report_may_be_written_over_by_the_one_that_is_compared_with_it(project):
    (path,) = written(project, "json")
    assert json.loads(path.read_text(encoding="utf-8"))["changes"] is None
    written(project, "json", previous=path)
    changes = json.loads(path.read_text(encoding="utf-8"))["changes"]
    assert {name: len(changes[name]) for name in ("new", "still", "waived", "fixed", "lost")} == {
        "new": 0,
        "still": 4,
        "waived": 1,
        "fixed": 0,
        "lost": 0,
    }


def test_a_report_that_cannot_be_written_leaves_what_was_there(project, monkeypatch):
    written(project, "json", "markdown")
    before = {path.name: path.read_bytes() for path in (project / "reports").iterdir()}
    chmod = Path.chmod

    def full(path, mode):
        if path.name.startswith(".audit.md"):
            raise OSError(28, "No space left on device")
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", full)
    with pytest.raises(UserError) as refused:
        written(project, "json", "markdown", previous=project / "reports" / "audit.json")
    assert refused.value.lines == (
        f"The reports cannot be written to {project / 'reports'}: No space left on device.",
        "Name another folder.",
    )
    assert {path.name: path.read_bytes() for path in (project / "reports").iterdir()} == before


def test_a_folder_that_is_a_file_is_refused_in_a_sentence(project):
    (project / "reports").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="The reports cannot be written to"):
        written(project, "json")


@pytest.mark.parametrize("name", FORMATS)
def test_no_report_shows_the_value_of_a_property_a_setting_or_an_export(name):
    for text in FORMATS[name].values():
        told = text(examples.report(changes=examples.CHANGES))
        assert examples.VALUE not in told
        assert "net-open" in told


@pytest.mark.parametrize("name", FORMATS)
def test_a_project_without_stacks_and_a_stack_without_resources_have_reports_too(name):
    empty = examples.StackAudit(examples.graphs.graph(), examples.graphs.audit())
    for text in FORMATS[name].values():
        assert text(examples.report(empty))
        assert text(examples.Report(header=examples.header(), stacks=()))
