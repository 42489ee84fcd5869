"""/texts: owners say it in their own words: find a text, send a new one, see it as it will look, undo it.

What is set here overrides the texts in the files at once. Texts with plural forms are changed in a file.
Texts: texts.* in data/texts/<lang>/admin/texts.po; act.text and act.text_back in core.po.
"""

from core.buttons import button, mark, pager, primary, way_out
from core.errors import UserError
from core.handling import rights
from core.texts import untagged
from plugins.admin import _text_card as card
from plugins.admin import _text_search as search

PAGE = 6
BUTTON = 24  # characters of a button's label that a phone shows in full
MOST = 800  # characters with values filled in: a text may be a caption, which allows 1,024 (Bot API, sendPhoto)
MOST_COMMAND = 256  # of a command's description (Bot API, BotCommand)


def register(bot):
    """Declare the command, the screens and the dialogue; `doctor` shows texts that no longer fit."""
    bot.repeatable()
    bot.command("texts", start, about="texts.about", right="owner")
    bot.button("texts:find", ask, right="owner")
    bot.button("texts:list", show_page, right="owner", page=int)
    bot.button("texts:changed", show_changed, right="owner")
    bot.button("texts:show", show, right="owner", code=str, lang=str)
    bot.button("texts:use", use, right="owner", draft=int, version=int)
    bot.button("texts:back", put_back, right="owner", code=str, lang=str, seen=int)
    bot.button("texts:former", step_back, right="owner", code=str, lang=str, seen=int)
    bot.step("texts:words", take_words, right="owner")
    bot.step("texts:new", take_text, right="owner")
    bot.admin_menu("texts.menu", "texts:find", row=3)
    bot.check("own texts", check)


def check(bot):
    """Are all texts set in the chat still valid?"""
    if bot.schema.pending():
        return None
    odd = [
        f"{row.key} ({row.lang})" for row in bot.own_texts.changed() if bot.texts.misfit(row.lang, row.key, row.text)
    ]
    return ("texts.odd", {"n": len(odd), "names": ", ".join(odd[:5])}) if odd else None


# finding a text


def start(ctx):
    """Show the texts that match the words after the command, or ask for words."""
    if ctx.args:
        _list(ctx, ctx.args, 0)
    else:
        ask(ctx)


def ask(ctx):
    """Ask for words from the text."""
    changed = len(ctx.own_texts.changed())
    rows = [button("texts.changed", "texts:changed", n=changed)] if changed else []
    ctx.ask("texts:words", "texts.ask", [*rows, way_out("admin:show")], data={})


def take_words(ctx):
    """Show the texts that match these words."""
    if not ctx.text.strip():
        raise UserError("texts.ask", buttons=[way_out("admin:show")])
    _list(ctx, ctx.text.strip(), 0)


def show_changed(ctx):
    """Show what was changed here, the latest first."""
    _list(ctx, "", 0)


def show_page(ctx, page):
    """Show another page of the list that was open."""
    _list(ctx, _data(ctx).get("words", ""), page)


def _data(ctx):
    draft = ctx.drafts.get(ctx.user.id, "texts", ctx.now)
    return draft.data if draft else {}


def _list(ctx, words, page):
    """List the texts that match some words, or without words those changed here; more words may follow."""
    changed = {(row.key, row.lang): row.text for row in ctx.own_texts.changed()}
    found = search.find(ctx, words) if words else list(changed)
    pages = max(1, -(-len(found) // PAGE))
    page %= pages
    cells = [search.row(ctx, key, lang, changed.get((key, lang))) for key, lang in found[page * PAGE :][:PAGE]]
    some, none = ("texts.found", "texts.none") if words else ("texts.all_changed", "texts.no_changes")
    buttons, data = [*cells, *pager(page, pages, "texts:list"), way_out("texts:find")], {"words": words, "page": page}
    ctx.ask("texts:words", some if found else none, buttons, data=data, words=words[:64], n=len(found))


# one text


def show(ctx, code, lang):
    """Show a text as it is written, and wait for a new one."""
    key, row = _text(ctx, code, lang)
    lines, came = card.lines(ctx, key, lang, row.text if row else None), _data(ctx)
    values = {"id": key, "language": ctx.texts.name_of(lang), "lines": ctx.lines(lines)}
    back = way_out("texts:list", came["page"]) if "page" in came else way_out("texts:find")
    rows = [*card.languages(ctx, key, lang), card.ways_back(key, lang, row), back]
    data = {name: came[name] for name in ("words", "page") if name in came} | {"key": key, "lang": lang}
    if not ctx.texts.has(key) or ctx.texts.is_plural(key):
        ctx.edit("texts.card", rows, **values)
    else:
        ctx.ask("texts:new", "texts.card", rows, data=data, **values)


def _text(ctx, code, lang):
    """Return the key behind a button's code, and the row of what was set here, if any."""
    keys = ctx.texts.keys(ctx.texts.default) | {row.key for row in ctx.own_texts.changed()}
    key = next((key for key in keys if mark(key) == code), None)
    row = key and ctx.own_texts.get(lang, key)
    if key is None or not (row or (ctx.texts.has(key) and lang in ctx.texts.languages)):
        raise UserError("common.old_button")
    return key, row


def take_text(ctx):
    """Preview a new text, or say what is wrong with it."""
    data, text = ctx.draft.data, card.written(ctx.message).strip()
    key, lang = data["key"], data["lang"]
    _check(ctx, key, lang, text)
    row = ctx.own_texts.get(lang, key)
    data = data | {"text": text, "seen": row.version if row else 0}
    draft = ctx.drafts.put(ctx.user.id, "texts", ctx.now, data=data, step="texts:new")
    rows = [[primary("texts.use", "texts:use", draft.id, draft.version), _cancel(key, lang)]]
    shown = card.sample(ctx, key, lang, text)
    long = len(untagged(shown)) > BUTTON >= len(untagged(card.sample(ctx, key, lang)))
    values = {"id": key, "language": ctx.texts.name_of(lang), "text": shown, "most": BUTTON}
    ctx.reply("texts.preview_long" if long else "texts.preview", rows, **values)


def _cancel(key, lang):
    return button("texts.cancel", "texts:show", mark(key), lang)


def _check(ctx, key, lang, text):
    """Raise UserError for a text that could not be shown, with the values it may use."""
    if not ctx.texts.has(key) or ctx.texts.is_plural(key):  # an upgrade happened in between
        raise UserError("common.old_button")
    wrong, most = ctx.texts.misfit(lang, key, text), MOST_COMMAND if key in _abouts(ctx) else MOST
    size = 0 if wrong else len(untagged(card.sample(ctx, key, lang, text)).strip().encode("utf-16-le")) // 2
    wrong = wrong or ("empty" if not size else "long" if size > most else None)
    if wrong:
        values = {"given": card.given(ctx, key) or "–", "n": size, "most": most}
        raise UserError(f"texts.wrong_{wrong}", buttons=[[_cancel(key, lang)]], **values)


def _abouts(ctx):
    """Return the keys of the commands' descriptions, which Telegram stores."""
    return {about for _name, about in ctx.bot.commands(lambda _right: True)}


# changing it


def use(ctx, draft, version):
    """Set the previewed text; a second tap finds it set already."""
    found = ctx.drafts.get(ctx.user.id, "texts", ctx.now)
    if found is None or (found.id, found.version) != (draft, version) or "text" not in found.data:
        raise UserError("common.old_button")
    data = found.data
    place = data["lang"], data["key"]
    done = ctx.own_texts.put(*place, data["text"], data["seen"], now=ctx.now, actor=ctx.user.id)
    _after(ctx, data["key"], data["lang"], done, "texts.used")


def put_back(ctx, code, lang, seen):
    """Return to our text."""
    key, _row = _text(ctx, code, lang)
    done = ctx.own_texts.put_back(lang, key, seen, now=ctx.now, actor=ctx.user.id)
    _after(ctx, key, lang, done, "texts.is_back")


def step_back(ctx, code, lang, seen):
    """Return to the text before the last change."""
    key, _row = _text(ctx, code, lang)
    done = ctx.own_texts.step_back(lang, key, seen, now=ctx.now, actor=ctx.user.id)
    _after(ctx, key, lang, done, "texts.used")


def _after(ctx, key, lang, done, told):
    """Report the outcome, show the text as it is now, and update Telegram if it describes a command."""
    ctx.toast(told if done else "common.changed_meanwhile", alert=not done)
    if done and key in _abouts(ctx):
        rights.publish_commands(ctx.bot)
        rights.publish_staff_commands(ctx.bot)
    if ctx.texts.has(key) or ctx.own_texts.get(lang, key).text is not None:
        show(ctx, mark(key), lang)
    else:
        _list(ctx, "", 0)
