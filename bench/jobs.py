"""Many running jobs: what each costs in memory and requests, and how soon its result is noticed.

    python bench/jobs.py                          10,000 jobs of five minutes; takes a quarter of an hour
    python bench/jobs.py --jobs 500 --usual 60

The jobs are rows and tasks that began in the past, so that they end evenly over the usual time; the stub ends each
within 10 % of the usual time. At the same time, a twentieth as many tasks are followed in the usual way: a thread each,
asking every five seconds. Then come jobs with callbacks, then a full queue. The local Telegram knows none of these
people, so results are noticed and settled, but not sent.
"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.contest import machine, wait_until  # noqa: E402
from bench.crash import databases  # noqa: E402
from bench.process import Process, free_port  # noqa: E402
from bench.start import Servers, megabytes  # noqa: E402
from kie.api.client import Client  # noqa: E402
from kie.poller import CREATES, WINDOW  # noqa: E402
from kie.stub.control import Control  # noqa: E402

KEY, MODEL, PRICE = "stub-key", "z-image", 72
SPREAD = 0.1  # of the usual time: how far a task's own time may differ from it
BATCH = 10  # jobs that end at the same moment
SETUP_S = 0.016  # to create one job and its task
PEER = Path(__file__).parent / "peers" / "thread_each.py"
IDLE_S = 5


class Ground:
    """The stub, a database of the bot's own, and the bot."""

    def __init__(self, address, folder, usual_s):
        self.servers, self.address, self.usual_s = Servers(), address, usual_s
        self.kie, self.rng = Control(self.servers.kie_url), random.Random(1)
        self.client = Client(self.servers.kie_url, self.servers.upload_url, KEY)
        port = free_port()
        self.public_url = f"http://127.0.0.1:{port}"
        self.environ = {
            "TELEGRAM_BOT_TOKEN": "1:DEMO-token-of-no-use-anywhere", "TELEGRAM_API_URL": self.servers.telegram_url,
            "KIE_API_KEY": KEY, "KIE_API_URL": self.servers.kie_url, "KIE_UPLOAD_URL": self.servers.upload_url,
            "DATABASE_URL": address, "DATA_DIR": str(folder), "USD_RATE": "90", "WELCOME_RUNS": "0", "PORT": str(port), "LOG_LEVEL": "WARNING",
        }  # fmt: skip
        self.process = Process(self.environ, Path(folder) / "bot.log")

    @contextlib.contextmanager
    def bot(self, **more):
        """Run the bot for the block."""
        self.process.environ = self.environ | more
        self.process.start_first()
        try:
            yield
        finally:
            self.process.stop()

    def fill(self, count, first_end, span_s, callbacks=False):
        """Make running jobs that end one after the other from `first_end` on; return {task id: job id}."""
        self.kie.settings(create_limit=0)
        made = {}
        for at in range(0, count, BATCH):
            ends = first_end + span_s * at / count
            self.kie.settings(seconds=(max(1, ends - time.time()),) * 2)
            with opened(self.address) as now:
                for job in queue(min(BATCH, count - at), now):
                    made[self._run(job, ends, callbacks)] = job.id
        return made

    def _run(self, job, ends, callbacks):
        """Give a queued job a task, as if it had been sent in time to end when it does; return its id."""
        from storage.orders import jobs

        took_s = self.usual_s * self.rng.uniform(1 - SPREAD, 1 + SPREAD)
        sent = datetime.fromtimestamp(ends - took_s, UTC)
        address = f"{self.public_url}/kie/{job.secret}" if callbacks else None
        task = self.client.create(MODEL, job.inputs, address)
        jobs.begin(job.id, sent)
        jobs.start(job.id, task, sent + timedelta(hours=2), sent)
        return task

    def tasks(self):
        """Return the stub's tasks by their ids."""
        return {task["task_id"]: task for task in self.kie.tasks()}

    def noticed(self, made):
        """Return {task id: epoch seconds} of the jobs whose end the bot has recorded."""
        from storage.base.tables import Job

        with opened(self.address):
            done = Job.select(Job.task_id, Job.finished_at).where(Job.state == "succeeded").tuples()
            return {task: at.timestamp() for task, at in done if task in made}

    def stop(self):
        """End everything."""
        self.process.end()
        self.servers.stop()


@contextlib.contextmanager
def opened(address):
    """Open the database for one transaction and yield the time."""
    from storage.base import db

    db.connect(address)
    try:
        with db.transaction():
            yield datetime.now(UTC)
    finally:
        db.disconnect()


def queue(count, now):
    """Order jobs, each by a different person, and return them."""
    from storage.base.tables import User
    from storage.journal import drafts
    from storage.money import ledger
    from storage.orders import jobs
    from storage.people import users

    first = 7_000_000_000 + User.select().count()
    for number in range(first, first + count):
        user = users.seen(users.Sender(number, "Person"), now)
        ledger.post(user.id, PRICE, kind="admin", key=f"bench:{user.id}", now=now)
        values = {"prompt": f"a fox {number}", "aspect_ratio": "1:1"}
        draft = drafts.put(user.id, "generate", now, model=MODEL, data={"values": values}, price=PRICE)
        yield jobs.order(user.id, draft.id, draft.version, now=now, usual_s=0, limit=1, starts=1)[0]


def delays(noticed, tasks):
    """Return (median, 95th percentile) of the seconds from the end of a task to the moment it was noticed."""
    late = sorted(at - tasks[task]["due"] for task, at in noticed.items())
    return statistics.median(late), late[int(len(late) * 0.95)]


def poll(ground, count, idle_s):
    """Return the lines of the first part: many jobs followed by polling, beside the usual way."""
    with ground.bot():
        time.sleep(idle_s)
        idle = megabytes(ground.process)
    first_end = time.time() + 3 * idle_s + count * 1.05 * SETUP_S
    made = ground.fill(count, first_end, ground.usual_s)
    theirs = ground.fill(max(1, count // 20), first_end, ground.usual_s)
    share_out(ground, made, theirs)
    began = time.time()
    with usual_way(ground, theirs) as peer, ground.bot():
        time.sleep(idle_s)
        each_kb = (megabytes(ground.process) - idle) * 1024 / count
        end = first_end - time.time() + 2 * ground.usual_s + 60
        wait_until(lambda: len(ground.noticed(made)) == count, "the end of all jobs", end)
        seen = json.loads(peer.stdout.read())
    tasks, noticed = ground.tasks(), ground.noticed(made)
    whole = [tasks[task]["looks"] for task in made if tasks[task]["due"] - ground.usual_s > began] or [0]
    return [
        f"{count} running jobs of about {ground.usual_s} s",
        f"{'':22}{'KB a job':>10}{'requests a job':>16}{'noticed after, s: median':>26}{'95 %':>8}",
        _line("the bot", each_kb, statistics.mean(whole), delays(noticed, tasks)),
        _line("a thread each, 5 s", seen["kb"], ground.usual_s / 5 + 0.5, delays(seen["seen"], tasks)),
    ]


def _line(who, each_kb, requests, late):
    return f"{who:22}{each_kb:10.2f}{requests:16.1f}{late[0]:26.2f}{late[1]:8.2f}"


def share_out(ground, ours, theirs):
    """Tell the bot how long its jobs usually take, and keep it from following the peer's."""
    from storage.base.tables import Job

    with opened(ground.address) as now:
        Job.update(usual_s=ground.usual_s).where(Job.id.in_(list(ours.values()))).execute()
        away = {"state": "lost", "deadline_at": now + timedelta(hours=2)}
        Job.update(away).where(Job.id.in_(list(theirs.values()))).execute()


@contextlib.contextmanager
def usual_way(ground, tasks):
    """Follow these tasks with a thread each during the block; it prints what it has seen once all have ended."""
    order = {"url": ground.servers.kie_url, "key": KEY, "tasks": list(tasks)}
    with subprocess.Popen(
        [sys.executable, str(PEER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:
        peer.stdin.write(json.dumps(order))
        peer.stdin.close()
        yield peer


def call_back(ground, count):
    """Return the line of the second part: jobs whose end KIE reports by callback."""
    span_s = ground.usual_s / 5
    made = ground.fill(count, time.time() + 5 + count * SETUP_S, span_s, callbacks=True)
    with ground.bot(PUBLIC_URL=ground.public_url):
        wait_until(lambda: len(ground.noticed(made)) == count, "the end of the jobs with callbacks", 3 * span_s + 120)
    median, p95 = delays(ground.noticed(made), ground.tasks())
    return [f"{count} jobs with callbacks: noticed after {median:.2f} s in the median, 95 % within {p95:.2f} s"]


def keep_full(ground, seconds):
    """Return the line of the third part: how full the queue keeps KIE's window of 20 creates in 10 s."""
    wanted = int(CREATES * seconds / WINDOW.total_seconds())
    ground.kie.settings(create_limit=CREATES, seconds=(3600, 3600))
    known = len(ground.tasks())
    with opened(ground.address) as now:
        list(queue(2 * wanted, now))
    with ground.bot():
        wait_until(lambda: len(ground.tasks()) > known, "the first create")
        time.sleep(seconds + 2)
    created = sorted(task["created"] for task in ground.tasks().values())[known:]
    inside = [at for at in created if at < created[0] + seconds]
    refused = sum(count for line, count in ground.process.complaints().items() if "call frequency" in line)
    return [
        f"the queue: {len(inside)} creates in {seconds} s, {len(inside) / wanted:.1%} of the limit; {refused} × 429"
    ]


def measure(kind, jobs, usual_s, queue_s, idle_s=IDLE_S):
    """Run the three parts on one database; yield the lines."""
    with databases(kind) as fresh, tempfile.TemporaryDirectory() as folder:
        ground = Ground(fresh[0]("jobs"), folder, usual_s)
        try:
            yield from poll(ground, jobs, idle_s)
            yield from call_back(ground, max(5, jobs // 10))
            yield from keep_full(ground, queue_s)
        finally:
            ground.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--usual", type=int, default=300, metavar="SECONDS")
    parser.add_argument("--queue", type=int, default=100, metavar="SECONDS", help="how long the queue is kept full")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    print(machine())
    for line in measure(options.database, options.jobs, options.usual, options.queue):
        print(line, flush=True)


if __name__ == "__main__":
    main()
