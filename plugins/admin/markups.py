"""What models are sold for: /price MODEL shows cost, price and margin of each combination; markups and fixed prices.

A markup or a fixed price can be set for a model, for a menu row, or for everything; the most specific one counts. A
model can be taken off sale here, too.
Nothing is sold below cost, whatever is set.
Texts: terms.* in data/texts/<lang>/admin/markups.po.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation

from core.buttons import button, mark, pager, way_out
from core.errors import UserError
from core.services.input_labels import Labels
from kie.catalogue import pricing
from kie.catalogue.inputs import files_of
from kie.catalogue.model import MENU

STEP = "terms:number"
LINES, FOUND = 12, 6  # combinations on a page, models found by a word
BOUNDS = {"markup": (Decimal(1), Decimal(100)), "fixed": (Decimal("0.01"), Decimal(1_000_000))}


def register(bot):
    """Declare the command and the screens."""
    bot.repeatable()
    bot.command("price", price, about="terms.about", right="settings")
    bot.button("terms:find", ask_word, right="settings")
    bot.button("terms:kinds", show_kinds, right="settings")
    bot.button("terms:menu", show_menu, right="settings", menu=str)
    bot.button("terms:model", show_model, right="settings", code=str)
    bot.button("terms:prices", show_prices, right="settings", code=str, page=int)
    bot.button("terms:switch", switch, right="settings", code=str, on=int)
    bot.button("terms:ask", ask_number, right="settings", scope=str, field=str)
    bot.button("terms:clear", clear, right="settings", scope=str, seen=str)
    bot.step("terms:word", take_word, right="settings")
    bot.step(STEP, take_number, right="settings")


# finding a model


def price(ctx):
    """Show a model's prices, or ask which model is meant."""
    if ctx.args:
        _find(ctx, ctx.args)
    else:
        ask_word(ctx)


def ask_word(ctx):
    """Ask which model is meant."""
    ctx.ask("terms:word", "terms.ask_word", [way_out("supply:show")])


def take_word(ctx):
    """Show the model that was meant, or the possible ones."""
    if not ctx.text:
        raise UserError("terms.ask_word", buttons=[way_out("supply:show")])
    ctx.done("terms")
    _find(ctx, ctx.text)


def _find(ctx, words):
    known, low = ctx.generation.catalog.known.values(), words.lower().strip()
    exact = [model for model in known if low in (model.id.lower(), model.code)]
    found = exact or [m for m in known if all(word in f"{m.id} {m.title} {m.code}".lower() for word in low.split())]
    if len(found) == 1:
        show_prices(ctx, found[0].code, 0)
        return
    rows = [button("label", "terms:model", m.code, label=_name(ctx, m)) for m in found[:FOUND]]
    key = "terms.found" if len(found) <= FOUND else "terms.too_many"
    ctx.edit(key if found else "terms.none", [*rows, way_out("supply:show")], words=words[:64], n=len(found))


def _model(ctx, code):
    model = next((model for model in ctx.generation.catalog.known.values() if model.code == code), None)
    if model is None:
        raise UserError("common.old_button")
    return model


def _name(ctx, model):
    return f"{model.title}, {ctx.texts.plain(ctx.lang, model.mode_title)}"


# one model


def show_model(ctx, code):
    """Show a model's switch and markup."""
    model = _model(ctx, code)
    on = model.id in ctx.generation.catalog.models
    rows = [
        button("terms.off" if on else "terms.on", "terms:switch", code, 0 if on else 1),
        button("terms.prices", "terms:prices", code, 0),
    ]
    ctx.edit(
        "terms.model",
        [*rows, *_terms_rows(ctx, f"m.{code}"), way_out("supply:show")],
        name=_name(ctx, model),
        id=model.id,
        state=_state(ctx, model, on),
        terms=_terms(ctx, model),
    )


def _state(ctx, model, on):
    """Say whether a model is on sale; one that KIE's own list lacks is off until it is seen there."""
    unlisted = ctx.generation.catalog.unlisted.get(model.id)
    if unlisted and not on:
        return ctx.say("terms.is_unlisted", day=datetime.fromisoformat(f"{unlisted}T12:00+00:00"))
    return ctx.say("terms.is_on" if on else "terms.is_off")


def _bound(ctx, field, value):
    """Return a bound for people: an amount, or a factor."""
    return ctx.texts.money(ctx.lang, int(value * 100)) if field == "fixed" else f"×{_factor(value)}"


def _factor(value):
    """Return a factor without trailing zeros, a number that the text writes as its language does."""
    return Decimal(f"{Decimal(value).normalize():f}")


def _terms(ctx, model):
    markup, fixed = ctx.generation.live_catalogue.terms(model)
    if fixed is not None:
        return ctx.say("terms.fixed_is", amount=fixed)
    return ctx.say("terms.markup_is", markup=_factor(markup or ctx.generation.markup()))


def switch(ctx, code, on):
    """Take a model off sale or put it back, as the button said; if it is so already, nothing changes."""
    model = _model(ctx, code)
    off = bool(ctx.generation.live_catalogue.value(f"model:{model.id}", "off"))
    unlisted = model.id in ctx.generation.catalog.unlisted
    if on and not off and not unlisted and model.id not in ctx.generation.catalog.models:
        raise UserError("terms.wants_address")
    _put(ctx, f"model:{model.id}", off=(False if unlisted else None) if on else True)
    show_model(ctx, code)


def show_prices(ctx, code, page):
    """Show cost, price and margin of a page of a model's combinations."""
    model = _model(ctx, code)
    combinations = list(pricing.combinations(model))
    pages = -(-len(combinations) // LINES)
    page %= pages
    lines = [_line(ctx, model, values) for values in combinations[page * LINES :][:LINES]]
    rows = [
        *pager(page, pages, "terms:prices", code),
        button("terms.change", "terms:model", code),
        way_out("supply:show"),
    ]
    ctx.edit("terms.table", rows, name=_name(ctx, model), id=model.id, terms=_terms(ctx, model), lines=ctx.lines(lines))


def _line(ctx, model, values):
    credits = pricing.credits(model, values)
    what = " · ".join(_said(ctx, model, name, value) for name, value in values.items()) or ctx.texts.plain(
        ctx.lang, "terms.any"
    )
    asked, rate = ctx.generation.price(model, values), ctx.generation.usd_rate()
    if asked is None:
        return ctx.say("terms.line_credits", what=what, credits=f"{credits:f}")
    cost = pricing.cost(credits, usd_rate=rate, credit_usd=ctx.generation.catalog.credit_usd)
    margin = round(100 * (asked - cost) / asked) if asked else 0
    most = ctx.say("terms.at_most") if pricing.is_upper_bound(model, values) else ""
    return ctx.say(
        "terms.line",
        what=what,
        credits=f"{credits.normalize():f}",
        cost=round(cost),
        price=asked,
        margin=margin,
        most=most,
    )


def _said(ctx, model, name, value):
    """Return one input of a combination in a few words."""
    spec, labels = model.by_name[name], Labels(ctx.texts, ctx.lang)
    label = labels.label(spec)
    if spec.kind == "text":
        return f"{label} {len(value)}"
    if spec.kind in ("image", "video", "audio"):
        seconds = [file["seconds"] for file in files_of(value) if file.get("seconds")]
        return f"{label} {len(files_of(value))}" + (f" × {seconds[0]}" if seconds else "")
    if spec.kind == "task":
        return f"{label} {value.get('resolution') or '?'}"
    return f"{label} {labels.shown(spec, value)}" if spec.kind == "switch" else labels.seconds(spec, value)


# rows of the menu, and everything


def show_kinds(ctx):
    """Offer the menu rows, and everything at once."""
    cells = [button(f"menu.{menu}", "terms:menu", menu) for menu in MENU]
    rows = [cells[i : i + 2] for i in range(0, len(cells), 2)]
    ctx.edit("terms.kinds", [*rows, button("common.everything", "terms:menu", "all"), way_out("supply:show")])


def show_menu(ctx, menu):
    """Show the markup of one menu row, or of everything."""
    if menu not in (*MENU, "all"):
        raise UserError("common.old_button")
    scope = "all" if menu == "all" else f"menu:{menu}"
    live_catalogue = ctx.generation.live_catalogue
    fixed, markup = live_catalogue.value(scope, "fixed"), live_catalogue.value(scope, "markup")
    terms = (
        ctx.say("terms.fixed_is", amount=fixed)
        if fixed
        else ctx.say("terms.markup_is", markup=_factor(markup))
        if markup
        else ctx.say("terms.as_all", markup=_factor(ctx.generation.markup()))
    )
    title = ctx.say("common.everything" if menu == "all" else f"menu.{menu}.title")
    ctx.edit(
        "terms.menu",
        [*_terms_rows(ctx, "all" if menu == "all" else f"t.{menu}"), way_out("terms:kinds")],
        title=title,
        terms=terms,
    )


# setting terms


def _terms_rows(ctx, scope):
    rows = [[button("terms.markup", "terms:ask", scope, "markup"), button("terms.fixed", "terms:ask", scope, "fixed")]]
    where = _scope(ctx, scope)
    if any(value is not None for value in _set_here(ctx, where)):
        rows.append(button("terms.clear", "terms:clear", scope, mark(*_set_here(ctx, where))))
    return rows


def _scope(ctx, short):
    """Return the override's scope for the one in button data: m.<code>, t.<menu> or all."""
    kind, _, name = short.partition(".")
    if kind == "m":
        return f"model:{_model(ctx, name).id}"
    if kind == "t" and name in MENU:
        return f"menu:{name}"
    if short != "all":
        raise UserError("common.old_button")
    return "all"


def _show(ctx, short):
    kind, _, name = short.partition(".")
    if kind == "m":
        show_model(ctx, name)
    else:
        show_menu(ctx, name or "all")


def ask_number(ctx, scope, field):
    """Ask for a markup or a price."""
    if field not in BOUNDS:
        raise UserError("common.old_button")
    _scope(ctx, scope)
    way = ("terms:model", scope[2:]) if scope.startswith("m.") else ("terms:menu", scope[2:] if "." in scope else "all")
    ctx.ask(STEP, f"terms.ask_{field}", [way_out(*way)], data={"scope": scope, "field": field})


def take_number(ctx):
    """Set what was asked for; of markup and fixed price, the later one counts."""
    scope, field = ctx.draft.data["scope"], ctx.draft.data["field"]
    least, most = BOUNDS[field]
    try:
        value = Decimal(ctx.text.replace(",", ".").replace(" ", ""))
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or not least <= value <= most:
        bounds = {"least": _bound(ctx, field, least), "most": _bound(ctx, field, most)}
        raise UserError("terms.wrong_number", buttons=[way_out("supply:show")], **bounds)
    ctx.done("terms")
    other = "fixed" if field == "markup" else "markup"
    _put(ctx, _scope(ctx, scope), **{other: None, field: str(value) if field == "markup" else int(value * 100)})
    _show(ctx, scope)


def _set_here(ctx, where):
    return [ctx.generation.live_catalogue.value(where, field) for field in BOUNDS]


def clear(ctx, scope, seen):
    """Return to what applies one level up, if what is set is still what was shown."""
    where = _scope(ctx, scope)
    if mark(*_set_here(ctx, where)) == seen:
        _put(ctx, where, markup=None, fixed=None)
    else:
        ctx.toast("common.changed_meanwhile", alert=True)
    _show(ctx, scope)


def _put(ctx, scope, **values):
    """Write what changes as overrides."""
    for field, value in values.items():
        if ctx.generation.live_catalogue.value(scope, field) != value:
            ctx.overrides.put(scope, field, value, now=ctx.now, actor=ctx.user.id)
    ctx.generation.live_catalogue.forget()
