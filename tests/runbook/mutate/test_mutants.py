"""The mutants of a graph."""

from __future__ import annotations

from runbook.mutate.mutants import mutants
from tests.runbook.graphs import graph, resource, urn

BUCKET = "aws:s3/bucket:Bucket"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"


def made(type_, name, inputs, **fields):
    return resource(type_, name, inputs=inputs, outputs={**inputs, **fields.pop("outputs", {})}, **fields)


def small():
    topic = made(TOPIC, "alerts", {}, outputs={"arn": "arn:aws:sns:r:1:alerts"}, protect=True)
    alarm = made(
        ALARM,
        "busy",
        {"alarmActions": ["arn:aws:sns:r:1:alerts"], "threshold": 80},
        property_dependencies={"alarmActions": (topic.urn,)},
    )
    bucket = made(BUCKET, "logs", {"tags": {"Owner": "ops"}}, outputs={"bucket": "logs-1"})
    policy = made(POLICY, "logs", {"bucket": "logs-1", "policy": "{}"}, property_dependencies={"bucket": (bucket.urn,)})
    return graph(topic, alarm, bucket, policy)


def found(captured, name, type_):
    return {
        (mutant.path, mutant.operator): mutant
        for mutant in mutants(captured)
        if (mutant.resource.name, mutant.resource.type) == (name, type_)
    }


def test_every_property_option_and_reference_has_its_mutants():
    assert set(found(small(), "busy", ALARM)) == {
        ("@resource", "deleted"),
        ("alarmActions", "removed"),
        ("alarmActions", "emptied"),
        ("alarmActions", "cut"),
        ("threshold", "removed"),
        ("threshold", "lowered"),
        ("threshold", "raised"),
    }
    assert ("@protect", "flipped") in found(small(), "alerts", TOPIC)


def test_what_the_provider_demands_is_not_removed():
    assert set(found(small(), "logs", POLICY)) & {("bucket", "removed"), ("policy", "removed")} == set()


def test_a_deleted_resource_takes_along_what_cannot_be_without_it():
    deleted = found(small(), "logs", BUCKET)["@resource", "deleted"]
    assert dict(deleted.changed) == {urn(BUCKET, "logs"): None, urn(POLICY, "logs"): None}


def test_what_can_be_without_a_deleted_resource_loses_the_property_alone():
    deleted = found(small(), "alerts", TOPIC)["@resource", "deleted"]
    assert deleted.changed[urn(TOPIC, "alerts")] is None
    left = deleted.changed[urn(ALARM, "busy")]
    assert (left.inputs, dict(left.property_dependencies)) == ({"threshold": 80}, {})


def test_a_cut_reference_points_to_nothing_of_the_stack():
    cut = found(small(), "busy", ALARM)["alarmActions", "cut"].changed[urn(ALARM, "busy")]
    assert cut.inputs["alarmActions"] == cut.outputs["alarmActions"] == ["arn:aws:sns:r:1:elsewhere"]
    assert dict(cut.property_dependencies) == {"alarmActions": ()}


def test_an_emptied_list_is_made_from_nothing_any_more():
    emptied = found(small(), "busy", ALARM)["alarmActions", "emptied"].changed[urn(ALARM, "busy")]
    assert (emptied.inputs["alarmActions"], dict(emptied.property_dependencies)) == ([], {"alarmActions": ()})


def test_the_stack_itself_stays_as_it_is():
    captured = small()
    before = repr(captured.resources)
    list(mutants(captured))
    assert repr(captured.resources) == before


def test_what_is_not_wanted_is_not_made():
    assert list(mutants(small(), lambda *_: False)) == []
