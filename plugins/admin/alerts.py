"""Watches credits, failing models, stuck orders, errors and disk space, and alerts the staff; /quiet and /here say when and where.

Checked every minute: KIE credits low, a model failing, orders stuck, errors rising, the disk filling up.
`payments/reconcile.py` checks for Stars that do not match; the core alerts by itself of what it notices.
/quiet 23-8 keeps the night silent, by the sender's clock; /here in a group brings requests and alarms there.
Settings: CREDITS_LOW, KIE credits; DISK_LOW_MB, free space on the data's disk.
Texts: alerts.* in data/texts/<lang>/admin/alerts.po.
"""

import collections
import logging
import pathlib
import re
import shutil
import threading
from datetime import timedelta

from core.buttons import button, way_out
from core.errors import UserError
from core.handling import rights

HOURS = re.compile(r"(\d{1,2})\s*[-–—]\s*(\d{1,2})")
FALLEN, ENOUGH = 0.5, 4  # this share of failures, among at least this many orders in an hour
ERRORS, ERRORS_IN = 20, timedelta(minutes=10)
LASTS_DAYS = 1


def register(bot):
    """Declare the settings, the periodic check, the screen and the commands."""
    bot.repeatable()
    bot.setting("CREDITS_LOW", int, default=500, minimum=0)
    bot.setting("DISK_LOW_MB", int, default=500, minimum=0)
    errors = ErrorCount.install(bot.clock)
    bot.every(60, "alerts", lambda bot, now: look(bot, errors, now))
    bot.button("alerts:show", show, right="alerts")
    bot.button("alerts:alone", leave_group, right="roles", seen=int)
    bot.command("quiet", quiet, about="alerts.about_quiet", right="settings")
    bot.command("here", here, about="alerts.about_here", right="roles", groups=True)
    bot.admin_menu("alerts.menu", "alerts:show", row=4)


class ErrorCount(logging.Handler):
    """Counts the errors in the log of the last minutes."""

    def __init__(self, clock):
        super().__init__(logging.ERROR)
        self._clock = clock
        self._times = collections.deque(maxlen=10_000)
        self._guard = threading.Lock()

    @classmethod
    def install(cls, clock):
        """Count everything logged as an error, replacing the counter of an earlier bot in this process."""
        root = logging.getLogger()
        for old in [handler for handler in root.handlers if type(handler).__name__ == cls.__name__]:
            root.removeHandler(old)
        counter = cls(clock)
        root.addHandler(counter)
        return counter

    def emit(self, record):
        """Note when an error was logged."""
        with self._guard:
            self._times.append(self._clock.now())

    def since(self, time):
        """Return how many errors there were since a time."""
        with self._guard:
            return sum(1 for at in self._times if at >= time)


def look(bot, errors, now):
    """Alert the staff of every cause that holds now."""
    _look_at_credits(bot, now)
    for model, (done, failed) in bot.job_health.outcomes(now - timedelta(hours=1)).items():
        if done + failed >= ENOUGH and failed >= FALLEN * (done + failed):
            bot.alert("alerts.model", cause=f"model:{model}", model=model, failed=failed, all=done + failed)
    if stuck := bot.job_health.stuck(now):
        bot.alert("alerts.stuck", cause="stuck", n=stuck)
    if (count := errors.since(now - ERRORS_IN)) >= ERRORS:
        bot.alert("alerts.errors", cause="errors", n=count, minutes=ERRORS_IN.seconds // 60)
    free_mb = shutil.disk_usage(_folder(bot.settings["DATA_DIR"])).free // 2**20
    if free_mb < bot.settings["DISK_LOW_MB"]:
        bot.alert("alerts.disk", cause="disk", free=free_mb)


def _folder(path):
    """Return the folder, or the nearest one above it that exists."""
    folder = pathlib.Path(path).absolute()
    return next(each for each in (folder, *folder.parents) if each.exists())


def _look_at_credits(bot, now):
    left = bot.generation.credits_left(now)
    if left is None:
        return
    pace = bot.jobs.spent_credits(now - timedelta(days=1)) / 1_000_000
    if left < bot.settings["CREDITS_LOW"] or pace and float(left) / pace < LASTS_DAYS:
        days = float(left) / pace if pace else 0
        bot.alert(
            "alerts.credits" if pace else "alerts.credits_plain",
            cause="credits low",
            left=int(left),
            hours=int(days * 24),
        )


def show(ctx):
    """Show the alarms of the last day, the quiet hours, and where alarms go."""
    lines = [
        ctx.say("alerts.line", since=alarm.since, last=alarm.last_at, n=alarm.count, what=_headline(ctx, alarm))
        for alarm in ctx.alarms.recent(ctx.now - timedelta(days=1))
    ]
    in_group = bool(ctx.runtime_settings.get(rights.GROUP))
    rows = [button("alerts.alone", "alerts:alone", ctx.runtime_settings.version(rights.GROUP))] if in_group else []
    ctx.edit(
        "alerts.list",
        [*rows, way_out("admin:show")],
        lines=ctx.lines(lines or [ctx.say("alerts.none")]),
        quiet=_quiet(ctx),
        place=ctx.say("alerts.in_group" if in_group else "alerts.in_private"),
    )


def _headline(ctx, alarm):
    """Return the first line of an alarm's message."""
    return ctx.texts.plain(ctx.lang, alarm.text, **alarm.values).split("\n")[0]


def _quiet(ctx):
    hours = ctx.runtime_settings.get(ctx.alarms.HOURS)
    if not hours:
        return ctx.say("alerts.no_quiet")
    start, end, _offset = hours.split()
    return ctx.say("alerts.quiet", start=start, end=end)


def quiet(ctx):
    """Set the hours in which alarms wait, by the sender's clock; `/quiet off` ends them."""
    found = HOURS.fullmatch(ctx.args.strip())
    if found and int(found[1]) < 24 and int(found[2]) < 24:
        offset = ctx.now.astimezone(ctx.bot.zone_of(ctx.user)).utcoffset() // timedelta(minutes=1)
        said = f"{int(found[1])}–{int(found[2])}"
        hours = f"{int(found[1])} {int(found[2])} {offset}"
        ctx.runtime_settings.put(ctx.alarms.HOURS, hours, now=ctx.now, actor=ctx.user.id, act="quiet", words=said)
    elif ctx.args.lower() in ("off", "0"):
        ctx.runtime_settings.put(ctx.alarms.HOURS, "", now=ctx.now, actor=ctx.user.id, act="quiet_off", words="")
    elif ctx.args:
        raise UserError("alerts.want_hours", buttons=[way_out("alerts:show")])
    show(ctx)


def here(ctx):
    """Send requests and alarms to this group from now on; in private, explain."""
    if ctx.private:
        ctx.reply("alerts.how_here", [way_out("alerts:show")])
        return
    title, place = ctx.message["chat"].get("title", ""), f"{ctx.chat_id} {ctx.user.id}"
    ctx.runtime_settings.put(rights.GROUP, place, now=ctx.now, actor=ctx.user.id, act="here", words=title)
    ctx.reply("alerts.here")


def leave_group(ctx, seen):
    """Send requests and alarms to each person again, if the group is still the one that was shown."""
    if not ctx.runtime_settings.clear(rights.GROUP, seen, now=ctx.now, actor=ctx.user.id, act="here_off"):
        ctx.toast("common.changed_meanwhile", alert=True)
    show(ctx)
