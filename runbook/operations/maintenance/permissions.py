"""The IAM policies of the sub-commands: what each needs and no more, known before anything is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..site import Site
from .changeover import SCHEDULE
from .entry import COMPONENTS, NOTICE_TOPIC, OF_PROMETHEUS, OF_WEB, Mode, record_parameter

Statement = dict[str, Any]

#: The component's logical name; names that AWS makes up begin with it.
_COMPONENT = "maintenance"


def of_status(site: Site) -> list[Statement]:
    """Reads only."""
    looks = {
        "listener-rule": ["elasticloadbalancing:DescribeRules"],
        "elastic-ip": ["ec2:DescribeAddresses"],
        "dns": ["route53:GetHealthCheck"],
    }[_mode(site)]
    return [
        _inventory(site),
        _allow(
            "AskCalendar",
            ["ssm:GetCalendarState"],
            [site.arn("ssm", f"document/{site.labels.physical('changes', limit=128)}")],
        ),
        _allow("LookAtSwitch", looks, ["*"]),
        _allow("LookAtEnd", ["scheduler:GetSchedule"], [_schedule(site)]),
        _allow("LookAtAlarms", ["cloudwatch:DescribeAlarms"], ["*"]),
        _allow("LookAtMute", ["cloudwatch:GetAlarmMuteRule"], [_mute_rule(site)]),
        *_silencing(site, "LookAtSilences", "aps:ListAlertManagerSilences"),
    ]


def of_on(site: Site) -> list[Statement]:
    """To the page, and back where that fails."""
    roles = ["scheduler.amazonaws.com", "ssm.amazonaws.com"]
    return [
        *of_status(site),
        *_common(site, roles),
        *_switching(site),
        _allow("ScheduleEnd", ["scheduler:CreateSchedule", "scheduler:UpdateSchedule"], [_schedule(site)]),
        _allow("MuteAlarms", ["cloudwatch:PutAlarmMuteRule"], [_mute_rule(site), _alarms(site)]),
        *_silencing(site, "Silence", "aps:PutAlertManagerSilences"),
        _allow("NoteRecord", ["ssm:PutParameter"], [_parameter(site, record_parameter(site))]),
    ]


def of_off(site: Site) -> list[Statement]:
    """Back to the site."""
    looks = [] if _mode(site) == "listener-rule" else [_allow("LookAtMachine", ["ec2:DescribeInstances"], ["*"])]
    return [*of_status(site), *_common(site, ["ssm.amazonaws.com"]), *looks]


def _common(site: Site, pass_to: list[str]) -> list[Statement]:
    """The end on the page, the way back, and what is told and tidied up."""
    until = site.labels.physical("maintenance-until", limit=128)
    off = site.labels.physical(_COMPONENT, "off", limit=128)
    machine = {"Environment": site.environment, "Project": site.project, "Service": _COMPONENT}
    topic = site.arn("sns", site.labels.physical("alerts", NOTICE_TOPIC, limit=256))
    return [
        _allow("ReadCommands", ["ssm:DescribeAutomationExecutions", "ssm:ListCommands"], ["*"]),
        _allow("UseDocument", ["ssm:SendCommand"], [site.arn("ssm", f"document/{until}")]),
        _allow(
            "CommandMachine",
            ["ssm:SendCommand"],
            [site.arn("ec2", "instance/*")],
            {"StringEquals": {f"ssm:resourceTag/{tag}": value for tag, value in machine.items()}},
        ),
        _allow(
            "LeadBack",
            ["ssm:StartAutomationExecution"],
            # IAM knows an Automation document by two names.
            [site.arn("ssm", f"automation-definition/{off}:*"), site.arn("ssm", f"document/{off}")],
        ),
        _allow("ReadExecution", ["ssm:GetAutomationExecution"], [site.arn("ssm", "automation-execution/*")]),
        _allow(
            "PassRoles",
            ["iam:PassRole"],
            [
                f"arn:{site.partition}:iam::{site.account_id}:role/{_COMPONENT}-{purpose}-*"
                for purpose in ("off", "scheduler")
            ],
            {"StringEquals": {"iam:PassedToService": pass_to}},
        ),
        _allow("CancelEnd", ["scheduler:DeleteSchedule"], [_schedule(site)]),
        _allow("Unmute", ["cloudwatch:DeleteAlarmMuteRule"], [_mute_rule(site)]),
        *_silencing(site, "EndSilence", "aps:DeleteAlertManagerSilence"),
        _allow("CloseRecord", ["ssm:DeleteParameter"], [_parameter(site, record_parameter(site))]),
        _allow("Tell", ["sns:Publish"], [topic]),
        _allow(
            "EncryptOnTheWay",
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            [site.arn("kms", "key/*")],
            {"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": topic}},
        ),
    ]


def _switching(site: Site) -> list[Statement]:
    mode = _mode(site)
    if mode == "listener-rule":
        return [
            _allow("LookAtTargets", ["elasticloadbalancing:DescribeTargetHealth"], ["*"]),
            _allow("Switch", ["elasticloadbalancing:CreateRule"], [site.arn("elasticloadbalancing", "listener/app/*")]),
        ]
    machine = _allow("LookAtMachine", ["ec2:DescribeInstances"], ["*"])
    server = site.settings.maintenance.server
    if mode == "elastic-ip" and server is not None:
        held = [site.arn("ec2", part) for part in (f"elastic-ip/{server.allocation_id}", "instance/*")]
        return [machine, _allow("Switch", ["ec2:AssociateAddress"], held)]
    return [
        machine,
        _allow("Switch", ["route53:UpdateHealthCheck"], [f"arn:{site.partition}:route53:::healthcheck/*"]),
    ]


def _mode(site: Site) -> Mode:
    mode: Mode = site.settings.maintenance.mode
    return mode


def _inventory(site: Site) -> Statement:
    components = (*COMPONENTS, *(OF_WEB if _mode(site) == "listener-rule" else ()))
    if site.settings.prometheus.enabled:
        components = (*components, OF_PROMETHEUS)
    names = [*(site.parameter(component) for component in sorted(components)), record_parameter(site)]
    return _allow("ReadInventory", ["ssm:GetParameter"], [_parameter(site, name) for name in names])


def _parameter(site: Site, name: str) -> str:
    return site.arn("ssm", f"parameter{name}")


def _schedule(site: Site) -> str:
    return site.arn("scheduler", f"schedule/{site.labels.physical(_COMPONENT, limit=64)}/{SCHEDULE}")


def _silencing(site: Site, sid: str, action: str) -> list[Statement]:
    """Of alert manager, where there is one. AWS makes the workspace's id up."""
    return [_allow(sid, [action], [site.arn("aps", "workspace/*")])] if site.settings.prometheus.enabled else []


def _mute_rule(site: Site) -> str:
    return site.arn("cloudwatch", f"alarm-mute-rule:{site.labels.physical(_COMPONENT, limit=255)}")


def _alarms(site: Site) -> str:
    """Of the stack; those of a server outside of it may be called anything."""
    own = _mode(site) == "listener-rule"
    return site.arn("cloudwatch", f"alarm:{site.labels.physical('', limit=255) if own else ''}*")


def _allow(sid: str, actions: list[str], resources: list[str], condition: Mapping[str, Any] | None = None) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": dict(condition)} if condition else {})
