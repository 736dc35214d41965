"""The web tier: a group of instances that scales, behind a load balancer with a firewall."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from settings.naming import Labels

from .._base import Component
from .._keys import log_group
from .agent import Agent
from .args import WebTierArgs
from .edge import Edge
from .firewall import METRIC, Firewall
from .fleet import Fleet

__all__ = ["WebTier", "WebTierArgs"]

_ANYWHERE = "0.0.0.0/0"


class WebTier(Component):
    """One to two instances that scale on CPU and memory (``000_… §5``); the internet reaches the load balancer only."""

    TYPE = "learning-platform:web:WebTier"
    SERVICE = "web"
    RUNBOOK = "000_b5883a9168e66709.txt 5"

    app_security_group_id: pulumi.Output[str]
    alb_security_group_id: pulumi.Output[str]
    load_balancer_arn: pulumi.Output[str]
    #: The load balancer's and the target group's dimensions in CloudWatch.
    #: of the listener for HTTPS
    listener_arn: pulumi.Output[str]
    arn_suffix: pulumi.Output[str]
    target_group_arn_suffix: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    target_group_arn: pulumi.Output[str]
    autoscaling_group_name: pulumi.Output[str]
    #: Whoever owns a secret lets this role read it.
    instance_role_name: pulumi.Output[str]
    certificate_arn: pulumi.Output[str]
    web_acl_arn: pulumi.Output[str]
    url: str
    log_group_name: pulumi.Output[str]
    system_log_group_name: pulumi.Output[str]
    #: What CloudWatch knows the web ACL by.
    firewall_metric: str
    firewall_log_group_name: pulumi.Output[str]
    access_log_bucket: pulumi.Output[str]

    def __init__(
        self, name: str, args: WebTierArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._alb_group, self._app_group = self._create_security_groups(args)
        self._create_security_rules(args)
        self._application_log = self._create_log("application", args)
        self._system_log = self._create_log("system", args)
        self._edge = Edge(self, args, self._alb_group.id)
        self._firewall = Firewall(self, args, self._edge.load_balancer.arn)
        self._fleet = self._create_fleet(args)
        self._create_agent(args)
        self._set_outputs(args)

    def _create_security_groups(self, args: WebTierArgs) -> tuple[aws.ec2.SecurityGroup, aws.ec2.SecurityGroup]:
        alb, app = (
            aws.ec2.SecurityGroup(
                f"{self.name}-{purpose}",
                vpc_id=args.vpc_id,
                description=description,
                tags=self.tags(f"{self.name}-{purpose}", Tier=tier),
                opts=self.child(),
            )
            for purpose, tier, description in (
                ("alb", "edge", "Load balancer of the web tier"),
                ("app", "app", "Instances of the web tier"),
            )
        )
        return alb, app

    def _create_security_rules(self, args: WebTierArgs) -> None:
        alb, app = self._alb_group.id, self._app_group.id
        self._allow_in("alb-https-from-world", alb, 443, "HTTPS from anyone", cidr_ipv4=_ANYWHERE)
        self._allow_in("alb-http-from-world", alb, 80, "HTTP from anyone, to be redirected", cidr_ipv4=_ANYWHERE)
        self._allow_out("alb-to-app", alb, args.app_port, "To the instances", referenced_security_group_id=app)
        self._allow_in("app-from-alb", app, args.app_port, "From the load balancer", referenced_security_group_id=alb)
        self._allow_out("app-https-to-world", app, 443, "To AWS and package sources", cidr_ipv4=_ANYWHERE)
        for label, client in args.clients.items():
            description = f"From the {label} to the instances"
            self._allow_in(f"app-from-{label}", app, args.app_port, description, referenced_security_group_id=client)
            self._allow_out(f"{label}-to-app", client, args.app_port, description, referenced_security_group_id=app)

    def _allow_in(
        self, purpose: str, group: pulumi.Input[str], port: int, description: str, **peer: pulumi.Input[str]
    ) -> None:
        aws.vpc.SecurityGroupIngressRule(
            f"{self.name}-{purpose}",
            security_group_id=group,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=description,
            tags=self.tags(f"{self.name}-{purpose}"),
            opts=self.child(),
            **peer,
        )

    def _allow_out(
        self, purpose: str, group: pulumi.Input[str], port: int, description: str, **peer: pulumi.Input[str]
    ) -> None:
        aws.vpc.SecurityGroupEgressRule(
            f"{self.name}-{purpose}",
            security_group_id=group,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=description,
            tags=self.tags(f"{self.name}-{purpose}"),
            opts=self.child(),
            **peer,
        )

    def _create_log(self, kind: str, args: WebTierArgs) -> aws.cloudwatch.LogGroup:
        return log_group(
            self,
            f"{self.name}-{kind}",
            self.labels.path(self.name, kind),
            retention_days=args.log_retention_days,
            key_arn=args.logs_key_arn,
        )

    def _create_fleet(self, args: WebTierArgs) -> Fleet:
        return Fleet(
            self,
            args,
            security_group_id=self._app_group.id,
            target_group_arn=self._edge.target_group.arn,
            listener=self._edge.listener,
        )

    def _create_agent(self, args: WebTierArgs) -> None:
        Agent(
            self,
            group_name=self._fleet.group.name,
            role_name=self._fleet.role.name,
            application_log_group=self._application_log,
            system_log_group=self._system_log,
            schedule=args.agent_schedule,
        )

    def _set_outputs(self, args: WebTierArgs) -> None:
        edge, fleet = self._edge, self._fleet
        self.alb_security_group_id = self._alb_group.id
        self.app_security_group_id = self._app_group.id
        self.load_balancer_arn = edge.load_balancer.arn
        self.arn_suffix = edge.load_balancer.arn_suffix
        self.dns_name = edge.load_balancer.dns_name
        self.listener_arn = edge.listener.arn
        self.target_group_arn = edge.target_group.arn
        self.target_group_arn_suffix = edge.target_group.arn_suffix
        self.certificate_arn = edge.certificate.arn
        self.access_log_bucket = edge.logs.bucket.bucket
        self.web_acl_arn = self._firewall.web_acl.arn
        self.autoscaling_group_name = fleet.group.name
        self.instance_role_name = fleet.role.name
        self.log_group_name = self._application_log.name
        self.system_log_group_name = self._system_log.name
        self.firewall_metric = METRIC
        self.firewall_log_group_name = self._firewall.log_group.name
        self.url = f"https://{args.host}"
        self.register_outputs(
            {
                "loadBalancerArn": self.load_balancer_arn,
                "autoscalingGroupName": self.autoscaling_group_name,
                "url": self.url,
            }
        )
