"""/catalog: what is sold, for the operator: models on and off, prices, and what KIE has changed.

Once a week it compares with KIE by itself and writes only when something differs. Nothing changes until somebody
applies it, and every change can be undone. `terms.py` has markups, fixed prices and /price.
Texts: supply.* in data/texts/<lang>/supply.po.
"""

from datetime import datetime, timedelta

from core.buttons import button, mark, pager, way_out
from core.errors import UserError
from kie.changes import StrangeList
from kie.errors import KieError

PAGE = 6
LABEL = 34  # characters of what a button undoes: a phone shows them whole
WEEK, AGAIN_AFTER = timedelta(days=7), timedelta(hours=1)
# When the last comparison began, and when one succeeded; who asked for the next one.
CHECKED, COMPARED, ASKED = "CATALOG_CHECKED", "CATALOG_COMPARED", "CATALOG_ASKED"
MARKS = {"gone": "➖", "new": "➕", "inputs": "✏", "price": "💰"}
WORDS_STEP = "supply:words"


def register(bot):
    """Declare the command, the screens, the weekly comparison and a line of doctor."""
    bot.command("catalog", show, about="supply.about", right="settings")
    bot.admin_menu("supply.menu", "supply:show", row=2)
    bot.button("supply:show", show, right="settings")
    bot.button("supply:check", ask_check, right="settings")
    bot.button("supply:found", show_differences, right="settings", page=int)
    bot.button("supply:one", show_difference, right="settings", difference=int)
    bot.button("supply:apply", apply_one, right="settings", difference=int)
    bot.button("supply:all", apply_all, right="settings", seen=str)
    bot.button("supply:dismiss", dismiss, right="settings", difference=int)
    bot.button("supply:done", show_changes, right="settings", before=int)
    bot.button("supply:undo", undo, right="settings", change=int)
    bot.step(WORDS_STEP, take_words, right="settings")
    bot.every(10, "supply", work)
    bot.check("models", examine)


def show(ctx):
    """Show what is on sale and what waits."""
    catalog, found = ctx.generation.catalog, ctx.overlay.differences()
    last = ctx.stored.get(COMPARED)
    rows = [button("supply.found", "supply:found", 0, count=len(found))] if found else []
    rows += [
        button("supply.check", "supply:check"),
        [button("supply.find", "terms:find"), button("supply.kinds", "terms:kinds")],
        button("supply.done", "supply:done", 0),
    ]
    ctx.edit(
        "supply.text",
        [*rows, way_out("admin:show")],
        sold=len(catalog.models),
        off=len(catalog.known) - len(catalog.models),
        rejected=len(catalog.rejected),
        found=len(found),
        checked=ctx.say("supply.checked", when=datetime.fromisoformat(last)) if last else ctx.say("supply.never"),
    )


def examine(bot):
    """Tell doctor which entries of the catalogue cannot be sold, and why."""
    rejected = bot.generation.catalog.rejected
    if not rejected:
        return None
    return "supply.rejected", {
        "count": len(rejected),
        "models": "; ".join(f"{name}: {why}" for name, why in rejected[:5]),
    }


# comparing with KIE


def ask_check(ctx):
    """Have the comparison made; it takes minutes, so its outcome comes as a message."""
    ctx.stored.put(ASKED, ctx.user.id, now=ctx.now, actor=ctx.user.id, act="compare", words="")
    ctx.toast("supply.started", alert=True)


def work(bot, now):
    """Compare when somebody asked, or a week after the last time; the first week begins with the first start."""
    asked, last = bot.stored.get(ASKED), bot.stored.get(CHECKED)
    if last is None:
        bot.stored.put(CHECKED, now.isoformat(), now=now)
    elif asked or now - datetime.fromisoformat(last) >= WEEK:
        _compare(bot, int(asked) if asked else None, now)


def _compare(bot, asked, now):
    bot.stored.put(CHECKED, now.isoformat(), now=now)  # first: a comparison that breaks the bot is not made for ever
    bot.stored.put(ASKED, "", now=now)
    try:
        differences, fresh = bot.generation.shelf.check(bot.generation.client, bot.clock)
    except (KieError, StrangeList) as error:
        bot.stored.put(CHECKED, (now - WEEK + AGAIN_AFTER).isoformat(), now=now)
        if asked:
            bot.notify(asked, "supply.failed", unique=f"supply:{now.timestamp():.0f}", now=now, reason=str(error))
        return
    bot.stored.put(COMPARED, bot.clock.now().isoformat(), now=now)
    if asked:
        key = "supply.differs" if differences else "supply.same"
        bot.notify(
            asked,
            key,
            unique=f"supply:{now.timestamp():.0f}",
            now=now,
            buttons=_to_differences(differences),
            n=len(differences),
        )
    elif fresh:
        for user, chat_id in bot.desk("settings"):
            bot.notify(
                user.id,
                "supply.differs",
                unique=f"supply:{fresh[-1]}:{chat_id or user.id}",
                now=now,
                chat_id=chat_id,
                buttons=_to_differences(differences),
                n=len(fresh),
            )


def _to_differences(differences):
    return [button("supply.found", "supply:found", 0, count=len(differences))] if differences else []


def show_differences(ctx, page):
    """Show a page of the differences that wait."""
    found = ctx.overlay.differences()
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(page, 0), pages - 1)
    rows = [
        button("label", "supply:one", one.id, label=f"{MARKS[one.kind]} {_title(ctx, one.model)}")
        for one in found[page * PAGE :][:PAGE]
    ]
    rows += pager(page, pages, "supply:found")
    if any(_can_follow(one) for one in found):
        rows.append(button("supply.apply_all", "supply:all", _shown(found)))
    ctx.edit("supply.differences" if found else "supply.no_differences", [*rows, way_out("supply:show")], n=len(found))


def _title(ctx, model_id):
    model = ctx.generation.catalog.known.get(model_id)
    return f"{model.title}, {ctx.texts.plain(ctx.lang, model.mode_title)}" if model else model_id


def _can_follow(difference):
    """Tell whether a difference can be applied as it stands: a new model wants words first."""
    return difference.about["change"] is not None and difference.kind != "new"


def show_difference(ctx, difference):
    """Show one difference in full."""
    found = _open(ctx, difference)
    lines = [ctx.say(f"supply.change_{key}", **values) for key, values in found.about["lines"]]
    if found.about["change"] is None:
        lines.append(ctx.say("supply.change_by_hand"))
    elif found.about["change"][0] == "off" and found.kind != "gone":
        lines.append(ctx.say("supply.change_off"))
    rows = [button("supply.apply", "supply:apply", difference)] if found.about["change"] else []
    rows.append(button("supply.dismiss", "supply:dismiss", difference))
    ctx.edit(
        "supply.difference",
        [*rows, way_out("supply:found", 0)],
        mark=MARKS[found.kind],
        title=_title(ctx, found.model),
        id=found.model,
        lines=ctx.lines(lines),
    )


def _open(ctx, difference):
    found = ctx.overlay.difference(difference)
    if found is None or found.state != "open":
        raise UserError("supply.decided")
    return found


def apply_one(ctx, difference):
    """Apply a difference; a new model first gets its words."""
    found = _open(ctx, difference)
    if found.about["change"] is None:
        raise UserError("common.old_button")
    if found.kind == "new":
        ctx.ask(
            WORDS_STEP,
            "supply.ask_words",
            [way_out("supply:one", difference)],
            data={"difference": difference},
            id=found.model,
        )
        return
    why = _apply(ctx, found, *found.about["change"])
    if why:
        raise UserError("supply.not_sellable", reason=why)
    ctx.toast("supply.applied")
    show_differences(ctx, 0)


def _apply(ctx, found, field, value):
    """Put a difference into force and return None, or why the model could not be sold with it."""
    scope, shelf = f"model:{found.model}", ctx.generation.shelf
    former = shelf.value(scope, field)
    if field in ("price", "inputs") and former:
        value = _joined(field, former, value)
    why = shelf.trial(scope, field, value) if field != "off" else None
    if why is None:
        ctx.overlay.apply(found.id, scope, field, value, now=ctx.now, actor=ctx.user.id)
        shelf.forget()
    return why


def _joined(field, former, value):
    """Return an earlier change of the same kind together with a newer one."""
    if field == "price":
        return former | value
    return {
        "drop": [*former["drop"], *value["drop"]],
        "set": former["set"] | {name: former["set"].get(name, {}) | changed for name, changed in value["set"].items()},
    }


def _shown(found):
    """Return the mark of a list of differences: the button under it applies this list and no other."""
    return mark(*(one.id for one in found))


def apply_all(ctx, seen):
    """Apply everything that needs no words and can still be sold afterwards, if it is still what was shown."""
    waiting = ctx.overlay.differences()
    if _shown(waiting) != seen:
        ctx.toast("common.changed_meanwhile", alert=True)
        show_differences(ctx, 0)
        return
    found = [one for one in waiting if _can_follow(one)]
    left = [one.model for one in found if _apply(ctx, one, *one.about["change"])]
    ctx.toast("supply.applied_all", alert=True, done=len(found) - len(left), left=len(left))
    show_differences(ctx, 0)


def dismiss(ctx, difference):
    """Let a difference be, until it becomes another one."""
    if not ctx.overlay.dismiss(difference, ctx.user.id, ctx.now):
        raise UserError("supply.decided")
    ctx.toast("supply.dismissed")
    show_differences(ctx, 0)


def take_words(ctx):
    """Take a new model's title and its line in English and in Russian, and put it on sale."""
    lines = [line.strip() for line in ctx.text.split("\n") if line.strip()]
    if len(lines) != 3 or len(lines[0]) > 40 or any(len(line) > 90 for line in lines[1:]):
        raise UserError("supply.want_words", buttons=[way_out("supply:found", 0)])
    found = _open(ctx, ctx.draft.data["difference"])
    field, value = found.about["change"]
    card = {"id": value["model"]["card"], "title": lines[0], "about": {"en": lines[1], "ru": lines[2]}}
    why = _apply(ctx, found, field, value | {"card": card})
    if why:
        raise UserError("supply.not_sellable", buttons=[way_out("supply:found", 0)], reason=why)
    ctx.done("supply")
    ctx.reply(
        "supply.on_sale",
        [button("supply.look", "generate:open", value["model"]["code"]), way_out("supply:show")],
        title=lines[0],
    )


# what was changed


def show_changes(ctx, before):
    """Show a page of the changes in force, each to be undone with a tap."""
    found = ctx.overlay.changes(PAGE + 1, before=before or None)
    rows = [button("supply.undo", "supply:undo", row.id, what=_what(ctx, row)) for row in found[:PAGE]]
    if len(found) > PAGE:
        rows.append(button("balance.older", "supply:done", found[PAGE - 1].id))
    ctx.edit("supply.changes" if found else "supply.no_changes", [*rows, way_out("supply:show")])


def _what(ctx, row):
    kind, _, name = row.scope.partition(":")
    title = (
        _title(ctx, name)
        if kind == "model"
        else ctx.texts.plain(ctx.lang, f"menu.{name}" if name else "terms.everything")
    )
    field = "on" if row.field == "off" and not row.value else row.field
    words = f"{ctx.texts.plain(ctx.lang, f'supply.field_{field}')} · {title}"
    return words if len(words) <= LABEL else words[: LABEL - 1] + "…"


def undo(ctx, change):
    """Take a change back."""
    if ctx.overlay.undo(change, ctx.now, ctx.user.id) is None:
        raise UserError("supply.decided")
    ctx.generation.shelf.forget()
    ctx.toast("supply.undone")
    show_changes(ctx, 0)
