"""The page at `/`, the OpenAPI page at `/docs`, and what both are made of. Nothing comes from anywhere else."""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from app.api.openapi import Router
from app.api.security import ASSETS, DOCS, PAGE
from app.api.service import service_of
from app.model.classifier import Outputs
from app.model.manifest import Golden, Manifest
from app.model.prediction import predict

WEB = Path(__file__).parent.parent / "web"
SWAGGER = ("fastapi_offline", "static")  # of that package Swagger UI's files are wanted, not the code
PAGES = {PAGE: "index.html", DOCS: "docs.html"}

router = Router(include_in_schema=False)
files = StaticFiles(directory=WEB, packages=[SWAGGER])


@router.get(ASSETS + "examples")
async def examples(request: Request) -> list[dict[str, str | None]]:
    """Of the pictures drawn for the bundle in use the surest for each verdict: its name and label, strangers last."""
    manifest = service_of(request).bundle.manifest
    ascending = sorted(manifest.golden, key=lambda golden: max(golden.probabilities))
    surest = {_label(manifest, golden): golden.file for golden in ascending}
    order = [label for label in (*manifest.classes, None) if label in surest]
    return [{"name": surest[label], "label": label} for label in order]


@router.get(ASSETS + "examples/{name:path}")
def example(request: Request, name: str) -> Response:
    """A drawn picture. Raises HTTPException for any other name, and where the file is gone or was altered."""
    bundle = service_of(request).bundle
    if name in {golden.file for golden in bundle.manifest.golden}:
        with suppress(OSError):
            content = bundle.path(name).read_bytes()
            if sha256(content).hexdigest() == bundle.manifest.files[name]:
                return Response(content, media_type="image/png")
    raise HTTPException(404)


def _label(manifest: Manifest, golden: Golden) -> str | None:
    score = None if golden.ood_score is None else np.array([golden.ood_score])
    return predict(manifest, Outputs(np.array([golden.probabilities]), score)).label


@router.get(PAGE)
@router.get(DOCS)
@router.get(ASSETS + "{name}")
async def file(request: Request) -> Response:
    path = request.scope["path"]
    return await files.get_response(PAGES.get(path) or path.removeprefix(ASSETS), request.scope)
