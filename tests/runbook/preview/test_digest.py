"""The document of a preview has the form that ``pulumi preview --json`` prints."""

import dataclasses
import json

import pytest

from runbook.preview import digest
from runbook.preview.graph import SECRET, Diagnostic, SourcePosition
from tests.runbook.graphs import PREFIX, PROVIDER, STACK, default_provider, graph, resource, small, stack, urn

BUCKET = "aws:s3/bucket:Bucket"
KEY = urn("aws:kms/key:Key", "logs")


def bucket(**fields):
    return resource(
        BUCKET,
        "logs",
        id="logs-1234567",
        provider=f"{PROVIDER}::04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        protect=True,
        dependencies=(KEY,),
        property_dependencies={"bucket": (), "kmsKey": (KEY,)},
        inputs={"bucket": "logs", "password": SECRET, "days": 30},
        outputs={"arn": "arn:aws:s3:::logs", "bucket": "logs", "password": SECRET, "days": 30},
        source=SourcePosition("components/log storage/bucket.py", 42),
        **fields,
    )


def state(of):
    (step,) = digest.digest(graph(of))["steps"]
    return step["newState"]


def test_a_custom_resource_has_every_part_of_the_engines_form():
    document = digest.digest(graph(default_provider(), bucket(), config={"aws:region": "eu-central-1"}))
    provider = f"{PROVIDER}::04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert document == {
        "config": {"aws:region": "eu-central-1"},
        "steps": [
            {
                "op": "create",
                "urn": urn(BUCKET, "logs"),
                "provider": provider,
                "newState": {
                    "urn": urn(BUCKET, "logs"),
                    "custom": True,
                    "id": "logs-1234567",
                    "type": BUCKET,
                    "inputs": {"bucket": "logs", "password": "[secret]", "days": 30},
                    "outputs": {"arn": "arn:aws:s3:::logs", "bucket": "logs", "password": "[secret]", "days": 30},
                    "parent": STACK,
                    "protect": True,
                    "dependencies": [KEY],
                    "provider": provider,
                    "propertyDependencies": {"bucket": [], "kmsKey": [KEY]},
                    "sourcePosition": "project:///components/log%20storage/bucket.py#42",
                },
                "detailedDiff": None,
            }
        ],
        "diagnostics": [],
        "duration": 250_000_000,
        "changeSummary": {"create": 1},
    }


def test_the_stack_and_components_are_steps_and_default_providers_are_not():
    explicit = resource("pulumi:providers:aws", "recovery")
    document = digest.digest(graph(*small().resources, explicit))
    assert [step["urn"].removeprefix(PREFIX) for step in document["steps"]] == [
        "pulumi:pulumi:Stack::shop-staging",
        "shop:network:Network::network",
        "shop:network:Tier::data",
        "aws:ec2/subnet:Subnet::network-b",
        "aws:ec2/subnet:Subnet::network-a",
        "aws:ec2/vpc:Vpc::network",
        "aws:rds/subnetGroup:SubnetGroup::data",
        "aws:kms/key:Key::logs",
        "pulumi:providers:aws::recovery",
    ]
    assert document["changeSummary"] == {"create": 9}


def test_what_a_resource_does_not_have_is_absent():
    assert state(stack()) == {
        "urn": STACK,
        "custom": False,
        "type": "pulumi:pulumi:Stack",
        "inputs": {},
        "outputs": {},
        "protect": False,
        "dependencies": [],
        "propertyDependencies": {},
    }


def test_options_stand_where_the_engine_keeps_them():
    options = {
        "additionalSecretOutputs": ["password"],
        "customTimeouts": {"create": "1h30m", "delete": "90s", "update": "1.5s"},
        "deleteBeforeReplace": True,
        "deletedWith": KEY,
        "ignoreChanges": ["tags"],
        "importID": "i-1",
        "replaceOnChanges": ["name"],
        "retainOnDelete": True,
    }
    plain = state(bucket())
    added = {key: value for key, value in state(bucket(options=options)).items() if key not in plain}
    assert added == {
        "additionalSecretOutputs": ["password"],
        "customTimeouts": {"create": 5400, "delete": 90, "update": 1.5},
        "deletedWith": KEY,
        "ignoreChanges": ["tags"],
        "importID": "i-1",
        "replaceOnChanges": ["name"],
        "retainOnDelete": True,
    }


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("urn:pulumi:a::b::c:d:E::f", "urn:pulumi:a::b::c:d:E::f"),
        ({"name": "old"}, f"{PREFIX}shop:logs:Logs${BUCKET}::old"),
        ({"noParent": True}, f"{PREFIX}{BUCKET}::logs"),
        ({"parentUrn": STACK, "name": "old"}, f"{PREFIX}{BUCKET}::old"),
        ({"type": "aws:s3/bucketV2:BucketV2"}, f"{PREFIX}shop:logs:Logs$aws:s3/bucketV2:BucketV2::logs"),
        ({"stack": "dev", "project": "store"}, f"urn:pulumi:dev::store::shop:logs:Logs${BUCKET}::logs"),
    ],
)
def test_an_alias_is_the_urn_it_stands_for(alias, expected):
    child = resource(BUCKET, "logs", urn("shop:logs:Logs", "logs"), options={"aliases": [alias]})
    assert state(child)["aliases"] == [expected]


def test_a_source_outside_the_project_keeps_its_address():
    assert state(resource(BUCKET, "b", source=SourcePosition("/opt/lib/b.py", 7)))["sourcePosition"] == (
        "file:///opt/lib/b.py#7"
    )


def test_diagnostics_are_the_programs_messages():
    said = (Diagnostic(severity="warning", message="long", urn=KEY), Diagnostic(severity="info", message="hello"))
    assert digest.digest(graph(diagnostics=said))["diagnostics"] == [
        {"urn": KEY, "message": "long", "severity": "warning"},
        {"message": "hello", "severity": "info"},
    ]


def test_the_text_has_sorted_keys_an_indent_of_four_and_one_newline_at_the_end():
    text = digest.text(graph(bucket()))
    assert text.startswith('{\n    "changeSummary": {\n        "create": 1\n    },\n    "config": {}')
    assert text.endswith("}\n")
    assert text == json.dumps(json.loads(text), indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def test_only_the_duration_differs_between_runs():
    once, again = small(), dataclasses.replace(small(), seconds=9.87654321)
    first, second = (digest.text(g).splitlines() for g in (once, again))
    assert [(a, b) for a, b in zip(first, second, strict=True) if a != b] == [
        ('    "duration": 250000000,', '    "duration": 9876543210,')
    ]
