"""Fixtures of the functions' tests."""

import pytest

from tests.functions import stage as stages


@pytest.fixture(autouse=True)
def _no_account(monkeypatch):
    """Keys that belong to nobody, so that a call which escapes the stand-ins cannot reach an account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", stages.REGION)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def stage():
    with stages.stage() as made:
        yield made
