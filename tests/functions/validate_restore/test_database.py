"""Questions to a database: nothing is sent to whom cannot prove who it is, and faults are told apart."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pg8000 import exceptions

from functions.validate_restore import database
from functions.validate_restore.database import Access, RefusedError, UnreachableError


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and the certificate of localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("server") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class Server:
    """A server that answers whether it speaks TLS, and notes what it is told after that."""

    def __init__(self, certificate, answer=b"S"):
        self.told = b""
        self._certificate, self._answer = certificate, answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        plain, _ = self._socket.accept()
        with plain:
            plain.recv(8)
            plain.sendall(self._answer)
            if self._answer != b"S":
                self.told = plain.recv(1024)
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    self.told = secure.recv(1024)
            except (OSError, ssl.SSLError):
                return

    def close(self):
        self._thread.join(5)
        self._socket.close()


def access(port, *, address="localhost", trust=""):
    return Access(address=address, port=port, database="d", user="u", password="open-sesame", trust=trust)


@pytest.mark.parametrize(
    ("answer", "address", "trusted", "said"),
    [
        (b"S", "localhost", False, "The certificate of localhost cannot be verified"),
        (b"S", "127.0.0.1", True, "The certificate of 127.0.0.1 cannot be verified"),
        (b"N", "localhost", True, "localhost does not answer"),
    ],
)
def test_who_cannot_prove_who_it_is_or_speaks_in_the_open_is_told_nothing(certificate, answer, address, trusted, said):
    server = Server(certificate, answer)
    trust = certificate.read_text() if trusted else ""
    with pytest.raises(UnreachableError, match=said):
        database.ask(access(server.port, address=address, trust=trust), ["SELECT 1"])
    server.close()
    assert server.told == b""


def test_who_proves_it_is_spoken_to(certificate):
    server = Server(certificate)
    with pytest.raises(UnreachableError, match="does not answer"):
        database.ask(access(server.port, trust=certificate.read_text()), ["SELECT 1"])
    server.close()
    assert b"user\x00u\x00" in server.told


def test_nobody_at_the_address_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError, match="does not answer"):
        database.ask(access(port), ["SELECT 1"])


def test_the_chain_and_the_name_are_verified_and_old_protocols_refused():
    context = database.context("")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_certificates_that_are_none_are_told():
    with pytest.raises(UnreachableError, match="no bundle of certificates"):
        database.context("not a certificate")


def test_certificates_of_the_runtime_are_trusted_where_there_are_any(certificate, tmp_path, monkeypatch):
    bundle = tmp_path / "ca-cert.pem"
    bundle.write_text(certificate.read_text())
    without = len(database.context("").get_ca_certs())
    monkeypatch.setattr(database, "RUNTIME_BUNDLE", bundle)
    assert len(database.context("").get_ca_certs()) == without + 1


class Connection:
    """A connection whose answers are given, exceptions among them."""

    def __init__(self, *answers):
        self.answers = [[[None]], *answers]
        self.said = []
        self.is_closed = False

    def run(self, statement):
        self.said.append(statement)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.is_closed = True
        raise exceptions.InterfaceError("network error")


def connected(monkeypatch, made):
    def connect(*_, **options):
        assert options["ssl_context"].verify_mode == ssl.CERT_REQUIRED
        if isinstance(made, Exception):
            raise made
        return made

    drivers = {"native": SimpleNamespace(Connection=connect), "exceptions": exceptions}
    monkeypatch.setattr(database, "_driver", drivers.__getitem__)


def test_each_statement_answers_one_value_in_a_session_that_cannot_write(monkeypatch):
    connection = Connection([[42]], [[1.5]])
    connected(monkeypatch, connection)
    assert database.ask(access(1), ["SELECT 42", "SELECT 1.5"]) == (42, 1.5)
    assert connection.said == ["SET default_transaction_read_only = on", "SELECT 42", "SELECT 1.5"]
    assert connection.is_closed


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (
            exceptions.DatabaseError({"C": "42P01", "M": 'relation "secret" does not exist'}),
            RefusedError,
            "The database cannot be read (SQLSTATE 42P01).",
        ),
        (exceptions.DatabaseError("?"), RefusedError, "The database cannot be read (SQLSTATE unknown)."),
        (exceptions.InterfaceError("network error"), UnreachableError, "localhost has gone silent (InterfaceError)."),
        (TimeoutError(), UnreachableError, "localhost has gone silent (TimeoutError)."),
    ],
)
def test_a_fault_says_its_code_and_nothing_of_the_data(monkeypatch, fault, error, said):
    connection = Connection(fault)
    connected(monkeypatch, connection)
    with pytest.raises(error) as caught:
        database.ask(access(1), ["SELECT 1"])
    assert str(caught.value) == said
    assert connection.is_closed


def test_a_password_that_does_not_hold_yet_is_tried_again(monkeypatch):
    connected(monkeypatch, exceptions.DatabaseError({"C": "28P01", "M": "password authentication failed"}))
    with pytest.raises(UnreachableError, match=r"refuses the connection \(28P01\)"):
        database.ask(access(1), ["SELECT 1"])
