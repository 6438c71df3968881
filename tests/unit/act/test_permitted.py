"""Whoever does not act any more writes nothing, calls nobody and records nothing: asked before each."""

import json
import threading

import pytest
from kubernetes import client
from tests.unit.action.litellm import ADMIN, HASH, LiteLLM

from hemostat.act.recording import NotRecorded, recorder
from hemostat.action.calls.base import Answer
from hemostat.action.calls.caller import Caller, Way
from hemostat.action.contract import calling
from hemostat.action.effects import wanted
from hemostat.api.remediation import Call, CallProtocol
from hemostat.audit.record import Entry, Step
from hemostat.errors import Refused, Retry
from hemostat.kube import Kube


class Api(client.ApiClient):
    """Takes note of requests."""

    def __init__(self):
        super().__init__(client.Configuration(host="http://127.0.0.1:1"))
        self.sent = []

    def call_api(self, method, url, headers, body, _request_timeout):
        self.sent.append((method, _request_timeout))

        class Response:
            status, data = 200, json.dumps({"kind": "List", "apiVersion": "v1", "items": [], "metadata": {}}).encode()

            def read(self):
                """Read before."""

        return Response()


class Permit:
    """Says yes until told otherwise."""

    def __init__(self):
        self.given = True

    def __call__(self):
        if not self.given:
            raise Retry("another one acts")


WRITES = {
    "create": lambda kube: kube.create("/x", {}, "m"),
    "replace": lambda kube: kube.replace("/x", {}, "m"),
    "apply": lambda kube: kube.apply("/x", {}, "m"),
    "json patch": lambda kube: kube.json_patch("/x", [], "m"),
    "merge patch": lambda kube: kube.merge_patch("/x", {}, "m"),
    "delete": lambda kube: kube.delete("/x", "uid"),
    "evict": lambda kube: kube.evict("/api/v1/namespaces/n/pods/p", "uid"),
    "as somebody else": lambda kube: kube.acting_as("ann", ()).create("/x", {}, "m"),
    "in less time": lambda kube: kube.within(1).create("/x", {}, "m"),
}


@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written(write):
    api, permit = Api(), Permit()
    kube = Kube(api).permitted(permit)
    WRITES[write](kube)
    assert len(api.sent) == 1
    permit.given = False
    with pytest.raises(Retry, match="another one acts"):
        WRITES[write](kube)
    assert len(api.sent) == 1
    kube.list("/x")
    assert api.sent[1:] == [("GET", 10.0)], "to read does no harm"


def test_a_deadline_of_ones_own():
    api = Api()
    Kube(api).within(3).get("/x")
    assert api.sent == [("GET", 3)]


def test_nothing_is_recorded():
    class Log:
        taken = []

        def append(self, entry, kept):
            self.taken.append(entry)

    permit, compared = Permit(), threading.Event()
    compared.set()
    record = recorder(Log(), compared, permit, threading.Event())
    record(Entry(Step.STARTED))
    permit.given = False
    with pytest.raises(Retry, match="another one acts"):
        record(Entry(Step.STARTED))
    assert len(Log.taken) == 1


def test_nobody_is_called():
    proxy, permit = LiteLLM(), Permit()

    class Wired(Caller):
        def _way(self, call, dialect, namespace):
            return Way("10.0.0.9", ADMIN)

        def _ask(self, request, way):
            return Answer(*proxy.answer(request.method, request.url, request.body, f"Bearer {way.key}"))

    call = Call(protocol=CallProtocol.LITELLM, url="http://litellm.shop.svc:4000", id=HASH)
    effect = calling("litellm", call, blockedBy="uid-r")
    caller = Wired(Kube(Api()), permit=permit)
    permit.given = False
    before = caller.look(effect, "shop")
    with pytest.raises(Retry, match="another one acts"):
        caller.demand(effect, "shop", wanted(effect), before)
    assert proxy.changes == []
    permit.given = True
    caller.demand(effect, "shop", wanted(effect), before)
    assert len(proxy.changes) == 1


@pytest.mark.parametrize(("reason", "ends"), [("AuditForeign", True), ("AuditRecord", False), ("AuditUnusable", False)])
def test_a_log_that_another_process_wrote_to_ends_this_one(reason, ends):
    """It would be told the same for ever: only who opens the log anew can go on with it."""

    class Log:
        def append(self, entry, kept):
            raise Refused(reason, "no")

    compared, spent = threading.Event(), threading.Event()
    compared.set()
    with pytest.raises(NotRecorded):
        recorder(Log(), compared, lambda: None, spent)(Entry(Step.INTENT))
    assert spent.is_set() is ends
