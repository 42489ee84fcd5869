"""The end of a run: wait until the bot has nothing left to do, then prove the books and say what differs."""

import contextlib
import time

from bench import books, payers
from bench.load import NoAnswer
from bench.process import LAUNCHER

LOST_AHEAD_S = 31 * 60  # a job whose create was interrupted is given up after 30 minutes
SETTLE_S = 240
QUIET_S = 1.5  # nothing may come up again for this long


def settle(servers, url, patience_s=SETTLE_S, quiet_s=QUIET_S, lost=True):
    """Wait until the bot has nothing left to do (except, with `lost`, to wait for KIE); return whether it got there."""
    from storage.base.tables import Charge, Fact, Inbox, Job, Outbox, ProviderRefund
    from storage.orders import jobs

    end, quiet_since = time.monotonic() + patience_s, None
    while time.monotonic() < end:
        with books.reading(url):
            open_states = [state for state in jobs.OPEN if state != "lost" or not lost]
            busy = (
                Inbox.select().where(~Inbox.aside).count()
                + Outbox.select().where(Outbox.state == "pending").count()
                + Job.select().where((Job.state.in_(open_states)) | (Job.delivery == "pending")).count()
                + Fact.select().count()
                + Charge.select().where(Charge.refund == "asked").count()
                + ProviderRefund.select().where(ProviderRefund.state == "asked").count()
                + (0 if lost else len(payers.differences(servers.providers)[2]))
                + servers.telegram.pending
            )
        quiet_since = None if busy else quiet_since or time.monotonic()
        if quiet_since and time.monotonic() - quiet_since > quiet_s:
            return True
        time.sleep(0.2)
    return False


def finish(servers, town, process, url, title, write=print):
    """Let the bot finish, give up what KIE will never name, prove the books; return the number of differences."""
    settle(servers, url)
    process.stop()
    compare_lists(url)
    process.start(LAUNCHER, CLOCK_AHEAD_S=str(LOST_AHEAD_S), PLANT="")
    settle(servers, url, lost=False)
    for customer in town.customers:
        with contextlib.suppress(NoAnswer):  # it is noted, and missing from the table
            customer.balance()
    settle(servers, url, lost=False)
    stopped = process.stop()
    rows = books.Books(servers, town, url).rows()
    rows = books.verdict(rows, *process.verify())
    rows.append(books.Row("exit code of a polite stop", "", str(stopped), [stopped] if stopped else []))
    differences = books.show(rows, title, write)
    report(town, process, write)
    return differences


def compare_lists(url):
    """Have the providers' lists compared at the next start, although a day has not passed."""
    from storage.base import db
    from storage.base.tables import Stored

    with books.reading(url), db.transaction():
        Stored.delete().where(Stored.name.startswith("LISTED:")).execute()


def report(town, process, write):
    """Write what happened on the way, and what went wrong, in the bot's own words."""
    done = ", ".join(f"{count} {name}" for name, count in sorted(town.notes.done.items()))
    write(f"{process.starts} starts; {done}")
    if process.falls:
        write(f"  the bot ended by itself with the exit codes {process.falls}")
    for message, count in sorted(process.complaints().items(), key=lambda item: -item[1])[:12]:
        write(f"  in the log {count} times: {message}")
