"""The routes every role has: liveness, readiness and metrics. They are neither traced nor counted."""

from aiohttp import web

from hemostat_chaos.shop.metrics import Metrics


class Readiness:
    """Whether new requests are wanted; off from SIGTERM on."""

    def __init__(self) -> None:
        self.ready = False


def add_probes(app: web.Application, readiness: Readiness, metrics: Metrics) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if readiness.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def show(_: web.Request) -> web.Response:
        kind = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=metrics.text(), headers=kind)

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show)
