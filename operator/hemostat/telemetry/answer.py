"""What Prometheus answers -> series, or what a person can do about it (pure).

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview. What answers need not be Prometheus:
a login page, a gateway's error, anything.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from typing_extensions import TypedDict

from hemostat.errors import Refused, Retry
from hemostat.telemetry.sample import Answer, History, Points, Series

MAX_WARNINGS = 3
MAX_SAID = 300
_WHOSE = "check HEMOSTAT_PROMETHEUS_URL and HEMOSTAT_PROMETHEUS_TOKEN_FILE"
_NUMBERS = "the query must yield numbers: a scalar or an instant vector, not a range, text or histogram"


class QueryFailed(Retry):
    """This query failed or took too long, and Prometheus is there: others may do well."""


class _Sample(TypedDict):
    metric: dict[str, str]
    value: tuple[float, float]


class _Range(TypedDict):
    metric: dict[str, str]
    values: list[tuple[float, float]]


class _Vector(TypedDict):
    resultType: Literal["vector"]
    result: Annotated[list[_Sample], FailFast()]


class _Matrix(TypedDict):
    resultType: Literal["matrix"]
    result: Annotated[list[_Range], FailFast()]


class _Scalar(TypedDict):
    resultType: Literal["scalar"]
    result: tuple[float, float]


class _Text(TypedDict):
    resultType: Literal["string"]


class _Success(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: Literal["success"]
    warnings: list[str] = []  # `infos` are about how the query is written, not about the data
    data: Annotated[_Vector | _Matrix | _Scalar | _Text, Field(discriminator="resultType")]


class _Error(BaseModel):
    model_config = ConfigDict(extra="ignore")

    error: str
    errorType: str = ""  # noqa: N815 - Prometheus' word


def vector(body: bytes, most: int) -> Answer:
    """Parse the answer to an instant query; NaN values are left out, and series beyond `most` counted only.

    Raises `Refused` (BadQuery) when it is of another type, else as `failure` does.
    """
    found = _understood(body)
    data: Any = found.data
    if data["resultType"] == "scalar":
        series = [Series((), data["result"][1])]
    elif data["resultType"] == "vector":
        series = [_series(item) for item in data["result"][:most]]
    else:
        raise Refused("BadQuery", _NUMBERS)
    left_out = len(data["result"]) - most if data["resultType"] == "vector" else 0
    known = [one for one in series if not math.isnan(one.value)]
    return Answer(known, max(0, left_out), tuple(_line(w) for w in found.warnings[:MAX_WARNINGS]))


def matrix(body: bytes) -> list[History]:
    """Parse the answer to a range query. Raises as `vector` does."""
    data: Any = _understood(body).data
    if data["resultType"] != "matrix":
        raise Refused("BadQuery", _NUMBERS)
    return [_history(item) for item in data["result"]]


def failure(status: int, body: bytes) -> Refused | Retry:
    """Return what an answer with an HTTP status other than 200 means: `Refused` (BadQuery) for what Prometheus will
    never answer, `QueryFailed` for what it could not now, `Retry` when it says nothing about the query.
    """
    kind, said = _said(body)
    if status in (400, 422) or kind in ("bad_data", "execution"):
        return Refused("BadQuery", f"Prometheus refuses the query: {said}")
    if kind in ("timeout", "canceled", "internal") or status == 504:
        return QueryFailed(f"{status}: {said}")
    if status in (401, 403):
        hint = "set HEMOSTAT_PROMETHEUS_TOKEN_FILE or HEMOSTAT_PROMETHEUS_HEADERS"
        return Retry(f"it refuses us ({status}: {said}); {hint}")
    if status == 404:
        hint = "HEMOSTAT_PROMETHEUS_URL is the part before /api/v1 (for Mimir it ends in /prometheus)"
        return Retry(f"there is no Prometheus API (404); {hint}")
    if 300 <= status < 400:
        return Retry(f"it redirects ({status}), perhaps to a login, and queries are sent nowhere else; {_WHOSE}")
    return Retry(f"{status}: {said}")


def _understood(body: bytes) -> _Success:
    try:
        return _Success.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    if len(first["loc"]) > 2 and first["loc"][0] == "data":  # of a type that is known, and ill-formed within
        where = ".".join(_line(str(part)) for part in first["loc"][2:])
        raise Refused("BadQuery", f"{_NUMBERS} ({where}: {first['msg']})")
    begin = body[:100].lstrip()
    if begin.startswith(b"<"):
        what = "it answered an HTML page, perhaps a login"
    elif not begin:
        what = "it answered nothing"
    elif _said(body)[0]:
        raise failure(200, body)
    else:
        what = f"it answered what is not of the Prometheus API ({_line(first['msg'])})"
    raise Retry(f"{what}; {_WHOSE}")


def _said(body: bytes) -> tuple[str, str]:
    """Return type and words of an error; of one that is not Prometheus' own, no type and how it begins."""
    try:
        found = _Error.model_validate_json(body)
    except ValidationError:
        return "", _line(body[: 4 * MAX_SAID].decode(errors="replace"))
    return found.errorType, _line(found.error)


def _line(text: str) -> str:
    """It ends up in conditions and logs: one line, no terminal escapes, short."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 2 * MAX_SAID])
    return " ".join(printable.split())[:MAX_SAID]


def _series(item: _Sample) -> Series:
    return Series(tuple(sorted(item["metric"].items())), item["value"][1])


def _history(item: _Range) -> History:
    points = Points(point for point in item["values"] if not math.isnan(point[1]))
    return History(tuple(sorted(item["metric"].items())), points)
