"""Where logs go."""

import pytest
from pulumi_policy.proxy import UnknownValueError

from policies.rulebook import log_groups
from policies.rulebook.coverage import DATABASE, FUNCTION, MACHINE, WORKSPACE
from policies.rulebook.log_groups import FIREWALL_LOGS, FLOW_LOG, GROUP, GROUP_DECLARED, KEPT
from policies.rulebook.resource import Context
from tests.policies.bags import ABSENT, UNKNOWN, faults, resource, stack_faults
from tests.policies.declared import Ref, declared

ARN = "arn:aws:logs:eu-west-1:123456789012:log-group:/platform/x"
LOGS = {
    "group": (GROUP, {"name": "/platform/x", "arn": ARN}),
    "function": (FUNCTION, {"name": "f", "loggingConfig": {"logFormat": "JSON", "logGroup": Ref("group", "name")}}),
    "machine": (MACHINE, {"loggingConfiguration": {"level": "ALL", "logDestination": Ref("group", "arn", after=":*")}}),
    "workspace": (WORKSPACE, {"loggingConfiguration": {"logGroupArn": Ref("group", "arn", after=":*")}}),
    "flow": (FLOW_LOG, {"logDestination": Ref("group", "arn")}),
    "firewall": (FIREWALL_LOGS, {"logDestinationConfigs": [Ref("group", "arn")]}),
    "postgresql": (GROUP, {"name": "/aws/rds/instance/db/postgresql"}),
    "database": (DATABASE, {"identifier": "db", "enabledCloudwatchLogsExports": ["postgresql"]}),
}
WRITERS = ("function", "machine", "workspace", "flow", "firewall")


def said(*changes, **options):
    return stack_faults(GROUP_DECLARED, *declared(LOGS, *changes, **options))


def elsewhere(group, name):
    return f"It logs to {group}, which is not declared here: neither kept nor encrypted as asked.", name


def test_the_rule_is_this():
    assert [rule.id for rule in log_groups.RULES] == ["mon-log-group-declared", "mon-log-kept"]


def test_logs_in_declared_groups_pass():
    assert said() == []
    assert said(preview=True) == []


def test_a_group_that_is_gone_is_named_by_everybody_who_writes_to_it():
    assert said(without=["group"]) == [elsewhere("a log group", name) for name in WRITERS]


def test_a_function_without_a_group_of_its_own_writes_to_the_one_that_lambda_names():
    unset = ("function", ("loggingConfig",), ABSENT)
    assert said(unset) == [elsewhere("/aws/lambda/f", "function")]
    assert said(unset, extra={"own": (GROUP, {"name": "/aws/lambda/f"})}) == []


def test_a_database_s_group_has_the_name_that_rds_writes_to():
    assert said(without=["postgresql"]) == [elsewhere("/aws/rds/instance/db/postgresql", "database")]
    assert said(("database", ("identifier",), "other")) == [elsewhere("/aws/rds/instance/other/postgresql", "database")]
    assert said(("database", ("enabledCloudwatchLogsExports",), ABSENT), without=["postgresql"]) == []


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("machine", ("loggingConfiguration",), ABSENT),
        ("workspace", ("loggingConfiguration",), ABSENT),
        ("flow", ("logDestination",), "arn:aws:s3:::flows"),
        ("firewall", ("logDestinationConfigs",), ["arn:aws:s3:::aws-waf-logs-x"]),
    ],
)
def test_what_writes_to_no_group_is_not_judged(name, path, value):
    assert said((name, path, value)) == []


def test_an_unknown_destination_is_no_pass():
    with pytest.raises(UnknownValueError):
        said(("database", ("identifier",), UNKNOWN))


def kept(days, environment="prod"):
    return faults(KEPT, resource(GROUP, "group", {"retentionInDays": days}), Context(environment=environment))


def test_prod_keeps_every_log_for_a_year():
    assert kept(365) == []
    assert kept(731) == []
    assert kept(180) == ["The logs are kept 180 days; prod keeps them 365 or more."]
    assert kept(180, "staging") == []


def test_a_time_that_cloudwatch_does_not_know_is_told():
    assert kept(45, "dev") == ["CloudWatch keeps no logs for 45 days; the next time it knows is 60."]
    assert kept(4000, "dev") == ["CloudWatch keeps no logs for 4000 days; the next time it knows is 3653."]


def test_logs_that_are_kept_for_ever_are_another_rules_business():
    assert faults(KEPT, resource(GROUP, "group", {})) == []
    assert kept(0) == []


def test_a_retention_that_is_not_known_is_not_evaluated():
    with pytest.raises(UnknownValueError):
        kept(UNKNOWN)
