"""The one wrapper around every handler: who it is, what they may do, errors, the tap's answer, and no silence."""

import logging
import time

from core import buttons as keyboards
from core.ctx import Ctx
from core.errors import SaidAlready, UserError
from core.filters import content_of
from core.handling import limits
from core.log import trace
from core.registry import PASS
from core.telegram import mentions, telebot_bridge
from core.telegram.sender import TelegramError
from core.telegram.senders import makes_user, sender_of
from core.telegram.transport import NotSent, UnknownOutcome
from storage.base import db
from storage.base.db import StorageDown
from storage.journal import drafts
from storage.people import users

log = logging.getLogger(__name__)
# Kinds of updates that may name no sender; their handlers get a stranger without an id
OF_NOBODY = """channel_post edited_channel_post poll poll_answer message_reaction message_reaction_count chat_boost
    removed_chat_boost""".split()


class Dispatcher:
    """Brings each update to its handler."""

    def __init__(self, bot):
        self.bot = bot
        self._flood = limits.Flood(bot.settings["FLOOD_MESSAGES"])

    def dispatch(self, update):
        """Handle one raw update and wake the loops if it wrote anything; raise only what the intake must deal with."""
        before = db.written.count
        kind = next((key for key in update if key != "update_id"), None)
        body = update.get(kind)
        user = self._user(kind, body, update["update_id"]) if isinstance(body, dict) else None
        if user is not None:
            started, mark = time.perf_counter(), trace.set(f"u{update['update_id']}")
            ctx, outcome = Ctx(self.bot, user, update["update_id"], kind, body), "error"
            try:
                outcome = self._answer(ctx)
            except StorageDown:
                raise
            except Exception as error:  # raised again in any case; this decides whether the update may be retried
                if not self._may_repeat(ctx) and self.bot.sender.said_for() == trace.get():
                    raise SaidAlready(f"{ctx.plugin or 'a handler'} has said something before it failed") from error
                raise
            finally:
                self._note(ctx, outcome, round(1000 * (time.perf_counter() - started)))
                trace.reset(mark)
        if db.written.count != before:
            self.bot.wake()

    def _note(self, ctx, outcome, ms):
        """Log this update in one line, without anybody's name or words."""
        ending = outcome if outcome in ("done", "error") else "telegram" if outcome.startswith("Telegram") else "told"
        self.bot.status.outcomes[ending] += 1
        fields = {"kind": ctx.kind, "plugin": ctx.plugin, "ms": ms, "outcome": outcome, "user": ctx.user.id}
        log.info("%s → %s: %s in %d ms", ctx.kind, ctx.plugin or "nobody", outcome, ms, extra={"fields": fields})

    def _user(self, kind, body, update_id):
        """Return the user an update is about, or None if it is another bot's or nobody's.

        Where an update does not make its sender a user, an unknown one stays a stranger, about whom nothing is stored.
        """
        if "refunded_payment" in body:
            payer = users.Sender(body["chat"]["id"])
            return users.by_telegram_id(payer.telegram_id) or users.stranger(payer)
        by_group = body.get("sender_chat", {}).get("id", 0) == body.get("chat", {}).get("id")  # by an admin in its name
        is_nameless = kind in OF_NOBODY and not (body.get("from") or body.get("user"))
        if is_nameless or by_group:
            return users.stranger(users.Sender(0))
        sender = sender_of(body)
        return sender and users.seen(sender, self.bot.clock.now(), update_id, makes_user(kind, body))

    def _answer(self, ctx):
        """Call an update's handlers and make every outcome visible; return the outcome's name for the log."""
        outcome = "done"
        try:
            entries, arguments = self._handlers_for(ctx)
            for entry in entries:
                ctx.entry, ctx.plugin = entry, entry.plugin
                if entry.handler(ctx, **arguments) is not PASS:
                    break
            else:
                self._left_over(ctx)
        except UserError as error:
            outcome = error.key
            self._tell(ctx, error)
        except TelegramError as error:
            outcome = f"Telegram: {error}"
            self._refused(ctx, error)
        except (NotSent, UnknownOutcome) as error:
            outcome = f"Telegram: {error}"
            self._unheard(ctx, error)
        answered = ctx.answered or self.bot.sender.has_answered(ctx.chat_id)  # e.g. through the library
        if not answered and ctx.private and ctx.kind in ("message", "callback_query"):
            log.error("update %s (%s) ended in silence", ctx.update_id, ctx.kind)
            self._tell(ctx, UserError("common.lost", buttons=self.bot.home()))
        ctx.finish_tap()
        return outcome

    def _tell(self, ctx, error):
        """Say what went wrong: in a toast for a tap in a group, or if there are no buttons to show; else in a message."""
        try:
            if ctx.tap and (not error.buttons or not ctx.private):
                ctx.toast(error.key, alert=True, **error.values)
            else:
                ctx.reply(error.key, error.buttons or self.bot.home(), **error.values)
        except TelegramError as failure:
            self._refused(ctx, failure)
        except (NotSent, UnknownOutcome) as failure:
            self._unheard(ctx, failure)

    def _unheard(self, ctx, error):
        """Accept that an answer may not have arrived: what counts is in the rows, and a retry would redo all of it."""
        log.warning("an answer may not have arrived: %s", error)
        ctx.answered = True

    def _refused(self, ctx, error):
        if error.is_gone and ctx.private:
            users.mark_blocked([ctx.user.id], True, ctx.now)
        else:
            is_late = "query is too old" in error.description
            log.log(logging.WARNING if is_late else logging.ERROR, "Telegram refused an answer: %s", error)
        ctx.answered = ctx.answered or ctx.refused or error.is_gone or error.is_server
        ctx.refused = True  # if what is said instead is refused as well, that is the end of it

    def _handlers_for(self, ctx):
        """Return the entries that an update is offered to, in order, and the arguments of their handlers.

        Raise UserError for what the person may not do, or cannot do here.
        """
        if ctx.kind == "callback_query":
            return self._for_tap(ctx)
        if ctx.kind == "message":
            heard = (ctx.private or self._is_called(ctx)) and self._may_speak(ctx)
            return self._for_message(ctx) if heard else [], {}
        if ctx.kind == "my_chat_member":
            self._membership(ctx)
        return self._chain(ctx, ctx.kind), {}

    def hand_over(self, ctx, message, plugin=None, step=None):
        """Handle a message that was put together here, such as a voice message as words, as if it had just come.

        A command goes where it would; else a `step` of a `plugin`'s dialogue gets it first, if the dialogue is still there.
        """
        written = Ctx(self.bot, ctx.user, ctx.update_id, "message", message)
        written.draft = drafts.get(ctx.user.id, plugin, ctx.now) if plugin else None
        first = self.bot.handlers["step"].get(step) if written.draft else None
        self._let_in(written, first)
        for entry in self._for_message(written) if written.text.startswith("/") else self._takers(written, first):
            written.entry, written.plugin = entry, entry.plugin
            if entry.handler(written) is not PASS:
                break
        else:
            raise UserError("common.lost", buttons=self.bot.home())
        ctx.answered = ctx.answered or written.answered

    def _takers(self, ctx, step):
        """Return the entries that a message is offered to, in their order; `step` is the open dialogue's."""
        chain = self._chain(ctx, content_of(ctx.body))
        return chain if step is None else [*_beside(ctx, chain), step, *chain]

    def _chain(self, ctx, kind):
        """Return the entries for a kind of update or content whose filter accepts this one."""
        return [entry for entry in self.bot.handlers["update"].get(kind, ()) if entry.fits(ctx)]

    def _left_over(self, ctx):
        """Offer an update that no plugin has taken to telebot's handlers; if nobody takes it, say so."""
        if ctx.answered:
            return
        if ctx.kind in ("message", "callback_query"):
            self._let_in(ctx, None)
        if self._library_takes(ctx):
            return
        if ctx.kind == "callback_query":
            raise UserError("common.old_button")
        if ctx.kind == "message":
            key = "common.unknown_command" if ctx.text.startswith("/") else "common.lost"
            raise UserError(key, buttons=self.bot.home())

    def _may_repeat(self, ctx):
        """Return whether the handler may run again after it has sent something; for payments it always may."""
        money = ctx.kind == "pre_checkout_query" or (ctx.kind == "message" and _is_money(ctx))
        return money or bool(ctx.entry and (ctx.entry.repeat or ctx.plugin in self.bot.repeatable_plugins))

    def _membership(self, ctx):
        """Remember that a person blocked or unblocked the bot (in a private chat, that is what this update means)."""
        ctx.answered = True
        if ctx.private:
            status = ctx.body["new_chat_member"]["status"]
            users.mark_blocked([ctx.user.id], status in ("kicked", "left"), ctx.now)

    def _may_speak(self, ctx):
        """Return whether to handle a message: payments always, a flood not."""
        if _is_money(ctx):
            return True
        who = ctx.user.id or ("stranger", ctx.user.telegram_id or ctx.chat_id)
        verdict = self._flood.check(who, self.bot.clock.monotonic())
        if verdict == "warn" and ctx.private:
            raise UserError("common.flood", buttons=[[]])
        ctx.answered = ctx.answered or verdict != "ok"
        return verdict == "ok"

    def _is_called(self, ctx):
        """Return whether a group's message is for the bot; the words for it go to `ctx.text`.

        All others are people talking to each other: they count nowhere, not even as a flood.
        """
        ctx.answered = True  # whatever comes of it: nobody has to be told that nothing does
        if "migrate_to_chat_id" in ctx.body or ctx.text.startswith("/"):
            return True
        ctx.called = mentions.called(ctx.body, self.bot.id, self.bot.username)
        ctx.text = ctx.called.words if ctx.called else ctx.text
        return ctx.called is not None

    def _for_tap(self, ctx):
        route, parts = keyboards.split(ctx.tap.get("data") or "")
        entry = self.bot.handlers["button"].get(route)
        if entry is None:
            return [], {}
        if ctx.user.id is None and not entry.strangers:
            raise UserError("common.private_only")
        self._let_in(ctx, entry)
        if not ctx.private and not entry.groups:
            raise UserError("common.private_only")
        try:
            arguments = keyboards.parse(parts, entry.types)
        except keyboards.BadData as error:
            log.warning("the data of a button does not fit %s: %s", route, error)
            raise UserError("common.old_button") from None
        if not entry.beside:
            self._close_dialogue(ctx, route.split(":")[0])
        return [entry], arguments

    def _for_message(self, ctx):
        command = self._command(ctx)
        if command is not None:
            self._close_dialogue(ctx, None)
            return self._for_command(ctx, command)
        if not ctx.private:
            is_ours = ctx.called or not ctx.text  # else it is a command for another bot
            return [entry for entry in self._chain(ctx, content_of(ctx.body)) if entry.groups and is_ours]
        if _is_money(ctx):
            return self._takers(ctx, None)
        ctx.draft = self._listening(ctx)
        step = self.bot.handlers["step"].get(ctx.draft.step) if ctx.draft else None
        self._let_in(ctx, step)
        if step is None and telebot_bridge.awaits(self.bot.telebot, ctx.body):
            return []
        return self._takers(ctx, step)

    def _let_in(self, ctx, entry):
        """Raise UserError if a person may not use a handler (None: anything else)."""
        if ctx.user.banned and not (entry and entry.blocked):
            raise UserError("common.banned", buttons=[self.bot.trouble()[0][:1]])
        if entry is not None and not ctx.may(entry.right):
            raise UserError("common.not_yours")

    def _library_takes(self, ctx):
        """Offer the update to handlers registered with telebot; return whether it is answered."""
        ctx.answered = ctx.answered or telebot_bridge.takes(self.bot.telebot, ctx.update_id, ctx.kind, ctx.body)
        return ctx.answered

    def _command(self, ctx):
        """Return the command a message starts with, if it is for this bot; its arguments go to `ctx.args`."""
        if not ctx.text.startswith("/"):
            return None
        word, *rest = ctx.text.split(maxsplit=1)
        name, _at, mention = word[1:].partition("@")
        if mention and mention.lower() != self.bot.username.lower():
            return "" if ctx.private else None  # in the private chat it is an unknown command, never a prompt
        ctx.args = rest[0].strip() if rest else ""
        return name.lower()

    def _for_command(self, ctx, name):
        entry = self.bot.handlers["command"].get(name)
        if entry is None or not ctx.may(entry.right):
            if not ctx.private:
                ctx.answered = True
            elif entry is not None:
                raise UserError("common.unknown_command", buttons=self.bot.home())
            return []
        self._let_in(ctx, entry)
        if not ctx.private and (not entry.groups or (ctx.user.id is None and not entry.strangers)):
            if limits.may_refuse(ctx):
                ctx.reply("common.private_only", self.bot.to_private())
            return []
        return [entry]

    @staticmethod
    def _listening(ctx):
        return drafts.listening(ctx.user.id, ctx.now) if ctx.user.in_dialogue else None

    def _close_dialogue(self, ctx, plugin):
        """Close an open dialogue: commands and other plugins' buttons take precedence over it, unless they are in a group."""
        if ctx.private and (draft := self._listening(ctx)) and draft.plugin != plugin:
            drafts.stop_listening(ctx.user.id)


def _beside(ctx, chain):
    """Return the entries of a chain that precede an open dialogue; for a banned person there are none."""
    return [] if ctx.user.banned else [entry for entry in chain if entry.beside]


def _is_money(ctx):
    """Return whether a message reports a payment or a refund: it is handled whoever sent it, even during a flood."""
    return "successful_payment" in ctx.body or "refunded_payment" in ctx.body
