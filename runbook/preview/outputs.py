"""What AWS would answer: an id and a plausible, unique value for every property that only the provider knows.

The tables below are all there is to edit when a type is added whose values have a form of their own; whatever has no
row gets its value from the property's name and type. Values are made from the URN, so two runs agree.
"""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi import _types

from .sdk import resource_type

#: type -> prefix of ids such as ``vpc-0a1b…`` (17 hexadecimal digits).
_ID_PREFIXES = {
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "sg",
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/eipAssociation:EipAssociation": "eipassoc",
    "aws:ec2/flowLog:FlowLog": "fl",
    "aws:ec2/instance:Instance": "i",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/launchTemplate:LaunchTemplate": "lt",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/networkAcl:NetworkAcl": "acl",
    "aws:ec2/networkAclAssociation:NetworkAclAssociation": "aclassoc",
    "aws:ec2/networkInterface:NetworkInterface": "eni",
    "aws:ec2/route:Route": "r-rtb",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "rtbassoc",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/securityGroupRule:SecurityGroupRule": "sgrule",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce",
    "aws:ebs/volume:Volume": "vol",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "sgr",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "sgr",
}

#: type -> prefix of RDS's own ids such as ``db-ABC…`` (26 characters).
_RESOURCE_IDS = {"aws:rds/instance:Instance": "db"}

#: type -> the property whose value is the id as well. ``arn`` stands for types that AWS knows by their ARN.
_ID_IS = {
    "aws:acm/certificate:Certificate": "arn",
    "aws:acm/certificateValidation:CertificateValidation": "certificateArn",
    "aws:autoscaling/group:Group": "name",
    "aws:autoscaling/policy:Policy": "name",
    "aws:backup/vault:Vault": "name",
    "aws:cloudtrail/trail:Trail": "arn",
    "aws:cloudwatch/dashboard:Dashboard": "dashboardName",
    "aws:cloudwatch/eventRule:EventRule": "name",
    "aws:cloudwatch/logGroup:LogGroup": "name",
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": "name",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "name",
    "aws:dynamodb/table:Table": "name",
    "aws:iam/instanceProfile:InstanceProfile": "name",
    "aws:iam/policy:Policy": "arn",
    "aws:iam/role:Role": "name",
    "aws:kms/alias:Alias": "name",
    "aws:lambda/function:Function": "name",
    "aws:lb/listener:Listener": "arn",
    "aws:lb/loadBalancer:LoadBalancer": "arn",
    "aws:lb/targetGroup:TargetGroup": "arn",
    "aws:rds/eventSubscription:EventSubscription": "name",
    "aws:rds/parameterGroup:ParameterGroup": "name",
    "aws:rds/subnetGroup:SubnetGroup": "name",
    "aws:s3/bucket:Bucket": "bucket",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "bucket",
    "aws:s3/bucketLogging:BucketLogging": "bucket",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "bucket",
    "aws:s3/bucketPolicy:BucketPolicy": "bucket",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "bucket",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "bucket",
    "aws:s3/bucketVersioning:BucketVersioning": "bucket",
    "aws:secretsmanager/secret:Secret": "arn",
    "aws:secretsmanager/secretRotation:SecretRotation": "secretId",
    "aws:sfn/stateMachine:StateMachine": "arn",
    "aws:sns/topic:Topic": "arn",
    "aws:sns/topicPolicy:TopicPolicy": "arn",
    "aws:sns/topicSubscription:TopicSubscription": "arn",
    "aws:ssm/document:Document": "name",
    "aws:ssm/parameter:Parameter": "name",
}

#: type -> the property that the provider names when the program does not. Others are named by ``name``.
_AUTONAMED = {
    "aws:rds/instance:Instance": "identifier",
    "aws:s3/bucket:Bucket": "bucket",
}

#: type -> the resource part of its ARN, behind ``arn:partition:service:region:account:``. ``{service}=`` overrides
#: the SDK's module name where AWS uses another; services without a region or an account say so with ``-``.
_ARNS = {
    "aws:acm/certificate:Certificate": "acm|certificate/{uuid}",
    "aws:autoscaling/group:Group": "autoscaling|autoScalingGroup:{uuid}:autoScalingGroupName/{name}",
    "aws:autoscaling/policy:Policy": "autoscaling|scalingPolicy:{uuid}:policyName/{name}",
    "aws:backup/vault:Vault": "backup|backup-vault:{name}",
    "aws:cloudwatch/eventRule:EventRule": "events|rule/{name}",
    "aws:cloudwatch/logGroup:LogGroup": "logs|log-group:{name}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch|alarm:{name}",
    "aws:ec2/eip:Eip": "ec2|elastic-ip/{id}",
    "aws:ec2/flowLog:FlowLog": "ec2|vpc-flow-log/{id}",
    "aws:ec2/instance:Instance": "ec2|instance/{id}",
    "aws:ec2/internetGateway:InternetGateway": "ec2|internet-gateway/{id}",
    "aws:ec2/launchTemplate:LaunchTemplate": "ec2|launch-template/{id}",
    "aws:ec2/networkAcl:NetworkAcl": "ec2|network-acl/{id}",
    "aws:ec2/routeTable:RouteTable": "ec2|route-table/{id}",
    "aws:ec2/securityGroup:SecurityGroup": "ec2|security-group/{id}",
    "aws:ec2/subnet:Subnet": "ec2|subnet/{id}",
    "aws:ec2/vpc:Vpc": "ec2|vpc/{id}",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "ec2|vpc-endpoint/{id}",
    "aws:iam/instanceProfile:InstanceProfile": "iam-global|instance-profile/{name}",
    "aws:iam/policy:Policy": "iam-global|policy/{name}",
    "aws:iam/role:Role": "iam-global|role/{name}",
    "aws:kms/alias:Alias": "kms|{name}",
    "aws:kms/key:Key": "kms|key/{id}",
    "aws:lambda/function:Function": "lambda|function:{name}",
    "aws:lb/listener:Listener": "elasticloadbalancing|listener/app/{name}/{hex16}/{hex16b}",
    "aws:lb/loadBalancer:LoadBalancer": "elasticloadbalancing|loadbalancer/app/{name}/{hex16}",
    "aws:lb/targetGroup:TargetGroup": "elasticloadbalancing|targetgroup/{name}/{hex16}",
    "aws:rds/eventSubscription:EventSubscription": "rds|es:{name}",
    "aws:rds/instance:Instance": "rds|db:{name}",
    "aws:rds/parameterGroup:ParameterGroup": "rds|pg:{name}",
    "aws:rds/subnetGroup:SubnetGroup": "rds|subgrp:{name}",
    "aws:s3/bucket:Bucket": "s3-nowhere|{name}",
    "aws:sfn/stateMachine:StateMachine": "states|stateMachine:{name}",
    "aws:sns/topic:Topic": "sns|{name}",
    "aws:sns/topicPolicy:TopicPolicy": "sns|{name}",
    "aws:sns/topicSubscription:TopicSubscription": "sns|{name}:{uuid}",
    "aws:sqs/queue:Queue": "sqs|{name}",
    "aws:ssm/association:Association": "ssm|association/{id}",
    "aws:ssm/document:Document": "ssm|document/{name}",
    "aws:ssm/parameter:Parameter": "ssm|parameter{name}",
    "aws:wafv2/webAcl:WebAcl": "wafv2|regional/webacl/{name}/{id}",
}


@dataclass(frozen=True, slots=True)
class Home:
    """Where a stack lives, as its configuration says."""

    partition: str
    account: str
    region: str

    @classmethod
    def of(cls, config: Mapping[str, str]) -> Home:
        """From ``aws:region`` and the first of ``aws:allowedAccountIds``; neutral values where they are missing."""
        from .capture import config_value

        accounts = config_value(config, "aws:allowedAccountIds")
        account = str(accounts[0]) if isinstance(accounts, list) and accounts else "000000000000"
        region = str(config.get("aws:region", "us-east-1"))
        partition = {"us-gov": "aws-us-gov", "cn": "aws-cn"}.get(region.rsplit("-", 2)[0], "aws")
        return cls(partition, account, region)


@dataclass(frozen=True, slots=True)
class Subject:
    """One registration, while its outputs are being made."""

    token: str
    name: str
    urn: str
    inputs: Mapping[str, Any]
    home: Home

    def hex(self, length: int, salt: str = "") -> str:
        """Digits that are this resource's alone."""
        return hashlib.sha256(f"{self.urn}#{salt}".encode()).hexdigest()[:length]

    def uuid(self, salt: str = "") -> str:
        digits = self.hex(32, salt or "uuid")
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def number(self, salt: str, low: int, high: int) -> int:
        return low + int(self.hex(12, salt), 16) % (high - low)

    @property
    def region(self) -> str:
        return str(self.inputs.get("region") or self.home.region)

    @property
    def physical_name(self) -> str:
        """The name the program gave, or the logical one with the provider's seven digits."""
        prop = _AUTONAMED.get(self.token, "name")
        return str(self.inputs.get(prop) or f"{self.name}-{self.hex(7, 'name')}")

    @property
    def id(self) -> str:
        prefix = _ID_PREFIXES.get(self.token)
        if prefix:
            return f"{prefix}-{self.hex(17, 'id')}"
        if self.token in _RESOURCE_IDS:
            return f"{_RESOURCE_IDS[self.token]}-{self.hex(26, 'id').upper()}"
        prop = _ID_IS.get(self.token)
        if prop == "arn":
            return self.arn
        if prop and prop == _AUTONAMED.get(self.token, "name"):
            return self.physical_name
        if prop and isinstance(self.inputs.get(prop), str):
            return str(self.inputs[prop])
        return self.uuid("id")

    @property
    def arn(self) -> str:
        module = self.token.split(":")[1].split("/")[0]
        service, _, form = _ARNS.get(self.token, f"{module}|{self.name}/{{uuid}}").partition("|")
        values = {
            "id": self.id if "{id}" in form else "",
            "name": self.physical_name,
            "uuid": self.uuid("arn"),
            "hex16": self.hex(16, "arn"),
            "hex16b": self.hex(16, "arn-b"),
        }
        service, _, scope = service.partition("-")
        region = "" if scope else self.region
        account = "" if scope == "nowhere" else self.home.account
        return f"arn:{self.home.partition}:{service}:{region}:{account}:{form.format(**values)}"


def _certificate_options(subject: Subject) -> list[dict[str, str]]:
    names = [subject.inputs.get("domainName"), *subject.inputs.get("subjectAlternativeNames", [])]
    return [
        {
            "domainName": str(name),
            "resourceRecordName": f"_{subject.hex(32, f'name-{name}')}.{name}.",
            "resourceRecordType": "CNAME",
            "resourceRecordValue": f"_{subject.hex(32, f'value-{name}')}.acm-validations.aws.",
        }
        for name in dict.fromkeys(names)
    ]


def _master_secret(subject: Subject) -> list[dict[str, str]]:
    home = subject.home
    return [
        {
            "kmsKeyId": str(subject.inputs.get("masterUserSecretKmsKeyId", "")),
            "secretArn": f"arn:{home.partition}:secretsmanager:{subject.region}:{home.account}:"
            f"secret:rds!{subject.id.lower()}-{subject.hex(6, 'secret')}",
            "secretStatus": "active",
        }
    ]


def _address(subject: Subject) -> str:
    return f"{subject.physical_name}.c{subject.hex(11, 'dns')}.{subject.region}.rds.amazonaws.com"


def _balancer_dns(subject: Subject) -> str:
    return f"{subject.physical_name}-{subject.number('dns', 10**8, 10**9)}.{subject.region}.elb.amazonaws.com"


def _arn_suffix(subject: Subject) -> str:
    tail = subject.arn.rpartition(":")[2]
    return tail.removeprefix("loadbalancer/")


def _public_ip(subject: Subject) -> str:
    """From the range reserved for benchmarks, so that it can be nobody's."""
    return f"198.18.{subject.number('ip', 0, 256)}.{subject.number('ip2', 1, 255)}"


def _private_ip(subject: Subject) -> str:
    return f"10.255.{subject.number('ip', 0, 256)}.{subject.number('ip2', 1, 255)}"


#: (type, property) -> its value. Also for inputs that the provider fills in when the program leaves them out.
_VALUES: dict[tuple[str, str], Callable[[Subject], Any]] = {
    ("aws:acm/certificate:Certificate", "domainValidationOptions"): _certificate_options,
    ("aws:ec2/eip:Eip", "allocationId"): lambda s: s.id,
    ("aws:ec2/eip:Eip", "publicIp"): _public_ip,
    ("aws:ec2/instance:Instance", "privateIp"): _private_ip,
    ("aws:ec2/instance:Instance", "publicIp"): _public_ip,
    ("aws:ec2/launchTemplate:LaunchTemplate", "latestVersion"): lambda _: 1,
    ("aws:ec2/natGateway:NatGateway", "publicIp"): _public_ip,
    ("aws:kms/key:Key", "keyId"): lambda s: s.id,
    ("aws:lb/loadBalancer:LoadBalancer", "arnSuffix"): _arn_suffix,
    ("aws:lb/loadBalancer:LoadBalancer", "dnsName"): _balancer_dns,
    ("aws:lb/loadBalancer:LoadBalancer", "zoneId"): lambda s: f"Z{s.hex(13, 'zone').upper()}",
    ("aws:lb/targetGroup:TargetGroup", "arnSuffix"): _arn_suffix,
    ("aws:rds/instance:Instance", "address"): _address,
    ("aws:rds/instance:Instance", "endpoint"): lambda s: f"{_address(s)}:{s.inputs.get('port', 5432)}",
    ("aws:rds/instance:Instance", "masterUserSecrets"): _master_secret,
    ("aws:rds/instance:Instance", "resourceId"): lambda s: s.id,
    ("aws:s3/bucket:Bucket", "bucketDomainName"): lambda s: f"{s.physical_name}.s3.amazonaws.com",
    ("aws:s3/bucket:Bucket", "bucketRegion"): lambda s: s.region,
    ("aws:s3/bucket:Bucket", "bucketRegionalDomainName"): lambda s: f"{s.physical_name}.s3.{s.region}.amazonaws.com",
    ("aws:ssm/association:Association", "associationId"): lambda s: s.id,
}


def _tags_all(subject: Subject) -> dict[str, Any]:
    return dict(subject.inputs.get("tags") or {})


#: property -> its value, whatever the type.
_BY_NAME: dict[str, Callable[[Subject], Any]] = {
    "arn": lambda s: s.arn,
    "ownerId": lambda s: s.home.account,
    "region": lambda s: s.region,
    "tagsAll": _tags_all,
    "uniqueId": lambda s: s.hex(21, "unique").upper(),
}

#: what a property's type gets when neither table knows it. Strings carry the property's name and own digits.
_BY_TYPE: dict[type, Any] = {bool: False, int: 0, float: 0.0, list: [], dict: {}}


def synthesise(token: str, name: str, urn: str, inputs: Mapping[str, Any], home: Home) -> tuple[str, dict[str, Any]]:
    """The id of a resource and the values of the properties that only its provider knows."""
    subject = Subject(token, name, urn, inputs, home)
    known = resource_type(token)
    if known is None:
        return subject.id, {}
    made = {prop: _value(subject, prop, type_) for prop, type_ in known.outputs.items() if prop not in known.inputs}
    named = _AUTONAMED.get(token, "name")
    filled = {prop for type_, prop in _VALUES if type_ == token} | {"arn", "region", named}
    for prop in filled & known.outputs.keys() - inputs.keys() - made.keys():
        made[prop] = subject.physical_name if prop == named else _value(subject, prop, known.outputs[prop])
    return subject.id, made


def _value(subject: Subject, prop: str, type_: Any) -> Any:
    make = _VALUES.get((subject.token, prop)) or _BY_NAME.get(prop)
    if make:
        return make(subject)
    if prop.endswith(("Arn", "arn")):
        return f"{subject.arn}/{prop}"
    plain = _types.unwrap_type(type_)
    plain = typing.get_origin(plain) or plain
    for base, value in _BY_TYPE.items():
        if isinstance(plain, type) and issubclass(plain, base):
            return value
    if plain in (typing.get_origin(typing.Sequence[str]), typing.get_origin(typing.Mapping[str, str])):
        return [] if plain is typing.get_origin(typing.Sequence[str]) else {}
    if plain is str:
        return f"{prop}-{subject.hex(12, prop)}"
    return {}
