"""The machine: its role, security group, launch template, address, and the page on it."""

from __future__ import annotations

import base64

import pulumi
import pulumi_aws as aws

from .. import iam
from .._base import Component
from . import plan
from .args import MaintenanceArgs

_ANYWHERE = "0.0.0.0/0"


class Host:
    """A machine without data of its own. Its resources are children of ``owner``.

    Only a change of its first boot replaces it; the page and nginx's configuration come by an association, which runs
    when they change and once a day. A new machine has no certificate until the next hand-over.
    """

    def __init__(self, owner: Component, args: MaintenanceArgs) -> None:
        self._owner, self._name = owner, owner.name
        self.group = self._create_group(args)
        self.role = self._create_role(args)
        self._profile = aws.iam.InstanceProfile(
            self._name, role=self.role.name, tags=owner.tags(self._name), opts=owner.child()
        )
        self._template = self._create_template(args)
        self.instance = self._create_instance(args)
        self.address = self._create_address(args)
        self._install(args)
        self.until_document = self._create_until_document()

    def _create_group(self, args: MaintenanceArgs) -> aws.ec2.SecurityGroup:
        """The run book's inbound rules (``003_… Patching & Updates``), and HTTPS out, to AWS and to packages."""
        group = aws.ec2.SecurityGroup(
            self._name,
            description="The maintenance page",
            vpc_id=args.vpc_id,
            tags=self._owner.tags(self._name, Role="maintenance"),
            opts=self._owner.child(),
        )
        doors = [
            ("http", 80, _ANYWHERE, "The page for anyone"),
            ("https", 443, _ANYWHERE, "The page for anyone, by TLS"),
        ]
        doors += [
            (f"ssh-{str(cidr).replace('/', '-')}", 22, str(cidr), "SSH from administrators")
            for cidr in args.admin_cidrs
        ]
        for purpose, port, cidr, description in doors:
            name = f"{self._name}-{purpose}"
            aws.vpc.SecurityGroupIngressRule(
                name,
                security_group_id=group.id,
                description=description,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_ipv4=cidr,
                tags=self._owner.tags(name),
                opts=self._owner.child(),
            )
        name = f"{self._name}-https-out"
        aws.vpc.SecurityGroupEgressRule(
            name,
            security_group_id=group.id,
            description="AWS APIs and packages",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=_ANYWHERE,
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
        return group

    def _create_role(self, args: MaintenanceArgs) -> aws.iam.Role:
        role = aws.iam.Role(
            self._name,
            description="The machine with the maintenance page",
            assume_role_policy=iam.trust("ec2.amazonaws.com"),
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )
        aws.iam.RolePolicyAttachment(
            f"{self._name}-ssm",
            role=role.name,
            policy_arn=f"arn:{args.home.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore",
            opts=self._owner.child(),
        )
        if args.instance_statements:
            aws.iam.RolePolicy(
                f"{self._name}-granted",
                role=role.name,
                policy=iam.document(*args.instance_statements),
                opts=self._owner.child(),
            )
        return role

    def _create_template(self, args: MaintenanceArgs) -> aws.ec2.LaunchTemplate:
        # Security groups stand at the instance: EC2 refuses them here and an interface there in one request.
        tags = self._owner.tags(self._name, Role="maintenance")
        return aws.ec2.LaunchTemplate(
            self._name,
            description="The maintenance page",
            image_id=plan.IMAGE,
            instance_type=plan.INSTANCE_CLASS,
            key_name=args.settings.key_name,
            user_data=base64.b64encode(plan.read("boot.sh").encode()).decode(),
            iam_instance_profile={"name": self._profile.name},
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            monitoring={"enabled": True},
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "encrypted": "true",
                        "volume_type": "gp3",
                        "volume_size": 8,
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[
                {"resource_type": kind, "tags": tags} for kind in ("instance", "network-interface", "volume")
            ],
            update_default_version=True,
            tags=tags,
            opts=self._owner.child(),
        )

    def _create_instance(self, args: MaintenanceArgs) -> aws.ec2.Instance:
        """The machine. Image, disk, key and first boot are the template's.

        Naming the disk here would make the provider look the image up by the name of its parameter, and fail.
        """
        return aws.ec2.Instance(
            self._name,
            launch_template={"id": self._template.id, "version": self._template.latest_version.apply(str)},
            instance_type=plan.INSTANCE_CLASS,
            subnet_id=args.subnet_id,
            # True also where a fixed address follows: the first boot needs one at once, and the provider reads the
            # fixed one back as this property.
            associate_public_ip_address=True,
            vpc_security_group_ids=[self.group.id],
            iam_instance_profile=self._profile.name,
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            monitoring=True,
            tags=self._owner.tags(
                self._name, Role="maintenance", **({"PatchGroup": args.patch_group} if args.patch_group else {})
            ),
            opts=self._owner.child(),
        )

    def _create_address(self, args: MaintenanceArgs) -> aws.ec2.Eip | None:
        """A fixed address, unless the server's comes and goes: a machine has one, and a deployment would move it."""
        if args.settings.mode == "elastic-ip":
            return None
        return aws.ec2.Eip(
            self._name,
            domain="vpc",
            instance=self.instance.id,
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )

    def _install(self, args: MaintenanceArgs) -> None:
        name = f"{self._name}-page"
        text = plan.script("install.sh", files=plan.site(args.settings.page))
        content = plan.revised("Puts nginx and the maintenance page on the machine.", f"{plan.read('boot.sh')}\n{text}")
        document = self.document(name, content)
        self.associate(name, document, self.instance.id, "rate(1 day)", revision=plan.revision(content))

    def _create_until_document(self) -> aws.ssm.Document:
        name = f"{self._name}-until"
        text = "#!/bin/bash\nset -eu\nexec /usr/local/sbin/maintenance-until '{{ until }}'"
        return self.document(name, plan.command("Writes on the page when the work ends.", text, plan.UNTIL_PARAMETERS))

    def document(self, name: str, content: pulumi.Input[str]) -> aws.ssm.Document:
        """An SSM document for machines, under a name that operators know."""
        return aws.ssm.Document(
            name,
            name=self._owner.labels.physical(name, limit=128),
            document_type="Command",
            document_format="JSON",
            target_type="/AWS::EC2::Instance",
            content=content,
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )

    def associate(
        self,
        name: str,
        document: aws.ssm.Document,
        instance_id: pulumi.Input[str],
        schedule: str,
        *,
        revision: pulumi.Input[str] | None = None,
    ) -> None:
        """Runs a document on a machine by ``schedule``, and at once when it is made or ``revision`` changes.

        Without a revision it keeps to its times.
        """
        aws.ssm.Association(
            name,
            name=document.name,
            association_name=self._owner.labels.physical(name, limit=128),
            parameters={"revision": revision} if revision is not None else None,
            targets=[{"key": "InstanceIds", "values": [instance_id]}],
            schedule_expression=schedule,
            # A rate cannot wait for its time.
            apply_only_at_cron_interval=(revision is None and schedule.startswith("cron")) or None,
            compliance_severity="HIGH",
            tags=self._owner.tags(name),
            opts=self._owner.child(),
        )
