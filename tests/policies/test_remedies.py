"""What the CLI may mend: what nobody has set, where its configuration says so, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer

from policies.rulebook import RULES
from policies.rulebook.remedies import REMEDIES, RETENTIONS, Change, Remedy, made
from policies.rulebook.resource import UNKNOWN, Context, Resource
from policies.rulebook.rule import ResourceRule
from policies.rulebook.serve import policies
from policies.rulebook.waivers import Waiver, Waivers
from settings.kinds import LOG_RETENTION

from .bags import resource
from .test_pack import ADVISORY, MANDATORY, STAGING, analyze, analyze_stack
from .test_pack import made as rule_made

INSTANCE = "aws:ec2/instance:Instance"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VOLUME = "aws:ebs/volume:Volume"
DATABASE = "aws:rds/instance:Instance"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"

UNKNOWN_GROUP = "dd056dcd-154b-4c76-9bd3-c8f88648b5ff"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "hunter2"}

BY_RULE = {remedy.rule.id: remedy for remedy in REMEDIES}
NAMES = {id_: id_ if isinstance(remedy.rule, ResourceRule) else remedy.name for id_, remedy in BY_RULE.items()}


def pack(*remediated, context=STAGING, rules=None, remedies=REMEDIES, **options):
    """The pack with the level of ``remediated`` set to ``remediate``, as the CLI configures it."""
    rules = RULES if rules is None else rules
    served = _PolicyAnalyzerServicer("pack", "0.0.1", policies(rules, context, remedies), EnforcementLevel.ADVISORY)
    told = struct_pb2.Struct()
    told.update(options)
    level = analyzer_pb2.PolicyConfig(enforcementLevel=analyzer_pb2.REMEDIATE, properties=told)
    served.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=dict.fromkeys(remediated, level)), None)
    return served


def remediate(served, token, props, *, protect=True):
    """Properties after each policy that mended something, by its name; and what could not be mended."""
    message = struct_pb2.Struct()
    json_format.ParseDict(props, message)
    request = analyzer_pb2.AnalyzeRequest(
        urn=f"urn:pulumi:staging::shop::{token}::one",
        type=token,
        name="one",
        properties=message,
        options=analyzer_pb2.AnalyzerResourceOptions(protect=protect),
    )
    done = served.Remediate(request, None).remediations
    assert [one.diagnostic for one in done if one.diagnostic] == []
    return {one.policyName: json_format.MessageToDict(one.properties) for one in done}


MENDED = [
    ("ec2-imdsv2", INSTANCE, {"ami": "x"}, {"ami": "x", "metadataOptions": {"httpTokens": "required"}}),
    (
        "ec2-imdsv2",
        TEMPLATE,
        {"metadataOptions": {"httpPutResponseHopLimit": 1.0}},
        {"metadataOptions": {"httpPutResponseHopLimit": 1.0, "httpTokens": "required"}},
    ),
    (
        "ec2-ebs-encrypted",
        TEMPLATE,
        {
            "blockDeviceMappings": [
                {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 8.0}},
                {"virtualName": "ephemeral0"},
            ]
        },
        {
            "blockDeviceMappings": [
                {"deviceName": "/dev/xvda", "ebs": {"encrypted": "true", "volumeSize": 8.0}},
                {"virtualName": "ephemeral0"},
            ]
        },
    ),
    (
        "ec2-ebs-encrypted",
        INSTANCE,
        {"ebsBlockDevices": [{"deviceName": "/dev/sdb"}]},
        {
            "rootBlockDevice": {"encrypted": True},
            "ebsBlockDevices": [{"deviceName": "/dev/sdb", "encrypted": True}],
        },
    ),
    ("ec2-ebs-encrypted", VOLUME, {"size": 8.0}, {"size": 8.0, "encrypted": True}),
    ("rds-encrypted", DATABASE, {"engine": "postgres"}, {"engine": "postgres", "storageEncrypted": True}),
    ("rds-copy-tags", DATABASE, {"engine": "postgres"}, {"engine": "postgres", "copyTagsToSnapshot": True}),
    ("mon-log-retention", LOG_GROUP, {"name": "x"}, {"name": "x", "retentionInDays": 365.0}),
]

each_mended = pytest.mark.parametrize(
    ("rule", "token", "props", "after"), MENDED, ids=[f"{rule} {token}" for rule, token, _, _ in MENDED]
)


@each_mended
def test_what_nobody_has_set_is_set(rule, token, props, after):
    assert remediate(pack(NAMES[rule]), token, props) == {NAMES[rule]: after}


@each_mended
def test_nothing_is_mended_unless_the_configuration_says_so(rule, token, props, after):
    assert remediate(pack(), token, props) == {}
    assert props != after
    others = [name for id_, name in NAMES.items() if id_ != rule]
    assert rule not in remediate(pack(*others), token, props)


@each_mended
def test_what_is_mended_is_no_finding_any_more(rule, token, props, after):
    served = pack(NAMES[rule])

    def found(bag):
        judged = resource(token, "one", bag, protect=True)
        return [d for d in (*analyze(served, judged), *analyze_stack(served, [judged])) if d.policyName == rule]

    assert found(props) != []
    assert found(after) == []


@each_mended
def test_a_second_time_nothing_is_left_to_mend(rule, token, props, after):
    assert remediate(pack(NAMES[rule]), token, props) != {}
    assert remediate(pack(NAMES[rule]), token, after) == {}


@pytest.mark.parametrize(
    ("rule", "token", "props"),
    [
        ("ec2-imdsv2", INSTANCE, {"metadataOptions": {"httpTokens": "optional"}}),
        ("ec2-ebs-encrypted", VOLUME, {"encrypted": False}),
        ("ec2-ebs-encrypted", INSTANCE, {"rootBlockDevice": {"encrypted": False}}),
        ("ec2-ebs-encrypted", TEMPLATE, {"blockDeviceMappings": [{"ebs": {"encrypted": "false"}}]}),
        ("rds-encrypted", DATABASE, {"storageEncrypted": False}),
        ("rds-copy-tags", DATABASE, {"copyTagsToSnapshot": False}),
        ("mon-log-retention", LOG_GROUP, {"retentionInDays": 0.0}),
    ],
)
def test_what_somebody_wrote_stays_a_finding(rule, token, props):
    assert remediate(pack(NAMES[rule]), token, props) == {}


@pytest.mark.parametrize(
    ("rule", "token", "props"),
    [
        ("ec2-ebs-encrypted", TEMPLATE, {"blockDeviceMappings": [{"ebs": {"snapshotId": "snap-1"}}]}),
        ("ec2-ebs-encrypted", TEMPLATE, {"blockDeviceMappings": [{"noDevice": "true"}]}),
        ("ec2-ebs-encrypted", VOLUME, {"snapshotId": "snap-1"}),
        ("ec2-ebs-encrypted", INSTANCE, {"launchTemplate": {"id": "lt-1"}}),
        (
            "ec2-ebs-encrypted",
            INSTANCE,
            {"launchTemplate": {"id": "lt-1"}, "ebsBlockDevices": [{"snapshotId": "snap-1"}]},
        ),
        ("rds-encrypted", DATABASE, {"snapshotIdentifier": "rds:one"}),
        ("rds-encrypted", DATABASE, {"replicateSourceDb": "other"}),
        ("rds-encrypted", DATABASE, {"restoreToPointInTime": {"useLatestRestorableTime": True}}),
        ("mon-log-retention", LOG_GROUP, {"logGroupClass": "DELIVERY"}),
    ],
)
def test_what_is_as_its_source_is_or_cannot_be_set_is_left_alone(rule, token, props):
    assert remediate(pack(NAMES[rule]), token, props) == {}


@pytest.mark.parametrize(
    ("rule", "token"), [("ec2-ebs-encrypted", VOLUME), ("ec2-ebs-encrypted", INSTANCE), ("rds-encrypted", DATABASE)]
)
def test_nothing_is_mended_that_could_replace_an_unprotected_resource(rule, token):
    assert remediate(pack(NAMES[rule]), token, {"name": "one"}, protect=False) == {}


@pytest.mark.parametrize(
    ("rule", "token", "props"),
    [
        ("ec2-imdsv2", INSTANCE, {"metadataOptions": UNKNOWN_GROUP}),
        ("ec2-imdsv2", INSTANCE, {"metadataOptions": {"httpTokens": UNKNOWN}}),
        ("ec2-ebs-encrypted", TEMPLATE, {"blockDeviceMappings": UNKNOWN_GROUP}),
        ("ec2-ebs-encrypted", TEMPLATE, {"blockDeviceMappings": [UNKNOWN_GROUP]}),
        ("ec2-ebs-encrypted", INSTANCE, {"rootBlockDevice": UNKNOWN_GROUP}),
        ("rds-encrypted", DATABASE, {"storageEncrypted": UNKNOWN}),
        ("mon-log-retention", LOG_GROUP, {"retentionInDays": UNKNOWN}),
    ],
)
def test_an_unknown_value_may_have_been_set_and_is_left_alone(rule, token, props):
    assert remediate(pack(NAMES[rule]), token, props) == {}


def test_secrets_and_unknown_values_beside_it_come_through_as_they_were():
    props = {"userData": SECRET, "subnetId": UNKNOWN, "tags": {"Name": "one", "Key": SECRET}}
    after = remediate(pack("ec2-imdsv2"), INSTANCE, copy.deepcopy(props))["ec2-imdsv2"]
    assert after == {**props, "metadataOptions": {"httpTokens": "required"}}


def test_a_secret_group_stays_secret():
    props = {"metadataOptions": {**SECRET, "value": {"httpEndpoint": "enabled"}}}
    after = remediate(pack("ec2-imdsv2"), INSTANCE, props)["ec2-imdsv2"]
    assert after == {"metadataOptions": {**SECRET, "value": {"httpEndpoint": "enabled", "httpTokens": "required"}}}


def test_two_remedies_mend_one_resource():
    after = remediate(pack("ec2-imdsv2", "ec2-ebs-encrypted"), INSTANCE, {"ami": "x"})
    assert after["ec2-ebs-encrypted"] == {
        "ami": "x",
        "metadataOptions": {"httpTokens": "required"},
        "rootBlockDevice": {"encrypted": True},
    }


def test_each_change_is_told_without_any_other_value(capsys):
    remediate(pack("ec2-imdsv2"), INSTANCE, {"userData": SECRET})
    assert capsys.readouterr().err == (
        f"ec2-imdsv2 mends urn:pulumi:staging::shop::{INSTANCE}::one: "
        "metadataOptions.httpTokens was unset and is now required.\n"
    )


def test_what_is_waived_is_left_as_it_is():
    waiver = Waiver(
        rule="ec2-imdsv2",
        resource=f"{INSTANCE}::one",
        environment="staging",
        reason="Old software.",
        owner="ana",
        ticket="OPS-1",
        expires=date(2026, 12, 31),
        line=1,
    )
    context = replace(STAGING, waivers=Waivers((waiver,)), today=date(2026, 11, 21))
    assert remediate(pack("ec2-imdsv2", context=context), INSTANCE, {"ami": "x"}) == {}
    assert remediate(pack("ec2-imdsv2", context=context), TEMPLATE, {"imageId": "x"}) != {}


def test_a_remedy_that_fails_says_so_changes_nothing_and_ends_nothing(capsys):
    def fails(_resource, _options):
        yield Change(("ami",), "y")
        raise ValueError("hunter2")

    rule = rule_made(ResourceRule, lambda *_: (), types=frozenset({INSTANCE}))
    broken = Remedy(rule=rule, types=frozenset({INSTANCE}), changes=fails)
    assert remediate(pack("made-up", rules=[rule], remedies=[broken]), INSTANCE, {"name": "x"}) == {}
    assert capsys.readouterr().err == (
        f"made-up failed to mend urn:pulumi:staging::shop::{INSTANCE}::one with ValueError; nothing was changed.\n"
    )


def test_the_retention_comes_from_the_configuration():
    served = pack("mon-log-retention-remedy", retentionInDays=90)
    after = remediate(served, LOG_GROUP, {"name": "x"})
    assert after == {"mon-log-retention-remedy": {"name": "x", "retentionInDays": 90.0}}


def test_the_configuration_s_schema_names_the_retentions_that_there_are():
    infos = {info.name: info for info in pack().GetAnalyzerInfo(empty_pb2.Empty(), None).policies}
    schema = json_format.MessageToDict(infos["mon-log-retention-remedy"].configSchema.properties)["retentionInDays"]
    assert (schema["type"], schema["default"], schema["enum"]) == ("integer", 365.0, list(map(float, RETENTIONS)))
    assert set(RETENTIONS) == set(LOG_RETENTION.schema["enum"])
    assert infos["mon-log-retention-remedy"].enforcementLevel == analyzer_pb2.DISABLED
    assert infos["mon-log-retention"].enforcementLevel == MANDATORY


def test_a_finding_that_a_remedy_leaves_is_mandatory():
    served = pack("rds-copy-tags")
    judged = resource(DATABASE, "one", {"copyTagsToSnapshot": False})
    (found,) = (d for d in analyze(served, judged) if d.policyName == "rds-copy-tags")
    assert found.enforcementLevel == MANDATORY


@pytest.mark.parametrize("level", [ADVISORY, MANDATORY, analyzer_pb2.DISABLED])
def test_the_configuration_sets_the_level_of_a_rule(level):
    served = pack()
    config = analyzer_pb2.PolicyConfig(enforcementLevel=level)
    served.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig={"ec2-imdsv2": config}), None)
    judged = resource(INSTANCE, "one")
    found = [d.enforcementLevel for d in analyze(served, judged) if d.policyName == "ec2-imdsv2"]
    assert found == ([] if level == analyzer_pb2.DISABLED else [level])


values = st.none() | st.booleans() | st.sampled_from(["required", "true", UNKNOWN, UNKNOWN_GROUP]) | st.floats(1, 99)
volumes = st.dictionaries(st.sampled_from(["encrypted", "snapshotId", "deviceName"]), values)
bags = st.fixed_dictionaries(
    {},
    optional={
        "metadataOptions": values | st.dictionaries(st.sampled_from(["httpTokens", "httpEndpoint"]), values),
        "rootBlockDevice": values | volumes,
        "ebsBlockDevices": values | st.lists(values | volumes),
        "blockDeviceMappings": values | st.lists(values | st.dictionaries(st.just("ebs"), values | volumes)),
        **dict.fromkeys(["encrypted", "launchTemplate", "snapshotId", "retentionInDays"], values),
        **dict.fromkeys(["storageEncrypted", "copyTagsToSnapshot", "replicateSourceDb", "logGroupClass"], values),
    },
)


def written(value, path=()):
    """Every value that is there, by its path."""
    if isinstance(value, Mapping):
        return {at: found for key, item in value.items() for at, found in written(item, (*path, key)).items()}
    if isinstance(value, list):
        return {at: found for i, item in enumerate(value) for at, found in written(item, (*path, i)).items()}
    return {} if value is None else {path: value}


@given(bag=bags, protect=st.booleans(), pick=st.sampled_from([(r, t) for r in REMEDIES for t in sorted(r.types)]))
def test_a_remedy_overrides_nothing_and_leaves_itself_nothing_to_do(bag, protect, pick):
    remedy, token = pick
    before = written(copy.deepcopy(bag))
    judged = Resource(urn="u", type=token, name="n", props=bag, protect=protect)
    changes = tuple(remedy.changes(judged, {}))
    made(changes, bag)
    assert written(bag) == {**before, **{change.path: change.value for change in changes}}
    assert {change.path for change in changes}.isdisjoint(before)
    assert tuple(remedy.changes(judged, {})) == ()


def test_every_remedy_is_that_of_a_rule_that_is_served():
    assert {remedy.rule.id for remedy in REMEDIES} <= {rule.id for rule in RULES}
    assert {remedy.types <= remedy.rule.types for remedy in REMEDIES} == {True}


def test_without_the_rule_its_remedy_is_not_served():
    assert [policy.name for policy in policies([], Context())] == []
