"""Damages bytes in seeded ways: what a fuzzer does first, as a test that runs in seconds."""

import random
from collections.abc import Iterator, Sequence

INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x12, 0x0B, 0x0C)


def damaged(rng: random.Random, seeds: Sequence[bytes], n: int) -> Iterator[bytes]:
    """Yield `n` damaged copies: bytes changed, pieces cut out, doubled, joined from two, cut off."""
    for _ in range(n):
        body = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            _damage(rng, body, seeds)
        yield bytes(body)


def _damage(rng: random.Random, body: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(body) + 1)
    end = min(len(body), at + rng.choice((1, 1, 2, 16)))
    kind = rng.randrange(6)
    if kind == 0:
        body[at:end] = bytes(rng.choice(INTERESTING) for _ in range(end - at))
    elif kind == 1:
        body[at:end] = rng.randbytes(end - at)
    elif kind == 2:
        del body[at:end]
    elif kind == 3:
        body[at:at] = body[at:end]
    elif kind == 4:
        other = rng.choice(seeds)
        begin = rng.randrange(len(other) + 1)
        body[at:] = other[begin : begin + 4096]
    else:
        del body[at:]
