"""The parsers of what strangers send: they understand or refuse, and read nothing that is not theirs."""

import gzip
import json
import os
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.fuzz.damage import damaged
from tests.unit.telemetry.requests import CONSUMER, INTERNAL, SERVER, counted, request, span, told

from hemostat.errors import Refused
from hemostat.telemetry.alerts import parse
from hemostat.telemetry.oracle import Oracle
from hemostat.telemetry.otlp import from_json
from hemostat.telemetry.receiver import inflate
from hemostat.telemetry.window import TraceWindows

N = int(os.environ.get("HEMOSTAT_FUZZ_RUNS", "400"))
SEEDS = [
    request(
        "checkout", span(peer__service="payment", http__route="/pay", server__port=80), span(SERVER, parent=b"p" * 8)
    ),
    request("shipping", span(CONSUMER, links=[b"12345678"] * 3, messaging__destination__name="orders")),
    request(
        "assistant",
        span(INTERNAL, gen_ai__operation__name="chat", gen_ai__usage__input_tokens=5, error__type="JSONDecodeError"),
        span(INTERNAL, gen_ai__operation__name="chat", gen_ai__response__finish_reasons=["stop", "length"]),
        span(INTERNAL, gen_ai__tool__name="find", gen_ai__agent__name="planner", error__type="unknown_tool"),
    ),
    request("Zahlung-ü" * 40, span(name="n" * 300, db__system="postgresql", failed=True)),
]
JSON_SEEDS = [
    json.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]},
                    "scopeSpans": [
                        {"spans": [{"traceId": "5b8efff798038103d269b633813fc60c", "kind": 3, "name": "x"}]}
                    ],
                }
            ]
        }
    ).encode(),
    b'{"resourceSpans": [null, {}, {"scopeSpans": [{"spans": [{"startTimeUnixNano": "18446744073709551615"}]}]}]}',
]
ALERT_SEEDS = [
    json.dumps(
        {
            "version": "4",
            "status": "firing",
            "receiver": "r",
            "alerts": [
                {
                    "status": "firing",
                    "labels": {"alertname": "Slow", "namespace": "shop"},
                    "annotations": {"summary": "it is slow"},
                    "startsAt": "2026-03-01T12:00:00Z",
                    "endsAt": "0001-01-01T00:00:00Z",
                }
            ],
        }
    ).encode()
]


def test_what_protobuf_understands_is_counted_as_the_plain_decoder_counts_it():
    understood = 0
    for body in damaged(random.Random(1), SEEDS, N):
        windows, oracle = TraceWindows(), Oracle()
        try:
            windows.take(body, 1.0)
        except Refused:
            continue
        with suppress(Refused):
            oracle.take(body)
            understood += 1
            assert counted(windows, 1.0) == told(oracle), body.hex()
    assert understood > N / 50  # else the damage is such that nothing was tried


GUARDED = """
import ctypes, mmap, random, sys
import numpy as np
from hemostat.telemetry.kernel import fold
from tests.fuzz.damage import damaged
from tests.fuzz.test_parsers import SEEDS

page = mmap.PAGESIZE
room = mmap.mmap(-1, 18 * page)
address = ctypes.addressof(ctypes.c_char.from_buffer(room))
libc = ctypes.CDLL(None, use_errno=True)
for at in (0, 17):
    if libc.mprotect(ctypes.c_void_p(address + at * page), page, 0):
        sys.exit("mprotect: " + str(ctypes.get_errno()))
inner = np.frombuffer(room, np.uint8)[page : 17 * page]
tables = fold.Fold()
for body in damaged(random.Random(int(sys.argv[1])), SEEDS, int(sys.argv[2])):
    data = np.frombuffer(body[: 16 * page], np.uint8)
    for place in (inner[: len(data)], inner[len(inner) - len(data) :]):
        place[:] = data
        fold.take(place, tables._at, 1)
print("done")
"""


def test_no_byte_outside_of_a_request_is_read():
    """Requests lie right beside pages that must not be touched: one byte too far ends the process."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, "2", str(5 * N)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "done\n", (done.returncode, done.stderr[-500:])


@pytest.mark.parametrize(("understand", "seeds"), [(from_json, JSON_SEEDS), (parse, ALERT_SEEDS)])
def test_json_is_understood_or_refused(understand, seeds):
    understood = 0
    for body in damaged(random.Random(3), seeds, N):
        with suppress(Refused):
            understand(body)
            understood += 1
    assert understood < N


def test_gzip_is_inflated_within_bounds_or_refused():
    seeds = [gzip.compress(b"payload" * n) for n in (0, 1, 100, 10_000)]
    for body in damaged(random.Random(4), seeds, N):
        with suppress(Refused):
            assert len(inflate(body, 4096)) <= 4096
