"""Rules for how machines come, where they stand and how they go: templates, subnets, tags, volumes and replacement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .compute import INSTANCE, MACHINES, REACHABLE_ROLES
from .firewall import is_set
from .governance import REQUIRED_TAGS
from .links import TEMPLATE, targets, template_of
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .scaling import GROUP
from .topology import SUBNETS, WAYS, internet_routes, tag
from .values import is_false, listed, number, show

#: Where a machine or a group names its launch template.
_TEMPLATES = (("launchTemplate",), ("mixedInstancesPolicy", "launchTemplate", "launchTemplateSpecification"))

#: What a launch template makes, each with tags of its own.
_MADE = ("instance", "volume", "network-interface")

#: Seconds that a machine may be dead before its group looks: what the run book grants a complete outage.
MOST_GRACE = 900

#: Seconds of grace that the provider gives where none are named.
_GRACE = 300

#: Percent of the wanted machines that are well while others are replaced: what AWS keeps where nothing is said.
LEAST_HEALTHY = 90

#: Processes without which a group neither grows nor heals.
_NEEDED = frozenset(
    {"AddToLoadBalancer", "AlarmNotification", "HealthCheck", "Launch", "ReplaceUnhealthy", "Terminate"}
)

#: What a group can tell of itself without charge, in machines and in units of weighted capacity.
METRICS = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    *(
        f"Group{state}{unit}"
        for state in ("InService", "Pending", "Standby", "Terminating", "Total")
        for unit in ("Instances", "Capacity")
    ),
)


def _addressed(stack: Stack) -> Iterator[Fault]:
    def judge(machine: Resource) -> Iterator[Fault]:
        holders = (machine, *template_of(stack, machine))
        if any(is_set(one.props, prop) for one in holders for prop in ("networkInterfaces", "primaryNetworkInterface")):
            # Its interfaces say where it stands.
            return
        subnets = targets(stack, machine, "subnetId", *SUBNETS)
        if not subnets:
            yield Fault("The instance stands in no subnet of the stack.", machine.urn)
        address = machine.section("associatePublicIpAddress")
        # ``ec2-no-public-ip`` speaks of all others.
        if address is None and tag(machine, "Role") in REACHABLE_ROLES:
            yield Fault("The instance leaves it to the subnet whether it gets a public address.", machine.urn)
        for subnet in subnets:
            is_public = bool(internet_routes(stack, subnet))
            if is_true(address) and not is_public:
                yield Fault(f"The instance gets a public address in {subnet.name}, which is not public.", machine.urn)
            elif is_false(address) and is_public:
                yield Fault(
                    f"The instance gets no public address in {subnet.name}, which has no other way out.", machine.urn
                )

    return each(stack.of(INSTANCE), judge)


def _follows(stack: Stack) -> Iterator[Fault]:
    def judge(holder: Resource) -> Iterator[Fault]:
        for path in _TEMPLATES:
            if holder.section(*path) is None:
                continue
            for template in targets(stack, holder, path[0], TEMPLATE):
                yield from (Fault(said, holder.urn) for said in _version(holder, path, template))

    return each(stack.of(INSTANCE, GROUP), judge)


def _version(holder: Resource, path: tuple[str, ...], template: Resource) -> Iterator[str]:
    version = holder.section(*path, "version")
    if version in (None, "", "$Default", "$Latest"):
        said = "names no version" if version in (None, "") else f"names the version {version}"
        yield f"It {said} of {template.name}, so a change of the template replaces nothing that runs."
        return
    newest = template.section("latestVersion")
    if newest is not None and number(version) != number(newest):
        yield f"It follows version {show(version)} of {template.name}; the newest is {show(newest)}."


def _volumes_leave(resource: Resource, _: Context) -> Iterator[str]:
    """What is unset keeps a template's extra volume; an instance's own blocks go by default."""
    mapped = "blockDeviceMappings" if resource.type == TEMPLATE else "ebsBlockDevices"
    for index in range(len(resource.items(mapped))):
        block: tuple[str | int, ...] = (mapped, index)
        if resource.type == TEMPLATE:
            block = (*block, "ebs")
            stays = resource.section(*block) is not None and not is_true(
                resource.section(*block, "deleteOnTermination")
            )
        else:
            stays = is_false(resource.section(*block, "deleteOnTermination"))
        if stays:
            device = show(resource.section(mapped, index, "deviceName"))
            yield f"The {_noun(resource)}'s volume {device} stays when the machine goes."
    if is_false(resource.section("rootBlockDevice", "deleteOnTermination")):
        yield f"The {_noun(resource)}'s root volume stays when the machine goes."


def _made_tagged(resource: Resource, _: Context) -> Iterator[str]:
    given: dict[str, Mapping[str, Any]] = {}
    for index in range(len(resource.items("tagSpecifications"))):
        tags = resource.section("tagSpecifications", index, "tags")
        kind = str(resource.section("tagSpecifications", index, "resourceType"))
        given[kind] = tags if isinstance(tags, Mapping) else {}
    for kind in _MADE:
        tags = given.get(kind, {})
        if missing := [tag for tag in REQUIRED_TAGS if tags.get(tag) in (None, "")]:
            noun = "tag" if len(missing) == 1 else "tags"
            yield f"The launch template gives each {kind} that it makes no {noun} {listed(missing)}."
        elif other := [tag for tag in (*REQUIRED_TAGS, "Role") if tags.get(tag) != resource.tags.get(tag)]:
            yield f"The launch template's own {listed(other)} differs from that of each {kind} that it makes."


def _replaces(stack: Stack) -> Iterator[Fault]:
    def judge(group: Resource) -> Iterator[Fault]:
        said = (_grace(group), _refreshes(group, template_of(stack, group)))
        return (Fault(sentence, group.urn) for sentences in said for sentence in sentences)

    return each(stack.of(GROUP), judge)


def _grace(group: Resource) -> Iterator[str]:
    """Grace and warm-up are in seconds; the provider's grace is 300."""
    given = group.section("healthCheckGracePeriod")
    grace = _GRACE if given is None else number(given)
    ready = number(group.section("defaultInstanceWarmup")) or 0
    if grace is None or grace > MOST_GRACE:
        yield f"The group lets a dead machine be for {show(given)} seconds; {MOST_GRACE} are the most."
    elif grace < ready:
        yield (
            f"The group judges a machine after {show(grace)} seconds, which is ready after {show(ready)}: "
            "it replaces one after the other."
        )
    if stopped := sorted(_NEEDED.intersection(map(str, group.items("suspendedProcesses")))):
        yield f"The group has suspended {listed(stopped)}."


def _refreshes(group: Resource, templates: tuple[Resource, ...]) -> Iterator[str]:
    """What happens to machines that run when their template changes."""
    if group.section("instanceRefresh", "strategy") != "Rolling":
        yield "The group does not replace its machines when their template changes: it has no instance refresh."
        return
    refresh = ("instanceRefresh", "preferences")
    # AWS refuses to go back to an image that only a parameter names.
    fixed = not any(str(one.section("imageId")).startswith("resolve:ssm:") for one in templates)
    if fixed and not is_true(group.section(*refresh, "autoRollback")):
        yield "The group goes on with a template by which machines do not get well: nothing rolls it back."
    for path in (refresh, ("instanceMaintenancePolicy",)):
        least = group.section(*path, "minHealthyPercentage")
        if least is not None and (number(least) or 0) < LEAST_HEALTHY:
            yield f"The group falls to {show(least)} percent while machines are replaced; {LEAST_HEALTHY} is the least."


def _reports(resource: Resource, _: Context) -> Iterator[str]:
    given = {str(metric) for metric in resource.items("enabledMetrics")}
    if missing := [metric for metric in METRICS if metric not in given]:
        yield f"The group does not report {listed(missing)}."


def _noun(resource: Resource) -> str:
    return "instance" if resource.type == INSTANCE else "launch template"


ADDRESS_FITS = StackRule(
    id="ec2-address-fits-subnet",
    sentence="002_3d1abe7e242e6afd.txt §1: Network topology",
    title="A machine stands in a subnet of the stack, and has a public address exactly where that is public.",
    why="Without one in a public subnet it reaches nothing; with one elsewhere it waits for a route to be open.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP EC2.9", "NIST SC-7"),
    remedy="Set subnet_id, and associate_public_ip_address to true in public subnets and to false in all others.",
    types=frozenset({INSTANCE, TEMPLATE, *SUBNETS, *WAYS}),
    check=_addressed,
)

FOLLOWS = StackRule(
    id="ec2-template-version",
    sentence="002_3d1abe7e242e6afd.txt §3.3: EC2 ASG management",
    title="Machines and groups follow the newest version of their launch template by its number.",
    why="By a name such as $Latest a deployment sees no change, so nothing that runs is ever replaced.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-2", "NIST SI-2"),
    remedy='Set launch_template={"id": template.id, "version": template.latest_version}.',
    types=frozenset({INSTANCE, GROUP, TEMPLATE}),
    check=_follows,
)

VOLUMES_LEAVE = ResourceRule(
    id="ec2-volumes-leave",
    sentence="003_720b7a256857bf84.txt Backups: encrypt the storage location to prevent unauthorized access.",
    title="Volumes go with their machine.",
    why="A volume that nobody has any more holds logs and data that nobody watches, and costs every month.",
    severity=Severity.LOW,
    level=Level.MANDATORY,
    controls=("NIST MP-6",),
    remedy="Set delete_on_termination on every volume of the machine.",
    types=MACHINES,
    check=_volumes_leave,
)

MADE_TAGGED = ResourceRule(
    id="ec2-made-tagged",
    sentence="002_3d1abe7e242e6afd.txt §7.1: Resource naming conventions",
    title="Machines, volumes and network interfaces that a launch template makes carry the demanded tags.",
    why="Backup, patching and bills go by tags, and what a group makes at night is in no program.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-8",),
    remedy="Repeat the template's tags in tag_specifications for instance, volume and network-interface.",
    types=frozenset({TEMPLATE}),
    check=_made_tagged,
)

REPLACES = StackRule(
    id="asg-replaces-the-dead",
    sentence="002_3d1abe7e242e6afd.txt §3.3: EC2 ASG management",
    title="A group replaces dead machines in time, and old ones without an outage when their template changes.",
    why="Too little grace and no machine ever gets ready; too much, or a suspended process, and a dead one stays.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-10", "NIST SI-4"),
    remedy=f"Set health_check_grace_period to default_instance_warmup or more, {MOST_GRACE} at most, suspend "
    "nothing, and set instance_refresh with auto_rollback.",
    types=frozenset({GROUP, TEMPLATE}),
    check=_replaces,
)

REPORTS = ResourceRule(
    id="asg-reports",
    sentence="000_b5883a9168e66709.txt §5: Monitor scaling events and adjust scaling policies as necessary.",
    title="Groups report how many machines they have, want, start and end.",
    why="AWS keeps these metrics only from the moment on at which they are asked for; they cost nothing.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("NIST SI-4",),
    remedy="Name all group metrics in enabled_metrics.",
    types=frozenset({GROUP}),
    check=_reports,
)

RULES: tuple[Rule, ...] = (ADDRESS_FITS, FOLLOWS, VOLUMES_LEAVE, MADE_TAGGED, REPLACES, REPORTS)
