"""Evidence is collected from a stand-in for AWS: no test has credentials, a profile or a network."""

import pytest

from tests.runbook.evidence.world import World
from tests.runbook.operations.conftest import _no_account, api_descriptions

__all__ = ["_no_account", "api_descriptions"]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
