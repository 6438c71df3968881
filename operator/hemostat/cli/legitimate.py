"""What a person calls legitimate: for how long, in which words, and the patch of the Watch that says so (pure)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hemostat.api.incident import ConversationStatus, Incident, SignalState
from hemostat.api.watch import DEFAULT_SIGNALS, ConversationTrouble, Legitimate
from hemostat.clock import parse_time
from hemostat.errors import Refused

Json = dict[str, Any]
MOST_WORDS = 64
"""As many as a Watch takes."""
LONGEST = timedelta(days=90)
_SPAN = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def lasting(text: str, option: str = "--for") -> timedelta:
    """Read a time span: `30m`, `24h`, `7d`."""
    found = _SPAN.fullmatch(text)
    span = timedelta(**{_UNITS[found.group(2)]: int(found.group(1))}) if found else timedelta(0)
    if not timedelta(0) < span <= LONGEST:
        raise Refused("BadTime", f"{option} must be a time like 30m, 24h or 7d, at most {LONGEST.days}d, not {text!r}")
    return span


def words_about(incident: Incident, until: datetime) -> dict[str, list[Legitimate]]:
    """Return, by signal of the Watch, the words that cover what the Incident says of agents.

    What fires counts; all that fired, if nothing does any more. Raises `Refused` if it is not about agents.
    """
    own = [s for s in incident.status.signals if s.conversation is not None and s.watch_ref is None]
    firing = [s for s in own if s.state is SignalState.FIRING]
    found: dict[str, list[Legitimate]] = {}
    for signal in firing or own:
        if signal.conversation is not None:
            found.setdefault(signal.name, []).extend(_words(signal.conversation, until))
    if not found:
        name = incident.metadata.name
        raise Refused(
            "NotAboutAgents", f"Incident {name} tells of no conversation of agents: nothing to call legitimate"
        )
    return {name: list(dict.fromkeys(words)) for name, words in found.items()}


def _words(trouble: ConversationStatus, until: datetime) -> list[Legitimate]:
    kind = ConversationTrouble(trouble.kind.value)
    callers = (trouble.caller,) if trouble.caller or trouble.callee else trouble.agents or ("",)
    return [Legitimate(kind=kind, caller=c, callee=trouble.callee, until_time=until) for c in callers]


def patch(watch: Json, words: Mapping[str, Sequence[Legitimate]], now: datetime) -> list[Json]:
    """Return the JSON Patch that adds the words, and takes out those that are over or said anew.

    A Watch without signals of its own has the defaults; they are then written out, for words need a place.
    """
    signals = watch["spec"].get("signals") or [s.model_dump(mode="json", by_alias=True, exclude_unset=True)
                                              for s in DEFAULT_SIGNALS]  # fmt: skip
    ops: list[Json] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": watch["metadata"]["resourceVersion"]}
    ]
    if not watch["spec"].get("signals"):
        ops.append({"op": "add", "path": "/spec/signals", "value": signals})
    at = {s["name"]: i for i, s in enumerate(signals) if s.get("conversation") is not None}
    for name, new in words.items():
        if name not in at:
            known = f"it has {', '.join(at)}" if at else "it has none about conversations"
            raise Refused("NoSuchSignal", f"Watch {watch['metadata']['name']} has no signal {name} any more; {known}")
        said = signals[at[name]]["conversation"].get("legitimate", ())
        kept = [*_kept(said, new, now), *(w.wire() for w in new)]
        if len(kept) > MOST_WORDS:
            raise Refused("TooMany", f"signal {name} has {len(said)} words, at most {MOST_WORDS} fit: remove some")
        ops.append({"op": "add", "path": f"/spec/signals/{at[name]}/conversation/legitimate", "value": kept})
    return ops


def _kept(said: Iterable[Json], new: Sequence[Legitimate], now: datetime) -> list[Json]:
    anew = {(w.kind.value, w.caller, w.callee) for w in new}
    return [
        word
        for word in said
        if parse_time(word["untilTime"]) > now
        and (word["kind"], word.get("caller", ""), word.get("callee", "")) not in anew
    ]


def told(word: Legitimate) -> str:
    """Return a word as a sentence: of whom, and of what."""
    between = f"{word.caller or 'anyone'} -> {word.callee}" if word.callee else word.caller or "anyone"
    return f"{word.kind} of {between}"


def advice(message: str, user: str, namespace: str) -> str:
    """Say what has to change so that the Watch can be patched."""
    if "cannot " in message:
        return (
            f"{user} needs the verb `patch` on `watches` (API group hemostat.dev) in namespace {namespace}: kubectl "
            f"create role hemostat-watch-editor -n {namespace} --verb=get,list,patch --resource=watches.hemostat.dev; "
            f"kubectl create rolebinding hemostat-watch-editor -n {namespace} --role=hemostat-watch-editor "
            f"--user={user}"
        )
    return "ask whoever administers Hemostat in this cluster"
