import os
from pathlib import Path

import pytest
from hypothesis import settings

# The tests' models are too small to share among threads, which would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A failure can be repeated, and a busy machine makes none.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of material beside the checkout, which a clean clone does not have."""
    if not SHARED.is_dir():
        pytest.skip("no shared material beside this checkout")
    return SHARED
