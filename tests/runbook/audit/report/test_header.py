"""Where a report comes from."""

import hashlib
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from runbook.audit.report.header import of_project, source
from tests.runbook import graphs


def git(folder, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "repository" / "infra"
    folder.mkdir(parents=True)
    (folder / "Pulumi.staging.yaml").write_text("config: {}\n", encoding="utf-8")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-qm", "first")
    return folder


def test_a_commit_is_clean_until_something_in_the_project_changes(project):
    first = source(project, project / "reports")
    assert (len(first.commit), first.dirty, first.prefix) == (40, False, "infra/")
    assert str(first) == first.commit
    (project / "new.py").write_text("", encoding="utf-8")
    second = source(project, project / "reports")
    assert (second.commit, second.dirty) == (first.commit, True)
    assert str(second) == f"{first.commit} with changes that are not committed"


def test_the_reports_are_no_change_of_the_project(project):
    (project / "reports").mkdir()
    (project / "reports" / "audit.json").write_text("{}", encoding="utf-8")
    assert not source(project, project / "reports").dirty
    assert source(project, project / "elsewhere").dirty


def test_a_variable_of_a_hook_does_not_point_git_elsewhere(project, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert source(project, project / "reports").commit


def test_a_folder_without_a_repository_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    told = source(tmp_path, tmp_path / "reports")
    assert (told.commit, told.dirty, str(told)) == (None, True, "no commit")


def test_a_machine_without_git_has_no_commit(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert source(project, project / "reports").commit is None


def test_the_header_has_time_in_utc_hashes_and_the_versions_of_the_tools(project):
    now = datetime(2026, 11, 21, 13, 0, 0, 999, tzinfo=timezone(timedelta(hours=1)))
    told = of_project(project, [graphs.small()], project / "reports", now)
    assert (told.project, told.time) == ("shop", "2026-11-21T12:00:00Z")
    assert told.hashes["staging"].settings == hashlib.sha256(b"config: {}\n").hexdigest()
    assert list(told.tools) == ["python", "runbook", "pulumi", "pulumi-aws", "pulumi-policy"]


def test_the_hash_of_a_graph_follows_its_inputs_and_not_the_clock(project):
    def hashed(graph):
        return of_project(project, [graph], project, datetime.now().astimezone()).hashes["staging"].graph

    first = graphs.small()
    other = replace(first.resources[-1], inputs={"enableKeyRotation": True})
    assert hashed(first) == hashed(replace(first, seconds=99.0))
    assert hashed(first) != hashed(replace(first, resources=(*first.resources[:-1], other)))
