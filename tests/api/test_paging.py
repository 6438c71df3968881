"""That a person is really called: `act` on a real API server, a real Prometheus with the generated rules, a real
Alertmanager, and who it calls. All times of the rules are a hundredth of what they are.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api import objects
from tests.api.live import scrape
from tests.api.programs import alertmanager, prometheus, until
from tests.api.proposals import ASK, World
from tests.api.support import Cluster
from tests.api.test_alertmanager import at, served
from tests.api.test_gone import running

from hemostat.alerting import groups
from hemostat.api.identity import ACKNOWLEDGED, ACT_USER
from hemostat.api.meta import TargetRef
from hemostat.api.watch import AlertSignal
from hemostat.signals.alert import concerns
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]
PACE = 0.01
UNANSWERED, SILENT, WATCHDOG = "HemostatApprovalUnanswered", "HemostatActSilent", "HemostatWatchdog"


class Pager:
    """Who is called: takes Alertmanager's notifications, and knows how each alert stands."""

    def __init__(self) -> None:
        self._alerts: dict[str, Json] = {}
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                pager._alerts |= {alert["fingerprint"]: alert for alert in body["alerts"]}
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def about(self, name: str, status: str = "firing", **labels: str) -> Json:
        """Return the alert of this name that stands so, or nothing."""
        wanted = {"alertname": name, **labels}
        found = (a for a in list(self._alerts.values()) if a["status"] == status)
        return next((a for a in found if wanted.items() <= a["labels"].items()), {})


@contextmanager
def called() -> Iterator[Pager]:
    pager = Pager()
    thread = threading.Thread(target=pager.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield pager
    finally:
        pager.server.shutdown()
        pager.server.server_close()
        thread.join(5)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ApiServer() as server:
        cluster = Cluster(server)
        cluster.install()
        yield World(cluster)


@pytest.mark.timeout(240)
def test_whoever_is_waited_for_is_called_and_so_is_who_can_mend_act(world: World, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups(PACE)}))
    made = {name: world.propose(world.trouble(ASK, name))["metadata"] for name in ("first", "second")}
    with ExitStack() as stack:
        pager = stack.enter_context(called())
        webhook, port = stack.enter_context(served(None))
        sender = stack.enter_context(alertmanager(tmp_path, [pager.url, at(port)]))
        act = ExitStack()
        own = stack.enter_context(act).enter_context(running(world.cluster, "act", ACT_USER, tmp_path))
        more = {
            "rule_files": [str(tmp_path / "rules.yaml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{sender}"]}]}]},
        }
        stack.enter_context(prometheus(tmp_path / "prometheus", [scrape("hemostat", f"127.0.0.1:{own}")], more=more))

        until(lambda: pager.about(WATCHDOG), 30, "the watchdog is heard")
        page = until(lambda: pager.about(UNANSWERED, namespace=ASK), 60, "somebody is asked to decide")
        name = page["labels"]["remediation"]
        assert name in made
        assert page["labels"]["severity"] == "critical"
        assert page["annotations"]["summary"].startswith(f"{ASK}/{name} has waited for a person for ")
        assert f"kubectl hemostat approve -n {ASK} {name} (or deny)" in page["annotations"]["description"]

        # who takes the Incident on is not called for it any more; of the other one somebody is told now
        other = next(n for n in made if n != name)
        incident = objects.KINDS["Incident"].path(ASK, name)
        world.cluster.admin.merge_patch(incident, {"metadata": {"annotations": {ACKNOWLEDGED: "admin"}}}, "tests")
        until(lambda: pager.about(UNANSWERED, remediation=other), 30, "the next one is told")
        until(lambda: pager.about(UNANSWERED, "resolved", remediation=name), 30, "the first one is not any more")
        world.cluster.admin.delete(objects.KINDS["Remediation"].path(ASK, other), made[other]["uid"])
        until(lambda: pager.about(UNANSWERED, "resolved", remediation=other), 30, "what is gone waits for nobody")

        # what came back to Hemostat itself is about none of its Watches, not even one that asks for it
        (kept, *_) = [alert for alert, _ in webhook.about((UNANSWERED,), ASK)]
        assert not concerns(kept, AlertSignal(names=(UNANSWERED,)), ASK, TargetRef(name=name))

        until(lambda: not pager.about(SILENT), 30, "act is heard")
        act.close()
        silent = until(lambda: pager.about(SILENT), 60, "somebody is told that act is silent")
        assert "kubectl logs -n hemostat-system deploy/hemostat-act" in silent["annotations"]["description"]
