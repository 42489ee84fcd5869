"""The payment page: made by the server, without scripts, in Russian or English, for phones and desktops.

A payer's card comes first, then a developer's tools. A World describes a payment for it:

`page(key)` → {id, accent, shop, amount: (Decimal, currency), what, status: a word of words.json, test, back, ends_at,
acts: words of ACTS, choice: (name, [(value, label)]), other: a value that is not among them} or None.
"""

import json
import time
from contextlib import suppress
from decimal import Decimal
from html import escape
from pathlib import Path

from aiohttp import web

from demo.providers.admin import Refused
from demo.providers.values import money

FOLDER = Path(__file__).parent / "page"
WORDS = json.loads((FOLDER / "words.json").read_text(encoding="utf-8"))
# What a button does: name → (act of the World, its body; words of `values_of` there stand for their values).
ACTS = {
    "pay": ("pay", {}),
    "decline": ("decline", {}),
    "expire": ("expire", {}),
    "less": ("pay", {"amount": "less"}),
    "more": ("pay", {"amount": "more"}),
    "twice": ("pay", {"callback": "twice"}),
    "never": ("pay", {"callback": "never"}),
    "other": ("pay", {"asset": "other"}),
    "late": ("pay", {}),
    "kept": ("pay", {"late": "kept"}),
    "refund": ("refund", {}),
}
LEAST, SIGNS = Decimal("0.01"), {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸", "UAH": "₴", "BYN": "Br"}
TELEGRAM = ("https://t.me/", "tg://", "http://t.me/")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def add_routes(app, world):
    """Add the page to the app."""

    async def show(request):
        """Show the page of one payment."""
        about = world.page(request.match_info.get("key", ""))
        words = words_for(request.headers.get("Accept-Language", ""))
        if about is None:
            return html(missing_page(words), 404)
        if "left" in request.query and about["status"] == "open":
            about["status"] = "left"
        return html(payment_page(about, words))

    async def act(request):
        """Do what a button says and show the result."""
        key, form = request.match_info["key"], await request.post()
        about = world.page(key)
        if about is None or form.get("act") not in about["acts"]:
            raise web.HTTPSeeOther(request.path)  # pressed twice, or no longer possible
        name, body = ACTS[form["act"]]
        body = {field: values_of(about).get(value, value) for field, value in body.items()}
        field, options = about["choice"]
        if form["act"] == "pay" and form.get(field) in dict(options):
            body[field] = form[field]
        if callback := body.pop("callback", None):
            world.troubles.add("callback", callback)
        with suppress(Refused):  # it has ended in the meantime, as the page will say
            world.ACTS[name](world, world.payment(about["id"]), body)
        world.changed()
        raise web.HTTPSeeOther(request.path + ("?left" if name == "decline" else ""))

    async def style(_request):
        """Return the page's only file."""
        text = (FOLDER / "page.css").read_text(encoding="utf-8")
        return web.Response(text=text, content_type="text/css", headers={"Cache-Control": "no-cache"})

    app.router.add_get("/pay/page.css", style)
    app.router.add_get("/pay/{key}", show)
    app.router.add_post("/pay/{key}", act)


def words_for(accepted):
    """Return the texts of the preferred language of an Accept-Language header; English by default."""
    ranked = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, tag.partition("-")[0].lower()))
        except ValueError:
            continue
    return next((WORDS[tag] for _, _, tag in sorted(ranked) if tag in WORDS), next(iter(WORDS.values())))


def html(text, status=200):
    """Return a page that may load and call nothing but this server."""
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def template(words, **parts):
    """Return the whole document around its parts."""
    text = (FOLDER / "page.html").read_text(encoding="utf-8")
    for name, value in {"lang": words["lang"], **parts}.items():
        text = text.replace("{" + name + "}", value)
    return text


def missing_page(words):
    """Return the page for an address that leads to no payment."""
    body = f'<p class="state" role="status">{escape(words["missing"])}</p>'
    return template(words, title=escape(words["missing"]), accent="plain", body=body, tools="")


def payment_page(about, words):
    """Return the page of a payment."""
    is_open = about["status"] in ("open", "left")
    rows = [
        (words["shop"], about["shop"]),
        (words["what"], about["what"] or words["nothing"]),
        (words["number"], about["id"]),
    ]
    if is_open and about["ends_at"]:
        rows.append((words["until"], time.strftime("%H:%M UTC", time.gmtime(about["ends_at"]))))
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    state = (
        ""
        if about["status"] == "open"
        else f'<p class="state {about["status"]}" role="status">{escape(words[about["status"]])}</p>'
    )
    test = f'<p class="test">{escape(words["test"])}</p>' if about["test"] else ""
    amount = shown_amount(*about["amount"], words)
    body = (
        f'<p class="brand">{escape(words["brands"][about["accent"]])}</p>{test}<h1><small>{escape(words["to_pay"])}</small> '
        f"{escape(amount)}</h1><dl>{listed}</dl>{state}{buttons(about, words, MAIN)}{link_back(about, words)}"
    )
    tools = buttons(about, words, [name for name in ACTS if name not in MAIN])
    if tools:
        tools = f'<section class="tools"><h2>{escape(words["tools"])}</h2><p>{escape(words["tools_about"])}</p>{tools}</section>'
    title = f"{amount} · {about['shop']}"
    return template(words, title=escape(title), accent=about["accent"], body=body, tools=tools)


MAIN = ("pay", "decline")


def buttons(about, words, names):
    """Return a form with a button for each act that is possible now, or nothing."""
    shown = [name for name in names if name in about["acts"]]
    made = [
        f'<button name="act" value="{name}" class="{name}">{escape(label(name, about, words))}</button>'
        for name in shown
    ]
    choice = choices(about, words) if "pay" in shown else ""
    return f'<form method="post">{choice}{"".join(made)}</form>' if made else ""


def choices(about, words):
    """Return the list of ways to pay, if there is more than one."""
    name, options = about["choice"]
    if len(options) < 2:
        return ""
    listed = "".join(
        f'<option value="{escape(value)}">{escape(words["methods"].get(shown, shown))}</option>'
        for value, shown in options
    )
    return f'<label>{escape(words["by"])} <select name="{name}">{listed}</select></label>'


def label(name, about, words):
    """Return a button's label; {amount} is what it pays, {other} another asset."""
    value, currency = about["amount"]
    sums = {"pay": value, "less": values_of(about)["less"], "more": values_of(about)["more"]}
    amount = shown_amount(Decimal(sums.get(name, value)), currency, words)
    return words["acts"][name].format(amount=amount, other=about["other"])


def values_of(about):
    """Return what words in ACTS stand for: half and twice the sum, and an asset that is not accepted."""
    value, _ = about["amount"]
    return {"less": money(max(LEAST, value / 2)), "more": money(value * 2), "other": about["other"]}


def shown_amount(value, currency, words):
    """Return money as people write it in this language."""
    text = f"{value:,.2f}" if value == value.quantize(LEAST) else f"{value:f}"
    text = text.translate(str.maketrans({",": "\xa0", ".": ","})) if words["comma"] else text
    return f"{text}\xa0{SIGNS.get(currency, currency)}"


def link_back(about, words):
    """Return the link to the shop."""
    return f'<a class="back" href="{escape(about["back"])}">{escape(words["back"])}</a>' if about["back"] else ""


def way_back(return_url, home):
    """Return where the page leads back to: `home`, if there is one, instead of Telegram."""
    if home and return_url.startswith(TELEGRAM):
        return home
    return return_url if return_url.startswith(("https://", "http://")) else ""
