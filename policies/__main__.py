"""The policy pack as the Pulumi CLI starts it: ``pulumi up --policy-pack policies``.

Nothing imports this module: building the pack starts a server and never returns. The first line on standard output is
the server's port, so nothing may be printed before.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pulumi_policy import PolicyPack
from rulebook import RULES  # type: ignore[import-not-found]  # the CLI puts this folder first on the import path
from rulebook.context import ContextError, of_process  # type: ignore[import-not-found]  # the same
from rulebook.serve import policies  # type: ignore[import-not-found]  # the same

try:
    context = of_process(Path(__file__).resolve().parent, os.environ)
except ContextError as error:
    sys.exit(f"The policies need the stack's settings. {error}")

PolicyPack("learning-platform", policies=policies(RULES, context))
