from dataclasses import replace
from typing import Any

import pytest

from server.app import OWN_ROUTES
from server.http.forms import form_limits
from server.http.openapi.document import document
from tests.server.fakes import MANIFEST
from tests.server.serving import app

pytestmark = pytest.mark.anyio

described: Any = document(MANIFEST)
caption = described["paths"]["/caption"]["post"]


def test_every_route_is_described() -> None:
    """The document has the routes of the server's own dialect with their methods, and no others."""
    operations = {(path, method) for path, item in described["paths"].items() for method in item}
    served = {
        (route.path, method.lower())
        for route in OWN_ROUTES
        if route.include_in_schema
        for method in (route.methods or {"GET"})
    }

    assert operations == served - {(path, "head") for path, _ in served}


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

    schema = described["components"]["schemas"]["Caption"]
    assert set(answer.json()) == set(schema["properties"]) == set(schema["required"])
    assert set(answer.json()) == set(schema["example"])
    confidence = schema["properties"]["confidence"]
    assert confidence["exclusiveMinimum"] < answer.json()["confidence"] <= confidence["maximum"]
    for header in caption["responses"]["200"]["headers"]:
        assert header in answer.headers
    assert served_document == described


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/openmetrics-text"])
async def test_content_type_of_metrics(accept: str) -> None:
    """The metrics have a documented content type, whatever a client accepts."""
    async with app() as served:
        answer = await served.client.get("/metrics", headers={"Accept": accept})

    content = described["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    assert answer.headers["content-type"].partition(";")[0] in content


def test_every_operation_has_an_id() -> None:
    """Generators of clients name functions after the ids, so each operation has its own."""
    ids = [each["operationId"] for item in described["paths"].values() for each in item.values()]

    assert len(set(ids)) == len(ids)


def test_length_of_the_loaded_model() -> None:
    """The greatest max_new_tokens is what the model's decoder has positions for."""
    decoder = replace(MANIFEST.decoder, max_positions=64)
    small: Any = document(replace(MANIFEST, decoder=decoder))
    form = small["paths"]["/caption"]["post"]["requestBody"]["content"]["multipart/form-data"]
    query = small["paths"]["/caption/{digest}"]["get"]["parameters"]
    (in_query,) = [each["schema"] for each in query if each["name"] == "max_new_tokens"]

    assert form["schema"]["properties"]["max_new_tokens"]["maximum"] == 63
    assert in_query["maximum"] == 63
