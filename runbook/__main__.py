"""``python -m runbook``: the same as the command ``runbook``."""

import sys

from .cli import main

sys.exit(main())
