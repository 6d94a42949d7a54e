from typing import Any

import pytest

from server.app import OWN_ROUTES
from server.http.forms import form_limits
from server.http.routes.openapi import DOCUMENT
from tests.server.serving import app

pytestmark = pytest.mark.anyio

document: Any = DOCUMENT
caption = document["paths"]["/caption"]["post"]


def test_every_route_is_described() -> None:
    """The document has the server's routes with their methods, and no others."""
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    served = {
        (route.path, method.lower())
        for route in OWN_ROUTES
        for method in (route.methods or {"GET"})
    }

    assert described == served - {(path, "head") for path, _ in served}


def test_every_field_is_described() -> None:
    """The document has the form's fields with their kinds and ranges, and no others."""
    form = caption["requestBody"]["content"]["multipart/form-data"]["schema"]

    assert set(form["properties"]) == set(form_limits(1).fields)
    beams, penalty = form["properties"]["num_beams"], form["properties"]["length_penalty"]
    assert (beams["type"], beams["minimum"], beams["maximum"]) == ("integer", 1, 16)
    assert (penalty["type"], penalty["minimum"], penalty["maximum"]) == ("number", -2, 2)


async def test_answers_are_as_described() -> None:
    """A caption has the properties and headers that the document describes."""
    async with app() as served:
        answer = await served.caption()
        served_document = (await served.client.get("/openapi.json")).json()

    schema = caption["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(answer.json()) == set(schema["properties"]) == set(schema["required"])
    confidence = schema["properties"]["confidence"]
    assert confidence["exclusiveMinimum"] < answer.json()["confidence"] <= confidence["maximum"]
    for header in caption["responses"]["200"]["headers"]:
        assert header in answer.headers
    assert served_document == document
