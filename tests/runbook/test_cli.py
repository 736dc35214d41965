"""The command: exit codes, what goes to which stream, and how it looks where it goes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policies.rulebook.resource import Context
from policies.rulebook.rule import Level, Severity
from runbook import cli, commands
from runbook.audit.evaluate import Finding
from runbook.errors import UserError
from tests.runbook.graphs import audit, resource, rule, small

ROOT = Path(__file__).parents[2]
REFUSAL = Finding(rule("net-open", Severity.CRITICAL), "Port 22 is open.", resource("aws:ec2/vpc:Vpc", "network"), True)
ADVICE = Finding(rule("gov-tags", Severity.LOW, Level.ADVISORY), "There are no tags.", None, False)
ESCAPE = "\x1b"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project with three stacks, in a folder below which the tests stand."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    for stack in ("dev", "prod", "staging"):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return tmp_path


@pytest.fixture
def audited(monkeypatch):
    """Stack -> what its audit finds, in place of running the program; an error is raised."""
    findings = {}

    def fake(stack, _folder, _configured=None):
        found = findings.get(stack, [])
        if isinstance(found, BaseException):
            raise found
        return small(), audit(found, stack=stack), Context(environment=stack)

    monkeypatch.setattr(commands, "_audited", fake)
    return findings


@pytest.mark.usefixtures("folder", "audited")
class TestExitCodes:
    def test_a_clean_preview_ends_with_0(self, capsys):
        assert cli.main(["preview"]) == 0
        printed = capsys.readouterr()
        assert printed.out.startswith("Preview of staging (shop), offline: 5 resources in 2 components\n")
        assert re.search(r"\nstaging: clean \(42 rules, 1,204 judgements; no finding; \d+\.\d s\)\n$", printed.out)
        assert printed.err == ""

    def test_advice_ends_with_0(self, audited, capsys):
        audited["staging"] = [ADVICE]
        assert cli.main(["preview", "staging"]) == 0
        assert "Advised: 1 finding" in capsys.readouterr().out

    def test_a_broken_mandatory_rule_ends_with_1(self, audited, capsys):
        audited["prod"] = [REFUSAL]
        assert cli.main(["preview", "prod"]) == 1
        assert "Refused: 1 finding" in capsys.readouterr().out

    def test_a_mistake_ends_with_2_and_plain_sentences(self, audited, capsys):
        audited["staging"] = UserError("Pulumi.staging.yaml:3: access.mode is 'sh'.", "    Write ssh, both or ssm.")
        assert cli.main(["preview"]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err == "Pulumi.staging.yaml:3: access.mode is 'sh'.\n    Write ssh, both or ssm.\n"

    def test_a_defect_ends_with_70_and_says_how_to_see_more(self, audited, capsys):
        audited["staging"] = ZeroDivisionError("division by zero")
        assert cli.main(["preview", "--json"]) == 70
        assert capsys.readouterr().err == (
            "This is a defect of runbook, not of your settings: ZeroDivisionError: division by zero\n"
            "`runbook --debug preview --json` shows where. Please report it.\n"
        )

    @pytest.mark.parametrize("error", [ZeroDivisionError("x"), UserError("x")])
    def test_debug_shows_the_traceback(self, audited, capsys, error):
        audited["staging"] = error
        cli.main(["--debug", "preview"])
        assert "Traceback (most recent call last):" in capsys.readouterr().err

    def test_an_interruption_ends_with_130(self, audited, capsys):
        audited["staging"] = KeyboardInterrupt()
        assert cli.main(["preview"]) == 130
        assert "Traceback" not in capsys.readouterr().err

    @pytest.mark.parametrize(
        "arguments",
        [["nonsense"], ["preview", "--nonsense"], ["preview", "staging", "prod"], ["bootstrap"], []],
    )
    def test_wrong_usage_ends_with_2(self, capsys, arguments):
        assert cli.main(arguments) == 2
        assert capsys.readouterr().out.count("Traceback") == 0

    @pytest.mark.parametrize("arguments", [["--help"], ["preview", "--help"], ["settings", "check", "--help"]])
    def test_help_ends_with_0(self, capsys, arguments):
        assert cli.main(arguments) == 0
        assert capsys.readouterr().out.startswith("Usage: runbook")

    def test_the_version_is_that_of_the_package(self, capsys):
        assert cli.main(["--version"]) == 0
        assert re.fullmatch(r"runbook \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.usefixtures("folder", "audited")
class TestStacks:
    def test_a_wrong_name_lists_the_stacks_and_the_nearest(self, folder, capsys):
        assert cli.main(["preview", "prdo"]) == 2
        assert capsys.readouterr().err == (
            f"There is no stack 'prdo': {folder} holds no Pulumi.prdo.yaml. Did you mean prod?\n"
            "Stacks: dev, prod, staging.\n"
        )

    def test_a_name_near_to_none_suggests_none(self, folder, capsys):
        assert cli.main(["audit", "prod", "qqqq"]) == 2
        assert capsys.readouterr().err == (
            f"There is no stack 'qqqq': {folder} holds no Pulumi.qqqq.yaml.\nStacks: dev, prod, staging.\n"
        )

    def test_the_folder_is_the_nearest_above_or_the_one_that_is_named(self, folder, monkeypatch, capsys):
        assert cli.main(["preview"]) == 0
        monkeypatch.chdir("/")
        assert cli.main(["preview", "-C", str(folder)]) == 0
        capsys.readouterr()
        assert cli.main(["preview"]) == 2
        assert capsys.readouterr().err == (
            "There is no Pulumi.yaml in / or in a folder above it.\n"
            "Go to the project's folder, or name it with --folder.\n"
        )

    def test_a_folder_without_a_project_is_a_mistake(self, folder, capsys):
        assert cli.main(["preview", "--folder", str(folder / "below")]) == 2
        assert capsys.readouterr().err.startswith(f"{folder / 'below'} holds no Pulumi.yaml")

    def test_a_project_without_stacks_is_a_mistake(self, tmp_path, capsys):
        (tmp_path / "Pulumi.yaml").write_text("name: x\n")
        for path in tmp_path.glob("Pulumi.*.yaml"):
            path.unlink()
        assert cli.main(["audit", "-C", str(tmp_path)]) == 2
        assert capsys.readouterr().err.startswith(f"{tmp_path} has no stack")

    def test_names_are_completed(self, folder):
        completed = subprocess.run(
            [sys.executable, "-m", "runbook"],
            env={
                **os.environ,
                "_RUNBOOK_COMPLETE": "complete_bash",
                "COMP_WORDS": "runbook preview ",
                "COMP_CWORD": "2",
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert completed.stdout.split() == ["dev", "prod", "staging"]


@pytest.mark.usefixtures("folder", "audited")
class TestAudit:
    def test_every_stack_is_audited_where_none_is_named(self, capsys):
        assert cli.main(["audit"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(":")[0] for line in lines] == ["dev", "prod", "staging"] * 2
        assert {line.rpartition(", ")[2] for line in lines[:3]} == {"0 missing"}

    def test_one_refused_stack_refuses_the_whole(self, audited, capsys):
        audited["prod"] = [REFUSAL]
        assert cli.main(["audit", "staging", "prod"]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "Audit of prod"
        assert [line.split(" (")[0] for line in lines[-2:]] == ["staging: clean", "prod: refused"]

    def test_a_stack_that_cannot_be_previewed_does_not_hide_the_others(self, audited, capsys):
        audited["dev"] = UserError("Pulumi.dev.yaml:1: nothing is set.")
        audited["prod"] = [REFUSAL]
        assert cli.main(["audit"]) == 2
        printed = capsys.readouterr()
        assert printed.err == "dev cannot be audited:\nPulumi.dev.yaml:1: nothing is set.\n"
        assert [line.split(" (")[0] for line in printed.out.splitlines()[-2:]] == ["prod: refused", "staging: clean"]

    def test_the_document_is_all_there_is_on_standard_output(self, audited, capsys):
        audited["prod"] = [REFUSAL]
        assert cli.main(["audit", "prod", "staging", "prod", "--json"]) == 1
        document = json.loads(capsys.readouterr().out)
        assert [(entry["stack"], entry["verdict"]) for entry in document["stacks"]] == [
            ("prod", "refused"),
            ("staging", "clean"),
        ]

    def test_there_is_no_document_where_a_stack_is_missing_from_it(self, audited, capsys):
        audited["dev"] = UserError("No.")
        assert cli.main(["audit", "--json"]) == 2
        assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("folder", "audited")
class TestLooks:
    def test_the_document_of_a_refused_preview_is_whole_and_the_reason_is_on_the_other_stream(self, audited, capsys):
        audited["staging"] = [REFUSAL]
        assert cli.main(["preview", "--json"]) == 1
        printed = capsys.readouterr()
        assert json.loads(printed.out)["changeSummary"] == {"create": 8}
        assert printed.err == "staging is refused: a mandatory rule is broken. `runbook audit staging` says which.\n"

    def test_a_pipe_gets_no_escape_codes_and_no_signs_of_a_drawn_tree(self, audited, capsys):
        audited["staging"] = [REFUSAL, ADVICE]
        cli.main(["preview"])
        out = capsys.readouterr().out
        assert ESCAPE not in out
        assert not set(out) & set("├└│✗•×")  # noqa: RUF001 - the sign is looked for
        assert all(line == line.rstrip() for line in out.splitlines())

    def test_a_terminal_gets_both(self, audited, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "100")
        audited["staging"] = [REFUSAL]
        cli.main(["preview"])
        out = capsys.readouterr().out
        assert f"{ESCAPE}[1;31mrefused{ESCAPE}[0m" in out
        assert {"├", "└", "✗"} <= set(out)

    def test_no_color_leaves_the_signs_and_takes_the_colours(self, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        cli.main(["preview"])
        out = capsys.readouterr().out
        assert not re.search(rf"{ESCAPE}\[[0-9;]*[34][0-7]", out)
        assert "├" in out

    def test_lines_fit_the_terminal(self, audited, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "60")
        audited["staging"] = [REFUSAL]
        cli.main(["preview"])
        lines = re.sub(rf"{ESCAPE}\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
        assert max(map(len, lines)) <= 60


def run(*arguments, **environ):
    """The command as a person starts it in this project, standard output and error being pipes."""
    return subprocess.run(
        [sys.executable, "-m", "runbook", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "random", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_real_preview_reads_well_in_a_pipe_and_says_nothing_else():
    done = run("preview", "prod")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Preview of prod (learning-platform), offline: ")
    assert done.stdout.splitlines()[-1].startswith("prod: clean (")
    assert ESCAPE not in done.stdout


def test_two_real_documents_differ_in_their_duration_alone():
    first, second = run("preview", "staging", "--json"), run("preview", "staging", "--json", PYTHONHASHSEED="7")
    assert (first.returncode, first.stderr) == (0, "")
    changed = [
        (old, new) for old, new in zip(first.stdout.splitlines(), second.stdout.splitlines(), strict=True) if old != new
    ]
    assert [old.split(":")[0] for old, _new in changed] == ['    "duration"']
    document = json.loads(first.stdout)
    assert set(document) == {"changeSummary", "config", "diagnostics", "duration", "steps"}
    assert document["changeSummary"] == {"create": len(document["steps"])}


def test_a_secret_of_a_stack_is_printed_by_nothing(tmp_path):
    """The text stands in the program, where a person may have put it against all advice."""
    (tmp_path / "Pulumi.yaml").write_text("name: leaky\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  leaky:token:\n    secure: AAABADQXFlU0hunter2cipher\n")
    (tmp_path / "__main__.py").write_text(
        "import pulumi\nimport pulumi_aws as aws\n"
        "secret = pulumi.Output.secret('hunter2')\n"
        "key = aws.kms.Key('k', description=secret, tags={'t': secret})\n"
        "pulumi.export('password', secret)\n"
        "pulumi.export('description', key.description)\n"
    )
    for arguments in (["preview", "dev"], ["preview", "dev", "--json"], ["audit", "dev"], ["audit", "dev", "--json"]):
        done = run(*arguments, "-C", str(tmp_path))
        assert done.returncode == 1, done.stderr
        assert "hunter2" not in done.stdout + done.stderr
    steps = json.loads(run("preview", "dev", "--json", "-C", str(tmp_path)).stdout)["steps"]
    inputs = {step["newState"]["type"]: step["newState"]["inputs"] for step in steps}
    assert inputs["aws:kms/key:Key"] == {"description": "[secret]", "tags": {"t": "[secret]"}}


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["at the end", "at once"])
@pytest.mark.parametrize("arguments", [("--version",), ("settings", "check", "prod"), ("settings", "schema")])
def test_a_reader_that_leaves_is_not_an_error(arguments, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "runbook", *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_interrupted_program_ends_with_130_and_without_a_word(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: slow\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "__main__.py").write_text("import pathlib, time\npathlib.Path('started').touch()\ntime.sleep(60)\n")
    # Whoever starts the tests may have them ignore interrupts, which children inherit.
    listening = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", listening, "-m", "runbook", "preview", "dev", "-C", str(tmp_path)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 130


def test_help_does_not_load_what_a_preview_needs():
    code = (
        "import sys\nfrom runbook import cli\ncli.main(['--help'])\n"
        "heavy = {'pulumi', 'pulumi_aws', 'pydantic', 'boto3', 'rich', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_settings_check_names_every_stack_that_is_right(capsys):
    assert cli.main(["settings", "check", "prod", "staging", "-C", str(ROOT)]) == 0
    assert capsys.readouterr().out == "prod: the settings are right.\nstaging: the settings are right.\n"


def test_settings_check_tells_the_mistakes_of_all_stacks(tmp_path, capsys):
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    for stack, wrong in (("dev", "nat: one"), ("prod", "nat: per-zone"), ("staging", "nat: one")):
        text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
        assert wrong in text
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(text.replace(wrong, "nat: many") if stack != "dev" else text)
    assert cli.main(["settings", "check", "-C", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "dev: the settings are right.\n"
    places = re.findall(r"^(Pulumi\.\w+\.yaml):\d+: .*'many'", printed.err, re.MULTILINE)
    assert places == ["Pulumi.prod.yaml", "Pulumi.staging.yaml"]


def test_settings_schema_is_a_json_schema(capsys):
    assert cli.main(["settings", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].startswith("http://json-schema.org/")
