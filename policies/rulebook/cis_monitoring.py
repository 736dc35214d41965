"""Fifteen rules, one a CIS monitoring control: a filter that keeps evidence, a second one that pages; and three more.

The two are kept apart so that whoever quietens the pager can never lose the evidence with it. A filter is judged by
evaluating its pattern on the control's events: another wording of the same passes, one missing event does not.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from . import links, trail
from .cis_events import CONTROLS, HARMLESS, OWN_CONTROLS, ROOT, Control, Event, Sample
from .filter_pattern import Comparison, FilterPatternError, Is, JsonPattern, NotExists, Regex, Text, parse
from .resource import Resource, Stack
from .rule import Fault, Level, Rule, Severity, StackRule
from .values import is_false, listed, number, show

FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"

#: Seconds between two looks of an alarm at most.
_SOONEST = 300

#: A filter that counts at least this part of a control's events was meant for it.
_MEANT = 0.5


@dataclass(frozen=True, slots=True)
class _Bell:
    """An alarm. ``silent``: why one event reaches nobody; ``pages``: it reaches more than a topic of low severity."""

    alarm: Resource
    silent: str | None
    pages: bool


@lru_cache(maxsize=32_768)
def _counts(text: str, sample: Sample) -> bool:
    """Whether a pattern counts a sample: several questions, and several stacks, ask the same."""
    return parse(text).matches(sample.event)


@dataclass(frozen=True)
class _Counter:
    """A metric filter on a trail's log group."""

    filter: Resource
    text: str
    pattern: JsonPattern
    bells: tuple[_Bell, ...]

    def counts(self, sample: Sample) -> bool:
        return _counts(self.text, sample)

    @cached_property
    def loud(self) -> Sample | None:
        """Something harmless that it counts."""
        return next((sample for sample in HARMLESS if self.counts(sample)), None)

    def rings(self, *, pages: bool) -> bool:
        return any(bell.silent is None and (bell.pages or not pages) for bell in self.bells)


@dataclass(frozen=True, slots=True)
class _Watch:
    """What the trails are searched for; ``unreadable`` and ``unknown``: filters of which nothing can be said."""

    groups: tuple[Resource, ...]
    counters: tuple[_Counter, ...]
    unreadable: tuple[Fault, ...]
    unknown: UnknownValueError | None


def _watch(stack: Stack) -> _Watch:
    groups = trail.groups_of(stack)
    bells = _bells(stack)
    counters, unreadable, unknown = [], [], None
    for resource in stack.of(FILTER):
        try:
            if not _on(stack, resource, groups):
                continue
            text = str(resource.props.get("pattern") or "")
            pattern = parse(text)
            key = _metric(resource.section("metricTransformation", "namespace"), resource, "name")
        except UnknownValueError as error:
            unknown = unknown or error
        except FilterPatternError as error:
            unreadable.append(Fault(str(error), resource.urn))
        else:
            if isinstance(pattern, JsonPattern):
                counters.append(_Counter(resource, text, pattern, tuple(bells.get(key, ()))))
    return _Watch(groups, tuple(counters), tuple(unreadable), unknown)


def _on(stack: Stack, resource: Resource, groups: Sequence[Resource]) -> bool:
    urns = {group.urn for group in groups}
    return any(hit.urn in urns for hit in links.targets(stack, resource, "logGroupName", trail.LOG_GROUP))


def _metric(namespace: Any, resource: Resource, key: str) -> tuple[str, str]:
    return (str(namespace), str(resource.section("metricTransformation", key)))


def _bells(stack: Stack) -> Mapping[tuple[str, str], Sequence[_Bell]]:
    """(namespace, metric) -> the alarms that watch it."""
    found: dict[tuple[str, str], list[_Bell]] = {}
    for alarm in stack.of(ALARM):
        try:
            key = (str(alarm.props.get("namespace")), str(alarm.props.get("metricName")))
            bell = _Bell(alarm, next(_silences(stack, alarm), None), _pages(stack, alarm))
        except UnknownValueError:
            # It may be what is missing: whoever misses it says that this is not known.
            continue
        found.setdefault(key, []).append(bell)
    return found


def _silences(stack: Stack, alarm: Resource) -> Iterator[str]:
    """Why one event in a period reaches nobody."""
    if is_false(alarm.props.get("actionsEnabled")):
        yield "its actions are switched off"
    if not alarm.items("alarmActions"):
        yield "it has no action"
    elif not links.targets(stack, alarm, "alarmActions", TOPIC) and not _literal_topics(alarm):
        yield "its action reaches no topic"
    if alarm.props.get("statistic") not in ("Sum", "SampleCount"):
        yield f"its statistic is {show(alarm.props.get('statistic'))}, where Sum counts events"
    threshold = number(alarm.props.get("threshold"))
    at_least = alarm.props.get("comparisonOperator") == "GreaterThanOrEqualToThreshold"
    more_than = alarm.props.get("comparisonOperator") == "GreaterThanThreshold"
    if threshold is None or not ((at_least and threshold <= 1) or (more_than and threshold < 1)):
        yield f"one event does not make it ring: its threshold is {show(threshold)}"
    periods = number(alarm.props.get("datapointsToAlarm")) or number(alarm.props.get("evaluationPeriods")) or 0
    if periods != 1:
        yield f"it waits for {show(periods)} periods with events"
    period = number(alarm.props.get("period"))
    if period is None or period > _SOONEST:
        yield f"it looks every {show(period)} seconds; {_SOONEST} or less are expected"


def _literal_topics(alarm: Resource) -> list[str]:
    return [action for action in map(str, alarm.items("alarmActions")) if ":sns:" in action]


def _pages(stack: Stack, alarm: Resource) -> bool:
    topics = links.targets(stack, alarm, "alarmActions", TOPIC)
    return any(topic.tags.get("Severity") != "low" for topic in topics) or (not topics and bool(_literal_topics(alarm)))


@dataclass(frozen=True, eq=False)
class _Verdict:
    """What a filter does for a control; compared by identity."""

    counter: _Counter
    control: Control

    @cached_property
    def evidence_missing(self) -> tuple[str, ...]:
        return self._missing(self.control.evidence)

    @cached_property
    def paging_missing(self) -> tuple[str, ...]:
        return self._missing(self.control.paging)

    def _missing(self, samples: Sequence[Sample]) -> tuple[str, ...]:
        """``PutRolePolicy``, or ``PutRolePolicy by a role`` where it counts the same by others."""
        results = [(sample, self.counter.counts(sample)) for sample in samples]
        counted = {sample.name for sample, counts in results if counts}
        return tuple(
            dict.fromkeys(
                f"{sample.name} by {sample.by}" if sample.name in counted else sample.name
                for sample, counts in results
                if not counts
            )
        )

    @cached_property
    def part(self) -> float:
        """How much of the control it counts, 0 to 1; that root did it tells nothing, where others did it too."""
        samples = [sample for sample in self.control.paging if sample.by != ROOT] or self.control.paging
        counted: set[str] = set()
        for sample in samples:
            if sample.name not in counted and self.counter.counts(sample):
                counted.add(sample.name)
        return len(counted) / len({sample.name for sample in samples})

    @cached_property
    def excuses(self) -> tuple[str, ...]:
        """Whom or what it leaves out, by the properties that its pattern compares and the benchmark's does not."""
        found = (excuse for condition in self.counter.pattern.conditions() for excuse in self._tried(condition))
        return tuple(dict.fromkeys(found))

    def _tried(self, condition: Comparison | Is | NotExists) -> Iterator[str]:
        steps = condition.selector.steps
        if condition.selector.text in self.control.narrowed or not all(isinstance(step, str) for step in steps):
            return
        value = _excused(condition)
        if value is None:
            return
        for sample in self.control.evidence:
            if self.counter.counts(sample) and not self.counter.pattern.matches(_with(sample.event, steps, value)):
                name = condition.selector.text.removeprefix("$.")
                yield f"that have {name}" if isinstance(condition, NotExists) else f"whose {name} is {show(value)}"
                return

    def keeps_evidence(self) -> bool:
        return not self.evidence_missing and not self._evidence_faults()

    def pages(self) -> bool:
        return not self.paging_missing and not self._paging_faults()

    def evidence_sentences(self) -> Iterator[str]:
        if self.evidence_missing:
            yield f"The filter does not count {listed(self.evidence_missing)}, so there is no evidence of it."
        yield from self._evidence_faults()

    def paging_sentences(self) -> Iterator[str]:
        if self.paging_missing:
            yield f"The filter does not count {listed(self.paging_missing)}, so nobody is paged for it."
        yield from self._paging_faults()

    def _evidence_faults(self) -> list[str]:
        sentences = [
            f"The filter leaves out events {excuse}, so there is no evidence of them." for excuse in self.excuses
        ]
        return [*sentences, *self._common_faults(pages=False)]

    def _paging_faults(self) -> list[str]:
        sentences = self._common_faults(pages=True)
        if not sentences and not self.counter.rings(pages=True):
            sentences.append("The filter's alarm goes to a topic of low severity alone, so nobody is paged.")
        return sentences

    def _common_faults(self, *, pages: bool) -> list[str]:
        sentences = []
        if self.counter.loud:
            sentences.append(f"The filter counts {self.counter.loud.name} too, so its alarm says nothing.")
        bells = self.counter.bells
        if not bells:
            sentences.append("No alarm watches the filter's metric.")
        elif not self.counter.rings(pages=False):
            sentences += [f"Alarm {bell.alarm.name} tells nobody: {bell.silent}." for bell in bells]
        elif pages and not self.counter.rings(pages=True):
            silent = [bell for bell in bells if bell.silent and bell.pages]
            sentences += [f"Alarm {bell.alarm.name} tells nobody: {bell.silent}." for bell in silent]
        return sentences


def _excused(condition: Comparison | Is | NotExists) -> Any:
    """A value that such a condition may be there to leave out; None where it leaves out none."""
    if isinstance(condition, NotExists):
        return "anything"
    if isinstance(condition, Is) or condition.operator != "!=":
        return None
    operand = condition.operand
    if isinstance(operand, Text):
        return f"{'x' * operand.open_start}{operand.body}{'x' * operand.open_end}"
    return operand.expression.pattern if isinstance(operand, Regex) else operand.value


def _with(event: Event, steps: Sequence[str], value: Any) -> Event:
    """``event`` with ``value`` at ``steps``."""
    changed = copy.deepcopy(dict(event))
    here = changed
    for step in steps[:-1]:
        if not isinstance(here.get(step), dict):
            here[step] = {}
        here = here[step]
    here[steps[-1]] = value
    return changed


def _judge(control: Control, stack: Stack) -> Iterator[Fault]:
    if not any(True for _ in stack.of(trail.TRAIL)):
        return
    watch = stack.shared(_watch)
    verdicts = [_Verdict(counter, control) for counter in watch.counters]
    faults = tuple(_gaps(control, [verdict for verdict in verdicts if verdict.part >= _MEANT], watch))
    if faults and watch.unknown is not None:
        raise watch.unknown
    yield from faults


def _gaps(control: Control, meant: Sequence[_Verdict], watch: _Watch) -> Iterator[Fault]:
    """What is missing of the two filters of a control; ``meant``: the filters that were made for it."""
    if not meant:
        yield Fault(f"No filter on the trail's log group counts {control.title}.", _where(watch))
        yield from watch.unreadable
        return
    keeping = [verdict for verdict in meant if control.evidence and verdict.keeps_evidence()]
    paging = [verdict for verdict in meant if verdict.pages()]
    pager = next((verdict for verdict in paging if verdict not in keeping), next(iter(paging), None))
    keeper = next((verdict for verdict in keeping if verdict is not pager), None)
    if pager is None:
        rest = [verdict for verdict in meant if verdict is not keeper]
        pager = _likeliest(rest, _Verdict.paging_sentences)
        yield from _lack(pager, _Verdict.paging_sentences, f"No filter pages for {control.title}.", keeper)
    if keeper is None and control.evidence:
        rest = [verdict for verdict in meant if verdict is not pager]
        likeliest = _likeliest(rest, _Verdict.evidence_sentences)
        alone = f"No second filter keeps evidence of {control.title}, so whoever quietens this one loses it."
        yield from _lack(likeliest, _Verdict.evidence_sentences, alone, pager)


def _where(watch: _Watch) -> str | None:
    return watch.groups[0].urn if watch.groups else None


_Sentences = Callable[[_Verdict], Iterator[str]]


def _likeliest(verdicts: Sequence[_Verdict], sentences: _Sentences) -> _Verdict | None:
    return min(verdicts, key=lambda verdict: (-verdict.part, len(tuple(sentences(verdict)))), default=None)


def _lack(likeliest: _Verdict | None, sentences: _Sentences, alone: str, other: _Verdict | None) -> Iterator[Fault]:
    """What keeps the likeliest filter from its part; ``alone`` where there is none, said of the ``other`` one."""
    if likeliest is not None:
        yield from (Fault(sentence, likeliest.counter.filter.urn) for sentence in sentences(likeliest))
    else:
        yield Fault(alone, other.counter.filter.urn if other else None)


_TYPES = frozenset({FILTER, ALARM, TOPIC, trail.TRAIL, trail.LOG_GROUP})


def _rule(control: Control) -> StackRule:
    return StackRule(
        id=f"mon-cis-{control.number:02}",
        sentence="000_b5883a9168e66709.txt §7: Use CloudTrail to monitor and alert on unauthorized access attempts",
        title=f"One filter keeps evidence of {control.title}, another pages.",
        why="What nobody counts nobody hears of; what rings for everything nobody listens to.",
        severity=Severity.HIGH,
        level=Level.MANDATORY,
        controls=(f"CIS 5.0 4.{control.number}", f"CIS 7.0 5.{control.number}", "NIST AU-6", "NIST SI-4"),
        remedy="Declare two aws.cloudwatch.LogMetricFilter on the trail's log group, the benchmark's own and one that "
        "leaves out who is expected to act, each with an alarm on Sum >= 1 in 300 seconds; the second one's topic is "
        "above low.",
        types=_TYPES,
        check=partial(_judge, control),
    )


def _own_rule(control: Control) -> StackRule:
    return StackRule(
        id=f"mon-{control.number}",
        sentence="001_62c8c82a6a764433.txt §4: Check the audit logs for suspicious activity",
        title=f"A filter pages for {control.title}.",
        why="It is what an intruder does next, and no benchmark asks for it.",
        severity=Severity.MEDIUM,
        level=Level.MANDATORY,
        controls=("NIST AU-6", "NIST SI-4"),
        remedy="Declare aws.cloudwatch.LogMetricFilter on the trail's log group for these calls, with an alarm on "
        "Sum >= 1 in 300 seconds whose topic is above low.",
        types=_TYPES,
        check=partial(_judge, control),
    )


RULES: tuple[Rule, ...] = (*map(_rule, CONTROLS), *map(_own_rule, OWN_CONTROLS))
