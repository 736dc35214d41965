"""What the rules on backups share: the types, the regions things stand in, the vaults, and what a selection takes."""

from __future__ import annotations

from pulumi_policy.proxy import UnknownValueError

from . import documents
from .links import sources, targets
from .resource import Resource, Stack
from .storage import BUCKETS, POLICY, VERSIONING
from .values import either, is_true_of_any

PLAN = "aws:backup/plan:Plan"
SELECTION = "aws:backup/selection:Selection"
VAULT = "aws:backup/vault:Vault"
VAULTS = (VAULT, "aws:backup/logicallyAirGappedVault:LogicallyAirGappedVault")
LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
VAULT_POLICY = "aws:backup/vaultPolicy:VaultPolicy"
RESTORE_PLAN = "aws:backup/restoreTestingPlan:RestoreTestingPlan"
RESTORE_SELECTION = "aws:backup/restoreTestingSelection:RestoreTestingSelection"
DATABASE = "aws:rds/instance:Instance"

#: The run book's four weeks (``000_… §4``), in days.
FOUR_WEEKS = 28

_TAG = "aws:ResourceTag/"


def region_of(stack: Stack, resource: Resource) -> str | None:
    """Where a resource stands; unset, that is the stack's home region. None where nothing says it."""
    return resource.section("region") or next(iter(stack.context.regions), None)


def is_abroad(stack: Stack, region: str | None, resource: Resource) -> bool:
    """Whether ``region`` is known to be another than the one of ``resource``."""
    own = region_of(stack, resource)
    return region is not None and own is not None and region != own


def beside(stack: Stack, vault: Resource, token: str) -> tuple[Resource, ...]:
    """What is declared for ``vault``. Vaults of two regions may have one name, so the region decides, too."""
    own = region_of(stack, vault)
    return tuple(one for one in sources(stack, vault, "backupVaultName", token) if region_of(stack, one) == own)


def rules_of(plan: Resource) -> range:
    return range(len(plan.items("rules")))


def copies_of(plan: Resource, rule: int) -> range:
    return range(len(plan.items("rules", rule, "copyActions")))


def vaults_of_rule(stack: Stack, plan: Resource, rule: int) -> tuple[Resource, ...]:
    """The declared vault that a rule of a plan writes to; where its name is unknown, each that it could be."""
    own = region_of(stack, plan)
    try:
        name = plan.section("rules", rule, "targetVaultName")
        found = stack.with_id(name, VAULT)
    except UnknownValueError:
        found = stack.referenced(plan, "rules", VAULT)
    return tuple(vault for vault in found if region_of(stack, vault) == own)


def vaults_of_copy(stack: Stack, plan: Resource, rule: int, copy: int) -> tuple[Resource, ...]:
    """The declared vault that a copy goes to; where its ARN is unknown, each that it could be."""
    try:
        return stack.with_id(plan.section("rules", rule, "copyActions", copy, "destinationVaultArn"), *VAULTS)
    except UnknownValueError:
        used = stack.referenced(plan, "rules", *VAULTS)
        name = plan.section("rules", rule, "targetVaultName")
        here = {vault.urn for vault in stack.with_id(name, VAULT) if region_of(stack, vault) == region_of(stack, plan)}
        rest = tuple(vault for vault in used if vault.urn not in here)
        # Two vaults of one name in one region are both its own; a single one tells nothing of another.
        return rest or (used if len(used) > 1 else ())


def region_of_copy(stack: Stack, plan: Resource, rule: int, copy: int) -> str | None:
    """The region that a copy goes to; None where its destination is no ARN. Raises where it cannot be known."""
    regions = {region_of(stack, vault) for vault in vaults_of_copy(stack, plan, rule, copy)}
    if len(regions) == 1:
        return regions.pop()
    return region_in(str(plan.section("rules", rule, "copyActions", copy, "destinationVaultArn")))


def region_in(arn: str) -> str | None:
    """The region in an ARN; None where it is none."""
    parts = arn.split(":", 5)
    return parts[3] if len(parts) == 6 else None


def backs_up(stack: Stack, plan: Resource, resource: Resource) -> bool:
    """Whether a plan backs ``resource`` up. Raises where that cannot be known."""
    return is_true_of_any(sources(stack, plan, "planId", SELECTION), lambda one: selects(stack, one, resource))


def selects(stack: Stack, selection: Resource, resource: Resource) -> bool:
    """Whether a selection of a plan takes ``resource``.

    It takes what its ARNs or one of its tags name, as far as all its conditions hold and no exception is made. Without
    ARNs and tags AWS refuses it.
    """
    return (
        not is_abroad(stack, region_of(stack, selection), resource)
        and either(
            lambda: _names(stack, selection, "resources", resource),
            lambda: _has_a_tag(selection, resource),
        )
        and all(_meets(resource, selection, "conditions", index) for index in range(len(selection.items("conditions"))))
        and not _names(stack, selection, "notResources", resource)
    )


def tests_restore_of(stack: Stack, selection: Resource, resource: Resource) -> bool:
    """Whether a selection of a restore testing plan takes ``resource``, whose type is already the right one."""
    conditions = selection.section("protectedResourceConditions")
    named = bool(selection.items("protectedResourceArns"))
    if not named and not conditions:
        return False
    return (not named or _names(stack, selection, "protectedResourceArns", resource)) and _meets(
        resource, selection, "protectedResourceConditions"
    )


def _names(stack: Stack, selection: Resource, prop: str, resource: Resource) -> bool:
    """Whether one of the ARNs or patterns in ``prop`` is ``resource``."""

    def is_it(index: int) -> bool:
        pattern = str(selection.section(prop, index))
        # Neither takes the ARN, which is known only after the first deployment.
        if not pattern.strip("*"):
            return True
        arn = resource.section("arn")
        return isinstance(arn, str) and documents.matches(pattern, arn)

    return either(
        lambda: any(hit.urn == resource.urn for hit in targets(stack, selection, prop, resource.type)),
        lambda: is_true_of_any(range(len(selection.items(prop))), is_it),
    )


def _has_a_tag(selection: Resource, resource: Resource) -> bool:
    def is_it(index: int) -> bool:
        key = str(selection.section("selectionTags", index, "key")).removeprefix(_TAG)
        return key in resource.tags and resource.tags[key] == selection.section("selectionTags", index, "value")

    return is_true_of_any(range(len(selection.items("selectionTags"))), is_it)


#: Operator -> whether it takes wildcards, and whether it is turned round.
_OPERATORS = {
    "stringEquals": (False, False),
    "stringLikes": (True, False),
    "stringNotEquals": (False, True),
    "stringNotLikes": (True, True),
}


def _meets(resource: Resource, selection: Resource, *path: str | int) -> bool:
    """Whether the tags of ``resource`` meet all conditions at ``path``. A tag that is not there equals nothing."""

    def holds(operator: str, index: int) -> bool:
        wild, inverted = _OPERATORS[operator]
        key = str(selection.section(*path, operator, index, "key"))
        wanted = str(selection.section(*path, operator, index, "value"))
        value = resource.tags.get(key.removeprefix(_TAG)) if key.startswith(_TAG) else None
        if value is None:
            return inverted
        return (documents.matches(wanted, str(value)) if wild else wanted == value) != inverted

    return all(
        holds(operator, index) for operator in _OPERATORS for index in range(len(selection.items(*path, operator)))
    )


def bare(selection: Resource) -> bool:
    """Whether a selection of a plan names nothing, which AWS refuses whatever its conditions are."""
    return not selection.items("resources") and not selection.items("selectionTags")


def buckets_of(stack: Stack, holder: Resource, prop: str) -> tuple[Resource, ...]:
    """The buckets that ``holder.prop`` names, also through what has to be there before: policy or versioning."""
    through = targets(stack, holder, prop, POLICY, *VERSIONING)
    found = [*targets(stack, holder, prop, *BUCKETS)]
    found += [bucket for one in through for bucket in targets(stack, one, "bucket", *BUCKETS)]
    return tuple({bucket.urn: bucket for bucket in found}.values())


def beside_bucket(stack: Stack, bucket: Resource, *tokens: str) -> tuple[Resource, ...]:
    """What is declared for ``bucket``, which may be named through its versioning: that has to be on before."""
    holders = (bucket, *sources(stack, bucket, "bucket", *VERSIONING))
    found = [one for holder in holders for one in sources(stack, holder, "bucket", *tokens)]
    return tuple({one.urn: one for one in found}.values())
