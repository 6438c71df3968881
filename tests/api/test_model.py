"""Models are asked through the real litellm, at a provider on loopback that does everything that providers do.

No test reaches a real provider: the addresses of all that are used here are loopback's.
"""

import json
import logging
import os
import resource
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest
from tests.api import provider
from tests.api.frameworks import served
from tests.api.provider import Provider

from hemostat.diagnosis import model
from hemostat.diagnosis.answer import Call, Offer
from hemostat.diagnosis.completion import MAX_TOKENS, at_most
from hemostat.diagnosis.model import MAX_ASKED, LiteLLM, connect
from hemostat.diagnosis.panel.reply import Verdict, parse, schema
from hemostat.diagnosis.provider import Costly
from hemostat.errors import Broken, Refused, Retry
from hemostat.settings import Settings
from hemostat.telemetry.prices import table

KEY = "zebra-quagga-key-0815"
SCHEMA = schema(Verdict)
USER = [{"role": "system", "content": "You find causes."}, {"role": "user", "content": "why does okapi fail?"}]
LOOK = Offer("look", "Looks.", {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]})
FREE = {"input_cost_per_token": 0, "output_cost_per_token": 0}
PRICES = table({"gpt-x": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-5}, "other": FREE}, "test")
GOOD = json.dumps(provider.verdict())


@pytest.fixture
def asking(monkeypatch):
    """Return what asks one model of each of these providers."""
    with ExitStack() as stack:

        def make(*providers, names=("openai/gpt-x", "hosted_vllm/other")):
            for one, prefix in zip(providers, ("OPENAI", "HOSTED_VLLM"), strict=False):
                url = stack.enter_context(served(one.application()))
                monkeypatch.setenv(f"{prefix}_API_BASE", f"{url}/v1")
                monkeypatch.setenv(f"{prefix}_API_KEY", KEY)
            made = connect(Settings(models=names[: len(providers)]), PRICES)
            assert made is not None
            return made

        yield make


def ask(made, seconds=20.0, tools=(), messages=USER):
    return made.ask(messages, schema=SCHEMA, tools=tools, deadline=time.monotonic() + seconds)


def test_no_models_no_litellm():
    code = (
        "import sys; from hemostat.diagnosis.model import connect; from hemostat.settings import Settings;"
        "from hemostat.telemetry.prices import Prices;"
        "assert connect(Settings.read({}), Prices()) is None; print('litellm' in sys.modules, 'httpx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_importing_litellm_reaches_no_network_and_reads_no_env_file(tmp_path):
    (tmp_path / ".env").write_text("FROM_A_FILE=1\n")
    code = (
        "import os, socket, sys\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from hemostat.diagnosis.model import LiteLLM\n"
        "from hemostat.telemetry.pricelist import load\n"
        "made = LiteLLM(['openai/gpt-4o', 'claude-sonnet-4-5'], load())\n"
        "print(made.provider_of('claude-sonnet-4-5'), 'FROM_A_FILE' in os.environ)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["anthropic", "False"]
    assert done.stderr == ""


def test_a_model_is_asked_where_nothing_can_be_written():
    """The pod's file system is read-only, and Python finds no directory for temporary files."""
    one = Provider(provider.says(GOOD))
    with served(one.application()) as url:
        code = (
            "import tempfile\ntempfile._candidate_tempdir_list = lambda: ['/nowhere']\n"
            "from tests.api.test_model import PRICES, Settings, ask, connect\n"
            "print(ask(connect(Settings(models=('openai/gpt-x',)), PRICES)).model)\n"
            "try: tempfile.gettempdir()\nexcept FileNotFoundError: print('nowhere')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | {"OPENAI_API_BASE": f"{url}/v1", "OPENAI_API_KEY": KEY},
        )
    assert done.stdout.split() == ["openai/gpt-x", "nowhere"], done.stderr


@pytest.mark.parametrize("wrong", [ImportError("no module of it"), OSError("no space"), RuntimeError("who knows")])
def test_what_cannot_be_imported_stops_nothing_and_is_told_whoever_asks(monkeypatch, caplog, wrong):
    def fail():
        raise wrong

    monkeypatch.setattr(model, "_load", fail)
    made = connect(Settings(models=("openai/gpt-x",)), PRICES)
    with pytest.raises(Refused, match=str(wrong)) as raised:
        ask(made)
    assert raised.value.reason == "NotLoaded"
    assert str(wrong) in caplog.text


def test_a_model_that_nobody_knows_stops_the_start_and_names_the_setting():
    with pytest.raises(Broken, match=r"HEMOSTAT_MODELS.*nonsense/x"):
        LiteLLM(["nonsense/x"], PRICES)


def test_an_answer_comes_with_what_it_cost(asking):
    one = Provider(provider.says(GOOD))
    answer = ask(asking(one))
    assert parse(Verdict, answer.text) == Verdict.model_validate_json(GOOD)
    assert (answer.tokens_in, answer.tokens_out, answer.tokens_cached) == (1200, 34, 1024)
    assert answer.usd == pytest.approx(1200e-6 + 34e-5)
    assert (answer.model, answer.calls) == ("openai/gpt-x", ())


def test_the_schema_and_the_bounds_are_in_the_request(asking):
    one = Provider(provider.says(GOOD))
    ask(asking(one))
    (sent,) = one.requests
    assert sent["model"] == "gpt-x"
    assert sent["messages"] == USER
    assert sent["response_format"]["json_schema"] == {"name": "reply", "schema": SCHEMA, "strict": True}
    assert sent["max_tokens"] == MAX_TOKENS
    assert one.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_tools_are_offered_and_their_calls_come_back(asking):
    one = Provider(provider.calls(("look", {"what": "logs"}), ("look", {"what": "rm -rf"})))
    answer = ask(asking(one), tools=[LOOK])
    (sent,) = one.requests
    assert sent["tools"][0]["function"]["parameters"] == LOOK.arguments
    assert "response_format" in sent
    assert [(c.name, json.loads(c.arguments)) for c in answer.calls] == [
        ("look", {"what": "logs"}),
        ("look", {"what": "rm -rf"}),
    ]
    assert isinstance(answer.calls[0], Call)


def test_a_model_that_takes_no_schema_is_asked_without_and_remembered(asking):
    one = Provider(provider.failed(400, "response_format is not supported"), provider.says(GOOD))
    made = asking(one)
    for _ in range(2):
        assert ask(made).text == GOOD
    assert ["response_format" in sent for sent in one.requests] == [True, False, False]


@pytest.mark.parametrize("after", [None, 0.5])
def test_what_passes_is_tried_again(asking, after):
    one = Provider(provider.limited(after), provider.failed(500), provider.says(GOOD))
    began = time.monotonic()
    assert ask(asking(one)).text == GOOD
    assert len(one.requests) == 3
    assert time.monotonic() - began >= (after or 0)


@pytest.mark.parametrize(
    "bad",
    [
        provider.limited(after=600),
        provider.failed(401, f"Incorrect API key provided: {KEY}"),
        provider.failed(404, "no such model"),
        provider.failed(400, f"bad request: okapi {KEY}"),
        provider.cut(),
        provider.EMPTY,
        provider.REFUSAL,
        provider.FILTERED,
        provider.LONG_WINDED,
        provider.bomb(64),
        provider.Reply(b"[]"),
        provider.Reply(b"{}"),
        provider.Reply(b"null"),
        provider.Reply(b'{"choices": []}'),
        provider.Reply(b"<html>gateway</html>", 502, {"Content-Type": "text/html"}),
        provider.Reply(b"[" * 100_000),
    ],
    ids=lambda reply: f"{reply.status}-{reply.body[:30]!r}",
)
def test_another_provider_stands_in_for_one_that_does_not_answer(asking, bad):
    first, second = Provider(bad), Provider(provider.says(GOOD))
    answer = ask(asking(first, second))
    assert (answer.model, answer.text) == ("hosted_vllm/other", GOOD)
    worked = bad.status == 200
    assert (answer.usd > 0) == worked, "it costs nothing itself; what the first one used, or may have, is paid for"
    assert first.requests


def test_a_model_without_a_price_counts_as_a_dear_one_and_the_log_says_so(asking, caplog):
    """It counted as nothing: no limit on money held, and nobody was told."""
    answer = ask(asking(Provider(provider.says(GOOD)), names=("openai/nobody-knows-it",)))
    assert answer.usd == pytest.approx(75e-6 * (answer.tokens_in + answer.tokens_out))
    assert "the price of openai/nobody-knows-it is not known" in caplog.text
    assert "HEMOSTAT_PRICES_FILE" in caplog.text


@pytest.mark.parametrize(
    ("bad", "costs"),
    [
        (provider.dripping(0.2), True),
        (provider.cut(), True),
        (provider.failed(504), True),
        (provider.failed(503), False),
        (provider.limited(after=60), False),
        (None, False),
    ],
    ids=["too late", "cut off", "504", "503", "429", "nobody there"],
)
def test_what_may_have_been_worked_on_is_charged_with_the_most_it_can_have_used(asking, monkeypatch, bad, costs):
    """Else a model that answers just too late would be asked for ever, for money that nobody counts."""
    made = asking(Provider(bad or provider.failed(503)))
    if bad is None:
        monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    with pytest.raises(Costly) as raised:
        ask(made, 2)
    tokens = raised.value.spent.tokens_in + raised.value.spent.tokens_out
    assert tokens % at_most(USER) == 0
    assert (tokens > 0, raised.value.spent.usd > 0) == (costs, costs)


@pytest.mark.parametrize(
    ("bad", "kind", "reason"),
    [
        (provider.failed(401, f"Incorrect API key provided: {KEY}"), Refused, "BadKey"),
        (provider.failed(403, KEY), Refused, "BadKey"),
        (provider.failed(404), Refused, "NoSuchModel"),
        (provider.failed(400, f"{KEY} okapi"), Refused, "BadRequest"),
        (
            provider.failed(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
            Refused,
            "PromptTooLong",
        ),
        (provider.REFUSAL, Refused, "ModelRefused"),
        (provider.LONG_WINDED, Refused, "AnswerTooLong"),
        (provider.huge(8), Refused, "AnswerTooLong"),
        (provider.limited(after=3600), Retry, None),
        (provider.failed(503), Retry, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_why_nobody_answers_is_told_without_key_and_prompt(asking, bad, kind, reason, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(kind) as raised:
        ask(asking(Provider(bad)), 6)
    assert getattr(raised.value, "reason", None) == reason
    assert "openai/gpt-x" in str(raised.value)
    captured = capfd.readouterr()
    everything = str(raised.value) + caplog.text + captured.out + captured.err + _chain(raised.value)
    for secret in (KEY, "okapi", "You find causes"):
        assert secret not in everything


def _chain(error):
    """Return all that a traceback of this error would show."""
    found, seen = [], error
    while seen is not None and len(found) < 20:
        found.append(repr(seen))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return " ".join(found)


def test_no_key_is_a_bad_key(monkeypatch, asking):
    made = asking(Provider(provider.says(GOOD)))
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(Refused) as raised:
        ask(made, 5)
    assert raised.value.reason == "BadKey"


def test_no_canary_reaches_the_provider(asking):
    one = Provider(provider.says(GOOD))
    messages = [{"role": "user", "content": "DB_PASSWORD=zebraquagga, ada@example.com, postgres://u:okapi@db/x"}]
    ask(asking(one), messages=messages)
    for canary in ("zebraquagga", "ada@", "okapi"):
        assert canary not in json.dumps(one.requests)


def test_a_slow_drip_ends_at_the_deadline(asking):
    began = time.monotonic()
    with pytest.raises(Retry, match="no whole answer"):
        ask(asking(Provider(provider.dripping(0.05))), 1.0)
    assert time.monotonic() - began < 8
    ends = time.monotonic() + 5
    while time.monotonic() < ends and any(t.name == "model" for t in threading.enumerate()):
        time.sleep(0.05)
    assert not any(t.name == "model" for t in threading.enumerate()), "what nobody waits for ends too"


def test_so_many_are_asked_at_once_and_the_others_wait(asking):
    one = Provider(lambda _: provider.Reply(provider.says(GOOD).body, pause=0.001))
    made = asking(one)
    found = []
    threads = [threading.Thread(target=lambda: found.append(ask(made).text)) for _ in range(2 * MAX_ASKED)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [GOOD] * 2 * MAX_ASKED


@pytest.mark.parametrize("bad", [provider.huge(512), provider.bomb(512)], ids=["huge", "bomb"])
def test_an_endless_answer_takes_no_memory(asking, bad):
    made = asking(Provider(bad))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((Refused, Retry)):
        ask(made, 10)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_a_redirect_takes_no_prompt_along(asking, anthropic):
    """Neither of litellm's two clients; one of them follows redirects."""
    other = Provider(provider.says(GOOD))
    with served(other.application()) as url:
        for make, path in ((asking, "/v1/chat/completions"), (anthropic, "/v1/messages")):
            with pytest.raises((Refused, Retry)):
                ask(make(Provider(provider.elsewhere(url + path))), 3)
    assert other.requests == []


def test_who_tells_no_usage_is_charged_an_estimate(asking):
    answer = ask(asking(Provider(provider.no_usage(GOOD))))
    assert answer.tokens_in > 10
    assert answer.tokens_out > 10
    assert answer.usd > 0


@pytest.mark.parametrize("bad", [provider.WRONG_SCHEMA, provider.INVALID_FIELDS, provider.TRUNCATED, provider.PROSE])
def test_what_does_not_keep_to_the_schema_is_given_on_for_repair(asking, bad):
    answer = ask(asking(Provider(bad)))
    assert isinstance(parse(Verdict, answer.text), str)
    assert answer.tokens_out > 0


@pytest.mark.parametrize(
    "bad",
    [provider.HALLUCINATED_IDS, provider.CITES_NOTHING, provider.UNKNOWN_ACTION, provider.OBEYS_THE_ATTACKER],
)
def test_what_keeps_to_the_schema_is_given_on_to_be_judged(asking, bad):
    answer = ask(asking(Provider(bad)))
    assert isinstance(parse(Verdict, answer.text), Verdict)


@pytest.fixture
def anthropic(monkeypatch):
    """Return what asks a model of another provider's API, which litellm speaks with a client of its own."""
    with ExitStack() as stack:

        def make(one):
            monkeypatch.setenv("ANTHROPIC_API_BASE", stack.enter_context(served(one.application())))
            monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
            made = connect(Settings(models=("anthropic/claude-sonnet-4-5",)), PRICES)
            assert made is not None
            return made

        yield make


def test_another_api_is_asked_alike(anthropic):
    one = Provider(
        provider.anthropic({"type": "tool_use", "name": "look", "input": {"what": "logs"}}),
        provider.anthropic({"type": "text", "text": GOOD}),
    )
    made = anthropic(one)
    asked = ask(made, tools=[LOOK])
    (call,) = asked.calls
    assert (call.name, json.loads(call.arguments)) == ("look", {"what": "logs"})
    assert (asked.tokens_in, asked.tokens_cached, asked.tokens_out) == (1200, 1000, 34)
    function = {"name": call.name, "arguments": call.arguments}
    told = [
        *USER,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call.id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "nothing but DB_PASSWORD=zebraquagga"},
    ]
    assert ask(made, messages=told).text == GOOD, "the last turn offers no tools, and has calls in what was said"
    assert "zebraquagga" not in json.dumps(one.requests)
    assert one.headers[0]["x-api-key"] == KEY


@pytest.mark.parametrize(
    ("bad", "kind", "reason"),
    [
        (provider.huge(64), Refused, "AnswerTooLong"),
        (provider.dripping(0.05), Retry, None),
        (provider.failed(401, KEY), Refused, "BadKey"),
        (provider.limited(after=3600), Retry, None),
        (provider.cut(), (Refused, Retry), None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_another_api_has_the_same_bounds(anthropic, bad, kind, reason):
    began = time.monotonic()
    with pytest.raises(kind) as raised:
        ask(anthropic(Provider(bad)), 2)
    assert time.monotonic() - began < 8
    assert reason in (None, getattr(raised.value, "reason", None))
    assert KEY not in str(raised.value) + _chain(raised.value)


def test_litellm_s_own_debugging_tells_nothing(asking):
    """Nor does it to a process that logs everything."""
    one = Provider(provider.says(GOOD), provider.failed(400, KEY))
    with served(one.application()) as url:
        code = (
            "import logging\nlogging.basicConfig(level=logging.DEBUG)\nfrom tests.api.test_model import ask\n"
            "from hemostat.diagnosis.model import connect\nfrom hemostat.settings import Settings\n"
            "from hemostat.telemetry.prices import Prices\n"
            "made = connect(Settings(models=('openai/gpt-x',)), Prices())\n"
            "for _ in range(2):\n"
            "    try: ask(made)\n"
            "    except Exception as error: print(error)\n"
        )
        secrets = {"OPENAI_API_BASE": f"{url}/v1", "OPENAI_API_KEY": KEY, "LITELLM_LOG": "DEBUG"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            env=os.environ | secrets,
        )
    assert "BadRequest" in done.stdout
    assert len(one.requests) == 3
    for secret in (KEY, "okapi", "You find causes"):
        assert secret not in done.stdout + done.stderr
