"""Faults of a Redis under load: no request fails, and requests lose little time."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from time import time

import pytest

from tests.endurance.figures import Figure, Report, p99
from tests.endurance.load import Answer, Caller, open_loop
from tests.endurance.redis_faults import FAULTS, Fault, Proxy, Redis
from tests.endurance.scale import scale
from tests.endurance.servers import running
from tests.server.serving import ServerProcess
from tests.server.valkey import Valkey, embedded_pid

pytestmark = pytest.mark.anyio

#: Requests before each fault, and requests while it lasts.
REQUESTS = scale(full=1500, quick=25)
RATE = scale(full=150, quick=200)
KNOWN = 50

    assert {answer.status for answer in answers} == {200}
    assert "Traceback" not in "".join(server.log)
