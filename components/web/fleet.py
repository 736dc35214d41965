"""The instances: their role, launch template, Auto Scaling group and what it scales on."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from .. import iam
from .._base import Component
from . import boot, plan
from .args import WebTierArgs

#: A new instance serves before an old one goes, also where the group has one: 100 % healthy, for a while up to 200 %.
_MIN_HEALTHY, _MAX_HEALTHY = 100, 200


class Fleet:
    """An Auto Scaling group behind a target group. Its resources are children of ``owner``.

    ``listener``: the group waits for its first instances to be healthy, and nothing asks them before it listens.
    """

    def __init__(
        self,
        owner: Component,
        args: WebTierArgs,
        *,
        security_group_id: pulumi.Input[str],
        target_group_arn: pulumi.Input[str],
        listener: aws.lb.Listener,
    ) -> None:
        self._owner, self._name = owner, owner.name
        self.role = self._create_role(args)
        self._template = self._create_template(args, self._create_profile(), security_group_id)
        self.group = self._create_group(args, target_group_arn, listener)
        self._create_policies(args)

    def _create_role(self, args: WebTierArgs) -> aws.iam.Role:
        role = aws.iam.Role(
            self._name,
            description="The instances of the web tier",
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

    def _create_profile(self) -> aws.iam.InstanceProfile:
        return aws.iam.InstanceProfile(
            self._name, role=self.role.name, tags=self._owner.tags(self._name), opts=self._owner.child()
        )

    def _create_template(
        self, args: WebTierArgs, profile: aws.iam.InstanceProfile, security_group_id: pulumi.Input[str]
    ) -> aws.ec2.LaunchTemplate:
        script = boot.user_data(app_port=args.app_port, health_path=args.health_path)
        tags = self._owner.tags(self._name, Tier="app")
        return aws.ec2.LaunchTemplate(
            self._name,
            image_id=plan.image_reference(args.instance_class, args.image_id),
            instance_type=args.instance_class,
            iam_instance_profile={"arn": profile.arn},
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
                "instance_metadata_tags": "enabled",
            },
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "encrypted": "true",
                        "volume_type": "gp3",
                        "volume_size": 20,
                        "delete_on_termination": "true",
                    },
                }
            ],
            network_interfaces=[
                {
                    "device_index": 0,
                    "associate_public_ip_address": "false",
                    "delete_on_termination": "true",
                    "security_groups": [security_group_id],
                }
            ],
            monitoring={"enabled": True},
            tag_specifications=[
                {"resource_type": kind, "tags": tags} for kind in ("instance", "network-interface", "volume")
            ],
            update_default_version=True,
            user_data=base64.b64encode(script.encode()).decode(),
            tags=tags,
            opts=self._owner.child(),
        )

    def _create_group(
        self, args: WebTierArgs, target_group_arn: pulumi.Input[str], listener: aws.lb.Listener
    ) -> aws.autoscaling.Group:
        image = plan.image_reference(args.instance_class, args.image_id)
        return aws.autoscaling.Group(
            self._name,
            min_size=args.min_instances,
            max_size=args.max_instances,
            vpc_zone_identifiers=args.app_subnet_ids,
            # A number, not $Latest: only a change of it starts the refresh.
            launch_template={"id": self._template.id, "version": self._template.latest_version.apply(str)},
            target_group_arns=[target_group_arn],
            health_check_type="ELB",
            health_check_grace_period=300,
            default_cooldown=args.cooldown_seconds,
            default_instance_warmup=args.cooldown_seconds,
            instance_maintenance_policy={
                "min_healthy_percentage": _MIN_HEALTHY,
                "max_healthy_percentage": _MAX_HEALTHY,
            },
            instance_refresh={
                "strategy": "Rolling",
                "preferences": {
                    "auto_rollback": plan.rolls_back(image),
                    "instance_warmup": str(args.cooldown_seconds),
                    "min_healthy_percentage": _MIN_HEALTHY,
                    "max_healthy_percentage": _MAX_HEALTHY,
                },
            },
            termination_policies=["OldestLaunchTemplate", "OldestInstance"],
            enabled_metrics=[metric for metric in aws.autoscaling.Metric if "WarmPool" not in metric],
            metrics_granularity="1Minute",
            min_elb_capacity=args.min_instances,
            wait_for_capacity_timeout="15m",
            tags=[
                *_group_tags(self._owner.tags(self._name, Tier="app", **_patch_tags(args)), propagate=True),
                *_group_tags(_schedule_tags(args), propagate=False),
            ],
            opts=self._owner.child(
                depends_on=[listener],
                # While it is stopped both are 0; the schedule function sets them by the tag ScheduleSizes.
                ignore_changes=["minSize", "maxSize", "desiredCapacity"] if args.schedule else None,
            ),
        )

    def _create_policies(self, args: WebTierArgs) -> None:
        for target in plan.scaling_targets(
            cpu_percent=args.cpu_target_percent, memory_percent=args.memory_target_percent
        ):
            aws.autoscaling.Policy(
                f"{self._name}-{target.purpose}",
                autoscaling_group_name=self.group.name,
                policy_type="TargetTrackingScaling",
                target_tracking_configuration=self._tracking(target),
                opts=self._owner.child(),
            )

    def _tracking(self, target: plan.ScalingTarget) -> aws.autoscaling.PolicyTargetTrackingConfigurationArgsDict:
        if target.predefined is not None:
            return {
                "target_value": target.percent,
                "predefined_metric_specification": {"predefined_metric_type": target.predefined},
            }
        return {
            "target_value": target.percent,
            "customized_metric_specification": {
                "namespace": plan.NAMESPACE,
                "metric_name": plan.MEMORY_METRIC,
                "statistic": "Average",
                "metric_dimensions": [{"name": plan.GROUP_DIMENSION, "value": self.group.name}],
            },
        }


def _group_tags(tags: Mapping[str, str], *, propagate: bool) -> list[aws.autoscaling.GroupTagArgsDict]:
    return [{"key": key, "value": value, "propagate_at_launch": propagate} for key, value in sorted(tags.items())]


def _schedule_tags(args: WebTierArgs) -> dict[str, str]:
    """What the schedule function finds the group by, and the sizes it gives back to it."""
    if args.schedule is None:
        return {}
    return {"Schedule": args.schedule, "ScheduleSizes": f"{args.min_instances}:{args.max_instances}"}


def _patch_tags(args: WebTierArgs) -> dict[str, str]:
    """What puts the servers into a patch group; the disks and the template are in none."""
    return {"PatchGroup": args.patch_group} if args.patch_group else {}
