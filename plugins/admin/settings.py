"""Settings from the chat: rates, limits, details and texts. Effective at once; three sample prices are shown.

Every setting that a plugin declares with `chat=True` is here: `setting.<name>` is its label, `setting.<name>.value`
says how its numbers are shown. What is set here is stored and wins over the environment. /rate 92.5 and /markup 2 are
shortcuts.
Texts: rates.* in data/texts/<lang>/admin/settings.po, setting.* in core.po.
"""

import re
from decimal import Decimal, InvalidOperation

from core.buttons import button, way_out
from core.errors import UserError
from core.texts import Ref
from kie.catalogue.pricing import cheapest

MOST = 3000  # characters of a text
NUMBERS = (int, Decimal)
SIGNS = "×₽$€ \u00a0"  # as shown, so that a value copied from the screen can be sent back
THOUSANDS = re.compile(r"(?<=\d)\s(?=\d{3}(?!\d))")


def register(bot):
    """Declare the commands, the screens and the dialogue."""
    bot.repeatable()
    bot.command("rate", lambda ctx: change(ctx, "USD_RATE"), about="rates.about", right="settings")
    bot.command("markup", lambda ctx: change(ctx, "MARKUP"), about="rates.about_markup", right="settings")
    bot.button("rates:show", show, right="settings")
    bot.button("rates:texts", show_texts, right="settings")
    bot.button("rates:edit", edit, right="settings", name=str)
    bot.button("rates:reset", reset, right="settings", name=str, seen=int)
    bot.step("rates:value", take_value, right="settings")
    bot.admin_menu("rates.menu", "rates:show", row=3)


def show(ctx):
    """Show the rates and limits, and three sample prices."""
    names = [name for name, kind in _fields(ctx) if kind is not str]
    cells = [_button(ctx, name) for name in names]
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    lines = [ctx.say("rates.value", name=_name(ctx, name), value=_shown(ctx, name)) for name in names]
    key = "rates.text" if ctx.settings["USD_RATE"] else "rates.none"
    ctx.edit(
        key,
        [*rows, button("rates.texts", "rates:texts"), way_out("admin:show")],
        lines=ctx.lines(lines),
        prices=_prices(ctx),
    )


def _fields(ctx):
    """Return (name, kind) of the settings that can be changed here."""
    return [(name, setting.kind) for name, setting in ctx.settings.declared.items() if setting.chat]


def _button(ctx, name):
    key, values = _label(ctx, name)
    return button(key, "rates:edit", name, **values)


def _name(ctx, name):
    key, values = _label(ctx, name)
    return ctx.texts.plain(ctx.lang, key, **values)


def _label(ctx, name):
    """Return the key of a setting's label and its values: an operator's text may be one per language."""
    key, (base, _, code) = f"setting.{name.lower()}", name.lower().rpartition("_")
    if ctx.texts.has(key) or code not in ctx.texts.languages:
        return key, {}
    return "rates.in_language", {"name": Ref(f"setting.{base}"), "language": ctx.texts.name_of(code)}


def _shown(ctx, name):
    value = ctx.settings[name]
    if value in (None, "", ()):
        return "–"
    return ", ".join(_told(ctx, name, one) for one in (value if isinstance(value, tuple) else (value,)))


def _told(ctx, name, value):
    """Return a value for people: `setting.<name>.value` says whether it is money (`amount`) or a factor."""
    key = f"setting.{name.lower()}.value"
    if not ctx.texts.has(key):
        return str(value)
    number = Decimal(value)
    return ctx.texts.plain(ctx.lang, key, amount=round(number * 100), value=number)


def _prices(ctx):
    """Return three sample prices, from the one price function."""
    examples = list(ctx.generation.catalog.models.values())[::40][:3]
    prices = [(model, ctx.generation.price_of_credits(cheapest(model), model)) for model in examples]
    return ctx.lines(
        [ctx.say("rates.line", model=model.title, price=price) for model, price in prices if price is not None]
    )


def show_texts(ctx):
    """Show the settings that are texts."""
    cells = [_button(ctx, name) for name, kind in _fields(ctx) if kind is str]
    ctx.edit("rates.list_texts", [*(cells[i : i + 2] for i in range(0, len(cells), 2)), way_out("rates:show")])


def edit(ctx, name):
    """Show one setting and wait for its new value."""
    kind = dict(_fields(ctx)).get(name)
    if kind is None:
        raise UserError("common.old_button")
    rows = (
        [button("rates.reset", "rates:reset", name, ctx.runtime_settings.version(name))]
        if ctx.runtime_settings.get(name)
        else []
    )
    ctx.ask(
        "rates:value",
        "rates.ask",
        [*rows, _back(kind)],
        data={"name": name},
        name=_name(ctx, name),
        value=_shown(ctx, name),
    )


def _back(kind):
    return way_out("rates:texts" if kind is str else "rates:show")


def reset(ctx, name, seen):
    """Forget what was set here, if it is still what was shown, so that the environment counts again."""
    if name not in dict(_fields(ctx)):
        raise UserError("common.old_button")
    if not ctx.runtime_settings.clear(name, seen, now=ctx.now, actor=ctx.user.id):
        ctx.toast("common.changed_meanwhile", alert=True)
    _after(ctx, name)


def take_value(ctx):
    """Read the new value for the setting that was asked about."""
    name = ctx.draft.data["name"]
    _put(ctx, name, ctx.text.strip())
    ctx.done("rates")
    _after(ctx, name)


def _after(ctx, name):
    (show_texts if ctx.settings.declared[name].kind is str else show)(ctx)


def change(ctx, name):
    """Set a rate by its command, or show the current ones if no number is given."""
    if ctx.args:
        _put(ctx, name, ctx.args)
    show(ctx)


def _put(ctx, name, text):
    """Store a valid value, or say what would be valid."""
    kind = ctx.settings.declared[name].kind
    if kind in NUMBERS:
        text = THOUSANDS.sub("", text).strip(SIGNS).replace(",", ".")
    try:
        value = ctx.settings.read(name, text[:MOST] if kind is str else text)
        fits = bool(text) and _in_order(ctx, name, value)
    except (ValueError, InvalidOperation):
        fits = False
    if not fits:
        raise _misfit(ctx, name, text)
    ctx.runtime_settings.put(name, text[:MOST], now=ctx.now, actor=ctx.user.id)


def _misfit(ctx, name, text):
    """Return the error that says which numbers are valid, if there are bounds."""
    setting, back = ctx.settings.declared[name], [_back(ctx.settings.declared[name].kind)]
    if setting.minimum is None:
        return UserError("rates.wrong_kind", buttons=back, found=text[:40])
    least, most = (_told(ctx, name, bound) for bound in (setting.minimum, setting.maximum))
    return UserError("rates.wrong", buttons=back, least=least, most=most, found=text[:40])


def _in_order(ctx, name, value):
    """Return whether a minimum and its maximum stay in order."""
    if name.endswith("_MIN"):
        return value <= ctx.settings[name.removesuffix("MIN") + "MAX"]
    return not name.endswith("_MAX") or value >= ctx.settings[name.removesuffix("MAX") + "MIN"]
