"""What an instance does when it starts."""

import ast
import http.client
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.web import plan
from components.web.boot import user_data

#: What EC2 takes, before base64.
LIMIT = 16 * 1024


def part(script, name):
    """The file ``name`` that the script writes."""
    return re.search(rf"^cat > \S*{re.escape(name)} <<'(\w+)'\n(.*?)^\1$", script, re.DOTALL | re.MULTILINE)[2]


def unit(script, name):
    """A unit's settings; a key that occurs twice would be lost, so it fails."""
    lines = [line.partition("=") for line in part(script, name).splitlines() if "=" in line]
    settings = {key: value for key, _, value in lines}
    assert len(settings) == len(lines)
    return settings


@contextmanager
def stand_in(health_path):
    """The stand-in of the script, running; yields its port and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = part(user_data(app_port=port, health_path=health_path), "stand-in.py")
    process = subprocess.Popen([sys.executable, "-I", "-c", source], stderr=subprocess.PIPE, text=True)
    try:
        wait_for(port, process)
        yield port, process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_for(port, process):
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the stand-in does not listen: {process.poll()}")


def ask(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_fresh_instance_answers_the_health_check_and_nothing_else():
    with stand_in("/health") as (port, process):
        answers = {
            "/health": ask(port, "/health"),
            "/health?from=alb": ask(port, "/health?from=alb"),
            "/": ask(port, "/"),
            "/healthy": ask(port, "/healthy"),
            "HEAD /health": ask(port, "/health", method="HEAD"),
        }
        process.kill()
        log = process.stderr.read()
    refused = (503, b"The platform is not deployed yet.\n")
    assert answers == {
        "/health": (200, b"ok\n"),
        "/health?from=alb": (200, b"ok\n"),
        "/": refused,
        "/healthy": refused,
        "HEAD /health": (200, b""),
    }
    assert [re.search('"(.*?)"', line)[1] for line in log.splitlines()] == ["GET / HTTP/1.1", "GET /healthy HTTP/1.1"]


@given(health_path=st.text(st.characters(exclude_categories=["Cs"])), app_port=st.integers(1024, 65535))
def test_the_stand_in_gets_the_path_and_the_port_as_they_are(health_path, app_port):
    tree = ast.parse(part(user_data(app_port=app_port, health_path=health_path), "stand-in.py"))
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert constants == {"HEALTH_PATH": health_path, "PORT": app_port}


@pytest.mark.parametrize(
    ("app_port", "health_path"), [(8080, "/health"), (65535, "/a/b-c_d.e~f?g=h"), (1024, "/it's $(fine) `now`")]
)
def test_a_shell_reads_the_script_and_finds_no_fault(app_port, health_path, tmp_path):
    script = tmp_path / "boot.sh"
    script.write_text(user_data(app_port=app_port, health_path=health_path))
    checks = [["bash", "-n"], *([["shellcheck"]] if shutil.which("shellcheck") else [])]
    for check in checks:
        done = subprocess.run([*check, str(script)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_ec2_takes_the_script():
    script = user_data(app_port=8080, health_path="/" + "x" * 1024)
    assert script.startswith("#!/bin/bash\n")
    assert len(script.encode()) <= LIMIT


def test_what_the_services_write_is_what_the_agent_collects():
    script = user_data(app_port=8080, health_path="/health")
    files = plan.agent_config(application_log_group="a", system_log_group="s")["logs"]["logs_collected"]["files"]
    collected = {entry["log_group_name"]: entry["file_path"] for entry in files["collect_list"]}
    assert {
        "a": unit(script, "platform-stand-in.service")["StandardOutput"],
        "s": unit(script, "platform-journal.service")["StandardOutput"],
    } == {group: f"append:{path}" for group, path in collected.items()}
    assert part(script, "logrotate.d/platform").splitlines()[0] == " ".join([*collected.values(), "{"])


def test_the_platform_takes_the_port_over_from_the_stand_in():
    settings = unit(user_data(app_port=8080, health_path="/health"), "platform-stand-in.service")
    assert {key: settings[key] for key in ("Before", "Conflicts", "ConditionPathExists")} == {
        "Before": "platform.service",
        "Conflicts": "platform.service",
        "ConditionPathExists": "!/etc/systemd/system/platform.service",
    }


def test_the_stand_in_runs_as_nobody_in_particular():
    settings = unit(user_data(app_port=8080, health_path="/health"), "platform-stand-in.service")
    assert {key: settings[key] for key in ("DynamicUser", "NoNewPrivileges", "ProtectSystem")} == {
        "DynamicUser": "yes",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
    }


def test_every_unit_the_script_writes_is_started():
    script = user_data(app_port=8080, health_path="/health")
    written = set(re.findall(r"/etc/systemd/system/(\S+\.service) <<", script))
    started = set(re.findall(r"^systemctl enable --now (\S+)$", script, re.MULTILINE))
    assert written == started == {"platform-stand-in.service", "platform-journal.service"}
