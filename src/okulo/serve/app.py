"""The whole ASGI application: the hot front, and everything else behind it (health, metadata, metrics, more).

FastAPI is loaded only where somebody brings routers: alone it costs 20 MB and 0.2 s of the start.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from okulo import __version__
from okulo.core.errors import BadInput
from okulo.serve import openinference as v2
from okulo.serve.front import Front
from okulo.serve.http import App, error_reply
from okulo.serve.models import Served, version_order
from okulo.serve.openapi import schema
from okulo.serve.refusals import Refused
from okulo.serve.service import NotFound, Service

VERSION = "/versions/{version}"
OPEN_PATHS = ("/v2/health/",)
"""Answered without a key: an orchestrator's probes have none."""


def make_app(
    service: Service,
    *,
    key: str = "",
    origins: Sequence[str] = (),
    routers: Sequence[Any] = (),
    mounts: Mapping[str, App] | None = None,
    open_paths: Sequence[str] = OPEN_PATHS,
    log_requests: bool = False,
) -> App:
    """Put the application together.

    Args:
        service: the models.
        key: every path but `open_paths` wants it, where it is not empty.
        origins: whose pages a browser may let ask (CORS); `*` for all.
        routers: FastAPI routers (jobs, …); their operations join the OpenAPI schema.
        mounts: further ASGI applications by path (static files, …).
        open_paths: beginnings of the paths that want no key.
        log_requests: one line in the log for every request.
    """
    inner = _fastapi(routers) if routers else None
    routes = [*_routes(service, inner), *(Mount(path, app) for path, app in (mounts or {}).items())]
    cold = Starlette(routes=routes, exception_handlers={HTTPException: _http_error, Exception: _error})
    if inner is not None:
        cold.router.default = inner
    front: App = Front(service, cold, key=key, open_paths=open_paths, log_requests=log_requests)
    if not origins:
        return front
    return CORSMiddleware(
        front, allow_origins=list(origins), allow_methods=["*"], allow_headers=["*"], max_age=600
    )


def _fastapi(routers: Sequence[Any]) -> Any:
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError

    said: dict[Any, Any] = {
        HTTPException: _http_error,
        BadInput: _said,
        Refused: _said,
        RequestValidationError: _invalid,
    }
    app = FastAPI(
        title="okulo",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        exception_handlers=said,
    )
    for router in routers:
        app.include_router(router)
    return app


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    plain = error.detail == HTTPStatus(error.status_code).phrase
    said = f"{error.detail.lower()}: {request.method} {request.url.path}" if plain else error.detail
    reply = _json({"error": said}, error.status_code)
    reply.headers.update(error.headers or {})
    return reply


def _said(request: Request, error: Exception) -> Response:
    reply = error_reply(error)
    headers = {name.decode(): value.decode("latin1") for name, value in reply.headers}
    return Response(reply.body, reply.status, headers, reply.content_type.decode())


def _invalid(request: Request, error: Exception) -> Response:
    """Say FastAPI's list of problems as one sentence, as everything else is said."""
    first = error.errors()[0]  # type: ignore[attr-defined]  # a RequestValidationError
    where = ".".join(str(each) for each in first["loc"][1:])
    return _json({"error": f"{where}: {first['msg']}"}, 400)


def _error(request: Request, error: Exception) -> Response:
    return _json({"error": f"failed here: {type(error).__name__}"}, 500)


def _routes(service: Service, inner: Any) -> list[BaseRoute]:
    """Everything that is not hot."""
    return [*_server_routes(service, inner), *_model_routes(service, ""), *_model_routes(service, VERSION)]


def _server_routes(service: Service, inner: Any) -> list[BaseRoute]:
    async def live(request: Request) -> Response:
        return _json({"live": True})

    async def ready(request: Request) -> Response:
        return _ready(service.ready)

    async def server(request: Request) -> Response:
        return _json({"name": "okulo", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def index(request: Request) -> Response:
        states = {True: "READY", False: "UNAVAILABLE"}
        every = [(each.name, each.version, states[each.pipeline.ready]) for each in service.every()]
        return _json([{"name": name, "version": version, "state": state} for name, version, state in every])

    async def metrics(request: Request) -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    async def openapi(request: Request) -> Response:
        said = schema()
        if inner is not None:
            more = inner.openapi()
            said["paths"] |= more["paths"]
            said["components"]["schemas"] |= more.get("components", {}).get("schemas", {})
        return _json(said)

    return [
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        Route("/v2", server),
        Route("/v2/repository/index", index, methods=["POST"]),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
    ]


def _model_routes(service: Service, version: str) -> list[BaseRoute]:
    async def model(request: Request) -> Response:
        served = _find(service, request)
        return _json(v2.metadata(served, sorted(service.models[served.name], key=version_order)))

    async def ready(request: Request) -> Response:
        return _ready(_find(service, request).pipeline.ready and not service.stopping)

    async def about(request: Request) -> Response:
        return _json(_find(service, request).info.to_json())

    return [
        Route("/v2/models/{model}" + version, model),
        Route("/v2/models/{model}" + version + "/ready", ready),
        Route("/v1/models/{model}" + version, about),
    ]


def _ready(ready: bool) -> Response:
    return _json({"ready": ready}, 200 if ready else 503)


def _find(service: Service, request: Request) -> Served:
    try:
        return service.find(request.path_params["model"], request.path_params.get("version", ""))
    except NotFound as error:
        raise HTTPException(404, str(error)) from error
