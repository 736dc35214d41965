"""``runbook evidence``: bundles of what happened in a period, and whether they still say so."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Apply, Environment, Folder, JournalFolder, Json, Permissions, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..desk import Desk
    from ..evidence.manifest import Manifest, Period
    from ..evidence.scope import Scope
    from ..evidence.shelf import Shelf

app = typer.Typer(help="Evidence for audits: collected into chained bundles, and verified.", no_args_is_help=True)

CLEAN, LACKING = 0, 1

_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


@app.command()
def collect(
    environment: Environment,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day, UTC, as in 2026-11-02.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day; it has to be over.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder that gets the bundle's folder.")] = Path(
        "reports/evidence"
    ),
    reports: Annotated[
        Path | None,
        typer.Option(help="The folder of `runbook audit --report json`.", show_default="reports in the project"),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Collect another bundle of a period that is stored.")] = False,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Collect the evidence of a period into a folder, and with --apply store it, locked, in the evidence bucket.

    Audits, restores, restore tests, drills, patches, alarms and the digests of the trail. A run that was interrupted
    goes on; what was missing is looked for again. Ends with 1 where something is missing, and says what and why.
    """
    from .. import desk, stacks
    from ..evidence import permissions as policies
    from ..evidence.scope import Scope

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_collect(desk.site(environment, folder))))
    now = _now()
    period = _period(first, last, now)
    sitting = desk.sit_down(environment, folder, profile)
    scope = Scope(
        site=sitting.site,
        period=period,
        now=now,
        clients=sitting.clients("cloudwatch", "s3", "ssm"),
        inventory=sitting.inventory,
        reports=reports or stacks.project_folder(folder) / "reports",
    )
    shelf = _shelf(sitting, scope)
    raise typer.Exit(_collect(sitting, scope, shelf, output, journal, again=again, apply=apply, as_json=json))


def _collect(
    sitting: Desk,
    scope: Scope,
    shelf: Shelf,
    output: Path,
    journal: Path | None,
    *,
    again: bool,
    apply: bool,
    as_json: bool,
) -> int:
    from .. import console, desk, streams
    from ..evidence import collect as operation
    from ..evidence import report
    from ..evidence.collectors import COLLECTORS
    from ..evidence.folder import Folder as BundleFolder
    from ..evidence.manifest import bundle_id
    from ..operations import procedure

    stored = shelf.stored()
    taken = {one.id: one for one in stored}
    names = (bundle_id(scope.site.environment, scope.period, number) for number in range(1, len(stored) + 2))
    name = next((name for name in names if name not in taken), "") if again else next(names)
    page = console.output()
    if name in taken:
        manifest, where = shelf.manifest(taken[name]), shelf.uri(taken[name].key)
        if as_json:
            streams.write(report.collected_document(manifest, None, where))
        else:
            console.show(page, report.collected(manifest, None, console.page_of(page)))
            streams.write(f"It is stored as {where}; --again collects another.\n")
        return _code(manifest)
    bundle = BundleFolder(output, name)
    with console.progress(f"Collecting {name}"):
        manifest = operation.collect(
            scope,
            bundle,
            COLLECTORS,
            who=sitting.who,
            previous=stored[-1].link if stored else None,
            now=_now,
        )
    stages = [shelf.stage(bundle, manifest, scope.now)]
    book = sitting.journal("evidence", journal)
    if as_json:
        facts = procedure.run(stages, scope.clients, book) if apply else {}
        streams.write(report.collected_document(manifest, bundle.path, facts.get("stored")))
        return _code(manifest)
    console.show(page, report.collected(manifest, bundle.path, console.page_of(page)))
    verifying = f"runbook evidence verify {bundle.path}"
    desk.carry_out(f"Store {name}", stages, scope.clients, book, apply=apply, as_json=False, following=(verifying,))
    return _code(manifest)


@app.command()
def verify(
    where: Annotated[str, typer.Argument(metavar="PLACE", help="A folder, an archive or s3://BUCKET[/KEY].")],
    expect: Annotated[
        str | None, typer.Option(metavar="SHA256", help="The hash of a manifest that was written down elsewhere.")
    ] = None,
    region: Annotated[str, typer.Option(help="The region of the bucket.")] = "us-east-1",
    permissions: Permissions = False,
    profile: Profile = None,
    json: Json = False,
) -> None:
    """Verify bundles: every file, their order, the manifest, and the chain from bundle to bundle.

    A folder needs neither an account nor the project. Ends with 1 where anything was changed, and says what.
    """
    from .. import console, streams
    from ..errors import UserError
    from ..evidence import places, report

    place = _PLACE.fullmatch(where)
    if place is None and where.startswith("s3:"):
        raise UserError(f"{where} names no bucket.", "Write s3://BUCKET, or s3://BUCKET/KEY of one bundle.")
    if expect is not None and not re.fullmatch(r"[0-9a-f]{64}", expect):
        raise UserError(f"{expect!r} is no SHA-256 hash.", "A hash has 64 digits of 0 to 9 and a to f.")
    if permissions:
        raise typer.Exit(_show_verification(place, region))
    with console.progress(f"Verifying {where}"):
        found = _stored(place, region, profile) if place else places.local(Path(where))
        verdict = places.verify(found, expect)
    if json:
        streams.write(report.verified_document(verdict))
    else:
        output = console.output()
        console.show(output, report.verified(verdict, console.page_of(output)))
    raise typer.Exit(CLEAN if verdict.is_well else LACKING)


def _show_verification(place: re.Match[str] | None, region: str) -> int:
    from botocore.session import Session

    from .. import desk
    from ..evidence import permissions as policies

    if place is None:
        return desk.show_permissions([])
    partition = Session().get_partition_for_region(region)
    return desk.show_permissions(policies.of_verify(partition, region, place[1], place[2] or ""))


def _stored(
    place: re.Match[str], region: str, profile: str | None
) -> Iterator[tuple[str, dict[str, bytes], list[str]]]:
    from ..evidence import places
    from ..operations import aws

    return places.stored(aws.clients(region, profile, "s3")["s3"], place[1], place[2] or "")


def _shelf(sitting: Desk, scope: Scope) -> Shelf:
    from ..evidence.shelf import Shelf

    bucket, key_arn = scope.entry("archive", "evidenceBucket", "keyArn")
    records = sitting.site.settings.records
    return Shelf(
        s3=scope.clients["s3"],
        bucket=bucket,
        key_arn=key_arn,
        owner=sitting.site.account_id,
        mode=records.locks.evidence.mode,
        days=records.locks.evidence.days,
        kept=records.audits.days,
    )


def _period(first: str, last: str, now: datetime) -> Period:
    from ..errors import UserError
    from ..evidence.manifest import Period

    period = Period(_day(first), _day(last))
    if period.last < period.first:
        raise UserError(f"--from {first} is after --to {last}.", "Swap them.")
    if period.end > now:
        raise UserError(
            f"--to {last} is not over yet: it is {now:%Y-%m-%d %H:%M} UTC.",
            "A bundle is of days that are over. Write an earlier day.",
        )
    return period


def _day(text: str) -> date:
    from ..errors import UserError

    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise UserError(f"{text!r} is no day.", "Write a day of the calendar as in 2026-11-02.")


def _code(manifest: Manifest) -> int:
    return LACKING if manifest.missing else CLEAN


def _now() -> datetime:
    return datetime.now(UTC)
