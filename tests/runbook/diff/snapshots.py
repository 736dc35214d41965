"""Snapshots by hand: states as a preview writes them, and audits of them."""

from __future__ import annotations

from typing import Any

PREFIX = "urn:pulumi:staging::shop::"
STACK = f"{PREFIX}pulumi:pulumi:Stack::shop-staging"

BUCKET = "aws:s3/bucket:Bucket"
DATABASE = "aws:rds/instance:Instance"
KEY = "aws:kms/key:Key"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SUBNET = "aws:ec2/subnet:Subnet"
VPC = "aws:ec2/vpc:Vpc"


def state(type_: str, name: str, inputs: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A resource; ``made`` are outputs beside its inputs, ``parent`` a state."""
    parent = fields.pop("parent", None)
    made = fields.pop("made", {})
    chain = f"{parent['urn'].split('::', 3)[2]}$" if parent else ""
    told = {
        "urn": f"{PREFIX}{chain}{type_}::{name}",
        "type": type_,
        "custom": type_.startswith("aws:"),
        "id": f"{type_.rpartition(':')[2].lower()}-{name}-0123",
        "parent": parent["urn"] if parent else STACK,
        "protect": False,
        "inputs": inputs or {},
        "outputs": {**(inputs or {}), **made},
        "dependencies": [],
        "propertyDependencies": {},
    }
    return {**told, **fields}


def finding(rule: str, sentence: str, resource: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A mandatory finding without a waiver."""
    told = {
        "rule": rule,
        "severity": "high",
        "mandatory": True,
        "sentence": sentence,
        "urn": resource["urn"] if resource else None,
        "file": "components/shop.py" if resource else None,
        "line": 7 if resource else None,
        "waiver": None,
    }
    return {**told, **fields}


WAIVER = {"owner": "ann", "ticket": "OPS-1", "reason": "soon", "expires": "2026-12-31"}


def snapshot(*states: dict[str, Any], findings: tuple[dict[str, Any], ...] = (), **audit: Any) -> dict[str, Any]:
    """A snapshot of the stack ``staging``."""
    refused = any(each["mandatory"] for each in findings)
    judged = {"verdict": "refused" if refused else "clean", "rules": 9, "findings": list(findings), "notEvaluated": []}
    return {"version": 1, "stacks": {"staging": {"resources": list(states), "audit": {**judged, **audit}}}}
