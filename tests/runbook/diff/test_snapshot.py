"""A checkout is asked by its own code, in a process of its own that sees no credentials."""

import json

import pytest
from typer.testing import CliRunner

from runbook.diff import snapshot
from runbook.errors import UserError
from runbook.subcommands.diff import app

#: Stands for the code of a checkout: it answers as ``runbook`` does, and tells what it sees.
PROGRAM = """
import json, os, pathlib, sys
command, stack = sys.argv[1:3]
if stack == "broken":
    print("Pulumi.broken.yaml:3: mode is 'sh'.", file=sys.stderr)
    sys.exit(2)
inputs = {{"seen": sorted(os.environ), "mark": "{mark}", "code": {{
    "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "path": "{path}"}}}}
urn = "urn:pulumi:" + stack + "::shop::aws:ec2/vpc:Vpc::net"
state = {{"urn": urn, "type": "aws:ec2/vpc:Vpc", "custom": True, "inputs": inputs, "outputs": inputs, "id": "vpc-1"}}
audit = {{"verdict": "{verdict}", "rules": 1, "findings": [], "notEvaluated": []}}
print(json.dumps({{"steps": [{{"newState": state}}]}} if command == "preview" else {{"stacks": [audit]}}))
sys.exit({code})
"""


@pytest.fixture
def checkout(tmp_path):
    def make(name="head", *, mark="a", path="code.py", verdict="clean", code=0, stacks=("dev",)):
        folder = tmp_path / name
        (folder / "runbook").mkdir(parents=True)
        (folder / "Pulumi.yaml").write_text("name: shop\n")
        (folder / "code.py").write_text("pass\n")
        for stack in stacks:
            (folder / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
        (folder / "runbook" / "__init__.py").touch()
        program = PROGRAM.format(mark=mark, path=path, verdict=verdict, code=code)
        (folder / "runbook" / "__main__.py").write_text(program)
        return folder

    return make


def inputs(taken, stack="dev"):
    return taken["stacks"][stack]["resources"][0]["inputs"]


def test_the_code_of_the_folder_answers_and_sees_no_credentials(checkout, monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.setenv(name, "hunter2")
    taken = snapshot.take(checkout(mark="mine"))
    assert inputs(taken)["mark"] == "mine"
    assert not {name for name in inputs(taken)["seen"] if name.startswith(("AWS", "GITHUB", "PULUMI"))}


def test_a_refused_stack_is_a_snapshot_like_any_other(checkout):
    taken = snapshot.take(checkout(verdict="refused", code=1))
    assert taken["stacks"]["dev"]["audit"]["verdict"] == "refused"


def test_a_stack_that_fails_keeps_its_reasons_and_no_other_from_being_taken(checkout):
    folder = checkout(stacks=("broken", "dev"))
    taken = snapshot.take(folder)
    assert list(taken["stacks"]) == ["broken", "dev"]
    assert taken["stacks"]["broken"] == {
        "fault": [f"`runbook preview broken --json` in {folder} ended with 2:", "Pulumi.broken.yaml:3: mode is 'sh'."]
    }
    assert inputs(taken)["mark"] == "a"


def test_a_file_is_told_by_what_is_in_it(checkout):
    one, same, other = (checkout(name) for name in ("one", "same", "other"))
    (other / "code.py").write_text("print()\n")
    told = [inputs(snapshot.take(folder))["code"] for folder in (one, same, other)]
    assert told[0] == told[1] != told[2]
    escaping = checkout("escaping", path="../one/code.py")
    assert inputs(snapshot.take(escaping))["code"] == "a file outside of the project"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("{", "holds no JSON"),
        ("[]", "it has no stacks"),
        ('{"stacks": {}, "version": 0}', "is a snapshot of version 0; this release reads 1."),
    ],
)
def test_what_is_no_snapshot_is_a_mistake_told_in_a_sentence(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError) as refusal:
        snapshot.read(tmp_path / "x.json")
    assert sentence in refusal.value.lines[0]
    assert refusal.value.lines[1] == "Write one: runbook diff snapshot -o FILE"


class TestCommand:
    def test_a_stored_base_and_a_folder_are_compared_without_a_sub_command(self, checkout, tmp_path):
        stored = tmp_path / "base.json"
        run = CliRunner().invoke(app, ["snapshot", "-o", str(stored), "-C", str(checkout("base", mark="a"))])
        assert (run.exit_code, run.output) == (0, "")
        head = str(checkout("head", mark="b"))
        run = CliRunner().invoke(app, ["dev", "--base", str(stored), "--head", head, "--format", "json"])
        assert run.exit_code == 0
        (stack,) = json.loads(run.output)["stacks"]
        assert [change["path"] for change in stack["entries"][0]["changes"]] == ["mark"]

    @pytest.mark.parametrize(
        ("form", "begins"), [("markdown", "<!-- runbook-diff -->\n## "), ("text", "dev: refused (")]
    )
    def test_it_ends_with_1_where_a_stack_is_refused(self, checkout, form, begins):
        folder = checkout(verdict="refused", code=1)
        run = CliRunner().invoke(app, ["--base", str(folder), "--head", str(folder), "--format", form])
        assert run.exit_code == 1
        assert run.output.startswith(begins)

    def test_two_runs_say_the_same(self, checkout):
        arguments = ["--base", str(checkout("base")), "--head", str(checkout("head", mark="b")), "--format", "json"]
        first, second = (CliRunner().invoke(app, arguments).output for _ in range(2))
        assert first == second

    def test_a_stack_that_the_head_does_not_have_is_a_mistake(self, checkout):
        folder = str(checkout())
        run = CliRunner().invoke(app, ["prod", "--base", folder, "--head", folder])
        assert isinstance(run.exception, UserError)
        assert "There is no stack 'prod'" in run.exception.lines[0]
