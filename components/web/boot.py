"""The script of an instance's first boot. It needs no network, so a fresh instance is healthy within seconds."""

from __future__ import annotations

from pathlib import PurePosixPath
from string import Template

from .plan import APPLICATION_LOG, SYSTEM_LOG

_SCRIPT = Template(
    """\
#!/bin/bash
# Answers the load balancer until the platform's own service, platform.service, is deployed, and copies the
# journal to a file, which is what the CloudWatch agent collects.
set -euo pipefail

install -d -m 0755 /opt/platform $application_log_folder
install -d -m 0700 $system_log_folder

cat > /opt/platform/stand-in.py <<'PYTHON'
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEALTH_PATH = $health_path
PORT = $app_port


class StandIn(BaseHTTPRequestHandler):
    server_version = "stand-in"
    sys_version = ""
    timeout = 30

    def do_GET(self):
        healthy = self.path.partition("?")[0] == HEALTH_PATH
        body = b"ok\\n" if healthy else b"The platform is not deployed yet.\\n"
        self.send_response(200 if healthy else 503)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if not healthy:
            self.send_header("Retry-After", "60")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_request(self, code="-", size="-"):
        if code != 200:
            super().log_request(code, size)


ThreadingHTTPServer(("", PORT), StandIn).serve_forever()
PYTHON

cat > /etc/systemd/system/platform-stand-in.service <<'UNIT'
[Unit]
Description=Answers the health check until the platform is deployed
Before=platform.service
Conflicts=platform.service
ConditionPathExists=!/etc/systemd/system/platform.service

[Service]
DynamicUser=yes
ExecStart=/usr/bin/python3 -I /opt/platform/stand-in.py
StandardOutput=append:$application_log
StandardError=inherit
Restart=always
RestartSec=2
NoNewPrivileges=yes
PrivateDevices=yes
ProtectHome=yes
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
UNIT

cat > /etc/systemd/system/platform-journal.service <<'UNIT'
[Unit]
Description=Copies the journal to a file for the CloudWatch agent

[Service]
ExecStart=/usr/bin/journalctl --boot --follow --no-tail --output=short-iso --quiet
StandardOutput=append:$system_log
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
UNIT

cat > /etc/logrotate.d/platform <<'ROTATE'
$application_log $system_log {
    daily
    maxsize 50M
    rotate 7
    missingok
    notifempty
    copytruncate
}
ROTATE

systemctl daemon-reload
systemctl enable --now platform-stand-in.service
systemctl enable --now platform-journal.service
"""
)


def user_data(*, app_port: int, health_path: str) -> str:
    """A script that makes an instance answer ``health_path`` on ``app_port`` with 200 and everything else with 503.

    The platform itself is deployed later, by its own pipeline, as ``platform.service``; starting that ends the
    stand-in. The platform writes its log to ``plan.APPLICATION_LOG``. ``app_port``: above 1023, since neither runs as
    root.
    """
    return _SCRIPT.substitute(
        app_port=app_port,
        application_log=APPLICATION_LOG,
        application_log_folder=PurePosixPath(APPLICATION_LOG).parent,
        health_path=ascii(health_path),
        system_log=SYSTEM_LOG,
        system_log_folder=PurePosixPath(SYSTEM_LOG).parent,
    )
