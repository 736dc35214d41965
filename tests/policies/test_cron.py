"""Schedules of AWS: how far apart two runs can be."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.rulebook.cron import DAY, WEEK, ScheduleError, longest_gap

WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [
        ("rate(5 minutes)", 5),
        ("rate(1 hour)", 60),
        ("rate(7 days)", WEEK),
        (" rate(1 day) ", DAY),
        ("cron(* * * * ? *)", 1),
        ("cron(0/15 * * * ? *)", 15),
        ("cron(5/15 8-17 ? * MON-FRI *)", 2 * DAY + 14 * 60 + 15),
        ("cron(0 5 * * ? *)", DAY),
        ("cron(0 5 ? * * *)", DAY),
        ("cron(0 5,17 * * ? *)", DAY // 2),
        ("cron(0 */6 * * ? *)", DAY // 4),
        ("cron(0 5 ? * SUN *)", WEEK),
        ("cron(0 5 ? * 1 *)", WEEK),
        ("cron(0 5 ? * sun,WED *)", 4 * DAY),
        ("cron(0 5 1 * ? *)", 31 * DAY),
        ("cron(0 5 1,15 * ? *)", 17 * DAY),
        ("cron(0 5 L * ? *)", 31 * DAY),
        ("cron(0 5 31 * ? *)", 61 * DAY),
        ("cron(0 5 1W * ? *)", 33 * DAY),
        ("cron(0 5 31W * ? *)", 63 * DAY),
        ("cron(0 5 ? * L *)", WEEK),
        ("cron(0 5 ? * 6L *)", 35 * DAY),
        ("cron(0 5 ? * FRIL *)", 35 * DAY),
        ("cron(0 5 ? * MON#1 *)", 35 * DAY),
        ("cron(0 5 ? * 2#5 *)", 119 * DAY),
        ("cron(0 5 1 JAN,JUL ? *)", 184 * DAY),
        ("cron(0 5 29 2 ? *)", 1461 * DAY),
        ("cron(0 5 1 */3 ? *)", 92 * DAY),
        ("cron(0 5 * * ? 2026)", math.inf),
        ("cron(0 5 * * ? 2026-2030)", math.inf),
        ("cron(0 5 * * ? 1970-2199)", DAY),
        ("at(2026-11-21T10:00:00)", math.inf),
    ],
)
def test_the_longest_gap_is_found(expression, minutes):
    assert longest_gap(expression) == minutes


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "it is neither cron(…) nor rate(…)"),
        ("weekly", "it is neither cron(…) nor rate(…)"),
        ("0 5 ? * SUN *", "it is neither cron(…) nor rate(…)"),
        ("rate(0 days)", "a rate is a number of minutes, hours or days"),
        ("rate(2 weeks)", "a rate is a number of minutes, hours or days"),
        ("cron(0 5 * * ?)", "cron takes six fields; there are 5"),
        ("cron(0 5 * * * *)", "either the day of the month or the day of the week is ?, and not both"),
        ("cron(0 5 ? * ? *)", "either the day of the month or the day of the week is ?, and not both"),
        ("cron(60 5 * * ? *)", "60 is no minutes: 0 to 59 is known"),
        ("cron(0 5-3 * * ? *)", "5-3 is no hours: 0 to 23 is known"),
        ("cron(0 5 ? * 0 *)", "0 is no day of week: 1 to 7 is known"),
        ("cron(0 5 ? * SAM *)", "SAM is no day of week"),
        ("cron(0 5 ? * MON#6 *)", "6 is no week: 1 to 5 is known"),
        ("cron(0 5 ? * SUN-MON#2 *)", "SUN-MON is no day of week"),
        ("cron(0 5 1-5W * ? *)", "1-5 is no day of month"),
        ("cron(0 5 32 * ? *)", "32 is no day of month: 1 to 31 is known"),
        ("cron(0 5 W * ? *)", "nothing is no day of month"),
        ("cron(0/0 5 * * ? *)", "0/0 is no minutes: 0 to 59 is known"),
        ("cron(² 5 * * ? *)", "² is no minutes"),
        ("cron(0 5 30 FEB ? *)", "it never runs: no month has such a day"),
    ],
)
def test_what_aws_refuses_is_refused_with_a_reason(expression, why):
    with pytest.raises(ScheduleError) as refused:
        longest_gap(expression)
    assert str(refused.value) == why


@given(
    days=st.sets(st.sampled_from(range(7)), min_size=1),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
)
def test_a_week_s_days_leave_the_longest_gap_on_the_circle_of_the_week(days, hour, minute):
    ordered = sorted(days)
    gaps = [(after - before - 1) % 7 + 1 for before, after in zip(ordered, [*ordered[1:], ordered[0]], strict=True)]
    names = ",".join(WEEKDAYS[day] for day in ordered)
    assert longest_gap(f"cron({minute} {hour} ? * {names} *)") == max(gaps) * DAY


@given(
    hours=st.sets(st.integers(0, 23), min_size=1), more=st.integers(0, 23), days=st.sampled_from(["*", "1", "L", "15W"])
)
def test_one_more_hour_never_makes_the_gap_longer(hours, more, days):
    def gap(chosen):
        return longest_gap(f"cron(0 {','.join(map(str, sorted(chosen)))} {days} * ? *)")

    assert gap(hours | {more}) <= gap(hours)


@given(number=st.integers(1, 10_000), unit=st.sampled_from([("minute", 1), ("hour", 60), ("day", DAY)]))
def test_a_rate_is_its_own_gap(number, unit):
    name, minutes = unit
    assert longest_gap(f"rate({number} {name}s)") == number * minutes


@given(text=st.text(alphabet="cronate()0123456789*/?,-LW# SUNMOFRI", max_size=40))
def test_a_text_is_a_schedule_or_refused(text):
    for expression in (text, f"cron({text})", f"rate({text})"):
        with contextlib.suppress(ScheduleError):
            assert longest_gap(expression) > 0


@pytest.mark.parametrize("expression", ["rate({} days)", "cron(0 {} * * ? *)", "cron(0/{} 5 * * ? *)"])
def test_a_huge_number_is_refused(expression):
    with pytest.raises(ScheduleError):
        longest_gap(expression.format("9" * 5000))
