"""/catalog: compare what is sold with KIE, weekly or now; view each difference, apply it, dismiss it or undo it.

Once a week it compares with KIE by itself, and writes only if something differs. Nothing changes until somebody applies
it, and every change can be undone. A price with an end is announced two weeks before, and changes by itself. "Apply all" leaves out what looks like a mistake of KIE's: a price that falls by
more than half, a list that loses more than a fifth. `admin/markups.py` has markups, fixed prices and /price.
Texts: supply.* in data/texts/<lang>/admin/catalogue_sync.po.
"""

import logging
import traceback
from datetime import datetime, timedelta

from core.buttons import button, mark, pager, route, way_out
from core.errors import UserError
from kie.api.errors import KieError
from kie.sync.catalogue_diff import StrangeList

CARD = route("generate:open", optional=True)

log = logging.getLogger(__name__)
PAGE = 6
LABEL = 34  # characters of an undo button's label that a phone shows in full
WEEK, AGAIN_AFTER = timedelta(days=7), timedelta(hours=1)
BEFORE_END = timedelta(days=14)  # of a price
# A week before the next comparison is due, and when one last succeeded; who asked for the next one; how often it was
# begun without coming to an end; what was skipped last time.
CHECKED, COMPARED, ASKED = "CATALOG_CHECKED", "CATALOG_COMPARED", "CATALOG_ASKED"
BEGUN, SKIPPED = "CATALOG_BEGUN", "CATALOG_SKIPPED"
ENDING = "CATALOG_ENDING"  # the day of the last price whose end was announced
TRIES = 3  # of a comparison during which the bot stops: the comparison itself may be what stops it
NAMED = 10  # skipped entries in a message
MARKS = {"gone": "➖", "new": "➕", "seen": "➕", "inputs": "✏", "price": "💰"}
WORDS_STEP = "supply:words"


def register(bot):
    """Declare the command, the screens, the weekly comparison and a line of doctor."""
    bot.repeatable()
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
    bot.every(3600, "price ends", announce_ends)
    bot.check("models", examine)


def show(ctx):
    """Show what is on sale and what waits for a decision."""
    catalog, found = ctx.generation.catalog, ctx.overrides.differences()
    last = ctx.runtime_settings.get(COMPARED)
    rows = [button("supply.found", "supply:found", 0, count=len(found))] if found else []
    rows += [
        button("supply.check", "supply:check"),
        [button("supply.find", "terms:find"), button("supply.kinds", "terms:kinds")],
        [button("supply.rungs", "rungs:show"), button("supply.done", "supply:done", 0)],
    ]
    ctx.edit(
        "supply.text",
        [*rows, way_out("admin:show")],
        sold=len(catalog.models),
        off=len(catalog.known) - len(catalog.models),
        rejected=len(catalog.rejected),
        found=ctx.say("supply.counted", n=len(found)) if last or found else "",
        checked=ctx.lines([_checked(ctx, last), *_why_off(ctx, catalog), *_endings(ctx)]),
    )


def _checked(ctx, last):
    return ctx.say("supply.checked", when=datetime.fromisoformat(last)) if last else ctx.say("supply.never")


def _why_off(ctx, catalog):
    """Return lines about models that are off sale although nobody has switched them off."""
    off = [model for model in catalog.known.values() if model.id not in catalog.models]
    lines = [
        ctx.say("supply.unlisted", model=_title(ctx, m.id), day=_noon(catalog.unlisted[m.id]))
        for m in off
        if m.id in catalog.unlisted
    ]
    deaf = [_title(ctx, model.id) for model in off if model.needs_callback and not ctx.settings["PUBLIC_URL"]]
    return lines + ([ctx.say("supply.wants_address", models=", ".join(deaf))] if deaf else [])


def _endings(ctx):
    """Return lines about the prices that end."""
    return [
        ctx.say("supply.ends", day=day, models=names)
        for day, names in _by_day(ctx.generation.live_catalogue.ending(), ctx.generation.catalog)
    ]


def _by_day(ending, catalog):
    """Return [(a time on the day, names of the models)] of [(day, model id)]."""
    names = {}
    for day, name in ending:
        names.setdefault(day, []).append(catalog.known[name].title if name in catalog.known else name)
    return [(_noon(f"{day}"), ", ".join(found)) for day, found in names.items()]


def _noon(day):
    """Return the middle of a day, given as text: the same date in almost every time zone."""
    return datetime.fromisoformat(f"{day}T12:00+00:00")


def announce_ends(bot, now):
    """Tell the staff, once, of prices that end within two weeks."""
    ending = [(day, name) for day, name in bot.generation.live_catalogue.ending() if day - now.date() <= BEFORE_END]
    for day, names in _by_day(ending, bot.generation.catalog):
        if (bot.runtime_settings.get(ENDING) or "") < f"{day:%Y-%m-%d}":
            _tell(bot, None, "supply.ending", now, since=f"{day:%Y-%m-%d}", day=f"{day:%Y-%m-%d}", models=names)
            bot.runtime_settings.put(ENDING, f"{day:%Y-%m-%d}", now=now)


def examine(bot):
    """Report which entries of the catalogue cannot be sold, and why."""
    rejected = bot.generation.catalog.rejected
    if not rejected:
        return None
    return "supply.rejected", {
        "count": len(rejected),
        "models": "; ".join(f"{name}: {why}" for name, why in rejected[:5]),
    }


# comparing with KIE


def ask_check(ctx):
    """Request a comparison; it takes minutes, so its outcome comes as a message."""
    ctx.runtime_settings.put(ASKED, ctx.user.id, now=ctx.now, actor=ctx.user.id, act="compare", words="")
    ctx.toast("supply.started", alert=True)


def work(bot, now):
    """Compare if somebody asked, or a week after the last time; the first week begins at the first start."""
    asked, last = bot.runtime_settings.get(ASKED), bot.runtime_settings.get(CHECKED)
    if last is None:
        bot.runtime_settings.put(CHECKED, now.isoformat(), now=now)
    elif asked or now - datetime.fromisoformat(last) >= WEEK:
        _compare(bot, int(asked) if asked else None, now)


def _compare(bot, asked, now):
    begun = int(bot.runtime_settings.get(BEGUN) or 0) + 1
    bot.runtime_settings.put(BEGUN, begun, now=now)  # first: whoever asked hears the outcome even after a kill
    try:
        if begun > TRIES:
            raise KieError(f"given up after {TRIES} tries")
        found = bot.generation.live_catalogue.check(bot.generation.client, bot.clock)
    except (KieError, StrangeList) as error:
        _tell(bot, asked, "supply.failed", now, since=bot.runtime_settings.get(COMPARED), reason=str(error))
        again = now - WEEK + AGAIN_AFTER
    except Exception:  # whatever KIE answered: the admin is told, and there will be a next comparison
        log.exception("the comparison with KIE broke off")
        code = bot.error_reports.keep(traceback.format_exc(), now)
        _tell(bot, asked, "supply.broken", now, since=bot.runtime_settings.get(COMPARED), code=code)
        again = now - WEEK + AGAIN_AFTER
    else:
        _tell_outcome(bot, asked, found, now)
        bot.runtime_settings.put(COMPARED, bot.clock.now().isoformat(), now=now)
        again = now
    bot.runtime_settings.put(CHECKED, again.isoformat(), now=now)
    bot.runtime_settings.put(ASKED, "", now=now)
    bot.runtime_settings.put(BEGUN, "", now=now)


def _tell_outcome(bot, asked, found, now):
    """Tell what was skipped and what differs: all of it to whoever asked, else only news to the staff."""
    names = ", ".join(list(found.skipped)[:NAMED])
    if found.skipped and (asked or names != bot.runtime_settings.get(SKIPPED)):
        _tell(bot, asked, "supply.skipped", now, since=f"{now:%Y-%m-%d}", n=found.skipped.count, names=names)
    bot.runtime_settings.put(SKIPPED, names, now=now)
    buttons = _to_differences(found.differences)
    if asked:
        key = "supply.differs" if found.differences else "supply.same"
        _tell(bot, asked, key, now, buttons=buttons, n=len(found.differences))
    elif found.fresh:
        _tell(bot, asked, "supply.differs", now, since=found.fresh[-1], buttons=buttons, n=len(found.fresh))


def _tell(bot, asked, key, now, since=None, **more):
    """Write to whoever asked or to the staff, once about the same thing (`since`)."""
    if asked:
        bot.notify(asked, key, unique=f"{key}:{now.timestamp():.0f}", now=now, **more)
        return
    for user, chat_id in bot.recipients("settings"):
        unique = f"{key}:{since}:{chat_id or user.id}"
        bot.notify(user.id, key, unique=unique, now=now, chat_id=chat_id, **more)


def _to_differences(differences):
    return [button("supply.found", "supply:found", 0, count=len(differences))] if differences else []


def show_differences(ctx, page):
    """Show a page of the differences that wait."""
    found = ctx.overrides.differences()
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(page, 0), pages - 1)
    rows = [button("label", "supply:one", one.id, label=_label(ctx, one)) for one in found[page * PAGE :][:PAGE]]
    rows += pager(page, pages, "supply:found")
    if any(_is_common(one) for one in found):
        rows.append(button("supply.apply_all", "supply:all", _shown(found)))
    ctx.edit("supply.differences" if found else "supply.no_differences", [*rows, way_out("supply:show")], n=len(found))


def _label(ctx, difference):
    return f"{MARKS[difference.kind]} {_title(ctx, difference.model)}" + " ⚠" * _is_alone(difference)


def _title(ctx, model_id):
    model = ctx.generation.catalog.known.get(model_id)
    return f"{model.title}, {ctx.texts.plain(ctx.lang, model.mode_title)}" if model else model_id


def _is_alone(difference):
    """Return whether a difference needs its own decision, as do those found before the distinction was made."""
    return difference.about["change"] is not None and difference.kind != "new" and difference.about.get("alone", True)


def _is_common(difference):
    """Return whether a difference can be applied together with others: a new model needs words first."""
    return difference.about["change"] is not None and difference.kind != "new" and not _is_alone(difference)


def show_difference(ctx, difference):
    """Show one difference in full."""
    found = _open(ctx, difference)
    lines = [ctx.say(f"supply.change_{key}", **values) for key, values in found.about["lines"]]
    if found.about["change"] is None:
        lines.append(ctx.say("supply.change_by_hand"))
    elif found.about["change"][0] == "off" and found.kind != "gone":
        lines.append(ctx.say("supply.change_off"))
    if _is_alone(found):
        lines.append(ctx.say("supply.change_alone"))
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
    found = ctx.overrides.difference(difference)
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
            languages=_languages(ctx),
        )
        return
    why = _apply(ctx, found, *found.about["change"])
    if why:
        raise UserError("supply.not_sellable", reason=why)
    ctx.toast("supply.applied")
    show_differences(ctx, 0)


def _apply(ctx, found, field, value):
    """Put a difference into force and return None, or return why the model could not be sold with it."""
    scope, live_catalogue = f"model:{found.model}", ctx.generation.live_catalogue
    former = live_catalogue.value(scope, field)
    if field in ("price", "inputs") and former:
        value = _joined(field, former, value)
    why = live_catalogue.trial(scope, field, value) if field != "off" else None
    if why is None:
        ctx.overrides.apply(found.id, scope, field, value, now=ctx.now, actor=ctx.user.id)
        live_catalogue.forget()
    return why


def _joined(field, former, value):
    """Merge an earlier change with a newer one of the same kind."""
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
    """Apply everything that needs neither words nor its own decision, if it is still what was shown."""
    waiting = ctx.overrides.differences()
    if _shown(waiting) != seen:
        ctx.toast("common.changed_meanwhile", alert=True)
        show_differences(ctx, 0)
        return
    found = [one for one in waiting if _is_common(one)]
    left = [one.model for one in found if _apply(ctx, one, *one.about["change"])]
    alone = sum(map(_is_alone, waiting))
    ctx.toast("supply.applied_all", alert=True, done=len(found) - len(left), left=len(left), alone=alone)
    show_differences(ctx, 0)


def dismiss(ctx, difference):
    """Ignore a difference until it changes."""
    if not ctx.overrides.dismiss(difference, ctx.user.id, ctx.now):
        raise UserError("supply.decided")
    ctx.toast("supply.dismissed")
    show_differences(ctx, 0)


def _languages(ctx):
    """Return the names of the languages, in the order in which their lines are expected."""
    return ", ".join(map(ctx.texts.name_of, ctx.texts.languages))


def take_words(ctx):
    """Take a new model's title and a line about it in one or more languages, and put it on sale."""
    lines, languages = [line.strip() for line in ctx.text.split("\n") if line.strip()], ctx.texts.languages
    if not 2 <= len(lines) <= 1 + len(languages) or len(lines[0]) > 40 or any(len(line) > 90 for line in lines[1:]):
        raise UserError("supply.want_words", buttons=[way_out("supply:found", 0)], languages=_languages(ctx))
    found = _open(ctx, ctx.draft.data["difference"])
    field, value = found.about["change"]
    card = {"id": value["model"]["card"], "title": lines[0], "about": dict(zip(languages, lines[1:], strict=False))}
    why = _apply(ctx, found, field, value | {"card": card})
    if why:
        raise UserError("supply.not_sellable", buttons=[way_out("supply:found", 0)], reason=why)
    ctx.done("supply")
    ctx.reply(
        "supply.on_sale",
        [button("supply.look", CARD, value["model"]["code"]), way_out("supply:show")],
        title=lines[0],
    )


# what was changed


def show_changes(ctx, before):
    """Show a page of the changes in force, each with a button that undoes it."""
    found = ctx.overrides.changes(PAGE + 1, before=before or None)
    rows = [button("supply.undo", "supply:undo", row.id, what=_what(ctx, row)) for row in found[:PAGE]]
    if len(found) > PAGE:
        rows.append(button("common.older", "supply:done", found[PAGE - 1].id))
    ctx.edit("supply.changes" if found else "supply.no_changes", [*rows, way_out("supply:show")])


def _what(ctx, row):
    kind, _, name = row.scope.partition(":")
    if kind == "model":
        title = _title(ctx, name)
    else:
        key = f"do.{name}" if kind == "offer" else f"menu.{name}" if name else "common.everything"
        title = ctx.texts.plain(ctx.lang, key)
    field = "on" if row.field == "off" and not row.value else row.field
    words = f"{ctx.texts.plain(ctx.lang, f'supply.field_{field}')} · {title}"
    return words if len(words) <= LABEL else words[: LABEL - 1] + "…"


def undo(ctx, change):
    """Undo a change."""
    if ctx.overrides.undo(change, ctx.now, ctx.user.id) is None:
        raise UserError("supply.decided")
    ctx.generation.live_catalogue.forget()
    ctx.toast("supply.undone")
    show_changes(ctx, 0)
