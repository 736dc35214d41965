"""What the web tier declares."""

import base64
import json
from collections import Counter

import pulumi
import pytest

from components._keys import Home
from components.web import WebTier, WebTierArgs, boot
from runbook.preview.capture import capture
from runbook.preview.sdk import resource_type
from settings.naming import REQUIRED_TAGS, Labels

ACCOUNT = "210987654321"
LABELS = Labels(project="learning-platform", environment="staging", owner="platform", cost_center="lp")
GROUP = "aws:autoscaling/group:Group"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
LISTENER = "aws:lb/listener:Listener"
LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
POLICY = "aws:autoscaling/policy:Policy"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
WEB_ACL = "aws:wafv2/webAcl:WebAcl"


def arguments(**changes):
    given = {
        "home": Home(partition="aws", account_id=ACCOUNT, region="us-east-1"),
        "vpc_id": "vpc-1",
        "public_subnet_ids": ["subnet-public-a", "subnet-public-b"],
        "app_subnet_ids": ["subnet-app-a", "subnet-app-b"],
        "zone_id": "Z123",
        "host": "learn.example.org",
        "instance_class": "t3.small",
        "min_instances": 1,
        "max_instances": 2,
        "cpu_target_percent": 65.0,
        "memory_target_percent": 74.0,
        "cooldown_seconds": 240,
        "app_port": 8080,
        "health_path": "/health",
        "requests_per_5_minutes": 1500,
        "log_retention_days": 400,
        "agent_schedule": "rate(1 day)",
        "logs_key_arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
        "protect": True,
    }
    return WebTierArgs(**{**given, **changes})


def web(**changes):
    args = arguments(**changes)
    config = {"aws:region": "us-east-1", "aws:allowedAccountIds": json.dumps([ACCOUNT])}
    return capture(lambda: WebTier("web", args, labels=LABELS) and None, config=config)


@pytest.fixture(scope="module")
def graph():
    return web()


def children(graph):
    return [r for r in graph.resources if r.custom and not r.type.startswith("pulumi:")]


def sources(graph, resource, prop):
    """(type, name) of what a property's value was made from."""
    found = (graph.by_urn[urn] for urn in resource.property_dependencies.get(prop, ()))
    return {(r.type, r.name) for r in found}


def statements(text):
    return {statement["Sid"]: statement for statement in json.loads(text)["Statement"]}


def test_the_tier_is_made_of_these_resources_and_all_are_its_children(graph):
    owner = graph.one("learning-platform:web:WebTier").urn
    assert {r.parent for r in children(graph)} == {owner}
    assert Counter(r.type.rpartition(":")[2] for r in children(graph)) == {
        "Association": 1,
        "Bucket": 1,
        "BucketLifecycleConfiguration": 1,
        "BucketOwnershipControls": 1,
        "BucketPolicy": 1,
        "BucketPublicAccessBlock": 1,
        "BucketServerSideEncryptionConfiguration": 1,
        "BucketVersioning": 1,
        "Certificate": 1,
        "CertificateValidation": 1,
        "Document": 1,
        "Group": 1,
        "InstanceProfile": 1,
        "LaunchTemplate": 1,
        "Listener": 2,
        "LoadBalancer": 1,
        "LogGroup": 3,
        "LogResourcePolicy": 1,
        "Parameter": 1,
        "Policy": 2,
        "Record": 2,
        "Role": 1,
        "RolePolicy": 1,
        "RolePolicyAttachment": 1,
        "SecurityGroup": 2,
        "SecurityGroupEgressRule": 2,
        "SecurityGroupIngressRule": 3,
        "TargetGroup": 1,
        "WebAcl": 1,
        "WebAclAssociation": 1,
        "WebAclLoggingConfiguration": 1,
    }


def test_nothing_stays_unknown_and_nothing_is_secret(graph):
    assert graph.fidelity.unknown == ()
    assert [r.name for r in children(graph) if "[secret]" in json.dumps(dict(r.inputs))] == []


def test_a_second_run_changes_nothing(graph):
    again = web()
    assert [(r.urn, r.inputs) for r in again.resources] == [(r.urn, r.inputs) for r in graph.resources]


def test_everything_that_takes_tags_carries_the_required_ones(graph):
    def tags(resource):
        given = resource.inputs.get("tags", {})
        return given if isinstance(given, dict) else {tag["key"]: tag["value"] for tag in given}

    taggable = [r for r in children(graph) if "tags" in resource_type(r.type).inputs]
    assert taggable
    assert [(r.type, r.name) for r in taggable if set(REQUIRED_TAGS) - set(tags(r))] == []


# --- who reaches what


def test_the_internet_reaches_the_load_balancer_and_only_that_reaches_the_instances(graph):
    groups = {g.id: g.name for g in graph.of(SECURITY_GROUP)}

    def rules(direction):
        return {
            (
                groups[r.inputs["securityGroupId"]],
                r.inputs["ipProtocol"],
                (r.inputs["fromPort"], r.inputs["toPort"]),
                r.inputs.get("cidrIpv4") or groups[r.inputs["referencedSecurityGroupId"]],
            )
            for r in graph.of(f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule")
        }

    assert rules("Ingress") == {
        ("web-alb", "tcp", (80, 80), "0.0.0.0/0"),
        ("web-alb", "tcp", (443, 443), "0.0.0.0/0"),
        ("web-app", "tcp", (8080, 8080), "web-alb"),
    }
    assert rules("Egress") == {
        ("web-alb", "tcp", (8080, 8080), "web-app"),
        ("web-app", "tcp", (443, 443), "0.0.0.0/0"),
    }


def test_only_the_load_balancers_group_is_marked_as_the_edge(graph):
    assert {g.name: g.inputs["tags"]["Tier"] for g in graph.of(SECURITY_GROUP)} == {"web-alb": "edge", "web-app": "app"}


def test_groups_and_rules_say_what_they_are_for_and_no_rule_is_inline(graph):
    described = [r for r in children(graph) if "securityGroup" in r.type.partition("/")[2]]
    assert len({r.inputs["description"] for r in described}) == len(described) == 7
    assert [g.name for g in graph.of(SECURITY_GROUP) if {"ingress", "egress"} & set(g.inputs)] == []


# --- the instances


def test_an_instance_is_born_private_encrypted_and_without_the_old_metadata_service(graph):
    template = graph.one(LAUNCH_TEMPLATE)
    security_group = graph.one(SECURITY_GROUP, "web-app").id
    assert template.inputs["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpPutResponseHopLimit": 1,
        "httpTokens": "required",
        "instanceMetadataTags": "enabled",
    }
    assert template.inputs["networkInterfaces"] == [
        {
            "associatePublicIpAddress": "false",
            "deleteOnTermination": "true",
            "deviceIndex": 0,
            "securityGroups": [security_group],
        }
    ]
    assert [(d["deviceName"], d["ebs"]["encrypted"]) for d in template.inputs["blockDeviceMappings"]] == [
        ("/dev/xvda", "true")
    ]
    assert template.inputs["monitoring"] == {"enabled": True}
    assert "keyName" not in template.inputs


def test_what_a_launch_makes_is_tagged_like_the_template(graph):
    template = graph.one(LAUNCH_TEMPLATE)
    assert {s["resourceType"]: s["tags"] for s in template.inputs["tagSpecifications"]} == dict.fromkeys(
        ("instance", "network-interface", "volume"), template.inputs["tags"]
    )


def test_an_instance_starts_with_the_boot_script_for_its_port_and_path():
    template = web(app_port=9443, health_path="/well").one(LAUNCH_TEMPLATE)
    script = base64.b64decode(template.inputs["userData"]).decode()
    assert script == boot.user_data(app_port=9443, health_path="/well")


def test_the_image_follows_amazon_linux_unless_one_is_pinned(graph):
    follows = graph.one(LAUNCH_TEMPLATE).inputs["imageId"]
    pinned = web(image_id="ami-0123456789abcdef0").one(LAUNCH_TEMPLATE).inputs["imageId"]
    assert follows == "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    assert pinned == "ami-0123456789abcdef0"


def test_the_group_has_the_bounds_it_is_given_and_leaves_the_size_between_them_to_scaling(graph):
    group = graph.one(GROUP).inputs
    assert (group["minSize"], group["maxSize"]) == (1, 2)
    assert "desiredCapacity" not in group
    assert group["vpcZoneIdentifiers"] == ["subnet-app-a", "subnet-app-b"]
    assert (group["defaultCooldown"], group["defaultInstanceWarmup"]) == (240, 240)


def test_the_load_balancer_decides_which_instance_is_healthy(graph):
    group = graph.one(GROUP)
    assert group.inputs["healthCheckType"] == "ELB"
    assert sources(graph, group, "targetGroupArns") == {("aws:lb/targetGroup:TargetGroup", "web")}
    check = graph.one("aws:lb/targetGroup:TargetGroup").inputs["healthCheck"]
    assert {key: check[key] for key in ("path", "port", "protocol", "matcher")} == {
        "path": "/health",
        "port": "traffic-port",
        "protocol": "HTTP",
        "matcher": "200",
    }


def test_the_group_waits_for_healthy_instances_and_so_for_the_listener(graph):
    group = graph.one(GROUP)
    assert group.inputs["minElbCapacity"] == 1
    assert graph.one(LISTENER, "web-https").urn in group.dependencies


def test_a_new_template_replaces_the_instances_one_ahead_of_the_other(graph):
    group = graph.one(GROUP)
    assert sources(graph, group, "launchTemplate") == {(LAUNCH_TEMPLATE, "web")}
    assert group.inputs["launchTemplate"]["version"] == str(graph.one(LAUNCH_TEMPLATE).outputs["latestVersion"])
    assert group.inputs["instanceRefresh"] == {
        "strategy": "Rolling",
        "preferences": {
            "autoRollback": False,
            "instanceWarmup": "240",
            "maxHealthyPercentage": 200,
            "minHealthyPercentage": 100,
        },
    }
    assert group.inputs["instanceMaintenancePolicy"] == {"maxHealthyPercentage": 200, "minHealthyPercentage": 100}


def test_a_pinned_image_lets_auto_scaling_roll_back():
    group = web(image_id="ami-0123456789abcdef0").one(GROUP)
    assert group.inputs["instanceRefresh"]["preferences"]["autoRollback"] is True


def test_the_groups_tags_reach_its_instances(graph):
    assert {tag["propagateAtLaunch"] for tag in graph.one(GROUP).inputs["tags"]} == {True}


# --- scaling and the memory metric


def test_the_group_scales_on_cpu_and_memory(graph):
    policies = {p.name: p for p in graph.of(POLICY)}
    assert set(policies) == {"web-cpu", "web-memory"}
    assert policies["web-cpu"].inputs["targetTrackingConfiguration"] == {
        "predefinedMetricSpecification": {"predefinedMetricType": "ASGAverageCPUUtilization"},
        "targetValue": 65.0,
    }
    assert policies["web-memory"].inputs["targetTrackingConfiguration"]["targetValue"] == 74.0
    for policy in policies.values():
        assert policy.inputs["policyType"] == "TargetTrackingScaling"
        assert sources(graph, policy, "autoscalingGroupName") == {(GROUP, "web")}


def test_the_memory_metric_is_fed_from_end_to_end(graph):
    """Group, template, profile, role, permission; and parameter, document, association, the same group."""
    group, template = graph.one(GROUP), graph.one(LAUNCH_TEMPLATE)
    metric = graph.one(POLICY, "web-memory").inputs["targetTrackingConfiguration"]["customizedMetricSpecification"]
    parameter = graph.one("aws:ssm/parameter:Parameter")
    document = graph.one("aws:ssm/document:Document")
    association = graph.one("aws:ssm/association:Association")
    config = json.loads(parameter.inputs["insecureValue"])
    dimension = metric["metricDimensions"][0]

    # What the policy reads is what the agent writes: namespace, metric, and the sum by the one dimension.
    assert metric == {
        "metricDimensions": [{"name": "AutoScalingGroupName", "value": group.inputs.get("name", group.id)}],
        "metricName": "mem_used_percent",
        "namespace": "CWAgent",
        "statistic": "Average",
    }
    assert config["metrics"]["namespace"] == metric["namespace"]
    assert metric["metricName"] in config["metrics"]["metrics_collected"]["mem"]["measurement"]
    assert [dimension["name"]] in config["metrics"]["aggregation_dimensions"]
    assert config["metrics"]["append_dimensions"][dimension["name"]] == f"${{aws:{dimension['name']}}}"

    # The association runs the document with the parameter on the instances of the same group.
    assert association.inputs["name"] == document.inputs.get("name", document.id)
    assert association.inputs["targets"] == [{"key": "tag:aws:autoscaling:groupName", "values": [dimension["value"]]}]
    assert association.inputs["scheduleExpression"] == "rate(1 day)"
    content = json.loads(document.inputs["content"])
    (taken,) = content["parameters"]
    assert association.inputs["parameters"] == {taken: parameter.inputs["name"]}
    configure = content["mainSteps"][1]["inputs"]["runCommand"][-1]
    assert configure.endswith(f"-a append-config -m ec2 -s -c 'ssm:{{{{ {taken} }}}}'")

    # The group's instances have a role that Systems Manager manages and that may write this metric and read that name.
    assert sources(graph, group, "launchTemplate") == {(template.type, template.name)}
    profile = graph.one("aws:iam/instanceProfile:InstanceProfile")
    role = graph.one("aws:iam/role:Role")
    attachment = graph.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    permission = graph.one("aws:iam/rolePolicy:RolePolicy")
    assert sources(graph, template, "iamInstanceProfile") == {(profile.type, profile.name)}
    for holder in (profile, attachment, permission):
        assert sources(graph, holder, "role") == {(role.type, role.name)}
    assert attachment.inputs["policyArn"] == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    allowed = statements(permission.inputs["policy"])
    assert allowed["PutMetrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": metric["namespace"]}}
    assert allowed["ReadConfiguration"]["Resource"] == [parameter.outputs["arn"]]


def test_the_role_may_do_what_the_agent_does_and_no_more(graph):
    allowed = statements(graph.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    arns = {g.name: g.outputs["arn"] for g in graph.of(LOG_GROUP)}
    assert {sid: (set(s["Action"]), s["Resource"]) for sid, s in allowed.items()} == {
        "PutMetrics": ({"cloudwatch:PutMetricData"}, ["*"]),
        "KnowItself": ({"ec2:DescribeTags", "ec2:DescribeVolumes"}, ["*"]),
        "WriteLogs": (
            {"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
            [f"{arns['web-application']}:*", f"{arns['web-system']}:*"],
        ),
        "ReadConfiguration": ({"ssm:GetParameter"}, [graph.one("aws:ssm/parameter:Parameter").outputs["arn"]]),
    }


def test_the_agents_configuration_fits_a_standard_parameter(graph):
    parameter = graph.one("aws:ssm/parameter:Parameter").inputs
    assert parameter["name"] == "/learning-platform/staging/web/cloudwatch-agent"
    assert parameter["type"] == "String"
    assert len(parameter["insecureValue"]) <= 4096


# --- the edge


def test_https_is_served_with_tls_1_2_or_1_3_and_http_only_redirects(graph):
    https, http = graph.one(LISTENER, "web-https"), graph.one(LISTENER, "web-http")
    assert (https.inputs["port"], https.inputs["protocol"]) == (443, "HTTPS")
    assert https.inputs["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert [action["type"] for action in https.inputs["defaultActions"]] == ["forward"]
    assert (http.inputs["port"], http.inputs["defaultActions"]) == (
        80,
        [{"redirect": {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}, "type": "redirect"}],
    )


def test_browsers_are_told_to_stay_with_https_and_not_told_what_serves_them(graph):
    https = graph.one(LISTENER, "web-https").inputs
    assert https["routingHttpResponseStrictTransportSecurityHeaderValue"] == "max-age=31536000"
    assert https["routingHttpResponseServerEnabled"] is False


def test_the_listener_waits_for_a_certificate_that_dns_has_proved(graph):
    certificate = graph.one("aws:acm/certificate:Certificate")
    validation = graph.one("aws:acm/certificateValidation:CertificateValidation")
    record = graph.one("aws:route53/record:Record", "web-certificate")
    (option,) = certificate.outputs["domainValidationOptions"]
    assert (certificate.inputs["domainName"], certificate.inputs["validationMethod"]) == ("learn.example.org", "DNS")
    assert (record.inputs["zoneId"], record.inputs["name"], record.inputs["type"], record.inputs["records"]) == (
        "Z123",
        option["resourceRecordName"],
        option["resourceRecordType"],
        [option["resourceRecordValue"]],
    )
    assert sources(graph, validation, "validationRecordFqdns") == {(record.type, record.name)}
    assert sources(graph, graph.one(LISTENER, "web-https"), "certificateArn") == {(validation.type, validation.name)}


def test_the_host_is_a_name_of_the_load_balancer(graph):
    balancer = graph.one(LOAD_BALANCER).outputs
    record = graph.one("aws:route53/record:Record", "web").inputs
    assert (record["zoneId"], record["name"], record["type"]) == ("Z123", "learn.example.org", "A")
    assert record["aliases"] == [
        {"evaluateTargetHealth": True, "name": balancer["dnsName"], "zoneId": balancer["zoneId"]}
    ]


def test_the_load_balancer_is_hardened_and_stands_in_the_public_subnets(graph):
    balancer = graph.one(LOAD_BALANCER).inputs
    assert balancer["desyncMitigationMode"] == "defensive"
    assert balancer["dropInvalidHeaderFields"] is True
    assert (balancer["internal"], balancer["subnets"]) == (False, ["subnet-public-a", "subnet-public-b"])
    assert balancer["securityGroups"] == [graph.one(SECURITY_GROUP, "web-alb").id]


@pytest.mark.parametrize("protect", [True, False])
def test_protection_covers_the_load_balancer_and_its_logs_and_nothing_else(protect):
    graph = web(protect=protect)
    assert graph.one(LOAD_BALANCER).inputs["enableDeletionProtection"] is protect
    assert [r.name for r in children(graph) if r.protect] == (["web-access-logs"] if protect else [])


def test_access_logs_go_to_a_bucket_that_only_this_accounts_load_balancers_write_to(graph):
    bucket = graph.one("aws:s3/bucket:Bucket")
    policy = graph.one("aws:s3/bucketPolicy:BucketPolicy")
    balancer = graph.one(LOAD_BALANCER)
    assert balancer.inputs["accessLogs"] == {"bucket": bucket.outputs["bucket"], "enabled": True}
    # The service tries the bucket at once, so the policy is there before.
    assert policy.urn in balancer.dependencies
    assert statements(policy.inputs["policy"])["LoadBalancerWrites"] == {
        "Sid": "LoadBalancerWrites",
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": ["s3:PutObject"],
        "Resource": [f"{bucket.outputs['arn']}/AWSLogs/{ACCOUNT}/*"],
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:loadbalancer/*"}},
    }


def test_access_logs_are_encrypted_by_s3_and_kept_as_long_as_other_logs(graph):
    encryption = graph.one("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
    (rule,) = encryption.inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    (lifecycle,) = graph.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
    assert lifecycle["expiration"] == {"days": 400}
    assert graph.one("aws:s3/bucket:Bucket").inputs["tags"]["Purpose"] == "logs"


# --- the firewall


def test_the_firewall_stands_before_the_load_balancer(graph):
    association = graph.one("aws:wafv2/webAclAssociation:WebAclAssociation")
    assert sources(graph, association, "resourceArn") == {(LOAD_BALANCER, "web")}
    assert sources(graph, association, "webAclArn") == {(WEB_ACL, "web-firewall")}
    assert graph.one(WEB_ACL).inputs["scope"] == "REGIONAL"


def test_the_firewall_limits_each_address_first_and_then_asks_the_managed_groups(graph):
    rules = sorted(graph.one(WEB_ACL).inputs["rules"], key=lambda rule: rule["priority"])
    first, *managed = rules
    assert (first["priority"], first["action"]) == (0, {"block": {"customResponse": {"responseCode": 429}}})
    assert first["statement"] == {
        "rateBasedStatement": {"aggregateKeyType": "IP", "evaluationWindowSec": 300, "limit": 1500}
    }
    asked = [rule["statement"]["managedRuleGroupStatement"] for rule in managed]
    assert [(rule["name"], rule["overrideAction"]) for rule in managed] == [
        (group["name"], {"none": {}}) for group in asked
    ]
    assert [(group["vendorName"], group["name"], group["ruleActionOverrides"]) for group in asked] == [
        ("AWS", "AWSManagedRulesAmazonIpReputationList", []),
        ("AWS", "AWSManagedRulesKnownBadInputsRuleSet", []),
        (
            "AWS",
            "AWSManagedRulesCommonRuleSet",
            [{"actionToUse": {"count": {}}, "name": "SizeRestrictions_BODY"}],
        ),
        ("AWS", "AWSManagedRulesSQLiRuleSet", []),
    ]


def test_every_rule_of_the_firewall_and_the_whole_of_it_are_measured(graph):
    acl = graph.one(WEB_ACL).inputs
    seen = [part["visibilityConfig"] for part in (acl, *acl["rules"])]
    assert len({view["metricName"] for view in seen}) == len(seen) == 6
    assert {(view["cloudwatchMetricsEnabled"], view["sampledRequestsEnabled"]) for view in seen} == {(True, True)}


def test_the_firewall_logs_under_the_prefix_it_takes_and_leaves_sessions_out(graph):
    logging = graph.one("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration")
    group = graph.one(LOG_GROUP, "web-firewall")
    assert group.inputs["name"] == "aws-waf-logs-learning-platform-staging-web"
    assert logging.inputs["logDestinationConfigs"] == [group.outputs["arn"]]
    assert sources(graph, logging, "resourceArn") == {(WEB_ACL, "web-firewall")}
    assert logging.inputs["redactedFields"] == [
        {"singleHeader": {"name": "authorization"}},
        {"singleHeader": {"name": "cookie"}},
    ]


def test_the_firewalls_log_is_opened_to_log_delivery_before_logging_starts(graph):
    policy = graph.one("aws:cloudwatch/logResourcePolicy:LogResourcePolicy")
    group = graph.one(LOG_GROUP, "web-firewall")
    logging = graph.one("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration")
    assert policy.urn in logging.dependencies
    assert statements(policy.inputs["policyDocument"]) == {
        "FirewallWrites": {
            "Sid": "FirewallWrites",
            "Effect": "Allow",
            "Principal": {"Service": "delivery.logs.amazonaws.com"},
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [f"{group.outputs['arn']}:*"],
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:*"},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            },
        }
    }


# --- logs and hand-overs


def test_all_logs_are_encrypted_and_kept_as_long_as_asked(graph):
    assert {(g.inputs["name"], g.inputs["retentionInDays"]) for g in graph.of(LOG_GROUP)} == {
        ("/learning-platform/staging/web/application", 400),
        ("/learning-platform/staging/web/system", 400),
        ("aws-waf-logs-learning-platform-staging-web", 400),
    }
    keys = {g.inputs["kmsKeyId"] for g in graph.of(LOG_GROUP)}
    assert keys == {f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"}


def test_the_tier_hands_over_what_others_build_on():
    def program():
        tier = WebTier("web", arguments(), labels=LABELS)
        for name in WebTier.__annotations__:
            pulumi.export(name, getattr(tier, name))

    graph = capture(program)
    balancer, target = graph.one(LOAD_BALANCER).outputs, graph.one("aws:lb/targetGroup:TargetGroup").outputs
    assert graph.exports == {
        "firewall_metric": "WebTier",
        "firewall_log_group_name": "aws-waf-logs-learning-platform-staging-web",
        "access_log_bucket": graph.one("aws:s3/bucket:Bucket").outputs["bucket"],
        "alb_security_group_id": graph.one(SECURITY_GROUP, "web-alb").id,
        "app_security_group_id": graph.one(SECURITY_GROUP, "web-app").id,
        "arn_suffix": balancer["arnSuffix"],
        "autoscaling_group_name": graph.one(GROUP).outputs["name"],
        "certificate_arn": graph.one("aws:acm/certificate:Certificate").outputs["arn"],
        "dns_name": balancer["dnsName"],
        "instance_role_name": graph.one("aws:iam/role:Role").outputs["name"],
        "listener_arn": graph.one("aws:lb/listener:Listener", "web-https").outputs["arn"],
        "load_balancer_arn": balancer["arn"],
        "log_group_name": "/learning-platform/staging/web/application",
        "system_log_group_name": "/learning-platform/staging/web/system",
        "target_group_arn": target["arn"],
        "target_group_arn_suffix": target["arnSuffix"],
        "url": "https://learn.example.org",
        "web_acl_arn": graph.one(WEB_ACL).outputs["arn"],
    }


def test_a_group_that_follows_a_period_keeps_its_sizes_in_a_tag_and_leaves_them_to_the_schedule():
    graph = capture(lambda: WebTier("web", arguments(schedule="office"), labels=LABELS) and None)
    group = graph.one(GROUP)
    tags = {tag["key"]: (tag["value"], tag["propagateAtLaunch"]) for tag in group.inputs["tags"]}
    assert {key: tags[key] for key in ("Schedule", "ScheduleSizes")} == {
        "Schedule": ("office", False),
        "ScheduleSizes": ("1:2", False),
    }
    assert group.options["ignoreChanges"] == ["minSize", "maxSize", "desiredCapacity"]


def test_a_group_that_always_runs_has_neither():
    group = capture(lambda: WebTier("web", arguments(), labels=LABELS) and None).one(GROUP)
    assert {tag["key"] for tag in group.inputs["tags"]} & {"Schedule", "ScheduleSizes"} == set()
    assert "ignoreChanges" not in group.options
