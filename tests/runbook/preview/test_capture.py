"""What the monitor records, and what it says of a program's mistakes."""

import asyncio
import gc
import json
import sys
import weakref

import pulumi
import pulumi_aws as aws
import pytest

from runbook.errors import UserError
from runbook.preview.capture import capture
from runbook.preview.graph import SECRET, UNKNOWN, Diagnostic, SourcePosition

STACK_URN = "urn:pulumi:staging::learning-platform::pulumi:pulumi:Stack::learning-platform-staging"
DEFAULT_PROVIDER = "urn:pulumi:staging::learning-platform::pulumi:providers:aws::default_7_51_1"
HERE = "tests/runbook/preview/test_capture.py"


class Outer(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("t:outer:Outer", name, None, opts)
        inner = Inner(f"{name}-inner", pulumi.ResourceOptions(parent=self))
        self.register_outputs({"vpcId": inner.vpc.id})


class Inner(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("t:inner:Inner", name, None, opts)
        self.vpc = aws.ec2.Vpc(name, cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def test_a_urn_holds_the_whole_chain_of_parent_types():
    graph = capture(lambda: Outer("a") and None)
    assert {r.urn.removeprefix("urn:pulumi:staging::learning-platform::") for r in graph.resources} == {
        "pulumi:providers:aws::default_7_51_1",
        "pulumi:pulumi:Stack::learning-platform-staging",
        "t:outer:Outer::a",
        "t:outer:Outer$t:inner:Inner::a-inner",
        "t:outer:Outer$t:inner:Inner$aws:ec2/vpc:Vpc::a-inner",
    }
    assert graph.one("t:outer:Outer").parent == STACK_URN


def test_components_and_the_stack_keep_their_outputs():
    def program():
        Outer("a")
        pulumi.export("answer", 42)

    graph = capture(program)
    vpc = graph.one("aws:ec2/vpc:Vpc")
    assert graph.one("t:outer:Outer").outputs == {"vpcId": vpc.id}
    assert graph.exports == graph.one("pulumi:pulumi:Stack").outputs == {"answer": 42}


def test_dependencies_options_and_the_declaring_line_are_recorded():
    def program():
        vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16")
        gateway = aws.ec2.InternetGateway("g", vpc_id=vpc.id)
        aws.ec2.Subnet(
            "s",
            vpc_id=vpc.id,
            cidr_block="10.0.1.0/24",
            opts=pulumi.ResourceOptions(
                protect=True,
                depends_on=[gateway],
                ignore_changes=["availability_zone"],
                aliases=[pulumi.Alias(name="old")],
                retain_on_delete=True,
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="5m"),
            ),
        )

    graph = capture(program)
    vpc, gateway = graph.one("aws:ec2/vpc:Vpc"), graph.one("aws:ec2/internetGateway:InternetGateway")
    subnet = graph.one("aws:ec2/subnet:Subnet")
    assert subnet.protect is True
    assert set(subnet.dependencies) == {vpc.urn, gateway.urn}
    assert subnet.property_dependencies == {"cidrBlock": (), "vpcId": (vpc.urn,)}
    assert subnet.provider == f"{DEFAULT_PROVIDER}::{UNKNOWN}"
    assert subnet.options == {
        "aliases": [{"name": "old"}],
        "customTimeouts": {"create": "5m"},
        "deleteBeforeReplace": True,
        "ignoreChanges": ["availabilityZone"],
        "retainOnDelete": True,
    }
    line = program.__code__.co_firstlineno + 3
    assert subnet.source == subnet.declared_at == SourcePosition(HERE, line)


def test_the_default_provider_has_the_stack_s_configuration():
    graph = capture(
        lambda: aws.ec2.Vpc("v", cidr_block="10.0.0.0/16") and None,
        config={"aws:region": "eu-west-1", "aws:allowedAccountIds": '["210987654321"]', "other:key": "x"},
    )
    assert graph.by_urn[DEFAULT_PROVIDER].inputs == {
        "region": "eu-west-1",
        "allowedAccountIds": '["210987654321"]',
        "version": "7.51.1",
    }


def test_everything_comes_after_what_it_depends_on_and_two_runs_agree():
    def program():
        for index in range(12):
            Outer(f"o{index}")

    first, second = capture(program), capture(program)
    assert [r.urn for r in first.resources] == [r.urn for r in second.resources]
    assert first.resources == second.resources
    seen = set()
    for resource in first.resources:
        assert {*resource.dependencies, *([resource.parent] if resource.parent else [])} <= seen
        seen.add(resource.urn)


def test_ids_and_arns_are_unique_and_known_downstream():
    def program():
        for index in range(5):
            vpc = aws.ec2.Vpc(f"v{index}", cidr_block="10.0.0.0/16")
            aws.ec2.Subnet(f"s{index}", vpc_id=vpc.id, cidr_block="10.0.1.0/24")
            aws.iam.Role(f"r{index}", assume_role_policy=vpc.arn.apply(lambda arn: json.dumps({"arn": arn})))

    graph = capture(program, config={"aws:region": "us-east-1", "aws:allowedAccountIds": '["210987654321"]'})
    custom = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]
    assert len({r.id for r in custom}) == len({r.outputs["arn"] for r in custom}) == len(custom) == 15
    assert all(r.outputs["arn"].split(":")[4] == "210987654321" for r in custom)
    assert graph.fidelity.unknown == ()


def test_what_only_the_account_knows_stays_unknown_and_is_named():
    def program():
        instance = aws.ec2.Instance("i", ami="ami-0123456789abcdef0", instance_type="t3.micro")
        aws.route53.Record("r", zone_id="Z1", name="n", type="A", ttl=60, records=[instance.placement_group])

    graph = capture(program)
    record = graph.one("aws:route53/record:Record")
    assert record.inputs["records"] == [UNKNOWN]
    assert graph.fidelity.unknown == (f"{record.urn}#records",)
    assert graph.fidelity.known == graph.fidelity.total - 1


def test_a_secret_leaves_no_trace_in_the_graph():
    def program():
        config = pulumi.Config()
        aws.ssm.Parameter("p", type="SecureString", value=config.require_secret("token"))
        pulumi.export("token", config.require_secret("token"))

    graph = capture(program, config={"learning-platform:token": "hunter2"}, secret_keys=["learning-platform:token"])
    assert graph.one("aws:ssm/parameter:Parameter").inputs["value"] == SECRET
    assert graph.exports == {"token": SECRET}
    assert graph.config == {"learning-platform:token": SECRET}
    assert "hunter2" not in repr(graph)


def test_what_the_program_prints_and_logs_becomes_diagnostics(capsys):
    def program():
        sys.stdout.write("hello\n")
        pulumi.warn("careful")

    graph = capture(program)
    assert set(graph.diagnostics) == {
        Diagnostic(severity="info", message="hello"),
        Diagnostic(severity="warning", message="careful"),
    }
    assert capsys.readouterr().out == ""


def refused(program):
    with pytest.raises(UserError) as caught:
        capture(program)
    return list(caught.value.lines)


def test_a_repeated_urn_names_both_places():
    def program():
        aws.ec2.Vpc("v", cidr_block="10.0.0.0/16")
        aws.ec2.Vpc("v", cidr_block="10.1.0.0/16")

    line = program.__code__.co_firstlineno
    assert refused(program) == [
        f"{HERE}:{line + 2}: urn:pulumi:staging::learning-platform::aws:ec2/vpc:Vpc::v is registered twice; "
        f"the first is at {HERE}:{line + 1}. Give one of them another name."
    ]


def test_a_missing_required_input_names_the_line():
    def program():
        aws.ec2.Subnet("s", cidr_block="10.0.0.0/24")

    line = program.__code__.co_firstlineno + 1
    assert refused(program) == [
        f"{HERE}:{line}: TypeError: Missing required property 'vpc_id'",
        '    aws.ec2.Subnet("s", cidr_block="10.0.0.0/24")',
    ]


def test_an_invoke_is_refused_with_the_way_out():
    def program():
        aws.get_availability_zones()

    assert refused(program) == [
        f"{HERE}:{program.__code__.co_firstlineno + 1}: The program calls aws:index/getAvailabilityZones:"
        "getAvailabilityZones, which only a live account can answer. Make what it returns a setting."
    ]


def test_reading_an_existing_resource_is_refused_with_the_way_out():
    def program():
        aws.ec2.Vpc.get("v", "vpc-0123")

    assert refused(program) == [
        f"{HERE}:{program.__code__.co_firstlineno + 1}: The program reads aws:ec2/vpc:Vpc 'v', which only a live "
        "account can answer. Make what it returns a setting."
    ]


def test_an_exception_in_an_apply_names_the_line():
    def program():
        vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16")
        pulumi.export("x", vpc.id.apply(lambda _: 1 / 0))

    line = program.__code__.co_firstlineno + 2
    assert refused(program)[0] == f"{HERE}:{line}: ZeroDivisionError: division by zero"


def test_a_message_meant_for_a_person_is_printed_alone():
    def program():
        raise pulumi.RunError("The region is wrong.\nWrite us-east-1.")

    assert refused(program) == ["The region is wrong.", "Write us-east-1."]


def test_one_capture_leaves_nothing_behind_for_the_next():
    capture(lambda: pulumi.export("first", pulumi.Config().get("x")), config={"learning-platform:x": "1"})
    graph = capture(lambda: pulumi.export("second", pulumi.Config().get("x") or "unset"))
    assert graph.exports == {"second": "unset"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"http_token": "required"}, "there is no property 'metadataOptions.http_token'; did you mean 'httpTokens'?"),
        ("required", "metadataOptions is a string; a mapping is expected."),
        (
            {"http_put_response_hop_limit": "one"},
            "metadataOptions.httpPutResponseHopLimit is a string; a whole number is expected.",
        ),
    ],
)
def test_a_nested_mistake_that_the_sdk_lets_through_is_refused(options, sentence):
    def program():
        aws.ec2.LaunchTemplate("t", metadata_options=options)

    line = program.__code__.co_firstlineno + 1
    assert refused(program) == [f"{HERE}:{line}: t (aws:ec2/launchTemplate:LaunchTemplate): {sentence}"]


def test_a_list_where_the_sdk_itself_expects_a_mapping_names_the_line_and_the_resource():
    def program():
        aws.ec2.LaunchTemplate("t", metadata_options=["required"])

    line = program.__code__.co_firstlineno + 1
    assert refused(program)[0].startswith(f"{HERE}:{line}: AssertionError: While processing resource: 't', type 'aws:")


def test_every_mistake_is_told_at_once():
    def program():
        aws.ec2.LaunchTemplate("a", metadata_options={"http_token": "required"})
        aws.ec2.LaunchTemplate("b", monitoring={"enable": True})

    assert [text.partition("): ")[2] for text in refused(program)] == [
        "there is no property 'metadataOptions.http_token'; did you mean 'httpTokens'?",
        "there is no property 'monitoring.enable'; did you mean 'enabled'?",
    ]


def test_the_wait_for_open_outputs_looks_at_each_a_few_times_however_many_there_are(monkeypatch):
    looks = []
    wait = asyncio.wait

    def counted(waited_for, **options):
        looks.append(len(waited_for))
        return wait(waited_for, **options)

    def program():
        for index in range(60):
            vpc = aws.ec2.Vpc(f"v{index}", cidr_block="10.0.0.0/16")
            aws.ec2.Subnet(f"s{index}", vpc_id=vpc.id, cidr_block="10.0.1.0/24")

    monkeypatch.setattr(asyncio, "wait", counted)
    capture(program)
    assert sum(looks) < 3 * max(looks)


def test_an_output_that_never_comes_does_not_keep_a_failure_back():
    def program():
        pulumi.Output.from_input(asyncio.get_event_loop().create_future())
        aws.ec2.Vpc("v", cidr_block="10.0.0.0/16").id.apply(lambda _: 1 / 0)

    line = program.__code__.co_firstlineno + 2
    assert refused(program)[0] == f"{HERE}:{line}: ZeroDivisionError: division by zero"


def test_what_is_exported_too_late_for_the_engine_is_no_export_here_either():
    def program():
        aws.ec2.Vpc("v", cidr_block="10.0.0.0/16").id.apply(lambda id_: pulumi.export("late", id_))
        pulumi.export("early", 1)

    assert capture(program).exports == {"early": 1}


def test_what_later_captures_leave_is_freed():
    left = []

    def program():
        left.append(weakref.ref(aws.ec2.Vpc("v", cidr_block="10.0.0.0/16")))

    capture(lambda: None)
    capture(program)
    gc.collect()
    assert left[0]() is None
