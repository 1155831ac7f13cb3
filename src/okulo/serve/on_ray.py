"""`okulo serve --engine ray`: the same stages as Ray Serve deployments, each scaled by its own load.

The deployment `network` is the whole service (protocol, decoding, our batcher, the network); what it would
do in worker processes of its own, the deployment `postprocess` does on any machine of the cluster.
Ray reads its settings from the environment when it is imported, so it runs in a child process.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import fields, replace
from typing import Any

from okulo.core.errors import BadInput, need
from okulo.core.report import to_json
from okulo.serve import logs
from okulo.serve.app import make_app
from okulo.serve.http import App
from okulo.serve.models import find_models, mark_of
from okulo.serve.named import find_postprocess
from okulo.serve.params import KEY_VARIABLE, ServeParams, ServeReport, make_service, read_key
from okulo.serve.raystage import CALL, ON_RAY
from okulo.serve.wire import packed, unpack

log = logging.getLogger("okulo.serve")
APP = "okulo"
VERB = "okulo serve --engine ray"
SETTINGS = {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}
"""Five times less CPU for a request than Ray's defaults. Where the environment says otherwise, that holds."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
PATIENCE_S = 300.0
DRAIN_S = 3.0
"""HAProxy needs a moment to send nothing more to a replica that goes; Ray's default is 30."""
END_S = 45.0
"""Ray takes some seconds to end, beyond those that requests in flight are given."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)
LEFT_OUT = ("api_key_file", "jobs", "jobs_root", "jobs_spool", "host", "port")
"""Parameters that a replica does not need, or must not have."""


class Postprocess:
    """A replica of post-processing."""

    def __init__(self, spec: str) -> None:
        self._post = find_postprocess(spec)

    def predict(self, message: bytes) -> bytes:
        """Answer a batch, as it travels."""
        return bytes(packed(list(self._post.predict(unpack(message)))))


class Network:
    """A replica of everything else: an okulo server without its socket."""

    def __init__(self, said: dict[str, Any], key: str, post: Any = None) -> None:
        self._params, self._key, self._post = from_json(said), key, post
        self._service = make_service(self._params)

    def __serve_build_asgi_app__(self) -> App:  # Ray's name for it
        """Open the models; Ray calls this in the replica's event loop."""
        service, loop = self._service, asyncio.get_running_loop()
        if self._post is not None:
            CALL.set(
                lambda message: asyncio.run_coroutine_threadsafe(self._ask(message), loop).result(PATIENCE_S)
            )
        service.open()
        self._watching = loop.create_task(service.watch())
        return make_app(
            service, key=self._key, origins=self._params.cors, log_requests=self._params.log_requests
        )

    async def _ask(self, message: bytes) -> bytes:
        # A handle belongs to its replica's event loop; batches come from other threads.
        said: bytes = await self._post.predict.remote(message)
        return said

    def check_health(self) -> None:
        """Ray asks this now and then, and replaces a replica that raises."""
        if not self._service.ready:
            raise RuntimeError("not ready")

    def __del__(self) -> None:
        self._service.close(10.0)


def deployments(params: ServeParams, key: str) -> Any:
    """Describe the application: which deployments, how large, how many."""
    serve = need("ray.serve", extra="ray", verb=VERB)
    cores = params.workers or 1
    scaled = {"min_replicas": 1, "max_replicas": params.replicas, "downscale_delay_s": 60}
    inner = replace(
        params,
        workers=cores,
        threads=params.threads or 1,
        decoders=params.decoders or cores,
        engine="onnxruntime",
    )
    if params.postprocess:
        inner = replace(inner, post_url=ON_RAY, post_workers=2 * params.replicas)
    network = serve.deployment(
        name="network",
        ray_actor_options={"num_cpus": cores},
        autoscaling_config={**scaled, "target_ongoing_requests": params.batch_size * cores},
        max_ongoing_requests=params.queue_items,
        health_check_period_s=5,
        graceful_shutdown_timeout_s=params.stop_s,
    )(serve.ingress()(Network))
    if not params.postprocess:
        return network.bind(to_json(inner), key)
    post = serve.deployment(
        name="postprocess",
        ray_actor_options={"num_cpus": 1},
        autoscaling_config={**scaled, "target_ongoing_requests": 1},
        max_ongoing_requests=2,
    )(Postprocess)
    return network.bind(to_json(inner), key, post.bind(params.postprocess))


def from_json(said: dict[str, Any]) -> ServeParams:
    """Make parameters of what `to_json` wrote."""
    known: dict[str, Any] = {
        each.name: tuple(value) if isinstance(value, list) else value
        for each in fields(ServeParams)
        if each.name not in LEFT_OUT and (value := said.get(each.name)) is not None
    }
    return ServeParams(**known)


def run(params: ServeParams) -> ServeReport:
    """Serve on Ray until SIGTERM or SIGINT: in a child process, so that this one's environment stays."""
    if params.stage != "all" or params.jobs or params.post_url:
        raise BadInput("engine ray", "brings its own stages", hint="leave out --stage, --post-url and --jobs")
    for path in find_models(params.models).values():
        mark_of(path)  # a missing file is better said here than by every replica
    if params.postprocess:
        find_postprocess(params.postprocess)
    need("ray", extra="ray", verb=VERB)
    drain = {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(max(DRAIN_S, params.drain_s))}
    environment = {**SETTINGS, **QUIET, **drain, **os.environ, KEY_VARIABLE: read_key(params)}
    port = params.port or _free_port(params.host)
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "okulo.serve.on_ray", params.host, str(port)],
        stdin=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C is for this process, which then ends the child in order
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(to_json(params)).encode() + b"\n")
    child.stdin.flush()
    code = _wait(child, params.stop_s + END_S)
    if code:
        raise BadInput("engine ray", f"ended with code {code}", hint="its output above says why")
    return ServeReport(None, time.monotonic() - started)


def _wait(child: "subprocess.Popen[bytes]", stop_s: float) -> int:
    """Wait for the child's end; SIGTERM and SIGINT ask it to end; after `stop_s` nothing of it is left."""
    asked: list[float] = []

    def stop(*_: object) -> None:
        asked.append(time.monotonic())
        child.terminate()

    before = [signal.signal(each, stop) for each in SIGNALS]
    try:
        while child.poll() is None:
            if asked and time.monotonic() > asked[0] + stop_s:
                log.error("Ray did not end in %.0f s and is killed", stop_s)
                break
            time.sleep(0.1)
        return child.returncode or 0
    finally:
        with contextlib.suppress(ProcessLookupError):  # what Ray has left behind
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for each, handler in zip(SIGNALS, before):
            signal.signal(each, handler)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def main(host: str, port: int) -> None:
    """Run in the child: a local Ray, or the one that RAY_ADDRESS names."""
    logs.set_up()
    said = json.loads(_line())
    params, key = from_json(said), os.environ.pop(KEY_VARIABLE, "")
    stop = threading.Event()
    threading.Thread(target=_until_orphaned, args=(stop,), daemon=True).start()
    ray, serve = (need(each, extra="ray", verb=VERB) for each in ("ray", "ray.serve"))
    local: dict[str, Any] = (
        {} if "RAY_ADDRESS" in os.environ else {"include_dashboard": False, "_node_ip_address": host}
    )
    if host in ("0.0.0.0", "::"):  # noqa: S104  # asked for
        local.pop("_node_ip_address", None)
    ray.init(log_to_driver=False, logging_level=logging.WARNING, **local)
    try:
        serve.start(http_options={"host": host, "port": port}, logging_config={"enable_access_log": False})
        serve.run(deployments(params, key), name=APP, route_prefix="/")
        if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1":
            log.warning("Ray's HAProxy shows its figures on all interfaces: ports 9101 and 8404")
        for each in SIGNALS:  # only now: Ray brings its own, which end without an end
            signal.signal(each, lambda *_: stop.set())
        log.info("serving %s at http://%s:%d on Ray", ", ".join(params.models), host, port)
        stop.wait()
    finally:
        serve.shutdown()
        ray.shutdown()


def _until_orphaned(stop: threading.Event) -> None:
    """The pipe from the parent closes when that has ended, however it did."""
    while os.read(0, 4096):
        pass
    stop.set()


def _line() -> bytes:
    """Read the parameters, unbuffered: the thread that waits for the end reads on where this stops."""
    data = b""
    while not data.endswith(b"\n"):
        more = os.read(0, 65536)
        if not more:
            raise EOFError("no parameters on standard input")
        data += more
    return data


if __name__ == "__main__":
    from okulo.serve import on_ray  # so that replicas find its classes by name

    on_ray.main(sys.argv[1], int(sys.argv[2]))
