"""Files that people sent: pictures converted to JPEG, or shrunk for comparing, and the length of recordings.

Nothing is decoded in this process, not even a header: each file goes to a new child (`media_child.py`), with limits on
memory, time and pixels, and one child runs at a time. Any failure there is Unreadable. A person's files wait for each
other first, so that nobody waits for more than one file of anybody else.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import contextmanager
from pathlib import Path

from core.telegram.sender import TelegramError
from kie.api.errors import Expired, TooLarge

log = logging.getLogger(__name__)
CHILD = Path(__file__).with_name("media_child.py")
WALL_S = 40  # for a child; its own limit on CPU time is shorter
WAIT_S = 120  # for one's turn
MAX_RESULT_BYTES = 100 * 1024 * 1024  # of a result of KIE's that is measured; people's files have at most 20 MB
SKETCH_BYTES = 80 * 80


class Unreadable(Exception):
    """A file that cannot be fetched, has no supported format, or fails to decode."""


class TooManyPixels(Exception):
    """A picture too large to be decoded here."""


class Busy(Exception):
    """Too many files are waiting; this one was not looked at."""


class _Turn:
    """One person's place: their next file waits until this one is done."""

    def __init__(self):
        self.lock = threading.Lock()


class Media:
    """Examines files, in child processes."""

    def __init__(self, sender, client):
        self._sender, self._client = sender, client
        self._one = threading.Lock()  # one child at a time, in the whole process
        self._turns = weakref.WeakValueDictionary()  # whose files → their _Turn, while it is in use
        self._guard = threading.Lock()

    def to_jpeg(self, stream, owner):
        """Convert the picture in a file to JPEG, in place; raise Unreadable, TooManyPixels or Busy."""
        with tempfile.TemporaryDirectory(prefix="media-") as folder:
            source, result = Path(folder, "file"), Path(folder, "result")
            stream.seek(0)
            _copy(stream, source)
            self._run(owner, "jpeg", source, result)
            stream.seek(0)
            stream.truncate()
            with result.open("rb") as made:
                _pour(made, stream)

    def sketch(self, file, owner):
        """Return a picture of Telegram's as 80 × 80 levels of grey; raise as `to_jpeg` does, or as the sender."""
        with tempfile.TemporaryDirectory(prefix="media-") as folder:
            source, result = Path(folder, "file"), Path(folder, "result")
            with source.open("wb") as sink:
                self._sender.download(file["file_id"], sink)
            self._run(owner, "sketch", source, result)
            pixels = result.read_bytes()
        if len(pixels) != SKETCH_BYTES:
            raise Unreadable("a sketch of another size")
        return pixels

    def seconds(self, file, owner):
        """Return the length of a recording or a clip in seconds, measured, never as its message or header claims.

        Raise Unreadable (e.g. if KIE and Telegram no longer have it), Busy, TooBig, or what a call to them raises.
        """
        with tempfile.TemporaryDirectory(prefix="media-") as folder:
            source = Path(folder, "file")
            with source.open("wb") as sink:
                self._fetch(file, sink)
            return self._run(owner, "length", source)["seconds"]

    @staticmethod
    def works(sample):
        """Return whether a child can be started here and reads a valid file."""
        return _start("length", sample)["outcome"] == "done"

    def _fetch(self, file, sink):
        """Write a file of KIE's own from there while KIE has it, and any other from Telegram."""
        if file.get("url"):
            try:
                with self._client.fetch(file["url"], MAX_RESULT_BYTES) as download:
                    for chunk in download.iter_bytes:
                        sink.write(chunk)
                return
            except TooLarge as error:
                raise Unreadable(str(error)) from None
            except Expired:
                sink.seek(0)
                sink.truncate()
        if not file.get("file_id"):
            raise Unreadable("neither KIE nor Telegram has it any more")
        try:
            self._sender.download(file["file_id"], sink)
        except TelegramError as error:
            if error.is_server:
                raise
            raise Unreadable(str(error)) from None

    def _run(self, owner, work, source, result=None):
        """Let a child do one piece of work, and return its report."""
        with self._turn(owner):
            told = _start(work, source, result)
        if told["outcome"] == "too_large":
            raise TooManyPixels
        if told["outcome"] != "done":
            raise Unreadable(told.get("why", ""))
        return told

    @contextmanager
    def _turn(self, owner):
        with self._guard:
            turn = self._turns.get(owner)
            if turn is None:
                turn = self._turns[owner] = _Turn()
        with _held(turn.lock), _held(self._one):
            yield


@contextmanager
def _held(lock):
    if not lock.acquire(timeout=WAIT_S):
        raise Busy
    try:
        yield
    finally:
        lock.release()


def _start(work, source, result=None):
    """Start a child, wait for it, and return the line it wrote; {"outcome": "unreadable"} if there is none."""
    command = [sys.executable, "-I", str(CHILD), work, str(source), *([str(result)] if result else [])]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    environ = {"MALLOC_ARENA_MAX": "1", "LC_ALL": "C.UTF-8"}  # nothing of ours: a decoder needs no token
    try:
        done = subprocess.run(command, **pipes, env=_needed() | environ, cwd=source.parent, timeout=WALL_S)
        told = json.loads(done.stdout) if done.returncode == 0 else {"why": f"the child ended with {done.returncode}"}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        told = {"why": f"{type(error).__name__}: {error}"}
    told.setdefault("outcome", "unreadable")
    if told["outcome"] != "done":
        log.info("%s: %s (%s)", work, told["outcome"], told.get("why", ""))
    return told


def _needed():
    """Return the few variables without which a program does not start on some systems."""
    return {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMPDIR") if name in os.environ}


def _copy(stream, path):
    with path.open("wb") as sink:
        _pour(stream, sink)


def _pour(source, sink):
    while chunk := source.read(1 << 20):
        sink.write(chunk)
