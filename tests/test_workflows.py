"""The workflows: of the right form, with least rights, and nothing of a stranger's in a shell."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"


class _Loader(yaml.SafeLoader):
    """``on`` is a key here, not a boolean."""


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

WORKFLOWS = {path.stem: yaml.load(path.read_text(encoding="utf-8"), _Loader) for path in sorted(FOLDER.glob("*.yml"))}  # noqa: S506 - a safe one, see above
JOBS = [
    pytest.param(name, job_id, job, id=f"{name}-{job_id}")
    for name, workflow in WORKFLOWS.items()
    for job_id, job in workflow["jobs"].items()
]
STEPS = [
    pytest.param(name, job_id, step, id=f"{name}-{job_id}-{position}")
    for name, workflow in WORKFLOWS.items()
    for job_id, job in workflow["jobs"].items()
    for position, step in enumerate(job.get("steps", ()))
]
SCRIPTS = [pytest.param(step.values[2]["run"], id=step.id) for step in STEPS if "run" in step.values[2]]


def rights(name: str) -> dict[str, dict[str, str]]:
    return {job_id: job["permissions"] for job_id, job in WORKFLOWS[name]["jobs"].items()}


def test_these_are_the_workflows():
    assert sorted(WORKFLOWS) == ["deploy", "main", "pull-request", "pull-request-report", "weekly"]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", sorted(FOLDER.glob("*.yml"))),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ],
)
def test_they_are_of_the_form_that_github_publishes(schema, files):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout


def zizmor(folder):
    """The kinds of what zizmor finds in a folder with workflows. It exits with more than 10 for what it finds."""
    command = [Path(sysconfig.get_path("scripts"), "zizmor"), "--offline", "--format", "json", str(folder)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0 or done.returncode > 10, done.stderr
    return {found["ident"] for found in json.loads(done.stdout)}


def test_an_auditor_of_workflows_finds_nothing():
    assert zizmor(ROOT / ".github") == set()


def test_the_auditor_finds_a_stranger_s_words_in_a_shell(tmp_path):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = (FOLDER / "pull-request.yml").read_text(encoding="utf-8")
    bad = text + "      - run: echo ${{ github.event.pull_request.title }}\n"
    (folder / "bad.yml").write_text(bad, encoding="utf-8")
    assert zizmor(tmp_path) == {"template-injection"}


class TestRights:
    def test_by_default_there_are_none(self):
        assert {name: workflow["permissions"] for name, workflow in WORKFLOWS.items()} == {
            name: {} for name in WORKFLOWS
        }

    def test_a_change_can_read_and_nothing_else(self):
        assert rights("pull-request") == {"check": {"contents": "read"}, "report": {"contents": "read"}}

    def test_the_report_has_one_right_to_write_in_each_job(self):
        assert rights("pull-request-report") == {
            "identify": {"pull-requests": "read"},
            "comment": {"actions": "read", "contents": "read", "pull-requests": "write"},
            "scan": {"actions": "read", "security-events": "write"},
        }

    def test_a_token_for_the_account_is_where_something_is_deployed_or_backed_up_alone(self):
        tokens = [(name, job) for name in WORKFLOWS for job, given in rights(name).items() if "id-token" in given]
        assert tokens == [("deploy", "deploy"), ("main", "staging"), ("main", "prod"), ("weekly", "backup")]


class TestStrangers:
    def test_no_workflow_gives_a_change_the_rights_of_the_repository(self):
        assert {name: sorted(workflow["on"]) for name, workflow in WORKFLOWS.items()} == {
            "deploy": ["workflow_call"],
            "main": ["push"],
            "pull-request": ["pull_request"],
            "pull-request-report": ["workflow_run"],
            "weekly": ["schedule", "workflow_dispatch"],
        }

    def test_there_is_no_stored_secret_anywhere(self):
        assert [name for name in WORKFLOWS if "secrets." in (FOLDER / f"{name}.yml").read_text()] == []

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_a_script_gets_values_by_its_environment_alone(self, script):
        assert "${{" not in script

    @pytest.mark.parametrize(("name", "_job", "step"), STEPS)
    def test_the_report_checks_out_the_default_branch_alone(self, name, _job, step):
        if name == "pull-request-report" and "checkout" in step.get("uses", ""):
            assert step["with"]["ref"] == "${{ github.event.repository.default_branch }}"

    @pytest.mark.parametrize(("_name", "_job", "step"), STEPS)
    def test_what_was_handed_over_lies_outside_of_the_workspace(self, _name, _job, step):
        if "download-artifact" in step.get("uses", ""):
            assert step["with"]["path"].startswith("${{ runner.temp }}/")

    def test_the_report_runs_nothing_but_what_is_in_the_repository(self):
        scripts = "\n".join(
            step["run"]
            for job in WORKFLOWS["pull-request-report"]["jobs"].values()
            for step in job["steps"]
            if "run" in step
        )
        assert re.findall(r"\b(?:python3?|pip|make|node|npm|bash|sh|source|eval)\b[^\n]*", scripts) == [
            'python3 -m runbook.diff "$difference" --commit "$HEAD_SHA" \\'
        ]

    def test_the_report_follows_the_workflow_of_that_name_and_file(self):
        report = WORKFLOWS["pull-request-report"]
        assert report["on"]["workflow_run"]["workflows"] == [WORKFLOWS["pull-request"]["name"]]
        assert (
            "github.event.workflow_run.path == '.github/workflows/pull-request.yml'" in report["jobs"]["identify"]["if"]
        )


class TestSteps:
    @pytest.mark.parametrize(("_name", "_job", "step"), STEPS)
    def test_an_action_is_named_by_a_commit(self, _name, _job, step):
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", step.get("uses", f"a/b@{'0' * 40}"))

    def test_the_comment_beside_a_commit_says_its_version_and_it_is_the_same_everywhere(self):
        pins = {}
        for name in WORKFLOWS:
            for line in (FOLDER / f"{name}.yml").read_text().splitlines():
                if "uses:" in line and "uses: ./" not in line:
                    found = re.fullmatch(r".*uses: (\S+)@(\S+) # (v\d+\.\d+\.\d+)", line)
                    assert found, line
                    pins.setdefault(found[1], set()).add((found[2], found[3]))
        assert {action for action, versions in pins.items() if len(versions) > 1} == set()

    @pytest.mark.parametrize(("_name", "_job", "step"), STEPS)
    def test_a_checkout_leaves_no_token_behind(self, _name, _job, step):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] == "false"

    @pytest.mark.parametrize("script", SCRIPTS)
    def test_a_script_is_one(self, script):
        """With the linter where there is one."""
        linter = shutil.which("shellcheck")
        command = [linter, "--shell=bash", "-"] if linter else ["bash", "-n"]
        text = f"set -eo pipefail\n{script}"
        done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("_name", "_job_id", "job"), JOBS)
def test_a_job_ends(_name, _job_id, job):
    assert int(job.get("timeout-minutes", 120)) <= 120
    assert ("timeout-minutes" in job) != ("uses" in job)


class TestDeployment:
    def test_prod_comes_after_staging_and_both_after_the_checks(self):
        needs = {job_id: job.get("needs") for job_id, job in WORKFLOWS["main"]["jobs"].items()}
        assert needs == {"check": None, "staging": "check", "prod": "staging"}

    def test_the_environment_of_the_stack_is_asked_and_one_deployment_runs_at_a_time(self):
        deploy = WORKFLOWS["deploy"]
        assert deploy["jobs"]["deploy"]["environment"] == "${{ inputs.stack }}"
        assert deploy["concurrency"] == {"group": "deploy-${{ inputs.stack }}", "cancel-in-progress": "false"}

    def test_the_rules_judge_a_preview_before_anything_is_made(self):
        scripts = "\n".join(step.get("run", "") for step in WORKFLOWS["deploy"]["jobs"]["deploy"]["steps"])
        assert re.findall(r'"\$pulumi" .*', scripts) == [
            '"$pulumi" up --stack "$STACK" --policy-pack policies --yes --non-interactive --suppress-outputs'
        ]
        assert "skip-preview" not in scripts

    def test_the_calendar_is_asked_before(self):
        names = [step.get("name") for step in WORKFLOWS["deploy"]["jobs"]["deploy"]["steps"]]
        assert names.index("Ask the change calendar") < names.index("Preview, judge and deploy")
