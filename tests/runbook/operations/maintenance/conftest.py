"""The document's script makes its clients itself; here they need a region."""

import pytest

from .world import MODES, REGION, World


@pytest.fixture(autouse=True)
def _region(_no_account, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@pytest.fixture
def world():
    return World()


@pytest.fixture(params=MODES)
def every(request):
    """A world of each mode."""
    return World(request.param)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"
