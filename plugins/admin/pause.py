"""/pause TEXT: stop selling for a while and tell people why; /resume: sell again. Orders under way are finished.

Texts: pause.* in data/texts/<lang>/admin/pause.po.
"""

from core.buttons import button, way_out
from core.errors import UserError

NAME = "SALES_PAUSED"  # the runtime setting: the text for people, `-` for the usual one, empty while selling
USUAL = "-"
MOST = 500


def register(bot):
    """Declare the commands, the gate that refuses orders meanwhile, and the line in the main menu."""
    bot.repeatable()
    bot.command("pause", pause, about="pause.about", right="settings")
    bot.command("resume", resume, about="pause.about_resume", right="settings")
    bot.button("pause:end", end, right="settings", seen=int)
    bot.gate(refuse)
    bot.headline(lambda ctx: words(ctx.bot, ctx.lang) or "")


def words(bot, lang):
    """Return what people are told during a pause, or None outside one."""
    stored = bot.runtime_settings.get(NAME)
    if not stored:
        return None
    return bot.texts.plain(lang, "pause.usual") if stored == USUAL else stored


def refuse(bot, user, _now):
    """Refuse an order during a pause."""
    if bot.runtime_settings.get(NAME):
        raise UserError("pause.refused", buttons=bot.trouble(), words=words(bot, bot.lang_of(user)))


def pause(ctx):
    """Stop selling."""
    said = ctx.args[:MOST]
    ctx.runtime_settings.put(NAME, said or USUAL, now=ctx.now, actor=ctx.user.id, act="pause", words=said)
    again = button("pause.end", "pause:end", ctx.runtime_settings.version(NAME))
    ctx.reply("pause.paused", [again, way_out("admin:show")], words=words(ctx.bot, ctx.lang))


def resume(ctx):
    """Sell again."""
    end(ctx, ctx.runtime_settings.version(NAME))


def end(ctx, seen):
    """End the pause that the button belongs to, but no later one."""
    ended = ctx.runtime_settings.clear(NAME, seen, now=ctx.now, actor=ctx.user.id, act="unpause")
    key = "pause.resumed" if ended else "pause.another" if ctx.runtime_settings.get(NAME) else "pause.not_paused"
    ctx.edit(key, [way_out("admin:show")])
