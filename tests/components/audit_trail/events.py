"""Events of CloudTrail as its user guide shows them, for the tests of filters and watches."""

from __future__ import annotations

from typing import Any

ACCOUNT = "210987654321"


def user(name: str, account: str = ACCOUNT) -> dict[str, Any]:
    return {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "userName": name.rpartition("/")[2],
    }


def role(name: str, session: str = "session", account: str = ACCOUNT) -> dict[str, Any]:
    """A role's session; ``name`` without the role's path, which CloudTrail does not show here."""
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        "accountId": account,
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{name}"}},
    }


def service(name: str, **by: Any) -> dict[str, Any]:
    """An AWS service: by itself, or for the principal ``by``."""
    return {**(by or {"type": "AWSService"}), "invokedBy": name}


ROOT = {
    "type": "Root",
    "principalId": ACCOUNT,
    "arn": f"arn:aws:iam::{ACCOUNT}:root",
    "accountId": ACCOUNT,
}

#: Somebody of whom no setting speaks, in every shape.
STRANGERS = {
    "user": user("mallory"),
    "role": role("visitor"),
    "root": ROOT,
    "federated": {"type": "SAMLUser", "principalId": "x:mallory", "userName": "mallory"},
    "service": service("autoscaling.amazonaws.com"),
    "for a user": service("cloudformation.amazonaws.com", **user("mallory")),
}


def call(source: str, name: str, by: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A call of an API; ``source`` without ``.amazonaws.com``."""
    return {
        "eventVersion": "1.11",
        "userIdentity": by or user("mallory"),
        "eventTime": "2026-03-04T05:06:07Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.4",
        "userAgent": "aws-cli/2.27",
        "requestParameters": None,
        "responseElements": None,
        "eventID": "5f1c2a3b-0000-4000-8000-1234567890ab",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        **more,
    }


def sign_in(by: dict[str, Any] | None = None, *, factor: str | None = "No", succeeds: bool = True) -> dict[str, Any]:
    """A sign-in to the console; ``factor``: what MFAUsed says, None where it is not there."""
    event = call("signin", "ConsoleLogin", by, eventType="AwsConsoleSignIn")
    event["additionalEventData"] = {"LoginTo": "https://console.aws.amazon.com", "MobileVersion": "No"}
    if factor is not None:
        event["additionalEventData"]["MFAUsed"] = factor
    event["responseElements"] = {"ConsoleLogin": "Success" if succeeds else "Failure"}
    if not succeeds:
        event["errorMessage"] = "Failed authentication"
    return event
