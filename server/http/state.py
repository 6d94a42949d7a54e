"""What handlers get: opened in the lifespan, typed here."""

from collections.abc import Mapping
from typing import TypedDict

from starlette.requests import Request

from server.http.admission import Admission
from server.http.auth import ApiKeys
from server.http.metrics import Metrics
from server.http.multipart import FormLimits
from server.http.telemetry import Trace
from server.inference.service import CaptionService


class Resources(TypedDict):
    """What lives as long as the server."""

    access: ApiKeys
    admission: Admission
    metrics: Metrics
    service: CaptionService
    form_limits: FormLimits
    model_name: str
    info: Mapping[str, object]


class State(Resources):
    """What a request sees: the resources and its own trace."""

    trace: Trace


CaptionRequest = Request[State]
