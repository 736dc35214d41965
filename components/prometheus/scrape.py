"""How metrics get from a server to Prometheus: the CloudWatch agent's second destination, and a probe of the site.

The agent that sends memory and disk to CloudWatch sends the same readings to Prometheus, so that both judge the same
numbers, and scrapes the probe. Amazon Linux 2023 has none of Prometheus's own exporters among its supported packages:
the probe is a script of Python's standard library, and names its metrics as ``blackbox_exporter`` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from types import MappingProxyType
from typing import Any

#: Every metric that reaches Prometheus, and what it says. The agent changes no name on the way.
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "cpu_usage_active": "busy share of the processors, percent, by InstanceId; cpu is cpu-total",
        "disk_used_percent": "used share of the root file system, percent, by InstanceId",
        "mem_used_percent": "used share of the memory, percent, by InstanceId",
        "net_bytes_recv": "bytes received since boot, by InstanceId and interface",
        "net_bytes_sent": "bytes sent since boot, by InstanceId and interface",
        "probe_duration_seconds": "seconds that a request took, by InstanceId and target",
        "probe_http_status_code": "status of the answer, 0 where there was none, by InstanceId and target",
        "probe_ssl_earliest_cert_expiry": "when the certificate ends, seconds since 1970, by InstanceId and target",
        "probe_success": "1 where the answer was 2xx in time, else 0, by InstanceId and target",
        "swap_used_percent": "used share of the swap space, percent, by InstanceId",
        "up": "1 where the probe itself answers the agent, else 0, by InstanceId",
    }
)

#: Where the probe answers the agent; the port of ``blackbox_exporter``. Nobody else reaches it.
PORT = 9115

#: The parameter of ``document`` that takes the name of the SSM parameter with the agent's configuration.
CONFIGURATION = "configuration"

_FOLDER = "/opt/platform-probe"
_SCRAPE_FILE = f"{_FOLDER}/scrape.json"
_CONTROL = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
_INSTANCE = "@INSTANCE@"

_PROBE = Template(
    """\
import http.client
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TARGET = $target
TIMEOUT = $timeout
PORT = $port


def ask(found):
    parts = urlsplit(TARGET)
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        connection.connect()
        if secure:
            expiry = ssl.cert_time_to_seconds(connection.sock.getpeercert()["notAfter"])
            found["probe_ssl_earliest_cert_expiry"] = expiry
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "platform-probe"})
        answer = connection.getresponse()
        answer.read(65536)
        found["probe_http_status_code"] = answer.status
        found["probe_success"] = int(200 <= answer.status < 300)
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def probe():
    # Asked in a thread of its own, because an answer may trickle in for ever.
    asked = {"probe_success": 0, "probe_http_status_code": 0}
    started = time.monotonic()
    thread = threading.Thread(target=ask, args=(asked,), daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    found = dict(asked)
    if thread.is_alive():
        found["probe_success"] = 0
    found["probe_duration_seconds"] = time.monotonic() - started
    return found


def exposition(found):
    target = TARGET.replace("\\\\", "\\\\\\\\").replace('"', '\\\\"')
    lines = []
    for name, value in sorted(found.items()):
        lines += ["# TYPE %s gauge" % name, '%s{target="%s"} %s' % (name, target, value)]
    return "\\n".join(lines) + "\\n"


class Metrics(BaseHTTPRequestHandler):
    server_version = "platform-probe"
    sys_version = ""
    timeout = 30

    def do_GET(self):
        known = self.path == "/metrics"
        body = exposition(probe()).encode() if known else b"Metrics are at /metrics.\\n"
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        pass


ThreadingHTTPServer(("127.0.0.1", PORT), Metrics).serve_forever()
"""
)

_UNIT = f"""\
[Unit]
Description=Probes the site for Prometheus
After=network-online.target
Wants=network-online.target

[Service]
DynamicUser=yes
ExecStart=/usr/bin/python3 -I {_FOLDER}/probe.py
Restart=always
RestartSec=5
IPAddressDeny=169.254.169.254
NoNewPrivileges=yes
PrivateDevices=yes
ProtectHome=yes
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
"""


def probe(*, target: str, timeout_seconds: int) -> str:
    """The probe: asks ``target``, an http or https URL, each time the agent asks it, and tells what came of it."""
    return _PROBE.substitute(target=ascii(target), timeout=timeout_seconds, port=PORT)


def scrape_config(*, scrape_seconds: int, timeout_seconds: int) -> dict[str, Any]:
    """What the agent scrapes, in Prometheus's own form; ``@INSTANCE@`` stands for the id of the server itself.

    Raises ValueError where a probe may last longer than the pause between two of them.
    """
    if timeout_seconds >= scrape_seconds:
        raise ValueError(
            f"A probe of {timeout_seconds} s does not end before the next one, {scrape_seconds} s later. "
            "Lower probe_timeout_seconds or raise scrape_seconds."
        )
    return {
        "global": {"scrape_interval": f"{scrape_seconds}s", "scrape_timeout": f"{timeout_seconds + 1}s"},
        "scrape_configs": [
            {
                "job_name": "probe",
                "static_configs": [{"targets": [f"127.0.0.1:{PORT}"], "labels": {"InstanceId": _INSTANCE}}],
            }
        ],
    }


def agent_config(*, workspace_id: str) -> dict[str, Any]:
    """What is appended to the CloudWatch agent's configuration.

    Whatever the agent collects goes to both destinations from then on; what it scrapes goes to Prometheus alone. The
    agent joins the parts and refuses a key that two of them set differently, so this one sets none twice.
    """
    return {
        "metrics": {
            "metrics_destinations": {"amp": {"workspace_id": workspace_id}, "cloudwatch": {}},
            "metrics_collected": {
                "cpu": {"measurement": ["usage_active"], "totalcpu": True},
                # Network cards: names of theirs begin with an e, unlike the loopback's.
                "net": {"measurement": ["bytes_recv", "bytes_sent"], "resources": ["e*"]},
                "prometheus": {"prometheus_config_path": _SCRAPE_FILE},
            },
        }
    }


def document(*, target: str, scrape_seconds: int, timeout_seconds: int) -> dict[str, Any]:
    """An SSM document that installs probe and agent and appends the agent's configuration of an SSM parameter.

    It may run again and again, and before or after whatever else configures the agent by appending.
    """
    return {
        "schemaVersion": "2.2",
        "description": "Sends metrics to Prometheus: a probe of the site, and the CloudWatch agent as the sender.",
        "parameters": {
            CONFIGURATION: {
                "type": "String",
                "description": "The name of the SSM parameter with the agent's configuration.",
                "allowedPattern": "^/[A-Za-z0-9_./-]+$",
            }
        },
        "mainSteps": [
            {
                "action": "aws:configurePackage",
                "name": "install",
                "inputs": {"name": "AmazonCloudWatchAgent", "action": "Install"},
            },
            {
                "action": "aws:runShellScript",
                "name": "configure",
                "inputs": {
                    "timeoutSeconds": "300",
                    "runCommand": _script(
                        probe(target=target, timeout_seconds=timeout_seconds),
                        scrape_config(scrape_seconds=scrape_seconds, timeout_seconds=timeout_seconds),
                    ).splitlines(),
                },
            },
        ],
    }


def _script(source: str, scrape: Mapping[str, Any]) -> str:
    """The scrape file comes before the configuration that names it: without the file the agent does not start."""
    return f"""\
set -eu
umask 022
install -d -m 0755 {_FOLDER}
cat > {_FOLDER}/probe.py <<'PYTHON'
{source}PYTHON
cat > /etc/systemd/system/platform-probe.service <<'UNIT'
{_UNIT}UNIT
token=$(curl -fsS --retry 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
instance=$(curl -fsS --retry 3 -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id)
sed "s/{_INSTANCE}/$instance/" > {_SCRAPE_FILE} <<'SCRAPE'
{json.dumps(scrape, sort_keys=True)}
SCRAPE
systemctl daemon-reload
systemctl enable platform-probe.service
systemctl restart platform-probe.service
{_CONTROL} -a append-config -m ec2 -s -c 'ssm:{{{{ {CONFIGURATION} }}}}'
"""
