"""The JSON Schema of ``Pulumi.<stack>.yaml``: editors complete keys, show units and sources, and mark most mistakes.

It knows values and not what they mean together: ``runbook settings check`` does.
"""

from __future__ import annotations

import json
from typing import Any

from .judge import ELSEWHERE
from .kinds import ACCOUNT_ID, REGION, SEALED
from .model import Settings

#: The namespace of the settings in the schema: the name in ``Pulumi.yaml``.
PROJECT = "learning-platform"

#: What the AWS provider may be told here. Tags, for one, may not: those of ``ownership`` stand on each resource.
AWS_KEYS = ("allowedAccountIds", "assumeRoles", "maxRetries", "profile", "region", "retryMode")

#: Keys of the AWS provider that hold a credential; in a stack file they have to be encrypted.
AWS_SECRET_KEYS = ("accessKey", "secretKey", "token")


def schema() -> dict[str, Any]:
    """Draft 7, which every YAML language server understands. Keys of the project carry its namespace."""
    settings = Settings.model_json_schema(ref_template="#/definitions/{model}")
    own = {name: part for name, part in settings["properties"].items() if name not in ELSEWHERE}
    aws = {
        "aws:allowedAccountIds": {
            "description": "The accounts a run may touch; that of account.id is among them (002_… §7.1).",
            "type": "array",
            "items": dict(ACCOUNT_ID.schema),
            "minItems": 1,
        },
        "aws:assumeRoles": {"description": "Roles the provider takes on, in their order.", "type": "array"},
        "aws:maxRetries": {"description": "How often a call is repeated.", "type": "integer", "minimum": 0},
        "aws:profile": {"description": "Profile of the shared AWS configuration.", "type": "string"},
        "aws:region": {"description": "Primary region (002_… §7.1).", **REGION.schema},
        "aws:retryMode": {"description": "How calls are repeated.", "enum": ["standard", "adaptive"]},
        **{
            f"aws:{key}": {"description": "Encrypted credential; better is a session of its own.", **SEALED}
            for key in AWS_SECRET_KEYS
        },
    }
    needed = [name for name in settings["required"] if name not in ELSEWHERE]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Stack of the learning platform",
        "type": "object",
        "additionalProperties": False,
        "required": ["config"],
        "properties": {
            "config": {
                "description": "What the stack says.",
                "type": "object",
                "additionalProperties": False,
                "patternProperties": {"^pulumi:": {"description": "The CLI's own."}},
                "properties": {**aws, **{f"{PROJECT}:{name}": part for name, part in own.items()}},
                "required": ["aws:allowedAccountIds", "aws:region", *(f"{PROJECT}:{name}" for name in needed)],
            },
            "encryptedkey": {"description": "Written by the CLI: the data key of the secrets.", "type": "string"},
            "encryptionsalt": {"description": "Written by the CLI: the salt of the passphrase.", "type": "string"},
            "environment": {"description": "Environments of Pulumi ESC; they are not read offline."},
            "secretsprovider": {
                "description": "What encrypts the secrets, for example awskms://alias/learning-platform-prod-state.",
                "type": "string",
            },
        },
        "definitions": settings["$defs"],
    }


def schema_text() -> str:
    """The schema as its file has it."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
