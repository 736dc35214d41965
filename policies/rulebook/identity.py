"""Rules for who may do what: policies, trust and users.

An unreadable policy is a fault of every rule that would have read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from . import documents, senders
from .documents import Condition, Statement
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import listed, number, show

ROLE = "aws:iam/role:Role"
USER = "aws:iam/user:User"
LOGIN = "aws:iam/userLoginProfile:UserLoginProfile"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"
PASSWORD_POLICY = "aws:iam/accountPasswordPolicy:AccountPasswordPolicy"  # noqa: S105 - a type

#: Types whose ``policy`` says what somebody may do.
_POLICIES = frozenset(
    {
        "aws:iam/policy:Policy",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/userPolicy:UserPolicy",
        "aws:iam/groupPolicy:GroupPolicy",
    }
)
_ATTACHMENTS = frozenset(
    {
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:iam/policyAttachment:PolicyAttachment",
        "aws:iam/userPolicyAttachment:UserPolicyAttachment",
        "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
    }
)
_GRANTS = _POLICIES | {ROLE}

#: AWS's managed policies that are as good as an administrator's.
ADMIN_POLICIES = ("AdministratorAccess", "IAMFullAccess", "PowerUserAccess")

#: Actions that stop or start something; on everything they are allowed by tag only.
_POWER = (
    "autoscaling:UpdateAutoScalingGroup",
    "ec2:RebootInstances",
    "ec2:StartInstances",
    "ec2:StopInstances",
    "ec2:TerminateInstances",
    "rds:RebootDBInstance",
    "rds:StartDBInstance",
    "rds:StopDBInstance",
)
#: Condition keys that look at the tags of what is acted on.
_TAG_KEYS = ("aws:resourcetag/", "ec2:resourcetag/", "rds:db-tag/", "autoscaling:resourcetag/")

#: Tags that everything of a stack has, so that they pick nothing out of it.
_OWNERS = ("/project", "/environment")

_PASSING = "iam:PassRole"

#: What a trust policy may allow (IAM refuses actions of other services in one), in lower case.
_TAKING = frozenset(
    {
        "sts:assumerole",
        "sts:assumerolewithsaml",
        "sts:assumerolewithwebidentity",
        "sts:setcontext",
        "sts:setsourceidentity",
        "sts:tagsession",
    }
)

_LEAST_LENGTH, _LEAST_REUSE = 14, 24


Path = tuple[str | int, ...]


def _policies(resource: Resource) -> Sequence[Path]:
    """Where a resource holds policies that say what somebody may do."""
    if resource.type == ROLE:
        return [("inlinePolicies", index, "policy") for index in range(len(resource.items("inlinePolicies")))]
    return [("policy",)]


def _allowed(resource: Resource, judge: Callable[[Statement], Iterator[str]]) -> Iterator[str]:
    """What ``judge`` says of each statement that allows something, with the policy as its subject."""

    def read(path: Path) -> Iterator[str]:
        noun = f"The inline policy {show(resource.section(*path[:-1], 'name'))}" if len(path) > 1 else "The policy"
        try:
            statements = documents.read(resource.section(*path))
        except documents.DocumentError as error:
            yield f"{noun} cannot be read: {error}."
            return
        yield from (f"{noun} {said}" for statement in statements if statement.allows for said in judge(statement))

    return through(_policies(resource), read)


def _is_full(action: str) -> bool:
    """``*`` and ``*:*``: every action of every service."""
    return bool(action) and not action.strip("*:")


def _is_of_service(action: str) -> bool:
    """``s3:*``, or a pattern that takes in other services too, but not everything."""
    service, _, name = action.partition(":")
    return not _is_full(action) and (not name.strip("*") or "*" in service or "?" in service)


def _reaches_all(statement: Statement) -> bool:
    return bool(statement.not_resources) or any(documents.is_everything(resource) for resource in statement.resources)


def _allows_all(statement: Statement) -> str | None:
    """What a statement allows if that is everything, or everything but a few."""
    if statement.not_actions:
        return f"every action but {listed(statement.not_actions)}"
    return "every action" if any(_is_full(action) for action in statement.actions) else None


def _where(statement: Statement) -> str:
    if statement.not_resources:
        return f"every resource but {listed(map(show, statement.not_resources))}"
    if _reaches_all(statement):
        return "every resource"
    return listed(map(show, statement.resources)) if statement.resources else "no resource"


def _no_admin(resource: Resource, _: Context) -> Iterator[str]:
    if resource.type in _ATTACHMENTS:
        yield from _admin_policy(resource, ("policyArn",))
        return
    own = range(len(resource.items("managedPolicyArns"))) if resource.type == ROLE else ()
    yield from through(own, lambda index: _admin_policy(resource, ("managedPolicyArns", index)))
    yield from _allowed(resource, _admin_statement)


def _admin_policy(resource: Resource, path: Path) -> Iterator[str]:
    arn = resource.section(*path)
    if isinstance(arn, str) and ":iam::aws:policy/" in arn and (name := arn.rpartition("/")[2]) in ADMIN_POLICIES:
        yield f"AWS's policy {name} is attached, which makes an administrator."


def _admin_statement(statement: Statement) -> Iterator[str]:
    what = _allows_all(statement)
    if what and _reaches_all(statement):
        yield f"allows {what} on {_where(statement)}."


def _no_service_wildcard(resource: Resource, _: Context) -> Iterator[str]:
    return _allowed(resource, _wide_statement)


def _wide_statement(statement: Statement) -> Iterator[str]:
    what = _allows_all(statement)
    if what:
        # On every resource it is an administrator's, which is a rule of its own.
        if not _reaches_all(statement):
            yield f"allows {what} on {_where(statement)}."
        return
    wide = [action for action in statement.actions if _is_of_service(action)]
    if wide:
        yield f"allows {listed(wide)} on {_where(statement)}."
    rest = [action for action in statement.actions if action not in wide]
    power = [one for one in _POWER if any(documents.matches(action, one, ignore_case=True) for action in rest)]
    if power and _names_no_resource(statement) and not any(_looks_at_tags(one) for one in statement.conditions):
        yield f"allows {listed(power)} on whatever there is, without a condition on a tag that picks it out."


def _names_no_resource(statement: Statement) -> bool:
    """Whether one of the resources is a whole kind: ``*``, ``…:instance/*``, ``…:db:*``."""
    return _reaches_all(statement) or any(not re.split("[:/]", arn)[-1].strip("*?") for arn in statement.resources)


def _looks_at_tags(condition: Condition) -> bool:
    return condition.key.startswith(_TAG_KEYS) and not condition.key.endswith(_OWNERS) and _demands(condition)


def _demands(condition: Condition) -> bool:
    """Whether the condition refuses a request that lacks its key, and lets not every value pass."""
    return (
        condition.operator in ("stringequals", "stringequalsignorecase", "stringlike")
        and bool(condition.values)
        and all(value.strip("*?") for value in condition.values)
    )


def _pass_role(resource: Resource, _: Context) -> Iterator[str]:
    return _allowed(resource, _passing_statement)


def _passing_statement(statement: Statement) -> Iterator[str]:
    passing = [
        action
        for action in statement.actions
        if not _is_full(action) and documents.matches(action, _PASSING, ignore_case=True)
    ]
    if not passing:
        return
    if _names_no_resource(statement):
        yield f"allows {_PASSING} for any role."
    if not any(one.key == "iam:passedtoservice" and _demands(one) for one in statement.conditions):
        yield f"allows {_PASSING} to any service: no condition on iam:PassedToService."


def _trust(resource: Resource, _: Context) -> Iterator[str]:
    try:
        statements = documents.read(resource.section("assumeRolePolicy"))
    except documents.DocumentError as error:
        yield f"The trust policy cannot be read: {error}."
        return
    for statement in statements:
        if not statement.allows:
            continue
        if statement.is_for_anyone:
            yield "The trust policy lets anyone take the role."
        if statement.not_actions or any(action.lower() not in _TAKING for action in statement.actions):
            yield "The trust policy allows more than to take the role."
        for service in statement.services():
            wanted = senders.missing(statement, senders.TRUSTED.get(service.lower(), ()))
            if wanted:
                yield (
                    f"The trust policy lets {service} take the role on {_ANYBODY[wanted]} behalf: no condition on "
                    f"{wanted}."
                )


#: What a lost condition opens the role to.
_ANYBODY = {senders.ACCOUNT: "any account's", senders.ARN: "any resource's"}


def _no_users(resource: Resource, _: Context) -> Iterator[str]:
    noun = "An IAM user" if resource.type == USER else "An access key"
    yield f"{noun} is declared; people and machines take roles."


def _password_policy(stack: Stack) -> Iterator[Fault]:
    """Without users there is no password that a policy could rule, so a missing one is a fault only beside them."""

    def judge(policy: Resource) -> Iterator[Fault]:
        for prop, least, what in (
            ("minimumPasswordLength", _LEAST_LENGTH, "The least length of passwords"),
            ("passwordReusePrevention", _LEAST_REUSE, "The number of passwords that may not come back"),
        ):
            value = policy.section(prop)
            if (given := number(value)) is None or given < least:
                yield Fault(f"{what} is {show(value)}; {least} is demanded.", policy.urn)

    policies = list(stack.of(PASSWORD_POLICY))
    users = list(stack.of(USER, LOGIN))
    if users and not policies:
        yield Fault("There are users, and no policy for their passwords.")
    yield from each(policies, judge)


NO_ADMIN = ResourceRule(
    id="iam-no-admin",
    sentence="004_5ca73e3508d74ec8.txt Monthly Operations: Check IAM policies and roles",
    title="No policy allows everything.",
    why="Whoever gets hold of such a role, a machine's for instance, owns the account.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("CIS 5.0 1.15", "CIS 7.0 2.14", "FSBP IAM.1", "NIST AC-6"),
    remedy="Name the actions and the resources that are needed.",
    types=_GRANTS | _ATTACHMENTS,
    check=_no_admin,
)

NO_SERVICE_WILDCARD = ResourceRule(
    id="iam-no-service-wildcard",
    sentence="003_720b7a256857bf84.txt Resource Scaling & Cost Management: permission to assume role and invoke lambda",
    title="No policy allows a whole service; what stops and starts is chosen by tag.",
    why="A whole service contains actions that delete, share or take over, and new ones every month.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP IAM.21", "NIST AC-6"),
    remedy="Name the actions; condition Start and Stop on aws:ResourceTag.",
    types=_GRANTS,
    check=_no_service_wildcard,
)

PASS_ROLE_SCOPED = ResourceRule(
    id="iam-pass-role-scoped",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="iam:PassRole names the roles and the service they go to.",
    why="Whoever may pass any role to a service of their choice has every role's rights.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-6",),
    remedy="Name the roles' ARNs and condition on iam:PassedToService.",
    types=_GRANTS,
    check=_pass_role,
)

TRUST_SCOPED = ResourceRule(
    id="iam-trust-scoped",
    sentence="002_3d1abe7e242e6afd.txt §2: IAM role assignments and rotations",
    title="No role can be taken by anyone, nor by a service on a stranger's behalf or for another resource.",
    why="A trust without an account is an open door: the stranger needs to know the role's name only.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("CIS 7.0 2.21", "NIST AC-3"),
    remedy="Name the principals and sts:AssumeRole; give components.iam.trust the account_id and, where the service "
    "sends it, the source_arn.",
    types=frozenset({ROLE}),
    check=_trust,
)

NO_USERS = ResourceRule(
    id="iam-no-users-or-keys",
    sentence="004_5ca73e3508d74ec8.txt Weekly Operations: Review and rotate access keys if needed",
    title="The program makes no IAM user and no access key.",
    why="A key that never expires is copied, committed and forgotten; its secret is in the state.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=(
        "CIS 5.0 1.10",
        "CIS 5.0 1.11",
        "CIS 5.0 1.12",
        "CIS 5.0 1.13",
        "CIS 5.0 1.14",
        "FSBP IAM.3",
        "NIST IA-2",
    ),
    remedy="Give people single sign-on and machines a role.",
    types=frozenset({USER, ACCESS_KEY}),
    check=_no_users,
)

PASSWORD_POLICY_STRONG = StackRule(
    id="iam-password-policy",
    sentence="002_3d1abe7e242e6afd.txt §2: AWS console access procedures",
    title="Passwords have 14 characters and do not come back for 24 changes.",
    why="AWS's own policy takes 8 characters and any old password.",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    controls=("CIS 5.0 1.7", "CIS 5.0 1.8", "CIS 7.0 2.8", "CIS 7.0 2.9", "NIST IA-5"),
    remedy="Declare aws.iam.AccountPasswordPolicy with minimum_password_length=14 and password_reuse_prevention=24.",
    types=frozenset({PASSWORD_POLICY, USER, LOGIN}),
    check=_password_policy,
)

RULES: tuple[Rule, ...] = (
    NO_ADMIN,
    NO_SERVICE_WILDCARD,
    PASS_ROLE_SCOPED,
    TRUST_SCOPED,
    NO_USERS,
    PASSWORD_POLICY_STRONG,
)
