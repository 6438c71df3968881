"""Calls of other services over real sockets: the A2A SDK's own server, LiteLLM's key endpoints in memory behind HTTP,
services that mean harm; and by which rights `act` makes them, on a real API server."""

import asyncio
import base64
import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.api.frameworks import FOLDER, environment, served
from tests.api.programs import free_port, until
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest
from tests.unit.act.double import ApiServer
from tests.unit.action.litellm import ADMIN, HASH, LiteLLM
from tests.unit.builders import T0, meta, remediation

from hemostat.action.calls.caller import MAX_BYTES, Caller
from hemostat.action.calls.keys import ADMIN_KEY, ADMIN_SECRET
from hemostat.action.contract import calling, once
from hemostat.action.effects import wanted
from hemostat.action.execute import Executor
from hemostat.action.moves import NewIntent, next_move
from hemostat.action.parts import Part
from hemostat.api.rbac import opt_in
from hemostat.api.remediation import Call, CallProtocol, Effect, Plan
from hemostat.errors import Refused, Retry
from hemostat.kube import Kube
from hemostat_chaos.cluster import spawn

Json = dict[str, Any]
NAMESPACE = "shop"
BLOCKED, FREE = {"blockedBy": "uid-r"}, {"blockedBy": ""}


class Near:
    """Shows every Service at loopback, and else what the API server says: no cluster IP may be of loopback."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def get(self, path: str) -> Json:
        found = self._kube.get(path)
        return found | {"spec": found["spec"] | {"clusterIP": "127.0.0.1"}} if "/services/" in path else found


def service(name: str, namespace: str = NAMESPACE, *, near: bool = False) -> Json:
    spec = {"selector": {"app": name}, "ports": [{"port": 4000}]}
    spec |= {"clusterIP": "127.0.0.1"} if near else {}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def secret(namespace: str = NAMESPACE, name: str = ADMIN_SECRET) -> Json:
    data = {ADMIN_KEY: base64.b64encode(ADMIN.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}


@pytest.fixture
def kube() -> Any:
    """Return an API server in memory with the Services and the Secret: these tests are about the other end."""
    api = ApiServer()
    for name in ("litellm", "critic"):
        api.put(f"/api/v1/namespaces/{NAMESPACE}/services/{name}", service(name, near=True) | {"metadata": meta(name)})
    held = secret() | {"metadata": meta(ADMIN_SECRET)}
    api.put(f"/api/v1/namespaces/{NAMESPACE}/secrets/{ADMIN_SECRET}", held)
    return api


def key_at(url: str, namespace: str = NAMESPACE, **wanted_: Any) -> Effect:
    """Return the effect on the key at a proxy that listens at this address of loopback."""
    where = f"http://litellm.{namespace}.svc:{url.rpartition(':')[2]}"
    return calling("litellm", Call(protocol=CallProtocol.LITELLM, url=where, id=HASH), **(wanted_ or BLOCKED))


def over_http(proxy: Any) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        authorization = request.headers.get("Authorization", "")
        status, said = proxy.answer(request.method, str(request.rel_url), body, authorization)
        return web.json_response(said, status=status)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    return app


def case(forward: Effect, inverse: Effect | None = None) -> Plan:
    return Plan(
        summary="call",
        steps=once(forward, inverse),
        diff="",
        replaced_pods=0,
        replicas_after=1,
        on_ineffective="Keep",
        reads_digest="sha256:" + "a" * 64,
    )


def brought(executor: Executor, plan: Plan, namespace: str = NAMESPACE, *, which: Any = "Forward") -> str:
    """Do one effect as the reconciler does, and return by what it was seen."""
    effect = plan.steps[0].forward if which == "Forward" else plan.steps[0].inverse
    assert effect is not None
    before = executor.read(effect, namespace)
    first = next_move(remediation(status={"plan": plan.wire()}), Part(which), before, T0)
    assert isinstance(first, NewIntent), first
    executor.dry_run(effect, namespace, before, "m")
    assert executor.read(effect, namespace) == before, "a dry run changes nothing"
    executor.send(effect, namespace, before, first.intent, "m")
    announced = remediation(status={"plan": plan.wire(), "intents": [first.intent.wire()]})
    landed = next_move(announced, Part(which), executor.read(effect, namespace), T0)
    return str(landed.result.proof)


# --- LiteLLM


def test_a_key_is_blocked_and_unblocked_over_http(kube: Any) -> None:
    proxy = LiteLLM()
    with served(over_http(proxy)) as url:
        executor = Executor(kube, Caller(kube))
        plan = case(key_at(url), key_at(url, **FREE))
        assert brought(executor, plan) == "Content"
        assert proxy.rows[HASH] | {"blocked": True} == proxy.rows[HASH]
        assert brought(executor, plan, which="Inverse") == "Content"
        assert proxy.changes == [(True, "uid-r"), (False, None)]
        assert proxy.rows[HASH]["metadata"] == {"team": "core"}


def test_who_blocks_it_between_look_and_request_wins(kube: Any) -> None:
    proxy = LiteLLM()
    with served(over_http(proxy)) as url:
        caller, effect = Caller(kube), key_at(url)
        before = caller.look(effect, NAMESPACE)
        proxy.rows[HASH]["blocked"] = True
        with pytest.raises(Retry, match="changed meanwhile"):
            caller.demand(effect, NAMESPACE, wanted(effect), before)
        assert proxy.changes == []


def test_the_double_speaks_as_litellm_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes and gives is checked by the models of the installed litellm; its database needs Prisma's engines,
    which no package registry has."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks the internet for prices
    from litellm.proxy._types import LiteLLM_VerificationToken, ProxyErrorTypes, UpdateKeyRequest

    proxy = LiteLLM()
    status, found = proxy.answer("GET", f"/key/info?key={HASH}", None, f"Bearer {ADMIN}")
    assert status == 200
    row = LiteLLM_VerificationToken.model_validate({"token": HASH, **found["info"]})
    assert (row.blocked, row.metadata) == (None, {"team": "core"})
    body = {"key": HASH, "blocked": True, "metadata": {"team": "core", "hemostat": "uid-r"}}
    sent = UpdateKeyRequest.model_validate(body).model_dump(exclude_unset=True)
    assert sent == body, "nothing else of the key is touched"
    status, _ = proxy.answer("POST", "/key/update", body, f"Bearer {ADMIN}")
    row = LiteLLM_VerificationToken.model_validate({"token": HASH, **proxy.rows[HASH]})
    assert (status, row.blocked) == (200, True)
    assert "auth_error" in {kind.value for kind in ProxyErrorTypes}


# --- Services that mean harm


@contextmanager
def raw_server(answer: bytes, pause: float = 0.0) -> Iterator[str]:
    """Answer every connection with these bytes, one at a time if there is a pause."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in [answer] if not pause else [answer[i : i + 1] for i in range(len(answer))]:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:

        async def stop() -> None:
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0.05)

        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


BOMB = gzip.compress(b" " * (200 << 20), 9)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (response(b'{"info": {"blocked": true}}' + b" " * (2 * MAX_BYTES)), "CallRefused"),
        (response(b"[" * MAX_BYTES), "CallRefused"),
        (response(b'{"info"'), "CallRefused"),
        (response(BOMB, "Content-Encoding: gzip"), "CallRefused"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20), "Unreachable"),
        (b"SSH-2.0-x\r\n\r\n", "Unreachable"),
        (b"", "Unreachable"),
    ],
    ids=["endless", "deep", "half", "bomb", "header", "ssh", "nothing"],
)
def test_a_hostile_answer_is_bounded_and_refused(kube: Any, answer: bytes, said: str) -> None:
    with raw_server(answer) as url, pytest.raises(Refused) as caught:
        Caller(kube).look(key_at(url), NAMESPACE)
    assert caught.value.reason == said


def test_an_answer_that_trickles_in_is_given_up_in_time(kube: Any) -> None:
    with raw_server(response(b'{"info": {}}'), pause=0.2) as url:
        begun = time.monotonic()
        with pytest.raises(Refused, match="does not answer"):
            Caller(kube, deadline=0.5).look(key_at(url), NAMESPACE)
        assert time.monotonic() - begun < 8


def test_no_redirect_is_followed_and_no_proxy_of_the_environment_used(
    kube: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Either would take the admin's key elsewhere."""
    stolen = LiteLLM()
    (tmp_path / "netrc").write_text("default login ada password x\n")
    with served(over_http(stolen)) as elsewhere:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, elsewhere)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        asked: list[str] = []
        stolen.answer = lambda *a: (asked.append(a[3]), (200, {}))[1]  # type: ignore[method-assign]
        moved = response(b"", f"Location: {elsewhere}/key/info", status="307 Temporary Redirect")
        with raw_server(moved) as url, pytest.raises(Refused) as caught:
            Caller(kube).look(key_at(url), NAMESPACE)
    assert caught.value.reason == "CallRefused"
    assert asked == []


def test_the_admins_key_is_in_no_message(kube: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    echo = LiteLLM()
    echo.answer = lambda *a: (400, {"error": {"message": a[3]}})  # type: ignore[method-assign]
    said = []
    with served(over_http(echo)) as url:
        said.append(refusal(lambda: Caller(kube).look(key_at(url), NAMESPACE)))
    said.append(refusal(lambda: Caller(kube).look(key_at(url), NAMESPACE)))
    assert "answered 400" in said[0]
    assert "does not answer" in said[1]
    assert ADMIN not in f"{said} {caplog.text}"


def test_a_write_whose_outcome_is_not_known_is_no_refusal(kube: Any) -> None:
    """A refusal would end the Remediation, and what landed would stand for ever."""
    proxy = LiteLLM()
    answer = proxy.answer

    def lost(method: str, url: str, body: Json | None, authorization: str) -> tuple[int, Json]:
        found = answer(method, url, body, authorization)
        return found if method == "GET" else (502, {})

    proxy.answer = lost  # type: ignore[method-assign]
    with served(over_http(proxy)) as url:
        caller, effect = Caller(kube), key_at(url)
        with pytest.raises(Retry, match="may have been done"):
            caller.demand(effect, NAMESPACE, BLOCKED, caller.look(effect, NAMESPACE))
        assert caller.look(effect, NAMESPACE)["blockedBy"] == "uid-r"


# --- A2A


class Agents:
    """The SDK's server in a process of its own, with the tasks that run there."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self._log = port, log

    def lines(self) -> list[Json]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def task(self, name: str) -> list[str]:
        """Return its id and that of its context."""
        return list(self.lines()[0][name])

    def answered(self, name: str) -> str | None:
        """Return what the caller that waited for it was told."""
        return next((line[name] for line in self.lines()[1:] if name in line), None)

    def cancelling(self, which: str, protocol: CallProtocol = CallProtocol.A2A) -> Effect:
        url = f"http://critic.{NAMESPACE}.svc:{self.port}/"
        return calling("critic", Call(protocol=protocol, url=url, id=which), ended=True)


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    log, port = tmp_path_factory.mktemp("a2a") / "log", free_port()
    python = environment(FOLDER / "common.lock")
    process = spawn.background([str(python), str(FOLDER / "serve_a2a.py"), str(port)], log)
    found = Agents(port, log)
    try:
        until(lambda: found.answered("done") if found.lines() else None, 60, "the agent has begun its tasks")
        yield found
    finally:
        spawn.end(process, grace=5)


@pytest.mark.parametrize(
    ("name", "protocol", "by"),
    [
        ("hangs", CallProtocol.A2A, 0),
        ("hangs-too", CallProtocol.A2A_03, 0),
        ("hangs-still", CallProtocol.A2A, 1),
    ],
)
def test_a_hanging_task_of_the_real_sdk_is_cancelled_and_whoever_waits_gets_an_answer(
    kube: Any, agents: Agents, name: str, protocol: CallProtocol, by: int
) -> None:
    executor = Executor(kube, Caller(kube))
    assert agents.answered(name) is None
    assert brought(executor, case(agents.cancelling(agents.task(name)[by], protocol))) == "Content"
    assert until(lambda: agents.answered(name), 10, "the caller has its answer") == "TASK_STATE_CANCELED"


@pytest.mark.parametrize(("name", "protocol"), [("stubborn", CallProtocol.A2A), ("stubborn-too", CallProtocol.A2A_03)])
def test_what_the_real_sdk_does_not_cancel_is_refused_by_name(
    kube: Any, agents: Agents, name: str, protocol: CallProtocol
) -> None:
    executor = Executor(kube, Caller(kube))
    for which, reason in ((agents.task("done")[0], "NotNeeded"), ("none-such", "NoTask")):
        with pytest.raises(Refused) as caught:
            executor.dry_run(agents.cancelling(which, protocol), NAMESPACE, None, "m")
        assert caught.value.reason == reason
    effect = agents.cancelling(agents.task(name)[0], protocol)
    seen = executor.read(effect, NAMESPACE)
    first = next_move(remediation(status={"plan": case(effect).wire()}), Part("Forward"), seen, T0)
    with pytest.raises(Refused) as caught:
        executor.send(effect, NAMESPACE, seen, first.intent, "m")
    assert caught.value.reason == "TaskNotCancelable"


# --- Rights


@pytest.fixture
def town(cluster: Cluster) -> str:
    """Return a namespace that has opted in, with a proxy and its admin's key."""
    name = cluster.make_namespace()
    cluster.admin.create(rest("rolebindings", name, RBAC), opt_in(name), MANAGER)
    for body in (service("litellm", name), secret(name)):
        cluster.make(body)
    eventually(lambda: can(cluster.act, "get", "secrets", name, name=ADMIN_SECRET), "act has opted in")
    return name


def test_act_with_its_own_rights_blocks_and_unblocks(cluster: Cluster, town: str) -> None:
    proxy = LiteLLM()
    with served(over_http(proxy)) as url:
        executor = Executor(cluster.act, Caller(Near(cluster.act)))  # type: ignore[arg-type]
        plan = case(key_at(url, town), key_at(url, town, **FREE))
        assert brought(executor, plan, town) == "Content"
        assert brought(executor, plan, town, which="Inverse") == "Content"
        assert proxy.changes == [(True, "uid-r"), (False, None)]


def test_act_reads_that_secret_alone_and_only_where_it_was_opted_in(cluster: Cluster, town: str) -> None:
    cluster.make(secret(town, "other"))
    elsewhere = cluster.make_namespace()
    cluster.make(secret(elsewhere))
    assert "cannot get resource" in refusal(lambda: cluster.act.get(f"/api/v1/namespaces/{town}/secrets/other"))
    assert "cannot list resource" in refusal(lambda: cluster.act.list(f"/api/v1/namespaces/{town}/secrets"))
    there = f"/api/v1/namespaces/{elsewhere}/secrets/{ADMIN_SECRET}"
    assert "cannot get resource" in refusal(lambda: cluster.act.get(there))
    here = f"/api/v1/namespaces/{town}/secrets/{ADMIN_SECRET}"
    assert cluster.act.get(here)
    assert "cannot get resource" in refusal(lambda: cluster.observe.get(here))


def test_a_service_of_the_real_api_server_without_a_selector_is_not_called(cluster: Cluster, town: str) -> None:
    outside = service("outside", town)
    outside["spec"] = {"type": "ExternalName", "externalName": "evil.example"}
    cluster.make(outside)
    url = f"http://outside.{town}.svc:4000"
    effect = calling("outside", Call(protocol=CallProtocol.LITELLM, url=url, id=HASH), **BLOCKED)
    with pytest.raises(Refused) as caught:
        Caller(cluster.act).look(effect, town)
    assert caught.value.reason == "NoService"


def test_the_real_schema_knows_what_a_call_is(cluster: Cluster, town: str) -> None:
    """And that only a call has one."""
    made = cluster.planned(town, "one", None)
    plan = case(key_at("http://x:4000", town)).wire()
    step = plan["steps"][0]
    odd = {**plan, "steps": [{**step, "forward": {**step["forward"], "verb": "Create"}}]}
    bare = {**plan, "steps": [{**step, "forward": {k: v for k, v in step["forward"].items() if k != "call"}}]}
    for wrong in (odd, bare):
        assert "call must be given for Call" in refusal(lambda wrong=wrong: cluster.set_status(made, {"plan": wrong}))
    assert cluster.set_status(made, {"plan": plan})["status"]["plan"] == plan
