"""Pay by transfer: details to copy, and a screenshot to send. A picture never credits by itself: see `payments/transfer_review.py`.

What the picture looks like is kept small, so that the staff can be told of the same one. Measured on screenshots as
banks' apps make them, 720 × 1,600: the same one sent again at half the size, or at JPEG quality 30, differs by at most
24 of 255 in its worst place; one that differs in a minute or a digit by 54 and more. A cropped one is not recognised.

Settings: TRANSFER_DETAILS, what to pay to; empty, the default, turns this way off; it can be changed from the chat.
TRANSFER_UNIQUE=1 adds a few kopecks, so that no two open transfers are of one sum (`payments/transfer_queue.py`).
Texts: transfer.* in data/texts/<lang>/payments/transfer.po.
"""

import logging
import re
from datetime import timedelta

from babel.numbers import format_decimal

from core.attachments import file_in
from core.buttons import MENU, button, copy, route
from core.errors import UserError
from core.handling.limits import count
from core.services.media import Busy, TooManyPixels, Unreadable
from core.telegram.sender import TooBig
from core.telegram.transport import TelegramFailed

BALANCE = route("balance:show", optional=True)
WAYS = route("payments:amount", optional=True)

log = logging.getLogger(__name__)
STEP = "transfer:proof"
PROOFS = ("photo", "document")
MOST, SPAN = 10, timedelta(hours=1)  # screenshots from one person: each is fetched, examined and shown to the staff
OPEN, KOPECKS = timedelta(days=1), 999  # a dialogue lasts no longer; most that is added to a sum
COPY_MAX = 256  # Bot API, CopyTextButton
# What is copied alone: an IBAN, a wallet, or the number of a card, an account or a phone, as people write them
NUMBER = re.compile(
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,4})?\b|\b[A-Za-z\d]{26,}\b|\+?\d(?:[\s().-]{0,2}\d){7,}"
)


def register(bot):
    """Declare the way to pay and its dialogue."""
    bot.repeatable()
    bot.setting("TRANSFER_DETAILS", default="", advanced=False, chat=True)
    bot.setting("TRANSFER_UNIQUE", bool, default=False)
    bot.payment_method("transfer", "transfer.button", start, when="TRANSFER_DETAILS")
    bot.step(STEP, take_proof)
    bot.button("transfer:cancel", cancel)
    bot.button("transfer:resend", resend, topup=int)


def start(ctx, amount):
    """Show the details and wait for the screenshot."""
    if (pending := ctx.payments.pending_of(ctx.user.id)) is not None:
        ctx.edit("transfer.already", ctx.bot.trouble(f"pay{pending.id}"), number=pending.id, amount=pending.amount)
        return
    ctx.payments.cancel_new(ctx.user.id)
    asked, topup = amount, _create(ctx, amount)
    amount = topup.amount
    details = ctx.settings["TRANSFER_DETAILS"]
    rows = [
        _copies(details, _bare(ctx, amount)),
        button("transfer.another_way", WAYS, asked),
        button("transfer.cancel", "transfer:cancel"),
        button("common.menu", MENU),
    ]
    values = {"amount": amount, "sum": _bare(ctx, amount), "details": details}
    ctx.ask(STEP, "transfer.details", rows, data={"topup": topup.id}, **values)


def _copies(details, amount):
    """Return the buttons that copy what a bank's form asks for: the number without spaces, and the sum without its sign."""
    found = NUMBER.search(details)
    number = re.sub(r"[\s().-]", "", found[0]) if found else details
    copies = [copy("transfer.copy" if found else "transfer.copy_details", number)] if len(number) <= COPY_MAX else []
    return [*copies, copy("transfer.copy_sum", amount)]


def _bare(ctx, amount):
    """Return an amount as a bank's form takes it: digits, with the language's decimal sign if there are minor units."""
    whole, minor = divmod(amount, 100)
    return str(whole) if not minor else format_decimal(amount / 100, "0.00", locale=str(ctx.lang))


def _create(ctx, amount):
    """Write the row, of a sum that no other open transfer has if the operator wants to tell them apart by it."""
    if not ctx.settings["TRANSFER_UNIQUE"]:
        return ctx.payments.create(ctx.user.id, "transfer", amount, now=ctx.now)
    since = ctx.now - OPEN  # as long as its dialogue may last
    return ctx.payments.create_unique(ctx.user.id, "transfer", amount, KOPECKS, now=ctx.now, since=since)


def resend(ctx, topup):
    """Take another screenshot of a payment that was declined; it is checked under a number of its own."""
    declined = ctx.payments.get(topup, ctx.user.id)
    if declined is None or declined.state != "rejected":
        raise UserError("common.old_button")
    if (pending := ctx.payments.pending_of(ctx.user.id)) is not None:
        ctx.reply("transfer.already", ctx.bot.trouble(f"pay{pending.id}"), number=pending.id, amount=pending.amount)
        return
    ctx.payments.cancel_new(ctx.user.id)
    fresh = ctx.payments.create(ctx.user.id, "transfer", declined.amount, now=ctx.now)
    rows = [button("transfer.cancel", "transfer:cancel"), button("common.menu", MENU)]
    shown = ctx.reply("transfer.resend_now", rows, number=topup, amount=fresh.amount)  # what was declined stays above
    ctx.drafts.put(ctx.user.id, "transfer", ctx.now, step=STEP, data={"topup": fresh.id}, message_id=shown)


def cancel(ctx):
    """Drop the unfinished request."""
    ctx.done("transfer")
    ctx.payments.cancel_new(ctx.user.id)
    ctx.edit("transfer.cancelled", _home())


def _home():
    return [[button("common.balance", BALANCE), button("common.menu", MENU)]]


def take_proof(ctx):
    """Take the screenshot: from now on, the request waits for an admin."""
    file = file_in(ctx.message)
    if file is None or file["kind"] not in PROOFS:
        raise UserError(
            "transfer.want_picture", buttons=[button("transfer.cancel", "transfer:cancel"), *ctx.bot.home()]
        )
    count(ctx, "transfer", MOST, SPAN)
    proof = {name: file[name] for name in ("file_id", "unique_id", "kind")}
    topup = ctx.payments.submit(ctx.draft.data.get("topup", 0), ctx.user.id, proof, ctx.now, _sketch(ctx, file))
    ctx.done("transfer")
    if topup is None:
        raise UserError("transfer.not_open", buttons=_home())
    ctx.reply("transfer.received", _home(), amount=topup.amount, number=topup.id)


def _sketch(ctx, file):
    """Return a picture as 80 × 80 levels of grey, or None if it is unavailable or not a picture."""
    ctx.bot.show_typing(ctx.chat_id)
    try:
        return ctx.generation.media.sketch(file, ctx.user.id)
    except (TelegramFailed, TooBig, Busy) as error:
        log.warning("a screenshot could not be looked at: %s", error)
    except (Unreadable, TooManyPixels) as error:
        log.info("a proof is no picture: %s", error)
    return None
