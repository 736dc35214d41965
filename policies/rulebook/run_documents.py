"""Rules for documents of Systems Manager: it takes them, they stop where a step fails, and nobody slips in a command.

Source: AWS Systems Manager User Guide, "Schemas, features, and examples", "Command document plugin reference",
"Systems Manager Automation actions reference" and "Session document schema".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import links
from .inventory import MADE_HERE
from .json_text import items, mapping, maps, parsed, texts
from .resource import Context, Resource, Stack
from .rule import Fault, Level, ResourceRule, Rule, Severity, StackRule, each
from .systems_manager import DOCUMENT, INSTANCE
from .values import is_true_of_any, listed, number, show

_VERSIONS: Mapping[str, tuple[str, ...]] = {"Command": ("2.2",), "Automation": ("0.3",), "Session": ("1.0",)}

#: Action -> the inputs without which it is refused.
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "aws:applications": ("action", "source"),
    "aws:configureDocker": ("action",),
    "aws:configurePackage": ("action", "name"),
    "aws:domainJoin": ("directoryId", "directoryName"),
    "aws:downloadContent": ("sourceInfo", "sourceType"),
    "aws:psModule": ("source",),
    "aws:refreshAssociation": (),
    "aws:runDockerAction": ("action",),
    "aws:runDocument": ("documentPath", "documentType"),
    "aws:runPowerShellScript": ("runCommand",),
    "aws:runShellScript": ("runCommand",),
    "aws:softwareInventory": (),
    "aws:updateSsmAgent": ("agentName",),
}
_AUTOMATIONS: Mapping[str, tuple[str, ...]] = {
    "aws:approve": ("Approvers",),
    "aws:assertAwsResourceProperty": ("Api", "DesiredValues", "PropertySelector", "Service"),
    "aws:branch": ("Choices",),
    "aws:changeInstanceState": ("DesiredState", "InstanceIds"),
    "aws:copyImage": ("ImageName", "SourceImageId", "SourceRegion"),
    "aws:createImage": ("ImageName", "InstanceId"),
    "aws:createStack": ("StackName",),
    "aws:createTags": ("ResourceIds", "Tags"),
    "aws:deleteImage": ("ImageId",),
    "aws:deleteStack": ("StackName",),
    "aws:executeAutomation": ("DocumentName",),
    "aws:executeAwsApi": ("Api", "Service"),
    "aws:executeScript": ("Handler", "Runtime", "Script"),
    "aws:executeStateMachine": ("stateMachineArn",),
    "aws:invokeLambdaFunction": ("FunctionName",),
    "aws:loop": ("Steps",),
    "aws:pause": (),
    "aws:runCommand": ("DocumentName",),
    "aws:runInstances": ("ImageId",),
    "aws:sleep": (),
    "aws:updateVariable": ("Name", "Value"),
    "aws:waitForAwsResourceProperty": ("Api", "DesiredValues", "PropertySelector", "Service"),
}

#: Calls whose answer means nothing without these.
_ASKED: Mapping[tuple[str, str], tuple[str, ...]] = {("ssm", "GetCalendarState"): ("CalendarNames",)}

_TYPES = frozenset({"Boolean", "Integer", "MapList", "String", "StringList", "StringMap"})
_TEXTS = frozenset({"String", "StringList"})

_REFERENCE = re.compile(r"\{\{ *([A-Za-z][A-Za-z0-9_:./-]*) *\}\}")
_ELSEWHERE = ("automation:", "global:", "ssm:", "variable:")

#: Steps whose outputs are those that they declare; the others have outputs of their own.
_DECLARING = frozenset({"aws:executeAwsApi", "aws:executeScript"})

#: Each of these in a parameter that reaches a shell is a command of somebody else's.
_INJECTIONS = ("a'b", 'a"b', "a;b", "a$(b)", "a`b`", "a|b", "a&b", "a\nb", "a>b")

_STOPS = re.compile(r"^\s*set -[a-z]*e")
_ANSWERS = re.compile(r"^\s*exit \"?\$")

#: Seconds: what a script of an automation may take at most, and how Session Manager's limits go (minutes).
_SCRIPT, _IDLE, _SESSION = 600, (1, 60), (1, 1440)


def _sound(document: Resource, _: Context) -> Iterator[str]:
    kind = str(document.section("documentType"))
    content = document.section("content")
    if kind not in _VERSIONS or document.section("documentFormat") not in (None, "JSON"):
        return
    body = parsed(content)
    if body is None:
        yield "The document is no JSON object."
        return
    if str(body.get("schemaVersion")) not in _VERSIONS[kind]:
        yield (
            f"Systems Manager refuses the document: its schemaVersion is {show(body.get('schemaVersion'))}, and a "
            f"{kind} document has {listed(_VERSIONS[kind])}."
        )
    if kind == "Session":
        yield from _session(body)
    else:
        yield from _parameters(body)
        yield from _steps(kind, body)
        yield from _references(body)


def _session(body: Mapping[str, Any]) -> Iterator[str]:
    inputs = mapping(body, "inputs")
    if not body.get("sessionType"):
        yield "The preferences name no sessionType."
    elif body["sessionType"] != "Standard_Stream":
        return
    for key, (least, most) in (("idleSessionTimeout", _IDLE), ("maxSessionDuration", _SESSION)):
        minutes = number(inputs.get(key))
        if minutes is None or not least <= minutes <= most:
            yield (
                f"A session may stay open too long: {key} is {show(inputs.get(key))}, and {least} to {most} minutes "
                "are taken."
            )
    if inputs.get("cloudWatchLogGroupName") and inputs.get("cloudWatchStreamingEnabled") is not True:
        yield "What is typed is logged when the session ends, if it does: cloudWatchStreamingEnabled is not true."
    if inputs.get("runAsEnabled") is True and not inputs.get("runAsDefaultUser"):
        yield "Sessions run as a user that nobody names: runAsDefaultUser is empty."
    if inputs.get("s3BucketName") and inputs.get("s3EncryptionEnabled") is False:
        yield "Sessions are logged in clear: s3EncryptionEnabled is false."


def _parameters(body: Mapping[str, Any]) -> Iterator[str]:
    for name, parameter in sorted(mapping(body, "parameters").items()):
        given = parameter if isinstance(parameter, Mapping) else {}
        type_ = str(given.get("type"))
        if type_ not in _TYPES and not type_.startswith(("AWS::", "List<AWS::")):
            yield f"Parameter {name} is of no type that Systems Manager knows: {show(given.get('type'))}."
        default, values, pattern = given.get("default"), given.get("allowedValues"), given.get("allowedPattern")
        if "allowedValues" in given and not items(given, "allowedValues"):
            yield f"Parameter {name} allows no value."
        elif values and default is not None and default not in values:
            yield f"Parameter {name} is {show(default)} by default, which is not among the values it allows."
        if type_ in _TEXTS and not values:
            yield from _pattern(name, pattern, default)


def _pattern(name: str, pattern: Any, default: Any) -> Iterator[str]:
    if not pattern:
        yield f"Parameter {name} takes any text, a shell's commands too: it has no allowedPattern and no allowedValues."
        return
    try:
        form = re.compile(str(pattern))
    except re.error:
        yield f"Parameter {name} has an allowedPattern that is no regular expression."
        return
    let_in = [one for one in _INJECTIONS if form.search(one)]
    if let_in:
        yield f"Parameter {name} lets a shell's characters in: its allowedPattern takes {show(let_in[0])!r}."
    if isinstance(default, str) and not form.search(default):
        yield f"Parameter {name} is {show(default)} by default, which its allowedPattern does not take."


def _steps(kind: str, body: Mapping[str, Any]) -> Iterator[str]:
    steps = maps(body, "mainSteps")
    if not steps:
        yield "The document does nothing: it has no mainSteps."
    actions = _COMMANDS if kind == "Command" else _AUTOMATIONS
    names = [str(step.get("name")) for step in steps]
    for index, step in enumerate(steps):
        if not step.get("name") or names.count(names[index]) > 1:
            yield f"Step {index + 1} has no name of its own."
        action, inputs = str(step.get("action")), mapping(step, "inputs")
        if action not in actions:
            yield f"Step {names[index]} has no action of a {kind} document: {show(step.get('action'))}."
            continue
        missing = [key for key in actions[action] if inputs.get(key) in (None, "", [], {})]
        if missing:
            yield f"Step {names[index]} lacks {listed(missing)}."
        checks = _CHECKS.get(action, ())
        yield from (f"Step {names[index]} {said}." for check in checks for said in check(step, inputs))
        yield from (f"Step {names[index]} {said}." for said in (*_flow(step, names), *_outputs(step), *_guard(step)))


def _shell(_: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    lines = [str(line) for line in items(inputs, "runCommand")]
    if lines and not any(_STOPS.match(line) for line in lines) and not _ANSWERS.match(lines[-1]):
        yield "goes on where a command fails: it neither begins with set -e nor ends with a status of its own"
    if number(inputs.get("timeoutSeconds")) is None and "{{" not in str(inputs.get("timeoutSeconds")):
        yield "may hang for an hour: it has no timeoutSeconds"


def _script(step: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    seconds = number(step.get("timeoutSeconds"))
    if seconds is None:
        yield "does not say how long it may take: it has no timeoutSeconds"
    elif seconds > _SCRIPT:
        yield f"counts on {show(seconds)} seconds, and Systems Manager ends a script after {_SCRIPT}"
    waits = number(mapping(inputs, "InputPayload").get("seconds"))
    if waits is not None and waits >= min(seconds or _SCRIPT, _SCRIPT):
        yield f"is ended before its script has waited {show(waits)} seconds"
    handler, script = inputs.get("Handler"), str(inputs.get("Script"))
    runs_python = str(inputs.get("Runtime")).startswith("python")
    if handler and runs_python and not re.search(rf"^def {re.escape(str(handler))}\(", script, re.MULTILINE):
        yield f"calls {show(handler)}, which its script does not define"
    elif handler and runs_python:
        yield from _payload(inputs, str(handler), script)


def _payload(inputs: Mapping[str, Any], handler: str, script: str) -> Iterator[str]:
    """What a script reads of its events and is not told. It may call its argument what it likes."""
    match = re.search(rf"^def {re.escape(handler)}\((\w+).*?(?=^\S|\Z)", script, re.MULTILINE | re.DOTALL)
    if match:
        read = set(re.findall(rf"\b{match[1]}\[\"(\w+)\"\]", match[0]))
        if missing := sorted(read - set(mapping(inputs, "InputPayload"))):
            yield f"does not tell its script the {listed(missing)}"


def _branch(step: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    for choice in maps(inputs, "Choices"):
        if not choice.get("NextStep"):
            yield "has a choice that leads nowhere"
        plain = [key for key in choice if key not in ("NextStep", "Variable")]
        nested = {"And", "Or", "Not"} & {*choice}
        if not nested and (not choice.get("Variable") or len(plain) != 1):
            yield "has a choice that compares nothing"
    if not inputs.get("Default") and step.get("isEnd") is not True:
        yield "goes on to the next step where no choice is met: it names no Default and does not end there"


def _run_command(_: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    targets = maps(inputs, "Targets")
    if not inputs.get("InstanceIds") and not targets:
        yield "names no machines to run on"
    if any(not target.get("Key") or not target.get("Values") for target in targets):
        yield "names machines by a key or values that are missing"
    if targets and str(inputs.get("MaxErrors", "0")) != "0":
        yield f"goes on to more machines after {show(inputs['MaxErrors'])} of them failed: MaxErrors is not 0"
    if targets and str(inputs.get("MaxConcurrency")) in ("None", "100%"):
        yield "runs on all machines at once: MaxConcurrency leaves none of them out"
    output = mapping(inputs, "CloudWatchOutputConfig")
    if output.get("CloudWatchOutputEnabled") is not True or not output.get("CloudWatchLogGroupName"):
        yield "keeps nothing of what its machines print: CloudWatchOutputConfig names no log group or is off"


def _api(_: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    asked = _ASKED.get((str(inputs.get("Service")), str(inputs.get("Api"))), ())
    missing = [key for key in asked if not inputs.get(key)]
    if missing:
        yield f"asks for nothing: it lacks {listed(missing)}"


_Check = Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[str]]
_CHECKS: Mapping[str, tuple[_Check, ...]] = {
    "aws:runShellScript": (_shell,),
    "aws:executeScript": (_script,),
    "aws:branch": (_branch,),
    "aws:runCommand": (_run_command,),
    "aws:executeAwsApi": (_api,),
}


def _flow(step: Mapping[str, Any], names: list[str]) -> Iterator[str]:
    inputs = mapping(step, "inputs")
    leads = [step.get("nextStep"), inputs.get("Default"), *(one.get("NextStep") for one in maps(inputs, "Choices"))]
    leads += [
        str(step.get(key)).removeprefix("step:") for key in ("onFailure", "onCancel") if "step:" in str(step.get(key))
    ]
    gone = sorted({str(one) for one in leads if one} - set(names))
    if gone:
        yield f"goes on to {listed(gone)}, which is not there"


def _outputs(step: Mapping[str, Any]) -> Iterator[str]:
    for output in maps(step, "outputs"):
        missing = [key for key in ("Name", "Selector", "Type") if not output.get(key)]
        if missing:
            yield f"has an output without {listed(missing)}"


def _guard(step: Mapping[str, Any]) -> Iterator[str]:
    guard = step.get("precondition")
    if guard is None:
        return
    if len(items(guard, "StringEquals")) != 2:
        yield "has a precondition that compares no two values"


def _references(body: Mapping[str, Any]) -> Iterator[str]:
    parameters, made = set(mapping(body, "parameters")), dict[str, set[str] | None]()
    text = {key: value for key, value in body.items() if key not in ("mainSteps", "outputs")}
    missing = {name for name in _names(text) if name not in parameters}
    for step in maps(body, "mainSteps"):
        missing |= {name for name in _names(step) if not _is_known(name, parameters, made)}
        declares = step.get("action") in _DECLARING
        outputs = {str(output.get("Name")) for output in maps(step, "outputs")}
        made[str(step.get("name"))] = outputs if declares else None
    missing |= {str(one) for one in body.get("outputs") or () if not _is_known(str(one), parameters, made)}
    if missing:
        yield f"The document speaks of what is not there by then: {listed(sorted(missing))}."


def _is_known(name: str, parameters: set[str], made: Mapping[str, set[str] | None]) -> bool:
    step, dot, output = name.partition(".")
    if not dot:
        return name in parameters
    outputs = made.get(step, set())
    return outputs is None or output in outputs


def _names(value: Any) -> Iterator[str]:
    for _, text in texts(value):
        yield from (name for name in _REFERENCE.findall(text) if not name.startswith(_ELSEWHERE))


def _acting(stack: Stack) -> Iterator[Fault]:
    """An automation acts by a role of the stack, what a document names is there, and one sets how sessions are kept."""

    def judge(document: Resource) -> Iterator[Fault]:
        kind = document.section("documentType")
        body = parsed(document.section("content")) if kind in _VERSIONS else None
        if body is not None:
            acts = _acts(stack, body) if kind == "Automation" else ()
            yield from (Fault(said, document.urn) for said in (*acts, *_named(stack, body)))

    yield from each(stack.of(DOCUMENT), judge)
    machines = any(True for _ in stack.of(INSTANCE))
    if machines and not is_true_of_any(stack.of(DOCUMENT), lambda one: bool(one.section("documentType") == "Session")):
        yield Fault("Sessions on the stack's machines leave no trace: no document sets Session Manager's preferences.")


#: Key of an input, or name of a variable of a script -> what its value names.
_NAMED: Mapping[str, str] = {
    "BUCKET": "aws:s3/bucket:Bucket",
    "CalendarNames": DOCUMENT,
    "CloudWatchLogGroupName": "aws:cloudwatch/logGroup:LogGroup",
    "cloudWatchLogGroupName": "aws:cloudwatch/logGroup:LogGroup",
}
_SET = re.compile(r"(BUCKET)=([^\s'\"$]+)")


def _named(stack: Stack, body: Mapping[str, Any]) -> Iterator[str]:
    gone = dict[str, None]()
    for key, text in texts(body):
        if key == "description":
            continue
        gone.update((match[0], None) for match in MADE_HERE.finditer(text) if not stack.with_id(match[0]))
        pairs = [match.groups() for match in _SET.finditer(text)] or [(key, text)]
        gone.update((name, None) for word, name in pairs if _is_gone(stack, word, name))
    if gone:
        yield f"The document names what is not declared here: {listed(map(show, sorted(gone)))}."


def _is_gone(stack: Stack, key: str, name: str) -> bool:
    return key in _NAMED and bool(name) and "{{" not in name and not stack.with_id(name, _NAMED[key])


def _acts(stack: Stack, body: Mapping[str, Any]) -> Iterator[str]:
    role = body.get("assumeRole")
    if not role:
        yield "The automation acts with whatever its caller may do: it names no assumeRole."
    for step in maps(body, "mainSteps"):
        inputs = mapping(step, "inputs")
        given = [inputs.get("DocumentName"), *(mapping(inputs, "Parameters").get(key) for key in _HOOKS)]
        gone = [str(one) for one in given if one and not _is_there(stack, str(one))]
        if gone:
            yield f"Step {step.get('name')} runs {listed(gone)}, which is not declared here."


#: Parameters of AWS-RunPatchBaselineWithHooks that name documents.
_HOOKS = ("PreInstallHookDocName", "PostInstallHookDocName", "OnExitHookDocName")


def _is_there(stack: Stack, name: str) -> bool:
    return name.startswith(("AWS-", "AWSSupport-", "Amazon", "AWS", "{{")) or bool(stack.with_id(name, DOCUMENT))


SOUND = ResourceRule(
    id="ssm-document-sound",
    sentence="001_62c8c82a6a764433.txt §3: patch the application and its dependencies",
    title="Systems Manager takes the document, which ends where a step fails or its time is up.",
    why="It is refused at the deployment, or goes on after a command that failed, or hands a parameter to a shell.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST SI-10", "NIST CM-6"),
    remedy="Correct the step or parameter that is named; give texts an allowed_pattern of letters that no shell reads.",
    types=frozenset({DOCUMENT}),
    check=_sound,
)

ACTING = StackRule(
    id="ssm-document-names",
    sentence="001_62c8c82a6a764433.txt §3: patch the application and its dependencies",
    title="An automation has a role of its own, what a document names is declared, and one keeps sessions.",
    why="Without a role it has the rights of whoever starts it, which may be none or all.",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    controls=("NIST AC-6", "NIST CM-8"),
    remedy="Set assumeRole to a role of the stack, name what the stack declares, and declare a Session document.",
    types=frozenset({DOCUMENT, INSTANCE, links.ROLE, *_NAMED.values()}),
    check=_acting,
)

RULES: tuple[Rule, ...] = (SOUND, ACTING)
