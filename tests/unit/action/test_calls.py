"""Calls of other services: where they may go, what answers show, and what is demanded of whom."""

import json

import pytest
from tests.unit.action.litellm import ADMIN, HASH, LiteLLM, error
from tests.unit.action.test_orders import plan, reason, trouble
from tests.unit.builders import NAMESPACE, T0, at, deployment, meta

from hemostat.action.calls.base import Answer, address_of, service_of
from hemostat.action.calls.dialects import DIALECTS
from hemostat.action.contract import World
from hemostat.action.effects import wanted
from hemostat.api.incident import Conversation
from hemostat.api.remediation import Call, CallProtocol, Verb
from hemostat.errors import Refused
from hemostat_remediations.block_key import BLOCK_KEY
from hemostat_remediations.cancel_task import CANCEL_TASK

PROXY = f"http://litellm.{NAMESPACE}.svc:4000"
AGENT = f"http://critic.{NAMESPACE}.svc:8000/a2a"
BLOCK = {"url": PROXY, "keys": f"planner={HASH}"}
CANCEL = {"urls": f"critic={AGENT}"}
KEY = Call(protocol=CallProtocol.LITELLM, url=PROXY, id=HASH)
TASK = Call(protocol=CallProtocol.A2A, url=AGENT, id="c1")
OLD = TASK.model_copy(update={"protocol": CallProtocol.A2A_03})


def service(name, **spec):
    return {"metadata": meta(name), "spec": {"selector": {"app": name}, "clusterIP": "10.0.0.9"} | spec}


def world(*troubles, services=None):
    return World(
        target=deployment(),
        conversations=troubles or (trouble("c1"),),
        proposed=T0,
        remediation="uid-r",
        services=[service("litellm"), service("critic")] if services is None else services,
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://litellm.shop.svc",
        "https://litellm.shop.svc:4000",
        "http://litellm.shop.svc:4000/v1/a2a",
    ],
)
def test_a_call_may_go_to_a_service_of_the_namespace(url):
    assert service_of(url, NAMESPACE) == "litellm"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "litellm",
        "http://litellm",
        "http://litellm.shop",
        "http://litellm.bank.svc:4000",
        "http://litellm.shop.svc.evil.example",
        "http://litellm.shop.svc@evil.example",
        "http://evil.example/litellm.shop.svc",
        "http://ada:secret@litellm.shop.svc",
        "http://litellm.shop.svc:4000:80",
        "http://litellm.shop.svc:0",
        "http://litellm.shop.svc:99999",
        "http://litellm.shop.svc:x",
        "http://litellm.shop.svc/?key=x",
        "http://litellm.shop.svc/#x",
        "http://litellm.shop.svc/../x",
        "http://litellm.shop.svc/a b",
        "http://litellm.shop.svc\\@evil.example",
        "http://LITELLM.shop.svc",
        "http://a.b.shop.svc",
        "http://169.254.169.254",
        "http://[::1]",
        "ftp://litellm.shop.svc",
        "file:///etc/passwd",
        "http://litellm.shop.svc\n",
    ],
)
def test_a_call_may_go_nowhere_else(url):
    with pytest.raises(Refused) as caught:
        service_of(url, NAMESPACE)
    assert caught.value.reason == "BadParameters"
    assert reason(BLOCK_KEY, world(), **(BLOCK | {"url": url})) == "BadParameters"


@pytest.mark.parametrize("spec", [{"type": "ExternalName"}, {"selector": None}, {"selector": {}}])
def test_a_service_that_may_lead_out_of_its_namespace_is_not_called(spec):
    assert address_of(service("litellm")) == "10.0.0.9"
    with pytest.raises(Refused, match="anywhere"):
        address_of(service("litellm", **spec))
    assert reason(BLOCK_KEY, world(services=[service("litellm", **spec)]), **BLOCK) == "NoService"


@pytest.mark.parametrize("address", [None, "", "None"])
def test_a_service_without_an_address_is_not_looked_up_elsewhere(address):
    assert reason(BLOCK_KEY, world(services=[service("litellm", clusterIP=address)]), **BLOCK) == "NoService"


def test_the_callers_key_is_blocked_for_a_time_under_the_mark_of_the_remediation():
    found = plan(BLOCK_KEY, world(), **BLOCK, holdSeconds=60)
    assert (found.steps[0].forward.verb, found.steps[0].forward.call, found.steps[0].forward.name) == (
        Verb.CALL,
        KEY,
        "litellm",
    )
    assert (wanted(found.steps[0].forward), wanted(found.steps[0].inverse)) == (
        {"blockedBy": "uid-r"},
        {"blockedBy": ""},
    )
    assert (found.hold_seconds, found.replaced_pods, found.on_ineffective) == (60, 0, "Undo")
    assert "planner at litellm for 60 s" in found.summary


@pytest.mark.parametrize(
    ("troubles", "given", "said"),
    [
        ((trouble("c", caller="*"),), BLOCK, "NoCaller"),
        ((trouble("c", caller=""),), BLOCK, "NoCaller"),
        ((trouble("c", caller="tester"),), BLOCK, "NoKey"),
        ((trouble("late", since=9),), BLOCK, "NoCaller"),
        ((), {"url": PROXY}, "NoKey"),
        ((), BLOCK | {"keys": "planner=sk-1234"}, "BadParameters"),
        ((), BLOCK | {"keys": HASH}, "BadParameters"),
        ((), BLOCK | {"url": f"http://other.{NAMESPACE}.svc"}, "NoService"),
    ],
)
def test_whose_key_it_is_must_be_told(troubles, given, said):
    assert reason(BLOCK_KEY, world(*troubles), **given) == said


def test_a_raw_key_in_a_runbook_is_refused_and_not_repeated():
    """What a Remediation's status says, many may read."""
    with pytest.raises(Refused) as caught:
        plan(BLOCK_KEY, world(), **(BLOCK | {"keys": "planner=sk-secret-of-ours"}))
    assert "sk-secret" not in str(caught.value)


def test_a_service_that_was_made_anew_is_another_plan():
    other = [service("litellm") | {"metadata": meta("litellm", uid="another")}]
    assert plan(BLOCK_KEY, world(), **BLOCK) != plan(BLOCK_KEY, world(services=other), **BLOCK)
    assert plan(BLOCK_KEY, world(), **BLOCK) == plan(
        BLOCK_KEY, world(services=[service("x"), service("litellm")]), **BLOCK
    )


def test_the_callees_task_is_cancelled_and_nothing_undoes_it():
    found = plan(CANCEL_TASK, world(), **CANCEL)
    assert (found.steps[0].forward.call, wanted(found.steps[0].forward)) == (TASK, {"ended": True})
    assert (found.steps[0].inverse, found.hold_seconds, found.on_ineffective) == (None, None, "Keep")
    assert plan(CANCEL_TASK, world(), **CANCEL, version="0.3").steps[0].forward.call == OLD


@pytest.mark.parametrize(
    ("troubles", "given", "said"),
    [
        ((trouble("c1", callee="tester"),), CANCEL, "NoService"),
        ((trouble("c1", "c2"),), CANCEL, "TooMany"),
        ((trouble("c1", affected=2),), CANCEL, "TooMany"),
        ((trouble("late", since=9),), CANCEL, "NothingToCut"),
        ((trouble("c1", callee=""),), CANCEL, "NothingToCut"),
        ((), {}, "NoService"),
        ((), {"urls": "critic"}, "BadParameters"),
        ((), {"urls": "critic=http://evil.example"}, "BadParameters"),
        ((), CANCEL | {"version": "2.0"}, "BadParameters"),
    ],
)
def test_which_task_where_must_be_certain(troubles, given, said):
    assert reason(CANCEL_TASK, world(*troubles), **given) == said


def test_who_joins_the_trouble_later_makes_no_other_plan():
    late = trouble("c1").model_copy(
        update={"conversations": (*trouble("c1").conversations, Conversation(id="late", since_time=at(9)))}
    )
    assert plan(CANCEL_TASK, world(late), **CANCEL) == plan(CANCEL_TASK, world(), **CANCEL)


# --- LiteLLM


def look(proxy, call=KEY):
    (question,) = DIALECTS[call.protocol].questions(call)
    return DIALECTS[call.protocol].seen(
        call, [Answer(*proxy.answer(question.method, question.url, None, f"Bearer {ADMIN}"))]
    )


def test_a_look_tells_by_whom_a_key_is_blocked():
    proxy = LiteLLM()
    assert look(proxy) == {"exists": True, "blockedBy": "", "metadata": {"team": "core"}}
    proxy.rows[HASH]["blocked"] = True
    assert look(proxy)["blockedBy"] == "somebody else"
    for odd in (None, [], "x", {"hemostat": None}, {"hemostat": ["uid-r"]}, {"hemostat": ""}):
        proxy.rows[HASH]["metadata"] = odd
        assert look(proxy)["blockedBy"] == "somebody else"
    proxy.rows[HASH]["metadata"] = {"hemostat": "uid-r"}
    assert look(proxy)["blockedBy"] == "uid-r"
    proxy.rows[HASH]["blocked"] = False
    assert look(proxy)["blockedBy"] == "", "the mark alone blocks nothing"
    proxy.rows[HASH]["status"] = "deleted"
    assert not look(proxy)["exists"]
    proxy.rows.clear()
    assert not look(proxy)["exists"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error(401, "auth_error"), "NoAdminKey"),
        (error(403, "auth_error"), "NoAdminKey"),
        (error(500, "internal_server_error"), "Unreachable"),
        (error(429, "x"), "Unreachable"),
        ((404, {"detail": "Not Found"}), "CallRefused"),
        ((404, None), "CallRefused"),
        ((302, None), "CallRefused"),
        ((200, None), "CallRefused"),
        ((200, []), "CallRefused"),
        ((200, {"info": []}), "CallRefused"),
        ((200, {"info": {}}), "CallRefused"),
        ((400, {"error": "x"}), "CallRefused"),
    ],
)
def test_an_answer_that_tells_nothing_says_so_without_its_words(answer, said):
    """A wrong service that answers 404 must not look like a key that is gone: its block would stand for ever."""
    with pytest.raises(Refused) as caught:
        DIALECTS[CallProtocol.LITELLM].seen(KEY, [Answer(*answer)])
    assert caught.value.reason == said
    assert ADMIN not in str(caught.value)


def test_what_others_wrote_into_the_metadata_stays_and_the_mark_goes_again():
    proxy, dialect = LiteLLM(), DIALECTS[CallProtocol.LITELLM]
    proxy.rows[HASH]["metadata"] = {"team": "core", "logging": [{"callback_vars": {"a": "x"}}]}
    before = json.dumps(proxy.rows[HASH]["metadata"])
    for by in ("uid-r", ""):
        request = dialect.demand(KEY, {"blockedBy": by}, look(proxy))
        status, _ = proxy.answer(request.method, request.url, dict(request.body), f"Bearer {ADMIN}")
        assert (status, look(proxy)["blockedBy"]) == (200, by)
    assert json.dumps(proxy.rows[HASH]["metadata"]) == before


def test_a_persons_block_stands_in_the_way_and_ones_own_does_not():
    dialect, want = DIALECTS[CallProtocol.LITELLM], {"blockedBy": "uid-r"}
    for by, said in (("", None), ("uid-r", None), ("somebody else", "AlreadyBlocked"), ("uid-x", "AlreadyBlocked")):
        found = dialect.obstacle(KEY, want, {"exists": True, "blockedBy": by})
        assert (found and found[0]) == said
    assert dialect.obstacle(KEY, want, {"exists": False, "blockedBy": ""})[0] == "NoKey"


# --- A2A


def task(state, number="t1"):
    return {"id": number, "contextId": "c1", "status": {"state": state}}


def result(value):
    return Answer(200, {"jsonrpc": "2.0", "id": "hemostat", "result": value})


def fault(code, message="no"):
    return Answer(200, {"jsonrpc": "2.0", "id": "hemostat", "error": {"code": code, "message": message}})


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ("TASK_STATE_WORKING", False),
        ("TASK_STATE_INPUT_REQUIRED", False),
        ("input-required", False),
        ("working", False),
        ("unknown", False),
        ("TASK_STATE_COMPLETED", True),
        ("TASK_STATE_CANCELED", True),
        ("canceled", True),
        ("failed", True),
        ("rejected", True),
    ],
)
def test_a_look_tells_whether_the_task_has_ended(state, ended):
    for call in (TASK, OLD):
        assert DIALECTS[call.protocol].seen(call, [result(task(state))])["ended"] is ended


def test_a_conversation_may_be_a_context_of_which_the_running_task_is_meant():
    dialect = DIALECTS[CallProtocol.A2A]
    one, several = dialect.questions(TASK)
    assert (one.body["method"], several.body["method"]) == ("GetTask", "ListTasks")
    assert several.body["params"]["contextId"] == "c1"
    assert one.headers == {"A2A-Version": "1.0"}
    missing = fault(-32001)
    assert dialect.seen(TASK, [missing]) is None, "then those of the context are asked for"
    running = [task("TASK_STATE_COMPLETED"), task("TASK_STATE_WORKING", "t2")]
    seen = dialect.seen(TASK, [missing, result({"tasks": running})])
    assert seen == {"exists": True, "ended": False, "task": "t2"}
    assert dialect.demand(TASK, {"ended": True}, seen).body["params"] == {"id": "t2"}
    with pytest.raises(Refused) as caught:
        dialect.seen(TASK, [missing, result({"tasks": [*running, task("TASK_STATE_WORKING", "t3")]})])
    assert caught.value.reason == "WhichTask"
    for nothing in (result({"tasks": []}), result({}), result({"tasks": "x"}), fault(-32601)):
        assert dialect.seen(TASK, [missing, nothing]) == {"exists": False, "ended": True, "task": ""}
    assert not DIALECTS[CallProtocol.A2A_03].seen(OLD, [missing])["exists"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (fault(-32002, "it is\nat work\x1b[31m"), "TaskNotCancelable"),
        (fault(-32001), "NoTask"),
        (fault(-32601), "CallRefused"),
        (fault("x", {"a": 1}), "CallRefused"),
        (Answer(200, None), "CallRefused"),
        (Answer(401, None), "CallRefused"),
    ],
)
def test_what_the_agent_answers_to_the_cancellation_is_its_own_word(answer, said):
    dialect = DIALECTS[CallProtocol.A2A]
    dialect.judge(TASK, result(task("TASK_STATE_CANCELED")))
    with pytest.raises(Refused) as caught:
        dialect.judge(TASK, answer)
    assert caught.value.reason == said
    assert str(caught.value).isprintable()


def test_a_task_that_has_ended_needs_nothing_and_one_that_is_not_there_cannot_be_ended():
    dialect, want = DIALECTS[CallProtocol.A2A], {"ended": True}
    assert dialect.obstacle(TASK, want, {"exists": True, "ended": False}) is None
    assert dialect.obstacle(TASK, want, {"exists": True, "ended": True})[0] == "NotNeeded"
    assert dialect.obstacle(TASK, want, {"exists": False, "ended": True})[0] == "NoTask"
