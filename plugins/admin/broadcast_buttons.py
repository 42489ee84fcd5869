"""The buttons under a broadcast: up to six, each with an address or a command of the bot, one a line as they are written.

A command's button answers in a new message, as if the person had sent it; the broadcast stays.
Texts: under.* in data/texts/<lang>/admin/broadcast_buttons.po.
"""

import re
from urllib.parse import urlsplit

from core.buttons import build, button
from core.errors import UserError

DRAFT = "broadcast:draft"
MOST, LABEL = 6, 40
LINE = re.compile(r"(.+?)[\s|–—-]+(https?://\S+|t\.me/\S+|tg://\S+|/[a-z0-9_]{1,32})")


def register(bot):
    """Declare the question, its answer, and what a command's button does for everybody."""
    bot.repeatable()
    bot.button("under:ask", ask, right="broadcast", number=int)
    bot.button("under:none", remove, right="broadcast", number=int)
    bot.step("under:typed", take, right="broadcast")
    bot.button("under:open", open_screen, command=str)


def ask(ctx, number):
    """Ask for the buttons, one a line."""
    found = _draft(ctx, number)
    lines = "\n".join(f"{cell['text']} {_target(cell)}" for row in found.links or () for cell in row)
    rows = [button("under.none", "under:none", number)] if lines else []
    rows.append(button("common.back", DRAFT, number))
    ctx.ask("under:typed", "under.ask", rows, data={"number": number}, n=MOST, now=lines)


def _target(cell):
    return cell.get("url") or "/" + cell["callback_data"].rpartition(":")[2]


def _draft(ctx, number):
    found = ctx.broadcasts.get(number)
    if found is None or found.state != "draft":
        raise UserError("common.old_button")
    return found


def take(ctx):
    """Take the typed buttons and show the message with them."""
    number, back = ctx.draft.data["number"], [button("common.back", DRAFT, ctx.draft.data["number"])]
    lines = [line.strip() for line in ctx.text.splitlines() if line.strip()]
    if not 0 < len(lines) <= MOST:
        raise UserError("under.how_many", buttons=back, n=MOST)
    links = [[_cell(ctx, line, back)] for line in lines]
    ctx.done("under")
    _put(ctx, number, links)


def _cell(ctx, line, back):
    """Return a button in the Bot API's form; raise UserError for a line that is none."""
    found = LINE.fullmatch(line)
    if found is None or len(found[1]) > LABEL:
        raise UserError("under.wrong_line", buttons=back, line=line[:LABEL])
    label, target = found[1].strip(), found[2]
    if not target.startswith("/"):
        address = target if "://" in target else f"https://{target}"
        if not urlsplit(address).netloc:
            raise UserError("under.wrong_line", buttons=back, line=line[:LABEL])
        return {"text": label, "url": address}
    entry = ctx.bot.handlers["command"].get(target[1:])
    if entry is None or entry.right:
        raise UserError("under.no_command", buttons=back, command=target)
    return {"text": label, "callback_data": build("under:open", target[1:])}


def remove(ctx, number):
    """Take the buttons away."""
    _put(ctx, number, [])


def _put(ctx, number, links):
    if not ctx.broadcasts.set_links(number, links):
        raise UserError("common.old_button")
    found = ctx.broadcasts.get(number)
    markup = {"inline_keyboard": links}
    ctx.bot.call_quietly(
        "editMessageReplyMarkup", chat_id=found.chat_id, message_id=found.message_id, reply_markup=markup
    )
    ctx.go(DRAFT, number=number)


def open_screen(ctx, command):
    """Answer a command's button below the broadcast, as if the command had been sent."""
    entry = ctx.bot.handlers["command"].get(command)
    if entry is None or not ctx.may(entry.right):
        raise UserError("common.old_button")
    ctx.bot.hand_over(ctx, ctx.message | {"text": f"/{command}"})
