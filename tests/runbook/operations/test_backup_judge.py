"""What the age of a backup means."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.operations.backup.jobs import Job, Point
from runbook.operations.backup.judge import WEEKLY, check, check_host, check_jobs, gaps, is_well, uncopied

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
FOUR_WEEKS = timedelta(days=28)
LONG_AGO = NOW - timedelta(days=400)


def ago(days):
    return NOW - timedelta(days=days)


def job(days, state="COMPLETED", *, kind="backup", message="", source="", made=""):
    return Job(
        kind=kind,
        id=f"{kind}-{days}",
        resource="db",
        state=state,
        created=ago(days),
        ended=None,
        message=message,
        source=source,
        made=made,
    )


def point(days, state="COMPLETED"):
    return Point(arn=f"point-{days}", state=state, made=ago(days), days=28, key="k", encrypted=True)


@given(days=st.floats(0, 100))
def test_a_backup_is_late_from_the_moment_it_is_older_than_its_target(days):
    assert check("x", ago(days), WEEKLY, NOW).verdict == ("ok" if NOW - ago(days) <= WEEKLY else "late")


def test_none_is_missing():
    assert check("x", None, WEEKLY, NOW).verdict == "missing"


def test_an_attempt_that_failed_outweighs_a_good_one_of_before():
    found = [job(1, "FAILED", message="no space."), job(2)]
    assert check_jobs("x", found, WEEKLY, NOW).verdict == "failed"
    assert check_jobs("x", found, WEEKLY, NOW).detail == "job backup-1 ended as FAILED: no space"
    assert check_jobs("x", found, WEEKLY, NOW).newest == ago(2)


def test_a_good_one_makes_up_for_a_failure_of_before():
    assert check_jobs("x", [job(1), job(2, "FAILED")], WEEKLY, NOW).verdict == "ok"


@pytest.mark.parametrize("state", ["CREATED", "PENDING", "RUNNING", "ABORTING"])
def test_what_is_under_way_decides_nothing(state):
    assert check_jobs("x", [job(0, state)], WEEKLY, NOW).verdict == "missing"
    assert check_jobs("x", [job(0, state), job(9)], WEEKLY, NOW).verdict == "late"
    assert check_jobs("x", [job(0, state), job(3)], WEEKLY, NOW).detail == f"job backup-0 is {state}"


@pytest.mark.parametrize("state", ["ABORTED", "EXPIRED", "FAILED", "PARTIAL"])
def test_every_other_end_is_a_failure(state):
    assert check_jobs("x", [job(1, state)], WEEKLY, NOW).verdict == "failed"


@pytest.mark.parametrize(
    ("age", "newest", "verdict"), [(2, None, "ok"), (9, None, "missing"), (9, 1, "ok"), (90, 9, "late")]
)
def test_a_new_server_has_a_week(age, newest, verdict):
    moment = None if newest is None else ago(newest)
    assert check_host("i-1", ago(age), moment, NOW).verdict == verdict


def test_all_is_well_where_every_check_is():
    good, bad = check("x", NOW, WEEKLY, NOW), check("x", None, WEEKLY, NOW)
    assert is_well([good])
    assert not is_well([good, bad])


def test_a_weekly_chain_is_whole():
    assert gaps([ago(days) for days in (2, 9, 16, 23)], born=LONG_AGO, now=NOW, kept=FOUR_WEEKS) == []


@given(lost=st.sampled_from([2, 9, 16, 23]))
def test_one_week_left_out_is_one_gap(lost):
    found = gaps([ago(days) for days in {2, 9, 16, 23} - {lost}], born=LONG_AGO, now=NOW, kept=FOUR_WEEKS)
    assert len(found) == 1
    assert found[0][0] < ago(lost) < found[0][1]


def test_without_a_recovery_point_the_gap_is_all_of_it():
    assert gaps([], born=LONG_AGO, now=NOW, kept=FOUR_WEEKS) == [(ago(28), NOW)]


def test_a_database_owes_nothing_from_before_it_was_there():
    assert gaps([], born=ago(7), now=NOW, kept=FOUR_WEEKS) == []
    assert gaps([], born=ago(9), now=NOW, kept=FOUR_WEEKS) == [(ago(9), NOW)]


@given(days=st.lists(st.floats(0, 40), max_size=12), born=st.floats(0, 40))
def test_gaps_are_long_apart_in_order_and_hold_no_point(days, born):
    found = gaps([ago(one) for one in days], born=ago(born), now=NOW, kept=FOUR_WEEKS)
    assert all(after - before > WEEKLY for before, after in found)
    assert found == sorted(found)
    assert not [one for one in days for before, after in found if before < ago(one) < after]


@given(days=st.lists(st.floats(0, 28), min_size=1, max_size=12))
def test_one_more_recovery_point_opens_no_gap(days):
    def length(moments):
        return sum(
            (after - before for before, after in gaps(moments, born=LONG_AGO, now=NOW, kept=FOUR_WEEKS)), timedelta()
        )

    moments = [ago(one) for one in days]
    assert length(moments) <= length(moments[1:])


class TestCopies:
    def why(self, copies, present=(), points=None):
        return [why for _, why in uncopied(points or [point(9)], copies, list(present), NOW)]

    def test_one_that_is_there_is_enough_whatever_failed_besides(self):
        good = job(8, kind="copy", source="point-9", made="there")
        assert self.why([job(7, "FAILED", kind="copy", source="point-9"), good], ["there"]) == []

    def test_without_a_job_nothing_copied_it(self):
        assert self.why([]) == ["no job copied it"]

    def test_a_copy_that_is_gone_is_none(self):
        assert self.why([job(8, kind="copy", source="point-9", made="gone")]) == [
            "job copy-8 copied it, but the copy is gone"
        ]

    def test_a_failure_is_told(self):
        copies = [job(8, "FAILED", kind="copy", source="point-9", message="no key.")]
        assert self.why(copies) == ["job copy-8 is FAILED: no key"]

    def test_a_new_point_has_a_day(self):
        assert self.why([], points=[point(0.5)]) == []
        assert self.why([job(0.1, "FAILED", kind="copy", source="point-0.5")], points=[point(0.5)]) != []

    def test_what_is_not_whole_needs_no_copy(self):
        assert self.why([], points=[point(9, "PARTIAL"), point(9, "AVAILABLE")]) == []
