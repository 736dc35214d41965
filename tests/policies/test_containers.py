"""The rules for ECS and ECR: one change to a sound bag breaks one rule, in one sentence."""

from __future__ import annotations

import json

import pytest

from policies.rulebook import containers
from policies.rulebook.containers import CLUSTER, REPOSITORY, SCALING_POLICY, SCALING_TARGET, TASK
from policies.rulebook.coverage import SERVICE
from policies.rulebook.rule import Level, ResourceRule, Severity

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults
from .declared import Ref, declared

RULES = {rule.id: rule for rule in containers.RULES}
CONTAINER = {
    "name": "app",
    "user": "1000:1000",
    "readonlyRootFilesystem": True,
    "logConfiguration": {"logDriver": "awslogs"},
    "environment": [{"name": "TABLE", "value": "orders"}],
    "secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:secretsmanager:eu-west-1:1:secret:db"}],
}
DEFINITION = {
    "containerDefinitions": json.dumps([CONTAINER]),
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "taskRoleArn": "arn:aws:iam::1:role/work",
    "executionRoleArn": "arn:aws:iam::1:role/start",
}
DEPLOYED = {
    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    "alarms": {"enable": True, "rollback": True, "alarmNames": ["errors"]},
    "networkConfiguration": {"assignPublicIp": False},
}
SOUND = {
    TASK: DEFINITION,
    SERVICE: DEPLOYED,
    CLUSTER: {"settings": [{"name": "containerInsights", "value": "enhanced"}]},
    REPOSITORY: {"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}},
}


def broken(token, *path, to):
    judged = resource(token, "it", altered(SOUND[token], *path, to=to) if path else SOUND[token])
    applying = [rule for rule in containers.RULES if isinstance(rule, ResourceRule) and token in rule.types]
    return {rule.id: said for rule in applying if (said := faults(rule, judged))}


def task(**changes):
    container = {key: value for key, value in {**CONTAINER, **changes}.items() if value is not ABSENT}
    return json.dumps([container])


def test_the_section_holds_these_rules():
    assert [(rule.id, rule.severity, rule.level) for rule in containers.RULES] == [
        ("ecs-task-hardening", Severity.HIGH, Level.MANDATORY_IN_PROD),
        ("ecs-no-secret-env", Severity.CRITICAL, Level.MANDATORY),
        ("ecs-service-safe", Severity.HIGH, Level.MANDATORY_IN_PROD),
        ("ecs-insights", Severity.MEDIUM, Level.MANDATORY),
        ("ecs-autoscale-70", Severity.MEDIUM, Level.MANDATORY),
        ("ecr-immutable-scan", Severity.MEDIUM, Level.MANDATORY),
    ]


@pytest.mark.parametrize("token", sorted(SOUND))
def test_a_sound_bag_breaks_no_rule(token):
    assert broken(token, to=None) == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user": ABSENT}, "runs as whoever its image says, root by default"),
        ({"user": "root"}, "runs as root"),
        ({"user": "0:0"}, "runs as root"),
        ({"privileged": True}, "is privileged: it is root on its host"),
        ({"readonlyRootFilesystem": ABSENT}, "can write to its own root file system"),
        ({"readonlyRootFilesystem": False}, "can write to its own root file system"),
        ({"logConfiguration": ABSENT}, "writes no log"),
        ({"logConfiguration": {"logDriver": "none"}}, "writes no log"),
    ],
)
def test_a_loose_container_is_named(changes, said):
    assert broken(TASK, "containerDefinitions", to=task(**changes)) == {
        "ecs-task-hardening": [f"The container app {said}."]
    }


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("containerDefinitions", "no json", "The task's container definitions cannot be read: they are no JSON list."),
        ("containerDefinitions", '{"name": "app"}',
         "The task's container definitions cannot be read: they are no JSON list."),
        ("networkMode", "host", "The task shares its host's network."),
        ("pidMode", "host", "The task shares its host's processes."),
        ("ipcMode", "host", "The task shares its host's memory."),
        ("taskRoleArn", DEFINITION["executionRoleArn"],
         "The task works with the role that starts it, and so may read every secret of its start."),
    ],
)  # fmt: skip
def test_a_loose_task_is_named(path, value, said):
    assert broken(TASK, path, to=value) == {"ecs-task-hardening": [said]}


def test_a_task_without_a_role_takes_its_host_s():
    alone = {**DEFINITION, "taskRoleArn": None}
    rule = RULES["ecs-task-hardening"]
    assert faults(rule, resource(TASK, "it", alone)) == []
    on_a_host = {**alone, "requiresCompatibilities": ["EC2"]}
    assert faults(rule, resource(TASK, "it", on_a_host)) == ["The task has no role, so it takes its host's."]


@pytest.mark.parametrize(
    ("variable", "kind"),
    [
        ({"name": "DB_PASSWORD", "value": "a1b2c3d4e5"}, "a password, token or secret with its value"),
        ({"name": "KEY", "value": "AKIA" + "ABCDEFGHIJKLMNOP"}, "an AWS access key"),
    ],
)
def test_a_secret_in_the_environment_is_named_and_not_told(variable, kind):
    assert broken(TASK, "containerDefinitions", to=task(environment=[variable])) == {
        "ecs-no-secret-env": [f"The container app's variable {variable['name']} holds {kind}."]
    }


NO_WAY_BACK = "A deployment that fails is not rolled back: neither a circuit breaker with rollback nor blue/green."
NO_ALARMS = "A deployment that makes alarms ring is not rolled back: no alarms are wired to it."


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("networkConfiguration", "assignPublicIp"), True, ["The service's tasks get public addresses."]),
        (("networkConfiguration",), ABSENT, []),
        (("deploymentCircuitBreaker",), ABSENT, [NO_WAY_BACK]),
        (("deploymentCircuitBreaker", "rollback"), False, [NO_WAY_BACK]),
        (("deploymentCircuitBreaker", "enable"), ABSENT, [NO_WAY_BACK]),
        (("alarms",), ABSENT, [NO_ALARMS]),
        (("alarms", "rollback"), False, [NO_ALARMS]),
        (("alarms", "alarmNames"), [], [NO_ALARMS]),
    ],
)
def test_a_deployment_that_nothing_turns_back_is_named(path, value, said):
    assert broken(SERVICE, *path, to=value) == ({"ecs-service-safe": said} if said else {})


def test_blue_green_keeps_the_old_tasks():
    bag = {"deploymentConfiguration": {"strategy": "BLUE_GREEN"}, "alarms": DEPLOYED["alarms"]}
    assert faults(RULES["ecs-service-safe"], resource(SERVICE, "it", bag)) == []


def test_another_controller_rolls_back_itself():
    bag = {"deploymentController": {"type": "CODE_DEPLOY"}}
    assert faults(RULES["ecs-service-safe"], resource(SERVICE, "it", bag)) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([{"name": "containerInsights", "value": "enabled"}], []),
        ([{"name": "containerInsights", "value": "disabled"}], ["The cluster's Container Insights are disabled."]),
        ([{"name": "other", "value": "enabled"}], ["The cluster's Container Insights are unset."]),
        (ABSENT, ["The cluster's Container Insights are unset."]),
    ],
)
def test_a_cluster_shows_its_containers(settings, said):
    assert broken(CLUSTER, "settings", to=settings) == ({"ecs-insights": said} if said else {})


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("imageTagMutability",), ABSENT,
         "A tag can be moved to another image: the repository's tags are MUTABLE."),
        (("imageTagMutability",), "IMMUTABLE_WITH_EXCLUSION",
         "A tag can be moved to another image: the repository's tags are IMMUTABLE_WITH_EXCLUSION."),
        (("imageScanningConfiguration",), ABSENT, "Images are not scanned when they are pushed."),
        (("imageScanningConfiguration", "scanOnPush"), False, "Images are not scanned when they are pushed."),
    ],
)  # fmt: skip
def test_a_repository_keeps_its_tags_and_scans(path, value, said):
    assert broken(REPOSITORY, *path, to=value) == {"ecr-immutable-scan": [said]}


@pytest.mark.parametrize(
    ("rule", "token", "path"),
    [
        ("ecs-task-hardening", TASK, ("containerDefinitions",)),
        ("ecs-task-hardening", TASK, ("pidMode",)),
        ("ecs-no-secret-env", TASK, ("containerDefinitions",)),
        ("ecs-service-safe", SERVICE, ("deploymentCircuitBreaker",)),
        ("ecs-insights", CLUSTER, ("settings",)),
        ("ecr-immutable-scan", REPOSITORY, ("imageTagMutability",)),
    ],
)
def test_an_unknown_value_is_no_pass(rule, token, path):
    with pytest.raises(UnknownValueError):
        faults(RULES[rule], resource(token, "it", altered(SOUND[token], *path, to=UNKNOWN)))


# Scaling

TRACKING = "targetTrackingScalingPolicyConfiguration"
STACK = {
    "service": (SERVICE, {"name": "backend"}),
    "scaled": (SCALING_TARGET, {"resourceId": Ref("service", "name", "service/prod/")}),
    "policy": (
        SCALING_POLICY,
        {
            "resourceId": Ref("scaled", "resourceId"),
            "policyType": "TargetTrackingScaling",
            TRACKING: {
                "predefinedMetricSpecification": {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
                "targetValue": 70.0,
                "scaleInCooldown": 300,
                "scaleOutCooldown": 300,
            },
        },
    ),
}
UNFOLLOWED = [("The service does not scale with its CPU: no target tracking policy follows it.", "service")]


def scaling(*changes, **options):
    return stack_faults(RULES["ecs-autoscale-70"], *declared(STACK, *changes, **options))


@pytest.mark.parametrize("preview", [False, True])
def test_a_service_that_follows_its_cpu_passes(preview):
    assert scaling(preview=preview) == []


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("gone", ["policy", "scaled"])
def test_a_service_that_nothing_scales_is_named(gone, preview):
    assert scaling(without=[gone], preview=preview) == UNFOLLOWED


def test_a_policy_may_name_the_service_itself():
    direct = {"policy": (SCALING_POLICY, {**STACK["policy"][1], "resourceId": Ref("service", "name", "service/prod/")})}
    assert scaling(without=["scaled"], extra=direct) == []


def test_a_daemon_runs_once_on_each_host():
    assert scaling(("service", ("schedulingStrategy",), "DAEMON"), without=["policy"]) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("policyType",), "StepScaling", UNFOLLOWED),
        ((TRACKING, "predefinedMetricSpecification", "predefinedMetricType"), "ALBRequestCountPerTarget", UNFOLLOWED),
        ((TRACKING, "targetValue"), 90,
         [("The policy aims at 90 percent of the CPU; the run book says 70.", "policy")]),
        ((TRACKING, "scaleOutCooldown"), 60,
         [("The policy waits 60 seconds after scaling out; the run book says 300 seconds.", "policy")]),
        ((TRACKING, "scaleInCooldown"), ABSENT,
         [("The policy waits as AWS does after scaling in; the run book says 300 seconds.", "policy")]),
        ((TRACKING, "disableScaleIn"), True, [("The policy never scales in.", "policy")]),
    ],
)  # fmt: skip
def test_a_policy_does_what_the_run_book_says(path, value, expected):
    assert scaling(("policy", path, value)) == expected


def test_an_unknown_target_is_no_pass():
    judged = declared(STACK, ("policy", (TRACKING, "targetValue"), UNKNOWN))
    assert not_evaluated(RULES["ecs-autoscale-70"], *judged)[0] == []
