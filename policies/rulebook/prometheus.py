"""Rules for Prometheus and Grafana: what is collected is fed, judged and told, and what is shown can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import yaml

from . import links
from .alarms import ALARM
from .coverage import ALERT_MANAGER, PROMETHEUS_RULES, TOPIC, WORKSPACE
from .deliveries import may_on
from .resource import Resource, Stack, is_list
from .rule import Fault, Level, Rule, Severity, StackRule, each, through
from .values import is_true_of_any, listed, number, show

CONFIGURATION = "aws:amp/workspaceConfiguration:WorkspaceConfiguration"
SCRAPER = "aws:amp/scraper:Scraper"
GRAFANA = "aws:grafana/workspace:Workspace"
ACCESS = "aws:grafana/roleAssociation:RoleAssociation"
ACCOUNT = "aws:grafana/workspaceServiceAccount:WorkspaceServiceAccount"
ASSOCIATION = "aws:ssm/association:Association"
PARAMETER = "aws:ssm/parameter:Parameter"
DOCUMENT = "aws:ssm/document:Document"

#: Days of metrics that prod keeps at least: a monthly review compares with the months before.
KEPT_DAYS = 90

#: Versions of Grafana that AWS offers; one that is left out, AWS picks.
VERSIONS = ("9.4", "10.4", "12.4", "13.2")

#: What may hold dashboards as code, and the property in which they stand.
_STORES = (
    ("aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion", "content"),
    ("aws:s3/bucketObjectv2:BucketObjectv2", "content"),
    (PARAMETER, "value"),
    (PARAMETER, "insecureValue"),
)

#: Where what a role may do is written.
_RIGHTS = (links.ROLE, links.ROLE_POLICY, links.POLICY, links.ATTACHMENT)

#: The properties of a parameter that hold its text.
_TEXTS = ("insecureValue", "value")


# Prometheus


def _prometheus(stack: Stack) -> Iterator[Fault]:
    parts = {
        WORKSPACE: (_fed, _judged, _managed, _kept),
        ALERT_MANAGER: (_manager,),
        PROMETHEUS_RULES: (_placed,),
        PARAMETER: (_sender,),
    }

    def judge(resource: Resource) -> Iterator[Fault]:
        return through(parts[resource.type], lambda part: part(stack, resource))

    yield from each(stack.of(*parts), judge)


def _fed(stack: Stack, workspace: Resource) -> Iterator[Fault]:
    """A scraper or an association of Systems Manager, whose parameter names the workspace, sends metrics."""
    parameters = [one for prop in _TEXTS for one in stack.referring(workspace, prop, PARAMETER)]
    senders = (
        *stack.referring(workspace, "destination", SCRAPER),
        *stack.referring(workspace, "parameters", ASSOCIATION),
        *(one for parameter in parameters for one in links.sources(stack, parameter, "parameters", ASSOCIATION)),
    )
    if not senders:
        yield Fault("Nothing sends metrics to the workspace: neither a scraper nor an association.", workspace.urn)
    for sender in senders:
        document = str(sender.section("name"))
        own = sender.type == ASSOCIATION and not document.startswith(("AWS-", "AmazonCloudWatch-"))
        if own and not links.targets(stack, sender, "name", DOCUMENT):
            yield Fault("What sends metrics runs a document that is not declared here.", sender.urn)
    agents = [sender for sender in senders if sender.type == ASSOCIATION]
    roles = (role for role in stack.of(links.ROLE))
    if agents and not is_true_of_any(roles, lambda role: may_on(stack, role, "aps:RemoteWrite", workspace)):
        yield Fault("No role of the stack may write to the workspace.", workspace.urn)


def _judged(stack: Stack, workspace: Resource) -> Iterator[Fault]:
    """Rules that alert look at what is collected."""
    groups = links.sources(stack, workspace, "workspaceId", PROMETHEUS_RULES)
    if not is_true_of_any(groups, lambda group: any(_alerts(group))):
        yield Fault("No rule looks at what Prometheus collects, so it alerts of nothing.", workspace.urn)


def _managed(stack: Stack, workspace: Resource) -> Iterator[Fault]:
    if not links.sources(stack, workspace, "workspaceId", ALERT_MANAGER):
        yield Fault("The workspace has no alert manager, so its alerts reach nobody.", workspace.urn)


def _kept(stack: Stack, workspace: Resource) -> Iterator[Fault]:
    """Its own failures are logged, and its data kept for a time that somebody chose."""
    if not workspace.section("loggingConfiguration", "logGroupArn"):
        yield Fault("The workspace logs nothing: why a rule or an alert failed is not to be found.", workspace.urn)
    settings = links.sources(stack, workspace, "workspaceId", CONFIGURATION)
    days = max((number(one.section("retentionPeriodInDays")) or 0 for one in settings), default=0)
    if not days:
        yield Fault("How long the workspace keeps what it collects is not said.", workspace.urn)
    elif stack.context.environment == "prod" and days < KEPT_DAYS:
        yield Fault(f"The workspace keeps {show(days)} days of metrics; {KEPT_DAYS} are demanded.", workspace.urn)


def _alerts(group: Resource) -> Iterator[Mapping[str, Any]]:
    """The alerting rules of a rules file; none where it cannot be read."""
    for part in mappings(as_yaml(group.section("data")).get("groups")):
        yield from (rule for rule in mappings(part.get("rules")) if rule.get("alert") and rule.get("expr"))


def _placed(stack: Stack, part: Resource) -> Iterator[Fault]:
    if not links.targets(stack, part, "workspaceId", WORKSPACE):
        yield Fault("It is for a workspace of Prometheus that is not declared here.", part.urn)


def _manager(stack: Stack, manager: Resource) -> Iterator[Fault]:
    """Alert manager tells topics of the stack, and every alert of a severity that the topic carries."""
    yield from _placed(stack, manager)
    config = as_yaml(as_yaml(manager.section("definition")).get("alertmanager_config"))
    receivers = {str(one.get("name")): one for one in mappings(config.get("receivers"))}
    deaf = [name for name, receiver in receivers.items() if not _tells(stack, receiver)]
    if not receivers:
        yield Fault("The alert manager has no receiver, so alerts reach nobody.", manager.urn)
    elif deaf:
        yield Fault(f"The alert manager's receiver {listed(deaf)} tells no topic that is declared here.", manager.urn)
    route = config.get("route")
    if receivers and (not isinstance(route, Mapping) or route.get("receiver") not in receivers):
        yield Fault("The alert manager has no route for alerts that no other route takes.", manager.urn)


def _tells(stack: Stack, receiver: Mapping[str, Any]) -> bool:
    topics = [one.get("topic_arn") for one in mappings(receiver.get("sns_configs"))]
    return bool(topics) and all(stack.with_id(arn, TOPIC) for arn in topics)


def _sender(stack: Stack, parameter: Resource) -> Iterator[Fault]:
    """A configuration that servers get, and that sends their metrics to Prometheus, names a workspace that is there."""
    if not links.sources(stack, parameter, "parameters", ASSOCIATION):
        return
    for prop in _TEXTS:
        config = as_yaml(parameter.section(prop)) if '"amp"' in str(parameter.section(prop)) else {}
        named = section(config, "metrics", "metrics_destinations", "amp", "workspace_id")
        if named and not stack.with_id(named, WORKSPACE):
            yield Fault("The agent sends metrics to a workspace that is not declared here.", parameter.urn)


@lru_cache(maxsize=64)
def as_yaml(written: Any) -> Mapping[str, Any]:
    """A YAML (or JSON) text as a mapping; empty where it is none."""
    try:
        value = yaml.safe_load(written) if isinstance(written, str) else None
    except yaml.YAMLError:
        return {}
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if is_list(value) else []


def section(value: Any, *path: str) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


# Grafana


def _grafana(stack: Stack) -> Iterator[Fault]:
    def judge(workspace: Resource) -> Iterator[Fault]:
        parts = (_sourced, _entered, _telling, _open, _showing)
        return through(parts, lambda part: part(stack, workspace))

    yield from each(stack.of(GRAFANA), judge)
    for token in (ACCESS, ACCOUNT):
        for one in stack.of(token):
            if not links.targets(stack, one, "workspaceId", GRAFANA):
                yield Fault("It is for a workspace of Grafana that is not declared here.", one.urn)


def _sourced(stack: Stack, workspace: Resource) -> Iterator[Fault]:
    shown = tuple(workspace.items("dataSources"))
    if "PROMETHEUS" in shown and not any(stack.of(WORKSPACE)):
        yield Fault("Grafana shows Prometheus, and no workspace of it is declared.", workspace.urn)
    there = {"CLOUDWATCH": ALARM, "PROMETHEUS": WORKSPACE}
    if missing := [source for source, token in there.items() if source not in shown and any(stack.of(token))]:
        yield Fault(f"Grafana does not show what the stack measures with {listed(missing)}.", workspace.urn)


def _entered(_: Stack, workspace: Resource) -> Iterator[Fault]:
    """People sign in somewhere, and into a version that somebody chose."""
    if not {*workspace.items("authenticationProviders")} & {"AWS_SSO", "SAML"}:
        yield Fault("Nobody can sign in to the workspace of Grafana: it has no authentication provider.", workspace.urn)
    version = workspace.section("grafanaVersion")
    if version not in VERSIONS:
        yield Fault(f"The version of Grafana is {show(version)}; {listed(VERSIONS)} are offered.", workspace.urn)


def _telling(stack: Stack, workspace: Resource) -> Iterator[Fault]:
    if "SNS" not in workspace.items("notificationDestinations"):
        if any(stack.of(TOPIC)):
            yield Fault("Grafana tells none of the topics that are declared: SNS is no destination.", workspace.urn)
        return
    roles = links.targets(stack, workspace, "roleArn", links.ROLE)
    topics = tuple(stack.of(TOPIC))
    if not any(may_on(stack, role, "sns:Publish", topic) for role in roles for topic in topics):
        yield Fault("Grafana is to tell people by a topic, and may publish to none that is declared.", workspace.urn)


def _open(stack: Stack, workspace: Resource) -> Iterator[Fault]:
    grants = links.sources(stack, workspace, "workspaceId", ACCESS)
    if not any(one.section("role") == "ADMIN" and (one.items("groupIds") or one.items("userIds")) for one in grants):
        yield Fault("Nobody administers the workspace of Grafana.", workspace.urn)


def _showing(stack: Stack, workspace: Resource) -> Iterator[Fault]:
    """Dashboards are code, and an account can bring them in."""
    sources = tuple(stack.of(WORKSPACE))
    kept = [one for source in sources for token, prop in _STORES for one in stack.referring(source, prop, token)]
    if sources and not any(one.type != PARAMETER or '"dashboards"' in _stored(one) for one in kept):
        yield Fault("No dashboard is kept as code, so the workspace of Grafana shows nothing.", workspace.urn)
    if not links.sources(stack, workspace, "workspaceId", ACCOUNT):
        yield Fault("No service account can bring dashboards into the workspace of Grafana.", workspace.urn)


def _stored(parameter: Resource) -> str:
    return "".join(str(parameter.section(prop) or "") for prop in _TEXTS)


PROMETHEUS_WHOLE = StackRule(
    id="mon-prometheus-whole",
    sentence="001_62c8c82a6a764433.txt §1: Prometheus: For collecting and storing metrics.",
    title="A workspace of Prometheus is fed, judged by rules, told by an alert manager, logged and kept.",
    why="Without one of these it costs money and tells nothing.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-4", "NIST AU-11"),
    remedy="Declare aws.amp.RuleGroupNamespace, AlertManagerDefinition, WorkspaceConfiguration and the workspace's "
    "logging_configuration, and an association that sends to it.",
    types=frozenset(
        {
            WORKSPACE,
            ALERT_MANAGER,
            PROMETHEUS_RULES,
            CONFIGURATION,
            SCRAPER,
            ASSOCIATION,
            PARAMETER,
            DOCUMENT,
            TOPIC,
            *_RIGHTS,
        }
    ),
    check=_prometheus,
)

GRAFANA_WHOLE = StackRule(
    id="mon-grafana-whole",
    sentence="001_62c8c82a6a764433.txt §1: Grafana: For visualizing metrics.",
    title="A workspace of Grafana has sources, dashboards, an administrator, a door, and topics to tell people by.",
    why="An empty workspace is found to be empty during an incident.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST SI-4",),
    remedy="Declare aws.grafana.RoleAssociation, WorkspaceServiceAccount, the dashboards (for example in AppConfig), "
    "and a role that may publish to the topic.",
    types=frozenset({GRAFANA, ACCESS, ACCOUNT, WORKSPACE, ALARM, TOPIC, *(token for token, _ in _STORES), *_RIGHTS}),
    check=_grafana,
)

RULES: tuple[Rule, ...] = (PROMETHEUS_WHOLE, GRAFANA_WHOLE)
