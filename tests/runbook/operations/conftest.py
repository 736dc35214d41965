"""Operations are tested against a stand-in for AWS: no test has credentials, a profile or a network."""

import pytest
from botocore.loaders import create_loader
from moto import mock_aws


@pytest.fixture(scope="session")
def api_descriptions():
    """Read once: they are large, and every new session would read them again."""
    return create_loader()


@pytest.fixture(autouse=True)
def _no_account(monkeypatch, tmp_path, api_descriptions):
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: api_descriptions)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with mock_aws():
        yield
