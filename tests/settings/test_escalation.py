"""What a stack may say of its escalation."""

import copy

import pytest
from pydantic import ValidationError

from settings import escalation
from tests.functions.stage import SETTINGS

from .stacks import PROD, STAGING, edited, problems, project


def said(*path, to):
    """The sentences about settings in which the value at ``path`` is ``to``."""
    changed = copy.deepcopy(SETTINGS)
    here = changed
    for step in path[:-1]:
        here = here.setdefault(step, {}) if isinstance(here, dict) else here[step]
    here[path[-1]] = to
    try:
        escalation.EscalationSettings.model_validate(changed)
    except ValidationError as error:
        return [details["msg"] for details in error.errors(include_url=False)]
    return []


def test_the_settings_of_the_tests_are_right():
    assert escalation.EscalationSettings.model_validate(SETTINGS).rungs.repeats == 2


def test_the_run_book_s_minutes_and_response_times_are_what_stands_unless_something_else_does():
    settings = escalation.EscalationSettings.model_validate({**SETTINGS, "rungs": {}})
    rungs, responses = settings.rungs, settings.responses
    assert (rungs.email_minutes, rungs.sms_minutes, rungs.phone_minutes) == (5, 10, 15)
    assert (responses.critical_minutes, responses.high_minutes, responses.medium_minutes) == (15, 60, 240)
    assert settings.office.severities == ("low",)


@pytest.mark.parametrize(
    ("path", "value", "begins"),
    [
        (("time_zone",), "Europe/Atlantis", "is no time zone."),
        (("time_zone",), "../etc/passwd", "does not have that form."),
        (("time_zone",), 5, "is a number, not text."),
        (("contacts", "ana", "phone"), "0512 5550142", "is no telephone number."),
        (("contacts", "ana", "phone"), "+1512555014a", "is no telephone number."),
        (("contacts", "ana", "name"), "<b>Ana</b>", "is no name of a person."),
        (("contacts", "ana", "email"), "ana", "is no e-mail address."),
        (("rotation", "first_hand_over"), "2025-02-30T09:00", "is no day and time."),
        (("rotation", "first_hand_over"), "monday", "does not have that form."),
        (("rotation", "days"), 0, "is too small."),
        (("office", "opens"), "24:00", "is no time of day."),
        (("office", "holidays"), ["2025-13-01"], "is no day."),
        (("channels", "slack_webhook_secret"), "https://hooks.slack.com/services/x", "is no ARN of a secret."),
        (("channels", "sms_number"), "+15125550100", "is no ARN of a number."),
        (("channels", "slack_channel"), "alerts", "is no Slack channel."),
        (("rungs", "email_minutes"), 6, "is too large."),
        (("rungs", "sms_minutes"), 11, "is too large."),
        (("rungs", "phone_minutes"), 16, "is too large."),
        (("responses", "critical_minutes"), 16, "is too large."),
        (("responses", "high_minutes"), 61, "is too large."),
        (("log_retention_days",), 364, "is a retention that CloudWatch Logs does not know."),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_with_what_is_wrong(path, value, begins):
    (sentence,) = said(*path, to=value)
    assert sentence.startswith(begins)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (
            ("rotation", "order"),
            ["ana", "bob"],
            "escalation.rotation.order.1 is no contact. The contacts are ana, ben and cleo. Write one of them, or add "
            "the contact.",
        ),
        (
            ("rotation", "order"),
            ["ana", "ben", "ana"],
            "escalation.rotation.order.2 is named twice. Everybody has one turn, so that the backup is always somebody "
            "else. Write each contact once.",
        ),
        (
            ("rotation", "overrides"),
            [{"starts": "2025-01-08T12:00", "ends": "2025-01-09T12:00", "primary": "ana", "backup": "ana"}],
            "escalation.rotation.overrides.0.backup is on call already. The backup engineer is called because the one "
            "on call does not answer. Write another contact.",
        ),
        (
            ("rotation", "overrides"),
            [{"starts": "2025-01-09T12:00", "ends": "2025-01-09T12:00", "primary": "ana", "backup": "ben"}],
            "escalation.rotation.overrides.0.ends is not after its start, 2025-01-09T12:00. An override lasts a while. "
            "Write a later time.",
        ),
        (
            ("rotation", "overrides"),
            [
                {"starts": "2025-01-08T12:00", "ends": "2025-01-10T12:00", "primary": "ana", "backup": "ben"},
                {"starts": "2025-01-09T12:00", "ends": "2025-01-11T12:00", "primary": "cleo", "backup": "ben"},
            ],
            "escalation.rotation.overrides.1.starts lies in the override from 2025-01-08T12:00 to 2025-01-10T12:00. "
            "One pair of people is on call at a time. Write 2025-01-10T12:00 or later, or shorten the other one.",
        ),
        (
            ("rungs", "sms_minutes"),
            6,
            "escalation.rungs.sms_minutes leaves too little after email_minutes, 5. A rung has 2 minutes for its "
            "attempts before the next one (004_… Alert Escalation). Write 7 or more.",
        ),
        (
            ("office", "days"),
            ["wed"],
            None,
        ),
        (
            ("office",),
            {"days": ["wed"], "holidays": ["2025-12-24", "2025-12-31"]},
            "escalation.office.holidays.0 begins 14 days or more without a working day. The least alarm waits for the "
            "next business day, which has to come (004_… Severity Levels). Leave a working day among them.",
        ),
    ],
)
def test_values_that_do_not_go_together_are_told_with_the_way_out(path, value, sentence):
    changed_path = path
    if path == ("rungs", "sms_minutes"):
        found = said("rungs", to={"email_minutes": 5, "sms_minutes": value, "phone_minutes": 15})
    else:
        found = said(*changed_path, to=value)
    assert found == ([sentence] if sentence else [])


def test_overrides_may_follow_each_other_without_a_gap():
    assert (
        said(
            "rotation",
            "overrides",
            to=[
                {"starts": "2025-01-08T12:00", "ends": "2025-01-09T12:00", "primary": "ana", "backup": "ben"},
                {"starts": "2025-01-09T12:00", "ends": "2025-01-10T12:00", "primary": "cleo", "backup": "ben"},
            ],
        )
        == []
    )


def test_unknown_keys_are_refused_and_nothing_changes_afterwards():
    assert said("rungs", to={"sms": 10}) == ["Extra inputs are not permitted"]
    settings = escalation.EscalationSettings.model_validate(SETTINGS)
    with pytest.raises(ValidationError, match="frozen"):
        settings.time_zone = "UTC"


def placeholders(**contact):
    changed = copy.deepcopy(SETTINGS)
    changed["contacts"]["ben"] |= contact
    changed["contacts"] = {
        key: {**value, "phone": value["phone"].replace("55501", "26801")} if key != "ben" else value
        for key, value in changed["contacts"].items()
    }
    settings = escalation.EscalationSettings.model_validate(changed)
    return [(fault.path, fault.wrong) for fault in escalation.placeholder_contacts(settings)]


def test_a_contact_that_stands_for_nobody_is_told_by_its_place():
    assert placeholders(email="ben@example.com", phone="+15122680143") == [
        (("escalation", "contacts", "ben", "email"), "is an address that nobody reads")
    ]
    assert placeholders(email="ben@mail.example.org", phone="+15125550143") == [
        (("escalation", "contacts", "ben", "email"), "is an address that nobody reads"),
        (("escalation", "contacts", "ben", "phone"), "is a number that belongs to nobody"),
    ]
    assert placeholders(phone="+15122680143") == []


def test_the_schema_knows_units_and_bounds():
    schema = escalation.EscalationSettings.model_json_schema()
    minutes = schema["$defs"]["RungSettings"]["properties"]["phone_minutes"]
    assert (minutes["minimum"], minutes["maximum"], minutes["default"]) == (6, 15, 15)


# In a stack's file


@pytest.mark.parametrize(
    ("stack", "change", "told"),
    [
        ("staging", ("order: [ana, ben]", "order: [ana, bob]"), ("escalation.rotation.order[1]", "is no contact")),
        ("staging", ("order: [ana, ben]", "order: [ana, ana]"), ("escalation.rotation.order[1]", "is named twice")),
        (
            "staging",
            ("    channels:", "    rungs: {email_minutes: 5, sms_minutes: 6}\n    channels:"),
            ("escalation.rungs.sms_minutes", "leaves too little after email_minutes, 5"),
        ),
        (
            "prod",
            ("ana.diaz@learning.example", "ana@example.com"),
            ("escalation.contacts.ana.email", "is an address that nobody reads"),
        ),
        (
            "prod",
            ('"+447700900141"', '"+15125550141"'),
            ("escalation.contacts.ana.phone", "is a number that belongs to nobody"),
        ),
        (
            "prod",
            ("    channels:", "    log_retention_days: 90\n    channels:"),
            ("escalation.log_retention_days", "is less than a year"),
        ),
    ],
)
def test_a_mistake_is_told_with_its_key_and_line(tmp_path, stack, change, told):
    text = edited({"staging": STAGING, "prod": PROD}[stack], change)
    key, wrong = told
    (problem,) = problems(project(tmp_path, **{stack: text}), stack)
    assert (problem.key, problem.wrong) == (f"learning-platform:{key}", wrong)
    assert key.rpartition(".")[2].partition("[")[0] in text.splitlines()[problem.line - 1]


def test_mistakes_are_told_all_at_once(tmp_path):
    text = edited(STAGING, ('"+447700900142"', "none"), ("time_zone: America/Detroit", "time_zone: Europe/Atlantis"))
    found = {problem.key.partition(":")[2] for problem in problems(project(tmp_path, staging=text), "staging")}
    assert found == {"escalation.contacts.ben.phone", "escalation.time_zone"}
