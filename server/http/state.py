"""The typed state that handlers find in their request."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from server.http.admission import Admission
from server.http.assets import Asset
from server.http.auth import ApiKeys
from server.http.chat import ChatPrompt
from server.http.metrics import Metrics
from server.http.multipart import FormLimits
from server.http.readiness import Readiness
from server.http.served_model import ServedModel
from server.http.telemetry import Trace
from server.inference.service import CaptionService


class Resources(TypedDict):
    """What lives as long as the server."""

    api_keys: ApiKeys
    admission: Admission
    readiness: Readiness
    metrics: Metrics
    service: CaptionService
    form_limits: FormLimits
    model_name: str
    served_model: ServedModel
    chat_prompt: ChatPrompt
    cors_origins: Sequence[str]
    max_batch_images: int
    info: Mapping[str, object]
    openapi: Mapping[str, object]
    page: Mapping[str, Asset]
    docs: Mapping[str, Asset]


class State(Resources):
    """The resources, and the trace of this request."""

    trace: Trace
