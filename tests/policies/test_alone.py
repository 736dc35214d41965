"""The pack published by itself: a folder, and nothing installed but what its requirements name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from policies.rulebook import RULES
from policies.rulebook.remedies import REMEDIES
from policies.rulebook.rule import StackRule

ROOT = Path(__file__).parents[2]

#: The project's own rooms, which are not there where the pack is published without it.
ROOMS = {"components", "functions", "policies", "runbook", "settings"}

#: Lets nothing be imported that is listed, then runs a statement.
ALONE = """
import json, runpy, sys

class Without:
    hidden = frozenset(json.loads(sys.argv[1]))
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.hidden:
            raise ModuleNotFoundError(f"{name} is not among the requirements", name=name)

sys.meta_path.insert(0, Without())
exec(sys.argv[2])
"""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required() -> set[str]:
    """The modules that come with the pack's requirements and with what these require themselves."""
    text = (ROOT / "policies" / "requirements.txt").read_text(encoding="utf-8")
    pending = [plain(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            needs = [need for need in requires(name) or () if "extra ==" not in need]
            pending += [plain(match[0]) for need in needs if (match := re.match(r"[\w.-]+", need))]
    return {
        module for module, distributions in packages_distributions().items() if found & set(map(plain, distributions))
    }


@pytest.fixture
def pack(tmp_path) -> Path:
    folder = tmp_path / "pack"
    shutil.copytree(ROOT / "policies", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def alone(pack, statement, modules):
    """Runs a statement beside the folder of the pack, where of all that is installed only ``modules`` are there."""
    hidden = (packages_distributions().keys() | ROOMS) - modules
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "PYTHONPATH"))}
    return subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(sorted(hidden)), statement],
        cwd=pack.parent,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


#: Imports the pack as the CLI runs it, up to where the server would start.
SERVED = """
import pulumi_policy
pulumi_policy.PolicyPack = lambda name, policies, **_: print(name, len(policies))
runpy.run_path({folder!r}, run_name="__main__")
"""


def test_the_pack_needs_only_what_its_requirements_name(pack):
    done = alone(pack, SERVED.format(folder=str(pack)), required())
    by_themselves = sum(isinstance(remedy.rule, StackRule) for remedy in REMEDIES)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["learning-platform", str(len(RULES) + by_themselves)]


def test_what_is_missing_would_be_noticed(pack):
    assert {"pulumi", "pulumi_policy", "yaml"} <= required()
    assert not {"boto3", "pydantic", "rich", "typer"} & required()
    done = alone(pack, SERVED.format(folder=str(pack)), required() - {"yaml"})
    assert done.returncode == 1
    assert "ModuleNotFoundError: yaml is not among the requirements" in done.stderr
