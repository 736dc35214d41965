"""Where a sub-command meets the account: whose it is, the clients, the journal, and how a procedure is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import console, stacks, streams
from .errors import UserError
from .operations import aws, render
from .operations import procedure as procedures
from .operations.journal import Journal, default_folder
from .operations.procedure import Facts, Stage
from .operations.site import Site, caller, inventory

CLEAN = 0


@contextmanager
def sentences() -> Iterator[None]:
    """Wrong settings are a person's mistake like any other."""
    from policies.rulebook.context import ContextError
    from settings.load import SettingsError

    try:
        yield
    except (SettingsError, ContextError) as error:
        raise UserError(*str(error).splitlines()) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A stack, and the account of whoever is signed in. ``who``: the caller's ARN."""

    site: Site
    profile: str | None
    who: str

    def clients(self, *names: str, region: str | None = None) -> dict[str, Any]:
        """boto3 clients by name, of the stack's region unless another is given."""
        return aws.clients(region or self.site.region, self.profile, *names)

    def inventory(self, component: str) -> Mapping[str, Any]:
        """What the stack wrote down of a component."""
        return inventory(self.clients("ssm")["ssm"], self.site, component)

    def journal(self, operation: str, folder: Path | None) -> Journal:
        """The journal of one run of ``operation``."""
        return Journal(
            folder or default_folder(),
            operation,
            environment=self.site.environment,
            account=self.site.account_id,
            who=self.who,
        )


def site(environment: str, folder: Path | None) -> Site:
    """The stack ``environment`` by its settings. Raises UserError for an unknown stack and for wrong settings."""
    from settings.load import check, project_name

    folder = stacks.project_folder(folder)
    (environment,) = stacks.chosen([environment], folder)
    with sentences():
        return Site(project=project_name(folder), settings=check(environment, folder))


def sit_down(environment: str, folder: Path | None, profile: str | None) -> Desk:
    """Reads the settings and asks AWS who is calling. Raises UserError for another account than the stack's."""
    where = site(environment, folder)
    reached = aws.clients(where.region, profile, "sts")
    who = caller(reached["sts"], environment=where.environment, account_id=where.account_id)
    return Desk(site=where, profile=profile, who=who)


def show_permissions(statements: Sequence[Mapping[str, Any]]) -> int:
    """Prints an IAM policy."""
    streams.write(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2) + "\n")
    return CLEAN


def carry_out(
    title: str,
    stages: Sequence[Stage],
    clients: Mapping[str, Any],
    journal: Journal,
    *,
    apply: bool,
    as_json: bool,
    following: Sequence[str] = (),
) -> Facts:
    """Shows how far the procedure is; with ``apply`` goes through with it. Returns what the stages found out."""
    output = console.output()
    page = console.page_of(output)
    with console.progress(title):
        planned = procedures.survey(stages)
    if not as_json:
        console.show(output, render.survey(title, planned, page))
    facts = Facts()
    if apply:

        def told(stage: Stage, look: procedures.Look) -> None:
            if not as_json:
                console.show(output, [render.told(stage, look)])

        facts = procedures.run(stages, clients, journal, told=told)
    if as_json:
        streams.write(render.survey_document(planned, facts, applied=apply))
    else:
        console.show(output, render.ending(planned, facts, applied=apply, journal=journal.path, commands=following))
    return facts
