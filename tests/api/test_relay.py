"""`hemostat relay` end to end: the real process with the real slack libraries, between a Slack on loopback and a real
API server with its policies and roles. What people do in Slack becomes one Approval, or a clear answer.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.api import objects
from tests.api.frameworks import served
from tests.api.objects import HASH_A, HASH_B
from tests.api.programs import answers, free_port, until
from tests.api.slackserver import APP_TOKEN, BOT_TOKEN, CHANNEL, Fault, SlackServer
from tests.api.support import RBAC, Cluster, eventually, refusal, rest

from hemostat.api.identity import NAMESPACE, OBSERVE_USER, PEOPLE, RELAY_USER
from hemostat.api.rbac import people
from hemostat.clock import rfc3339
from hemostat_chaos.cluster import spawn

Json = dict[str, Any]
ANN, BEN, CARL, STRANGER = "U0ANN", "U0BEN", "U0CARL", "U0NOBODY"
MAPPED = {ANN: "ann\nsre", BEN: "ben", CARL: "carl"}
"""ann may approve by her group, ben by name, carl not at all."""
APPROVE, DENY, SNOOZE, EXPLAIN = (f"hemostat_{name}" for name in ("approve", "deny", "snooze", "explain"))
SECONDS = 60.0
"""Everything here takes a second or two; the machine that runs it may stop for long."""
DIFF = "--- now\n+++ after\n-  SHOP_FAIL_PERCENT\n+  SHOP_WORK_MS <!channel>"


class Relaying:
    """The process, and what it talks to."""

    def __init__(self, cluster: Cluster, slack: SlackServer, url: str, folder: Path, namespace: str) -> None:
        self.cluster, self.slack, self._url, self._folder, self._namespace = cluster, slack, url, folder, namespace
        self._log = folder / "relay.log"
        for name, token in (("bot", BOT_TOKEN), ("app", APP_TOKEN)):
            (folder / name).write_text(token + "\n")
        (folder / "people").mkdir()
        for key, value in MAPPED.items():
            (folder / "people" / key).write_text(value)
        self._process: Any = None

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def start(self, **settings: str) -> None:
        port = free_port()
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}")
        environment = {
            "KUBECONFIG": str(self.cluster.server.user_kubeconfig(RELAY_USER, groups)),
            "HEMOSTAT_HTTP_PORT": str(port),
            "HEMOSTAT_LOG_LEVEL": "DEBUG",
            "HEMOSTAT_SLACK_API_URL": f"{self._url}/api",
            "HEMOSTAT_SLACK_BOT_TOKEN_FILE": str(self._folder / "bot"),
            "HEMOSTAT_SLACK_APP_TOKEN_FILE": str(self._folder / "app"),
            "HEMOSTAT_SLACK_CHANNELS": f"{self._namespace}={CHANNEL}",  # the API server is other tests' too
            "HEMOSTAT_SLACK_PEOPLE": str(self._folder / "people"),
        }
        self._process = spawn.background(
            [sys.executable, "-m", "hemostat", "relay"], self._log, env=os.environ | environment | settings
        )
        until(lambda: self.running and answers(f"http://127.0.0.1:{port}/readyz"), SECONDS, "relay is ready")

    @property
    def running(self) -> bool:
        assert self._process.poll() is None, self.log
        return True

    def kill(self) -> None:
        """End it at once, wherever it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def stop(self) -> int:
        """End it in an orderly way, and return its status."""
        spawn.end(self._process, grace=30)
        return int(self._process.returncode)

    def connected(self) -> None:
        until(lambda: self.slack.connected, SECONDS, "a connection by Socket Mode")

    def click(self, message: Json, action: str, user: str, **changed: Any) -> str:
        """Press a button and return what only who pressed it is told."""
        return self.told(self.slack.press(message, action, user, **changed))

    def window(self, message: Json, action: str, user: str) -> Json:
        """Press a button that opens a window, again if it was too late for that, and return the window."""

        def opened() -> Json | None:
            said = len(self.slack.whispers)
            self.slack.tell(self.slack.press(message, action, user))
            until(lambda: self.slack.views or len(self.slack.whispers) > said, SECONDS, "a window, or a word")
            return self.slack.views[0] if self.slack.views else None

        found: Json = until(opened, SECONDS, "a window")
        return found

    def told(self, payload: Json) -> str:
        before = len(self.slack.whispers)
        envelope = self.slack.tell(payload)
        until(lambda: any(a["envelope_id"] == envelope for a in self.slack.acked), SECONDS, "acknowledged")
        until(lambda: len(self.slack.whispers) > before, SECONDS, f"an answer; {self.log[-3000:]}")
        return str(self.slack.whispers[-1]["blocks"][0]["elements"][0]["elements"][0]["text"])


@pytest.fixture(scope="module")
def mapped(cluster: Cluster) -> Iterator[None]:
    """Have the people known to the admission policy, too."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PEOPLE, "namespace": NAMESPACE}}
    made = cluster.make({**body, "data": MAPPED})
    yield
    cluster.admin.delete(rest("configmaps", NAMESPACE, name=PEOPLE), made["metadata"]["uid"])


@pytest.fixture
def relaying(cluster: Cluster, mapped: None, namespace: str, tmp_path: Path) -> Iterator[Relaying]:
    slack = SlackServer()
    with served(slack.application()) as url:
        made = Relaying(cluster, slack, url, tmp_path, namespace)
        try:
            yield made
        finally:
            made.kill()  # kopf takes five seconds to end
            for secret in (BOT_TOKEN, APP_TOKEN, "secret-"):
                assert secret not in made.log  # whatever happened in this test, and at the level DEBUG


class Shop:
    """A namespace in trouble, as `observe` and `act` write it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        cluster.grant("sre", namespace, kind="Group", role="hemostat-approver")
        cluster.grant("ben", namespace, role="hemostat-approver")
        now = datetime.now(UTC)
        spec = {**objects.MINIMAL["Incident"], "startedTime": rfc3339(now), "openedTime": rfc3339(now)}
        self.incident = cluster.make(objects.named("Incident", spec, "payment-1", namespace))
        self.uid = self.incident["metadata"]["uid"]
        self.status: Json = {
            "summary": "58.3% of 36 calls checkout -> <!channel> fail",
            "severity": "Critical",
            "evidence": [
                {
                    "id": "E1",
                    "key": "signal",
                    "kind": "Signal",
                    "subject": "checkout",
                    "summary": "ErrorRate is 58 %, see https://evil.example",
                    "observedTime": rfc3339(now),
                    "plot": {
                        "unit": "%",
                        "startTime": rfc3339(now - timedelta(seconds=60)),
                        "seconds": [0, 30, 60],
                        "values": ["0", "1", "58"],
                    },
                }
            ],
        }
        self.write()

    def write(self, **more: Any) -> None:
        self.status |= more
        live = self.cluster.admin.get(objects.KINDS["Incident"].path(self.namespace, "payment-1"))
        self.cluster.set_status(live, self.status)

    def propose(self, name: str = "rollback-1", plan_hash: str = HASH_A, diff: str = DIFF, quorum: int = 1) -> Json:
        """Propose it, plan it, and have the gate ask for people."""
        body = objects.moved(objects.remediation(name, OBSERVE_USER), self.namespace)
        made = self.cluster.make(body, self.cluster.observe)
        decision = {
            "outcome": "NeedsApproval",
            "checks": [{"name": "Policy", "outcome": "Ask", "message": "GatePolicy ask wants a person to decide"}],
            "quorum": quorum,
            "time": rfc3339(datetime.now(UTC)),
        }
        planned = {"plan": {**objects.PLAN, "diff": diff}, "planHash": plan_hash, "decision": decision}
        made = self.cluster.set_status(made, planned, self.cluster.act)
        word = objects.moved(objects.approval(name, plan_hash, "ben", "probe"), self.namespace)
        ben = self.cluster.user("ben")
        path = objects.KINDS["Approval"].path(self.namespace)

        def known() -> bool:
            return not refusal(lambda: ben.create(path, word, "t", dry_run=True))

        eventually(known, "the plan known to the policy")
        self.write(remediationRef={"name": name})
        return made

    def admit(self, name: str, reason: str = "Approved") -> None:
        """Have `act` admit it."""
        live = self.cluster.admin.get(objects.KINDS["Remediation"].path(self.namespace, name))
        condition = objects.condition("Admitted") | {"reason": reason}
        self.cluster.set_status(live, {**live["status"], "conditions": [condition]}, self.cluster.act)

    def approvals(self) -> list[Json]:
        return self.cluster.admin.list(objects.KINDS["Approval"].path(self.namespace))


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Shop:
    return Shop(cluster, namespace)


def texts(blocks: Any) -> list[str]:
    if isinstance(blocks, dict):
        own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
        return own + [t for v in blocks.values() for t in texts(v)]
    return [t for item in blocks for t in texts(item)] if isinstance(blocks, list) else []


def buttons(message: Json) -> set[str]:
    return {e["action_id"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]}


def root(relaying: Relaying, shop: Shop, shows: str = "Proposed  ") -> Json:
    """Wait until the one message of the Incident shows this, and return it."""

    def there() -> Json | None:
        assert relaying.running
        found = relaying.slack.roots(shop.uid)
        return found[0] if found and any(shows in t for t in texts(found[0]["blocks"])) else None

    found: Json = until(there, SECONDS, f"{shows!r} in the message; {relaying.log[-3000:]}")
    assert len(relaying.slack.roots(shop.uid)) == 1
    return found


# --- The ordinary course


def test_from_trouble_to_an_approval_by_two_people(relaying: Relaying, shop: Shop) -> None:
    shop.propose(quorum=2)
    relaying.start()
    relaying.connected()
    message = root(relaying, shop, "0 of 2 people approved")
    said = "\n".join(texts(message["blocks"]))
    for part in ("Critical", "58.3% of 36 calls", DIFF, "wants a person to decide", "ann, ben"):
        assert part in said, part
    assert "carl" not in said  # he is known, and may not
    assert buttons(message) == {APPROVE, DENY, SNOOZE, EXPLAIN}
    (picture,) = until(lambda: relaying.slack.replies(message["ts"]), SECONDS, "a picture in the thread")
    assert picture["files"][0]["data"].startswith(b"\x89PNG")

    assert "Approved by ann" in relaying.click(message, APPROVE, ANN)
    message = root(relaying, shop, "1 of 2 people approved (ann)")
    assert "Approved by ben" in relaying.click(message, APPROVE, BEN)
    found = {a["spec"]["approver"]: a["spec"] for a in shop.approvals()}
    assert set(found) == {"ann", "ben"}
    assert found["ann"] == {
        "remediation": "rollback-1",
        "planHash": HASH_A,
        "decision": "Approve",
        "approver": "ann",
        "groups": ["sre"],
        "reason": "",
        "via": "Slack",
        "validForSeconds": 900,
    }
    shop.admit("rollback-1")
    message = root(relaying, shop, "Admitted: Approved")
    assert buttons(message) == {EXPLAIN}
    shop.write(conditions=[objects.condition("Resolved") | {"reason": "Healed"}])
    message = root(relaying, shop, "resolved (Healed)")
    assert buttons(message) == set()
    assert len(relaying.slack.of("chat.postMessage")) == 1  # one thread, and it was written over
    assert relaying.stop() == 0


def test_a_denial_asks_why_and_says_so(relaying: Relaying, shop: Shop) -> None:
    shop.propose()
    relaying.start()
    relaying.connected()
    view = relaying.window(root(relaying, shop), DENY, BEN)
    (field,) = (b for b in view["blocks"] if b["type"] == "input")
    values = {field["block_id"]: {field["element"]["action_id"]: {"type": "plain_text_input", "value": "not today"}}}
    assert "Denied by ben" in relaying.told(relaying.slack.submit(view, BEN, values))
    (word,) = shop.approvals()
    assert (word["spec"]["decision"], word["spec"]["reason"]) == ("Deny", "not today")


def test_explain_and_snooze(relaying: Relaying, shop: Shop) -> None:
    shop.propose()
    relaying.start(HEMOSTAT_SLACK_REMIND_SECONDS="1")
    relaying.connected()
    message = root(relaying, shop)
    reminder = until(
        lambda: [m for m in relaying.slack.replies(message["ts"]) if "Still waiting" in m["text"]], SECONDS, "reminded"
    )
    assert len(reminder) == 1
    assert "for an hour" in relaying.click(message, SNOOZE, BEN)
    root(relaying, shop, "Nobody is reminded until")
    assert "may not decide" in relaying.click(message, SNOOZE, CARL)
    view = relaying.window(message, EXPLAIN, CARL)
    assert "GatePolicy ask wants a person to decide" in texts(view["blocks"])
    assert shop.approvals() == []


def test_as_the_person_where_the_api_server_lets_it(relaying: Relaying, shop: Shop, cluster: Cluster) -> None:
    """The API server then knows who it is: its own audit log and RBAC speak of the person."""
    made = [cluster.make(body) for body in people(("ann",), ("sre",))]
    try:
        shop.propose()
        relaying.start()
        relaying.connected()
        assert "Approved by ann" in relaying.click(root(relaying, shop), APPROVE, ANN)
    finally:
        for body in made:
            where = rest(body["kind"].lower() + "s", None, RBAC, body["metadata"]["name"])
            cluster.admin.delete(where, body["metadata"]["uid"])
    (word,) = shop.approvals()
    assert (word["spec"]["approver"], word["spec"]["via"]) == ("ann", "Slack")


# --- What must not happen


def test_a_diff_that_does_not_fit_is_not_approved_here(relaying: Relaying, shop: Shop) -> None:
    shop.propose(diff="+" + "x" * 9000)
    relaying.start()
    relaying.connected()
    message = root(relaying, shop, "Its diff does not fit here whole")
    assert buttons(message) == {DENY, SNOOZE, EXPLAIN}
    value = next(e["value"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"])
    forged = relaying.slack.pressed(message, APPROVE, value, BEN)
    assert "kubectl hemostat approve" in relaying.told(forged)
    assert shop.approvals() == []


def test_clicks_that_do_not_count_are_answered_and_change_nothing(relaying: Relaying, shop: Shop) -> None:
    shop.propose()
    relaying.start()
    relaying.connected()
    slack, message = relaying.slack, root(relaying, shop)
    before = json.loads(json.dumps(message))
    value = json.loads(slack.press(message, APPROVE, BEN)["actions"][0]["value"])

    def with_value(**changed: Any) -> Json:
        return slack.pressed(message, APPROVE, json.dumps(value | changed), BEN)

    assert "U0NOBODY" in relaying.click(message, APPROVE, STRANGER)
    assert "may not decide" in relaying.click(message, APPROVE, CARL)
    for forged in ({"plan_hash": HASH_B}, {"plan_hash": None}):
        assert "plan has changed" in relaying.told(with_value(**forged))
    for forged in ({"uid": "another"}, {"remediation": "nothing"}):
        assert "does not exist any more" in relaying.told(with_value(**forged))
    for forged in ({"namespace": "../x"}, {"more": 1}):
        assert "not made by Hemostat" in relaying.told(with_value(**forged))
    assert "not made by Hemostat" in relaying.click({**message, "bot_id": "B0OTHER"}, APPROVE, BEN)
    assert "minutes to arrive" in relaying.told(_late(slack.press(message, APPROVE, BEN)))
    for nonsense in ({"actions": []}, {"user": None}, {"message": {"ts": []}}):
        slack.tell(slack.press(message, APPROVE, BEN) | nonsense)
    for raw in ("{", "[]", '"x"', "{}", "x" * 300_000, json.dumps({"envelope_id": "e", "type": "interactive"})):
        slack.raw(raw)
    assert shop.approvals() == []
    # and it still listens
    assert "Approved by ben" in relaying.click(before, APPROVE, BEN)


def _late(payload: Json) -> Json:
    payload["actions"][0]["action_ts"] = f"{time.time() - 3600:.6f}"
    return payload


def test_a_plan_that_changed_is_shown_anew_and_the_old_button_is_void(relaying: Relaying, shop: Shop) -> None:
    shop.propose("first")
    relaying.start()
    relaying.connected()
    old = json.loads(json.dumps(root(relaying, shop)))
    shop.propose("second", HASH_B, "-a\n+another diff")
    shop.admit("first", "Superseded")
    message = root(relaying, shop, "-a\n+another diff")
    assert message["ts"] == old["ts"]
    assert "nothing left to decide" in relaying.click(old, APPROVE, BEN)
    assert shop.approvals() == []
    assert "Approved by ben" in relaying.click(message, APPROVE, BEN)
    assert [a["spec"]["remediation"] for a in shop.approvals()] == ["second"]


def test_nothing_is_done_twice(relaying: Relaying, shop: Shop) -> None:
    shop.propose(quorum=2)
    relaying.start()
    relaying.connected()
    slack, message = relaying.slack, root(relaying, shop)
    payload = slack.press(message, APPROVE, BEN)
    assert "Approved by ben" in relaying.told(payload)
    answered = len(slack.whispers)
    for _ in range(3):  # Slack tells again what it thinks was not heard
        slack.tell(payload)
    assert "You have said so already" in relaying.click(message, APPROVE, BEN)  # a second click
    assert len(slack.whispers) == answered + 1
    assert len(shop.approvals()) == 1
    relaying.kill()
    relaying.start()
    relaying.connected()
    assert "You have said so already" in relaying.told(payload)  # told again after a restart
    assert len(shop.approvals()) == 1


# --- When things go wrong


def test_a_restart_finds_the_thread_and_the_picture(relaying: Relaying, shop: Shop) -> None:
    shop.propose()
    relaying.start()
    message = root(relaying, shop)
    until(lambda: relaying.slack.replies(message["ts"]), SECONDS, "a picture")
    for number in range(8):  # others talk meanwhile: what is ours is some pages away
        chatter = {"ts": f"{time.time():.6f}", "text": "hm", "bot_id": "B0OTHER", "metadata": message["metadata"]}
        relaying.slack.messages.append(chatter | {"text": f"hm {number}"})
    relaying.kill()
    shop.write(severity="Major")
    relaying.start()

    def changed() -> bool:
        return any("Major" in t for t in texts(message["blocks"]))

    until(changed, SECONDS, f"the message is written over; {relaying.log[-3000:]}")
    assert len([m for m in relaying.slack.roots(shop.uid) if m["bot_id"] != "B0OTHER"]) == 1
    assert len(relaying.slack.replies(message["ts"])) == 1


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DROPPED])
def test_a_post_without_an_answer_makes_no_second_thread(relaying: Relaying, shop: Shop, fault: Fault) -> None:
    """It may have arrived, or not: the history says so, before it is posted again."""
    relaying.slack.fail("chat.postMessage", fault)
    shop.propose()
    relaying.start()
    root(relaying, shop)
    posts = len(relaying.slack.of("chat.postMessage"))
    assert posts == (1 if fault is Fault.LOST else 2)


def test_slack_that_limits_and_fails_is_asked_again_and_everything_arrives(relaying: Relaying, shop: Shop) -> None:
    slack = relaying.slack
    slack.fail("auth.test", Fault.BROKEN, Fault.LIMITED)
    slack.fail("apps.connections.open", Fault.LIMITED, Fault.BROKEN, Fault.DROPPED)
    slack.fail("conversations.history", Fault.LIMITED, Fault.BROKEN)
    slack.fail("chat.postMessage", Fault.LIMITED, Fault.LIMITED)
    slack.fail("files.getUploadURLExternal", Fault.BROKEN)
    shop.propose()
    relaying.start()
    message = root(relaying, shop)
    relaying.connected()
    slack.fail("chat.update", Fault.LIMITED, Fault.BROKEN, Fault.LOST)
    assert "Approved by ben" in relaying.click(message, APPROVE, BEN)
    shop.admit("rollback-1")
    root(relaying, shop, "Admitted: Approved")
    until(lambda: relaying.slack.replies(message["ts"]), SECONDS, "a picture")
    assert len(shop.approvals()) == 1


def test_a_lost_connection_is_made_anew(relaying: Relaying, shop: Shop) -> None:
    shop.propose()
    relaying.start()
    relaying.connected()
    message = root(relaying, shop)
    for lose in (relaying.slack.cut, relaying.slack.refresh):
        before = relaying.slack.connections
        lose()
        until(lambda before=before: relaying.slack.connections > before, SECONDS, f"another; {relaying.log[-3000:]}")
    until(lambda: relaying.slack.connected, SECONDS, "connected")
    assert "Approved by ben" in relaying.click(message, APPROVE, BEN)


def test_an_answer_that_cannot_be_given_undoes_nothing(relaying: Relaying, shop: Shop) -> None:
    shop.propose()
    relaying.start()
    relaying.connected()
    message = root(relaying, shop)
    relaying.slack.fail("chat.postEphemeral", Fault.BROKEN)
    relaying.slack.tell(relaying.slack.press(message, APPROVE, BEN))
    until(shop.approvals, SECONDS, "the Approval")
    assert "You have said so already" in relaying.click(message, APPROVE, BEN)


def test_without_slack_it_waits_and_is_alive(relaying: Relaying, shop: Shop) -> None:
    """Slack's trouble is not ours: the process is ready, is not restarted, and goes on when Slack is back."""
    relaying.slack.down = True
    shop.propose()
    relaying.start()
    until(lambda: len(relaying.slack.calls) > 3, SECONDS, "some attempts")
    assert relaying.running
    relaying.slack.down = False
    root(relaying, shop)
    relaying.connected()


def test_a_scope_that_is_missing_is_named(relaying: Relaying, shop: Shop) -> None:
    relaying.slack.fail("conversations.history", *[Fault.FORBIDDEN] * 50)
    shop.propose()
    relaying.start()
    until(lambda: "the app lacks a scope" in relaying.log, SECONDS, "what to do")


@pytest.mark.parametrize("missing", ["BOT_TOKEN_FILE", "APP_TOKEN_FILE", "CHANNELS"])
def test_without_its_settings_it_says_which(relaying: Relaying, missing: str) -> None:
    with pytest.raises(AssertionError, match=f"error: .*HEMOSTAT_SLACK_{missing}"):
        relaying.start(**{f"HEMOSTAT_SLACK_{missing}": ""})
