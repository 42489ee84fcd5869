"""/backup sends an owner everything in one file; with BACKUP_KEEP it is also written every night.

Setting: BACKUP_KEEP, how many nightly files stay in DATA_DIR/backups; 0, the default, writes none.
Texts: backup.* in data/texts/<lang>/admin/backup.po.
"""

from datetime import timedelta
from pathlib import Path

MAX_BYTES = 49 * 1024 * 1024  # Bot API: bots upload up to 50 MB
STALE = timedelta(days=2)


def register(bot):
    """Declare the command and, with BACKUP_KEEP, the nightly work and its check."""
    bot.repeatable()
    bot.command("backup", send, about="backup.about", right="backup")
    bot.button("backup:send", send, right="backup")
    bot.privacy_line(copies)
    if bot.setting("BACKUP_KEEP", int, default=0, minimum=0):
        bot.every(1800, "backup", nightly)
        bot.check("backup", check)


def copies(ctx):
    """Say what backups of the database keep about people, and for how long."""
    days = ctx.settings["BACKUP_KEEP"]
    return ctx.say("backup.kept", n=days) if days else ctx.say("backup.not_kept")


def folder(bot):
    """Return where backups are."""
    return Path(bot.settings["DATA_DIR"]) / "backups"


def send(ctx):
    """Write a backup and send it; if it is too big for Telegram, it stays on the disk and its path is shown.

    If anything fails, the file is deleted: no copy of everything may lie around that nobody knows of.
    """
    ctx.reply("backup.begun")
    path = folder(ctx.bot) / f"sent-{ctx.dump.name(ctx.now)}"
    try:
        _write_and_send(ctx, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write_and_send(ctx, path):
    header = ctx.dump.write(ctx.settings["DATABASE_URL"], path, ctx.now, actor=ctx.user.id)
    values = {"rows": sum(header["tables"].values()), "size": f"{path.stat().st_size / 1024**2:.1f}"}
    if path.stat().st_size > MAX_BYTES:
        ctx.reply("backup.too_big", ctx.bot.home(), path=str(path), **values)
        return
    with path.open("rb") as stream:
        ctx.send_document(path.name, stream, "application/gzip")
    path.unlink()
    ctx.reply("backup.sent", ctx.bot.home(), **values)


def nightly(bot, now):
    """Write today's backup if there is none yet, and delete the oldest."""
    if not list(folder(bot).glob(f"bot-{now:%Y-%m-%d}-*.gz")):
        bot.dump.write(bot.settings["DATABASE_URL"], folder(bot) / bot.dump.name(now), now)
    for old in sorted(folder(bot).glob("bot-*.gz"))[: -bot.settings["BACKUP_KEEP"]]:
        old.unlink()


def check(bot):
    """Report that the nightly backup was not written."""
    oldest = f"bot-{bot.clock.now() - STALE:%Y-%m-%d-%H%M%S}"  # the name has the time: a copied file keeps it
    return None if any(path.name > oldest for path in folder(bot).glob("bot-*.gz")) else "backup.stale"
