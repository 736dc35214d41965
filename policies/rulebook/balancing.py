"""Rules for the way of a request: from its port on the load balancer through listeners to targets that are well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .coverage import CERTIFICATE
from .edge import BALANCERS, LISTENER_RULES, LISTENERS, is_application
from .firewall import GROUP_RULES, GROUPS, Direction, is_set, within
from .links import TEMPLATE, sources, targets, template_of
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .scaling import GROUP
from .topology import INSTANCE, SUBNETS, WAYS, group_rules, internet_routes, ranges, source_groups
from .values import is_false, is_true_of_any, listed, number, show

TARGET_GROUPS = ("aws:lb/targetGroup:TargetGroup", "aws:alb/targetGroup:TargetGroup")
ATTACHMENTS = (
    "aws:lb/targetGroupAttachment:TargetGroupAttachment",
    "aws:alb/targetGroupAttachment:TargetGroupAttachment",
)
VALIDATION = "aws:acm/certificateValidation:CertificateValidation"
SERVER_CERTIFICATE = "aws:iam/serverCertificate:ServerCertificate"
SERVICE = "aws:ecs/service:Service"
SCALING_ATTACHMENT = "aws:autoscaling/attachment:Attachment"

#: Where browsers come to.
HTTPS_PORT, HTTP_PORT = 443, 80

#: Seconds in which a dead target must be found: ten minutes of errors are a page, one is a blip.
MOST_TO_NOTICE = 60

#: What the provider takes where a health check says nothing, and what AWS accepts (seconds; numbers of checks).
_UNSAID = {"interval": 30, "timeout": 5, "healthyThreshold": 3, "unhealthyThreshold": 3}
_BOUNDS = {"interval": (5, 300), "timeout": (2, 120), "healthyThreshold": (2, 10), "unhealthyThreshold": (2, 10)}

#: Where an instance or its launch template names groups.
_GROUP_PROPS = ("vpcSecurityGroupIds", "networkInterfaces")

#: What browsers may be told to remember about HTTPS, in seconds: a year is what they ask for.
_REMEMBERED = 31_536_000


# Doors


def _doors(stack: Stack) -> Iterator[Fault]:
    judges: tuple[Callable[[], Iterator[Fault]], ...] = (
        lambda: each(stack.of(*BALANCERS), lambda one: _balancer(stack, one)),
        lambda: each(stack.of(*LISTENERS), lambda one: _listener(stack, one)),
        lambda: each(stack.of(*LISTENER_RULES), lambda one: _rule(stack, one)),
    )
    return through(judges, lambda judged: judged())


def _balancer(stack: Stack, balancer: Resource) -> Iterator[Fault]:
    if not is_application(balancer) or is_true(balancer.section("internal")):
        return
    ports = _ports(stack, balancer)
    if HTTPS_PORT not in ports["HTTPS"]:
        yield Fault(f"No listener of the load balancer speaks HTTPS on port {HTTPS_PORT}.", balancer.urn)
    if HTTP_PORT not in ports["HTTP"]:
        yield Fault(f"Who comes to port {HTTP_PORT} of the load balancer is not led to HTTPS.", balancer.urn)


def _ports(stack: Stack, balancer: Resource) -> Mapping[str, list[float | None]]:
    found: dict[str, list[float | None]] = {"HTTPS": [], "HTTP": []}
    for listener in sources(stack, balancer, "loadBalancerArn", *LISTENERS):
        found.setdefault(_protocol(listener), []).append(number(listener.section("port")))
    return found


def _protocol(listener: Resource) -> str:
    return str(listener.section("protocol") or "HTTP")


def _listener(stack: Stack, listener: Resource) -> Iterator[Fault]:
    balancers = targets(stack, listener, "loadBalancerArn", *BALANCERS)
    if not balancers:
        yield Fault("The listener belongs to no load balancer of the stack.", listener.urn)
    shown = (CERTIFICATE, VALIDATION, SERVER_CERTIFICATE)
    if _protocol(listener) in ("HTTPS", "TLS") and not targets(stack, listener, "certificateArn", *shown):
        yield Fault("The listener shows no certificate that the stack declares.", listener.urn)
    yield from _actions(stack, listener, "defaultActions", "listener")
    for balancer in balancers:
        yield from _redirects(stack, balancer, listener, listener, "defaultActions")


def _rule(stack: Stack, rule: Resource) -> Iterator[Fault]:
    listeners = targets(stack, rule, "listenerArn", *LISTENERS)
    if not listeners:
        yield Fault("The listener's rule belongs to no listener of the stack.", rule.urn)
    yield from _actions(stack, rule, "actions", "listener's rule")
    conditions = [_said(rule, index) for index in range(len(rule.items("conditions")))]
    if not conditions or not all(conditions):
        yield Fault("The listener's rule has a condition that says nothing, so AWS refuses it.", rule.urn)
    elif all(any(text in ("*", "/*") for text in texts) for texts in conditions):
        yield Fault("The listener's rule takes every request: what the listener itself does never happens.", rule.urn)
    for listener in listeners:
        for balancer in targets(stack, listener, "loadBalancerArn", *BALANCERS):
            yield from _redirects(stack, balancer, listener, rule, "actions")
        twins = [
            other.name
            for other in sources(stack, listener, "listenerArn", *LISTENER_RULES)
            if other.urn != rule.urn and rule.section("priority") == other.section("priority") is not None
        ]
        if twins:
            yield Fault(f"{listed(twins)} has the priority {show(rule.section('priority'))} too.", rule.urn)


def _said(rule: Resource, index: int) -> list[str]:
    """What a condition asks for, as texts."""
    condition = rule.section("conditions", index)
    found = []
    for kind in condition if isinstance(condition, Mapping) else ():
        for one in rule.items("conditions", index, kind):
            bag = one if isinstance(one, Mapping) else {}
            values = [bag.get(key) for key in ("value", "values", "regexValues")]
            found += [str(text) for value in values if value for text in ([value] if isinstance(value, str) else value)]
    return found


def _actions(stack: Stack, holder: Resource, prop: str, noun: str) -> Iterator[Fault]:
    """What a listener or a rule does in the end has to lead somewhere."""
    count = len(holder.items(prop))
    if not count:
        yield Fault(f"The {noun} does nothing with a request.", holder.urn)
    for index in range(count):
        if holder.section(prop, index, "type") != "forward":
            continue
        action = holder.section(prop, index)
        named = is_set(action, "targetGroupArn") or bool(holder.items(prop, index, "forward", "targetGroups"))
        if not named or not targets(stack, holder, prop, *TARGET_GROUPS):
            yield Fault(f"The {noun} forwards to no target group of the stack.", holder.urn)


def _redirects(stack: Stack, balancer: Resource, listener: Resource, holder: Resource, prop: str) -> Iterator[Fault]:
    """A redirect to HTTPS on the same host has to name a port on which the load balancer speaks it."""
    for index in range(len(holder.items(prop))):
        to = (prop, index, "redirect")
        if holder.section(*to) is None or holder.section(*to, "host") not in (None, "#{host}"):
            continue
        if holder.section(*to, "protocol") != "HTTPS":
            continue
        port = holder.section(*to, "port")
        meant = listener.section("port") if port in (None, "#{port}") else port
        if number(meant) not in _ports(stack, balancer)["HTTPS"]:
            yield Fault(f"The redirect leads to port {show(meant)}, which speaks no HTTPS.", holder.urn)


# Headers


def _headers(listener: Resource, _: Context) -> Iterator[str]:
    if _protocol(listener) != "HTTPS":
        return
    told = str(listener.section("routingHttpResponseStrictTransportSecurityHeaderValue") or "")
    ages = [part.partition("=")[2] for part in told.split(";") if part.strip().lower().startswith("max-age=")]
    if not ages or (number(ages[0].strip()) or 0) < _REMEMBERED:
        yield f"Browsers are not told to come back by HTTPS only for a year: the header is {show(told or None)}."
    if not is_false(listener.section("routingHttpResponseServerEnabled")):
        yield "Answers tell which software the load balancer is."


# Places


def _places(stack: Stack) -> Iterator[Fault]:
    def judge(balancer: Resource) -> Iterator[Fault]:
        subnets = _subnets(stack, balancer)
        if not subnets:
            return
        noun = "internal" if is_true(balancer.section("internal")) else "public"
        for subnet in subnets:
            is_public = bool(internet_routes(stack, subnet))
            if is_public != (noun == "public"):
                way = "a" if is_public else "no"
                yield Fault(
                    f"The load balancer is {noun}, but {subnet.name} has {way} way to the internet.", balancer.urn
                )
        own = _zones(subnets)
        for group in _groups_behind(stack, balancer):
            theirs = _zones(stack.referenced(group, "vpcZoneIdentifiers", *SUBNETS))
            if missing := sorted(theirs - own):
                yield Fault(
                    f"The load balancer sends nothing to {listed(missing)}, where {group.name} is.", balancer.urn
                )
            if missing := sorted(own - theirs):
                yield Fault(f"The group has nothing in {listed(missing)}, where its load balancer is.", group.urn)

    return each(stack.of(*BALANCERS), judge)


def _subnets(stack: Stack, balancer: Resource) -> tuple[Resource, ...]:
    return tuple(hit for prop in ("subnets", "subnetMappings") for hit in targets(stack, balancer, prop, *SUBNETS))


def _zones(subnets: tuple[Resource, ...]) -> set[str]:
    keys = ("availabilityZone", "availabilityZoneId")
    return {
        str(zone) for one in subnets if (zone := next((one.section(key) for key in keys if one.section(key)), None))
    }


def _groups_behind(stack: Stack, balancer: Resource) -> list[Resource]:
    """The Auto Scaling groups that a load balancer sends requests to, without repeats."""
    found = {
        group.urn: group
        for listener in sources(stack, balancer, "loadBalancerArn", *LISTENERS)
        for target in _led_to(stack, listener)
        for group in _scaling_groups(stack, target)
    }
    return list(found.values())


def _led_to(stack: Stack, listener: Resource) -> Iterator[Resource]:
    yield from targets(stack, listener, "defaultActions", *TARGET_GROUPS)
    for rule in sources(stack, listener, "listenerArn", *LISTENER_RULES):
        yield from targets(stack, rule, "actions", *TARGET_GROUPS)


def _scaling_groups(stack: Stack, target: Resource) -> Iterator[Resource]:
    for prop in ("targetGroupArns", "trafficSources"):
        yield from sources(stack, target, prop, GROUP)
    for attachment in sources(stack, target, "lbTargetGroupArn", SCALING_ATTACHMENT):
        yield from targets(stack, attachment, "autoscalingGroupName", GROUP)


# Targets


def _served(stack: Stack) -> Iterator[Fault]:
    def judge(target: Resource) -> Iterator[Fault]:
        users = [
            *sources(stack, target, "defaultActions", *LISTENERS),
            *sources(stack, target, "actions", *LISTENER_RULES),
        ]
        if not users:
            yield Fault(
                "No listener leads to the target group, so nothing asks whether its targets are well.", target.urn
            )
        attachments = sources(stack, target, "targetGroupArn", *ATTACHMENTS)
        groups = list(_scaling_groups(stack, target))
        if not attachments and not groups and not sources(stack, target, "loadBalancers", SERVICE):
            yield Fault("Nothing is in the target group, so who is led there gets an error.", target.urn)
        entrances = [(group, number(target.section("port"))) for group in groups]
        for attachment in attachments:
            machines = targets(stack, attachment, "targetId", INSTANCE)
            if not machines and target.section("targetType") in (None, "instance"):
                yield Fault("The target group has a target that is not declared in this stack.", attachment.urn)
            port = number(attachment.section("port")) or number(target.section("port"))
            entrances += [(machine, port) for machine in machines]
        yield from through(entrances, lambda entrance: _let_in(stack, target, users, *entrance))

    return each(stack.of(*TARGET_GROUPS), judge)


def _let_in(
    stack: Stack, target: Resource, users: list[Resource], machine: Resource, port: float | None
) -> Iterator[Fault]:
    """Whether the groups of a machine admit its load balancers on the port of requests and on that of health checks."""
    asked = number(target.section("healthCheck", "port")) or port
    entered = _security_groups(stack, machine)
    for balancer in _balancers_of(stack, users):
        left = tuple(hit for hit in targets(stack, balancer, "securityGroups", *GROUPS))
        if not left or not entered:
            continue
        for one in sorted({port, asked} - {None}, key=str):
            wanted = int(one or 0)
            ways = ((entered, Direction.INGRESS, balancer, left), (left, Direction.EGRESS, machine, entered))
            if not all(_passes(stack, wanted, *way) for way in ways):
                yield Fault(
                    f"{balancer.name} does not reach port {wanted} of {machine.name}: a group stops it.", target.urn
                )


def _balancers_of(stack: Stack, users: list[Resource]) -> list[Resource]:
    listeners = [
        listener
        for user in users
        for listener in ((user,) if user.type in LISTENERS else targets(stack, user, "listenerArn", *LISTENERS))
    ]
    found = {hit.urn: hit for one in listeners for hit in targets(stack, one, "loadBalancerArn", *BALANCERS)}
    return list(found.values())


def _security_groups(stack: Stack, machine: Resource) -> tuple[Resource, ...]:
    makers = (machine, *template_of(stack, machine)) if machine.type == INSTANCE else template_of(stack, machine)
    return tuple(
        {hit.urn: hit for one in makers for prop in _GROUP_PROPS for hit in targets(stack, one, prop, *GROUPS)}.values()
    )


def _passes(
    stack: Stack,
    port: int,
    groups: tuple[Resource, ...],
    direction: Direction,
    far: Resource,
    far_groups: tuple[Resource, ...],
) -> bool:
    """Whether a rule of ``groups`` names the far end: one of its groups, or a range that holds its subnets."""
    urns = {group.urn for group in far_groups}

    def admits(pair: tuple[Resource, Any]) -> bool:
        group, written = pair
        rule = written.read()
        if not rule.carries(port, "tcp"):
            return False
        if rule.cidrs:
            there = [cidr for subnet in _stands_in(stack, far) for cidr in ranges(subnet)]
            return bool(there) and all(
                any(within(one, cidr) for cidr in rule.cidrs) for one in there if one.version == 4
            )
        return bool(urns & {hit.urn for hit in source_groups(stack, written, group)})

    return is_true_of_any([(group, rule) for group in groups for rule in group_rules(stack, group, direction)], admits)


def _stands_in(stack: Stack, machine: Resource) -> tuple[Resource, ...]:
    props = ("subnets", "subnetMappings", "vpcZoneIdentifiers", "subnetId")
    return tuple(hit for prop in props for hit in stack.referenced(machine, prop, *SUBNETS))


# Health checks


def _health(target: Resource, _: Context) -> Iterator[str]:
    if target.section("targetType") == "lambda":
        return
    check = ("healthCheck",)
    if is_false(target.section(*check, "enabled")):
        yield "The target group does not ask whether its targets are well."
        return
    said = {key: _given(target, key) for key in _UNSAID}
    for key, (least, most) in _BOUNDS.items():
        if not least <= said[key] <= most:
            yield f"The health check's {key} is {show(said[key])}; AWS takes {least} to {most}."
            return
    if said["timeout"] >= said["interval"]:
        yield f"The health check waits {show(said['timeout'])} seconds but asks every {show(said['interval'])}."
    late = said["interval"] * said["unhealthyThreshold"]
    if late > MOST_TO_NOTICE:
        yield f"A dead target is found after {show(late)} seconds; {MOST_TO_NOTICE} are the most."
    if target.section("protocol") in ("HTTP", "HTTPS"):
        yield from _question(target)


def _given(target: Resource, key: str) -> float:
    found = number(target.section("healthCheck", key))
    return _UNSAID[key] if found is None else found


def _question(target: Resource) -> Iterator[str]:
    if target.section("healthCheck", "protocol") not in (None, "HTTP", "HTTPS"):
        yield "The health check only opens a connection; a server that answers errors passes it."
        return
    if target.section("healthCheck", "path") in (None, "", "/"):
        yield "The health check asks for /, which a front page answers when what is behind it has failed."
    matcher = str(target.section("healthCheck", "matcher") or "200")
    codes = [number(code) for part in matcher.split(",") for code in part.split("-")]
    if target.section("protocolVersion") != "GRPC" and not all(code and 200 <= code <= 299 for code in codes):
        yield f"The health check takes {show(matcher)} for well; only 200 to 299 are."


DOORS = StackRule(
    id="alb-doors",
    sentence="004_5ca73e3508d74ec8.txt Manual Certificate Update: Update ALB listener with new certificate",
    title="A public load balancer speaks HTTPS on 443, redirects from 80, and leads every request to a target group.",
    why="A request that meets no listener, no certificate or no target group is an outage for who made it.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP ELB.1", "FSBP ELB.2", "NIST SC-8"),
    remedy="Declare listeners on 443 (HTTPS, certificate_arn of the stack) and 80 (redirect to port 443), and name "
    "target groups and conditions in their actions and rules.",
    types=frozenset({*BALANCERS, *LISTENERS, *LISTENER_RULES, CERTIFICATE, VALIDATION, *TARGET_GROUPS}),
    check=_doors,
)

HEADERS = ResourceRule(
    id="alb-response-headers",
    sentence="003_720b7a256857bf84.txt Certificate & Domain Renewal: to enable HTTPS",
    title="HTTPS listeners tell browsers to come back by HTTPS only, and do not tell what they are made of.",
    why="The first request of a visit is otherwise plain HTTP, which whoever is on the way can answer.",
    severity=Severity.LOW,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST SC-8", "NIST SC-23"),
    remedy='Set routing_http_response_strict_transport_security_header_value="max-age=31536000" and '
    "routing_http_response_server_enabled=False.",
    types=frozenset(LISTENERS),
    check=_headers,
)

PLACES = StackRule(
    id="alb-zones",
    sentence="002_3d1abe7e242e6afd.txt §7.3: Load balancer configurations",
    title="A load balancer stands where its visitors are and in the zones of its machines, and they in its zones.",
    why="It sends nothing to a zone that it is not in, and a zone without machines is no help when another fails.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP ELB.13", "FSBP AutoScaling.2", "NIST CP-10"),
    remedy="Give a public load balancer the public subnets, and the group one subnet in each of the same zones.",
    types=frozenset({*BALANCERS, *LISTENERS, *LISTENER_RULES, *TARGET_GROUPS, GROUP, *SUBNETS, *WAYS}),
    check=_places,
)

SERVED = StackRule(
    id="alb-targets",
    sentence="004_5ca73e3508d74ec8.txt Morning Health Check (5 minutes): Check ECS service health and ALB status",
    title="Every target group is led to by a listener, has targets, and its load balancer reaches them.",
    why="A load balancer in front of nothing answers 503; what it cannot reach it takes for dead.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST CP-10", "NIST SC-7"),
    remedy="Name the target group in target_group_arns or an attachment, and in a listener; open its port between the "
    "groups of both.",
    types=frozenset(
        {
            *TARGET_GROUPS,
            *LISTENERS,
            *LISTENER_RULES,
            *ATTACHMENTS,
            *BALANCERS,
            GROUP,
            INSTANCE,
            TEMPLATE,
            *GROUPS,
            *GROUP_RULES,
        }
    ),
    check=_served,
)

HEALTH = ResourceRule(
    id="alb-health-check",
    sentence="004_5ca73e3508d74ec8.txt Morning Health Check (5 minutes): Check API health",
    title="Health checks ask the application itself and find a dead target within a minute.",
    why="A check that anything passes keeps a dead server in service and its users with errors.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP AutoScaling.1", "NIST SI-4"),
    remedy='Set health_check={"path": …, "matcher": "200", "interval": 15, "unhealthy_threshold": 3}.',
    types=frozenset(TARGET_GROUPS),
    check=_health,
)

RULES: tuple[Rule, ...] = (DOORS, HEADERS, PLACES, SERVED, HEALTH)
