"""Rules that hold for every resource: tags, protection, regions; and that sessions are logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .resource import Context, Resource
from .rule import Level, ResourceRule, Rule, Severity
from .systems_manager import SESSIONS_LOGGED
from .taggable import TAGGABLE
from .values import listed, show

REQUIRED_TAGS = ("Project", "Environment", "Owner", "Service", "CostCenter", "Backup", "RunbookRef")

PROVIDER = "pulumi:providers:aws"

#: Where CloudFront takes its certificate, its web ACL and its log delivery from, wherever the stack is.
GLOBAL_REGION = "us-east-1"
_GLOBAL_TYPES = (
    "aws:acm/certificate:Certificate",
    "aws:acm/certificateValidation:CertificateValidation",
    "aws:cloudwatch/eventRule:EventRule",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:cloudwatch/logDelivery:LogDelivery",
    "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination",
    "aws:cloudwatch/logDeliverySource:LogDeliverySource",
    "aws:sqs/queue:Queue",
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:wafv2/webAcl:WebAcl",
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
)

STATEFUL = frozenset(
    {
        "aws:amp/workspace:Workspace",
        "aws:backup/plan:Plan",
        "aws:backup/vault:Vault",
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        "aws:cloudtrail/trail:Trail",
        "aws:dynamodb/table:Table",
        "aws:grafana/workspace:Workspace",
        "aws:kms/key:Key",
        "aws:rds/instance:Instance",
        "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
        "aws:s3/bucket:Bucket",
        "aws:s3/bucketV2:BucketV2",
    }
)


def _tagged(resource: Resource, _: Context) -> Iterator[str]:
    if resource.type not in TAGGABLE:
        return
    given = _tags(resource)
    if missing := [tag for tag in REQUIRED_TAGS if given.get(tag) in (None, "")]:
        yield f"The {'tag' if len(missing) == 1 else 'tags'} {listed(missing)} {_is_are(missing)} missing."


def _is_are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _tags(resource: Resource) -> Mapping[str, Any]:
    """The tags of a resource; an Auto Scaling group writes them as a list of keys and values."""
    given = resource.section("tags")
    if given is None or isinstance(given, Mapping):
        return given or {}
    count = len(resource.items("tags"))
    return {resource.section("tags", index, "key"): resource.section("tags", index, "value") for index in range(count)}


def _protected(resource: Resource, context: Context) -> Iterator[str]:
    # A development stack is made to be thrown away.
    if context.environment != "dev" and not resource.protect and not resource.retain_on_delete:
        yield "A destroy would take the resource along: it is neither protected nor retained."


def _regions(resource: Resource, context: Context) -> Iterator[str]:
    if not resource.type.startswith("aws:") and resource.type != PROVIDER:
        return
    region = resource.section("region")
    if region is None or region in context.regions or (region == GLOBAL_REGION and resource.type in _GLOBAL_TYPES):
        return
    allowed = listed(context.regions) if context.regions else "none"
    yield f"The resource is in {show(region)}; the regions of the stack are {allowed}."


TAGGED = ResourceRule(
    id="gov-tags",
    sentence="002_3d1abe7e242e6afd.txt §7.1: Resource naming conventions",
    title="What can be tagged says its project, environment, owner, service, cost centre, backup class and section.",
    why="Without them nobody knows whom to call, who pays, and what the resource is for.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("NIST CM-8",),
    remedy='Write tags=self.tags("logical-name") in the component; provider default tags are not seen here.',
    types=frozenset(),
    check=_tagged,
)

PROTECTED = ResourceRule(
    id="gov-protect-stateful",
    sentence="002_3d1abe7e242e6afd.txt §10: Change request process",
    title="What holds data or keys is protected from a destroy, but for development.",
    why="Pulumi deletes what leaves the program; for data there is no way back.",
    severity=Severity.HIGH,
    level=Level.MANDATORY_IN_PROD,
    controls=("NIST CP-9", "NIST CM-3"),
    remedy="Create it with opts=self.child(protect=True).",
    types=STATEFUL,
    check=_protected,
)

REGIONS = ResourceRule(
    id="gov-regions",
    sentence="002_3d1abe7e242e6afd.txt §1: Primary and DR region details",
    title="Everything is in the primary or the recovery region.",
    why="What stands elsewhere is neither watched nor backed up, and its data may not be there.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-4",),
    remedy="Leave region unset, or set it to the settings' region or recovery_region.",
    types=frozenset(),
    check=_regions,
)

RULES: tuple[Rule, ...] = (SESSIONS_LOGGED, TAGGED, PROTECTED, REGIONS)
