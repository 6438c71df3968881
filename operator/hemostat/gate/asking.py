"""For how long people have been asked: only that time counts against who does not answer (pure)."""

from datetime import datetime

from hemostat.api.remediation import Asked, RemediationStatus


def asking(status: RemediationStatus, now: datetime, *, asks: bool) -> RemediationStatus:
    """Return the status with what is known of it now: the same one where nothing changed.

    What it was held back in between, by a freeze or because nothing fired, does not count; what was asked before does,
    so that a signal that comes and goes does not keep everybody from being paged.
    """
    asked = status.asked or Asked()
    if asks and asked.since_time is None:
        return status.model_copy(update={"asked": asked.model_copy(update={"since_time": now})})
    if not asks and asked.since_time is not None:
        seconds = asked.seconds + max(0, int((now - asked.since_time).total_seconds()))
        return status.model_copy(update={"asked": Asked(seconds=seconds)})
    return status
