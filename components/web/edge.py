"""The edge: what the internet meets. A load balancer that speaks HTTPS, its certificate, name and access log."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from .. import iam
from .._base import Component
from .._bucket import BucketArgs, GuardedBucket
from .args import WebTierArgs

#: TLS 1.3 and 1.2 with forward secrecy.
_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


class Edge:
    """A public load balancer with its name in the hosted zone. Its resources are children of ``owner``."""

    def __init__(self, owner: Component, args: WebTierArgs, security_group_id: pulumi.Input[str]) -> None:
        self._owner, self._name = owner, owner.name
        self.logs = self._create_logs(args)
        self.load_balancer = self._create_load_balancer(args, security_group_id)
        self.target_group = self._create_target_group(args)
        self.certificate = self._create_certificate(args)
        self.listener = self._create_listeners(self._prove_certificate(args))
        self._create_name(args)

    def _create_logs(self, args: WebTierArgs) -> GuardedBucket:
        home = args.home
        delivery = iam.allow_service(
            "logdelivery.elasticloadbalancing.amazonaws.com",
            ["s3:PutObject"],
            [],
            sid="LoadBalancerWrites",
            condition={"ArnLike": {"aws:SourceArn": home.arn("elasticloadbalancing", "loadbalancer/*")}},
        )
        return GuardedBucket(
            self._owner,
            f"{self._name}-access-logs",
            BucketArgs(purpose="logs", key_arn=None, expire_days=args.log_retention_days, protect=args.protect),
            statements=[(delivery, f"/AWSLogs/{home.account_id}/*")],
        )

    def _create_load_balancer(self, args: WebTierArgs, security_group_id: pulumi.Input[str]) -> aws.lb.LoadBalancer:
        return aws.lb.LoadBalancer(
            self._name,
            load_balancer_type="application",
            internal=False,
            ip_address_type="ipv4",
            security_groups=[security_group_id],
            subnets=args.public_subnet_ids,
            # The service writes a test object when logging is switched on, so the policy has to be there before.
            access_logs={"bucket": self.logs.policy.bucket, "enabled": True},
            desync_mitigation_mode="defensive",
            drop_invalid_header_fields=True,
            enable_deletion_protection=args.protect,
            tags=self._owner.tags(self._name, Tier="edge"),
            opts=self._owner.child(),
        )

    def _create_target_group(self, args: WebTierArgs) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            self._name,
            vpc_id=args.vpc_id,
            target_type="instance",
            protocol="HTTP",
            port=args.app_port,
            deregistration_delay=60,
            load_balancing_algorithm_type="least_outstanding_requests",
            health_check={
                "path": args.health_path,
                "protocol": "HTTP",
                "port": "traffic-port",
                "matcher": "200",
                "interval": 15,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 3,
            },
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )

    def _create_certificate(self, args: WebTierArgs) -> aws.acm.Certificate:
        return aws.acm.Certificate(
            self._name,
            domain_name=args.host,
            validation_method="DNS",
            tags=self._owner.tags(self._name),
            opts=self._owner.child(),
        )

    def _prove_certificate(self, args: WebTierArgs) -> pulumi.Output[str]:
        """The certificate's ARN, known once it is issued. ACM renews it for as long as the record stays."""
        # One name, so one option; an index keeps the record out of an apply.
        option = self.certificate.domain_validation_options[0]
        record = aws.route53.Record(
            f"{self._name}-certificate",
            zone_id=args.zone_id,
            name=option.resource_record_name,
            type=option.resource_record_type,
            records=[option.resource_record_value],
            ttl=300,
            opts=self._owner.child(),
        )
        validation = aws.acm.CertificateValidation(
            self._name,
            certificate_arn=self.certificate.arn,
            validation_record_fqdns=[record.fqdn],
            opts=self._owner.child(),
        )
        return validation.certificate_arn

    def _create_listeners(self, certificate_arn: pulumi.Input[str]) -> aws.lb.Listener:
        https = aws.lb.Listener(
            f"{self._name}-https",
            load_balancer_arn=self.load_balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=_TLS_POLICY,
            certificate_arn=certificate_arn,
            routing_http_response_server_enabled=False,
            routing_http_response_strict_transport_security_header_value="max-age=31536000",
            default_actions=[{"type": "forward", "target_group_arn": self.target_group.arn}],
            tags=self._owner.tags(f"{self._name}-https"),
            opts=self._owner.child(),
        )
        aws.lb.Listener(
            f"{self._name}-http",
            load_balancer_arn=self.load_balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[
                {"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}}
            ],
            tags=self._owner.tags(f"{self._name}-http"),
            opts=self._owner.child(),
        )
        return https

    def _create_name(self, args: WebTierArgs) -> None:
        aws.route53.Record(
            self._name,
            zone_id=args.zone_id,
            name=args.host,
            type="A",
            aliases=[
                {
                    "name": self.load_balancer.dns_name,
                    "zone_id": self.load_balancer.zone_id,
                    "evaluate_target_health": True,
                }
            ],
            opts=self._owner.child(),
        )
