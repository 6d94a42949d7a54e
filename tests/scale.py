"""How much the tests do that have no natural end: seconds of it, or all of it with ENDURANCE=1."""

import os

FULL = os.environ.get("ENDURANCE") == "1"
