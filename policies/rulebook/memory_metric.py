"""The rule that the memory metric is fed.

EC2 measures no memory. A memory policy therefore hangs on a chain: an agent is installed on the group's instances, is
given a configuration that collects ``mem_used_percent`` and sums it up by group, and the instances' role may send it.
With any link missing the policy waits for ever and nothing says so. Each missing link is a sentence of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import userdata
from .links import GRANTS, PROFILE, TEMPLATE, can, role_of, sources, targets, template_of
from .resource import SECRET, Resource, Stack
from .rule import Fault, Level, Severity, StackRule, each, through
from .scaling import (
    GROUP,
    GROUP_DIMENSION,
    MEMORY_METRIC,
    NAMESPACE,
    SCALING_POLICY,
    memory_namespace,
    names_group,
    reads_memory,
)
from .values import is_true_of_any, show

ASSOCIATION = "aws:ssm/association:Association"
DOCUMENT = "aws:ssm/document:Document"
PARAMETER = "aws:ssm/parameter:Parameter"

#: The tag that EC2 gives every instance of a group.
GROUP_TAG = "tag:aws:autoscaling:groupName"

_PACKAGE = "AmazonCloudWatchAgent"
_POLICIES = ("CloudWatchAgentServerPolicy", "CloudWatchAgentAdminPolicy")

#: AWS's own documents that install a package and configure the agent.
_INSTALLER, _CONFIGURER = "AWS-ConfigureAWSPackage", "AmazonCloudWatch-ManageAgent"

#: Where the agent takes the group's name from.
_OWN_GROUP = "${aws:AutoScalingGroupName}"


@dataclass(frozen=True, slots=True)
class _Run:
    """An association that runs on the group's instances, and its document where the stack declares it."""

    association: Resource
    document: Resource | None

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The inputs of the document's steps."""
        content = _object(self.document.section("content")) if self.document else {}
        steps = content.get("mainSteps")
        return [step["inputs"] for step in _dicts(steps) if isinstance(step.get("inputs"), dict)]

    def is_aws(self, document: str, **parameters: str) -> bool:
        """Whether it runs AWS's ``document`` with ``parameters``."""
        return self.association.section("name") == document and all(
            self.association.section("parameters", name) == value for name, value in parameters.items()
        )


def _is_fed(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        policies = sources(stack, group, "autoscalingGroupName", SCALING_POLICY)
        # One policy is enough to ask for the metric; ``asg-scales-on-cpu-and-memory`` says when there is none.
        for policy in [policy for policy in policies if reads_memory(policy)][:1]:
            namespace = show(memory_namespace(policy))
            links: tuple[Callable[[Stack, Resource], Iterator[Fault]], ...] = (
                partial(_permission, namespace=namespace),
                _installation,
                partial(_configuration, namespace=namespace),
            )
            yield from through(links, lambda link: link(stack, group))

    return each(stack.of(GROUP), judge)


def _permission(stack: Stack, group: Resource, *, namespace: str) -> Iterator[Fault]:
    templates = template_of(stack, group)
    role = role_of(stack, templates[0]) if templates else None
    if role is None:
        yield Fault(
            "Nothing may send the memory metric: the group's launch template has no profile with a role that the "
            "stack declares.",
            group.urn,
        )
    elif not can(stack, role, _POLICIES, "cloudwatch:PutMetricData", namespace=namespace):
        yield Fault(f"The role {role.name} may not put metrics into the namespace {namespace}.", group.urn)


def _installation(stack: Stack, group: Resource) -> Iterator[Fault]:
    if not is_true_of_any(_runs(stack, group), _installs) and not is_true_of_any(
        template_of(stack, group), _installs_at_boot
    ):
        yield Fault("No association installs the CloudWatch agent on the group's instances.", group.urn)


def _configuration(stack: Stack, group: Resource, *, namespace: str) -> Iterator[Fault]:
    parameters = {
        parameter.urn: parameter
        for run in _runs(stack, group)
        if _configures(run)
        for parameter in targets(stack, run.association, "parameters", PARAMETER)
    }
    if not parameters:
        yield Fault("No association gives the group's CloudWatch agent a configuration.", group.urn)
    yield from each(
        parameters.values(),
        lambda parameter: (Fault(sentence, parameter.urn) for sentence in _gaps(parameter, namespace)),
    )


def _runs(stack: Stack, group: Resource) -> Iterator[_Run]:
    def is_meant(association: Resource) -> bool:
        return is_true_of_any(_targeted(association), lambda path: names_group(stack, group, association, *path))

    for association in filter(is_meant, stack.of(ASSOCIATION)):
        documents = targets(stack, association, "name", DOCUMENT)
        yield _Run(association, documents[0] if documents else None)


def _targeted(association: Resource) -> Iterator[tuple[Any, ...]]:
    """The places of the group names that an association targets."""
    for index in range(len(association.items("targets"))):
        if association.section("targets", index, "key") == GROUP_TAG:
            for at in range(len(association.items("targets", index, "values"))):
                yield "targets", index, "values", at


def _installs(run: _Run) -> bool:
    if run.document is None:
        return run.is_aws(_INSTALLER, action="Install", name=_PACKAGE)
    return any(
        (inputs.get("name") == _PACKAGE and inputs.get("action") == "Install")
        or _installs_in_shell(json.dumps(inputs.get("runCommand")))
        for inputs in run.steps
    )


def _installs_at_boot(template: Resource) -> bool:
    text = template.section("userData")
    return isinstance(text, str) and _installs_in_shell(userdata.script(text))


def _installs_in_shell(script: str) -> bool:
    return " install " in script and "amazon-cloudwatch-agent" in script


def _configures(run: _Run) -> bool:
    if run.document is None:
        return run.is_aws(_CONFIGURER, optionalConfigurationSource="ssm")
    commands = (json.dumps(inputs.get("runCommand")) for inputs in run.steps)
    return any("amazon-cloudwatch-agent-ctl" in script and "ssm:" in script for script in commands)


def _gaps(parameter: Resource, namespace: str) -> Iterator[str]:
    """What an agent's configuration lacks, if the memory metric of ``namespace`` is to come from it."""
    text = parameter.section("insecureValue") or parameter.section("value")
    if text == SECRET:
        yield "The agent's configuration is kept as a secret, so nobody can judge it; use insecure_value."
        return
    metrics = _object(text).get("metrics")
    if not isinstance(metrics, dict):
        yield "The agent's configuration collects no metrics."
        return
    written = metrics.get("namespace", NAMESPACE)
    if written != namespace:
        yield f"The agent writes into the namespace {show(written)}; the memory policy reads {namespace}."
    if not _measures_memory(metrics):
        yield f"The agent's configuration does not collect {MEMORY_METRIC}."
    if [GROUP_DIMENSION] not in (metrics.get("aggregation_dimensions") or []):
        yield f"The agent's configuration does not sum metrics up by {GROUP_DIMENSION}."
    if _inner(metrics, "append_dimensions").get(GROUP_DIMENSION) != _OWN_GROUP:
        yield f"The agent's configuration does not add the dimension {GROUP_DIMENSION} to its metrics."


def _measures_memory(metrics: Mapping[str, Any]) -> bool:
    """A measurement is a name, with or without the plugin's, or an object that may rename it."""
    for one in _inner(_inner(metrics, "metrics_collected"), "mem").get("measurement") or []:
        name, renamed = (one.get("name"), one.get("rename")) if isinstance(one, dict) else (one, None)
        if name in (MEMORY_METRIC, MEMORY_METRIC.removeprefix("mem_")) and renamed in (None, MEMORY_METRIC):
            return True
    return False


def _object(text: Any) -> dict[str, Any]:
    """The JSON object in ``text``, empty where there is none."""
    try:
        body = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _inner(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


IS_FED = StackRule(
    id="asg-memory-metric-is-fed",
    sentence="000_b5883a9168e66709.txt §5: Autoscaling is configured based on CPU and memory usage.",
    title="Where a group scales on memory, something measures it: agent, configuration and permission are there.",
    why="EC2 measures no memory; with a link missing the policy waits for ever for a metric that never comes.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("aws/aws-cdk#34271",),
    remedy=(
        f"Target {GROUP_TAG} with an association that installs the agent and gives it an SSM parameter, sum up by "
        f"{GROUP_DIMENSION} there, and allow cloudwatch:PutMetricData to the instances' role."
    ),
    types=frozenset({GROUP, TEMPLATE, ASSOCIATION, DOCUMENT, PARAMETER, SCALING_POLICY, PROFILE, *GRANTS}),
    check=_is_fed,
)
