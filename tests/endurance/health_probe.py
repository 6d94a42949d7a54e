"""`python -m tests.endurance.health_probe URL`: how long /health/live takes, until stdin ends.

A process of its own: in the one that loads the server, it would measure that one's stalls.
"""

import json
import select
import sys
from time import perf_counter

import httpx

SECONDS_BETWEEN = 0.02


def main(url: str) -> None:
    latencies = []
    with httpx.Client() as client:
        while not select.select([sys.stdin], [], [], SECONDS_BETWEEN)[0]:
            began = perf_counter()
            assert client.get(f"{url}/health/live").status_code == 200
            latencies.append(perf_counter() - began)
    print(json.dumps(latencies))


if __name__ == "__main__":
    main(sys.argv[1])
