"""What the bastion decides: its image, whether it takes SSH, how sessions are kept and how one gets in."""

from __future__ import annotations

from typing import Any, Literal

from settings.instance_classes import architecture

Mode = Literal["ssh", "both", "ssm"]

#: The port on the administrator's own machine where the tunnel to the database begins.
LOCAL_PORT = 15432

#: The one document of an account and region that holds the preferences of sessions which name no document.
PREFERENCES = "SSM-SessionManagerRunShell"

_USER = "ec2-user"


def image(instance_class: str) -> str:
    """The launch template's image: the newest Amazon Linux 2023 for the class, looked up by EC2 at launch."""
    parameter = f"al2023-ami-kernel-default-{architecture(instance_class)}"
    return f"resolve:ssm:/aws/service/ami-amazon-linux-latest/{parameter}"


def takes_ssh(mode: Mode) -> bool:
    """Whether the bastion has a public address and a door for SSH."""
    return mode in ("ssh", "both")


def takes_sessions(mode: Mode) -> bool:
    """Whether Session Manager is an announced way in. Patching needs its agent in every mode."""
    return mode in ("ssm", "both")


def session_preferences(*, log_group: str, key_id: str) -> dict[str, Any]:
    """Session Manager's preferences: encrypted with ``key_id``, written to ``log_group`` while they go on.

    A session ends after 20 idle minutes and after 8 hours, a working day, at the latest.
    """
    return {
        "schemaVersion": "1.0",
        "description": "Preferences of Session Manager",
        "sessionType": "Standard_Stream",
        "inputs": {
            "cloudWatchLogGroupName": log_group,
            "cloudWatchEncryptionEnabled": True,
            "cloudWatchStreamingEnabled": True,
            "kmsKeyId": key_id,
            "idleSessionTimeout": "20",
            "maxSessionDuration": "480",
            "runAsEnabled": False,
            "runAsDefaultUser": "",
            "s3BucketName": "",
            "s3KeyPrefix": "",
            "s3EncryptionEnabled": True,
            "shellProfile": {"linux": "", "windows": ""},
        },
    }


def ssh_command(*, key_name: str | None, address: str, options: str = "") -> str:
    """The line that opens a shell over SSH (``000_… §1``); ``key_name``: the key pair, whose file has its name."""
    parts = ("ssh", f"-i {key_name}.pem" if key_name else "", options, f"{_USER}@{address}")
    return " ".join(part for part in parts if part)


def session_command(*, region: str, instance_id: str) -> str:
    """The line that opens a shell with Session Manager."""
    return f"aws ssm start-session --region {region} --target {instance_id}"


def ssh_tunnel(*, key_name: str | None, address: str, host: str, port: int) -> str:
    """The line that leads ``LOCAL_PORT`` to ``host:port`` over SSH."""
    return ssh_command(key_name=key_name, address=address, options=f"-N -L {LOCAL_PORT}:{host}:{port}")


def session_tunnel(*, region: str, instance_id: str, host: str, port: int) -> str:
    """The line that leads ``LOCAL_PORT`` to ``host:port`` with Session Manager; no port is open for it."""
    return (
        f"{session_command(region=region, instance_id=instance_id)}"
        " --document-name AWS-StartPortForwardingSessionToRemoteHost"
        f' --parameters host="{host}",portNumber="{port}",localPortNumber="{LOCAL_PORT}"'
    )


def user_data() -> str:
    """The script of the first boot: PostgreSQL's client, tried for five minutes, as the way out may come later."""
    return """\
#!/bin/bash
for _ in {1..20}; do
  dnf install -y postgresql17 && exit 0
  sleep 15
done
exit 1
"""
