"""Policy and trust documents as plain dicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

Statement = dict[str, Any]


def allow(
    actions: Sequence[str],
    resources: Sequence[pulumi.Input[str]],
    *,
    sid: str | None = None,
    condition: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    """A statement that allows ``actions`` on ``resources``."""
    return _statement("Allow", sid, condition, Action=list(actions), Resource=list(resources))


def allow_service(
    service: str,
    actions: Sequence[str],
    resources: Sequence[pulumi.Input[str]],
    *,
    sid: str,
    condition: Mapping[str, Mapping[str, Any]],
) -> Statement:
    """A resource-policy statement for an AWS service, never without a condition that names the account or source."""
    return _statement(
        "Allow", sid, condition, Principal={"Service": service}, Action=list(actions), Resource=list(resources)
    )


def deny_insecure_transport(bucket_arn: pulumi.Input[str]) -> Statement:
    """A bucket-policy statement that refuses every request made without TLS."""
    return _statement(
        "Deny",
        "DenyInsecureTransport",
        {"Bool": {"aws:SecureTransport": "false"}},
        Principal="*",
        Action="s3:*",
        Resource=[bucket_arn, pulumi.Output.concat(bucket_arn, "/*")],
    )


def deny_insecure(action: str, arn: pulumi.Input[str]) -> Statement:
    """The same for one resource of another service; ``action``: ``sqs:*``, ``sns:Publish``."""
    return _statement(
        "Deny",
        "DenyInsecureTransport",
        {"Bool": {"aws:SecureTransport": "false"}},
        Principal="*",
        Action=action,
        Resource=arn,
    )


def publish(topic_arns: Sequence[pulumi.Input[str]], key_arn: pulumi.Input[str]) -> list[Statement]:
    """Publish to the topics, whose key encrypts on the way."""
    return [
        allow(["sns:Publish"], topic_arns, sid="Publish"),
        allow(
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            [key_arn],
            sid="EncryptOnTheWay",
            condition={"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": list(topic_arns)}},
        ),
    ]


def _statement(
    effect: str, sid: str | None, condition: Mapping[str, Mapping[str, Any]] | None, **parts: Any
) -> Statement:
    return {
        **({"Sid": sid} if sid else {}),
        "Effect": effect,
        **parts,
        **({"Condition": {operator: dict(terms) for operator, terms in condition.items()}} if condition else {}),
    }


def document(*statements: Statement) -> pulumi.Output[str]:
    """A policy document as JSON with sorted keys, so that a second run changes nothing."""
    body = {"Version": "2012-10-17", "Statement": list(statements)}
    return pulumi.Output.from_input(body).apply(lambda value: json.dumps(value, sort_keys=True))


def trust(service: str, *, account_id: str | None = None, source_arn: str | None = None) -> str:
    """A role's trust in one AWS service.

    ``account_id`` and ``source_arn`` (a pattern) close the confused-deputy gap for services that send
    ``aws:SourceAccount`` and ``aws:SourceArn``; EC2 sends neither.
    """
    condition: dict[str, dict[str, str]] = {}
    if account_id:
        condition["StringEquals"] = {"aws:SourceAccount": account_id}
    if source_arn:
        condition["ArnLike"] = {"aws:SourceArn": source_arn}
    statement = _statement("Allow", None, condition or None, Principal={"Service": service}, Action="sts:AssumeRole")
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)
