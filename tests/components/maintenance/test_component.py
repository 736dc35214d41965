"""What the maintenance component declares."""

import base64
import json

import pytest

from components.maintenance import plan
from functions.escalate import decide as escalation
from policies.rulebook import documents
from runbook.errors import UserError
from settings.maintenance import PageSettings
from settings.naming import REQUIRED_TAGS
from tests.components.maintenance.stack import ACCOUNT, LISTENER, LIVE, SERVER, TOPIC, TOPIC_KEY, maintenance

ASSOCIATION = "aws:ssm/association:Association"
BUCKET = "aws:s3/bucket:Bucket"
DOCUMENT = "aws:ssm/document:Document"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
EIP = "aws:ec2/eip:Eip"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
INSTANCE = "aws:ec2/instance:Instance"
POLICY = "aws:iam/rolePolicy:RolePolicy"
RECORD = "aws:route53/record:Record"
ROLE = "aws:iam/role:Role"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"

#: It tells that the site is back.
NEWS = {("sns:Publish", f"{TOPIC}-low"), ("kms:Decrypt", TOPIC_KEY), ("kms:GenerateDataKey*", TOPIC_KEY)}

MODES = ("listener-rule", "elastic-ip", "dns")
CERTBOT = {"enabled": True, "email": "team@learning.example"}


@pytest.fixture(scope="module")
def graphs():
    return {mode: maintenance(mode=mode, **({} if mode == "listener-rule" else {"server": SERVER})) for mode in MODES}


@pytest.fixture(scope="module")
def full():
    """Everything that the settings can ask for."""
    return maintenance(
        mode="dns",
        server={**SERVER, "role_name": "prime"},
        certbot=CERTBOT,
        key_name="page",
        backup_document="configuration-backup",
    )


def custom(graph):
    return [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]


def allowed(graph, name):
    """(action, resource) pairs that a role's policy allows."""
    said = documents.read(graph.one(POLICY, name).inputs["policy"])
    return {(action, resource) for one in said for action in one.actions for resource in one.resources}


def trusted(graph, name):
    [statement] = json.loads(graph.one(ROLE, name).inputs["assumeRolePolicy"])["Statement"]
    return statement["Principal"]["Service"], statement.get("Condition")


def script(graph, name):
    """The script of a document."""
    content = json.loads(graph.one(DOCUMENT, name).inputs["content"])
    [step] = content["mainSteps"]
    assert step["action"] == "aws:runShellScript"
    return "\n".join(step["inputs"]["runCommand"])


# The machine


def test_the_machine_is_the_run_book_s(graphs):
    for graph in graphs.values():
        template, instance = graph.one(TEMPLATE), graph.one(INSTANCE)
        assert template.inputs["instanceType"] == instance.inputs["instanceType"] == "t3.nano"
        assert template.inputs["imageId"] == (
            "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        )
        assert instance.inputs["launchTemplate"] == {
            "id": template.id,
            "version": str(template.outputs["latestVersion"]),
        }
        assert {r.inputs["tags"]["Role"] for r in (template, instance, graph.one(GROUP))} == {"maintenance"}


@pytest.mark.parametrize("mode", MODES)
def test_the_ways_in_are_exactly_the_run_book_s(graphs, mode):
    graph = graphs[mode]
    group = graph.one(GROUP)
    assert {
        (rule.inputs["cidrIpv4"], rule.inputs["fromPort"], rule.inputs["toPort"], rule.inputs["ipProtocol"])
        for rule in graph.of(INGRESS)
        if rule.inputs["securityGroupId"] == group.id
    } == {
        ("203.0.113.0/28", 22, 22, "tcp"),
        ("0.0.0.0/0", 80, 80, "tcp"),
        ("0.0.0.0/0", 443, 443, "tcp"),
    }
    assert len(graph.of(INGRESS)) == 3
    out = [rule.inputs for rule in graph.of(EGRESS) if rule.inputs["securityGroupId"] == group.id]
    assert [(rule["cidrIpv4"], rule["fromPort"], rule["toPort"]) for rule in out] == [("0.0.0.0/0", 443, 443)]
    assert {"ingress", "egress"} & set(group.inputs) == set()


def test_without_administrators_nobody_comes_by_ssh():
    graph = maintenance(admin_cidrs=())
    assert {rule.inputs["fromPort"] for rule in graph.of(INGRESS)} == {80, 443}


def test_metadata_needs_a_token_and_the_disk_is_encrypted(graphs):
    graph = graphs["dns"]
    imds = {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1}
    assert graph.one(TEMPLATE).inputs["metadataOptions"] == graph.one(INSTANCE).inputs["metadataOptions"] == imds
    [disk] = graph.one(TEMPLATE).inputs["blockDeviceMappings"]
    assert (disk["deviceName"], disk["ebs"]["encrypted"]) == ("/dev/xvda", "true")
    assert {"ami", "rootBlockDevice"} & set(graph.one(INSTANCE).inputs) == set()


def test_a_key_pair_is_there_only_where_the_settings_ask(graphs, full):
    assert "keyName" not in graphs["listener-rule"].one(TEMPLATE).inputs
    assert full.one(TEMPLATE).inputs["keyName"] == "page"


def test_the_first_boot_is_the_script_and_says_nothing_of_the_page(graphs):
    for graph in graphs.values():
        boot = base64.b64decode(graph.one(TEMPLATE).inputs["userData"]).decode()
        assert boot == plan.read("boot.sh")
        assert len(boot.encode()) < 16 * 1024


def test_a_new_text_replaces_no_machine():
    one, other = maintenance(), maintenance(page={"title": "Back at noon"})
    assert one.one(TEMPLATE).inputs == other.one(TEMPLATE).inputs
    revisions = [graph.one(ASSOCIATION, "maintenance-page").inputs["parameters"] for graph in (one, other)]
    assert revisions[0] != revisions[1]
    assert maintenance().one(ASSOCIATION, "maintenance-page").inputs["parameters"] == revisions[0]


@pytest.mark.parametrize(("mode", "addresses"), [("listener-rule", 1), ("dns", 1), ("elastic-ip", 0)])
def test_a_fixed_address_stays_out_of_the_way_of_one_that_moves(graphs, mode, addresses):
    graph = graphs[mode]
    assert [address.inputs["instance"] for address in graph.of(EIP)] == [graph.one(INSTANCE).id] * addresses
    assert graph.one(INSTANCE).inputs["associatePublicIpAddress"] is True


def test_systems_manager_manages_it_and_brings_the_page(graphs):
    graph = graphs["listener-rule"]
    attachment = graph.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert attachment.inputs["policyArn"] == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    text = script(graph, "maintenance-page")
    assert text.startswith("#!/bin/bash\n")
    for path, content in plan.site(PageSettings()).items():
        assert f"\ncat >\"$STAGE/{path}\" <<'END_OF_FILE'\n{content}END_OF_FILE\n" in text
    association = graph.one(ASSOCIATION)
    assert association.inputs["targets"] == [{"key": "InstanceIds", "values": [graph.one(INSTANCE).id]}]
    assert association.inputs["scheduleExpression"] == "rate(1 day)"


def test_the_end_is_taken_only_in_a_form_that_a_shell_cannot_misread(graphs):
    content = json.loads(graphs["dns"].one(DOCUMENT, "maintenance-until").inputs["content"])
    assert content["parameters"]["until"]["allowedPattern"] == r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)?$"
    assert script(graphs["dns"], "maintenance-until").splitlines()[-1] == (
        "exec /usr/local/sbin/maintenance-until '{{ until }}'"
    )


def test_what_others_grant_is_granted(graphs):
    statement = {"Sid": "LogSessions", "Effect": "Allow", "Action": ["logs:PutLogEvents"], "Resource": ["arn:x"]}
    graph = maintenance(statements=[statement])
    assert allowed(graph, "maintenance-granted") == {("logs:PutLogEvents", "arn:x")}
    assert [p.name for p in graphs["dns"].of(POLICY) if p.name == "maintenance-granted"] == []


# The switch


def test_behind_a_load_balancer_the_page_is_in_use_before_it_is_needed(graphs):
    graph = graphs["listener-rule"]
    group, instance = graph.one("aws:lb/targetGroup:TargetGroup"), graph.one(INSTANCE)
    attachment = graph.one("aws:lb/targetGroupAttachment:TargetGroupAttachment")
    assert attachment.inputs == {"targetGroupArn": group.outputs["arn"], "targetId": instance.id, "port": 80}
    assert (group.inputs["healthCheck"]["path"], group.inputs["healthCheck"]["matcher"]) == (plan.HEALTH_PATH, "200")
    rule = graph.one("aws:lb/listenerRule:ListenerRule").inputs
    assert (rule["listenerArn"], rule["priority"]) == (LISTENER, 2)
    assert rule["conditions"] == [{"pathPattern": {"values": ["/.maintenance", "/.maintenance/*"]}}]
    assert rule["actions"] == [{"type": "forward", "targetGroupArn": group.outputs["arn"]}]
    [way] = [r.inputs for r in graph.of(EGRESS) if r.inputs["securityGroupId"] == "sg-balancer"]
    assert (way["referencedSecurityGroupId"], way["fromPort"], way["toPort"]) == (graph.one(GROUP).id, 80, 80)


def test_a_page_that_is_not_ready_is_told(graphs):
    graph = graphs["listener-rule"]
    group = graph.one("aws:lb/targetGroup:TargetGroup")
    alarms = {alarm.inputs["metricName"]: alarm for alarm in graph.of("aws:cloudwatch/metricAlarm:MetricAlarm")}
    assert {
        metric: (alarm.inputs["comparisonOperator"], alarm.inputs["threshold"], alarm.inputs["treatMissingData"])
        for metric, alarm in alarms.items()
    } == {
        "UnHealthyHostCount": ("GreaterThanOrEqualToThreshold", 1, "notBreaching"),
        "HealthyHostCount": ("LessThanThreshold", 1, "breaching"),
    }
    for alarm in alarms.values():
        assert alarm.inputs["alarmActions"] == [f"{TOPIC}-medium"]
        assert alarm.inputs["dimensions"] == {
            "LoadBalancer": "app/web/0123456789abcdef",
            "TargetGroup": group.outputs["arnSuffix"],
        }
    composite = graph.one("aws:cloudwatch/compositeAlarm:CompositeAlarm").inputs
    assert composite["alarmRule"] == f'ALARM("{alarms["HealthyHostCount"].inputs["name"]}")'
    assert composite["alarmActions"] == [f"{TOPIC}-high"]


def test_a_name_leads_to_the_page_when_the_server_is_not_well_or_the_check_is_held(graphs):
    graph = graphs["dns"]
    check, address = graph.one("aws:route53/healthCheck:HealthCheck"), graph.one(EIP)
    assert {
        record.inputs["failoverRoutingPolicies"][0]["type"]: (
            record.inputs["name"],
            record.inputs["records"],
            record.inputs["ttl"],
            record.inputs.get("healthCheckId"),
        )
        for record in graph.of(RECORD)
    } == {
        "PRIMARY": (SERVER["host"], [SERVER["address"]], 60, check.id),
        "SECONDARY": (SERVER["host"], [address.outputs["publicIp"]], 60, None),
    }
    assert (check.inputs["ipAddress"], check.inputs["fqdn"], check.inputs["type"]) == (
        SERVER["address"],
        SERVER["host"],
        "HTTPS",
    )


def test_a_deployment_does_not_undo_what_the_switch_did(graphs):
    """Of what the switch changes, the program sets nothing, or ignores it once it is made."""
    check = graphs["dns"].one("aws:route53/healthCheck:HealthCheck")
    assert set(check.options["ignoreChanges"]) == {"disabled", "invertHealthcheck"}
    assert {"disabled", "invertHealthcheck"} & set(check.inputs) == set()
    assert graphs["elastic-ip"].of(EIP, "aws:ec2/eipAssociation:EipAssociation") == ()
    priorities = [r.inputs["priority"] for r in graphs["listener-rule"].of("aws:lb/listenerRule:ListenerRule")]
    assert plan.SWITCH_PRIORITY not in priorities


@pytest.mark.parametrize(
    ("mode", "inputs"),
    [
        ("listener-rule", {"listener": LISTENER, "site": LIVE, "priority": 1}),
        ("elastic-ip", {"allocation": SERVER["allocation_id"], "server": SERVER["instance_id"]}),
        ("dns", {}),
    ],
)
def test_the_way_back_knows_its_mode_and_runs_without_the_command(graphs, mode, inputs):
    graph = graphs[mode]
    content = json.loads(graph.one(DOCUMENT, "maintenance-off").inputs["content"])
    [step] = content["mainSteps"]
    payload = dict(step["inputs"].pop("InputPayload"))
    found = {
        "listener-rule": lambda: {"page": graph.one("aws:lb/targetGroup:TargetGroup").outputs["arn"]},
        "elastic-ip": dict,
        "dns": lambda: {"check": graph.one("aws:route53/healthCheck:HealthCheck").id},
    }[mode]()
    host = "app.learning.example" if mode == "listener-rule" else SERVER["host"]
    news = {"topic": f"{TOPIC}-low", "url": f"https://{host}/"}
    assert payload == {"mode": mode, "announce": "{{ Announce }}", "force": "{{ Force }}", **news, **inputs, **found}
    assert (step["action"], step["inputs"]["Handler"], step["inputs"]["Runtime"]) == (
        "aws:executeScript",
        "off",
        "python3.11",
    )
    compile(step["inputs"]["Script"], "off", "exec")
    assert "{{" not in step["inputs"]["Script"]
    assert content["assumeRole"] == graph.one(ROLE, "maintenance-off").outputs["arn"]
    assert content["parameters"]["Force"]["default"] == "false"


@pytest.mark.parametrize(
    ("mode", "pairs"),
    [
        (
            "listener-rule",
            {
                ("elasticloadbalancing:DeleteRule", f"{LISTENER.replace(':listener/', ':listener-rule/')}/*"),
                ("elasticloadbalancing:DescribeRules", "*"),
                ("elasticloadbalancing:DescribeTargetHealth", "*"),
            },
        ),
        (
            "elastic-ip",
            {
                ("ec2:AssociateAddress", f"arn:aws:ec2:us-east-1:{ACCOUNT}:elastic-ip/{SERVER['allocation_id']}"),
                ("ec2:AssociateAddress", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{SERVER['instance_id']}"),
                ("ec2:DescribeAddresses", "*"),
                ("ec2:DescribeInstanceStatus", "*"),
            },
        ),
    ],
)
def test_the_way_back_may_do_that_and_no_more(graphs, mode, pairs):
    assert allowed(graphs[mode], "maintenance-off") == pairs | NEWS


def test_the_way_back_may_release_this_check_alone(graphs):
    graph = graphs["dns"]
    arn = graph.one("aws:route53/healthCheck:HealthCheck").outputs["arn"]
    assert allowed(graph, "maintenance-off") == {
        ("route53:GetHealthCheck", arn),
        ("route53:UpdateHealthCheck", arn),
        *NEWS,
    }


@pytest.mark.parametrize("mode", MODES)
def test_the_schedule_may_start_the_way_back_and_nothing_else(graphs, mode):
    graph = graphs[mode]
    name = "learning-platform-staging-maintenance"
    here = f"arn:aws:ssm:us-east-1:{ACCOUNT}"
    assert allowed(graph, "maintenance-scheduler") == {
        ("ssm:StartAutomationExecution", f"{here}:automation-definition/{name}-off:*"),
        ("ssm:StartAutomationExecution", f"{here}:document/{name}-off"),
        ("sqs:SendMessage", graph.one("aws:sqs/queue:Queue").outputs["arn"]),
        ("iam:PassRole", graph.one(ROLE, "maintenance-off").outputs["arn"]),
    }
    assert trusted(graph, "maintenance-scheduler") == (
        "scheduler.amazonaws.com",
        {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/{name}"},
        },
    )
    assert trusted(graph, "maintenance-off")[0] == "ssm.amazonaws.com"
    assert graph.one("aws:scheduler/scheduleGroup:ScheduleGroup").inputs["name"] == name


def test_a_page_that_does_not_go_off_is_told(graphs):
    graph = graphs["elastic-ip"]
    rule, target = graph.one("aws:cloudwatch/eventRule:EventRule"), graph.one("aws:cloudwatch/eventTarget:EventTarget")
    assert json.loads(rule.inputs["eventPattern"]) == {
        "source": ["aws.ssm"],
        "detail-type": ["EC2 Automation Execution Status-change Notification"],
        "detail": {
            "Definition": [graph.one(DOCUMENT, "maintenance-off").inputs["name"]],
            "Status": ["Cancelled", "Failed", "TimedOut"],
        },
    }
    assert (target.inputs["arn"], target.inputs["deadLetterConfig"]) == (
        f"{TOPIC}-high",
        {"arn": graph.one("aws:sqs/queue:Queue").outputs["arn"]},
    )
    marks = set(target.inputs["inputTransformer"]["inputPaths"])
    template = target.inputs["inputTransformer"]["inputTemplate"]
    assert all(f"<{mark}>" in template for mark in marks)
    told = (
        template.replace("<time>", "2026-07-05T02:11:00Z").replace("<execution>", "e-1").replace("<status>", "Failed")
    )
    signal = escalation.read(json.dumps({"TopicArn": "t", "Message": told}), {"t": "high"})
    assert (signal.said, signal.reason) == ("raised", "Execution e-1 ended as Failed.")
    assert allowed(graph, "maintenance-off-failed") == {
        ("sns:Publish", f"{TOPIC}-high"),
        ("kms:Decrypt", TOPIC_KEY),
        ("kms:GenerateDataKey*", TOPIC_KEY),
    }


# Certificates


def test_without_a_server_no_certificate_is_handed_over(graphs):
    assert graphs["listener-rule"].of(BUCKET, "aws:kms/key:Key") == ()


def test_a_handed_over_certificate_lies_a_day_at_most_under_a_key_of_its_own(full):
    bucket = full.one(BUCKET, "maintenance-hand-over")
    [rule] = full.one(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "maintenance-hand-over"
    ).inputs["rules"]
    assert (rule["expiration"], rule["noncurrentVersionExpiration"]) == ({"days": 1}, {"noncurrentDays": 1})
    [encryption] = full.one(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "maintenance-hand-over",
    ).inputs["rules"]
    assert encryption["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": full.one("aws:kms/key:Key").outputs["arn"],
    }
    assert bucket.inputs["tags"]["Purpose"] == "state"
    assert full.one("aws:s3/bucketLogging:BucketLogging").inputs["bucket"] == bucket.id


def test_who_hands_over_can_only_put_and_who_takes_over_only_fetch_and_delete(full):
    key, bucket = full.one("aws:kms/key:Key"), full.one(BUCKET, "maintenance-hand-over")
    lies = f"{bucket.outputs['arn']}/hand-over/{SERVER['host']}.tar.gz"
    assert full.one(POLICY, "maintenance-hand-over").inputs["role"] == "prime"
    assert allowed(full, "maintenance-hand-over") == {
        ("s3:PutObject", lies),
        ("kms:GenerateDataKey", key.outputs["arn"]),
        ("cloudwatch:PutMetricData", "*"),
        ("ssm:SendCommand", f"arn:aws:ssm:us-east-1:{ACCOUNT}:document/configuration-backup"),
        ("ssm:SendCommand", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{SERVER['instance_id']}"),
    }
    assert full.one(POLICY, "maintenance-take-over").inputs["role"] == full.one(ROLE, "maintenance").outputs["name"]
    assert allowed(full, "maintenance-take-over") == {
        ("s3:GetObjectVersion", lies),
        ("s3:DeleteObjectVersion", lies),
        ("s3:ListBucketVersions", bucket.outputs["arn"]),
        ("kms:Decrypt", key.outputs["arn"]),
        ("cloudwatch:PutMetricData", "*"),
    }


def test_metrics_are_counted_in_one_namespace_alone(full):
    for name in ("maintenance-hand-over", "maintenance-take-over"):
        conditions = [
            statement["Condition"]
            for statement in json.loads(full.one(POLICY, name).inputs["policy"])["Statement"]
            if statement["Action"] == ["cloudwatch:PutMetricData"]
        ]
        assert conditions == [{"StringEquals": {"cloudwatch:namespace": "learning-platform-staging-maintenance"}}]


def test_a_role_that_the_settings_do_not_name_is_left_alone(graphs):
    assert [p.name for p in graphs["dns"].of(POLICY) if p.name == "maintenance-hand-over"] == []


def test_each_document_runs_on_its_own_machine_at_its_time(full):
    page, server = full.one(INSTANCE).id, SERVER["instance_id"]
    assert {
        one.name.removeprefix("maintenance-"): (
            one.inputs["targets"][0]["values"][0],
            one.inputs["scheduleExpression"],
            one.inputs.get("applyOnlyAtCronInterval"),
        )
        for one in full.of(ASSOCIATION)
    } == {
        "page": (page, "rate(1 day)", None),
        "take-over": (page, "rate(30 minutes)", None),
        "days-left-maintenance": (page, "rate(1 day)", None),
        "days-left-server": (server, "rate(1 day)", None),
        "hand-over": (server, "cron(0 2 ? * SUN *)", True),
        "certbot": (server, "rate(7 days)", None),
        "certbot-drill": (server, "cron(0 5 ? * SUN#1 *)", True),
    }
    names = {one.name: one.inputs["name"] for one in full.of(DOCUMENT)}
    assert {one.name: one.inputs["name"] for one in full.of(ASSOCIATION)}.items() <= names.items()


def test_the_scripts_are_told_where_and_who(full):
    bucket = full.one(BUCKET, "maintenance-hand-over").outputs["bucket"]
    exports = {
        line.removeprefix("export ")
        for line in script(full, "maintenance-hand-over").splitlines()
        if line.startswith("export ")
    }
    assert exports == {
        f"ACCOUNT={ACCOUNT}",
        "AWS_DEFAULT_REGION=us-east-1",
        f"BUCKET={bucket}",
        f"HOST={SERVER['host']}",
        f"KEY_ARN={full.one('aws:kms/key:Key').outputs['arn']}",
    }


def test_certbot_is_off_unless_a_stack_asks_for_it(graphs, full):
    names = {document.name for document in graphs["dns"].of(DOCUMENT)}
    added = {document.name for document in full.of(DOCUMENT)} - names
    assert added == {"maintenance-certbot", "maintenance-certbot-drill"}


# The whole


@pytest.mark.parametrize("mode", MODES)
def test_the_inventory_has_what_a_command_needs(graphs, mode):
    entry = graphs[mode].exports["entry"]
    common = {
        *("mode", "instanceId", "host", "url", "healthPath", "priority", "muteRule", "offDocument", "untilDocument"),
        *("scheduleGroup", "scheduleRoleArn", "deadLetterArn", "bucket", "documents", "serverInstanceId"),
    }
    own = {
        "listener-rule": {"listenerArn", "liveTargetGroupArn", "targetGroupArn"},
        "elastic-ip": {"allocationId"},
        "dns": {"healthCheckId", "zoneId"},
    }
    assert set(entry) == common | own[mode]
    assert entry["mode"] == mode
    host = "app.learning.example" if mode == "listener-rule" else SERVER["host"]
    assert (entry["host"], entry["url"]) == (host, f"https://{host}/")
    assert len(json.dumps(entry)) < 4096


def test_nothing_stays_unknown_and_nothing_is_secret(graphs, full):
    for graph in (*graphs.values(), full):
        assert graph.fidelity.unknown == ()
        assert [r.name for r in custom(graph) if "[secret]" in json.dumps(dict(r.inputs))] == []


def test_only_what_holds_data_is_protected(full):
    kept = {(r.type, r.name) for r in full.resources if r.protect}
    assert kept == {
        (BUCKET, "maintenance-hand-over"),
        (BUCKET, "maintenance-access-logs"),
        ("aws:kms/key:Key", "maintenance-hand-over"),
    }
    assert [r for r in maintenance(mode="elastic-ip", server=SERVER, protect=False).resources if r.protect] == []


def test_everything_is_a_child_of_the_component_and_carries_its_tags(full):
    assert {r.parent for r in custom(full)} == {full.one("learning-platform:maintenance:Maintenance").urn}
    tagged = [r.inputs["tags"] for r in custom(full) if "tags" in r.inputs]
    assert all(set(REQUIRED_TAGS) <= set(tags) for tags in tagged)
    assert {(tags["Service"], tags["RunbookRef"]) for tags in tagged} == {
        ("maintenance", "003_720b7a256857bf84.txt Scheduled Maintenance")
    }


def test_every_document_fits_and_reads_only_its_own_parameters(full):
    for document in full.of(DOCUMENT):
        content = document.inputs["content"]
        assert len(content.encode()) <= 64 * 1024
        assert set(json.loads(content).get("parameters", {})) <= {"Announce", "Force", "revision", "until"}


@pytest.mark.parametrize("text", ["echo {{ password }}", "a={{", "${x:-{{}}"])
def test_a_script_that_systems_manager_would_misread_is_refused(text):
    with pytest.raises(ValueError, match=r"^Systems Manager would read a parameter into the script: "):
        plan.command("A description", text)


def test_a_document_that_systems_manager_would_refuse_for_its_size_is_refused():
    with pytest.raises(ValueError, match=r"^The document takes \d+ bytes; Systems Manager takes 65536\.$"):
        plan.command("A description", "x" * 65_536)


def test_a_file_that_would_end_early_is_refused():
    with pytest.raises(ValueError, match=r"^The file a\.txt holds the line END_OF_FILE, which ends it\.$"):
        plan.script("install.sh", files={"a.txt": "one\nEND_OF_FILE\ntwo"})


def test_a_mode_without_its_server_says_so():
    with pytest.raises(UserError, match="Mode dns needs a server to stand in for"):
        maintenance(mode="dns")


def test_a_renewal_that_is_late_rings_on_either_machine_and_so_does_silence():
    graph = maintenance(mode="elastic-ip", server=SERVER, certbot={"late_days": 10})
    namespace = "learning-platform-staging-maintenance"
    found = {
        alarm.inputs["dimensions"]["Machine"]: (
            alarm.inputs["namespace"],
            alarm.inputs["dimensions"]["Host"],
            alarm.inputs["comparisonOperator"],
            alarm.inputs["threshold"],
            alarm.inputs["statistic"],
            alarm.inputs["treatMissingData"],
            alarm.inputs["alarmActions"],
        )
        for alarm in graph.of("aws:cloudwatch/metricAlarm:MetricAlarm")
        if alarm.inputs["metricName"] == "CertificateDaysLeft"
    }
    late = (namespace, SERVER["host"], "LessThanThreshold", 10, "Minimum", "breaching", [f"{TOPIC}-high"])
    assert found == {"maintenance": late, "server": late}
