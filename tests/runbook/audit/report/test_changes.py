"""What is different from an earlier audit."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.audit import document
from runbook.audit.evaluate import Finding, NotEvaluated
from runbook.audit.report import as_json, changes
from runbook.audit.report.model import StackAudit
from runbook.errors import UserError

from . import examples
from .examples import OPEN, SUBNET, TAGS, ZONES

A, B, HOSTILE = examples.graph("prod").of(SUBNET)


def stack(*findings, missed=(), name="prod"):
    return StackAudit(examples.graph(name), examples.audit(name, findings, missed))


def compared(tmp_path, before, now):
    path = tmp_path / "audit.json"
    path.write_text(document.text([(each.graph, each.audit) for each in before]), encoding="utf-8")
    return changes.changes(changes.read(path), now)


def lists(found):
    names = ("new", "still", "waived", "fixed", "lost")
    return {name: [(c.rule, c.sentence, c.how) for c in getattr(found, name)] for name in names if getattr(found, name)}


def test_findings_are_new_still_there_fixed_or_waived(tmp_path):
    waived = Finding(OPEN, "Waived.", HOSTILE, False, examples.waiver(OPEN, examples.NOW.date()))
    before = stack(Finding(OPEN, "Stays.", A, True), Finding(TAGS, "Goes.", B, False))
    now = stack(Finding(OPEN, "Stays.", A, True), Finding(TAGS, "Comes.", A, False), waived)
    assert lists(compared(tmp_path, [before], [now])) == {
        "new": [("gov-tags", "Comes.", "")],
        "still": [("net-open", "Stays.", "")],
        "fixed": [("gov-tags", "Goes.", "")],
        "waived": [("net-open", "Waived.", "until 2026-11-21")],
    }


def test_a_fault_that_is_told_in_other_words_is_still_there(tmp_path):
    before = stack(Finding(OPEN, "Port 22 is open.", A, True), Finding(OPEN, "Port 80 is open.", A, True))
    now = stack(Finding(OPEN, "Port 23 is open.", A, True))
    found = compared(tmp_path, [before], [now])
    assert lists(found) == {
        "still": [("net-open", "Port 23 is open.", "")],
        "fixed": [("net-open", "Port 80 is open.", "")],
    }


def test_what_cannot_be_judged_any_more_is_not_fixed(tmp_path):
    before = stack(Finding(OPEN, "Open.", A, True), Finding(ZONES, "One.", None, True))
    now = stack(missed=[NotEvaluated(OPEN, A.urn, "?"), NotEvaluated(ZONES, None, "?")])
    how = "it could not be judged"
    assert lists(compared(tmp_path, [before], [now])) == {
        "lost": [("net-open", "Open.", how), ("rds-zones", "One.", how)]
    }


def test_what_a_rule_found_that_is_gone_is_not_fixed(tmp_path):
    gone = examples.graphs.rule("net-gone")
    found = compared(tmp_path, [stack(Finding(gone, "Old.", A, True))], [stack()])
    assert lists(found) == {"lost": [("net-gone", "Old.", "the rule is gone")]}


def test_a_fault_of_a_resource_that_is_gone_is_fixed_and_says_so(tmp_path):
    elsewhere = examples.graphs.resource(SUBNET, "gone")
    found = compared(tmp_path, [stack(Finding(OPEN, "Old.", elsewhere, True))], [stack()])
    assert lists(found) == {"fixed": [("net-open", "Old.", "the resource is gone")]}


def test_stacks_of_one_audit_only_are_named_and_not_called_fixed(tmp_path):
    before = [stack(Finding(OPEN, "Open.", A, True)), stack(Finding(TAGS, "No tags.", A, False), name="dev")]
    now = [stack(Finding(OPEN, "Open.", A, True)), stack(name="staging")]
    found = compared(tmp_path, before, now)
    assert (found.first, found.missing) == (("staging",), ("dev",))
    assert lists(found) == {"still": [("net-open", "Open.", "")]}


def test_a_report_says_when_and_of_which_commit_the_earlier_audit_was(tmp_path):
    path = tmp_path / "audit.json"
    path.write_text(as_json.text(examples.report()), encoding="utf-8")
    assert changes.read(path).since == "2026-11-21T12:00:00Z at commit c0ffeec0ffee"


@given(
    before=st.lists(st.tuples(st.sampled_from([OPEN, TAGS]), st.sampled_from("xyz"), st.sampled_from([A, B, None]))),
    now=st.lists(st.tuples(st.sampled_from([OPEN, TAGS]), st.sampled_from("xyz"), st.sampled_from([A, B, None]))),
)
def test_no_finding_of_either_audit_is_lost_or_told_twice(before, now):
    def made(told):
        return stack(*(Finding(rule, text, about, True) for rule, text, about in told))

    earlier = changes.Earlier(
        since="", found={"prod": changes._keyed(document.data([_pair(made(before))])["stacks"][0]["findings"])}
    )
    found = changes.changes(earlier, [made(now)])
    assert len(found.new) + len(found.still) == len(now)
    assert len(found.fixed) + len(found.still) == len(before)


def _pair(audited):
    return audited.graph, audited.audit


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is no audit of version 1"),
        (json.dumps({"version": 2, "stacks": []}), "is no audit of version 1"),
        (json.dumps({"version": 1}), "lacks parts of an audit"),
        (json.dumps({"version": 1, "stacks": [{"stack": "prod"}]}), "lacks parts of an audit"),
        (json.dumps({"version": 1, "stacks": ["prod"]}), "lacks parts of an audit"),
        (json.dumps({"version": 1, "stacks": [], "header": {"time": "x"}}), "lacks parts of an audit"),
        (json.dumps({"version": 1, "stacks": [], "header": "x"}), "lacks parts of an audit"),
    ],
)
def test_what_is_no_earlier_audit_is_refused_in_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "old.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        changes.read(path)


def test_an_earlier_audit_that_is_not_there_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match="There is no earlier audit at"):
        changes.read(tmp_path / "none.json")
