"""``runbook restore``: the database into isolation, or a host's files in place."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Apply, Environment, Folder, JournalFolder, Json, Permissions, Profile

if TYPE_CHECKING:
    from ..operations.restore.evidence import Kind

app = typer.Typer(help="Restore: the database into isolation, on trial, or a host's files.", no_args_is_help=True)

CLEAN, MISSED = 0, 1


class Where(StrEnum):
    """The region that a copy is restored in."""

    PRIMARY = "primary"
    RECOVERY = "recovery"


Again = Annotated[bool, typer.Option("--again", help="Begin another run where the first of its name is done.")]
RunName = Annotated[
    str | None, typer.Option("--run", help="The run to go on with.", show_default="that of today, or of the month")
]
Point = Annotated[
    str,
    typer.Option("--from", help="newest, the ARN of a recovery point, or a time such as 2026-11-05T10:00:00Z."),
]
Class = Annotated[str, typer.Option("--class", help="The RDS class of the copy.")]


@app.command()
def database(
    environment: Environment,
    point: Point = "newest",
    region: Annotated[Where, typer.Option(help="Where to restore.")] = Where.PRIMARY,
    instance_class: Class = "db.t4g.micro",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the copy there for a week.")] = False,
    run: RunName = None,
    again: Again = False,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Restore the database as an isolated copy, check and measure it, and delete it again.

    A dry run unless --apply is given. It never touches the database itself, and says what would replace it. Ends with
    1 where a check fails or a target is missed.
    """
    code = trial(
        "restore",
        environment,
        folder,
        point=point,
        recovery=region is Where.RECOVERY,
        instance_class=instance_class,
        keep=keep,
        run=run,
        again=again,
        apply=apply,
        permissions=permissions,
        profile=profile,
        journal=journal,
        as_json=json,
    )
    raise typer.Exit(code)


@app.command()
def files(
    environment: Environment,
    host: Annotated[str, typer.Option(help="Whose backup: an instance, or newest for that of any host.")] = "newest",
    at: Annotated[
        str | None, typer.Option(help="A time, or the key of a backup.", show_default="the newest backup")
    ] = None,
    onto: Annotated[
        str | None, typer.Option(help="The instance that gets the files.", show_default="the one they are of")
    ] = None,
    override: Annotated[
        str, typer.Option(help="Why the change calendar is not heeded; goes on record.", show_default=False)
    ] = "",
    again: Again = False,
    apply: Apply = False,
    permissions: Permissions = False,
    profile: Profile = None,
    journal: JournalFolder = None,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Put a host's configuration back from its backup; the host verifies permissions and paths.

    A dry run unless --apply is given. Asks the change calendar first. Nothing is restarted: it says what to restart.
    """
    from .. import desk
    from ..operations.maintenance.until import checked_reason
    from ..operations.restore import files as operation
    from ..operations.restore import permissions as policies

    if permissions:
        raise typer.Exit(desk.show_permissions(policies.of_files(desk.site(environment, folder))))
    sitting = desk.sit_down(environment, folder, profile)
    archive = sitting.inventory("archive")
    clients = sitting.clients("ec2", "s3", "ssm")
    shelf = operation.Shelf(
        s3=clients["s3"], bucket=archive["backupBucket"], prefix=archive["prefix"], owner=sitting.site.account_id
    )
    document = archive["restoreDocument"]
    backup = operation.choose(operation.backups(shelf, host), host, at)
    target = onto or backup.host
    job = operation.Job(
        site=sitting.site,
        run=operation.next_run(clients["ssm"], document, target, _now(), again=again),
        shelf=shelf,
        document=document,
        backup=backup,
        target=target,
        calendar=sitting.inventory("changes")["calendar"],
        override=checked_reason(override),
    )
    desk.carry_out(
        f"{job.run.name}: {backup.name} back onto {target}",
        operation.stages(job, clients),
        clients,
        sitting.journal("restore", journal),
        apply=apply,
        as_json=json,
        following=operation.next_steps(job),
    )
    raise typer.Exit(CLEAN)


def trial(
    kind: Kind,
    environment: str,
    folder: Path | None,
    *,
    point: str,
    recovery: bool,
    instance_class: str,
    keep: bool,
    run: str | None,
    again: bool,
    apply: bool,
    permissions: bool,
    profile: str | None,
    journal: Path | None,
    as_json: bool,
) -> int:
    """A trial restore, or with ``drill`` the month's drill around one."""
    from .. import console, desk, streams
    from ..errors import UserError
    from ..operations.restore import database as operation
    from ..operations.restore import drill, report, validator
    from ..operations.restore import job as jobs
    from ..operations.restore import permissions as policies
    from ..operations.restore.evidence import Run, Store, text
    from ..operations.restore.files import Shelf

    if permissions:
        policy = policies.of_drill if kind == "drill" else policies.of_database
        return desk.show_permissions(policy(desk.site(environment, folder)))
    given = Run(run) if run is not None else None
    if given is not None and given.kind != kind:
        raise UserError(f"{given.name} is no {kind}.", f"Name a run that begins with {kind}-.")
    sitting = desk.sit_down(environment, folder, profile)
    site = sitting.site
    backup, archive = sitting.inventory("backup"), sitting.inventory("archive")
    region = site.settings.recovery_region if recovery else site.region
    clients = {
        **sitting.clients("backup", "rds", "secretsmanager", region=region),
        **sitting.clients("s3"),
        "lambda": validator.client(site.region, profile),
    }
    store = Store(s3=clients["s3"], bucket=archive["evidenceBucket"], key_arn=archive["keyArn"], owner=site.account_id)
    with console.progress(f"Reading the recovery points of {environment}"):
        job = jobs.prepare(
            site,
            clients,
            store,
            given or store.next_run(kind, _now(), again=again),
            backup=backup,
            production=sitting.inventory("database")["identifier"],
            who=sitting.who,
            wanted=point,
            recovery=recovery,
            instance_class=instance_class,
            keep=keep,
        )
        left = jobs.orphans(clients["rds"], site, job.run)
    shelf = Shelf(s3=clients["s3"], bucket=archive["backupBucket"], prefix=archive["prefix"], owner=site.account_id)
    restoration = operation.Restoration(job=job, clients=clients, store=store)
    stages = drill.stages(restoration, shelf) if kind == "drill" else restoration.stages()
    failure: UserError | None = None
    try:
        desk.carry_out(
            f"{job.run.name}: {job.production} restored as {job.identifier} in {job.region}",
            stages,
            clients,
            operation.Witness(sitting.journal(kind, journal), restoration.troubles),
            apply=apply,
            as_json=as_json,
        )
    except UserError as error:
        failure = error
    record = store.read(job.run.record)
    if failure is not None:
        if record is None:
            raise failure
        streams.complain(failure.lines)
        if as_json:
            streams.write(text(record))
    if not as_json:
        output = console.output()
        if record is not None:
            console.show(output, report.record(job.run, record, store.bucket, console.page_of(output)))
        console.show(output, report.orphans(environment, left, recovery=recovery))
        if kind == "restore":
            console.show(output, report.recovery(jobs.recovery_steps(job, record)))
    return MISSED if record is not None and record["verdict"] != "passed" else CLEAN


def _now() -> datetime:
    return datetime.now(UTC)
