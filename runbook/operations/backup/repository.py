"""The project's repository as one file: every branch and tag with all of its history (``003_… Backups``)."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ...errors import UserError
from ...words import count
from ..aws import error_code, spoken
from ..procedure import Done, Facts, Look, Stage, Todo
from .estate import REPOSITORY, Estate

#: What one upload may hold.
_LARGEST_BYTES = 5 * 1024**3

_SECONDS = 600


def stage(estate: Estate, clients: Mapping[str, Any], run: str, folder: Path) -> Stage:
    """``clients``: ``s3``; ``folder``: of the project. Raises UserError where that is in no complete repository."""
    commit = head(folder)
    repository = _Repository(estate, clients["s3"], folder, commit, f"{REPOSITORY}{run}-{commit[:12]}.bundle")
    loose = len(git(folder, "status", "--porcelain", "--ignore-submodules").splitlines())
    aside = f" {count(loose, 'file')} not committed, which it leaves out." if loose else ""
    return Stage(
        name="repository",
        changes=f"Bundles the repository of {folder} at commit {commit[:12]} and uploads it.{aside}",
        look=repository.look,
        call="s3.put_object",
        action=("s3:GetObject", "s3:PutObject"),
        arguments=repository.arguments,
        act=repository.act,
        # The database's trouble is none of the repository's.
        always=True,
    )


def head(folder: Path) -> str:
    """The commit that is checked out. Raises UserError for what is no repository, has no commit or no full history."""
    if git(folder, "rev-parse", "--is-shallow-repository") == "true":
        raise UserError(
            f"The repository of {folder} is a shallow clone: a bundle of it could not be restored.",
            "`git fetch --unshallow` brings the rest.",
        )
    return git(folder, "rev-parse", "--verify", "HEAD^{commit}")


def git(folder: Path, *arguments: str) -> str:
    """What git says. Raises UserError where there is no git, or where it fails."""
    # A hook's variables would point git at another repository; nothing is written into this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        ran = subprocess.run(  # noqa: S603 - no shell, and no argument comes from outside
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the person uses
            capture_output=True,
            check=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise UserError("There is no git on this machine.", "Install it, or leave repository out of --what.") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"git {arguments[0]} in {folder} takes longer than {_SECONDS // 60} minutes.") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip().splitlines()
        raise UserError(
            f"git {arguments[0]} in {folder} fails: {said[-1] if said else f'exit code {error.returncode}'}",
            "The repository is backed up from a complete clone with at least one commit.",
        ) from None
    return ran.stdout.strip()


def verify(bundle: Path, within: Path) -> str:
    """Holds the bundle against an empty repository, made in ``within``; returns what git says of it.

    Raises UserError for a bundle that is damaged, or that needs commits it does not hold.
    """
    empty = within / "empty.git"
    git(within, "init", "--quiet", "--bare", str(empty))
    return git(empty, "bundle", "verify", "--quiet", str(bundle))


def checksum(path: Path) -> str:
    """SHA-256 in base64, as S3 takes and gives it."""
    with path.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()


class _Repository:
    def __init__(self, estate: Estate, s3: Any, folder: Path, commit: str, key: str) -> None:
        self._estate = estate
        self._s3 = s3
        self._folder = folder
        self._commit = commit
        self._key = key

    def look(self, _facts: Facts) -> Look:
        with spoken("s3:GetObject"):
            try:
                self._s3.head_object(**self._estate.owned(self._key))
            except ClientError as error:
                if error_code(error) not in ("404", "NoSuchKey"):
                    raise
                return Todo()
        return Done({"repository": self._key})

    def arguments(self, _facts: Facts) -> Mapping[str, Any]:
        return {
            **self._estate.owned(self._key),
            "ChecksumAlgorithm": "SHA256",
            "IfNoneMatch": "*",
            "Metadata": {"commit": self._commit},
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": self._estate.key_arn,
        }

    def act(self, facts: Facts) -> None:
        with self._bundle() as path, path.open("rb") as body:
            try:
                self._s3.put_object(**self.arguments(facts), Body=body, ChecksumSHA256=checksum(path))
            except ClientError as error:
                # Somebody else was faster; the next look finds theirs.
                if error_code(error) != "PreconditionFailed":
                    raise

    @contextmanager
    def _bundle(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="runbook-") as made:
            path = Path(made) / "repository.bundle"
            git(self._folder, "bundle", "create", "--quiet", str(path), "--all")
            verify(path, Path(made))
            if (size := path.stat().st_size) > _LARGEST_BYTES:
                raise UserError(
                    f"The bundle of {self._folder} has {size / 1024**3:.1f} GiB; S3 takes 5 GiB in one upload.",
                    "Large files belong into a bucket rather than into the history.",
                )
            yield path
