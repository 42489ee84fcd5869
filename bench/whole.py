"""What reads all the data, as an operator types it: verify, verify --new, backup, restore; seconds and peak memory.

    python bench/whole.py                                      1,000,000 entries
    python bench/whole.py --times 10 --database postgresql     ten times that, by hand (TMPDIR says where)

Beside them is what the machine does at least: a bare sum over the entries, a copy of the file, gzip of the backup's text.
"""

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import grown  # noqa: E402
from bench.contest import databases, machine  # noqa: E402
from bench.process import BOT, ROOT  # noqa: E402
from bench.scale import ENTRIES, JOBS, USERS, close_all  # noqa: E402


def run(url, folder, *arguments):
    """Run a command of the bot; return (seconds, CPU seconds, peak memory in MB, its last line)."""
    environ = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "DATA_DIR": str(folder)}
    start, peak_kb, ended = time.perf_counter(), 0, 0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, str(BOT), *arguments], cwd=ROOT, env=environ, stdout=said)
        while not ended:
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            peak_kb = int(found[1]) if found else peak_kb  # a process that is ending has none
            time.sleep(0.01)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        said.seek(0)
        lines = said.read().splitlines()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}: {lines[-3:]}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, peak_kb / 1024, lines[-1]


def limits(url, backup):
    """Return {what: seconds} of what the machine does at least: with the rows, the file and the backup's text."""
    from storage.base import db

    found = {}
    db.connect(url)
    with db.connection() as real:
        start = time.perf_counter()
        real.execute_sql("SELECT COUNT(*), SUM(amount) FROM entry").fetchall()
        found["a bare sum over the entries"] = time.perf_counter() - start
    db.disconnect()
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        start = time.perf_counter()
        shutil.copy(path, path.with_suffix(".copy"))
        found[f"a copy of the file, {path.stat().st_size / 1e6:,.0f} MB"] = time.perf_counter() - start
        path.with_suffix(".copy").unlink()
    start, size = time.perf_counter(), 0
    with gzip.open(backup) as lines:
        while some := lines.read(1 << 20):
            size += len(some)
    found[f"unpacking the backup, {size / 1e6:,.0f} MB of text"] = time.perf_counter() - start
    return found


def work_on(url, entries):
    """Let six hours' share of the entries come after the proof, a bonus to each person in turn, and be sealed."""
    from storage.base import db
    from storage.base.engines import over
    from storage.money import seals

    db.connect(url)
    later = datetime.now(UTC) + timedelta(minutes=1)
    number, at = entries // grown.DAYS // 4, int(later.timestamp() * 1_000_000)
    with db.transaction() as real:
        engine = over(real)
        rows = (
            f"{grown.SERIES[engine.postgres].format(number)} SELECT 'day' || n, n % 5000 + 2, 'bonus', 1, {at} FROM s"
        )
        engine.execute(f"INSERT INTO source (key, user_id, kind, amount, created_at) {rows}")
        engine.execute(f"INSERT INTO entry (key, user_id, kind, amount, created_at) {rows}")
        moved = "(SELECT COUNT(*) FROM source s WHERE s.user_id = account.user_id AND s.key LIKE 'day%')"
        engine.execute(f"UPDATE account SET balance = balance + {moved} WHERE user_id < 5002")
    seals.seal(seals.look(), later)
    db.disconnect()


def prove(url):
    """Prove everything, as the leader does every six hours, and note it."""
    from storage.base import db
    from storage.money import proof

    db.connect(url)
    close_all()
    findings, _since = proof.prove(datetime.now(UTC))
    assert not findings, findings
    db.disconnect()


def main():
    """Measure and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--times", type=float, default=1, help="how many times the usual size")
    options = parser.parse_args()
    users, entries, jobs = (int(n * options.times) for n in (USERS, ENTRIES, JOBS))
    with databases(options.database, 0) as (addresses, folder):
        url, other = addresses["ours"], addresses["ours"].replace("ours", "restored")
        if options.database == "postgresql":
            other = addresses["fresh"]("restored")
        grown.fill(url, users, entries, jobs)
        prove(url)
        print(machine(), f"{entries:,} entries, {options.database}", sep="\n")
        copy = str(folder / "copy.gz")
        for name, before, at, arguments in (
            ("verify", None, url, ("verify",)),
            ("verify --new, nothing new", None, url, ("verify", "--new")),
            ("verify --new, six hours' entries", work_on, url, ("verify", "--new")),
            ("backup", None, url, ("backup", copy)),
            ("restore", None, other, ("restore", copy)),
        ):
            if before is not None:
                before(url, entries)
            seconds, cpu_s, peak_mb, said = run(at, folder, *arguments)
            print(f"{name:32}{seconds:8.2f} s {cpu_s:8.2f} s CPU {peak_mb:6.0f} MB  {said}", flush=True)
        for name, seconds in limits(url, copy).items():
            print(f"{name:50}{seconds:8.2f} s")


if __name__ == "__main__":
    main()
