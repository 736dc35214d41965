"""The rule for policy documents as texts: each says its version, and something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from .resource import Context, Resource, is_list
from .rule import Level, ResourceRule, Rule, Severity, through
from .values import show

ROLE = "aws:iam/role:Role"

#: Type -> the property with its document.
DOCUMENTS: Mapping[str, str] = {
    "aws:backup/vaultPolicy:VaultPolicy": "policy",
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": "policy",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "policy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
    "aws:iam/policy:Policy": "policy",
    ROLE: "assumeRolePolicy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
    "aws:kms/key:Key": "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
}

_VERSION = "2012-10-17"

Path = tuple[str | int, ...]


def paths(resource: Resource) -> Iterator[Path]:
    """Where a resource of ``DOCUMENTS`` holds its documents."""
    yield (DOCUMENTS[resource.type],)
    if resource.type == ROLE:
        yield from (("inlinePolicies", index, "policy") for index in range(len(resource.items("inlinePolicies"))))


def _whole(resource: Resource, _: Context) -> Iterator[str]:
    return through(paths(resource), lambda path: _faults(resource.section(*path)))


def _faults(value: Any) -> Iterator[str]:
    document = _parsed(value) if isinstance(value, str) else value
    if not isinstance(document, Mapping):
        # None is there, or it cannot be read: others say so.
        return
    if (version := document.get("Version")) != _VERSION:
        yield f"The policy's Version is {show(version)}; {_VERSION} is demanded."
    found = document.get("Statement")
    if found is None or (is_list(found) and not found):
        yield "The policy has no statement."


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


#: AWS takes an unset version for 2008-10-17 (IAM user guide, "IAM JSON policy elements: Version").
WHOLE = ResourceRule(
    id="iam-policy-whole",
    sentence="004_5ca73e3508d74ec8.txt Security Audit: Check IAM policies and roles",
    title="Every policy says that it is of version 2012-10-17, and what it is about.",
    why="In the language of 2008, which is what an unset version means, ${aws:…} is plain text, so a Deny that names "
    "a variable denies nothing; a policy without statements is refused, or protects nothing.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST AC-3", "NIST AC-6"),
    remedy=f'Build documents with components.iam.document, or write "Version": "{_VERSION}" and a statement.',
    types=frozenset(DOCUMENTS),
    check=_whole,
)

RULES: tuple[Rule, ...] = (WHOLE,)
