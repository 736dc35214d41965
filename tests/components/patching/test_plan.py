"""What patching decides."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.patching import plan
from functions.common.alarm import describe
from functions.escalate import decide as escalation
from settings.naming import Labels
from settings.times import DAYS, association_schedule

RUN = {
    "calendar": "changes",
    "groups": {"hosts": "lp-prod-hosts", "servers": "lp-prod-servers"},
    "target_group_arn": "arn:targets",
    "scaling_group": "web",
    "log_group": "/lp/prod/patching",
    "restart": "lp-prod-patching-restart",
    "check": "lp-prod-patching-check",
    "role_arn": "arn:role",
}


def steps(*, replace=False):
    return json.loads(plan.install_document(plan.Run(**RUN, replace=replace)))["mainSteps"]


@given(day=st.sampled_from(DAYS), hour=st.integers(0, 23), minute=st.integers(0, 59), hours=st.integers(1, 24))
def test_a_window_begins_when_the_settings_say_and_is_as_long(day, hour, minute, hours):
    end = DAYS.index(day) * 24 + hour + hours
    text = f"{day}:{hour:02}:{minute:02}-{DAYS[end // 24 % 7]}:{end % 24:02}:{minute:02}"
    assert plan.window(text) == plan.Window(f"cron({minute} {hour} ? * {day.upper()} *)", hours)


def test_a_window_that_systems_manager_cannot_have_is_refused():
    with pytest.raises(ValueError, match="whole hours"):
        plan.window("wed:14:00-wed:15:30")


@given(hour=st.integers(0, 23), minute=st.integers(0, 59))
def test_the_daily_look_is_a_schedule_that_state_manager_takes(hour, minute):
    schedule = plan.scan_schedule(f"{hour:02}:{minute:02}")
    association_schedule(schedule)
    assert schedule == f"cron({minute} {hour} ? * * *)"


@given(environment=st.sampled_from(["dev", "staging", "prod"]))
def test_no_two_environments_or_roles_share_a_patch_group(environment):
    def labels(name):
        return Labels(project="learning-platform", environment=name, owner="o", cost_center="c")

    groups = {plan.patch_group(labels(name), role) for name in ("dev", "staging", "prod") for role in plan.ROLES}
    assert len(groups) == 6
    assert plan.patch_group(labels(environment), plan.HOSTS) == f"learning-platform-{environment}-hosts"


def test_the_tag_is_one_that_instance_metadata_can_show():
    assert " " not in plan.TAG


def test_every_security_advisory_is_approved_whatever_its_severity():
    security = [severity for one in plan.APPROVALS if one.classification == "Security" for severity in one.severities]
    assert sorted(security) == ["Critical", "Important", "Low", "Medium"]


@pytest.mark.parametrize(
    ("replace", "expected"),
    [
        (False, ["calendar", "open", "before", "keep", "hosts", "servers", "after"]),
        (True, ["calendar", "open", "before", "keep", "hosts", "replace", "replaced", "servers", "after"]),
    ],
)
def test_a_run_asks_and_looks_before_it_changes_anything_and_looks_again(replace, expected):
    assert [step["name"] for step in steps(replace=replace)] == expected
    assert expected[-1] == plan.LAST_STEP


def test_only_an_open_calendar_leads_on():
    asks, branches, *_ = steps()
    assert asks["inputs"] == {"Service": "ssm", "Api": "GetCalendarState", "CalendarNames": ["changes"]}
    assert branches["inputs"]["Choices"] == [
        {"NextStep": "before", "Variable": "{{ calendar.State }}", "StringEquals": "OPEN"}
    ]
    assert branches["isEnd"] is True


def test_no_step_lets_a_failure_pass():
    assert not any({"onFailure", "isCritical", "maxAttempts"} & set(step) for step in steps(replace=True))


def test_hosts_restart_and_servers_do_not_because_their_balancer_would_replace_them():
    installs = {step["name"]: step["inputs"] for step in steps() if step["action"] == "aws:runCommand"}
    assert {name: one["Parameters"]["RebootOption"] for name, one in installs.items()} == {
        "hosts": "RebootIfNeeded",
        "servers": "NoReboot",
    }
    for role, one in installs.items():
        assert one["Targets"] == [{"Key": "tag:PatchGroup", "Values": [f"lp-prod-{role}"]}]
        assert (one["MaxConcurrency"], one["MaxErrors"]) == ("50%", "0")
        assert one["Parameters"]["SnapshotId"] == "{{ automation:EXECUTION_ID }}"
        hooks = (one["Parameters"]["PostInstallHookDocName"], one["Parameters"]["OnExitHookDocName"])
        assert hooks == ("lp-prod-patching-restart", "lp-prod-patching-check")


def test_scripts_of_a_run_stay_within_what_systems_manager_gives_them():
    for step in steps():
        if step["action"] == "aws:executeScript":
            assert step["timeoutSeconds"] <= 600
            assert step["inputs"]["InputPayload"].get("seconds", 0) < step["timeoutSeconds"]
    assert len(plan.install_document(plan.Run(**RUN, replace=True)).encode()) < 64 * 1024


# The hooks, run by a shell with systemctl and rpm in their place


def play(tmp_path, document, **units):
    """Exit code, and what systemctl was told. ``units``: name -> enabled, running."""
    [step] = json.loads(document)["mainSteps"]
    tools = tmp_path / "bin"
    tools.mkdir()
    log = tmp_path / "log"
    log.write_text("")
    enabled = " ".join(f"{name}.service" for name, (is_enabled, _) in units.items() if is_enabled)
    running = " ".join(f"{name}.service" for name, (_, is_running) in units.items() if is_running)
    (tools / "systemctl").write_text(f"""#!/bin/bash
unit="${{@: -1}}"
case "$1" in
    is-enabled) [[ " {enabled} " == *" $unit "* ]] ;;
    is-active) [[ " {running} " == *" $unit "* ]] ;;
    try-restart) echo "$unit" >> {log}; [ "$unit" != broken.service ] ;;
esac
""")
    (tools / "rpm").write_text(
        '#!/bin/bash\n[ "$2" = nginx ] && echo "nginx-1.28.0" || { echo "not installed"; exit 1; }\n'
    )
    (tools / "sleep").write_text("#!/bin/bash\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", "-c", "\n".join(step["inputs"]["runCommand"])],
        env={"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, log.read_text().split(), done.stdout.split("\n")[:-1], done.stderr.split("\n")[:-1]


def test_the_first_hook_restarts_each_service(tmp_path):
    assert play(tmp_path, plan.restart_document(["nginx", "platform"])) == (
        0,
        ["nginx.service", "platform.service"],
        [],
        [],
    )


def test_a_service_that_does_not_restart_fails_the_machine_but_keeps_no_other_from_it(tmp_path):
    code, restarted, _, told = play(tmp_path, plan.restart_document(["broken", "nginx"]))
    assert (code, restarted, told) == (1, ["broken.service", "nginx.service"], ["broken does not restart."])


@pytest.mark.parametrize(
    ("unit", "expected", "told"),
    [
        ((True, True), 0, []),
        ((True, False), 1, ["nginx does not run."]),
        # Most machines have not all of the services.
        ((False, False), 0, []),
    ],
)
def test_the_last_hook_wants_what_is_enabled_to_run(tmp_path, unit, expected, told):
    code, _, _, said = play(tmp_path, plan.check_document(["nginx"], []), nginx=unit)
    assert (code, said) == (expected, told)


def test_the_last_hook_notes_versions_and_minds_no_package_that_is_not_there(tmp_path):
    code, _, noted, _ = play(tmp_path, plan.check_document([], ["nginx", "postgresql17"]))
    assert (code, noted) == (0, ["nginx-1.28.0", "not installed"])


def test_whoever_is_called_at_night_reads_what_to_do():
    text = plan.failure_message("patching-failed", "prod")
    values = {"account": "1", "execution": "e-1", "region": "r", "status": "Failed", "time": "2026-07-05T02:11:00Z"}
    assert set(plan.FAILURE_PATHS) == set(values)
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    signal = escalation.read(json.dumps({"TopicArn": "t", "Message": text}), {"t": "high"})
    assert (signal.alarm, signal.said, signal.reason) == ("patching-failed", "raised", "Execution e-1 ended as Failed.")
    parts = describe(signal.description)
    assert (parts.summary, parts.severity) == ("Patching of prod stopped.", "high, respond within 1 hour")
    assert "create-replace-root-volume-task" in parts.first_action
    assert "PatchRun=e-1" in parts.first_action
