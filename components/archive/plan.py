"""What servers run to save and restore their configuration, and what of it lies where."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings.records import BUCKETS, RecordsSettings, RetentionSettings

from .._bucket import Lock, Retention

#: Kind of records -> prefix in its bucket, without which nothing there expires.
PREFIXES: Mapping[str, str] = {
    "configuration": "hosts/",
    "repository": "repository/",
    "state": "state/",
    "reports": "reports/",
    "restores": "restores/",
    "audits": "audits/",
    "logs": "logs/",
}

#: Kind of records -> further prefixes that it lies below: what restore tests, drills and runs in progress leave.
_ALSO: Mapping[str, tuple[str, ...]] = {"restores": ("restore-tests/", "drills/", "progress/")}

#: Metrics of the servers: seconds since the last backup, and runs that failed.
AGE, FAILURES = "ConfigurationBackupAge", "ConfigurationBackupFailures"

#: Where a server keeps its lock and marks, and what a restore has replaced.
STATE = "/var/lib/platform-configuration"

#: Parameters of the document that restores: which backup, and whether to look only.
BACKUP, MODE = "backup", "mode"

#: A backup as operators name it: instance and UTC time.
BACKUP_PATTERN = "^i-[0-9a-f]{8,17}/[0-9]{8}T[0-9]{6}Z$"

_COMMAND = "/usr/local/libexec/platform-configuration-backup"
_UNIT = "platform-configuration-backup"
_END = "END_OF_FILE"
_FOLDER = Path(__file__).parent

_SERVICE = f"""\
[Unit]
Description=Saves the configuration where it has changed
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart={_COMMAND} watch
TimeoutStartSec=15min
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=read-only
ProtectSystem=strict
ReadWritePaths={STATE}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where backups of configuration go. ``hosts``: the prefix of all servers; ``paths`` may end in a pattern."""

    bucket: str
    key_arn: str
    region: str
    hosts: str
    namespace: str
    paths: Sequence[str]
    state: str = STATE


def paths(records: RecordsSettings) -> tuple[str, ...]:
    """What is saved of a server (``003_… Backups §2``): the paths, and ``config/`` and ``.env*`` of the application."""
    application = records.hosts.application
    return (*records.hosts.paths, f"{application}/.env*", f"{application}/config")


def hosts_prefix(*, partition: str, region: str, account_id: str) -> str:
    """The prefix of all servers; an instance's id and a slash follow.

    It has the form of an instance's ARN because that is what IAM can compare with the caller: each server writes below
    its own ARN alone.
    """
    return f"{PREFIXES['configuration']}arn:{partition}:ec2:{region}:{account_id}:instance/"


def retention(records: RecordsSettings, bucket: str) -> tuple[Retention, ...]:
    """The lifecycle of ``bucket``: a rule for each prefix of each kind of records in it, and one for what lies beside.

    S3 heeds the earliest, so the last rule is as late as the latest of the others: it moves nothing that one of them
    keeps at hand.
    """
    kept: dict[str, RetentionSettings] = {kind: getattr(records, kind) for kind in BUCKETS[bucket]}
    moves = [one.glacier_days for one in kept.values()]
    beside = Retention(
        name="beside",
        days=max(one.days for one in kept.values()),
        glacier_days=None if None in moves else max(days for days in moves if days is not None),
    )
    named = (
        Retention(
            name=name,
            prefix=prefix,
            days=one.days,
            glacier_days=one.glacier_days,
            deep_archive_days=one.deep_archive_days,
        )
        for kind, one in kept.items()
        for name, prefix in ((kind, PREFIXES[kind]), *((more.rstrip("/"), more) for more in _ALSO.get(kind, ())))
    )
    return (*named, beside)


def lock(records: RecordsSettings, bucket: str) -> Lock | None:
    """The lock of ``bucket``, None where it has none."""
    said = getattr(records.locks, bucket)
    return None if said.mode == "none" else Lock(mode=said.mode, days=said.days)


def backup_script(place: Place) -> str:
    """The command that a server saves its configuration with; its argument is ``now`` or ``watch``."""
    return _script(place, "backup.sh", KEY=place.key_arn)


def restore_script(place: Place, *, backup: str, mode: str) -> str:
    """The script that restores ``backup``, or looks whether it could (``mode``: ``apply`` or ``check``)."""
    return _script(place, "restore.sh", BACKUP=backup, MODE=mode)


def _script(place: Place, name: str, **given: str) -> str:
    variables = {
        "BUCKET": place.bucket,
        "REGION": place.region,
        "HOSTS": place.hosts,
        "NAMESPACE": place.namespace,
        "STATE": place.state,
        **given,
    }
    quoted = [f"{key}={_quoted(value)}" for key, value in variables.items()]
    listed = " ".join(map(_quoted, place.paths))
    return "\n".join(
        (
            "#!/bin/bash",
            *quoted,
            f"PATHS=({listed})",
            "",
            (_FOLDER / "common.sh").read_text(encoding="utf-8"),
            (_FOLDER / name).read_text(encoding="utf-8"),
        )
    )


def _quoted(value: str) -> str:
    """Always in quotes: what Systems Manager puts in place of a parameter stands between them."""
    return f"'{value}'" if value.startswith("{{") else shlex.quote(value)


def backup_document(place: Place, *, watch_minutes: int) -> dict[str, Any]:
    """An SSM document that installs the command and the timer that watches for changes, and saves at once.

    It may run again and again. A change is seen within ``watch_minutes``, in folders at any depth and in paths that
    come later, neither of which systemd's path units see; a change of permissions counts.
    """
    return _document(
        "Saves the server's configuration, and from then on whenever it changes.",
        {},
        f"""\
#!/bin/bash
set -euo pipefail
umask 077
install -d -m 0755 /usr/local/libexec
install -d -m 0700 {STATE}
cat >{_COMMAND}.new <<'{_END}'
{backup_script(place)}{_END}
chmod 0700 {_COMMAND}.new
mv -T {_COMMAND}.new {_COMMAND}
umask 022
cat >/etc/systemd/system/{_UNIT}.service <<'{_END}'
{_SERVICE}{_END}
cat >/etc/systemd/system/{_UNIT}.timer <<'{_END}'
{_timer(watch_minutes)}{_END}
systemctl daemon-reload
systemctl enable {_UNIT}.timer
systemctl restart {_UNIT}.timer
exec {_COMMAND} now
""",
    )


def _timer(minutes: int) -> str:
    return f"""\
[Unit]
Description=Looks whether the configuration has changed

[Timer]
OnActiveSec={minutes}min
OnUnitInactiveSec={minutes}min

[Install]
WantedBy=timers.target
"""


def restore_document(place: Place) -> dict[str, Any]:
    """An SSM document that restores a backup on the server it is sent to, which may be another than the saved one."""
    return _document(
        "Restores a server's configuration after checking it; restarts nothing.",
        {
            BACKUP: {
                "type": "String",
                "description": "The backup: instance id, slash, UTC time, as in i-0a1b2c3d4e5f60718/20260104T020000Z.",
                "allowedPattern": BACKUP_PATTERN,
            },
            MODE: {
                "type": "String",
                "description": "check: verify and tell the differences; apply: replace.",
                "default": "check",
                "allowedValues": ["check", "apply"],
            },
        },
        restore_script(place, backup=f"{{{{ {BACKUP} }}}}", mode=f"{{{{ {MODE} }}}}"),
    )


def _document(description: str, parameters: Mapping[str, Any], script: str) -> dict[str, Any]:
    return {
        "schemaVersion": "2.2",
        "description": description,
        **({"parameters": dict(parameters)} if parameters else {}),
        "mainSteps": [
            {
                "action": "aws:runShellScript",
                "name": "run",
                "precondition": {"StringEquals": ["platformType", "Linux"]},
                "inputs": {"timeoutSeconds": "1800", "runCommand": script.splitlines()},
            }
        ],
    }
