"""A project folder with a right staging stack and a neighbour, for tests to break one line of."""

from __future__ import annotations

from pathlib import Path

from settings.load import Problem, SettingsError, check

STAGING = """\
config:
  aws:allowedAccountIds: ["528846019273"]
  aws:region: us-east-1
  learning-platform:environment: staging
  learning-platform:recovery_region: us-west-2
  learning-platform:ownership:
    owner: platform-team
    cost_center: LP-1002
  learning-platform:account:
    id: "528846019273"
  learning-platform:network:
    cidr: 10.20.0.0/16
    recovery_cidr: 10.120.0.0/16
    zones: [us-east-1a, us-east-1b]
    nat: one
    flow_log_retention_days: 90
  learning-platform:access:
    mode: both
    admin_cidrs:
      - 203.0.113.0/28
      - 198.51.100.16/28
    key_name: platform-staging
    instance_class: t3.micro
  learning-platform:database:
    name: platform
    username: platform_admin
    port: 5432
    engine_version: "17"
    instance_class: db.t4g.medium
    storage_gib: 50
    max_storage_gib: 200
    multi_az: true
    backup_retention_days: 28
    backup_window: 05:30-06:15
    maintenance_window: wed:07:00-wed:08:00
    insights: standard
    slow_query_ms: 1000
    log_retention_days: 90
  learning-platform:web:
    domain:
      zone_id: Z08425517RM3CH6WYP9LA
      zone_name: learning.example
      host: staging.learning.example
    instance_class: t3.medium
    min_instances: 1
    max_instances: 2
    cpu_target_percent: 70
    health_path: /health
    agent_schedule: cron(0 2 ? * * *)
    requests_per_5_minutes: 20000
  learning-platform:alerts_email: platform-staging@learning.example
  learning-platform:protect: true
  learning-platform:escalation:
    time_zone: America/Detroit
    contacts:
      ana: {name: Ana Diaz, email: ana.diaz@learning.example, phone: "+447700900141"}
      ben: {name: Ben Okoro, email: ben.okoro@learning.example, phone: "+447700900142"}
    rotation: {first_hand_over: "2026-01-05T09:00", order: [ana, ben]}
    channels:
      slack_webhook_secret: arn:aws:secretsmanager:us-east-1:528846019273:secret:learning-platform/slack-Qd7xTr
      email_sender: alerts@learning.example
      email_identity: arn:aws:ses:us-east-1:528846019273:identity/learning.example
      sms_number: arn:aws:sms-voice:us-east-1:528846019273:phone-number/phone-3f9a1c5b7d2e8f4a6c1b9d0e3f1a2b3c
      voice_number: arn:aws:sms-voice:us-east-1:528846019273:phone-number/phone-8c2e4b9a1f3d5e7b0c2a4f6d8e1f2a3b
"""

DEV = """\
config:
  network:
    cidr: 10.10.0.0/16
    recovery_cidr: 10.110.0.0/16
  web:
    domain:
      host: dev.learning.example
"""

PROD = (
    STAGING.replace("environment: staging", "environment: prod")
    .replace("nat: one", "nat: per-zone")
    .replace("retention_days: 90", "retention_days: 365")
    .replace(".20.0.0", ".30.0.0")
    .replace(".120.0.0", ".130.0.0")
    + "  learning-platform:audit: {trail: {lock_mode: compliance}}\n"
    + "  learning-platform:backups:\n"
    + "    replicate_days: 28\n"
    + "    restore_test: {evidence: {table: audit_log, column: created_at}}\n"
    + '  learning-platform:patching: {approve_until: "2026-01-06"}\n'
    + "  learning-platform:records: {locks: {evidence: {mode: compliance}}}\n"
)


def edited(text: str, *changes: tuple[str, str]) -> str:
    """``text`` with each of the first strings, which has to stand there once, replaced by the second."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


def project(folder: Path, **stacks: str) -> Path:
    """``folder`` as a project with the stacks, by name and text; ``dev`` is there in any case."""
    (folder / "Pulumi.yaml").write_text("name: learning-platform\nruntime: python\n", encoding="utf-8")
    for name, text in {"dev": DEV, **stacks}.items():
        (folder / f"Pulumi.{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path, stack: str = "staging") -> tuple[Problem, ...]:
    """What ``check`` finds; nothing where the stack is right."""
    try:
        check(stack, folder)
    except SettingsError as error:
        return error.problems
    return ()
