"""`hemostat relay`: kopf tells what changed, Slack who clicked; queues do the work (shell, composition root)."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import kopf

from hemostat.api.resources import APPROVAL, INCIDENT, REMEDIATION
from hemostat.errors import Broken, HemostatError
from hemostat.handlers import key_of, on_change
from hemostat.kube import Kube
from hemostat.relay.clicks import Clicks
from hemostat.relay.cluster import Cluster
from hemostat.relay.connection import Connection
from hemostat.relay.payload import Click
from hemostat.relay.slack import Slack, token_in
from hemostat.relay.threads import Key, Threads
from hemostat.settings import Settings
from hemostat.workqueue import WorkQueue

LOG = logging.getLogger(__name__)
WORKERS = 4
GATHER = 2.0
"""An Incident that is being worked on changes many times a second: so long changes are gathered."""
MAX_KNOWN = 10_000
_NEEDED = {
    "slack_bot_token_file": "HEMOSTAT_SLACK_BOT_TOKEN_FILE (a file with the bot token, xoxb-...)",
    "slack_app_token_file": "HEMOSTAT_SLACK_APP_TOKEN_FILE (a file with the app-level token, xapp-...)",
    "slack_channels": "HEMOSTAT_SLACK_CHANNELS (the id of a channel)",
}


def check(settings: Settings) -> None:
    """Raise `Broken` naming the settings that are missing."""
    missing = [what for name, what in _NEEDED.items() if not getattr(settings, name)]
    if missing:
        raise Broken(f"hemostat relay is not set up for Slack: set {'; '.join(missing)}. Everything else works without")


class Relay:
    """The process: what it is made of, and how events reach it."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        bot, app = settings.slack_bot_token_file, settings.slack_app_token_file
        slack = Slack(settings.slack_api_url, lambda: token_in(bot))
        self._cluster = cluster = Cluster(kube, settings.slack_people)
        threads = Threads(slack, cluster, dict(settings.slack_channels), settings.slack_remind_seconds)
        self._incidents: WorkQueue[Key] = WorkQueue("threads", threads.look)
        clicks = Clicks(slack, cluster, threads, self._incidents.add)
        self._clicks: WorkQueue[Click] = WorkQueue("clicks", clicks.handle)
        self._connection = Connection(slack, lambda: token_in(app), self._clicks.add)
        self._about: OrderedDict[Key, str] = OrderedDict()
        """The Incident of a Remediation."""

    def servers(self) -> tuple[Connection]:
        """What is connected."""
        return (self._connection,)

    def queues(self) -> tuple[WorkQueue[Any], ...]:
        """The queues, for the liveness probe."""
        return (self._incidents, self._clicks)

    def start(self) -> list[threading.Thread]:
        """Start the workers: one for messages, for Slack takes one a second in a channel anyhow; several for clicks."""
        for wrong in self._wrong():
            LOG.warning("people: %s", wrong)
        workers: list[WorkQueue[Any]] = [self._incidents, *[self._clicks] * WORKERS]
        threads = [threading.Thread(target=q.run, name=f"{q.name}-{i}", daemon=True) for i, q in enumerate(workers)]
        for thread in threads:
            thread.start()
        return threads

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Have kopf tell us what changed."""
        on_change(registry, INCIDENT, lambda body: self._incidents.add(key_of(body), GATHER))
        on_change(registry, REMEDIATION, self._remediation)
        on_change(registry, APPROVAL, self._approval)

    def _wrong(self) -> list[str]:
        try:
            return self._cluster.people()[1]
        except HemostatError as error:
            return [str(error)]

    def _remediation(self, body: Mapping[str, Any]) -> None:
        key, incident = key_of(body), body["spec"]["incidentRef"]["name"]
        self._about[key] = incident
        while len(self._about) > MAX_KNOWN:
            self._about.popitem(last=False)
        self._incidents.add((key[0], incident), GATHER)

    def _approval(self, body: Mapping[str, Any]) -> None:
        """Show it. Of a Remediation that is not known yet nothing is shown that could be out of date."""
        namespace = body["metadata"]["namespace"]
        incident = self._about.get((namespace, body["spec"]["remediation"]))
        if incident is not None:
            self._incidents.add((namespace, incident), GATHER)
