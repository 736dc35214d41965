"""Rules for Lambda functions: what they run on, who may call them, what their environment holds, what gets lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from . import documents
from .coverage import FUNCTION
from .firewall import is_set
from .leaks import all_leaks, is_secret_name
from .links import GRANTS, ROLE, can, sources, targets
from .resource import SECRET, Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each, through
from .values import is_true_of_any, number, show

PERMISSION = "aws:lambda/permission:Permission"
URL = "aws:lambda/functionUrl:FunctionUrl"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"

#: The oldest version of each language that AWS patches for years to come ("Lambda runtimes", Developer Guide).
_OLDEST: Mapping[str, tuple[int, ...]] = {
    "dotnet": (8,),
    "java": (21,),
    "nodejs": (22,),
    "python": (3, 12),
    "ruby": (3, 3),
}
_RUNTIME = re.compile(r"([a-z]+)(\d+(?:\.\d+)*)(?:\.x)?")
#: For programs that bring all they need but the operating system.
_BARE = "provided.al2023"

_SIDES = {"subnetIds": "subnet", "securityGroupIds": "security group"}

#: A person's address beside others, or a number in the form of E.164, within JSON.
_PERSONAL = re.compile(r"\"[^\"@\s]+@[^\"@\s]+\"|\"\+[1-9][0-9]{7,14}\"")

#: A bucket's ARN names no account, so the ARN alone lets in whoever has a bucket of that name later.
_WITHOUT_ACCOUNT = ("s3.amazonaws.com",)


def _runtime(resource: Resource, _: Context) -> Iterator[str]:
    if resource.section("packageType") == "Image":
        return
    runtime = resource.section("runtime")
    match = _RUNTIME.fullmatch(str(runtime))
    oldest = _OLDEST.get(match[1]) if match else None
    if runtime == _BARE or (match and oldest and tuple(int(part) for part in match[2].split(".")) >= oldest):
        return
    if runtime is None:
        yield "The function names no runtime."
    elif match and oldest:
        least = f"{match[1]}{'.'.join(map(str, oldest))}"
        yield f"The function runs on {show(runtime)}, which AWS stops patching; {least} or newer is demanded."
    else:
        yield f"The function runs on {show(runtime)}, which is not among the runtimes that AWS patches."


def _not_public(resource: Resource, _: Context) -> Iterator[str]:
    if resource.type == URL:
        kind = resource.section("authorizationType")
        if kind != "AWS_IAM":
            yield f"Anyone who has the function's address may call it: its authorization is {show(kind)}."
        return
    principal = str(resource.section("principal"))
    if "*" in principal:
        yield "Anyone may call the function."
    elif principal.endswith(".amazonaws.com"):
        arn = resource.section("sourceArn")
        if not arn or documents.is_everything(str(arn)):
            yield f"{principal} may call the function on any account's behalf: the permission names no source."
        elif principal in _WITHOUT_ACCOUNT and not resource.section("sourceAccount"):
            yield f"{principal} may call the function for a bucket of any account: the permission names no account."


def leaks_in_variable(name: str, value: object) -> Iterator[str]:
    """What the environment variable ``name`` gives away, as the end of a sentence; at most one."""
    if not isinstance(value, str):
        return
    if value == SECRET and is_secret_name(name):
        yield f"{name} holds a secret with its value"
        return
    for leak in all_leaks(f"{name}={value}")[:1]:
        yield f"{name} holds {leak.kind}"


def _no_secret_env(resource: Resource, _: Context) -> Iterator[str]:
    variables = resource.section("environment", "variables")

    def judge(name: str) -> Iterator[str]:
        found = leaks_in_variable(name, resource.section("environment", "variables", name))
        return (f"The function's variable {said}." for said in found)

    return through(list(variables) if isinstance(variables, Mapping) else [], judge)


def _nothing_lost(stack: Stack) -> Iterator[Fault]:
    def judge(function: Resource) -> Iterator[Fault]:
        if not _keeps_failures(stack, function):
            yield Fault(
                "An event that the function fails on is lost: it has neither dead letters nor a destination.",
                function.urn,
            )
        if function.section("tracingConfig", "mode") != "Active":
            yield Fault("Nobody sees where the function spends its time: it is not traced.", function.urn)
        most = function.section("reservedConcurrentExecutions")
        if most is None or (number(most) or 0) < 0:
            yield Fault("The function may take all of the account's concurrency: none is reserved.", function.urn)

    return each(stack.of(FUNCTION), judge)


def _keeps_failures(stack: Stack, function: Resource) -> bool:
    if is_set(function.section("deadLetterConfig") or {}, "targetArn"):
        return True
    configs = sources(stack, function, "functionName", INVOKE_CONFIG)
    return is_true_of_any(
        configs, lambda one: is_set(one.section("destinationConfig", "onFailure") or {}, "destination")
    )


def _reaches(stack: Stack) -> Iterator[Fault]:
    def judge(function: Resource) -> Iterator[Fault]:
        roles = targets(stack, function, "role", ROLE)
        joins = any(
            can(stack, role, ("AWSLambdaVPCAccessExecutionRole",), "ec2:CreateNetworkInterface") for role in roles
        )
        sides = {word: function.items("vpcConfig", key) for key, word in _SIDES.items()}
        missing = [word for word, given in sides.items() if not given]
        if missing and (joins or len(missing) < len(sides)):
            yield Fault(
                f"The function stands in no network, though its role may join one: it has no {missing[0]}.",
                function.urn,
            )
        elif len(sides["subnet"]) == 1:
            yield Fault("The function is gone with one zone: it stands in one subnet.", function.urn)

    return each(stack.of(FUNCTION), judge)


def _personal(function: Resource, _: Context) -> Iterator[str]:
    variables = function.section("environment", "variables")
    if function.section("kmsKeyArn") or not isinstance(variables, Mapping):
        return

    def judge(name: str) -> Iterator[str]:
        if _PERSONAL.search(str(variables[name])):
            yield (
                f"The function's variable {name} holds people's addresses or numbers, and no key of the project "
                "encrypts it."
            )

    yield from through(sorted(variables), judge)


RUNTIME = ResourceRule(
    id="lambda-runtime",
    sentence="001_62c8c82a6a764433.txt §3: patch the application and its dependencies",
    title="Functions run on a runtime that AWS still patches.",
    why="A runtime that has ended gets no security patches, and one day its functions cannot be deployed any more.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP Lambda.2", "NIST SI-2"),
    remedy='Set runtime to "python3.12" or newer.',
    types=frozenset({FUNCTION}),
    check=_runtime,
)

NOT_PUBLIC = ResourceRule(
    id="lambda-not-public",
    sentence="003_720b7a256857bf84.txt Automations used on AWS - Schedulers: invoke lambda function",
    title="A function is called by named services for a named source, or by roles; by nobody else.",
    why="Whoever can call a function spends its money and has it act with its role.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("FSBP Lambda.1", "Checkov CKV_AWS_301", "NIST AC-3"),
    remedy="Name the service and its source_arn (for S3 source_account too); give a URL authorization_type AWS_IAM.",
    types=frozenset({PERMISSION, URL}),
    check=_not_public,
)

NO_SECRET_ENV = ResourceRule(
    id="lambda-no-secret-env",
    sentence="003_720b7a256857bf84.txt Backups: Never commit `.env` or other sensitive config files",
    title="No function has a secret in its environment.",
    why="Everybody who may look at the function reads its variables, and so does every library in it.",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    controls=("Checkov CKV_AWS_45", "NIST IA-5"),
    remedy="Give the function the secret's ARN and let it read the secret with its role.",
    types=frozenset({FUNCTION}),
    check=_no_secret_env,
)

NOTHING_LOST = StackRule(
    id="lambda-dlq-tracing",
    sentence="000_b5883a9168e66709.txt §7: Investigate and troubleshoot any application or system-related issues",
    title="What a function fails on is kept, its runs are traced, and it takes no more than its share.",
    why="An event that failed three times is gone without a trace; one function can starve all others.",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    controls=("Checkov CKV_AWS_115", "Checkov CKV_AWS_116", "NIST SI-2"),
    remedy='Set dead_letter_config, tracing_config={"mode": "Active"} and reserved_concurrent_executions.',
    types=frozenset({FUNCTION, INVOKE_CONFIG}),
    check=_nothing_lost,
)

IN_NETWORK = StackRule(
    id="lambda-in-network",
    sentence="000_b5883a9168e66709.txt §1: To access the infrastructure, connect to the Bastion server first using SSH",
    title="A function whose role may join the network stands in it, in two subnets or more.",
    why="Outside of the network it reaches no database, and in one zone it is gone with that zone.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("FSBP Lambda.5", "NIST SC-7"),
    remedy="Set vpc_config with subnet_ids of two zones and security_group_ids, or take the rights from the role.",
    types=frozenset({FUNCTION, *GRANTS}),
    check=_reaches,
)

PERSONAL = ResourceRule(
    id="lambda-personal-encrypted",
    sentence="003_720b7a256857bf84.txt Backups: Never commit `.env` or other sensitive config files",
    title="Where a function's environment holds people's addresses or numbers, a key of the project encrypts it.",
    why="Under the key of AWS, everybody who may look at the function reads them.",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    controls=("Checkov CKV_AWS_173", "NIST SC-28"),
    remedy="Set kms_key_arn to the component's key, and let the function's role decrypt with it.",
    types=frozenset({FUNCTION}),
    check=_personal,
)

RULES: tuple[Rule, ...] = (RUNTIME, NOT_PUBLIC, NO_SECRET_ENV, NOTHING_LOST, IN_NETWORK, PERSONAL)
