"""The network component: declares what ``plan`` decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

import pulumi
import pulumi_aws as aws

from settings.naming import Labels

from .. import iam
from .._base import Component
from .._keys import Home, log_group
from . import plan


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkArgs:
    """``flow_log_retention_days``: how long refused and accepted connections can be looked up."""

    home: Home
    cidr: IPv4Network
    zones: tuple[str, ...]
    nat: Literal["none", "one", "per-zone"]
    traffic: plan.Traffic
    flow_log_retention_days: int
    logs_key_arn: pulumi.Input[str]


class Network(Component):
    """A VPC in three tiers: ``public`` meets the internet, ``app`` leaves by NAT, ``data`` never leaves."""

    TYPE = "learning-platform:network:Network"
    SERVICE = "network"
    RUNBOOK = "000_b5883a9168e66709.txt 6"

    vpc_id: pulumi.Output[str]
    #: tier -> subnet ids in the order of the zones
    subnet_ids: Mapping[plan.Tier, Sequence[pulumi.Output[str]]]
    #: zone -> id of its NAT gateway
    nat_gateway_ids: Mapping[str, pulumi.Output[str]]
    flow_log_group: pulumi.Output[str]
    #: where ``RejectedConnections`` are counted
    metric_namespace: str

    def __init__(
        self, name: str, args: NetworkArgs, *, labels: Labels, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, labels, opts)
        self._vpc = self._create_vpc(args)
        self._subnets = self._create_subnets(args)
        self._create_acls(args)
        self._gateway = self._create_internet_gateway()
        self._nat = self._create_nat(args)
        self._way_out, app_tables = self._create_routes(args)
        self._create_endpoints(args, app_tables)
        self._flow_group = self._create_flow_log(args)
        self.vpc_id = self._vpc.id
        self.subnet_ids = {tier: [self._subnet_id(tier, zone) for zone in args.zones] for tier in plan.TIERS}
        self.nat_gateway_ids = {zone: gateway.id for zone, gateway in self._nat.items()}
        self.flow_log_group = self._flow_group.name
        self.metric_namespace = self._metric_namespace
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids, "flowLogGroup": self.flow_log_group})

    @property
    def _metric_namespace(self) -> str:
        return self.labels.physical("network")

    def _create_vpc(self, args: NetworkArgs) -> aws.ec2.Vpc:
        vpc = aws.ec2.Vpc(
            self.name,
            cidr_block=str(args.cidr),
            enable_dns_hostnames=True,
            enable_dns_support=True,
            enable_network_address_usage_metrics=True,
            tags=self.tags(self.name),
            opts=self.child(),
        )
        # AWS makes a group that lets its members talk; adopting it without rules closes it.
        aws.ec2.DefaultSecurityGroup(
            f"{self.name}-default", vpc_id=vpc.id, tags=self.tags(f"{self.name}-default-unused"), opts=self.child()
        )
        return vpc

    def _create_subnets(self, args: NetworkArgs) -> dict[tuple[plan.Tier, str], aws.ec2.Subnet]:
        subnets = {}
        for planned in plan.plan_subnets(args.cidr, args.zones):
            name = f"{self.name}-{planned.tier}-{planned.zone}"
            subnets[planned.tier, planned.zone] = aws.ec2.Subnet(
                name,
                vpc_id=self._vpc.id,
                availability_zone=planned.zone,
                cidr_block=str(planned.cidr),
                map_public_ip_on_launch=False,
                tags=self.tags(name, Tier=planned.tier),
                opts=self.child(),
            )
        return subnets

    def _subnet_id(self, tier: plan.Tier, zone: str) -> pulumi.Output[str]:
        """A subnet's id. A public one is handed out with its way out: addresses and balancers need it to be there."""
        subnet = self._subnets[tier, zone]
        if tier != "public":
            return subnet.id
        return pulumi.Output.all(subnet=subnet.id, route=self._way_out.id).apply(lambda ids: ids["subnet"])

    def _create_acls(self, args: NetworkArgs) -> None:
        for tier in plan.TIERS:
            name = f"{self.name}-{tier}"
            entries = plan.acl_entries(tier, args.cidr, args.traffic)
            aws.ec2.NetworkAcl(
                name,
                vpc_id=self._vpc.id,
                subnet_ids=[self._subnets[tier, zone].id for zone in args.zones],
                ingress=[_acl_line(entry) for entry in entries if entry.direction == "ingress"],
                egress=[_acl_line(entry) for entry in entries if entry.direction == "egress"],
                tags=self.tags(name, Tier=tier),
                opts=self.child(),
            )

    def _create_internet_gateway(self) -> aws.ec2.InternetGateway:
        return aws.ec2.InternetGateway(self.name, vpc_id=self._vpc.id, tags=self.tags(self.name), opts=self.child())

    def _create_nat(self, args: NetworkArgs) -> dict[str, aws.ec2.NatGateway]:
        gateways = {}
        for zone in plan.nat_zones(args.nat, args.zones):
            name = f"{self.name}-nat-{zone}"
            address = aws.ec2.Eip(name, domain="vpc", tags=self.tags(name), opts=self.child())
            gateways[zone] = aws.ec2.NatGateway(
                name,
                allocation_id=address.allocation_id,
                subnet_id=self._subnets["public", zone].id,
                tags=self.tags(name),
                # The gateway is useless, and its creation fails, before the VPC has a way out.
                opts=self.child(depends_on=[self._gateway]),
            )
        return gateways

    def _create_routes(self, args: NetworkArgs) -> tuple[aws.ec2.Route, list[aws.ec2.RouteTable]]:
        """The public tier's way out, and a table for each app subnet: a change of ``nat`` moves routes, not tables."""
        public = self._route_table("public", [("public", zone) for zone in args.zones])
        way_out = aws.ec2.Route(
            f"{self.name}-public-out",
            route_table_id=public.id,
            destination_cidr_block=str(plan.ANYWHERE),
            gateway_id=self._gateway.id,
            opts=self.child(),
        )
        self._route_table("data", [("data", zone) for zone in args.zones])
        tables = []
        for zone in args.zones:
            table = self._route_table(f"app-{zone}", [("app", zone)])
            tables.append(table)
            if self._nat:
                gateway = self._nat.get(zone) or next(iter(self._nat.values()))
                aws.ec2.Route(
                    f"{self.name}-app-{zone}-out",
                    route_table_id=table.id,
                    destination_cidr_block=str(plan.ANYWHERE),
                    nat_gateway_id=gateway.id,
                    opts=self.child(),
                )
        return way_out, tables

    def _route_table(self, purpose: str, members: Sequence[tuple[plan.Tier, str]]) -> aws.ec2.RouteTable:
        name = f"{self.name}-{purpose}"
        table = aws.ec2.RouteTable(name, vpc_id=self._vpc.id, tags=self.tags(name), opts=self.child())
        for tier, zone in members:
            aws.ec2.RouteTableAssociation(
                f"{self.name}-{tier}-{zone}",
                route_table_id=table.id,
                subnet_id=self._subnets[tier, zone].id,
                opts=self.child(),
            )
        return table

    def _create_endpoints(self, args: NetworkArgs, tables: Sequence[aws.ec2.RouteTable]) -> None:
        region = args.home.region
        aws.ec2.VpcEndpoint(
            f"{self.name}-s3",
            vpc_id=self._vpc.id,
            service_name=f"com.amazonaws.{region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            policy=iam.document(*_reachable_buckets(args.home)),
            tags=self.tags(f"{self.name}-s3"),
            opts=self.child(),
        )
        group = self._endpoint_group(args)
        for service in plan.interface_endpoints(args.nat):
            aws.ec2.VpcEndpoint(
                f"{self.name}-{service}",
                vpc_id=self._vpc.id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=[self._subnets["app", zone].id for zone in args.zones],
                security_group_ids=[group.id],
                private_dns_enabled=True,
                policy=iam.document(_own_account_only(args.home, service)),
                tags=self.tags(f"{self.name}-{service}"),
                opts=self.child(),
            )

    def _endpoint_group(self, args: NetworkArgs) -> aws.ec2.SecurityGroup:
        name = f"{self.name}-endpoints"
        group = aws.ec2.SecurityGroup(
            name,
            description="Interface endpoints of AWS services",
            vpc_id=self._vpc.id,
            tags=self.tags(name, Tier="app"),
            opts=self.child(),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-https",
            security_group_id=group.id,
            description="AWS APIs from inside the VPC",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=str(args.cidr),
            tags=self.tags(f"{name}-https"),
            opts=self.child(),
        )
        return group

    def _create_flow_log(self, args: NetworkArgs) -> aws.cloudwatch.LogGroup:
        """Every connection, accepted or refused, and a count of the refused ones (004_… VPC Flow Logs analysis)."""
        name = f"{self.name}-flow"
        group = log_group(
            self,
            name,
            self.labels.path("network", "flow"),
            retention_days=args.flow_log_retention_days,
            key_arn=args.logs_key_arn,
        )
        aws.ec2.FlowLog(
            name,
            vpc_id=self._vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            log_format=plan.flow_format(),
            iam_role_arn=self._flow_role(args, group).arn,
            max_aggregation_interval=60,
            tags=self.tags(name),
            opts=self.child(),
        )
        aws.cloudwatch.LogMetricFilter(
            f"{self.name}-rejected",
            name=self.labels.physical("rejected-connections", limit=512),
            log_group_name=group.name,
            pattern=plan.reject_pattern(),
            metric_transformation={
                "name": "RejectedConnections",
                "namespace": self._metric_namespace,
                "value": "1",
                "default_value": "0",
                "unit": "Count",
            },
            opts=self.child(),
        )
        return group

    def _flow_role(self, args: NetworkArgs, group: aws.cloudwatch.LogGroup) -> aws.iam.Role:
        name = f"{self.name}-flow"
        role = aws.iam.Role(
            name,
            description="Writes the VPC's flow log",
            assume_role_policy=iam.trust(
                "vpc-flow-logs.amazonaws.com",
                account_id=args.home.account_id,
                source_arn=args.home.arn("ec2", "vpc-flow-log/*"),
            ),
            tags=self.tags(name),
            opts=self.child(),
        )
        aws.iam.RolePolicy(
            name,
            role=role.name,
            policy=iam.document(
                iam.allow(
                    ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                    [group.arn, pulumi.Output.concat(group.arn, ":*")],
                ),
                # Listing cannot be narrowed to one group.
                iam.allow(["logs:DescribeLogGroups"], ["*"]),
            ),
            opts=self.child(),
        )
        return role


def _acl_line(entry: plan.AclEntry) -> aws.ec2.NetworkAclIngressArgsDict:
    return {
        "rule_no": entry.number,
        "action": "allow",
        "protocol": "tcp",
        "cidr_block": str(entry.cidr),
        "from_port": entry.ports[0],
        "to_port": entry.ports[1],
    }


def _own_account_only(home: Home, service: str) -> iam.Statement:
    """Credentials of another account are worthless on this path, so nothing can be carried out with them."""
    return {
        "Sid": "OwnAccount",
        "Effect": "Allow",
        "Principal": "*",
        "Action": f"{plan.ACTION_PREFIXES.get(service, service)}:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalAccount": home.account_id}},
    }


def _reachable_buckets(home: Home) -> tuple[iam.Statement, iam.Statement]:
    """The account's own buckets, and the AWS-owned ones that packages, agents and patches are read from."""
    shared = (
        f"al2023-repos-{home.region}-de612dc2",
        f"amazon-ssm-{home.region}",
        f"amazon-ssm-packages-{home.region}",
        f"aws-ssm-{home.region}",
        f"aws-ssm-document-attachments-{home.region}",
        f"patch-baseline-snapshot-{home.region}",
    )
    return (
        {
            "Sid": "OwnBuckets",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceAccount": home.account_id}},
        },
        {
            "Sid": "PackagesAndAgents",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": [f"arn:{home.partition}:s3:::{bucket}/*" for bucket in shared],
        },
    )
