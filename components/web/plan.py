"""What the web tier decides: images, the memory metric, scaling targets and the firewall's rules, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from settings.instance_classes import architecture

#: The namespace, metric and dimension that the agent writes, the role may write and the memory policy reads. EC2 knows
#: nothing of memory: where these three differ in one place, the policy waits for ever for a metric that never comes.
NAMESPACE = "CWAgent"
MEMORY_METRIC = "mem_used_percent"
GROUP_DIMENSION = "AutoScalingGroupName"

#: Where the platform writes, and where the machine's journal is copied to; the agent collects files only.
APPLICATION_LOG = "/var/log/platform/application.log"
SYSTEM_LOG = "/var/log/platform-system/system.log"

#: The parameter of ``agent_document`` that takes the name of the SSM parameter with the agent's configuration.
CONFIGURATION = "configuration"

_CONTROL = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"


def image_reference(instance_class: str, image_id: str | None) -> str:
    """The image of the launch template: a pinned one, or the newest Amazon Linux 2023 at each launch."""
    if image_id is not None:
        return image_id
    return f"resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture(instance_class)}"


def rolls_back(image: str) -> bool:
    """Whether Auto Scaling can undo a failed refresh by itself: it refuses to where the image is an SSM parameter.

    The refresh then stops, and the instances that were there before go on serving.
    """
    return not image.startswith("resolve:ssm:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingTarget:
    """A metric of the group that is held near ``percent``.

    ``predefined``: EC2's own name of the metric, or None where ``NAMESPACE`` has it.
    """

    purpose: Literal["cpu", "memory"]
    percent: float
    predefined: str | None


def scaling_targets(*, cpu_percent: float, memory_percent: float) -> tuple[ScalingTarget, ...]:
    """What the group scales on (``000_… §5``).

    They do not fight: Auto Scaling adds an instance when one target asks for it and removes one when both agree.
    """
    return (
        ScalingTarget(purpose="cpu", percent=cpu_percent, predefined="ASGAverageCPUUtilization"),
        ScalingTarget(purpose="memory", percent=memory_percent, predefined=None),
    )


def agent_config(*, application_log_group: str, system_log_group: str) -> dict[str, Any]:
    """The CloudWatch agent's configuration: memory, disk and swap each minute, by instance and by group, and two logs.

    The sums by group are what the memory policy and the alarms on memory and disk read.
    """
    return {
        # The copy of the journal is readable by root alone.
        "agent": {"metrics_collection_interval": 60, "run_as_user": "root"},
        "metrics": {
            "namespace": NAMESPACE,
            "append_dimensions": {
                GROUP_DIMENSION: "${aws:AutoScalingGroupName}",
                "InstanceId": "${aws:InstanceId}",
            },
            "aggregation_dimensions": [[GROUP_DIMENSION]],
            "metrics_collected": {
                "mem": {"measurement": [MEMORY_METRIC]},
                # One file system only: the sum by group would mix them.
                "disk": {"measurement": ["used_percent"], "resources": ["/"], "drop_device": True},
                "swap": {"measurement": ["swap_used_percent"]},
            },
        },
        "logs": {
            "logs_collected": {
                "files": {
                    "collect_list": [
                        {
                            "file_path": path,
                            "log_group_name": log_group,
                            "log_stream_name": "{instance_id}",
                        }
                        for path, log_group in (
                            (APPLICATION_LOG, application_log_group),
                            (SYSTEM_LOG, system_log_group),
                        )
                    ]
                }
            }
        },
    }


def agent_document() -> dict[str, Any]:
    """An SSM document that installs the CloudWatch agent and starts it with the configuration of an SSM parameter.

    It may run again and again: an installed agent stays, and reads its configuration anew.
    """
    return {
        "schemaVersion": "2.2",
        "description": "Installs the CloudWatch agent and starts it with the configuration of an SSM parameter.",
        "parameters": {
            CONFIGURATION: {
                "type": "String",
                "description": "The name of the SSM parameter with the configuration.",
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
                    "runCommand": [
                        "set -eu",
                        f"{_CONTROL} -a append-config -m ec2 -s -c 'ssm:{{{{ {CONFIGURATION} }}}}'",
                    ],
                },
            },
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedGroup:
    """A rule group that AWS keeps up to date.

    ``priority``: groups are asked in its order, lowest first; ``capacity``: what it takes of the 1,500 units that a
    web ACL may use at the basic price; ``counted``: rules of it that only count what the others would block.
    """

    name: str
    priority: int
    capacity: int
    counted: tuple[str, ...] = ()


#: The rate limit is asked before them, with priority 0.
MANAGED_GROUPS = (
    ManagedGroup(name="AWSManagedRulesAmazonIpReputationList", priority=10, capacity=25),
    ManagedGroup(name="AWSManagedRulesKnownBadInputsRuleSet", priority=20, capacity=200),
    ManagedGroup(
        name="AWSManagedRulesCommonRuleSet",
        priority=30,
        capacity=700,
        # It blocks bodies over 8 KB: on a learning platform every hand-in and every picture.
        counted=("SizeRestrictions_BODY",),
    ),
    ManagedGroup(name="AWSManagedRulesSQLiRuleSet", priority=40, capacity=200),
)

#: Headers that carry a session; they never reach the firewall's log.
REDACTED_HEADERS = ("authorization", "cookie")
