"""What the sub-commands do. Each returns the exit code; a person's mistake is a UserError."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.text import Text

from . import console, stacks, streams
from .desk import sentences
from .errors import UserError

if TYPE_CHECKING:
    from policies.rulebook.resource import Context

    from .audit.configuration import Configuration
    from .audit.evaluate import Audit
    from .operations.bootstrap import Clients
    from .operations.plan import Step
    from .preview.graph import Graph

CLEAN = 0
REFUSED = 1
MISTAKE = 2


def preview(stack: str, folder: Path | None, *, as_json: bool) -> int:
    """The resources of one stack and what the rules say of them."""
    folder = stacks.project_folder(folder)
    (stack,) = stacks.chosen([stack], folder)
    started = time.perf_counter()
    with console.progress(f"Previewing {stack}"):
        graph, audit, _context = _audited(stack, folder)
    if as_json:
        from .preview import digest

        streams.write(digest.text(graph))
        if audit.refused:
            streams.complain([f"{stack} is refused: a mandatory rule is broken. `runbook audit {stack}` says which."])
    else:
        from .audit import render as findings
        from .preview import render as resources

        output = console.output()
        page = console.page_of(output)
        console.show(output, resources.lines(graph, page))
        console.show(output, findings.lines(audit, page))
        console.show(output, [Text(), *findings.verdict(audit, time.perf_counter() - started, page)])
    return REFUSED if audit.refused else CLEAN


@dataclass(frozen=True, slots=True)
class Reports:
    """The formats to write, the folder, the JSON report to compare with, and the command that holds all others."""

    formats: Sequence[str] = ()
    folder: Path = Path("reports")
    since: Path | None = None
    command: Any = None

    def write(self, audited: Sequence[tuple[Graph, Audit]], project: Path) -> list[Path]:
        """Writes them all, or none. Raises UserError where the folder or the earlier report is no good."""
        from datetime import UTC, datetime

        from policies.rulebook import RULES
        from policies.rulebook.runbook import run_books

        from .audit import report, traces

        traced = traces.traces(
            run_books(), RULES, [graph for graph, _ in audited], set(traces.command_names(self.command))
        )
        return report.write(
            audited,
            self.formats,
            self.folder,
            project=project,
            now=datetime.now(UTC),
            previous=self.since,
            traced=traced,
        )


def audit(
    wanted: Sequence[str],
    folder: Path | None,
    *,
    as_json: bool,
    alarms: bool = False,
    reports: Reports = Reports(),
    policy_config: Path | None = None,
) -> int:
    """What the rules say of several stacks; one that cannot be previewed does not keep the others from it.

    ``policy_config``: the file that sets the rules' levels for the Pulumi CLI, too.
    """
    folder = stacks.project_folder(folder)
    configured = _configuration(policy_config)
    if reports.formats:
        from .audit.report import known

        known(reports.formats)
    audited: list[tuple[Graph, Audit]] = []
    covers: list[Text] = []
    verdicts: list[Text] = []
    output = console.output()
    page = console.page_of(output)
    mistakes: list[str] = []
    for stack in stacks.chosen(wanted, folder):
        started = time.perf_counter()
        try:
            with console.progress(f"Auditing {stack}"):
                graph, found, context = _audited(stack, folder, configured)
        except UserError as error:
            mistakes += [f"{stack} cannot be audited:", *error.lines]
            continue
        audited.append((graph, found))
        if not as_json:
            from .audit import coverage, render

            verdicts += render.verdict(found, time.perf_counter() - started, page)
            if told := [*render.lines(found, page), *render.not_applicable(found, page)]:
                console.show(output, [Text(f"Audit of {stack}", "bold"), *told, Text()])
            covered = coverage.report(graph, context)
            covers.append(Text(f"{stack}: alarms for what can fail: {coverage.sums(covered)}"))
            if alarms:
                console.show(output, [Text(f"Alarms of {stack}", "bold"), *map(Text, coverage.text(covered)), Text()])
    written = reports.write(audited, folder) if reports.formats and not mistakes else []
    if as_json and not mistakes:
        from .audit import document

        streams.write(document.text(audited))
    console.show(output, [*covers, *verdicts, *(Text(f"Written: {path}") for path in written if not as_json)])
    if mistakes:
        raise UserError(*mistakes)
    return REFUSED if any(found.refused for _graph, found in audited) else CLEAN


def coverage(wanted: Sequence[str], folder: Path | None, command: Any, *, as_json: bool) -> int:
    """Every demand of the run books and what meets it. ``command``: the one that holds all sub-commands."""
    from policies.rulebook import RULES
    from policies.rulebook.runbook import run_books

    from .audit import traces
    from .preview.project import preview as run

    folder = stacks.project_folder(folder)
    names = stacks.chosen(wanted, folder)
    with console.progress(f"Previewing {', '.join(names)}"):
        graphs = [run(name, folder) for name in names]
    books = run_books()
    traced = traces.traces(books, RULES, graphs, set(traces.command_names(command)))
    if as_json:
        streams.write(traces.document(books, traced, names))
    else:
        output = console.output()
        console.show(output, traces.lines(books, traced, console.page_of(output)))
    return CLEAN


def check_settings(wanted: Sequence[str], folder: Path | None) -> int:
    """Whether the stacks' settings are right; all mistakes of all of them at once."""
    from settings.load import check

    folder = stacks.project_folder(folder)
    mistakes: list[str] = []
    for stack in stacks.chosen(wanted, folder):
        try:
            with sentences():
                check(stack, folder)
        except UserError as error:
            mistakes += error.lines
        else:
            streams.write(f"{stack}: the settings are right.\n")
    if mistakes:
        raise UserError(*mistakes)
    return CLEAN


def settings_schema() -> int:
    """The JSON Schema of a stack's file."""
    from settings.schema import schema_text

    streams.write(schema_text())
    return CLEAN


def bootstrap(
    environment: str,
    folder: Path | None,
    *,
    apply: bool,
    permissions: bool,
    as_json: bool,
    journal: Path | None,
    profile: str | None,
) -> int:
    """Makes the state bucket and its key, or says what it would do."""
    from settings.load import check, project_name

    from .operations import aws, render
    from .operations import bootstrap as operation
    from .operations import plan as planned
    from .operations.journal import Journal, default_folder

    folder = stacks.project_folder(folder)
    (environment,) = stacks.chosen([environment], folder)
    with sentences():
        target = operation.Target.of(project_name(folder), check(environment, folder))
    if permissions:
        streams.write(json.dumps(operation.permissions(target), indent=2) + "\n")
        return CLEAN
    reached = aws.clients(target.region, profile, "kms", "s3", "sts")
    with console.progress(f"Reading account {target.account_id}"):
        observed = operation.observe(cast("Clients", reached), target)
    steps = operation.plan(target, observed)
    output = console.output()
    page = console.page_of(output)
    if not as_json:
        console.show(output, render.plan(operation.title(target), steps, page))
    book = Journal(
        journal or default_folder(),
        operation.OPERATION,
        environment=environment,
        account=target.account_id,
        who=observed.who,
    )
    if apply and steps:

        def done(number: int, _step: Step) -> None:
            if not as_json:
                console.show(output, [render.done(number, len(steps))])

        planned.apply(steps, reached, book, done=done)
    if as_json:
        streams.write(planned.document(steps, applied=apply))
    else:
        commands = operation.next_commands(target)
        console.show(output, render.closing(steps, applied=apply, journal=book.path, commands=commands))
    return CLEAN


def _configuration(file: Path | None) -> Configuration | None:
    if file is None:
        return None
    from policies.rulebook import RULES

    from .audit import configuration

    return configuration.read(file, RULES)


def _audited(stack: str, folder: Path, configured: Configuration | None = None) -> tuple[Graph, Audit, Context]:
    from policies.rulebook import RULES
    from policies.rulebook.context import of_project

    from .audit.evaluate import audit as evaluate
    from .preview.project import preview as run

    graph = run(stack, folder)
    with sentences():
        context = of_project(folder, stack)
        if configured is None:
            return graph, evaluate(graph, context), context
        graph = configured.mended(graph, context)
        return graph, evaluate(graph, context, configured.rules(RULES), configured.disabled(RULES)), context
