"""Lines of a text file, plain or gzip, bounded in length: a file of one endless line must not fill the memory."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hemostat.errors import Refused

_GZIP = b"\x1f\x8b"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what reading a file may raise into `Refused` (Unreadable) with the file's name."""
    try:
        yield
    except OSError as error:
        raise Refused("Unreadable", f"{path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise Refused("Unreadable", f"{path}: damaged or cut off gzip: {error}") from error
    except UnicodeDecodeError as error:
        raise Refused("Unreadable", f"{path}: not UTF-8 text: {error}") from error


def lines(path: Path, longest: int) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line) of a file. Raises `Refused`: unreadable, or a line longer than `longest` bytes."""
    with readable(path), path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        stream: BinaryIO = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
        number = 0
        while line := stream.readline(longest + 1):
            number += 1
            if len(line) > longest:
                raise Refused("LineTooLong", f"{path}, line {number}: longer than {longest:,} bytes")
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
