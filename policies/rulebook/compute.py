"""Rules for instances, launch templates and Auto Scaling groups.

A resource rule sees one resource. An instance that starts from a launch template is therefore asked again for what
protects it at run time (metadata options, public address, profile) and has to repeat it; its disks are the template's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import memory_metric, scaling, userdata
from .leaks import all_leaks
from .links import TEMPLATE
from .resource import Context, Resource, Stack, is_true
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule
from .systems_manager import SSM_MANAGED
from .values import is_false, number, show

INSTANCE = "aws:ec2/instance:Instance"
VOLUME = "aws:ebs/volume:Volume"
DEFAULT_ENCRYPTION = "aws:ebs/encryptionByDefault:EncryptionByDefault"

MACHINES = frozenset({INSTANCE, TEMPLATE})

#: The devices that images boot from; what is mapped to another name is an extra volume.
ROOT_DEVICES = ("/dev/xvda", "/dev/sda1")

#: Roles (tag ``Role``) of machines that people reach from outside.
REACHABLE_ROLES = ("bastion", "maintenance")

#: Role of machines whose containers need a second hop to the metadata service.
CONTAINER_ROLE = "containers"

_NOUNS = {INSTANCE: "instance", TEMPLATE: "launch template"}


def _role(resource: Resource) -> Any:
    """The tag ``Role`` of a machine; a launch template may say it in the tags it gives its instances."""
    own = resource.tags.get("Role")
    if own is not None or resource.type != TEMPLATE:
        return own
    for index in range(len(resource.items("tagSpecifications"))):
        if resource.section("tagSpecifications", index, "resourceType") == "instance":
            return resource.section("tagSpecifications", index, "tags", "Role")
    return None


def _imdsv2(resource: Resource, _: Context) -> Iterator[str]:
    tokens = resource.section("metadataOptions", "httpTokens")
    if tokens != "required":
        noun = _NOUNS[resource.type]
        yield f"The {noun}'s metadata service takes requests without a token: httpTokens is {show(tokens)}."


def _hop_limit(resource: Resource, _: Context) -> Iterator[str]:
    limit = resource.section("metadataOptions", "httpPutResponseHopLimit")
    if number(limit) == 1 or _role(resource) == CONTAINER_ROLE:
        return
    if limit is None:
        yield f"The {_NOUNS[resource.type]} sets no hop limit for metadata, so the image does, to 2; 1 is demanded."
    else:
        yield f"The {_NOUNS[resource.type]} lets metadata travel {show(limit)} hops; 1 is demanded."


def _volumes_encrypted(resource: Resource, _: Context) -> Iterator[str]:
    if resource.type == VOLUME:
        if not is_true(resource.section("encrypted")):
            yield "The volume is not encrypted."
    elif resource.type == TEMPLATE:
        yield from _template_volumes(resource)
    else:
        yield from _instance_volumes(resource)


def _instance_volumes(resource: Resource) -> Iterator[str]:
    root = resource.section("rootBlockDevice")
    # Without a root block the disk is the launch template's, which is judged itself, or as the image has it.
    decides = root is not None or resource.section("launchTemplate") is None
    if decides and not is_true(resource.section("rootBlockDevice", "encrypted")):
        yield "The instance's root volume is not encrypted."
    for index in range(len(resource.items("ebsBlockDevices"))):
        if not is_true(resource.section("ebsBlockDevices", index, "encrypted")):
            device = show(resource.section("ebsBlockDevices", index, "deviceName"))
            yield f"The instance's volume {device} is not encrypted."


def _template_volumes(resource: Resource) -> Iterator[str]:
    roots = 0
    for index in range(len(resource.items("blockDeviceMappings"))):
        mapping = ("blockDeviceMappings", index)
        if resource.section(*mapping, "virtualName") or resource.section(*mapping, "noDevice"):
            continue
        device = resource.section(*mapping, "deviceName")
        roots += device in ROOT_DEVICES
        if not is_true(resource.section(*mapping, "ebs", "encrypted")):
            yield f"The launch template's volume {show(device)} is not encrypted."
    if not roots:
        named = " or ".join(ROOT_DEVICES)
        yield f"The launch template maps no root volume ({named}), so the image decides whether it is encrypted."


def _encrypts_by_default(stack: Stack) -> Iterator[Fault]:
    """An unset region is the provider's, which is the first of the stack's."""
    regions = stack.context.regions
    covered = set()
    for setting in stack.of(DEFAULT_ENCRYPTION):
        region = setting.section("region") or (regions[0] if regions else None)
        enabled = setting.section("enabled")
        if enabled is None or is_true(enabled):
            covered.add(region)
        else:
            yield Fault("Encryption of new volumes by default is declared and switched off.", setting.urn)
    if not regions and not covered:
        yield Fault("New volumes are not encrypted by default: no setting declares it.")
    for region in regions:
        if region not in covered:
            yield Fault(f"New volumes in {region} are not encrypted by default.")


def _no_public_ip(resource: Resource, _: Context) -> Iterator[str]:
    if _role(resource) in REACHABLE_ROLES:
        return
    if resource.type == INSTANCE:
        value = resource.section("associatePublicIpAddress")
        attached = resource.items("networkInterfaces") or resource.section("primaryNetworkInterface")
        # A machine that is given its interfaces gets no address of its own.
        if not is_false(value) and not (value is None and attached):
            yield _public_address("instance", value)
        return
    interfaces = len(resource.items("networkInterfaces"))
    if not interfaces:
        yield _public_address("launch template", None)
    for index in range(interfaces):
        value = resource.section("networkInterfaces", index, "associatePublicIpAddress")
        attached = resource.section("networkInterfaces", index, "networkInterfaceId")
        if not is_false(value) and not (value is None and attached):
            yield _public_address("launch template", value)


def _public_address(noun: str, value: Any) -> str:
    if value is None:
        return f"The {noun} leaves it to the subnet whether it gets a public address."
    return f"The {noun} gets a public address."


def _instance_profile(resource: Resource, _: Context) -> Iterator[str]:
    profile = resource.section("iamInstanceProfile")
    if isinstance(profile, Mapping):
        profile = resource.section("iamInstanceProfile", "arn") or resource.section("iamInstanceProfile", "name")
    if not profile:
        yield f"The {_NOUNS[resource.type]} has no instance profile."
    elif resource.section("metadataOptions", "httpEndpoint") == "disabled":
        yield f"The {_NOUNS[resource.type]}'s metadata service is off, so nothing on it can use its role."


def _no_secret_in_user_data(resource: Resource, _: Context) -> Iterator[str]:
    for prop in ("userData", "userDataBase64"):
        written = resource.section(prop)
        for leak in all_leaks(userdata.script(written)) if isinstance(written, str) else ():
            yield f"The {_NOUNS[resource.type]}'s user data holds {leak.kind} in line {leak.line}."


def _key_pair_scope(resource: Resource, _: Context) -> Iterator[str]:
    key = resource.section("keyName")
    if key and _role(resource) not in REACHABLE_ROLES:
        yield f"The {_NOUNS[resource.type]} takes the key pair {show(key)} but is neither bastion nor maintenance."


def _detailed_monitoring(resource: Resource, _: Context) -> Iterator[str]:
    value = resource.section("monitoring") if resource.type == INSTANCE else resource.section("monitoring", "enabled")
    if not is_true(value):
        yield f"The {_NOUNS[resource.type]} reports every five minutes; every minute is demanded."


IMDSV2 = ResourceRule(
    id="ec2-imdsv2",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="The metadata service answers requests with a session token only.",
    why="Without the token a web application that can be made to fetch an address hands out the role's credentials.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 5.7", "CIS 7.0 6.7", "FSBP EC2.8", "FSBP AutoScaling.3", "NIST AC-3"),
    remedy='Set metadata_options={"http_tokens": "required"}; an instance repeats what its launch template says.',
    types=MACHINES,
    check=_imdsv2,
)

HOP_LIMIT = ResourceRule(
    id="ec2-imds-hop-limit",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="Answers of the metadata service do not leave the machine.",
    why="With a second hop a container or a proxy on the machine obtains the role's credentials.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("FSBP AutoScaling.4", "Checkov CKV_AWS_341"),
    remedy="Set http_put_response_hop_limit to 1, or tag machines that run containers Role=containers.",
    types=MACHINES,
    check=_hop_limit,
)

VOLUMES_ENCRYPTED = ResourceRule(
    id="ec2-ebs-encrypted",
    sentence="003_720b7a256857bf84.txt Backups: encrypt the storage location to prevent unauthorized access.",
    title="Root and extra volumes are encrypted.",
    why="A volume's snapshot can be copied and shared; only the key then stands between it and a reader.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 5.0 5.1.1", "CIS 7.0 6.1.1", "FSBP EC2.3", "NIST SC-28"),
    remedy="Set encrypted on every volume, and map the root device in launch templates.",
    types=MACHINES | {VOLUME},
    check=_volumes_encrypted,
)

ENCRYPTS_BY_DEFAULT = StackRule(
    id="ec2-ebs-default-encryption",
    sentence="003_720b7a256857bf84.txt Backups: encrypt the storage location to prevent unauthorized access.",
    title="New volumes are encrypted by default in every region of the stack.",
    why="A volume that someone makes or restores by hand, in the recovery region too, is otherwise in the clear.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY_IN_PROD,
    controls=("CIS 7.0 6.1.1", "FSBP EC2.7"),
    remedy="Declare aws.ebs.EncryptionByDefault(enabled=True, region=…) for each region.",
    types=frozenset({DEFAULT_ENCRYPTION}),
    check=_encrypts_by_default,
)

NO_PUBLIC_IP = ResourceRule(
    id="ec2-no-public-ip",
    sentence="000_b5883a9168e66709.txt §1: connect to the Bastion server first using SSH",
    title="Only the bastion and the maintenance machine have a public address.",
    why="A machine with a public address is one security-group mistake away from everybody.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP EC2.9", "FSBP EC2.25", "NIST SC-7"),
    remedy="Set associate_public_ip_address to false on the instance or on the template's network interface.",
    types=MACHINES,
    check=_no_public_ip,
)

INSTANCE_PROFILE = ResourceRule(
    id="ec2-instance-profile",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="Every machine has an instance profile.",
    why="A machine without a role gets its permissions from keys that somebody copies onto it and nobody rotates.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("CIS 5.0 1.17", "CIS 7.0 2.16", "NIST AC-3"),
    remedy="Give the machine an aws.iam.InstanceProfile.",
    types=MACHINES,
    check=_instance_profile,
)

NO_SECRET_IN_USER_DATA = ResourceRule(
    id="ec2-no-secret-in-user-data",
    sentence="003_720b7a256857bf84.txt Backups: Never commit `.env` or other sensitive config files",
    title="User data holds no key, password, token or private key.",
    why="Every process on the machine, and everybody who may describe it, can read its user data.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("Checkov CKV_AWS_46", "NIST IA-5"),
    remedy="Let the machine read the secret from Secrets Manager with its role; rotate the one that stood here.",
    types=MACHINES,
    check=_no_secret_in_user_data,
)

KEY_PAIR_SCOPE = ResourceRule(
    id="ec2-key-pair-scope",
    sentence="002_3d1abe7e242e6afd.txt §2: SSH key management",
    title="Only the bastion and the maintenance machine take a key pair.",
    why="A key pair is a password that is never rotated; Session Manager needs none.",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    controls=("NIST AC-17",),
    remedy="Leave key_name unset and use Session Manager, or tag the machine Role=bastion or Role=maintenance.",
    types=MACHINES,
    check=_key_pair_scope,
)

DETAILED_MONITORING = ResourceRule(
    id="ec2-detailed-monitoring",
    sentence="000_b5883a9168e66709.txt §2: Set up alarms for important metrics like CPU usage, memory usage",
    title="Machines report every minute.",
    why="With five-minute metrics a group scales, and an alarm rings, up to five minutes late.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("cdk-nag EC28",),
    remedy='Set monitoring={"enabled": True} in the launch template (monitoring=True on an instance).',
    types=MACHINES,
    check=_detailed_monitoring,
)

RULES: tuple[Rule, ...] = (
    IMDSV2,
    HOP_LIMIT,
    VOLUMES_ENCRYPTED,
    ENCRYPTS_BY_DEFAULT,
    NO_PUBLIC_IP,
    INSTANCE_PROFILE,
    SSM_MANAGED,
    NO_SECRET_IN_USER_DATA,
    KEY_PAIR_SCOPE,
    DETAILED_MONITORING,
    scaling.BOUNDS,
    scaling.SCALES_ON_BOTH,
    memory_metric.IS_FED,
    scaling.LAUNCH_TEMPLATE,
    scaling.ELB_HEALTH_CHECK,
)
