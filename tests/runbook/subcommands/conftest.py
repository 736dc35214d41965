"""Sub-commands are tested like operations: against a stand-in for AWS, without credentials, a profile or a network."""

from tests.runbook.operations.conftest import _no_account, api_descriptions
from tests.runbook.subcommands.sitting import sitting

__all__ = ["_no_account", "api_descriptions", "sitting"]
