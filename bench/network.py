"""Spoils a fifth of all calls between the bot and both servers while a town uses it; the sums must still be right.

    python bench/network.py                    five minutes, 50 users, both databases
    python bench/network.py --share 0.4 --seconds 60

Faults: connections reset and calls hanging before or after they were carried out, 5xx (before and after), garbage,
answers that break off and answers that drip. Meanwhile a screen may be missing: menus are best effort. What must hold:
money, jobs, results, everything that is a row. Then the network recovers, and everybody is answered.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.crash import databases  # noqa: E402
from bench.load import Servers, Town  # noqa: E402
from bench.process import BOT, LAUNCHER, Process, free_port  # noqa: E402
from bench.proxy import Proxy  # noqa: E402
from bench.settle import finish  # noqa: E402

HANG_S = 35  # longer than the bot waits for an answer (30 s)
PATIENCE_S = 12  # of people, for an answer that may have been lost


def spoil(url, folder, *, seconds=300, users=50, share=0.2, hang_s=HANG_S, speed=1, pause_s=5.0, seed=1, write=print):
    """Run the bot behind two bad networks for `seconds`; return the number of differences."""
    servers = Servers()
    telegram, kie = (
        Proxy(target, share=share, hang_s=hang_s, seed=seed + place)
        for place, target in enumerate((servers.telegram_server.url, servers.kie_server.api_url))
    )
    shops = [
        Proxy(target.rpartition("/")[0], share=share, hang_s=hang_s, seed=seed + 2 + place)
        for place, target in enumerate(servers.providers.urls.values())
    ]
    providers = dict(
        zip(("YOOKASSA_API_URL", "CRYPTOPAY_API_URL"), (f"{shops[0].url}/v3", f"{shops[1].url}/api"), strict=True)
    )
    environ = servers.settings(
        url, folder, PORT=str(free_port()), TELEGRAM_API_URL=telegram.url, KIE_API_URL=kie.url,
        KIE_UPLOAD_URL=f"{kie.url}/upload", CLOCK_SPEED=str(speed), CLOCK_START=str(time.time()),
        **providers,
    )  # fmt: skip
    process = Process(environ, Path(folder) / "bot.log", BOT if speed == 1 else LAUNCHER)
    try:
        process.start_first()
        town = Town(servers, users, seed=seed, pause_s=pause_s)
        for human in (*town.customers, *town.admins):
            human.patience_s = PATIENCE_S
        town.start()
        time.sleep(seconds)
        town.stop()
        calm(town, telegram, kie, *shops)
        counts = sum((proxy.counts for proxy in (telegram, kie, *shops)), Counter())
        calls = counts["calls"]
        spoilt = counts.total() - calls
        title = f"{url.partition(':')[0]}: {spoilt} of {calls} calls spoilt, {users} users, {seconds} s"
        differences = finish(servers, town, process, url, title, write)
        write("faults: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())))
        return differences
    finally:
        process.end()
        for proxy in (telegram, kie, *shops):
            proxy.stop()
        servers.stop()


def calm(town, *proxies):
    """Let every call pass from now on; answers missing so far may have been lost on the way."""
    for proxy in proxies:
        proxy.share = 0
    town.notes.done["answers lost on the way"] = len(town.notes.unanswered)
    town.notes.unanswered.clear()
    for human in (*town.customers, *town.admins):
        human.patience_s = 60


def main():
    """Read the command line and run; exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    differences = 0
    with databases(options.database) as fresh:
        for number, make in enumerate(fresh):
            with tempfile.TemporaryDirectory() as folder:
                load = {
                    "seconds": options.seconds,
                    "users": options.users,
                    "share": options.share,
                    "seed": options.seed,
                }
                differences += spoil(make(f"network{number}"), folder, **load)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
