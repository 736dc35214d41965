"""The table of what need not be noticed, and the score."""

from __future__ import annotations

import pytest

from policies.rulebook.resource import Context
from runbook.errors import UserError
from runbook.mutate import judgement
from runbook.mutate.judge import Judge
from runbook.mutate.judgement import Entry, Judgement
from runbook.mutate.score import Score, idle, report

from .test_judge import LATE, MUTE
from .test_mutants import small

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


def entry(text, reason="It is so."):
    type_, path, *operators = text.split()
    return Entry(text, type_, path, frozenset(operators), reason)


def scored(harmless=(), explained=()):
    score, captured = Score(), small()
    table = Judgement(tuple(map(entry, harmless)), tuple(map(entry, explained)))
    score.take(captured, Context(), table, Judge(captured, Context(), (LATE, MUTE)))
    return score, table


def test_everything_is_relevant_that_no_entry_speaks_for():
    score, _ = scored()
    assert {key for key in score.lines if key[0] == "cloudwatch/metricAlarm"} == {
        ("cloudwatch/metricAlarm", "@resource", "deleted"),
        ("cloudwatch/metricAlarm", "alarmActions", "cut"),
        ("cloudwatch/metricAlarm", "alarmActions", "emptied"),
        ("cloudwatch/metricAlarm", "alarmActions", "removed"),
        ("cloudwatch/metricAlarm", "threshold", "lowered"),
        ("cloudwatch/metricAlarm", "threshold", "raised"),
        ("cloudwatch/metricAlarm", "threshold", "removed"),
    }


def test_what_is_harmless_is_not_counted():
    made = scored()[0].made
    assert scored(harmless=["cloudwatch/metricAlarm threshold"])[0].made == made - 3
    assert scored(harmless=["cloudwatch/metricAlarm threshold removed"])[0].made == made - 1


def test_an_explained_survivor_counts_as_made_and_not_as_noticed():
    plain, _ = scored()
    score, _ = scored(explained=["cloudwatch/* threshold"])
    assert (score.made, score.noticed) == (plain.made, plain.noticed)
    assert (plain.explained, score.explained, plain.unexplained - score.unexplained) == (0, 2, 2)


def test_an_entry_that_meets_nothing_any_more_is_told():
    useless = ["sqs/queue tags", "cloudwatch/metricAlarm alarmActions"]
    score, table = scored(harmless=["s3/bucket tags*", useless[0]], explained=[useless[1]])
    assert [one.text for one in idle([score], table)] == useless


def test_the_report_names_each_survivor_and_ends_with_the_sum():
    score, _ = scored(harmless=["s3/* *"], explained=["sns/* *"])
    assert list(report("staging", score)) == [
        "cloudwatch/metricAlarm",
        "  @resource deleted: 0 of 1 noticed; not busy @resource  ",
        "  threshold lowered: 0 of 1 noticed; not busy threshold  ",
        "  threshold removed: 0 of 1 noticed; not busy threshold  ",
        "Explained, by reason:",
        "     1  It is so.",
        "staging: 5 of 9 mutants noticed (55.6 %), 1 explained, 3 neither.",
    ]


def test_the_table_of_the_project_can_be_read():
    table = judgement.load()
    assert len({one.text for one in (*table.harmless, *table.explained)}) == len(table.harmless) + len(table.explained)
    assert all(one.reason.endswith(".") for one in (*table.harmless, *table.explained))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("harmless: []", "must hold the lists harmless and explained, and nothing else"),
        ("harmless: [{at: ['a b']}]\nexplained: []", "Each group of harmless needs a reason and a list `at`"),
        ("harmless: [{reason: x, at: ['a b burnt']}]\nexplained: []", "'a b burnt' is no entry"),
        ("harmless: [{reason: x, at: [a]}]\nexplained: []", "'a' is no entry"),
        ("{", "cannot be read"),
    ],
)
def test_a_mistake_in_the_table_is_a_sentence(tmp_path, text, said):
    file = tmp_path / "judgement.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        judgement.load(file)
    assert said in "\n".join(caught.value.lines)
