"""/audit: what the staff did, newest first, in total or about one person.

Texts: audit.* in data/texts/<lang>/admin/audit_log.po, act.* in core.po.
"""

import re

from babel.numbers import get_decimal_symbol

from core.buttons import button, way_out
from core.texts import untagged

FIGURE = re.compile(r"×?\d+\.\d+(?: \S{1,3})?")  # a factor, or a sum with its sign, as it was kept
PAGE = 8
SHOWN = 80


def register(bot):
    """Declare the command and its pages."""
    bot.repeatable()
    bot.command("audit", show, about="audit.about", right="audit")
    bot.button("audit:page", page, right="audit", before=int)
    bot.button("audit:about", about, right="audit", user=int, before=int)
    bot.admin_menu("audit.menu", "audit:page:0", row=5)


def show(ctx):
    """Show the newest acts."""
    page(ctx, 0)


def page(ctx, before):
    """Show a page of acts older than `before` (0: the newest)."""
    found = ctx.audit_log.recent(limit=PAGE + 1, before=before or None)
    _draw(ctx, found, "audit:page", (), way_out("admin:show"))


def about(ctx, user, before):
    """Show a page of what was done to one person."""
    found = ctx.audit_log.recent(limit=PAGE + 1, before=before or None, user=user)
    _draw(ctx, found, "audit:about", (user,), way_out("users:card", user))


def _draw(ctx, found, route, args, last_row):
    lines = [_line(ctx, act) for act in found[:PAGE]]
    older = [button("common.older", route, *args, found[PAGE - 1].id)] if len(found) > PAGE else []
    ctx.edit("audit.list", [*older, last_row], lines=ctx.lines(lines or [ctx.say("audit.nothing")]))


def _line(ctx, act):
    whom = ctx.users.get(act.user_id).first_name if act.user_id else _about(ctx, act.ref or "")
    amount = ctx.texts.money(ctx.lang, act.amount) if act.amount else ""
    what = ctx.say(f"act.{act.what}") if ctx.texts.has(f"act.{act.what}") else act.what
    own = ctx.texts.plain(ctx.lang, "audit.own") if act.own else ""
    details = "".join(f" · {part}" for part in (whom, amount, _words(ctx, act)[:SHOWN], own) if part)
    return ctx.say("audit.line", when=act.created_at, name=act.actor.first_name, what=what, details=details)


def _about(ctx, ref):
    """Return what an act is about, in people's words: a setting, a model, a menu row, a code, a broadcast, a text."""
    kind, _, name = ref.partition(":")
    if kind == "model":
        model = ctx.generation.catalog.known.get(name)
        return model.title if model else name
    if kind == "text":
        lang, _, key = name.partition(":")
        return f"{key}, {ctx.texts.name_of(lang)}"
    if kind in ("promo", "broadcast"):
        return name if kind == "promo" else ctx.texts.plain(ctx.lang, "common.number", number=name)
    key = {"menu": f"menu.{name}", "offer": f"do.{name}", "all": "common.everything"}.get(
        kind, f"setting.{kind.lower()}"
    )
    return ctx.texts.plain(ctx.lang, key) if ctx.texts.has(key) else ""


def _words(ctx, act):
    """Return the words of an act: a reason or a value as it is, a role or an audience in people's words."""
    words = act.words or ""
    key, values = f"team.role_{words or 'none'}" if act.what == "role" else "", {}
    if act.what == "broadcast":
        kind, _, rest = words.partition(":")
        if kind == "lang":
            return ctx.texts.name_of(rest.partition(":")[0])
        counted = kind in ("active", "ids")
        key = f"broadcast.to_{kind if counted else words.replace(':', '_')}"
        values = {"n": int(rest)} if counted else {}
    words = untagged(words) if act.what == "text" else words
    if FIGURE.fullmatch(words):
        words = words.replace(".", get_decimal_symbol(str(ctx.lang)))
    return ctx.texts.plain(ctx.lang, key, **values) if key and ctx.texts.has(key) else words
