"""What is left after long work: memory, threads and open files after 100,000 updates, 1,000 results and 4 GB.

    python bench/endurance.py                          takes about ten minutes
    python bench/endurance.py --updates 2000 --results 20 --gigabytes 0.1

One bot goes through all parts: first updates from 2,000 people, then small results (Telegram fetches them by their
address), then results of 45 MB, too large for that: the bot fetches and uploads each. The limits: at rest 10 MB more
than after the first updates, the same threads and files, and at most 64 MB more while the large results go through.
"""

import argparse
import contextlib
import os
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.contest import FIRST, Server, contestant, databases, machine, wait_until  # noqa: E402
from bench.start import megabytes  # noqa: E402

PEOPLE, WARM_UP, BATCH = 2000, 6000, 2000
LARGE = 45 * 1024 * 1024
REST_S = 40  # threads without work end after 30 s
GROWTH_MB, PEAK_MB = 10, 64
MODEL = "kling-2.6/text-to-video"
CHUNK = b"\0" * 65536


class Files(BaseHTTPRequestHandler):
    """Serves /<bytes>.mp4: so many zeros."""

    def do_GET(self):
        size = int(self.path.strip("/").split("-")[0])
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may find it too large
            for at in range(0, size, len(CHUNK)):
                self.wfile.write(CHUNK[: size - at])

    def log_message(self, *_args):
        """Say nothing."""


class Gauge:
    """Reads what a process uses."""

    def __init__(self, process):
        self._process = process

    def now(self):
        """Return (MB, threads, open files)."""
        proc = Path(f"/proc/{self._process.pid}")
        return megabytes(self._process), len(os.listdir(proc / "task")), len(os.listdir(proc / "fd"))

    def peak(self):
        """Return the most MB since `forget`."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def forget(self):
        """Reset the peak (Linux: 5 in clear_refs)."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")


def say(server, count):
    """Make people write `count` updates, and wait until they are answered."""
    for at in range(0, count, BATCH):
        many, before = min(BATCH, count - at), server.calls()
        server.everyone_says("/balance", many, FIRST)
        wait_until(lambda before=before, many=many: server.calls() >= before + many, "the replies", 300)


def deliver(address, url, count, size):
    """Have `count` results of `size` bytes delivered, one to each of as many people, and wait for that."""
    from storage.base import db
    from storage.base.tables import Job, User

    db.connect(address)
    now = datetime.now(UTC)
    with db.connection():
        done = Job.select().count()
        people = list(User.select(User.id).order_by(User.id).limit(count))
        for number, user in enumerate(people, done):
            Job.create(
                user=user, model=MODEL, inputs={}, price=0, charged=0, cost=0, state="succeeded", quote=f"b{number}",
                secret=f"b{number}", task_id=f"b{number}", result={"urls": [f"{url}/{size}-{number}.mp4"], "text": None},
                submit_at=now, submitted_at=now, finished_at=now, delivery="pending", deliver_at=now, created_at=now,
            )  # fmt: skip

    def sent():
        with db.connection():
            return Job.select().where(Job.delivery == "sent").count() == done + count

    wait_until(sent, "the results", 3600)
    db.disconnect()


def live(updates, results, gigabytes, rest_s=REST_S):
    """Run all parts; yield the lines of the table."""
    with databases("sqlite", PEOPLE) as (addresses, folder), web() as url:
        server = Server()
        try:
            with contestant("ours", server, addresses, folder) as bot:
                yield from _live(
                    server, Gauge(bot.process), addresses["ours"], url, updates, results, gigabytes, rest_s
                )
        finally:
            server.stop()


def _live(server, gauge, address, url, updates, results, gigabytes, rest_s):
    say(server, min(WARM_UP, updates))
    deliver(address, url, min(20, results), 1000)
    time.sleep(rest_s)
    first = gauge.now()
    yield f"{'':34}{'MB':>8}{'threads':>9}{'files':>7}"
    yield f"{f'after {min(WARM_UP, updates):,} updates':34}{first[0]:8.1f}{first[1]:9}{first[2]:7}"
    say(server, updates)
    deliver(address, url, results, 1000)
    time.sleep(rest_s)
    last = gauge.now()
    yield f"{f'after {updates:,} more, {results:,} results':34}{last[0]:8.1f}{last[1]:9}{last[2]:7}"
    gauge.forget()
    large, began = max(1, round(gigabytes * 1e9 / LARGE)), time.time()
    deliver(address, url, large, LARGE)
    took = time.time() - began
    yield f"{f'at most while {large} × 45 MB went through':34}{gauge.peak():8.1f}   ({large * LARGE / took / 1e6:.0f} MB/s)"
    grew, peak = last[0] - first[0], gauge.peak() - last[0]
    yield f"grew by {grew:.1f} MB (mark {GROWTH_MB}), peak {peak:.1f} MB above rest (mark {PEAK_MB})"


@contextlib.contextmanager
def web():
    """Serve Files during the block; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=100_000)
    parser.add_argument("--results", type=int, default=1000)
    parser.add_argument("--gigabytes", type=float, default=4)
    options = parser.parse_args()
    print(machine())
    for line in live(options.updates, options.results, options.gigabytes):
        print(line, flush=True)


if __name__ == "__main__":
    main()
