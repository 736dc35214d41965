"""An audit for a person: what is refused and what is advised, each by severity, then what could not be judged, and what
there was nothing to judge for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from policies.rulebook.rule import Level, Severity

from ..console import Page
from ..words import count, short_type
from .evaluate import Audit, Finding

_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
}


def lines(audit: Audit, page: Page) -> Iterator[Text]:
    """The findings, then what was not evaluated. Each part begins with an empty line; nothing is said of nothing."""
    refused = [finding for finding in audit.findings if finding.mandatory]
    waived = [finding for finding in audit.findings if finding.waiver]
    advised = [finding for finding in audit.findings if not finding.mandatory and not finding.waiver]
    if refused:
        yield Text()
        yield Text(f"Refused: {count(len(refused), 'finding')} of mandatory rules", "bold red")
        yield from _grouped(refused, page, page.signs.bad)
    if advised:
        yield Text()
        yield Text(f"Advised: {count(len(advised), 'finding')} of advisory rules", "bold")
        yield from _grouped(advised, page, page.signs.advice)
    if waived:
        yield Text()
        yield Text(f"Waived: {count(len(waived), 'finding')} that somebody answers for", "bold")
        yield from _grouped(waived, page, page.signs.advice)
    yield from _not_evaluated(audit, page)


def not_applicable(audit: Audit, page: Page) -> Iterator[Text]:
    """The rules that had nothing to judge, and why; nothing where all had."""
    if audit.not_applicable:
        yield Text()
        yield Text(f"Not applicable: {count(len(audit.not_applicable), 'rule')}", "bold")
        for judged in audit.not_applicable:
            yield from page.hang(Text.assemble("    ", (judged.rule.id, "bold"), "  "), Text(judged.why_not, "dim"))


def verdict(audit: Audit, seconds: float, page: Page) -> Iterator[Text]:
    """One sentence: the outcome, the numbers behind it, the time it took."""
    refused = sum(finding.mandatory for finding in audit.findings)
    waived = sum(finding.waiver is not None for finding in audit.findings)
    advised = len(audit.findings) - refused - waived
    outcome = Text("refused", "bold red") if audit.refused else Text("clean", "bold green")
    parts = [f"{count(audit.rules, 'rule')}, {count(audit.judgements, 'judgement')}"]
    parts += [f"{refused:,} mandatory and {advised:,} advisory findings" if audit.findings else "no finding"]
    if waived:
        parts.append(f"{waived:,} waived")
    if audit.not_evaluated:
        parts.append(f"{len(audit.not_evaluated):,} not evaluated")
    if audit.idle:
        parts.append(f"{count(len(audit.idle), 'rule')} with nothing to judge")
    if disabled := sum(judged.disabled for judged in audit.judged):
        parts.append(f"{count(disabled, 'rule')} switched off")
    parts.append(f"{seconds:.1f} s")
    yield from page.hang(Text(), Text.assemble((audit.stack, "bold cyan"), ": ", outcome, f" ({'; '.join(parts)})"))


def _grouped(findings: Sequence[Finding], page: Page, sign: str) -> Iterator[Text]:
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:  # an audit lists the worst first
        by_rule.setdefault(finding.rule.id, []).append(finding)
    for group in by_rule.values():
        yield Text()
        yield from _rule(group, page, sign)


def _rule(group: Sequence[Finding], page: Page, sign: str) -> Iterator[Text]:
    rule = group[0].rule
    style = _STYLES[rule.severity]
    yield from page.hang(
        Text.assemble("  ", (rule.severity.ljust(8), style), "  "), Text.assemble((rule.id, "bold"), f": {rule.title}")
    )
    for finding in group:
        yield from page.hang(Text.assemble("    ", (sign, style)), Text(finding.sentence))
        yield from page.hang(Text(" " * (4 + len(sign))), _where(finding))
        if waiver := finding.waiver:
            answers = f"waived until {waiver.expires} by {waiver.owner} ({waiver.ticket}): {waiver.reason}"
            yield from page.hang(Text(" " * (4 + len(sign))), Text(answers, "yellow"))
    facts = [
        ("why", rule.why),
        ("remedy", rule.remedy),
        ("run book", rule.sentence),
        ("controls", ", ".join(rule.controls)),
    ]
    if rule.level is Level.MANDATORY_IN_PROD and not group[0].mandatory and not group[0].waiver:
        facts.append(("level", "mandatory in prod, advice here"))
    for name, fact in facts:
        if fact:
            yield from page.hang(Text(f"    {name:<10}", "dim"), Text(fact))


def _where(finding: Finding) -> Text:
    resource = finding.resource
    if resource is None:
        return Text("the stack as a whole", "dim")
    declared = resource.declared_at
    return Text.assemble(
        (f"{declared}  " if declared else "", "underline"), resource.name, (f" ({short_type(resource.type)})", "dim")
    )


def _not_evaluated(audit: Audit, page: Page) -> Iterator[Text]:
    if not audit.not_evaluated:
        return
    yield Text()
    yield Text(
        f"Not evaluated: {count(len(audit.not_evaluated), 'judgement')}, neither passed nor broken", "bold yellow"
    )
    for missed in audit.not_evaluated:
        subject = missed.urn.rpartition("::")[2] if missed.urn else "the stack as a whole"
        reason = " ".join(missed.reason.split())
        yield from page.hang(Text.assemble("    ", (missed.rule.id, "bold"), "  "), Text(f"{subject}: {reason}"))
