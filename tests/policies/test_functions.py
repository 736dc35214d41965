"""The rules for Lambda functions: one change to a sound bag breaks one rule, in one sentence."""

from __future__ import annotations

import pytest

from policies.rulebook import functions
from policies.rulebook.coverage import FUNCTION, QUEUE
from policies.rulebook.functions import INVOKE_CONFIG, PERMISSION, URL
from policies.rulebook.links import ROLE, ROLE_POLICY
from policies.rulebook.resource import SECRET
from policies.rulebook.rule import Level, Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

RULES = {rule.id: rule for rule in functions.RULES}
BAG = {
    "runtime": "python3.13",
    "environment": {"variables": {"TABLE": "orders", "SLACK_SECRET": "arn:aws:secretsmanager:eu-west-1:1:secret:it"}},
    "deadLetterConfig": {"targetArn": Ref("dead", "arn")},
    "tracingConfig": {"mode": "Active"},
    "reservedConcurrentExecutions": 5,
}
STACK = {"dead": (QUEUE, {}), "function": (FUNCTION, BAG)}


def function(*path, to):
    return resource(FUNCTION, "it", altered({**BAG, "deadLetterConfig": {"targetArn": "arn"}}, *path, to=to))


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in functions.RULES] == [
        ("lambda-runtime", Severity.MEDIUM, Level.MANDATORY),
        ("lambda-not-public", Severity.HIGH, Level.MANDATORY),
        ("lambda-no-secret-env", Severity.CRITICAL, Level.MANDATORY),
        ("lambda-dlq-tracing", Severity.LOW, Level.ADVISORY),
        ("lambda-in-network", Severity.MEDIUM, Level.MANDATORY),
        ("lambda-personal-encrypted", Severity.MEDIUM, Level.MANDATORY),
    ]


@pytest.mark.parametrize(
    "runtime",
    ["python3.12", "python3.14", "nodejs22.x", "nodejs24.x", "java21", "dotnet8", "ruby3.4", "provided.al2023"],
)
def test_a_runtime_that_is_patched_passes(runtime):
    assert faults(RULES["lambda-runtime"], function("runtime", to=runtime)) == []


@pytest.mark.parametrize(
    ("runtime", "sentence"),
    [
        (ABSENT, "The function names no runtime."),
        ("python3.9", "The function runs on python3.9, which AWS stops patching; python3.12 or newer is demanded."),
        ("nodejs20.x", "The function runs on nodejs20.x, which AWS stops patching; nodejs22 or newer is demanded."),
        ("java8.al2", "The function runs on java8.al2, which is not among the runtimes that AWS patches."),
        ("go1.x", "The function runs on go1.x, which is not among the runtimes that AWS patches."),
        ("provided.al2", "The function runs on provided.al2, which is not among the runtimes that AWS patches."),
    ],
)
def test_a_runtime_that_ends_is_named(runtime, sentence):
    assert faults(RULES["lambda-runtime"], function("runtime", to=runtime)) == [sentence]


def test_an_image_brings_its_runtime():
    assert faults(RULES["lambda-runtime"], resource(FUNCTION, "it", {"packageType": "Image"})) == []


# Who may call

RULE_ARN = "arn:aws:events:eu-west-1:123456789012:rule/nightly"
ANY_SOURCE = "events.amazonaws.com may call the function on any account's behalf: the permission names no source."
EVENTS, S3 = "events.amazonaws.com", "s3.amazonaws.com"


@pytest.mark.parametrize(
    ("bag", "expected"),
    [
        ({"principal": EVENTS, "sourceArn": RULE_ARN}, []),
        ({"principal": "arn:aws:iam::123456789012:role/it"}, []),
        ({"principal": S3, "sourceArn": "arn:aws:s3:::it", "sourceAccount": "123456789012"}, []),
        ({"principal": "*"}, ["Anyone may call the function."]),
        ({"principal": "*", "sourceArn": RULE_ARN}, ["Anyone may call the function."]),
        ({"principal": EVENTS}, [ANY_SOURCE]),
        ({"principal": EVENTS, "sourceArn": "*"}, [ANY_SOURCE]),
        ({"principal": EVENTS, "sourceArn": "arn:aws:events:*:*:*"}, [ANY_SOURCE]),
        ({"principal": S3, "sourceArn": "arn:aws:s3:::it"},
         ["s3.amazonaws.com may call the function for a bucket of any account: the permission names no account."]),
    ],
)  # fmt: skip
def test_a_permission_is_for_one_source(bag, expected):
    assert faults(RULES["lambda-not-public"], resource(PERMISSION, "it", bag)) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("AWS_IAM", []),
        ("NONE", ["Anyone who has the function's address may call it: its authorization is NONE."]),
        (None, ["Anyone who has the function's address may call it: its authorization is unset."]),
    ],
)
def test_an_address_asks_who_calls(kind, expected):
    assert faults(RULES["lambda-not-public"], resource(URL, "it", {"authorizationType": kind})) == expected


@pytest.mark.parametrize(
    ("token", "bag"),
    [
        (PERMISSION, {"principal": UNKNOWN}),
        (PERMISSION, {"principal": EVENTS, "sourceArn": UNKNOWN}),
        (URL, {"authorizationType": UNKNOWN}),
    ],
)
def test_an_unknown_caller_is_no_pass(token, bag):
    with pytest.raises(UnknownValueError):
        faults(RULES["lambda-not-public"], resource(token, "it", bag))


# Secrets

VALUE = "The function's variable {} holds a password, token or secret with its value."


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("API_TOKEN", "a1b2c3d4e5", [VALUE.format("API_TOKEN")]),
        ("dbPassword", "a1b2c3d4e5", [VALUE.format("dbPassword")]),
        ("CONFIG", '{"password": "a1b2c3d4e5"}', [VALUE.format("CONFIG")]),
        ("HOOK", "AKIA" + "ABCDEFGHIJKLMNOP", ["The function's variable HOOK holds an AWS access key."]),
        ("API_TOKEN", SECRET, ["The function's variable API_TOKEN holds a secret with its value."]),
        ("CONTACTS", SECRET, []),
        ("TOKEN_TTL_SECONDS", "300", []),
        ("DB_SECRET", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db", []),
        ("DB_PASSWORD", "", []),
    ],
)
def test_a_secret_in_the_environment_is_named_and_not_told(name, value, expected):
    said = faults(RULES["lambda-no-secret-env"], function("environment", "variables", name, to=value))
    assert said == expected
    assert not [line for line in said if value in line]


def test_a_function_without_an_environment_has_no_secret_in_it():
    assert faults(RULES["lambda-no-secret-env"], function("environment", to=ABSENT)) == []


def test_one_unknown_variable_does_not_hide_another():
    bag = altered(BAG, "environment", "variables", to={"TABLE": UNKNOWN, "API_TOKEN": "a1b2c3d4e5"})
    said, _ = not_evaluated(RULES["lambda-no-secret-env"], resource(FUNCTION, "it", bag))
    assert said == [(VALUE.format("API_TOKEN"), "it")]


# What gets lost

LOST = "An event that the function fails on is lost: it has neither dead letters nor a destination."
DARK = "Nobody sees where the function spends its time: it is not traced."
GREEDY = "The function may take all of the account's concurrency: none is reserved."


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("runtime",), "python3.13", []),
        (("deadLetterConfig",), ABSENT, [LOST]),
        (("deadLetterConfig", "targetArn"), ABSENT, [LOST]),
        (("tracingConfig",), ABSENT, [DARK]),
        (("tracingConfig", "mode"), "PassThrough", [DARK]),
        (("reservedConcurrentExecutions",), ABSENT, [GREEDY]),
        (("reservedConcurrentExecutions",), -1, [GREEDY]),
    ],
)
@pytest.mark.parametrize("preview", [False, True])
def test_a_function_that_loses_hides_or_takes_all_is_named(path, value, expected, preview):
    judged = declared(STACK, ("function", path, value), preview=preview)
    assert stack_faults(RULES["lambda-dlq-tracing"], *judged) == [(line, "function") for line in expected]


def test_a_destination_is_as_good_as_dead_letters():
    config = {"functionName": Ref("function", "name"), "destinationConfig": {"onFailure": {"destination": "arn"}}}
    judged = declared(STACK, ("function", ("deadLetterConfig",), ABSENT), extra={"config": (INVOKE_CONFIG, config)})
    assert stack_faults(RULES["lambda-dlq-tracing"], *judged) == []


def test_a_destination_for_what_went_well_keeps_no_failure():
    config = {"functionName": Ref("function", "name"), "destinationConfig": {"onSuccess": {"destination": "arn"}}}
    judged = declared(STACK, ("function", ("deadLetterConfig",), ABSENT), extra={"config": (INVOKE_CONFIG, config)})
    assert stack_faults(RULES["lambda-dlq-tracing"], *judged) == [(LOST, "function")]


def test_unknown_tracing_is_no_pass():
    judged = declared(STACK, ("function", ("tracingConfig", "mode"), UNKNOWN))
    assert not_evaluated(RULES["lambda-dlq-tracing"], *judged)[0] == []


def test_an_unknown_runtime_is_no_pass():
    with pytest.raises(UnknownValueError):
        faults(RULES["lambda-runtime"], function("runtime", to=UNKNOWN))


# In the network, and with people's data

JOINS = '{"Statement": [{"Effect": "Allow", "Action": ["ec2:CreateNetworkInterface"], "Resource": "*"}]}'
NETWORKED = {
    "role": (ROLE, {}),
    "may": (ROLE_POLICY, {"role": Ref("role", "name"), "policy": JOINS}),
    "function": (
        FUNCTION,
        {
            "role": Ref("role", "arn"),
            "vpcConfig": {"subnetIds": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1"]},
        },
    ),
}
OUTSIDE = "The function stands in no network, though its role may join one: it has no"


def networked(*changes, **options):
    return stack_faults(RULES["lambda-in-network"], *declared(NETWORKED, *changes, **options))


def test_a_function_in_the_network_or_without_rights_to_it_passes():
    assert networked() == []
    assert networked(("function", ("vpcConfig",), ABSENT), without=["may"]) == []


@pytest.mark.parametrize(
    ("path", "to", "sentence"),
    [
        (("vpcConfig",), ABSENT, f"{OUTSIDE} subnet."),
        (("vpcConfig", "subnetIds"), [], f"{OUTSIDE} subnet."),
        (("vpcConfig", "securityGroupIds"), [], f"{OUTSIDE} security group."),
        (("vpcConfig", "subnetIds"), ["subnet-1"], "The function is gone with one zone: it stands in one subnet."),
    ],
)
def test_a_function_that_misses_its_network_is_named(path, to, sentence):
    assert networked(("function", path, to)) == [(sentence, "function")]


def test_an_unknown_network_is_no_pass():
    said, _ = not_evaluated(RULES["lambda-in-network"], *declared(NETWORKED, ("function", ("vpcConfig",), UNKNOWN)))
    assert said == []


@pytest.mark.parametrize("text", ['{"ana":{"email":"ana@learning.example"}}', '{"phone":"+447700900141"}'])
def test_people_s_data_is_encrypted_under_a_key_of_the_project(text):
    bag = {"environment": {"variables": {"ROSTER": text, "TABLE": "t"}}}
    rule = RULES["lambda-personal-encrypted"]
    assert faults(rule, resource(FUNCTION, "it", bag)) == [
        "The function's variable ROSTER holds people's addresses or numbers, and no key of the project encrypts it."
    ]
    assert faults(rule, resource(FUNCTION, "it", {**bag, "kmsKeyArn": "arn:aws:kms:x"})) == []


def test_a_sender_s_address_is_nobody_s():
    bag = {"environment": {"variables": {"SENDER": "alerts@learning.example", "RUNGS": '[{"name":"sms"}]'}}}
    assert faults(RULES["lambda-personal-encrypted"], resource(FUNCTION, "it", bag)) == []
    assert faults(RULES["lambda-personal-encrypted"], resource(FUNCTION, "it", {})) == []


def test_unknown_variables_are_no_pass():
    bag = {"environment": {"variables": {"ROSTER": UNKNOWN}}}
    with pytest.raises(UnknownValueError):
        faults(RULES["lambda-personal-encrypted"], resource(FUNCTION, "it", bag))
