"""What each start would read anew, kept as Python keeps bytecode: until a file, or the code that reads it, changes.

To read and check texts, plugins' sources and prices took more than half of a start. Where nothing can be written, it
still does.
"""

import hashlib
import marshal
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DIGEST = 16  # bytes


def kept(name: str, files: Iterable[Path], read: Callable[..., Any], *args: Any) -> Any:
    """Return what `read(*args)` returns (of marshal's types), which follows from the content of `files` alone.

    Name the files of the code that reads, too. What belongs to files elsewhere than in the project is not kept.
    """
    files = sorted(files)
    if not all(path.is_relative_to(ROOT) for path in files):
        return read(*args)
    place, want = Path(cache_from_source(str(ROOT / f"{name}.py"))).with_suffix(".kept"), _digest_of(files)
    with suppress(OSError):
        found = place.read_bytes()
        stamp, content = found[: 2 * DIGEST], found[2 * DIGEST :]
        if stamp == want + _digest(content):  # a file cut off by a crash is read by nobody
            return marshal.loads(content)
    value = read(*args)
    if not sys.dont_write_bytecode:
        content = marshal.dumps(value)
        _write(place, want + _digest(content) + content)
    return value


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


def _digest_of(files: list[Path]) -> bytes:
    return _digest(b"".join(_digest(f"{path}\n".encode() + path.read_bytes()) for path in files))


def _write(place: Path, content: bytes) -> None:
    """Replace a file at once: another copy may be starting."""
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        new = place.with_suffix(f".{os.getpid()}")
        new.write_bytes(content)
        shutil.copymode(__file__, new)  # as bytecode has the mode of its source
        os.replace(new, place)
