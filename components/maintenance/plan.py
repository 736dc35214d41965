"""What the maintenance component decides: the page, nginx's configuration and the documents, as plain values."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from settings.maintenance import MaintenanceSettings, PageSettings
from settings.severity import Severity

from .._told import EVENT_PATHS, advice, as_alarm

_FILES = Path(__file__).parent / "files"
_OFF = Path(__file__).parents[2] / "functions" / "maintenance_off" / "script.py"

INSTANCE_CLASS = "t3.nano"

#: Amazon Linux 2023 for the class, looked up by EC2 at launch.
IMAGE = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"

#: Where nginx says that the machine is well. Every other path answers 503.
HEALTH_PATH = "/.maintenance/health"

#: Where the page can be looked at behind the load balancer while the site is on.
PREVIEW_PATHS = ("/.maintenance", "/.maintenance/*")

#: Priorities of the listener's rules: the switch's comes before all others.
SWITCH_PRIORITY, PREVIEW_PRIORITY = 1, 2

#: Days that a handed-over certificate lies in its bucket at most.
HAND_OVER_DAYS = 1

#: Seconds that a document's script may take.
_SCRIPT_SECONDS = 900

#: What SSM takes as a document.
_DOCUMENT_LIMIT = 64 * 1024

#: Languages written from right to left.
_RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ku", "ps", "ur", "yi"})

_TEMPLATES = Environment(
    loader=FileSystemLoader(_FILES),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)

_END = "END_OF_FILE"


def read(name: str) -> str:
    """One of the component's files."""
    return (_FILES / name).read_text(encoding="utf-8")


# The page


def luminance(colour: str) -> float:
    """The relative luminance of ``#RRGGBB``, 0 to 1 (WCAG 2.2)."""
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2); text needs 4.5."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ink(ground: str) -> str:
    """White where it can be read on ``ground``, else black."""
    return "#ffffff" if contrast("#ffffff", ground) >= 4.5 else "#000000"


def page(settings: PageSettings) -> str:
    """The page. The markers ``@UNTIL@`` and ``@SHOWN@``, and the lines around them, are left to the machine."""
    language = settings.language.partition("-")[0]
    return _TEMPLATES.get_template("index.html").render(
        settings.model_dump(),
        direction="rtl" if language in _RIGHT_TO_LEFT else "ltr",
        on_accent=ink(settings.accent),
    )


def style_hash(document: str) -> str:
    """The source of the page's style sheet for its Content-Security-Policy."""
    style = document.partition("<style>")[2].partition("</style>")[0]
    return f"sha256-{b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


def nginx(document: str) -> str:
    """nginx's configuration for the page."""
    return _TEMPLATES.get_template("maintenance.conf").render(style_hash=style_hash(document), health_path=HEALTH_PATH)


def site(settings: PageSettings) -> dict[str, str]:
    """The files that ``install.sh`` puts in place."""
    document = page(settings)
    return {
        "index.html": document,
        "maintenance.conf": nginx(document),
        "until.sh": read("until.sh"),
        "zone": f"{settings.time_zone}\n",
    }


# The machine behind the load balancer


def host_of(settings: MaintenanceSettings, platform: str) -> str:
    """The name whose place the page takes: that of ``platform``, behind the load balancer, or of a server."""
    if settings.mode == "listener-rule" or settings.server is None:
        return platform
    return settings.server.host


def url_of(host: str) -> str:
    return f"https://{host}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAlarm:
    """An alarm on the machine as a target; it rings after five minutes."""

    purpose: str
    metric: str
    statistic: Literal["Maximum", "Minimum"]
    operator: Literal["GreaterThanOrEqualToThreshold", "LessThanThreshold"]
    missing: Literal["breaching", "notBreaching"]
    description: str


def _not_ready(severity: Severity, told: str) -> str:
    return advice(
        severity,
        told,
        "Whoever switches to the maintenance page now leads visitors to an error.",
        run_book="003_… Patching & Updates",
        first="See whether the machine runs, then run its page association again (State Manager).",
    )


#: The last one is what the composite alarm listens to.
TARGET_ALARMS = (
    TargetAlarm(
        purpose="unhealthy",
        metric="UnHealthyHostCount",
        statistic="Maximum",
        operator="GreaterThanOrEqualToThreshold",
        missing="notBreaching",
        description=_not_ready("medium", "The machine with the maintenance page does not answer"),
    ),
    TargetAlarm(
        purpose="missing",
        metric="HealthyHostCount",
        statistic="Minimum",
        operator="LessThanThreshold",
        missing="breaching",
        description=_not_ready("medium", "No machine with the maintenance page is healthy"),
    ),
)

NOT_READY = _not_ready("high", "The maintenance page is not ready")


def late_renewal(machine: str, host: str, days: int) -> str:
    """What the alarm on a certificate says."""
    return advice(
        "high",
        f"The certificate of {host} on the {machine} expires in less than {days} days, or nobody counts them",
        "Browsers refuse the site once it has expired.",
        run_book="003_720b7a256857bf84.txt Certificate & Domain Renewal",
        first="`runbook certificates status`, then the log of certbot on the server.",
    )


# Documents of Systems Manager


def script(name: str, variables: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None) -> str:
    """A script that sets ``variables``, writes ``files`` into the folder ``STAGE`` and goes on as the file ``name``."""
    lines = ["#!/bin/bash"]
    lines += [f"export {key}={shlex.quote(value)}" for key, value in sorted((variables or {}).items())]
    if files:
        lines += ["STAGE=$(mktemp -d)", "export STAGE", "trap 'rm -rf \"$STAGE\"' EXIT"]
    for path, text in sorted((files or {}).items()):
        if f"\n{_END}\n" in f"\n{text}":
            raise ValueError(f"The file {path} holds the line {_END}, which ends it.")
        lines += [f"cat >\"$STAGE/{path}\" <<'{_END}'", text.removesuffix("\n"), _END]
    body = read(name).removeprefix("#!/bin/bash\n")
    return "\n".join([*lines, body])


def command(description: str, text: str, parameters: Mapping[str, Any] | None = None) -> str:
    """An SSM document that runs a script as root, as JSON.

    Raises ValueError where SSM would read a part of the script as a parameter, or refuse the document for its size.
    """
    unknown = set(re.findall(r"\{\{\s*([^}\s]*)\s*\}\}", text)) - set(parameters or {})
    if unknown or text.count("{{") != len(re.findall(r"\{\{\s*\w+\s*\}\}", text)):
        raise ValueError(f"Systems Manager would read a parameter into the script: {sorted(unknown) or '{{'}.")
    content = json.dumps(
        {
            "schemaVersion": "2.2",
            "description": description,
            **({"parameters": parameters} if parameters else {}),
            "mainSteps": [
                {
                    "action": "aws:runShellScript",
                    "name": "run",
                    "precondition": {"StringEquals": ["platformType", "Linux"]},
                    "inputs": {"timeoutSeconds": str(_SCRIPT_SECONDS), "runCommand": text.split("\n")},
                }
            ],
        },
        sort_keys=True,
    )
    if len(content.encode()) > _DOCUMENT_LIMIT:
        raise ValueError(f"The document takes {len(content.encode())} bytes; Systems Manager takes {_DOCUMENT_LIMIT}.")
    return content


UNTIL_PARAMETERS = {
    "until": {
        "type": "String",
        "description": "When the work ends, UTC, YYYY-MM-DDTHH:MM:SSZ; empty where it is not known.",
        "default": "",
        "allowedPattern": r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)?$",
    }
}


def revision(content: str) -> str:
    """What changes with a document's content: an association that names it runs at once when it changes."""
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def revised(description: str, text: str) -> str:
    """``command`` with the parameter ``revision``, which the script does not use."""
    said = {
        "revision": {
            "type": "String",
            "description": "A change of it makes the association run at once.",
            "default": "",
            "allowedPattern": "^[0-9a-f]*$",
        }
    }
    return command(description, text, said)


def off_document(role_arn: str, inputs: Mapping[str, Any]) -> str:
    """The Automation document that takes the page off the air, as JSON. ``inputs``: see ``maintenance_off.script``."""
    return json.dumps(
        {
            "schemaVersion": "0.3",
            "description": "Leads requests back from the maintenance page to the site, once the site is well.",
            "assumeRole": role_arn,
            "parameters": {
                "Force": {
                    "type": "String",
                    "description": "true: also where the site is not well.",
                    "default": "false",
                    "allowedValues": ["false", "true"],
                },
                "Announce": {
                    "type": "String",
                    "description": "true: tell that the site is back.",
                    "default": "false",
                    "allowedValues": ["false", "true"],
                },
            },
            "mainSteps": [
                {
                    "name": "off",
                    "action": "aws:executeScript",
                    "timeoutSeconds": 300,
                    "isEnd": True,
                    "inputs": {
                        "Runtime": "python3.11",
                        "Handler": "off",
                        "InputPayload": {**inputs, "announce": "{{ Announce }}", "force": "{{ Force }}"},
                        "Script": _OFF.read_text(encoding="utf-8"),
                    },
                    "outputs": [{"Name": "result", "Selector": "$.Payload.result", "Type": "String"}],
                }
            ],
            "outputs": ["off.result"],
        },
        sort_keys=True,
    )


def failure_pattern(document: str) -> str:
    """The event pattern of an Automation document's executions that did not end well."""
    pattern = {
        "source": ["aws.ssm"],
        "detail-type": ["EC2 Automation Execution Status-change Notification"],
        "detail": {"Definition": [document], "Status": ["Cancelled", "Failed", "TimedOut"]},
    }
    return json.dumps(pattern, sort_keys=True)


#: Place-holder -> where its value stands in the event.
FAILURE_PATHS = {**EVENT_PATHS, "execution": "$.detail.ExecutionId", "status": "$.detail.Status"}


def failure_message(name: str) -> str:
    """The input template of the target of the rule ``name``."""
    told = advice(
        "high",
        "The maintenance did not end as it should",
        "Visitors may still see the page.",
        run_book="003_… Scheduled Maintenance",
        first="Read why in the execution; once the site is well, `runbook maintenance off`.",
    )
    return as_alarm(name, told, "Execution <execution> ended as <status>.")
