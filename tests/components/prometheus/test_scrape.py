"""How a server sends its metrics."""

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from components.prometheus import scrape
from components.web import plan as web

#: What SSM takes of a document.
LIMIT = 64 * 1024


def commands(target="https://app.school.org/health"):
    content = scrape.document(target=target, scrape_seconds=60, timeout_seconds=10)
    (step,) = [step for step in content["mainSteps"] if step["action"] == "aws:runShellScript"]
    return "\n".join(step["inputs"]["runCommand"]) + "\n"


def part(script, name):
    """The file ``name`` that the script writes."""
    return re.search(rf"{re.escape(name)} <<'(\w+)'\n(.*?)^\1$", script, re.DOTALL | re.MULTILINE)[2]


@contextmanager
def site(answer):
    """A site on the loopback that answers as ``answer(handler)`` does; yields its port."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code):
    def answer(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    return answer


def trickle(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b"x" * 10)
        handler.wfile.flush()
        time.sleep(0.05)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def probing(target, timeout_seconds=5):
    """The probe as a process of its own; yields a function that gets a path from it."""
    port = free_port()
    source = scrape.probe(target=target, timeout_seconds=timeout_seconds).replace("PORT = 9115", f"PORT = {port}")
    process = subprocess.Popen([sys.executable, "-I", "-c", source], stderr=subprocess.PIPE, text=True)

    def get(path="/metrics"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    try:
        end = time.monotonic() + 20
        while time.monotonic() < end and process.poll() is None:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield get
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def samples(text):
    """name -> (labels, value), of lines as Prometheus takes them."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    matches = [re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line) for line in lines]
    return {match[1]: (match[2], float(match[3])) for match in matches}


@pytest.mark.parametrize(("code", "success"), [(200, 1.0), (204, 1.0), (302, 0.0), (404, 0.0), (503, 0.0)])
def test_the_site_is_up_where_it_answers_well(code, success):
    with site(status(code)) as port, probing(f"http://127.0.0.1:{port}/health?deep=1") as get:
        answer, text = get()
        found = samples(text)
        labels = f'target="http://127.0.0.1:{port}/health?deep=1"'
        assert answer == 200
        assert found["probe_success"] == (labels, success)
        assert found["probe_http_status_code"] == (labels, float(code))
        assert 0 < found["probe_duration_seconds"][1] < 5


def test_a_site_that_nobody_answers_for_is_down():
    with probing(f"http://127.0.0.1:{free_port()}/health") as get:
        found = samples(get()[1])
        assert {name: value for name, (_, value) in found.items() if name != "probe_duration_seconds"} == {
            "probe_success": 0.0,
            "probe_http_status_code": 0.0,
        }


def test_a_site_that_only_trickles_is_down_once_the_time_is_up():
    with site(trickle) as port, probing(f"http://127.0.0.1:{port}/", timeout_seconds=1) as get:
        started = time.monotonic()
        found = samples(get()[1])
        assert found["probe_success"][1] == 0.0
        assert 0.9 < found["probe_duration_seconds"][1] < 3
        assert time.monotonic() - started < 5


def test_nothing_but_the_metrics_is_told_and_only_on_the_server_itself():
    with site(status(200)) as port, probing(f"http://127.0.0.1:{port}/") as get:
        assert [get(path)[0] for path in ("/", "/probe?target=http://169.254.169.254/", "/metrics")] == [404, 404, 200]
    assert 'ThreadingHTTPServer(("127.0.0.1", PORT)' in part(commands(), "probe.py")


def test_every_metric_of_the_probe_is_in_the_table():
    with site(status(200)) as port, probing(f"http://127.0.0.1:{port}/") as get:
        assert set(samples(get()[1])) <= set(scrape.METRICS)
    named = set(re.findall(r'"(probe_\w+)"', part(commands(), "probe.py")))
    assert named == {name for name in scrape.METRICS if name.startswith("probe_")}


def test_an_odd_target_stays_a_text_in_the_script_and_in_the_label():
    target = "https://app.school.org/it's\"fine\\here$(id)"
    source = part(commands(target), "probe.py")
    found = {}
    exec(compile(source.partition("class Metrics")[0], "probe", "exec"), found)  # noqa: S102 - our own script
    assert found["TARGET"] == target
    assert '{target="https://app.school.org/it\'s\\"fine\\\\here$(id)"} 1' in found["exposition"]({"probe_success": 1})


def test_the_agent_scrapes_the_probe_on_the_server_itself_and_says_which_server_it_is():
    written = yaml.safe_load(part(commands(), "scrape.json"))
    assert written == {
        "global": {"scrape_interval": "60s", "scrape_timeout": "11s"},
        "scrape_configs": [
            {
                "job_name": "probe",
                "static_configs": [{"targets": ["127.0.0.1:9115"], "labels": {"InstanceId": "@INSTANCE@"}}],
            }
        ],
    }


@pytest.mark.parametrize(("scrape_seconds", "timeout_seconds"), [(15, 15), (10, 11)])
def test_a_probe_ends_before_the_next_one(scrape_seconds, timeout_seconds):
    with pytest.raises(ValueError, match=r"does not end before the next one.*Lower probe_timeout_seconds"):
        scrape.scrape_config(scrape_seconds=scrape_seconds, timeout_seconds=timeout_seconds)


def merged(one, other, path=""):
    """Two parts of the agent's configuration as the agent joins them: what both set has to be the same."""
    result = dict(one)
    for key, value in other.items():
        if key in result and isinstance(result[key], dict) and isinstance(value, dict):
            result[key] = merged(result[key], value, f"{path}/{key}")
        else:
            assert result.get(key, value) == value, f"{path}/{key} is set twice"
            result[key] = value
    return result


def test_the_agent_can_join_this_configuration_and_the_web_tier_s():
    first = web.agent_config(application_log_group="/a", system_log_group="/s")
    joined = merged(first, scrape.agent_config(workspace_id="ws-1"))
    metrics = joined["metrics"]
    assert set(metrics["metrics_collected"]) == {"cpu", "disk", "mem", "net", "prometheus", "swap"}
    assert metrics["metrics_destinations"] == {"amp": {"workspace_id": "ws-1"}, "cloudwatch": {}}
    # What the memory policy of the web tier reads still reaches CloudWatch, by group.
    assert (metrics["namespace"], metrics["aggregation_dimensions"]) == (web.NAMESPACE, [[web.GROUP_DIMENSION]])
    assert (joined["agent"], joined["logs"]) == (first["agent"], first["logs"])


def test_the_table_names_each_metric_that_the_joined_configuration_sends():
    first = web.agent_config(application_log_group="/a", system_log_group="/s")
    collected = merged(first, scrape.agent_config(workspace_id="ws-1"))["metrics"]["metrics_collected"]
    of_host = {
        name if name.startswith(f"{plugin}_") else f"{plugin}_{name}"
        for plugin, settings in collected.items()
        for name in settings.get("measurement", ())
    }
    assert of_host | {name for name in scrape.METRICS if name.startswith("probe_")} | {"up"} == set(scrape.METRICS)


def test_the_agent_appends_and_only_once_the_file_that_it_will_read_is_there():
    script = commands()
    lines = script.splitlines()
    control = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
    assert lines[0] == "set -eu"
    assert lines[-1] == f"{control} -a append-config -m ec2 -s -c 'ssm:{{{{ configuration }}}}'"
    path = scrape.agent_config(workspace_id="ws-1")["metrics"]["metrics_collected"]["prometheus"]
    assert any(f"> {path['prometheus_config_path']} <<" in line for line in lines)


def test_the_document_takes_a_parameter_s_name_and_nothing_a_shell_could_run():
    content = scrape.document(target="https://app.school.org/health", scrape_seconds=60, timeout_seconds=10)
    pattern = content["parameters"][scrape.CONFIGURATION]["allowedPattern"]
    assert re.fullmatch(pattern, "/learning-platform/prod/prometheus/cloudwatch-agent")
    assert not re.fullmatch(pattern, "/a'; rm -rf /; '")
    assert set(re.findall(r"\{\{ *(\w+) *\}\}", json.dumps(content))) == {scrape.CONFIGURATION}
    assert len(json.dumps(content)) < LIMIT


def test_what_is_installed_comes_from_aws_alone():
    content = scrape.document(target="https://app.school.org/health", scrape_seconds=60, timeout_seconds=10)
    (install,) = [step for step in content["mainSteps"] if step["action"] == "aws:configurePackage"]
    assert install["inputs"] == {"name": "AmazonCloudWatchAgent", "action": "Install"}
    script = commands()
    assert set(re.findall(r"https?://[^/\s\"']+", script)) == {"http://169.254.169.254", "https://app.school.org"}
    assert not re.search(r"\b(dnf|yum|wget|pip)\b", script)


def test_the_script_is_one_that_bash_can_read():
    checked = subprocess.run(["bash", "-n"], input=commands(), text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_probe_runs_without_rights_and_cannot_ask_for_the_server_s_credentials():
    unit = part(commands(), "platform-probe.service")
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert {key: settings[key] for key in ("DynamicUser", "IPAddressDeny", "NoNewPrivileges", "ProtectSystem")} == {
        "DynamicUser": "yes",
        "IPAddressDeny": "169.254.169.254",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
    }
    assert settings["ExecStart"] == "/usr/bin/python3 -I /opt/platform-probe/probe.py"
