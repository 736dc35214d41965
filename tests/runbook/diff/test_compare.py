"""Two snapshots: what is said of every kind of change, and what is not."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.diff.compare import compare
from runbook.diff.document import Change, StackDiff, Widening
from runbook.diff.document import text as document_text
from tests.runbook.diff.snapshots import (
    BUCKET,
    DATABASE,
    KEY,
    PREFIX,
    ROLE_POLICY,
    SUBNET,
    VPC,
    WAIVER,
    finding,
    snapshot,
    state,
)


def difference(base, head) -> StackDiff:
    (stack,) = compare(base, head).stacks
    return stack


def ops(stack):
    return [(entry.op, entry.name) for entry in stack.entries]


def test_the_same_program_has_no_difference():
    snap = snapshot(state(VPC, "net", {"cidrBlock": "10.0.0.0/16"}))
    stack = difference(snap, copy.deepcopy(snap))
    assert stack.same
    assert (stack.entries, stack.refused, stack.resources) == ((), False, (1, 1))


def test_what_is_lost_comes_before_what_is_replaced_added_and_changed():
    base = snapshot(
        state(KEY, "data"),
        state(VPC, "net", {"enableDnsSupport": True}),
        state(SUBNET, "a", {"cidrBlock": "10.0.0.0/24"}),
    )
    head = snapshot(
        state(VPC, "net", {"enableDnsSupport": False}),
        state(SUBNET, "a", {"cidrBlock": "10.0.1.0/24"}),
        state(VPC, "other"),
    )
    stack = difference(base, head)
    assert ops(stack) == [("removed", "data"), ("replaced", "a"), ("added", "other"), ("changed", "net")]
    assert [entry.name for entry in stack.losses] == ["data"]


def test_a_change_is_told_property_by_property():
    base = snapshot(state(VPC, "net", {"tags": {"Owner": "ann", "Old": "1"}, "enableDnsSupport": True}))
    head = snapshot(state(VPC, "net", {"tags": {"Owner": "bob"}, "enableDnsSupport": True, "enableDnsHostnames": True}))
    (entry,) = difference(base, head).entries
    assert entry.changes == (
        Change(path="enableDnsHostnames", before=None, after="true"),
        Change(path="tags.Old", before="1", after=None),
        Change(path="tags.Owner", before="ann", after="bob"),
    )


class TestReplacement:
    def test_an_immutable_property_replaces(self):
        base = snapshot(state(DATABASE, "db", {"storageEncrypted": True}, protect=True))
        head = snapshot(state(DATABASE, "db", {"storageEncrypted": False}, protect=True))
        (entry,) = difference(base, head).entries
        assert (entry.op, entry.loses_state, entry.protected) == ("replaced", True, True)
        assert entry.changes == (Change(path="storageEncrypted", before="true", after="false", replaces=True),)

    def test_a_part_of_an_immutable_property_replaces_and_another_part_does_not(self):
        def instance(**device):
            return snapshot(state("aws:ec2/instance:Instance", "host", {"rootBlockDevice": device}))

        assert ops(difference(instance(encrypted=False), instance(encrypted=True))) == [("replaced", "host")]
        assert ops(difference(instance(volumeSize=8), instance(volumeSize=9))) == [("changed", "host")]

    @pytest.mark.parametrize(("switch", "op"), [(True, "replaced"), (False, "changed")])
    def test_user_data_replaces_where_the_instance_says_so(self, switch, op):
        base, head = (
            snapshot(state("aws:ec2/instance:Instance", "host", {"userData": text, "userDataReplaceOnChange": switch}))
            for text in ("a", "b")
        )
        assert ops(difference(base, head)) == [(op, "host")]

    def test_another_region_replaces_whatever_the_type(self):
        base, head = (snapshot(state("aws:new/thing:Thing", "x", {"region": r})) for r in ("eu-west-1", "us-east-1"))
        assert ops(difference(base, head)) == [("replaced", "x")]

    def test_the_option_replaces_as_well(self):
        base, head = (
            snapshot(state(VPC, "net", {"tags": {"Name": name}}, replaceOnChanges=["tags.Name"])) for name in "ab"
        )
        assert ops(difference(base, head)) == [("replaced", "net")]

    def test_what_refers_to_a_replaced_resource_by_an_immutable_property_is_replaced_with_it(self):
        def stack(cidr):
            net = state(VPC, "net", {"cidrBlock": cidr})
            depends = {"propertyDependencies": {"vpcId": [net["urn"]]}}
            flow = state("aws:ec2/flowLog:FlowLog", "net", {"vpcId": net["id"]}, **depends)
            return snapshot(net, flow, state("aws:lb/listener:Listener", "web", {"port": 1}, **depends))

        told = difference(stack("10.0.0.0/16"), stack("10.1.0.0/16"))
        assert ops(told) == [("replaced", "net"), ("replaced", "net")]
        because = [entry.because for entry in told.entries if entry.type != VPC]
        assert because == [("vpcId refers to ec2.Vpc net, which is replaced",)]

    def test_what_the_resource_is_told_to_ignore_is_no_change(self):
        base, head = (snapshot(state(VPC, "net", {"tags": {"A": a}}, ignoreChanges=["tags"])) for a in "12")
        assert difference(base, head).same


class TestMoves:
    def test_an_alias_makes_it_a_move_and_references_to_it_stay(self):
        key = state(KEY, "old", made={"arn": "arn:aws:kms:us-east-1:1:key/old"})
        base = snapshot(key, state(BUCKET, "logs", {"kms": "arn:aws:kms:us-east-1:1:key/old"}))
        renamed = state(KEY, "new", made={"arn": "arn:aws:kms:us-east-1:1:key/new"}, aliases=[key["urn"]])
        head = snapshot(renamed, state(BUCKET, "logs", {"kms": "arn:aws:kms:us-east-1:1:key/new"}))
        (entry,) = difference(base, head).entries
        assert (entry.op, entry.name, entry.was) == ("moved", "new", "kms.Key old")

    def test_without_one_the_old_is_removed_and_references_change(self):
        base = snapshot(state(KEY, "old"), state(BUCKET, "logs", {"kms": "key-old-0123"}))
        head = snapshot(state(KEY, "new"), state(BUCKET, "logs", {"kms": "key-new-0123"}))
        stack = difference(base, head)
        assert ops(stack) == [("removed", "old"), ("added", "new"), ("changed", "logs")]
        assert stack.entries[2].changes == (Change(path="kms", before="{kms.Key old.id}", after="{kms.Key new.id}"),)

    def test_children_keep_what_they_are_called_after_when_a_parent_is_renamed(self):
        old, new = (state("shop:net:Network", name) for name in ("net", "edge"))
        new["aliases"] = [old["urn"]]
        base = snapshot(old, state(VPC, "net-vpc", parent=old), state(SUBNET, "a", parent=old))
        head = snapshot(new, state(VPC, "edge-vpc", parent=new), state(SUBNET, "a", parent=new))
        assert [(entry.op, entry.was) for entry in difference(base, head).entries] == [
            ("moved", "ec2.Vpc net-vpc in net"),
            ("moved", "Network net"),
        ]

    def test_children_move_with_a_parent_of_another_type(self):
        old, new = state("shop:net:Network", "net"), state("shop:edge:Edge", "net")
        new["aliases"] = [old["urn"]]
        base = snapshot(old, state(VPC, "vpc", parent=old))
        head = snapshot(new, state(VPC, "vpc", {"tags": {}}, parent=new))
        assert ops(difference(base, head)) == [("changed", "vpc"), ("moved", "net")]

    def test_a_stand_in_that_others_share_is_read_as_that_of_the_first(self):
        def stack(name, aliases=()):
            bucket = state(BUCKET, name, aliases=list(aliases))
            lock = state("aws:s3/bucketVersioning:BucketVersioning", "logs", {"bucket": bucket["id"]}, id=bucket["id"])
            return snapshot(bucket, lock), bucket["urn"]

        base, urn = stack("old")
        head, _urn = stack("new", [urn])
        assert ops(difference(base, head)) == [("moved", "new")]

    def test_an_alias_does_not_take_what_still_has_its_own_name(self):
        one, other = state(KEY, "a"), state(KEY, "b", aliases=[f"{PREFIX}{KEY}::a"])
        for head in (snapshot(one, other), snapshot(other, one)):
            assert ops(difference(snapshot(state(KEY, "a")), head)) == [("added", "b")]

    def test_what_was_one_resource_is_not_two_now(self):
        heads = [state(KEY, name, aliases=[f"{PREFIX}{KEY}::old"]) for name in ("a", "b")]
        assert ops(difference(snapshot(state(KEY, "old")), snapshot(*heads))) == [("added", "b"), ("moved", "a")]


class TestSecrets:
    def test_a_secret_shows_on_neither_side(self):
        base = snapshot(state(DATABASE, "db", {"port": 1, "masterName": "hunter2"}))
        head = snapshot(state(DATABASE, "db", {"port": 1, "masterName": "[secret]"}))
        (entry,) = difference(base, head).entries
        assert entry.changes == (Change(path="masterName", before="[secret]", after="[secret]"),)

    @pytest.mark.parametrize(
        "inputs",
        [
            {"password": "hunter2"},
            {"environment": {"variables": {"SLACK_TOKEN": "hunter2"}}},
            {"type": "SecureString", "value": "hunter2"},
            {"definition": json.dumps({"auth": {"apiKey": "hunter2"}})},
            {"headers": [{"secretValue": "hunter2"}]},
        ],
    )
    def test_a_literal_under_the_name_of_a_secret_shows_nowhere(self, inputs):
        empty = {"type": inputs["type"]} if "type" in inputs else {}
        base, head = snapshot(state(DATABASE, "db", empty)), snapshot(state(DATABASE, "db", inputs))
        for found in (compare(base, head), compare(head, base)):
            assert found.stacks[0].entries
            assert "hunter2" not in document_text(found)

    def test_where_a_secret_lies_is_told(self):
        base, head = (snapshot(state(DATABASE, "db", {"masterUserSecretArn": f"arn:aws:x:{n}"})) for n in "12")
        (entry,) = difference(base, head).entries
        assert entry.changes[0].after == "arn:aws:x:2"


def policy(*statements):
    return snapshot(state(ROLE_POLICY, "app", {"policy": json.dumps({"Statement": list(statements)})}))


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class TestGrants:
    def told(self, base, head):
        return [(each.sentence, each.fresh) for each in difference(base, head).grants]

    def test_a_new_action_is_told(self):
        base, head = policy(allow(["s3:GetObject"], "b/*")), policy(allow(["s3:GetObject", "s3:PutObject"], "b/*"))
        assert self.told(base, head) == [("allows s3:PutObject on b/*", False)]
        assert self.told(head, base) == []

    def test_what_a_wider_statement_allowed_already_is_not(self):
        assert self.told(policy(allow("s3:*")), policy(allow("s3:GetObject", "b/*"))) == []

    def test_a_condition_that_goes_and_another_principal_are_told(self):
        narrow = allow("sts:AssumeRole", "r", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
        assert self.told(policy(narrow), policy(allow("sts:AssumeRole", "r"))) == [
            ("allows sts:AssumeRole on r", False)
        ]
        base, head = (policy(allow("s3:Get*", "b", Principal={"AWS": who})) for who in ("1", "*"))
        assert self.told(base, head) == [("allows s3:Get* on b to *", False)]

    def test_a_denial_that_goes_is_told(self):
        deny = {**allow("s3:DeleteObject"), "Effect": "Deny"}
        assert self.told(policy(deny), policy()) == [("no longer denies s3:DeleteObject on *", False)]

    def test_all_but_is_never_taken_for_covered(self):
        base, head = policy(allow("iam:GetRole")), policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})
        assert self.told(base, head) == [("allows all but iam:* on *", False)]

    def test_an_exception_that_shrinks_is_told(self):
        base, head = (
            policy({"Effect": "Allow", "NotAction": but, "Resource": "*"}) for but in ("iam:*", "iam:GetRole")
        )
        assert self.told(base, head) == [("allows all but iam:GetRole on *", False)]

    def test_a_new_resource_is_marked_and_comes_last(self):
        attached = {"role": "app", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
        base = policy()
        head = policy(allow("s3:GetObject"))
        head["stacks"]["staging"]["resources"].append(
            state("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "admin", attached)
        )
        assert self.told(base, head) == [
            ("allows s3:GetObject on *", False),
            ("role app; policyArn arn:aws:iam::aws:policy/AdministratorAccess", True),
        ]

    @given(st.sets(st.sampled_from(["s3:GetObject", "s3:Get*", "s3:*", "ec2:Run", "*"])), st.sampled_from(["a", "*"]))
    def test_a_policy_never_widens_itself(self, actions, resource):
        document = policy(*(allow(action, resource) for action in sorted(actions)))
        assert self.told(document, copy.deepcopy(document)) == []
        assert self.told(document, policy(*(allow(action, resource) for action in sorted(actions, reverse=True)))) == []


class TestOpenings:
    def rule(self, **fields):
        given = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, **fields}
        return snapshot(state("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "ssh", given))

    def test_a_rule_opened_to_the_world_is_told(self):
        base, head = self.rule(cidrIpv4="10.0.0.0/8"), self.rule(cidrIpv4="0.0.0.0/0")
        assert difference(base, head).openings == (
            Widening(
                type="aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
                name="ssh",
                path="",
                sentence="tcp 22 from 0.0.0.0/0",
                fresh=False,
            ),
        )
        assert difference(head, base).openings == ()
        assert difference(head, copy.deepcopy(head)).openings == ()

    def test_two_halves_are_the_world(self):
        block = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/1", "128.0.0.0/1"]}
        head = snapshot(state("aws:ec2/securityGroup:SecurityGroup", "web", {"ingress": [block]}))
        assert [each.sentence for each in difference(snapshot(), head).openings] == [
            "everything from 0.0.0.0/1",
            "everything from 128.0.0.0/1",
        ]

    def test_a_line_of_an_acl_that_denies_opens_nothing(self):
        lines = [{"action": action, "protocol": "tcp", "cidrBlock": "0.0.0.0/0"} for action in ("deny", "allow")]
        for line, number in zip(lines, (0, 1), strict=True):
            head = snapshot(state("aws:ec2/networkAcl:NetworkAcl", "data", {"ingress": [line]}))
            assert len(difference(snapshot(), head).openings) == number


class TestFindings:
    def test_new_fixed_and_waived_are_told_apart(self):
        net = state(VPC, "net")
        old = (finding("a", "A.", net), finding("b", "B.", net))
        new = (
            finding("b", "B.", net, mandatory=False, waiver=WAIVER),
            finding("c", "C.", net),
            finding("c", "C!", net),
        )
        stack = difference(snapshot(net, findings=old), snapshot(net, findings=new))
        assert [(each.rule, each.sentence, each.resource) for each in stack.new] == [
            ("c", "C!", "ec2.Vpc net"),
            ("c", "C.", "ec2.Vpc net"),
        ]
        assert [each.rule for each in stack.fixed] == ["a"]
        assert [(each.rule, each.waiver, each.was) for each in stack.waived] == [
            ("b", "ann until 2026-12-31 (OPS-1)", "mandatory")
        ]

    def test_a_finding_that_was_waived_and_is_not_any_more_is_new(self):
        waived, open_ = finding("a", "A.", mandatory=False, waiver=WAIVER), finding("a", "A.")
        (found,) = difference(snapshot(findings=(waived,)), snapshot(findings=(open_,))).new
        assert (found.mandatory, found.was) == (True, "waived")

    def test_a_finding_of_a_resource_that_moved_is_the_same(self):
        old, new = state(KEY, "old"), state(KEY, "new", aliases=[f"{PREFIX}{KEY}::old"])
        stack = difference(
            snapshot(old, findings=(finding("a", "It is.", old),)),
            snapshot(new, findings=(finding("a", "It is.", new),)),
        )
        assert (stack.new, stack.fixed, stack.refused) == ((), (), True)

    def test_fewer_rules_and_new_gaps_in_judgement_are_told(self):
        base = snapshot(state(VPC, "net"))
        missed = [{"rule": "net-x", "urn": f"{PREFIX}{VPC}::net", "reason": "unknown"}]
        stack = difference(base, snapshot(state(VPC, "net"), rules=8, notEvaluated=missed))
        assert (stack.rules, stack.unjudged, stack.same) == ((9, 8), ("net-x: ec2.Vpc net",), False)


class TestStacks:
    def test_a_stack_that_cannot_be_previewed_is_refused_with_its_reasons(self):
        head = {"version": 1, "stacks": {"staging": {"fault": ["It is wrong."]}}}
        stack = difference(snapshot(), head)
        assert (stack.refused, stack.fault) == (True, ("It is wrong.",))

    def test_a_base_that_cannot_be_previewed_makes_everything_new(self):
        base = {"version": 1, "stacks": {"staging": {"fault": ["It was wrong."]}}}
        stack = difference(base, snapshot(state(VPC, "net")))
        assert ops(stack) == [("added", "net")]
        assert stack.note is not None
        assert stack.note.endswith("It was wrong.")

    def test_only_the_wanted_stacks_are_compared(self):
        base = {"version": 1, "stacks": {"dev": {"fault": []}, "staging": {"fault": []}}}
        assert [stack.stack for stack in compare(base, base, ["dev"]).stacks] == ["dev"]
        gone = compare(base, {"version": 1, "stacks": {}}).stacks
        assert [(stack.stack, stack.note) for stack in gone] == [
            (name, "Its file is gone. What it deployed stays until `pulumi destroy`.") for name in ("dev", "staging")
        ]


def test_exports_are_compared_and_components_are_not():
    def stack(url, argument):
        root = state("pulumi:pulumi:Stack", "shop-staging", made={"url": url}, parent=None)
        root["parent"] = None
        return snapshot(root, state("shop:net:Network", "net", {"argument": argument}))

    (entry,) = difference(stack("a", 1), stack("b", 2)).entries
    assert entry.changes == (Change(path="exports.url", before="a", after="b"),)
