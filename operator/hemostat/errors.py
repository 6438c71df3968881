"""The exceptions of Hemostat. Each says what the caller must do with it.

HemostatError
├── Retry      the world was not ready; do the same again later (`delay_seconds`)
├── Refused    asked for something that must not be done; a person has to change something
└── Broken     our own configuration or code is wrong; stop and say so
"""


class HemostatError(Exception):
    """Base of every error that Hemostat raises on purpose."""


class Retry(HemostatError):
    """A passing fault: the API server, Prometheus or a race said "not now".

    :param message: what was not ready, for the log.
    :param delay_seconds: how long to wait before the same step is tried again.
    """

    def __init__(self, message: str, delay_seconds: float = 2.0) -> None:
        super().__init__(message)
        self.delay_seconds = delay_seconds


class Refused(HemostatError):
    """The request is understood and will not be carried out.

    :param reason: CamelCase word for a condition's `reason`.
    :param message: what the person has to change.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Broken(HemostatError):
    """Hemostat itself is misconfigured (duplicate action, unreadable setting): never carry on."""
