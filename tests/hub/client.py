"""Point huggingface_hub of this process, or of a new one, at a fake hub."""

import os
from pathlib import Path

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils._http import get_session, reset_sessions

from tests.server.serving import clean_environment

#: A port that nothing listens on, for a hub that can't be reached.
UNREACHABLE = "http://127.0.0.1:9"


def use_hub(
    monkeypatch: pytest.MonkeyPatch, address: str = UNREACHABLE, *, offline: bool = False
) -> None:
    """Let this process ask the hub at `address` until the test ends."""
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    reset_sessions()


def close_connections() -> None:
    """Close what this process has open to a hub, so that no socket is left to the collector."""
    get_session().close()
    reset_sessions()


def hub_environment(home: Path, address: str = UNREACHABLE, token: str = "") -> dict[str, str]:
    """Return the environment of a process whose hub is `address` and whose cache is in `home`."""
    kept = {name: text for name, text in clean_environment().items() if not name.startswith("HF_")}
    return {
        **kept,
        "HF_ENDPOINT": address,
        "HF_HOME": str(home),
        "HF_TOKEN": token,
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }
