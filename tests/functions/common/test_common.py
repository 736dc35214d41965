"""What the functions share."""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from functions.common import backoff, clients, letters, moments, variables, waking
from functions.common.alarm import Description, describe
from functions.common.plain import of_plain, to_plain
from tests.functions.stage import denied, throttled

#: A busy machine is no failure.
unhurried = with_settings(deadline=None)

# Moments


@pytest.mark.parametrize(
    "text",
    ["2024-12-16T14:30:00.123+0000", "2024-12-16T14:30:00.123Z", "2024-12-16T15:30:00.123+01:00"],
)
def test_a_moment_is_read_in_the_forms_that_aws_writes(text):
    assert moments.parse(text) == datetime(2024, 12, 16, 14, 30, 0, 123000, tzinfo=UTC)


def test_a_time_without_a_zone_is_no_moment():
    with pytest.raises(ValueError, match="names no time zone"):
        moments.parse("2024-12-16T14:30:00")


@unhurried
@given(st.datetimes(datetime.fromisoformat("1990-01-01"), timezones=st.just(timezone(timedelta(hours=-5)))))
def test_a_moment_survives_being_written_to_the_millisecond_and_texts_sort_as_moments_do(moment):
    text = moments.text(moment)
    assert abs(moments.parse(text) - moment) < timedelta(milliseconds=1)
    assert (text < moments.text(moment + timedelta(seconds=1))) is True


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "0 minutes"),
        (0.4, "0 minutes"),
        (1, "1 minute"),
        (45, "45 minutes"),
        (60, "1 hour"),
        (65, "1 hour 5 minutes"),
        (240, "4 hours"),
        (1440, "1 day"),
        (1500, "1 day 1 hour"),
        (3 * 1440 + 5, "3 days"),
        (-5, "0 minutes"),
    ],
)
def test_a_length_is_told_as_people_do(minutes, words):
    assert moments.length(timedelta(minutes=minutes)) == words


# Plain data


@dataclass(frozen=True)
class Inner:
    day: date
    wall: datetime


@dataclass(frozen=True)
class Outer:
    name: str
    count: int
    flag: bool
    kind: Literal["a", "b"]
    maybe: int | None
    at: datetime
    inner: tuple[Inner, ...]
    table: dict[str, int]


OUTER = Outer(
    name="x",
    count=3,
    flag=True,
    kind="b",
    maybe=None,
    at=datetime(2025, 1, 6, 15, 30, tzinfo=UTC),
    inner=(Inner(day=date(2025, 1, 6), wall=datetime.fromisoformat("2025-01-06T09:00")),),
    table={"a": 1},
)


def test_a_dataclass_survives_as_plain_data():
    plain = to_plain(OUTER)
    assert plain["inner"] == [{"day": "2025-01-06", "wall": "2025-01-06T09:00"}]
    assert plain["at"] == "2025-01-06T15:30:00.000Z"
    assert of_plain(Outer, plain) == OUTER


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"count": "3"}, TypeError),
        ({"count": True}, TypeError),
        ({"kind": "c"}, ValueError),
        ({"at": "soon"}, ValueError),
        ({"inner": [{}]}, KeyError),
    ],
)
def test_other_data_is_refused(change, error):
    with pytest.raises(error):
        of_plain(Outer, {**to_plain(OUTER), **change})


def test_an_environment_survives_as_variables_in_sorted_json():
    written = variables.write(OUTER)
    assert (written["NAME"], written["FLAG"], written["TABLE"]) == ("x", "true", '{"a":1}')
    assert variables.read(Outer, written) == OUTER
    assert variables.write(OUTER) == written


def test_a_missing_variable_is_named():
    with pytest.raises(KeyError, match="COUNT"):
        variables.read(Outer, {"NAME": "x"})


# Descriptions


def test_a_description_is_read_by_its_lines():
    text = (
        "Requests fail.\nSeverity: high, respond within 1 hour\nIMPACT: Users see errors\n"
        " run book : 004_… Key Metrics \nFirst action: Look\nMore."
    )
    assert describe(text) == Description(
        summary="Requests fail. More.",
        severity="high, respond within 1 hour",
        impact="Users see errors",
        run_book="004_… Key Metrics",
        first_action="Look",
    )


def test_of_two_equal_lines_the_first_counts_and_an_empty_one_is_none():
    assert describe("First action: a\nFirst action: b\nImpact:").first_action == "a"
    assert describe("") == Description()


# Trying again


def test_what_may_pass_is_tried_again_after_each_pause():
    pauses, answers = [], iter([throttled(), throttled(), "done"])

    def call():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert backoff.persist(call, sleep=pauses.append) == "done"
    assert pauses == [0.5, 1.0]


def test_in_the_end_the_last_error_is_raised():
    pauses = []

    def call():
        raise throttled()

    with pytest.raises(ClientError, match="Rate exceeded"):
        backoff.persist(call, sleep=pauses.append)
    assert pauses == list(backoff.WAITS)


def test_what_does_not_pass_is_raised_at_once():
    pauses = []

    def call():
        raise denied()

    with pytest.raises(ClientError):
        backoff.persist(call, sleep=pauses.append)
    assert pauses == []


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (throttled(), True),
        (denied(), False),
        (EndpointConnectionError(endpoint_url="https://x"), True),
        (ReadTimeoutError(endpoint_url="https://x"), True),
        (ValueError("x"), False),
    ],
)
def test_busy_services_and_broken_lines_pass(error, passes):
    assert backoff.may_pass(error) is passes


# Tokens and dead letters


class States:
    def __init__(self, code=None):
        self.code, self.calls = code, []

    def send_task_success(self, **call):
        self.calls.append(call)
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": ""}}, "SendTaskSuccess")


def test_a_machine_that_waits_is_woken():
    states = States()
    assert waking.wake(states, "t") is True
    assert states.calls == [{"taskToken": "t", "output": '{"woken": true}'}]


def test_without_a_token_nobody_is_asked():
    states = States()
    assert waking.wake(states, "") is False
    assert states.calls == []


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_machine_that_has_gone_on_is_no_fault(code):
    assert waking.wake(States(code), "t") is False


def test_any_other_refusal_is_raised():
    with pytest.raises(ClientError):
        waking.wake(States("AccessDeniedException"), "t")


def test_an_empty_message_can_be_buried_and_a_long_reason_is_cut(stage):
    letters.bury(stage.sqs, stage.dead_letters, "", reason="r" * 5000, source="escalate")
    assert stage.buried() == [("(empty)", "r" * 1000)]


# Clients


def test_clients_have_short_time_outs_try_once_and_never_log_what_they_are_answered():
    clients.client.cache_clear()
    made = clients.client("secretsmanager")
    assert (made.meta.config.connect_timeout, made.meta.config.read_timeout) == (2, 4)
    assert made.meta.config.retries["total_max_attempts"] == 1
    assert clients.client("secretsmanager") is made
    assert logging.getLogger("botocore").getEffectiveLevel() >= logging.INFO
