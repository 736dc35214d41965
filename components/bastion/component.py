"""The bastion component: declares what ``plan`` decides."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from settings.naming import Labels

from .. import iam
from .._base import Component
from .._keys import Home, customer_key, log_group
from . import plan


@dataclass(frozen=True, kw_only=True, slots=True)
class BastionArgs:
    """``mode``: the way in: ``ssh``, ``ssm`` (Session Manager, no public address), or ``both``.

    ``admin_cidrs`` and ``key_name`` matter while SSH is a way in. ``public_subnet_id`` is where the bastion stands
    then, ``app_subnet_id`` where it stands otherwise.
    """

    home: Home
    mode: plan.Mode
    admin_cidrs: tuple[IPv4Network, ...]
    key_name: str | None
    instance_class: str
    vpc_id: pulumi.Input[str]
    public_subnet_id: pulumi.Input[str]
    app_subnet_id: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    session_log_retention_days: int
    schedule: str | None = None
    patch_group: str | None = None
    instance_statements: Sequence[iam.Statement] = ()
    protect: bool


class Bastion(Component):
    """A machine without data of its own, through which administrators reach the private network (``000_… §1``).

    A change of its launch template replaces it: the template's version is part of it. The new machine is there before
    the old one goes, and takes over the address. A newer image alone replaces nothing: EC2 looks the image up at
    launch, and patching keeps the machine current after that.

    Session Manager's preferences belong to an account and region, so only one stack can hold them there; where the
    console has saved some already, import that document. Who opens a session needs ``kms:GenerateDataKey`` on the
    session key, and every machine it is opened on needs what ``session_statements`` allow.
    """

    TYPE = "learning-platform:bastion:Bastion"
    SERVICE = "bastion"
    RUNBOOK = "000_b5883a9168e66709.txt 1"

    security_group_id: pulumi.Output[str]
    instance_id: pulumi.Output[str]
    session_log_group: pulumi.Output[str]
    #: What a machine's role must allow so that sessions on it are encrypted and logged.
    session_statements: tuple[iam.Statement, ...]
    #: way in -> the line to type
    connect: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: BastionArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._args = args
        self._session_key, self._session_group = self._create_sessions(args)
        self.session_statements = self._allow_sessions()
        self._group = self._create_group(args)
        self._profile = self._create_profile(args)
        self._template = self._create_template(args)
        self._instance = self._create_instance(args)
        self._address = self._create_address(args)
        self.security_group_id = self._group.id
        self.instance_id = self._instance.id
        self.session_log_group = self._session_group.name
        self.connect = self._ways_in(args)
        self.register_outputs(
            {
                "securityGroupId": self.security_group_id,
                "instanceId": self.instance_id,
                "sessionLogGroup": self.session_log_group,
                "connect": self.connect,
            }
        )

    def tunnel(self, host: pulumi.Input[str], port: int) -> pulumi.Output[str]:
        """The line that leads a port of the administrator's machine to ``host:port`` inside the private network."""
        if plan.takes_sessions(self._args.mode):
            region = self._args.home.region
            return pulumi.Output.all(instance=self._instance.id, host=host).apply(
                lambda to: plan.session_tunnel(region=region, instance_id=to["instance"], host=to["host"], port=port)
            )
        key_name = self._args.key_name
        return pulumi.Output.all(address=self._public_address, host=host).apply(
            lambda to: plan.ssh_tunnel(key_name=key_name, address=to["address"], host=to["host"], port=port)
        )

    @property
    def _public_address(self) -> pulumi.Output[str]:
        if self._address is None:
            raise ValueError("A bastion in mode 'ssm' has no public address; take 'ssh' or 'both' for one.")
        return self._address.public_ip

    def _ways_in(self, args: BastionArgs) -> dict[str, pulumi.Output[str]]:
        ways = {}
        if plan.takes_ssh(args.mode):
            ways["ssh"] = self._public_address.apply(
                lambda address: plan.ssh_command(key_name=args.key_name, address=address)
            )
        if plan.takes_sessions(args.mode):
            ways["ssm"] = self._instance.id.apply(
                lambda instance_id: plan.session_command(region=args.home.region, instance_id=instance_id)
            )
        return ways

    def _create_sessions(self, args: BastionArgs) -> tuple[aws.kms.Key, aws.cloudwatch.LogGroup]:
        """Preferences, key and log of sessions. The key is their own: whoever opens one may use it, and no log's."""
        name = f"{self.name}-sessions"
        key = customer_key(self, name, "Encrypts sessions of Session Manager", args.home, protect=args.protect)
        group = log_group(
            self,
            name,
            self.labels.path("bastion", "sessions"),
            retention_days=args.session_log_retention_days,
            key_arn=args.logs_key_arn,
        )
        aws.ssm.Document(
            name,
            name=plan.PREFERENCES,
            document_type="Session",
            document_format="JSON",
            content=pulumi.Output.all(log_group=group.name, key_id=key.key_id).apply(
                lambda made: json.dumps(plan.session_preferences(**made), sort_keys=True)
            ),
            tags=self.tags(name),
            opts=self.child(),
        )
        return key, group

    def _allow_sessions(self) -> tuple[iam.Statement, ...]:
        group_arn = self._session_group.arn
        return (
            iam.allow(["kms:Decrypt"], [self._session_key.arn], sid="DecryptSessions"),
            iam.allow(
                ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                [group_arn, pulumi.Output.concat(group_arn, ":*")],
                sid="LogSessions",
            ),
            # The agent looks whether the group is encrypted; listing cannot be narrowed to one group.
            iam.allow(["logs:DescribeLogGroups"], ["*"], sid="FindSessionLog"),
        )

    def _create_group(self, args: BastionArgs) -> aws.ec2.SecurityGroup:
        """SSH from the administrators while it is a way in; out to AWS and to packages. Databases open their own."""
        group = aws.ec2.SecurityGroup(
            self.name,
            description="The bastion",
            vpc_id=args.vpc_id,
            tags=self.tags(self.name, Role="bastion", Tier="bastion"),
            opts=self.child(),
        )
        for cidr in args.admin_cidrs if plan.takes_ssh(args.mode) else ():
            name = f"{self.name}-ssh-{str(cidr).replace('/', '-')}"
            aws.vpc.SecurityGroupIngressRule(
                name,
                security_group_id=group.id,
                description="SSH from administrators",
                ip_protocol="tcp",
                from_port=22,
                to_port=22,
                cidr_ipv4=str(cidr),
                tags=self.tags(name),
                opts=self.child(),
            )
        aws.vpc.SecurityGroupEgressRule(
            f"{self.name}-https",
            security_group_id=group.id,
            description="AWS APIs and packages",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4="0.0.0.0/0",
            tags=self.tags(f"{self.name}-https"),
            opts=self.child(),
        )
        return group

    def _create_profile(self, args: BastionArgs) -> aws.iam.InstanceProfile:
        role = aws.iam.Role(
            self.name,
            description="The bastion: managed by Systems Manager, logs sessions",
            assume_role_policy=iam.trust("ec2.amazonaws.com"),
            tags=self.tags(self.name),
            opts=self.child(),
        )
        aws.iam.RolePolicyAttachment(
            f"{self.name}-ssm",
            role=role.name,
            policy_arn=f"arn:{args.home.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore",
            opts=self.child(),
        )
        aws.iam.RolePolicy(
            f"{self.name}-sessions",
            role=role.name,
            policy=iam.document(*self.session_statements, *args.instance_statements),
            opts=self.child(),
        )
        return aws.iam.InstanceProfile(self.name, role=role.name, tags=self.tags(self.name), opts=self.child())

    def _create_template(self, args: BastionArgs) -> aws.ec2.LaunchTemplate:
        # Security groups stand at the instance: EC2 refuses them here and an interface there in one request.
        return aws.ec2.LaunchTemplate(
            self.name,
            description="The bastion",
            image_id=plan.image(args.instance_class),
            instance_type=args.instance_class,
            key_name=args.key_name if plan.takes_ssh(args.mode) else None,
            user_data=base64.b64encode(plan.user_data().encode()).decode(),
            iam_instance_profile={"name": self._profile.name},
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            monitoring={"enabled": True},
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "encrypted": "true",
                        "volume_type": "gp3",
                        "volume_size": 10,
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[
                {"resource_type": kind, "tags": self.tags(self.name, Role="bastion")}
                for kind in ("instance", "network-interface", "volume")
            ],
            update_default_version=True,
            tags=self.tags(self.name, Role="bastion"),
            opts=self.child(),
        )

    def _create_instance(self, args: BastionArgs) -> aws.ec2.Instance:
        """The machine. Image, disk, key and first boot are the template's.

        Naming the disk here would make the provider look the image up by the name of its parameter, and fail.
        """
        outside = plan.takes_ssh(args.mode)
        return aws.ec2.Instance(
            self.name,
            launch_template={"id": self._template.id, "version": self._template.latest_version.apply(str)},
            subnet_id=args.public_subnet_id if outside else args.app_subnet_id,
            # True also where a fixed address follows: the first boot needs one at once, and the provider reads the
            # fixed one back as this property.
            associate_public_ip_address=outside,
            vpc_security_group_ids=[self._group.id],
            iam_instance_profile=self._profile.name,
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            monitoring=True,
            tags=self.tags(
                self.name,
                Role="bastion",
                **{
                    key: value
                    for key, value in (("PatchGroup", args.patch_group), ("Schedule", args.schedule))
                    if value
                },
            ),
            opts=self.child(),
        )

    def _create_address(self, args: BastionArgs) -> aws.ec2.Eip | None:
        """A fixed address while SSH is a way in, so that a new machine changes no one's command line."""
        if not plan.takes_ssh(args.mode):
            return None
        return aws.ec2.Eip(
            self.name, domain="vpc", instance=self._instance.id, tags=self.tags(self.name), opts=self.child()
        )
