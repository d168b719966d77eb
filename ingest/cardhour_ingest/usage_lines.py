"""The lines of a usage file, as bytes, with their numbers and the digest of them all.

Owns opening the file, gzip (known by its first two bytes, not by its name), where a line ends and how long it may be.
Does not own what a line says.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cardhour_contract.errors import Refuse

LINE_BYTES_MAX = 65_536
"""A row with names of 256 bytes each needs under 4 KiB; a longer line is no usage row, and reading one whole would let
a damaged file take all memory."""

_GZIP_MAGIC = b"\x1f\x8b"


class UsageLines:
    """Iterates over ``(number, content)``; the first line is 1. Use as a context manager.

    Line ends are removed. Of a line longer than ``LINE_BYTES_MAX`` only the first bytes are given, one more than that
    limit at least, so its length tells. Raises Refuse where the file cannot be opened or its gzip data are damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = hashlib.sha256()
        self._last_line = 0
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise Refuse(f"{path}: cannot be opened: {error.strerror}") from error
        self.size_bytes = os.fstat(self._file.fileno()).st_size
        try:
            zipped = self._file.read(2) == _GZIP_MAGIC
            self._file.seek(0)
        except OSError as error:
            self._file.close()
            raise Refuse(f"{path}: cannot be read: {error.strerror}") from error
        self._content: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=self._file) if zipped else self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._content.close()
        self._file.close()

    @property
    def digest(self) -> str:
        """SHA-256 of the uncompressed bytes read so far: the same for a file and for its gzip."""
        return self._digest.hexdigest()

    @property
    def position_bytes(self) -> int:
        """How far the file itself (compressed, where it is) has been read, of ``size_bytes``."""
        return self._file.tell()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while line := self._read(LINE_BYTES_MAX + 2):
            self._last_line += 1
            yield self._last_line, line.rstrip(b"\r\n")
            while not line.endswith(b"\n") and line:
                line = self._read(LINE_BYTES_MAX)

    def _read(self, limit_bytes: int) -> bytes:
        """Bytes up to and with the next line end, ``limit_bytes`` at most; none at the end of the file."""
        try:
            line = self._content.readline(limit_bytes)
        except EOFError as error:
            where = f"after line {self._last_line}"
            raise Refuse(f"{self.path}: the gzip data end too early, {where}: copy the whole file again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            where = f"after line {self._last_line}"
            raise Refuse(f"{self.path}: the gzip data are damaged, {where} ({error}): copy the file again") from error
        except OSError as error:
            raise Refuse(f"{self.path}: cannot be read: {error.strerror}") from error
        self._digest.update(line)
        return line
