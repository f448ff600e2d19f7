"""The gate before the routes that judge."""

from collections.abc import Collection

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import Busy
from app.api.request import CURRENT
from app.limits import Capacity


class Admission:
    """ASGI middleware: refuses what `routes` would, before anything else looks at it, so that a refusal stays cheap."""

    def __init__(self, app: ASGIApp, routes: Collection[str], capacity: Capacity) -> None:
        self.app, self.capacity = app, capacity
        self.templates = {route: compile_path(route)[0] for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            self.capacity.requests >= self.capacity.max_requests
            and scope["type"] == "http"
            and (route := self._route(scope["path"]))
        ):
            context = CURRENT.get()
            context.turned_away = route
            await context.refuse(Busy())(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _route(self, path: str) -> str | None:
        """The guarded route that `path` belongs to, if any."""
        return next((route for route, template in self.templates.items() if template.match(path)), None)
