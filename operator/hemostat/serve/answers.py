"""How what went wrong is said over HTTP: a status, and words that tell what to do."""

from aiohttp import web

from hemostat.errors import HemostatError, Refused
from hemostat.serve.identity import BAD, FORBIDDEN, NOT_FOUND, TOO_MANY, UNAUTHENTICATED

_STATUS = {UNAUTHENTICATED: 401, FORBIDDEN: 403, NOT_FOUND: 404, BAD: 400, TOO_MANY: 429}
_HEADERS = {UNAUTHENTICATED: {"WWW-Authenticate": "Bearer"}, TOO_MANY: {"Retry-After": "5"}}


def refusal(error: HemostatError) -> web.Response:
    """Return the response: 4xx for what is refused, 503 for everything that is not known."""
    text = f"{error}\n"
    if isinstance(error, Refused) and error.reason in _STATUS:
        return web.Response(status=_STATUS[error.reason], text=text, headers=_HEADERS.get(error.reason))
    return web.Response(status=503, text=text, headers={"Retry-After": "5"})
