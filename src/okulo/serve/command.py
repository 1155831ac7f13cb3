"""`okulo serve`: the service its parameters describe, from start to end."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from okulo.core.protocols import Progress, silent
from okulo.serve.app import make_app
from okulo.serve.http import App
from okulo.serve.params import ServeParams, ServeReport, make_limits, make_plan, make_service, read_key
from okulo.serve.server import bind, serve
from okulo.serve.service import Service
from okulo.serve.stageservice import StageApp, StageService

log = logging.getLogger("okulo.serve")
Dress = Callable[[App, Service, str], App]
"""Put something in front of the server's app (pages, say), given the service and the API key."""


def undressed(app: App, service: Service, key: str) -> App:
    """Leave the app as it is."""
    del service, key
    return app


def run(params: ServeParams, progress: Progress = silent, dress: Dress = undressed) -> ServeReport:
    """Serve until SIGTERM or SIGINT."""
    del progress
    if params.engine == "ray":
        from okulo.serve import on_ray

        return on_ray.run(params)
    key = read_key(params)
    service: Service | StageService
    app: App
    if params.stage == "postprocess":
        service = StageService(make_plan(params), make_limits(params))
        app = StageApp(service, key)
    else:
        service = make_service(params)
        routers, beside = _jobs(params, service)
        app = make_app(
            service, key=key, origins=params.cors, routers=routers, log_requests=params.log_requests
        )
        return serve_it(params, service, dress(app, service, key), beside)
    return serve_it(params, service, app)


def _jobs(
    params: ServeParams, service: Service
) -> tuple[Sequence[object], Sequence[AbstractAsyncContextManager[object]]]:
    """The router of `/jobs` and who works them off; loaded only where jobs are asked for."""
    if not params.jobs:
        return (), ()
    from okulo.serve.jobs.command import open_desk
    from okulo.serve.jobs.routes import make_router

    desk = open_desk(params, service)
    return (make_router(desk),), (desk.workers,)


def serve_it(
    params: ServeParams,
    service: "Service | StageService",
    app: App,
    beside: Sequence[AbstractAsyncContextManager[object]] = (),
) -> ServeReport:
    """Open the service and serve this application of it, to the end."""
    started = time.monotonic()
    with bind(params.host, params.port) as listener:
        service.open()

        def say() -> None:
            host, port = listener.getsockname()[:2]
            seconds = time.monotonic() - started
            log.info("serving %s at http://%s:%d (up in %.2f s)", service.about(), host, port, seconds)

        try:
            serve(
                app,
                service,
                listener,
                drain_s=params.drain_s,
                stop_s=params.stop_s,
                beside=beside,
                started=say,
            )
        finally:
            service.close(0.0)
    return ServeReport(service.metrics.total(), time.monotonic() - started)
