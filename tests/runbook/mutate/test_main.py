"""``python -m runbook.mutate``, as a person starts it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def started(*words):
    command = [sys.executable, "-m", "runbook.mutate", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def done():
    return started("prod", "staging", "--type", "s3/bucketVersioning", "--type", "ebs/*")


def test_each_stack_has_its_score_of_the_types_that_are_asked_for(done):
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines if "mutants noticed" in line] == ["prod", "staging"]
    scores = [line for line in lines if "mutants noticed" in line]
    assert all(line.endswith("neither.") and " 0 of " not in line for line in scores)


def test_of_versioning_and_encryption_nothing_survives_unexplained(done):
    assert [line.rpartition(", ")[2] for line in done.stdout.splitlines() if "noticed" in line] == ["0 neither."] * 2


def test_a_type_that_is_not_there_is_a_mistake_in_a_sentence():
    wrong = started("dev", "--type", "s3/nothing")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("dev has no resource of a type that is meant with s3/nothing.")


def test_an_unknown_stack_is_a_mistake_in_a_sentence():
    wrong = started("prodd")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "prodd" in wrong.stderr
    assert "Traceback" not in wrong.stderr
