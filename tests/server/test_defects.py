"""A defect in the server's own code is a 500 with a traceback in the log, whatever it raises."""

import httpx
import pytest

from tests.server.captioning.pictures import encoded, noise
from tests.server.serving import server_process

pytestmark = pytest.mark.process


def test_a_defect_in_image_code_is_not_blamed_on_the_picture() -> None:
    """A TypeError of ours answers 500 and is logged; broken and good pictures answer as before."""
    good, with_alpha = encoded(noise(0)), encoded(noise(0).convert("RGBA"))
    flags = ("--no-cache", "--threads", "1")
    with server_process(*flags, module="tests.server.serve_defective") as server:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            answers = [
                client.post("/caption", files={"image": image})
                for image in (good, with_alpha, good[:200], good)
            ]
        assert [answer.status_code for answer in answers] == [200, 500, 422, 200]
        assert "defect" not in answers[1].text
        server.process.terminate()
        assert server.process.wait(30) == 0
    log = "".join(server.log)
    assert log.count("Traceback") == 1
    assert "TypeError: a defect of ours in mode RGBA" in log
