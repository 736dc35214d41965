"""Questions to PostgreSQL over a connection whose certificate is verified."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

#: Where runtimes of Lambda may hold the certificates of RDS. It is looked for, not relied on.
RUNTIME_BUNDLE = Path("/var/runtime/ca-cert.pem")

#: Seconds that a read from the database may take.
TIMEOUT = 120


class UnreachableError(RuntimeError):
    """The database does not answer, or cannot prove who it is; another try may help, and says nothing of the backup."""


class RefusedError(RuntimeError):
    """The database answered, and what it holds is not what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Whom to ask, as whom. ``trust``: certificates in PEM beside those of the runtime; empty for none."""

    address: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    trust: str = field(default="", repr=False)


#: Asks each of the statements, which answer one value each.
Ask = Callable[[Access, Sequence[str]], tuple[Any, ...]]


def ask(access: Access, statements: Sequence[str]) -> tuple[Any, ...]:
    """The value that each statement answers.

    Raises UnreachableError and RefusedError.
    """
    native = _driver("native")
    exceptions = _driver("exceptions")
    try:
        connection = native.Connection(
            access.user,
            host=access.address,
            port=access.port,
            database=access.database,
            password=access.password,
            ssl_context=context(access.trust),
            timeout=TIMEOUT,
            application_name="restore-test",
        )
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(
            f"The certificate of {access.address} cannot be verified ({error.verify_message}). Put the bundle of its "
            "region, from https://truststore.pki.rds.amazonaws.com, where TRUST_KEY says."
        ) from None
    except exceptions.DatabaseError as error:
        # Until the new password holds, the server refuses it.
        raise UnreachableError(f"The server refuses the connection ({_code(error)}).") from None
    except (exceptions.InterfaceError, OSError) as error:
        raise UnreachableError(f"{access.address} does not answer ({type(error).__name__}).") from None
    try:
        connection.run("SET default_transaction_read_only = on")
        return tuple(connection.run(statement)[0][0] for statement in statements)
    except exceptions.DatabaseError as error:
        raise RefusedError(f"The database cannot be read (SQLSTATE {_code(error)}).") from None
    except (exceptions.InterfaceError, OSError) as error:
        raise UnreachableError(f"{access.address} has gone silent ({type(error).__name__}).") from None
    finally:
        _close(connection)


def context(trust: str) -> ssl.SSLContext:
    """A context that verifies the chain and the name. Raises UnreachableError for ``trust`` that is no PEM."""
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if RUNTIME_BUNDLE.is_file():
        made.load_verify_locations(cafile=RUNTIME_BUNDLE)
    if trust:
        try:
            made.load_verify_locations(cadata=trust)
        except ssl.SSLError:
            raise UnreachableError("What lies where TRUST_KEY says is no bundle of certificates in PEM.") from None
    return made


def _code(error: BaseException) -> str:
    """SQLSTATE: five characters that hold nothing of the data."""
    told = error.args[0] if error.args else None
    return str(told.get("C", "unknown")) if isinstance(told, dict) else "unknown"


def _close(connection: Any) -> None:
    try:
        connection.close()
    except (_driver("exceptions").InterfaceError, OSError):
        return


def _driver(module: str) -> Any:
    """A module of pg8000, which has no types. It is loaded at its first use: measuring ages does without."""
    return import_module(f"pg8000.{module}")
