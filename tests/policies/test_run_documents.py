"""Whether Systems Manager takes a document, and what it can be made to do."""

from __future__ import annotations

import json

import pytest

from policies.rulebook.links import ROLE
from policies.rulebook.run_documents import ACTING, RULES, SOUND
from policies.rulebook.systems_manager import DOCUMENT, INSTANCE

from .bags import ABSENT, UNKNOWN, UnknownValueError, altered, faults, not_evaluated, resource, stack_faults

COMMAND = {
    "schemaVersion": "2.2",
    "description": "Restores i-0123456789abcdef0.",
    "parameters": {
        "backup": {"type": "String", "allowedPattern": "^[0-9a-f-]+$"},
        "mode": {"type": "String", "allowedValues": ["check", "apply"], "default": "check"},
    },
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "run",
            "precondition": {"StringEquals": ["platformType", "Linux"]},
            "inputs": {
                "runCommand": ["#!/bin/bash", "set -euo pipefail", "BUCKET=files", "restore '{{ backup }}' {{ mode }}"],
                "timeoutSeconds": "300",
            },
        }
    ],
}
ROLE_ARN = "arn:aws:iam::123456789012:role/patching"
AUTOMATION = {
    "schemaVersion": "0.3",
    "assumeRole": ROLE_ARN,
    "mainSteps": [
        {
            "action": "aws:executeAwsApi",
            "name": "calendar",
            "inputs": {"Service": "ssm", "Api": "GetCalendarState", "CalendarNames": ["changes"]},
            "outputs": [{"Name": "State", "Selector": "$.State", "Type": "String"}],
        },
        {
            "action": "aws:branch",
            "name": "open",
            "inputs": {
                "Choices": [{"Variable": "{{ calendar.State }}", "StringEquals": "OPEN", "NextStep": "look"}],
            },
            "isEnd": True,
        },
        {
            "action": "aws:executeScript",
            "name": "look",
            "timeoutSeconds": 600,
            "inputs": {
                "Runtime": "python3.11",
                "Handler": "well",
                "InputPayload": {"group": "servers", "seconds": 60},
                "Script": 'def well(events, context):\n    return events["group"]\n\n\ndef other(events):\n    pass\n',
            },
        },
        {
            "action": "aws:runCommand",
            "name": "patch",
            "isEnd": True,
            "inputs": {
                "DocumentName": "AWS-RunPatchBaselineWithHooks",
                "Targets": [{"Key": "tag:PatchGroup", "Values": ["servers"]}],
                "MaxErrors": "0",
                "MaxConcurrency": "50%",
                "Parameters": {"OnExitHookDocName": "check"},
                "CloudWatchOutputConfig": {"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/patching"},
            },
        },
    ],
    "outputs": ["calendar.State"],
}
SESSION = {
    "schemaVersion": "1.0",
    "sessionType": "Standard_Stream",
    "inputs": {
        "cloudWatchLogGroupName": "/sessions",
        "cloudWatchStreamingEnabled": True,
        "idleSessionTimeout": "20",
        "maxSessionDuration": "480",
        "runAsEnabled": False,
    },
}
KINDS = {"Command": COMMAND, "Automation": AUTOMATION, "Session": SESSION}
MADE = (
    resource(ROLE, "patching", {"arn": ROLE_ARN}),
    resource(DOCUMENT, "changes", {"name": "changes", "documentType": "ChangeCalendar", "content": "BEGIN:VCALENDAR"}),
    resource(DOCUMENT, "check", {"name": "check", "documentType": "Command", "content": json.dumps(COMMAND)}),
    resource("aws:s3/bucket:Bucket", "files", {"bucket": "files"}),
    resource("aws:cloudwatch/logGroup:LogGroup", "patching-log", {"name": "/patching"}),
    resource("aws:cloudwatch/logGroup:LogGroup", "sessions", {"name": "/sessions"}),
)


def document(kind, *path, to=ABSENT):
    content = altered(KINDS[kind], *path, to=to) if path else KINDS[kind]
    return resource(DOCUMENT, "it", {"documentType": kind, "documentFormat": "JSON", "content": json.dumps(content)})


def found(kind, *path, to=ABSENT):
    return faults(SOUND, document(kind, *path, to=to))


def names(kind, *path, to=ABSENT):
    return [said for said, _ in stack_faults(ACTING, document(kind, *path, to=to), *MADE)]


def test_the_rules_are_these():
    assert [rule.id for rule in RULES] == ["ssm-document-sound", "ssm-document-names"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_sound_documents_pass(kind):
    assert found(kind) == []
    assert names(kind) == []


@pytest.mark.parametrize(
    ("kind", "version", "sentence"),
    [
        ("Command", "1.2", "is 1.2, and a Command document has 2.2"),
        ("Automation", ABSENT, "is unset, and a Automation document has 0.3"),
        ("Session", "10", "is 10, and a Session document has 1.0"),
    ],
)
def test_a_version_that_is_refused_is_named(kind, version, sentence):
    assert found(kind, "schemaVersion", to=version) == [
        f"Systems Manager refuses the document: its schemaVersion {sentence}."
    ]


FREE = "Parameter backup takes any text, a shell's commands too: it has no allowedPattern and no allowedValues."
RUN = ("mainSteps", 0)


@pytest.mark.parametrize(
    ("path", "to", "sentence"),
    [
        (("mainSteps",), [], "The document does nothing: it has no mainSteps."),
        ((*RUN, "name"), ABSENT, "Step 1 has no name of its own."),
        ((*RUN, "action"), ABSENT, "Step run has no action of a Command document: unset."),
        ((*RUN, "action"), "aws:executeScript", "Step run has no action of a Command document: aws:executeScript."),
        (
            (*RUN, "inputs", "timeoutSeconds"),
            ABSENT,
            "Step run may hang for an hour: it has no timeoutSeconds.",
        ),
        (
            (*RUN, "precondition", "StringEquals"),
            ["platformType"],
            "Step run has a precondition that compares no two values.",
        ),
        (
            (*RUN, "inputs", "runCommand", 1),
            "set -u",
            "Step run goes on where a command fails: it neither begins with set -e nor ends with a status of its own.",
        ),
        (("parameters", "backup", "allowedPattern"), ABSENT, FREE),
        (
            ("parameters", "backup", "allowedPattern"),
            ".*",
            "Parameter backup lets a shell's characters in: its allowedPattern takes \"a'b\".",
        ),
        (
            ("parameters", "backup", "allowedPattern"),
            "[0-9a-f]+",
            "Parameter backup lets a shell's characters in: its allowedPattern takes \"a'b\".",
        ),
        (
            ("parameters", "backup", "allowedPattern"),
            "(",
            "Parameter backup has an allowedPattern that is no regular expression.",
        ),
        (
            ("parameters", "backup", "default"),
            "X",
            "Parameter backup is X by default, which its allowedPattern does not take.",
        ),
        (
            ("parameters", "mode", "allowedValues"),
            ["apply"],
            "Parameter mode is check by default, which is not among the values it allows.",
        ),
        (("parameters", "mode", "type"), ABSENT, "Parameter mode is of no type that Systems Manager knows: unset."),
        (("parameters", "mode"), ABSENT, "The document speaks of what is not there by then: mode."),
    ],
)
def test_what_is_wrong_with_a_command_is_named(path, to, sentence):
    assert found("Command", *path, to=to) == [sentence]


def test_a_parameter_that_allows_no_value_is_named():
    assert found("Command", "parameters", "mode", "allowedValues", to=[]) == [
        "Parameter mode allows no value.",
        "Parameter mode takes any text, a shell's commands too: it has no allowedPattern and no allowedValues.",
    ]


def test_a_script_may_keep_its_status_itself():
    lines = [
        "set -u",
        "status=0",
        "false || status=1",
        "exit $status",
    ]
    changed = found("Command", *RUN, "inputs", "runCommand", to=lines)
    assert changed == []


@pytest.mark.parametrize("character", ["'", '"', ";", "`", "|", "&", "\n", ">", "$()"])
def test_a_pattern_that_takes_a_shell_s_character_is_found_out(character):
    (said,) = found("Command", "parameters", "backup", "allowedPattern", to=f"^[a-z{character}]+$")
    assert said.startswith("Parameter backup lets a shell's characters in: its allowedPattern takes ")


LOOK, PATCH = ("mainSteps", 2), ("mainSteps", 3)


@pytest.mark.parametrize(
    ("path", "to", "sentences"),
    [
        (
            ("mainSteps", 0, "inputs", "CalendarNames"),
            ABSENT,
            ["Step calendar asks for nothing: it lacks CalendarNames."],
        ),
        (("mainSteps", 0, "inputs", "Api"), ABSENT, ["Step calendar lacks Api."]),
        (
            ("mainSteps", 0, "outputs"),
            [],
            ["The document speaks of what is not there by then: calendar.State."],
        ),
        (("mainSteps", 0, "outputs", 0, "Type"), ABSENT, ["Step calendar has an output without Type."]),
        (
            ("mainSteps", 1, "isEnd"),
            False,
            ["Step open goes on to the next step where no choice is met: it names no Default and does not end there."],
        ),
        (("mainSteps", 1, "inputs", "Choices"), [], ["Step open lacks Choices."]),
        (
            ("mainSteps", 1, "inputs", "Choices", 0, "NextStep"),
            ABSENT,
            ["Step open has a choice that leads nowhere."],
        ),
        (
            ("mainSteps", 1, "inputs", "Choices", 0, "NextStep"),
            "gone",
            ["Step open goes on to gone, which is not there."],
        ),
        (
            ("mainSteps", 1, "inputs", "Choices", 0, "StringEquals"),
            ABSENT,
            ["Step open has a choice that compares nothing."],
        ),
        ((*LOOK, "inputs", "Handler"), "ill", ["Step look calls ill, which its script does not define."]),
        ((*LOOK, "inputs", "InputPayload", "group"), ABSENT, ["Step look does not tell its script the group."]),
        (
            (*LOOK, "inputs", "InputPayload", "seconds"),
            600,
            ["Step look is ended before its script has waited 600 seconds."],
        ),
        (
            (*LOOK, "timeoutSeconds"),
            ABSENT,
            ["Step look does not say how long it may take: it has no timeoutSeconds."],
        ),
        (
            (*LOOK, "timeoutSeconds"),
            6000,
            ["Step look counts on 6000 seconds, and Systems Manager ends a script after 600."],
        ),
        ((*PATCH, "inputs", "Targets"), [], ["Step patch names no machines to run on."]),
        (
            (*PATCH, "inputs", "Targets", 0, "Values"),
            [],
            ["Step patch names machines by a key or values that are missing."],
        ),
        (
            (*PATCH, "inputs", "MaxErrors"),
            "1",
            ["Step patch goes on to more machines after 1 of them failed: MaxErrors is not 0."],
        ),
        (
            (*PATCH, "inputs", "MaxConcurrency"),
            ABSENT,
            ["Step patch runs on all machines at once: MaxConcurrency leaves none of them out."],
        ),
        (
            (*PATCH, "inputs", "CloudWatchOutputConfig", "CloudWatchOutputEnabled"),
            False,
            [
                "Step patch keeps nothing of what its machines print: "
                "CloudWatchOutputConfig names no log group or is off."
            ],
        ),
        (("outputs",), ["patch.Gone", "look.Gone"], ["The document speaks of what is not there by then: look.Gone."]),
    ],
)
def test_what_is_wrong_with_an_automation_is_named(path, to, sentences):
    assert found("Automation", *path, to=to) == sentences


@pytest.mark.parametrize(
    ("path", "to", "sentence"),
    [
        (("sessionType",), ABSENT, "The preferences name no sessionType."),
        (
            ("inputs", "idleSessionTimeout"),
            "200",
            "A session may stay open too long: idleSessionTimeout is 200, and 1 to 60 minutes are taken.",
        ),
        (
            ("inputs", "maxSessionDuration"),
            ABSENT,
            "A session may stay open too long: maxSessionDuration is unset, and 1 to 1440 minutes are taken.",
        ),
        (
            ("inputs", "cloudWatchStreamingEnabled"),
            False,
            "What is typed is logged when the session ends, if it does: cloudWatchStreamingEnabled is not true.",
        ),
        (("inputs", "runAsEnabled"), True, "Sessions run as a user that nobody names: runAsDefaultUser is empty."),
    ],
)
def test_what_is_wrong_with_a_session_s_preferences_is_named(path, to, sentence):
    assert found("Session", *path, to=to) == [sentence]


def test_a_session_log_in_a_bucket_is_encrypted():
    inputs = {**SESSION["inputs"], "s3BucketName": "b", "s3EncryptionEnabled": False}
    assert found("Session", "inputs", to=inputs) == ["Sessions are logged in clear: s3EncryptionEnabled is false."]


@pytest.mark.parametrize("content", ["no json", "[]"])
def test_a_document_that_is_no_object_is_named(content):
    made = resource(DOCUMENT, "it", {"documentType": "Command", "content": content})
    assert faults(SOUND, made) == ["The document is no JSON object."]


def test_other_documents_are_not_judged():
    made = resource(DOCUMENT, "it", {"documentType": "ChangeCalendar", "content": "BEGIN:VCALENDAR"})
    assert faults(SOUND, made) == []


@pytest.mark.parametrize(
    ("kind", "path", "to", "sentence"),
    [
        (
            "Automation",
            ("assumeRole",),
            ABSENT,
            "The automation acts with whatever its caller may do: it names no assumeRole.",
        ),
        (
            "Automation",
            ("assumeRole",),
            ROLE_ARN + "-of-others",
            f"The document names what is not declared here: {ROLE_ARN}-of-others.",
        ),
        (
            "Automation",
            ("mainSteps", 0, "inputs", "CalendarNames"),
            ["holidays"],
            "The document names what is not declared here: holidays.",
        ),
        (
            "Automation",
            (*PATCH, "inputs", "Parameters", "OnExitHookDocName"),
            "gone",
            "Step patch runs gone, which is not declared here.",
        ),
        (
            "Command",
            (*RUN, "inputs", "runCommand", 2),
            "BUCKET=others",
            "The document names what is not declared here: others.",
        ),
        (
            "Session",
            ("inputs", "cloudWatchLogGroupName"),
            "/gone",
            "The document names what is not declared here: /gone.",
        ),
    ],
)
def test_what_a_document_names_and_is_not_there_is_told(kind, path, to, sentence):
    assert names(kind, *path, to=to) == [sentence]


def test_machines_want_a_document_that_says_how_sessions_are_kept():
    machine = resource(INSTANCE, "bastion", {})
    assert stack_faults(ACTING, machine, document("Session"), *MADE) == []
    assert stack_faults(ACTING, machine, *MADE) == [
        ("Sessions on the stack's machines leave no trace: no document sets Session Manager's preferences.", None)
    ]


def test_unknown_content_is_no_pass():
    unknown = resource(DOCUMENT, "it", {"documentType": "Automation", "content": UNKNOWN})
    with pytest.raises(UnknownValueError):
        faults(SOUND, unknown)
    assert not_evaluated(ACTING, unknown, *MADE)[0] == []
