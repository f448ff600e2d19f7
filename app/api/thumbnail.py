"""POST /thumbnail: what a picture looks like, where whoever asks cannot read its format."""

from fastapi import Request, Response

from app.api import uploads
from app.api.refusals import PICTURE, problems
from app.api.routing import JudgingRoute, Router
from app.api.schemas import ONE_PICTURE, PNG
from app.api.service import service_of

router = Router(tags=["prediction"], responses=problems(*PICTURE), route_class=JudgingRoute)


@router.post(
    "/thumbnail",
    summary="The picture in grey, as PNG of at most 256 pixels a side",
    response_class=Response,
    responses={200: {"content": PNG}},
    openapi_extra={"requestBody": ONE_PICTURE},
)
async def thumbnail(request: Request) -> Response:
    service = service_of(request)
    async with service.visit(request) as visit:
        png = await service.preview(await uploads.one_file(visit), visit)
    return Response(png, headers={"Server-Timing": visit.timing.header()}, media_type="image/png")
