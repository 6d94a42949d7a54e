from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.client import close_connections, use_hub
from tests.hub.fake_hub import Hub, serve


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty hub, which this process asks."""
    hub = Hub()
    (tmp_path / "storage").mkdir()
    with serve(hub, tmp_path / "storage") as address:
        use_hub(monkeypatch, address)
        yield hub
        close_connections()
