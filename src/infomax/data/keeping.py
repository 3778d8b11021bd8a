"""Decoded rows kept in a file, for data larger than memory: filled once, read row by row.

A file ``KIND-KEY.rows`` holds rows of one size, one after the other; ``KIND-KEY.npz`` beside it
says which could not be decoded, and a digest of each. KEY is made of what is decoded (names,
sizes and times of the files) and how, so what has changed is decoded anew, and runs, resumed runs
and the processes of a machine share what has not. Rows are read with `preadv`, not mapped: what
is resident is the batch, whatever the data, and a full disk is an error, not a signal.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np
from jaxtyping import UInt8

from infomax._errors import InfomaxError

Keep = Literal["auto", "memory", "disk"]
SHARE = 0.5
"""Of the memory that is free, what one column of decoded rows may take."""
DIGEST = 16
Put = Callable[[int, np.ndarray], None]
"""Told a place and the row that belongs there."""


@final
@dataclass(frozen=True, eq=False)
class Kept:
    """An open file of rows, a digest of each, and what could not be decoded: place -> reason."""

    file: int
    digests: UInt8[np.ndarray, "n 16"]
    bad: Mapping[int, str]

    def __del__(self) -> None:
        os.close(self.file)


def folder() -> Path:
    """Where decoded rows are kept: ``INFOMAX_CACHE``, or ``infomax`` in the user's cache."""
    asked = os.environ.get("INFOMAX_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "infomax"
    return Path(asked or home).expanduser()


def free() -> int:
    """Bytes of memory that this process may still take: its part of what the machine has left."""
    import psutil

    room = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")  # a container's limit, where there is one
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            room = min(room, int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return max(0, room) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def on_disk(keep: Keep, size: int) -> bool:
    """Whether rows of so many bytes in all are kept in a file: as asked, or if memory is short."""
    return size > SHARE * free() if keep == "auto" else keep == "disk"


def kept(name: str, count: int, size: int, fill: Callable[[Put], Mapping[int, str]]) -> Kept:
    """The file of rows of this name, filled if it is not there; others wait until it is.

    Args:
        name: the kind and the key.
        count: rows.
        size: bytes in a row.
        fill: puts the rows, and returns what could not be decoded.

    Raises:
        InfomaxError: no room, or a folder that cannot be written to.
    """
    home = folder()
    rows, facts = home / f"{name}.rows", home / f"{name}.npz"
    with writing_to(home, count * size), _locked(home / f"{name}.lock"):
        if not (facts.is_file() and rows.is_file() and rows.stat().st_size == count * size):
            _filled(rows, facts, count, size, fill)
        with np.load(facts, allow_pickle=False) as saved:
            bad = dict(zip(saved["places"].tolist(), saved["reasons"].tolist(), strict=True))
            return Kept(os.open(rows, os.O_RDONLY), saved["digests"], bad)


def _filled(
    rows: Path, facts: Path, count: int, size: int, fill: Callable[[Put], Mapping[int, str]]
) -> None:
    room = shutil.disk_usage(rows.parent).free
    if room < count * size:
        raise OSError(f"{room / 1e9:.1f} GB free")
    facts.unlink(missing_ok=True)
    digests = np.zeros((count, DIGEST), dtype=np.uint8)
    parts = [path.with_name(f"{path.stem}.part{path.suffix}") for path in (rows, facts)]
    try:
        with parts[0].open("wb", buffering=0) as file:
            file.truncate(count * size)

            def put(place: int, row: np.ndarray) -> None:
                held = np.ascontiguousarray(row).data.cast("B")
                assert len(held) == size, "a decoder that gives rows of another size"
                digests[place] = np.frombuffer(
                    hashlib.blake2b(held, digest_size=DIGEST).digest(), np.uint8
                )
                done = 0
                while done < size:
                    done += os.pwrite(file.fileno(), held[done:], place * size + done)

            bad = dict(fill(put))
            os.fsync(file.fileno())
        places = np.array(list(bad), dtype=np.int64)
        reasons = np.array(list(bad.values()), dtype=np.str_)
        np.savez(parts[1], digests=digests, places=places, reasons=reasons)
        os.replace(parts[0], rows)
        os.replace(parts[1], facts)  # last: with it the file is whole
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock ends with its holder, the (empty) file stays."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def writing_to(home: Path, size: int = 0) -> Iterator[Path]:
    """A folder of the cache, made if it is not there; its failures as one message."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        yield home
    except OSError as error:
        raise InfomaxError(
            wanted=f"to keep data{f' ({size / 1e9:.1f} GB)' if size else ''} in {home}",
            got=str(error),
            fix="free some space, set INFOMAX_CACHE to another folder"
            + (", or data.keep: memory" if size else ""),
        ) from None
