"""What the database declares."""

import json

import pytest

from components._keys import Home
from components.database import Database, DatabaseArgs
from runbook.errors import UserError
from runbook.preview.capture import capture
from settings.naming import Labels

INSTANCE = "aws:rds/instance:Instance"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
LOGS_KEY = "arn:aws:kms:eu-west-1:210987654321:key/11111111-2222-3333-4444-555555555555"
TOPIC = "arn:aws:sns:eu-west-1:210987654321:alerts-high"


def database(**changes):
    given = {
        "home": Home(partition="aws", account_id="210987654321", region="eu-west-1"),
        "vpc_id": "vpc-1",
        "subnet_ids": ("subnet-data-a", "subnet-data-b"),
        "clients": {"app": "sg-app", "bastion": "sg-bastion"},
        "logs_key_arn": LOGS_KEY,
        "alerts_topic_arn": TOPIC,
        "db_name": "platform",
        "username": "platform_admin",
        "port": 5433,
        "engine_version": "17",
        "instance_class": "db.t4g.small",
        "memory_gib": 2.0,
        "storage_gib": 50,
        "max_storage_gib": 200,
        "multi_az": True,
        "backup_retention_days": 28,
        "backup_window": "02:00-03:00",
        "maintenance_window": "sun:04:00-sun:05:00",
        "insights": "advanced",
        "monitoring_interval_seconds": 15,
        "slow_query_ms": 750,
        "password_rotation_days": 30,
        "log_retention_days": 400,
        "apply_immediately": False,
        "protect": True,
    }
    args = DatabaseArgs(**(given | changes))
    labels = Labels(project="learning-platform", environment="prod", owner="platform", cost_center="lp")
    config = {"aws:region": "eu-west-1", "aws:allowedAccountIds": json.dumps(["210987654321"])}
    return capture(lambda: Database("database", args, labels=labels) and None, stack="prod", config=config)


@pytest.fixture(scope="module")
def graph():
    return database()


@pytest.fixture(scope="module")
def inputs(graph):
    return graph.one(INSTANCE).inputs


def test_the_clients_groups_reach_its_port_and_no_address_does(graph):
    group = graph.one(GROUP)
    rules = graph.of(INGRESS)
    assert {
        (r.name, r.inputs["referencedSecurityGroupId"], r.inputs["fromPort"], r.inputs["toPort"]) for r in rules
    } == {
        ("database-from-app", "sg-app", 5433, 5433),
        ("database-from-bastion", "sg-bastion", 5433, 5433),
    }
    assert {(r.inputs["securityGroupId"], r.inputs["ipProtocol"]) for r in rules} == {(group.id, "tcp")}
    assert all({"cidrIpv4", "cidrIpv6", "prefixListId"} & set(r.inputs) == set() for r in rules)


def test_each_client_may_leave_towards_it(graph):
    group = graph.one(GROUP)
    ways = {
        (r.inputs["securityGroupId"], r.inputs["referencedSecurityGroupId"], r.inputs["fromPort"], r.inputs["toPort"])
        for r in graph.of(EGRESS)
    }
    assert ways == {("sg-app", group.id, 5433, 5433), ("sg-bastion", group.id, 5433, 5433)}


def test_it_has_no_way_out_of_its_own(graph):
    group = graph.one(GROUP)
    assert {"ingress", "egress"} & set(group.inputs) == set()
    assert group.id not in {r.inputs["securityGroupId"] for r in graph.of(EGRESS)}
    assert group.inputs["tags"]["Tier"] == "data"


def test_it_stands_in_the_data_tier_without_a_public_address(graph, inputs):
    subnets = graph.one("aws:rds/subnetGroup:SubnetGroup")
    assert subnets.inputs["subnetIds"] == ["subnet-data-a", "subnet-data-b"]
    assert inputs["dbSubnetGroupName"] == subnets.outputs["name"]
    assert inputs["vpcSecurityGroupIds"] == [graph.one(GROUP).id]
    wanted = {"publiclyAccessible": False, "networkType": "IPV4", "port": 5433, "multiAz": True}
    assert {key: inputs[key] for key in wanted} == wanted


def test_storage_password_and_insights_are_encrypted_with_its_own_key(graph, inputs):
    key = graph.one("aws:kms/key:Key").outputs["arn"]
    keys = ("kmsKeyId", "masterUserSecretKmsKeyId", "performanceInsightsKmsKeyId")
    assert {name: inputs[name] for name in keys} == dict.fromkeys(keys, key)
    assert inputs["storageEncrypted"] is True


def test_it_is_postgresql_kept_current_within_its_major_version(inputs):
    wanted = {
        "engine": "postgres",
        "engineVersion": "17",
        "autoMinorVersionUpgrade": True,
        "engineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "instanceClass": "db.t4g.small",
        "dbName": "platform",
        "caCertIdentifier": "rds-ca-rsa2048-g1",
    }
    assert {key: inputs[key] for key in wanted} == wanted
    assert "allowMajorVersionUpgrade" not in inputs


def test_rds_keeps_the_password_and_nobody_writes_one(inputs):
    assert (inputs["username"], inputs["manageMasterUserPassword"]) == ("platform_admin", True)
    assert inputs["iamDatabaseAuthenticationEnabled"] is True
    assert {"password", "passwordWo"} & set(inputs) == set()


def test_the_password_rotates_on_the_schedule_without_a_function(graph):
    rotation = graph.one("aws:secretsmanager/secretRotation:SecretRotation")
    (secret,) = graph.one(INSTANCE).outputs["masterUserSecrets"]
    assert rotation.inputs == {
        "secretId": secret["secretArn"],
        "rotateImmediately": False,
        "rotationRules": {"automaticallyAfterDays": 30},
    }


def test_backups_are_kept_four_weeks_and_outlive_the_instance(inputs):
    wanted = {
        "backupRetentionPeriod": 28,
        "backupWindow": "02:00-03:00",
        "maintenanceWindow": "sun:04:00-sun:05:00",
        "deleteAutomatedBackups": False,
        "skipFinalSnapshot": False,
        "copyTagsToSnapshot": True,
        "applyImmediately": False,
    }
    assert {key: inputs[key] for key in wanted} == wanted
    assert inputs["tags"]["Backup"] == "weekly"


def test_the_final_snapshot_s_name_is_that_of_this_life_of_the_stack(graph, inputs):
    key_id = graph.one("aws:kms/key:Key").outputs["keyId"]
    assert inputs["finalSnapshotIdentifier"] == f"learning-platform-prod-db-final-{key_id[:8]}"


def test_storage_grows_by_itself_up_to_the_limit(inputs):
    assert (inputs["storageType"], inputs["allocatedStorage"], inputs["maxAllocatedStorage"]) == ("gp3", 50, 200)


def test_connections_are_set_to_the_number_that_is_handed_over(graph, inputs):
    group = graph.one("aws:rds/parameterGroup:ParameterGroup")
    values = {p["name"]: (p["value"], p["applyMethod"]) for p in group.inputs["parameters"]}
    assert (group.inputs["family"], inputs["parameterGroupName"]) == ("postgres17", group.outputs["name"])
    assert values["max_connections"] == ("225", "pending-reboot")
    assert values["rds.force_ssl"] == ("1", "pending-reboot")
    assert values["log_min_duration_statement"] == ("750", "immediate")
    assert graph.one("learning-platform:database:Database").outputs["maxConnections"] == 225


def test_an_override_of_the_connections_reaches_the_parameter():
    graph = database(max_connections=100)
    parameters = graph.one("aws:rds/parameterGroup:ParameterGroup").inputs["parameters"]
    assert {p["value"] for p in parameters if p["name"] == "max_connections"} == {"100"}


@pytest.mark.parametrize(("insights", "days"), [("standard", 7), ("advanced", 465)])
def test_insights_have_the_mode_and_its_retention(insights, days):
    inputs = database(insights=insights).one(INSTANCE).inputs
    assert inputs["performanceInsightsEnabled"] is True
    assert (inputs["databaseInsightsMode"], inputs["performanceInsightsRetentionPeriod"]) == (insights, days)


def test_logs_go_to_encrypted_groups_that_are_there_before_rds_would_make_them(graph, inputs):
    groups = graph.of(LOG_GROUP)
    assert {(g.inputs["name"], g.inputs["retentionInDays"], g.inputs["kmsKeyId"]) for g in groups} == {
        ("/aws/rds/instance/learning-platform-prod-db/postgresql", 400, LOGS_KEY),
        ("/aws/rds/instance/learning-platform-prod-db/upgrade", 400, LOGS_KEY),
    }
    assert inputs["identifier"] == "learning-platform-prod-db"
    assert inputs["enabledCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    assert {g.urn for g in groups} <= set(graph.one(INSTANCE).dependencies)


def test_the_machine_under_it_is_monitored_with_a_role_for_this_instance_alone(graph, inputs):
    role = graph.one("aws:iam/role:Role")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert (trust["Principal"], trust["Condition"]) == (
        {"Service": "monitoring.rds.amazonaws.com"},
        {
            "StringEquals": {"aws:SourceAccount": "210987654321"},
            "ArnLike": {"aws:SourceArn": "arn:aws:rds:eu-west-1:210987654321:db:learning-platform-prod-db"},
        },
    )
    assert (inputs["monitoringInterval"], inputs["monitoringRoleArn"]) == (15, role.outputs["arn"])
    attachment = graph.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert attachment.inputs == {
        "role": role.outputs["name"],
        "policyArn": "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
    }
    assert attachment.urn in graph.one(INSTANCE).dependencies


def test_its_events_reach_the_topic(graph):
    subscription = graph.one("aws:rds/eventSubscription:EventSubscription").inputs
    assert (subscription["snsTopic"], subscription["sourceType"]) == (TOPIC, "db-instance")
    assert subscription["sourceIds"] == ["learning-platform-prod-db"]
    assert {"failure", "failover", "low storage", "maintenance"} <= set(subscription["eventCategories"])


@pytest.mark.parametrize("protect", [True, False])
def test_protection_holds_here_and_at_aws_or_not_at_all(protect):
    graph = database(protect=protect)
    assert {r.type for r in graph.resources if r.protect} == ({INSTANCE, "aws:kms/key:Key"} if protect else set())
    inputs = graph.one(INSTANCE).inputs
    assert inputs["deletionProtection"] is protect
    assert (inputs["skipFinalSnapshot"], inputs["deleteAutomatedBackups"]) == (False, False)


def test_another_client_renames_nothing(graph):
    wider = database(clients={"worker": "sg-worker", "app": "sg-app", "bastion": "sg-bastion"})
    added = {r.urn for r in wider.resources} - {r.urn for r in graph.resources}
    assert {urn.rpartition("::")[2] for urn in added} == {"database-from-worker"}
    assert {r.urn for r in graph.resources} < {r.urn for r in wider.resources}


def test_a_wrong_version_stops_the_program_with_the_way_out():
    with pytest.raises(UserError, match=r"'9\.6' is no version of PostgreSQL; give a major version such as 17"):
        database(engine_version="9.6")


def test_the_component_hands_over_what_others_need(graph):
    made = graph.one(INSTANCE).outputs
    (secret,) = made["masterUserSecrets"]
    assert graph.one("learning-platform:database:Database").outputs == {
        "address": made["address"],
        "port": 5433,
        "endpoint": f"{made['address']}:5433",
        "identifier": "learning-platform-prod-db",
        "resourceId": made["resourceId"],
        "secretArn": secret["secretArn"],
        "securityGroupId": graph.one(GROUP).id,
        "maxConnections": 225,
        "logGroups": {
            "postgresql": "/aws/rds/instance/learning-platform-prod-db/postgresql",
            "upgrade": "/aws/rds/instance/learning-platform-prod-db/upgrade",
        },
    }


def test_everything_is_a_child_of_the_component_and_carries_its_tags(graph):
    own = [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]
    assert {r.parent for r in own} == {graph.one("learning-platform:database:Database").urn}
    tagged = [r.inputs["tags"] for r in own if "tags" in r.inputs]
    assert {(tags["Environment"], tags["Service"], tags["RunbookRef"]) for tags in tagged} == {
        ("prod", "database", "000_b5883a9168e66709.txt 3")
    }


@pytest.mark.parametrize(
    ("given", "ignored"), [({}, None), ({"backed_up_continuously": True}, ["backupRetentionPeriod", "backupWindow"])]
)
def test_what_aws_backup_decides_is_left_to_it(given, ignored):
    instance = database(**given).one("aws:rds/instance:Instance")
    assert instance.options.get("ignoreChanges") == ignored


@pytest.mark.parametrize(("given", "period"), [({}, None), ({"schedule": "office"}, "office")])
def test_a_database_that_follows_a_period_says_so(given, period):
    assert database(**given).one("aws:rds/instance:Instance").inputs["tags"].get("Schedule") == period
