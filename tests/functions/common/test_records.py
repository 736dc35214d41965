"""The record's guards: whoever acts on what is no longer so changes nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.common.records import Record
from tests.functions.stage import START, denied

NOW = START + timedelta(minutes=6)
RECORD = Record(
    alarm="web-5xx",
    escalation="e1",
    state="open",
    severity="critical",
    started=START,
    rang=START,
    open_until=START + timedelta(hours=26),
    code="482713",
)


@pytest.fixture
def records(stage):
    assert stage.records.begin(RECORD, None)
    return stage.records


def test_a_record_survives_the_table(records):
    assert records.current("web-5xx") == RECORD


def test_of_two_who_begin_one_succeeds(records):
    other = replace(RECORD, escalation="e2")
    assert not records.begin(other, None)
    assert records.begin(other, RECORD)
    assert not records.begin(replace(RECORD, escalation="e3"), RECORD)
    assert records.current("web-5xx").escalation == "e2"


def test_of_two_who_settle_one_succeeds_and_is_told_what_became_of_it(records):
    settled = records.settle(RECORD, "acknowledged", by="Ana", how="command", now=NOW)
    assert settled == replace(RECORD, state="acknowledged", by="Ana", how="command", settled=NOW)
    assert records.settle(RECORD, "cleared", by="", how="", now=NOW) is None
    assert records.current("web-5xx") == settled


def test_whoever_settles_is_told_the_token_of_a_wait_that_began_meanwhile(records):
    assert records.hold(RECORD, "token")
    settled = records.settle(RECORD, "acknowledged", by="Ana", how="command", now=NOW)
    assert settled.waking_token == "token"


def test_no_wait_begins_for_a_state_that_has_passed(records):
    records.settle(RECORD, "acknowledged", by="Ana", how="command", now=NOW)
    assert not records.hold(RECORD, "token")
    assert records.current("web-5xx").token == ""


def test_a_wait_for_what_is_so_already_is_not_to_be_woken(records):
    acknowledged = records.settle(RECORD, "acknowledged", by="Ana", how="command", now=NOW)
    assert records.hold(acknowledged, "token")
    assert records.current("web-5xx").waking_token == ""


def test_what_is_closed_is_settled_no_more(records):
    records.close(RECORD, NOW)
    assert records.settle(RECORD, "acknowledged", by="Ana", how="command", now=NOW) is None
    assert records.current("web-5xx").state == "open"


def test_a_predecessor_s_changes_do_not_touch_its_successor(records):
    successor = replace(RECORD, escalation="e2", code="000001")
    records.begin(successor, RECORD)
    records.ring(RECORD, NOW)
    records.note_sent(RECORD, "sms/ana", NOW)
    records.close(RECORD, NOW, "broken")
    assert records.settle(RECORD, "cleared", by="", how="", now=NOW) is None
    assert records.current("web-5xx") == successor


def test_a_ring_is_noted_and_never_an_earlier_one(records):
    records.ring(RECORD, NOW)
    later = records.current("web-5xx")
    assert later.rang == NOW
    records.ring(later, START)
    assert records.current("web-5xx").rang == NOW


def test_of_two_escalations_with_the_same_code_the_later_one_is_meant(records):
    records.begin(replace(RECORD, alarm="another", started=NOW), None)
    assert records.by_code("482713").alarm == "another"
    assert records.by_code("000000") is None


def test_any_other_refusal_is_raised(stage, records):
    stage.faults.fails("dynamodb.update_item", denied())
    with pytest.raises(Exception, match="AccessDenied"):
        records.ring(RECORD, NOW)
