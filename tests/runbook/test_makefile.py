"""The Makefile: what it would run, and what it says where something is missing. Nothing is installed or deployed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path):
    """A fresh clone as make sees it: no .venv."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def few_tools(folder):
    """A PATH with what the Makefile itself needs and no Pulumi CLI."""
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("make", "sh", "sed"):
        (tools / tool).symlink_to(shutil.which(tool))
    return str(tools)


def make(folder, *arguments, path=None):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    for name in ("STACK", "PYTHON", "PULUMI"):
        environ.pop(name, None)
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**environ, "HOME": str(folder), **({"PATH": path} if path else {})},
        capture_output=True,
        text=True,
        check=False,
    )


def script(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def test_make_alone_lists_every_target_that_is_for_people(clone):
    listed = re.findall(r"^  make ([a-z-]+)", make(clone).stdout, re.MULTILINE)
    assert listed == ["help", "preview", "audit", "mutate", "test", "check", "format", "up", "pulumi", "lock", "clean"]


@pytest.mark.parametrize(("given", "stack"), [((), "staging"), (("STACK=prod",), "prod")])
def test_preview_installs_what_runs_by_its_hashes_and_previews_the_stack(clone, given, stack):
    commands = make(clone, "--dry-run", "preview", *given).stdout
    installed = re.findall(r"pip install .*", commands)
    assert [line.split("--disable-pip-version-check ")[1] for line in installed] == [
        "--require-hashes -r requirements.txt",
        "--no-deps --no-build-isolation --editable .",
    ]
    assert commands.splitlines()[-1] == f".venv/bin/python -m runbook preview {stack}"


def test_tests_add_the_tools_by_their_hashes(clone):
    commands = make(clone, "--dry-run", "test").stdout
    assert "pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt" in commands
    assert commands.splitlines()[-1] == ".venv/bin/python -m pytest -n auto"


def test_a_second_call_installs_nothing(clone):
    venv = clone / ".venv" / "bin"
    venv.mkdir(parents=True)
    script(venv / "python")
    for stamp in (".can-run", ".can-test"):
        (clone / ".venv" / stamp).touch()
    assert make(clone, "--dry-run", "test", "preview").stdout.splitlines() == [
        ".venv/bin/python -m pytest -n auto",
        ".venv/bin/python -m runbook preview staging",
    ]


def test_check_runs_everything_and_with_test_before_it_the_tests_once(clone):
    commands = make(clone, "--dry-run", "test", "check").stdout
    runs = [line for line in commands.splitlines() if line.startswith(".venv/bin/python -m") and "pip" not in line]
    assert [line.removeprefix(".venv/bin/python -m ") for line in runs] == [
        "pytest -n auto",
        "ruff format --check .",
        "ruff check .",
        "mypy",
        "runbook audit",
    ]


def test_an_interpreter_that_is_too_old_is_named_and_nothing_is_made(clone):
    old = script(clone / "oldpython", 'case "$1" in --version) echo Python 3.10.4 ;; *) exit 1 ;; esac')
    done = make(clone, "preview", f"PYTHON={old}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"{old} is Python 3.10.4; 3.11 or newer is needed. Name one: make PYTHON=python3.12 …"
    )
    assert not (clone / ".venv").exists()


def test_a_missing_interpreter_is_named(clone):
    done = make(clone, "preview", "PYTHON=no-such-python")
    assert done.returncode == 2
    assert done.stderr.startswith("There is no no-such-python.")


@pytest.mark.parametrize("given", [(), ("PULUMI=no-such-pulumi",)], ids=["none", "a wrong one"])
def test_without_the_cli_up_says_how_to_get_it_and_touches_nothing(clone, given):
    tools = few_tools(clone)
    before = sorted(clone.rglob("*"))
    done = make(clone, "up", "STACK=prod", *given, path=tools)
    assert (done.returncode, done.stdout) == (2, "")
    assert "make up needs the Pulumi CLI" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert "pulumi.automation.PulumiCommand.install()" in done.stderr
    assert sorted(clone.rglob("*")) == before


def test_with_the_cli_up_deploys_with_the_policy_pack_and_with_the_preview(clone):
    cli = script(clone / "pulumi", 'echo "pulumi $*"')
    venv = clone / ".venv" / "bin"
    venv.mkdir(parents=True)
    script(venv / "python")
    (clone / ".venv" / ".can-run").touch()
    done = make(clone, "up", "STACK=prod", f"PULUMI={cli}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "pulumi up --stack prod --policy-pack policies\n", "")


def test_the_cli_that_the_sdk_fetched_is_found(clone):
    version = re.search(r"^pulumi==([\d.]+)", (clone / "requirements.txt").read_text(), re.MULTILINE).group(1)
    fetched = clone / ".pulumi" / "versions" / version / "bin" / "pulumi"
    fetched.parent.mkdir(parents=True)
    script(fetched)
    commands = make(clone, "--dry-run", "up", path=few_tools(clone)).stdout
    assert f'"{fetched}" up --stack "staging" --policy-pack policies' in commands.replace("\\\n", "")


def test_ci_runs_the_two_commands():
    text = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "set -euo pipefail" in text
    assert text.splitlines()[-1] == "exec make --keep-going test check"
