"""Files that were read before, by their content.

An application is rendered again since one of its files has changed, and each of its environments reads the same base:
most of what a controller reads it has read already. What is kept are pickles. They are as small as the files, nobody
can change what the next one gets, and reading one takes a tenth of the time that parsing takes.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import OrderedDict
from threading import Lock
from typing import Final

from controller.documents.reading import Document, read
from controller.documents.resolving import Dialect

MAX_KEPT_BYTES: Final = 8 << 20
_MAX_SHARE: Final = 8  # one file takes an eighth of it at most: a huge one would push out all others

_Key = tuple[bytes, Dialect, bool, bool]


class Memory:
    """Pickled documents of the files that were read last, up to a size in bytes. Threads may share it."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def read(
        self, data: bytes, *, path: str, dialect: Dialect, strict: bool = True, styled: bool = False
    ) -> tuple[Document, ...]:
        """Read as `documents.read` does, and raise what it raises: nothing is kept of a file that is wrong."""
        key = (hashlib.sha256(data).digest(), dialect, strict, styled)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
        if known is not None:
            return tuple(Document(*one) for one in pickle.loads(known))  # noqa: S301  made below, in this process
        documents = read(data, path=path, dialect=dialect, strict=strict, styled=styled)
        self._keep(key, pickle.dumps([(one.value, one.line, one.index) for one in documents], pickle.HIGHEST_PROTOCOL))
        return documents

    def _keep(self, key: _Key, pickled: bytes) -> None:
        if len(pickled) * _MAX_SHARE > self._max_bytes:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = pickled
            self._size += len(pickled)
            while self._size > self._max_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._size -= len(oldest)
