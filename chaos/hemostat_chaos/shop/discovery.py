"""`python -m hemostat_chaos.shop.discovery NAMESPACE...`: tells the Prometheus beside it what to scrape.

Prometheus can ask the API server itself, but not in every build: Debian's is without that part. HTTP service
discovery is in all of them, so this asks in its place, on the loopback address of the same pod only.
"""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web

from hemostat_chaos.shop.targets import TargetGroup, kubelet_groups, target_groups

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PORT = 9091
_SECONDS = 3.0
_MOST = 500


class Cluster:
    """Lists pods and nodes with the pod's own service account."""

    def __init__(self, session: ClientSession, api: str, account: Path) -> None:
        self._session = session
        self._api = api
        self._account = account

    async def targets(self, namespace: str) -> list[TargetGroup]:
        """Return what to scrape in one namespace."""
        return target_groups(await self._list(f"namespaces/{namespace}/pods"))

    async def kubelets(self) -> list[TargetGroup]:
        """Return the kubelets."""
        return kubelet_groups(await self._list("nodes"))

    async def _list(self, what: str) -> list[dict[str, Any]]:
        token = (self._account / "token").read_text()  # read each time, because it is replaced when it ages
        headers = {"Authorization": f"Bearer {token}"}
        query = {"limit": str(_MOST), "resourceVersion": "0"}
        async with self._session.get(f"{self._api}/api/v1/{what}", headers=headers, params=query) as response:
            response.raise_for_status()
            found: list[dict[str, Any]] = (await response.json())["items"]
            return found


def application(cluster: Cluster, namespaces: list[str]) -> web.Application:
    """Answer `/targets` and `/kubelets`; 503 when the API server does not: then Prometheus keeps what it has."""

    async def answer(asked: Sequence[Awaitable[list[TargetGroup]]]) -> web.Response:
        try:
            found = await asyncio.gather(*asked)
        except (ClientError, OSError) as error:
            print(f"discovery: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return web.Response(status=503, text="the API server does not answer\n")
        return web.json_response([group for groups in found for group in groups])

    async def targets(_: web.Request) -> web.Response:
        return await answer([cluster.targets(namespace) for namespace in namespaces])

    async def kubelets(_: web.Request) -> web.Response:
        return await answer([cluster.kubelets()])

    app = web.Application()
    app.router.add_get("/targets", targets)
    app.router.add_get("/kubelets", kubelets)
    return app


async def serve(namespaces: list[str]) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    api = f"https://{f'[{host}]' if ':' in host else host}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    trust = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    async with ClientSession(
        connector=TCPConnector(ssl=trust, limit=4), timeout=ClientTimeout(total=_SECONDS)
    ) as session:
        runner = web.AppRunner(
            application(Cluster(session, api, _ACCOUNT), namespaces), access_log=None, shutdown_timeout=1
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", _PORT).start()
        print(f"discovery: serving the pods of {', '.join(namespaces)}", flush=True)
        await stop.wait()
        await runner.cleanup()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("discovery: name at least one namespace")
    asyncio.run(serve(sys.argv[1:]))
