"""/doctor and `python bot.py doctor`: what is wrong with the installation, each with its remedy in one line.

Checks only read. Other plugins add their own with `bot.check`.
Texts: doctor.* in data/texts/<lang>/admin/doctor.po.
"""

import logging
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from core.buttons import route, way_out
from core.services import ways_to_pay
from core.telegram.sender import TelegramError
from core.telegram.transport import NotSent, TelegramFailed, UnknownOutcome
from kie.api.errors import KieError
from kie.catalogue.pricing import cheapest

PAYING = route("payments:show", optional=True)

log = logging.getLogger(__name__)
DOCTOR = "admin/doctor"  # the name under which it keeps what it has reported
LEAST_DISK = 500 * 1024**2
LEAST_CREDITS = 500
CLOCK_S = 30
CONFLICT, CONFLICT_FOR = "doctor:conflict", timedelta(hours=1)
WEBHOOK_TROUBLE_S = 900
SAMPLE = Path(__file__).parents[2] / "data" / "samples" / "clip-wide.mp4"
TEMPORARY = ("overlay", "tmpfs", "ramfs", "aufs")  # file systems that disappear with their container


def register(bot):
    """Declare the command, the page and the checks, in the order in which one would look."""
    bot.repeatable()
    bot.command("doctor", show, about="doctor.about", right="alerts")
    bot.button("doctor:show", show, right="alerts")
    bot.admin_menu("doctor.menu", "doctor:show", row=5)
    for check in (
        way_to_pay, migrations, database, disk, temporary_disk, token, webhook, second_program, clock, kie, rate, prices,
        texts, stars, seals, admins, files, away,
    ):  # fmt: skip
        bot.check(check.__name__.replace("_", " "), check)
    bot.every(300, "conflicts", note_conflict)
    bot.every(6 * 3600, "disk", warn_of_disk)
    bot.every(300, "untranslated", tell_untranslated)


def show(ctx):
    """Run all checks and show what is wrong."""
    found = list(ctx.bot.examine())
    lines = [ctx.say("doctor.line", problem=ctx.say(key, **values)) for _name, key, values in found if key]
    ctx.edit("doctor.ill" if lines else "doctor.well", [way_out("admin:show")], n=len(found), lines=ctx.lines(lines))


def way_to_pay(bot):
    """Can people pay? Each way is on or off; without one, nobody who lacks money gets any further."""
    is_stuck = PAYING in bot.handlers["button"] and not ways_to_pay.switched_on(bot)
    return "doctor.no_way_to_pay" if is_stuck else None


def migrations(bot):
    """Has every migration been applied?"""
    missing = bot.schema.pending()
    return ("doctor.migrations", {"names": ", ".join(missing)}) if missing else None


def database(bot):
    """Can a row be written?"""
    if not bot.schema.pending():
        bot.health.try_write(bot.clock.now())


def disk(bot):
    """Is there room for the database, the journal and the backups?"""
    free = shutil.disk_usage(_data_dir(bot)).free
    return ("doctor.disk", {"free": free // 1024**2}) if free < LEAST_DISK else None


def _data_dir(bot):
    folder = Path(bot.settings["DATA_DIR"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def temporary_disk(bot):
    """Is the database on a disk that disappears with its container?"""
    address = bot.settings["DATABASE_URL"]
    if not address.startswith("sqlite"):
        return None
    folder = Path(address.removeprefix("sqlite:///")).resolve().parent
    on_render = "RENDER" in os.environ and not any(map(os.path.ismount, [folder, *folder.parents[:-1]]))
    if on_render or _file_system(folder, Path("/proc/mounts")) in TEMPORARY:
        return "doctor.temporary_disk", {"folder": str(folder)}
    return None


def _file_system(folder, mounts):
    """Return the type of the file system that holds `folder`, if the system says so."""
    if not mounts.exists():
        return None
    found = {}
    for line in mounts.read_text().splitlines():
        _device, place, kind, *_rest = line.split()
        found[place.replace("\\040", " ")] = kind
    return next((found[str(place)] for place in [folder, *folder.parents] if str(place) in found), None)


def token(bot):
    """Does Telegram accept the token?"""
    try:
        bot.sender.call("getMe")
    except TelegramError as error:
        return "doctor.token", {"error": error.description}
    except (NotSent, UnknownOutcome) as error:
        return "doctor.telegram_away", {"error": str(error)}
    return None


def webhook(bot):
    """Do updates go where BOT_MODE wants them?"""
    try:
        found = bot.sender.call("getWebhookInfo")
    except TelegramFailed:
        return None  # the check of the token reports it
    ours = bot.settings["BOT_MODE"] == "webhook"
    if not ours and found["url"]:
        return "doctor.webhook_left"
    if ours and not found["url"].startswith(bot.settings["PUBLIC_URL"]):
        return "doctor.webhook_gone", {"url": found["url"] or "–"}
    if ours and bot.clock.now().timestamp() - found.get("last_error_date", 0) < WEBHOOK_TROUBLE_S:
        return "doctor.webhook_trouble", {"error": found["last_error_message"]}
    return None


def second_program(bot):
    """Has another program fetched our updates within the last hour? The leader notes it."""
    noted = bot.runtime_settings.get(CONFLICT)
    if noted and bot.clock.now() - datetime.fromisoformat(noted) < CONFLICT_FOR:
        return "doctor.second_program"
    return None


def note_conflict(bot, now):
    """Record that another program fetches our updates, and alert the staff."""
    seen = bot.status.conflict_at
    if seen is not None and (bot.runtime_settings.get(CONFLICT) or "") < seen.isoformat():
        bot.runtime_settings.put(CONFLICT, seen.isoformat(), now=now)
        bot.alert("doctor.second_program", cause="second program")


def clock(bot):
    """Is our clock right? KIE's server tells the time."""
    try:
        theirs = bot.generation.client.server_time()
    except KieError:
        return None  # the check of KIE reports it
    apart = round((bot.clock.now() - theirs).total_seconds())
    return ("doctor.clock", {"n": abs(apart)}) if abs(apart) > CLOCK_S else None


def kie(bot):
    """Does KIE accept the key, and are there credits?"""
    try:
        left = bot.generation.client.credits()
    except KieError as error:
        key = "doctor.kie_key" if getattr(error, "reason", "") == "key" else "doctor.kie_away"
        return key, {"error": str(error)}
    return ("doctor.kie_credits", {"left": int(left)}) if left < LEAST_CREDITS else None


def rate(bot):
    """Is there a rate? Without one nothing is sold."""
    return None if bot.generation.usd_rate() else "doctor.rate"


def prices(bot):
    """Does every model on sale have a price?"""
    if not bot.generation.usd_rate():
        return None
    offered = bot.generation.catalog.models.values()
    unpriced = [m.id for m in offered if bot.generation.price_of_credits(cheapest(m), m) is None]
    return ("doctor.prices", {"n": len(unpriced), "names": ", ".join(unpriced[:5])}) if unpriced else None


def texts(bot):
    """Does every text exist in every language?"""
    known = bot.texts.keys(bot.texts.default)
    odd = sorted((key, lang) for lang in bot.texts.languages[1:] for key in known ^ bot.texts.keys(lang))
    files = list(dict.fromkeys(str(bot.texts.file_of(lang, key)) for key, lang in odd))
    values = {"n": len(odd), "names": ", ".join(f"{key} ({lang})" for key, lang in odd[:5])}
    return ("doctor.texts", values | {"files": ", ".join(files[:3])}) if odd else None


def stars(bot):
    """Does Telegram's list have every payment in Stars?"""
    missing = bot.refunds.unlisted(bot.clock.now() - timedelta(hours=2))
    return ("doctor.stars", {"n": missing}) if missing else None


def seals(bot):
    """Have payments and acts been sealed? The leader does so once a minute."""
    since = bot.seals.unsealed_since(bot.clock.now())
    return ("doctor.seals", {"n": int((bot.clock.now() - since) / timedelta(hours=1))}) if since else None


def admins(bot):
    """Can every owner be written to?"""
    ids = bot.settings["ADMIN_IDS"]
    if not ids:
        return "doctor.no_admins"
    found = {i: bot.users.by_telegram_id(i) for i in ids}
    deaf = [str(i) for i, user in found.items() if user is None or user.blocked_bot]
    return ("doctor.admins", {"ids": ", ".join(deaf)}) if deaf else None


def files(bot):
    """Can a file that somebody sends be examined? It takes a child process and a place for it."""
    return None if bot.generation.media.works(SAMPLE) else "doctor.files"


def away(bot):
    """Does anything wait for an absent plugin?"""
    here = set(bot.sources) - bot.switched_off
    tables = bot.plugin_tables.away({table.model._meta.table_name for table in bot.tables}, here)
    waiting = bot.outbox.apart()
    if not tables and not waiting:
        return None
    return "doctor.away", {"n": waiting, "names": ", ".join(sorted(tables)) or "–"}


def tell_untranslated(bot, _now):
    """Tell the staff once about texts shown in the default language, as they are not translated."""
    found = {f"{key} ({lang})" for lang, key in bot.texts.untranslated}
    if new := sorted(found.difference(bot.store(DOCTOR).get("untranslated", []))):
        bot.store(DOCTOR).change("untranslated", lambda told: sorted({*(told or []), *new}))
        cause = f"untranslated {new[0]}"  # its own: the same cause would be held back, and these are told once
        bot.alert("doctor.alert_untranslated", cause=cause, n=len(new), names=", ".join(new[:5]))


def warn_of_disk(bot, _now):
    """Warn in the log that the data is in danger."""
    for check in (temporary_disk, disk):
        if problem := check(bot):
            key, values = problem
            log.warning(bot.texts.plain(bot.texts.default, key, **values))
