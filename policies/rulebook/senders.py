"""What AWS's services say of whom they come for, when they take on a role or use what is not theirs.

A service works for every account. Only the condition keys ``aws:SourceAccount`` and ``aws:SourceArn`` tell whose
request it carries out, and not every service sends both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import documents
from .documents import Condition, Statement

ACCOUNT, ARN = "aws:SourceAccount", "aws:SourceArn"
BOTH = (ACCOUNT, ARN)

#: Service -> what it sends with ``sts:AssumeRole``, by the trust policies in its own user guide. Those that are not
#: here, as EC2 and Lambda, send nothing.
TRUSTED: Mapping[str, tuple[str, ...]] = {
    "backup.amazonaws.com": (ACCOUNT,),
    "cloudtrail.amazonaws.com": BOTH,
    "events.amazonaws.com": BOTH,
    "grafana.amazonaws.com": BOTH,
    "monitoring.rds.amazonaws.com": BOTH,
    "scheduler.amazonaws.com": BOTH,
    # Automation sends the ARN of its execution as well, maintenance windows do not.
    "ssm.amazonaws.com": (ACCOUNT,),
    "states.amazonaws.com": BOTH,
    "vpc-flow-logs.amazonaws.com": BOTH,
}

#: Service -> what the resource policies in its own user guide ask for. Of others either key will do.
ADMITTED: Mapping[str, tuple[str, ...]] = {
    "cloudtrail.amazonaws.com": (ARN,),
    "delivery.logs.amazonaws.com": BOTH,
    "events.amazonaws.com": (ARN,),
    "logdelivery.elasticloadbalancing.amazonaws.com": (ARN,),
    "logging.s3.amazonaws.com": BOTH,
    "sms-voice.amazonaws.com": BOTH,
    "sns.amazonaws.com": (ARN,),
}
_REGIONAL_LOGS = re.compile(r"logs\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")

#: Keys that say the same as ``aws:SourceAccount``, or more.
_ACCOUNTS = ("aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner")
_DEMANDING = frozenset({"arnequals", "arnlike", "stringequals", "stringequalsignorecase", "stringlike"})


def admitted(service: str, *, to_bucket: bool = False) -> tuple[str, ...]:
    """What a resource policy has to ask ``service`` for; empty where either key will do.

    ``to_bucket``: CloudWatch Logs sends both with an export, and an encryption context with the use of a key.
    """
    if to_bucket and _REGIONAL_LOGS.fullmatch(service):
        return BOTH
    return ADMITTED.get(service.lower(), ())


def missing(statement: Statement, wanted: tuple[str, ...]) -> str | None:
    """The first key of ``wanted`` that no condition holds to this account or a source of it."""
    return next((key for key in wanted if not any(names(one, key) for one in statement.conditions)), None)


def names(condition: Condition, key: str) -> bool:
    """Whether the condition refuses a request that lacks ``key``, or has that of any account.

    The ARN of a bucket has no account, but one owner.
    """
    wanted = (ARN.lower(),) if key == ARN else _ACCOUNTS
    return condition.key in wanted and demands(condition) and not any(map(_is_of_any_account, condition.values))


def demands(condition: Condition) -> bool:
    """Whether a request without the key is refused, and not every value passes."""
    operator = condition.operator.removeprefix("foranyvalue:")
    return operator in _DEMANDING and bool(condition.values) and all(one.strip("*?") for one in condition.values)


def _is_of_any_account(value: str) -> bool:
    parts = value.split(":", 5)
    return documents.is_everything(value) or (
        len(parts) == 6 and parts[0] == "arn" and any(sign in parts[4] for sign in "*?")
    )
