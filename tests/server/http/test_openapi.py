from typing import Any

import pytest

from server.app import ROUTES
from server.errors import STATUSES
from server.http.forms import form_limits
from server.http.routes.openapi import DOCUMENT
from tests.server.serving import app

pytestmark = pytest.mark.anyio

document: Any = DOCUMENT
caption = document["paths"]["/caption"]["post"]


def test_every_route_is_described() -> None:
    """The document has the server's routes with their methods, and no other."""
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    served = {
        (route.path, method.lower()) for route in ROUTES for method in (route.methods or {"GET"})
    }

    assert described == served - {(path, "head") for path, _ in served}


def test_every_field_is_described() -> None:
    """The document has the fields that the form takes, and no other."""
    form = caption["requestBody"]["content"]["multipart/form-data"]["schema"]

    assert set(form["properties"]) == set(form_limits(1).fields)
    assert form["properties"]["num_beams"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 16,
        "default": 1,
    }
    assert form["properties"]["length_penalty"]["type"] == "number"


@pytest.mark.parametrize("status", STATUSES.values(), ids=lambda status: status.error_type)
def test_every_refusal_is_described(status: Any) -> None:
    """The document has every error_type under its status."""
    assert status.error_type in caption["responses"][str(status.code)]["description"]


async def test_answers_are_as_described() -> None:
    """Caption and error have the properties that the document says."""
    async with app() as served:
        answer = await served.caption()
        refusal = await served.caption(b"cut")
        served_document = (await served.client.get("/openapi.json")).json()

    schema = caption["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(answer.json()) == set(schema["properties"]) == set(schema["required"])
    assert set(refusal.json()) == set(document["components"]["schemas"]["Error"]["properties"])
    for header in caption["responses"]["200"]["headers"]:
        assert header in answer.headers
    assert served_document == document
