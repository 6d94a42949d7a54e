"""What handlers get: opened in the lifespan, typed here."""

from collections.abc import Mapping
from typing import TypedDict

from starlette.requests import Request

from server.access import Access
from server.admission import Admission
from server.metrics import Metrics
from server.multipart import FormLimits
from server.pipeline import Pipeline
from server.telemetry import Trace


class Resources(TypedDict):
    """What lives as long as the server."""

    access: Access
    admission: Admission
    metrics: Metrics
    pipeline: Pipeline
    form_limits: FormLimits
    model_name: str
    info: Mapping[str, object]


class State(Resources):
    """What a request sees: the resources and its own trace."""

    trace: Trace


CaptionRequest = Request[State]
