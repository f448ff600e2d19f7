"""/v2: the Open Inference Protocol, for the clients of KServe, Triton and Seldon."""

from collections.abc import Awaitable, Callable
from typing import Any

from anyio import to_thread
from fastapi import Request, Response

from app.api.errors import ApiError, Busy, NoModel
from app.api.openapi import BINARY, PICTURE_REFUSALS, Router, protocol_errors
from app.api.request import RequestContext
from app.api.service import JudgingRoute, Service, service_of
from app.api.v2 import tensors, wire
from app.api.v2.schemas import InferResponse, Live, ModelMetadata, ModelReady, Ready, ServerMetadata
from app.imaging import PictureError, Pixels
from app.model.manifest import Manifest
from app.model.prediction import Prediction

MODEL = "/v2/models/{name}"
VERSION = MODEL + "/versions/{version}"
EXTENSIONS = ["binary_tensor_data", "classification"]
INFER: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The request in JSON, with the tensor in it or behind it.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}, "example": wire.EXAMPLE},
            "application/octet-stream": BINARY,
        },
    }
}
INFERRED: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": BINARY}}}
Route = Callable[..., Awaitable[object]]


def _parameters(**examples: str) -> dict[str, Any]:
    """Of a path, for the document: here, because one function serves the model and its version."""
    schema = {"type": "string"}
    return {
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": f"The bundle's {name}.",
                "schema": schema,
                "example": example,
            }
            for name, example in examples.items()
        ]
    }


OF_MODEL = _parameters(name="mednist")
OF_VERSION = _parameters(name="mednist", version="3f2a9c1d04be")
UNREADY, UNKNOWN = protocol_errors(503), protocol_errors(404)
router = Router(tags=["open inference protocol"], route_class=JudgingRoute)


def _of_model(
    path: str, method: str, summary: str, body: dict[str, Any] | None = None, **described: Any
) -> Callable[[Route], Route]:
    """Registers a route below the model's, and below that of a version of it."""

    def register(route: Route) -> Route:
        for below, end, named in ((VERSION, ", by version", OF_VERSION), (MODEL, "", OF_MODEL)):
            extra = named | (body or {})
            router.add_api_route(
                below + path, route, methods=[method], summary=summary + end, openapi_extra=extra, **described
            )
        return route

    return register


@router.get("/v2", summary="The server", response_description="Its name and version.", response_model=ServerMetadata)
async def server(request: Request) -> dict[str, object]:
    return {"name": request.app.title, "version": request.app.version, "extensions": EXTENSIONS}


@router.get("/v2/health/live", summary="Liveness probe", response_description="Alive.", response_model=Live)
async def live() -> dict[str, bool]:
    return {"live": True}


@router.get(
    "/v2/health/ready",
    summary="Readiness probe",
    response_description="Ready.",
    response_model=Ready,
    responses=UNREADY,
)
async def ready(request: Request) -> dict[str, bool]:
    _check_staying(request)
    return {"live": True, "ready": True}


@_of_model(
    "/ready",
    "GET",
    "Readiness",
    response_description="Ready.",
    response_model=ModelReady,
    responses=UNKNOWN | UNREADY,
)
async def model_ready(request: Request) -> dict[str, object]:
    _check_staying(request)
    return {"name": _manifest(request).name, "ready": True}


@_of_model(
    "",
    "GET",
    "The tensors",
    response_description="What the model takes and gives.",
    response_model=ModelMetadata,
    responses=UNKNOWN,
)
async def model(request: Request) -> dict[str, object]:
    manifest = _manifest(request)
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": "keras_v3",
        "inputs": tensors.inputs(manifest),
        "outputs": tensors.outputs(manifest),
    }


@_of_model(
    "/infer",
    "POST",
    "Judge pictures",
    response_description="The outputs, a row for each picture.",
    response_model=InferResponse,
    responses=INFERRED | UNKNOWN | protocol_errors(*PICTURE_REFUSALS),
    body=INFER,
)
async def infer(context: RequestContext) -> Response:
    service, _ = service_of(context), _manifest(context)  # another model is refused before the body is read
    body = await context.receive_body(context.limits.max_request_bytes)
    header_length, most = context.headers.get(wire.HEADER_LENGTH), context.limits.max_batch_files
    asked, elements = await to_thread.run_sync(wire.read, body, header_length, most)
    manifest = _manifest(context)  # another bundle may have taken over
    tensors.check(asked.inputs[0], manifest)
    wanted = tensors.wanted(asked, manifest)
    predictions = await _judge(service, elements, context)
    head = {"model_name": manifest.name, "model_version": manifest.version}
    named = head if asked.id is None else head | {"id": asked.id}
    content, headers = wire.write(named, tensors.write_outputs(asked, wanted, predictions))
    return Response(content, headers=headers)


def _manifest(request: Request) -> Manifest:
    """The manifest of the bundle in use, if it is what the path names. Raises NoModel."""
    manifest, named = service_of(request).bundle.manifest, request.path_params
    if (manifest.name, manifest.version) != (named["name"], named.get("version", manifest.version)):
        raise NoModel
    return manifest


def _check_staying(request: Request) -> None:
    if service_of(request).draining:
        raise Busy("The service is leaving.")


async def _judge(service: Service, elements: list[bytes] | Pixels, context: RequestContext) -> list[Prediction]:
    """The predictions, in order. Raises what is wrong with the first bad picture."""
    if isinstance(elements, list):
        found = await service.predict_all(elements, context)
    else:
        size = service.batcher.view.size
        found = await service.predict_pixels(elements.reshape(-1, size, size, 1), context)
    return [_sound(index, one) for index, one in enumerate(found)]


def _sound(index: int, found: Prediction | Exception) -> Prediction:
    if isinstance(found, PictureError | ApiError):
        raise type(found)(f"Picture {index}: {found}") from found
    if isinstance(found, Exception):
        raise found
    return found
