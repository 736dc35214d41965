"""Whether what takes a role on may do its work, and whether a role is left over."""

import json

import pytest
from pulumi_policy.proxy import UnknownValueError

from policies.rulebook import roles
from policies.rulebook.coverage import DATABASE, FUNCTION, MACHINE
from policies.rulebook.links import ATTACHMENT, PROFILE, ROLE, ROLE_POLICY
from policies.rulebook.roles import ROLE_ABLE, ROLE_USED
from tests.policies.bags import ABSENT, UNKNOWN, not_evaluated, stack_faults
from tests.policies.declared import Ref, declared


def trust(*services, **principals):
    who = {"Service": list(services)} if services else principals
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"}]})


def allows(*actions):
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


LOGGING = allows("logs:CreateLogStream", "logs:PutLogEvents")

WORKERS = {
    FUNCTION: ("role", "lambda.amazonaws.com", LOGGING, {}),
    MACHINE: ("roleArn", "states.amazonaws.com", allows("lambda:InvokeFunction"), {}),
    roles.FLOW_LOG: ("iamRoleArn", "vpc-flow-logs.amazonaws.com", LOGGING, {}),
    roles.TRAIL: ("cloudWatchLogsRoleArn", "cloudtrail.amazonaws.com", LOGGING, {}),
    DATABASE: ("monitoringRoleArn", "monitoring.rds.amazonaws.com", LOGGING, {}),
    PROFILE: ("role", "ec2.amazonaws.com", allows("ssm:UpdateInstanceInformation"), {}),
    roles.GRAFANA: (
        "roleArn",
        "grafana.amazonaws.com",
        allows("aps:*", "cloudwatch:Get*", "sns:Publish"),
        {"dataSources": ["CLOUDWATCH", "PROMETHEUS"], "notificationDestinations": ["SNS"]},
    ),
}
TYPES = sorted(WORKERS)


def work(token, *changes, **options):
    prop, service, policy, more = WORKERS[token]
    attribute = "name" if token == PROFILE else "arn"
    bag = {
        "role": (ROLE, {"assumeRolePolicy": trust(service)}),
        "may": (ROLE_POLICY, {"role": Ref("role", "name"), "policy": policy}),
        "worker": (token, {prop: Ref("role", attribute), **more}),
    }
    return declared(bag, *changes, **options)


def able(token, *changes, **options):
    return stack_faults(ROLE_ABLE, *work(token, *changes, **options))


def test_the_rules_are_these():
    assert [rule.id for rule in roles.RULES] == ["iam-role-able", "iam-role-used"]


@pytest.mark.parametrize("token", TYPES)
def test_a_role_that_may_do_the_work_passes(token):
    assert able(token) == []


@pytest.mark.parametrize("token", TYPES)
def test_a_role_that_is_gone_is_named(token):
    sentence = "It takes on a role that is not declared here; what it may do is not known."
    assert able(token, without=["role"]) == [(sentence, "worker")]


@pytest.mark.parametrize("token", TYPES)
def test_a_role_without_a_policy_is_named(token):
    assert able(token, without=["may"]) == [("Its role role allows nothing: it has no policy.", "worker")]


@pytest.mark.parametrize("token", TYPES)
def test_a_role_that_trusts_another_is_named(token):
    service = WORKERS[token][1]
    for other in (trust("s3.amazonaws.com"), "no json"):
        assert able(token, ("role", ("assumeRolePolicy",), other)) == [
            (f"Its role role does not let {service} take it on.", "worker")
        ]


@pytest.mark.parametrize("token", [FUNCTION, roles.FLOW_LOG, roles.TRAIL, DATABASE])
def test_an_action_that_is_lacking_is_named(token):
    assert able(token, ("may", ("policy",), allows("logs:CreateLogStream"))) == [
        ("Its role role lacks logs:PutLogEvents.", "worker")
    ]


def test_grafana_needs_what_it_shows_and_whom_it_tells():
    less = ("may", ("policy",), allows("cloudwatch:GetMetricData"))
    assert able(roles.GRAFANA, less) == [("Its role role lacks aps:QueryMetrics, sns:Publish.", "worker")]
    alone = [("worker", ("dataSources",), ["CLOUDWATCH"]), ("worker", ("notificationDestinations",), ABSENT)]
    assert able(roles.GRAFANA, less, *alone) == []


@pytest.mark.parametrize(
    ("token", "policy"),
    [(FUNCTION, "AWSLambdaBasicExecutionRole"), (DATABASE, "AmazonRDSEnhancedMonitoringRole")],
)
def test_aws_s_own_policy_will_do(token, policy):
    arn = f"arn:aws:iam::aws:policy/service-role/{policy}"
    attached = {"attached": (ATTACHMENT, {"role": Ref("role", "name"), "policyArn": arn})}
    assert able(token, without=["may"], extra=attached) == []


@pytest.mark.parametrize(
    ("token", "asks"),
    [(roles.FLOW_LOG, {"logDestination": "arn:aws:logs:a:1:log-group:flow"}), (DATABASE, {"monitoringInterval": 15})],
)
def test_what_cannot_work_without_a_role_is_named(token, asks):
    sentence = "It takes on a role that is not declared here; what it may do is not known."
    bare = [("worker", (WORKERS[token][0],), ABSENT), *(("worker", (key,), value) for key, value in asks.items())]
    assert able(token, *bare) == [(sentence, "worker")]


def test_a_flow_log_to_a_bucket_takes_no_role():
    to_bucket = [("worker", ("logDestinationType",), "s3"), ("worker", ("logDestination",), "arn:aws:s3:::flow")]
    assert able(roles.FLOW_LOG, ("worker", ("iamRoleArn",), ABSENT), *to_bucket) == []


@pytest.mark.parametrize("token", [roles.FLOW_LOG, roles.TRAIL, DATABASE, roles.GRAFANA])
def test_where_no_role_is_taken_on_there_is_nothing_to_judge(token):
    assert able(token, ("worker", (WORKERS[token][0],), ABSENT)) == []


def test_an_unknown_policy_is_no_pass():
    with pytest.raises(UnknownValueError):
        able(FUNCTION, ("may", ("policy",), UNKNOWN))


def test_in_a_real_preview_the_dependency_tells_the_role():
    assert able(FUNCTION, preview=True) == []
    assert able(FUNCTION, preview=True, without=["may"]) == [
        ("Its role role allows nothing: it has no policy.", "worker")
    ]


# Roles that are left over

LEFT = [("No resource takes the role on: what needed it is gone.", "role")]


def used(*changes, **options):
    return stack_faults(ROLE_USED, *work(FUNCTION, *changes, **options))


def test_a_role_in_use_passes():
    assert used() == []
    assert used(preview=True) == []


def test_a_role_that_nothing_takes_on_is_named():
    assert used(without=["worker"]) == LEFT
    assert used(without=["worker"], preview=True) == LEFT


@pytest.mark.parametrize(
    "principals", [{"AWS": "arn:aws:iam::123456789012:root"}, {"Federated": "arn:aws:iam::123456789012:oidc"}]
)
def test_a_role_for_people_or_another_account_is_not_judged(principals):
    assert used(("role", ("assumeRolePolicy",), trust(**principals)), without=["worker"]) == []


def test_a_place_where_operations_look_it_up_is_a_use():
    kept = {"kept": ("aws:ssm/parameter:Parameter", {"insecureValue": Ref("role", "arn", '{"role":"', '"}')})}
    assert used(without=["worker"], extra=kept) == []


def test_an_unknown_trust_is_no_pass():
    _, unknown = not_evaluated(ROLE_USED, *work(FUNCTION, ("role", ("assumeRolePolicy",), UNKNOWN), without=["worker"]))
    assert isinstance(unknown, UnknownValueError)
