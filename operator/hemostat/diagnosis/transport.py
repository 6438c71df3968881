"""HTTP to providers of models, with a bound on the answer and its time, and without redirects (shell)."""

import time
from collections.abc import Iterator

import httpx

MAX_BYTES = 2 * 1024 * 1024


class TooLong(httpx.TransportError):
    """The answer has more bytes than are taken."""


class Bounded(httpx.BaseTransport):
    """Asks as httpx does, with the proxies and certificates of the environment.

    Redirects are errors: the prompt would go along. Nothing is unpacked, for what is small could become large: we ask
    for no compression, and refuse it.
    """

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most = most
        self._inner = httpx.Client(follow_redirects=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response with a body that counts. Raises `httpx.TransportError`."""
        request.headers["Accept-Encoding"] = "identity"
        seconds = (request.extensions.get("timeout") or {}).get("read") or 60.0
        response = self._inner.send(request, stream=True)
        if response.is_redirect:
            response.close()
            raise httpx.RemoteProtocolError(f"the provider answers with a redirect ({response.status_code})")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise httpx.RemoteProtocolError("the provider compresses what was not to be compressed")
        body = _Counted(response, self._most, time.monotonic() + seconds)
        return httpx.Response(response.status_code, headers=response.headers, stream=body)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class _Counted(httpx.SyncByteStream):
    """A body that ends when it has given too much, or for too long: every byte that drips begins httpx's time anew."""

    def __init__(self, response: httpx.Response, most: int, ends: float) -> None:
        self._response, self._most, self._ends = response, most, ends

    def __iter__(self) -> Iterator[bytes]:
        seen = 0
        for chunk in self._response.iter_raw():
            seen += len(chunk)
            if seen > self._most:
                raise TooLong(f"the answer is larger than {self._most // 2**20} MiB")
            if time.monotonic() > self._ends:
                raise httpx.ReadTimeout("the answer takes too long")
            yield chunk

    def close(self) -> None:
        self._response.close()
