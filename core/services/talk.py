"""Talk: questions to KIE's chat models, sold for what they take.

A question is a job (`storage/orders/questions.py`): the most it can cost is held, the model is asked in one call that
brings the answer, and what KIE took is captured, never more than the hold. A call is never repeated once its outcome is
unknown: the hold is released and the cost stays with the operator. Each question under way has a thread of its own, so
many for each model, so that a slow model keeps nobody else waiting.
"""

import logging
import random
import threading
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from functools import partial
from typing import NamedTuple

from core.errors import UserError
from core.telegram.sender import TelegramError
from kie.api.chat import Message, ask_first, cost_of, count_tokens, estimate
from kie.api.errors import KieError, NotSent, Reason, Refused
from kie.catalogue.chat_models import SOLD
from kie.catalogue.pricing import price
from storage.base import db
from storage.base.db import StorageDown, transaction
from storage.journal import events
from storage.journal.event_kinds import JobOverrun, JobSucceeded
from storage.money.free import NoneLeft
from storage.orders import jobs, questions

log = logging.getLogger(__name__)
MICRO = 1_000_000
PREFIX = "chat/"  # before a chat model's id in a job, apart from the ids of the catalogue
MOST_QUESTION = 10_000  # characters
# What a dialogue holds in which no question waits
UNASKED = {"question": "", "pictures": [], "album": None, "part_at": 0, "most": None}
PICTURES = 4  # that go with a question, earlier ones of the topic among them
HISTORY_TOKENS, MOST_TURNS = 6_000, 40  # of earlier turns: they are paid for again with every question
CLIP = 8_000  # characters of an earlier answer
REPLY_TOKENS = 4_000  # the hold is for an answer of this length; an answer beyond it is the operator's loss
LIMIT_S, READ_S = 240, 200  # for the whole call, and for a silence in it (answers of Claude come after up to 168 s)
AT_ONCE = 6  # calls of one model
AGAIN, MOST_AGAIN = timedelta(seconds=12), 2  # after "too many requests", and how often
USUAL_S = 15
TYPING = timedelta(seconds=4)  # Telegram shows an action for five
WRITES, WRITE_PAUSE_S = 20, 3  # attempts to write an answer down while the database is away


class Bound(NamedTuple):
    """The most that a question costs: in minor units for the person, in millionths of a credit at KIE."""

    price: int
    expected: int
    free: dict | None = None  # the storage.money.free.Offer that makes it cost nothing


class Talk:
    """What plugins ask about questions, and the work that answers them; without threads, in the calling one."""

    def __init__(self, bot, generation, threaded=True):
        self._bot, self._generation, self._threaded = bot, generation, threaded
        self._models = generation.chat_models
        self._going = {}  # job id → (its model, the chat)
        self._guard = threading.Lock()
        self._typed_at = None
        self._closing = False

    # what is sold

    def model(self, rank):
        """Return the chat model sold as quick, clever or best; raise UserError for another word."""
        if rank not in SOLD:
            raise UserError("common.old_button")
        return getattr(self._models, rank)

    def model_of(self, job):
        """Return the chat model of a question, or None when nothing is known of it any more."""
        return self._models.models.get(job.model.removeprefix(PREFIX))

    def bound(self, user_id, rank, now, question="", pictures=(), topic=None):
        """Return the Bound of a person's question with what was said in its topic, or None while nothing has a price."""
        model = self.model(rank)
        credits = estimate(model, self._conversation(topic, None, question, pictures), REPLY_TOKENS)
        most, expected = self._price(credits), int((credits * MICRO).to_integral_value(ROUND_CEILING))
        if most is None:
            return None
        offers = (offer(self._bot, user_id, model, {"rank": rank}, now) for offer in self._bot.free_offers)
        free = next((found for found in offers if found), None)
        return Bound(0 if free else most, expected, free)

    def _price(self, credits):
        rate = self._generation.usd_rate()
        if rate is None:
            return None
        own = self._generation.live_catalogue.value("all", "markup")
        markup = self._generation.markup() if own is None else Decimal(own)
        return price(credits, usd_rate=rate, markup=markup, credit_usd=self._generation.catalog.credit_usd)

    def ask(self, user, name, rank, question, pictures, topic, now):
        """Turn a question into a job with its hold; return (job, created). `name` makes it one, however often it comes.

        `topic` is None for a new one. Raise UserError with what can be done about it, or NotEnoughMoney.
        """
        topic = topic if self.owns(user.id, topic) else None
        bound = self.bound(user.id, rank, now, question, pictures, topic)
        if bound is None:
            raise UserError("talk.closed")
        self._generation.refuse_sales(user, now)
        values = {"rank": rank, "question": question, "pictures": list(pictures)}
        model = PREFIX + self.model(rank).id
        quote = jobs.Quote(model, values, bound.price, bound.free, bound.expected, topic)
        limit, starts = self._bot.settings["USER_JOBS"], self._bot.settings["USER_STARTS"]
        try:
            found = questions.ask(user.id, name, quote, now=now, usual_s=USUAL_S, limit=limit, starts=starts)
        except questions.AlreadyAsking:
            raise UserError("talk.one_at_a_time") from None
        except jobs.TooManyJobs:
            raise UserError("job.too_many", n=limit) from None
        except jobs.TooManyStarts:
            raise UserError("job.too_fast") from None
        except NoneLeft:
            raise UserError("job.price_changed") from None
        self._bot.wake()
        return found

    def owns(self, user_id, topic):
        """Tell whether a topic is of this user."""
        first = jobs.get(topic, user_id) if topic is not None else None
        return first is not None and first.topic == topic

    def spent(self, job):
        """Return what the topic of a question has cost so far, with that question, in minor units."""
        return questions.charged(job.topic, job.id)

    # what is sent

    def _conversation(self, topic, before, question, pictures, bring=lambda file: ""):
        """Return the messages of a question: the instruction, earlier turns within their budget, and the question.

        `bring(file)` returns the address of a picture.
        """
        found, left, room = [], HISTORY_TOKENS, PICTURES - len(pictures)
        for turn in questions.turns(topic, before, MOST_TURNS) if topic is not None else ():
            kept = turn.inputs.get("pictures", [])[: max(0, room)]
            asked = Message("user", turn.inputs.get("question", ""), ("",) * len(kept))
            said = Message("assistant", turn.result["text"][:CLIP])
            left -= count_tokens(asked) + count_tokens(said)
            if left < 0:
                break
            room -= len(kept)
            found.append((asked.text, kept, said))
        messages = [Message("system", self._bot.texts.plain(self._bot.texts.default, "talk.instruction"))]
        for text, kept, said in reversed(found):
            urls = [url for file in kept if (url := self._if_there(bring, file)) is not None]
            messages += [Message("user", text, tuple(urls)), said]
        return [*messages, Message("user", question, tuple(bring(file) for file in pictures))]

    @staticmethod
    def _if_there(bring, file):
        """Return the address of an earlier picture, None if Telegram has it no more: the words go on without it."""
        try:
            return bring(file)
        except TelegramError as error:
            if error.is_server:
                raise
            return None

    # the loop

    def step(self, now):
        """Ask what is due, and show in the chats of those who wait that something is being written."""
        if self._closing or not self._bot.status.leads or self._generation.is_paused(now):
            return
        for model in questions.models_due(now):
            with self._guard:
                going = [job_id for job_id, (name, _chat) in self._going.items() if name == model]
            room = AT_ONCE - len(going)
            waiting = questions.due(model, now, AT_ONCE) if room > 0 else ()
            for job in [job for job in waiting if job.id not in going][: max(0, room)]:
                self._begin(job)
        self._show_typing(now)

    def _begin(self, job):
        with self._guard:
            self._going[job.id] = job.model, job.user.telegram_id
        if self._threaded:
            try:
                threading.Thread(target=self._answer, args=(job,), name=f"question-{job.id}", daemon=True).start()
            except RuntimeError:  # no thread can be started now: the question stays due
                log.exception("question %s waits for a thread", job.id)
                with self._guard:
                    del self._going[job.id]
        else:
            self._answer(job)

    def _show_typing(self, now):
        if self._typed_at is not None and now - self._typed_at < TYPING:
            return
        self._typed_at = now
        with self._guard:
            chats = {chat for _model, chat in self._going.values() if chat is not None}
        for chat in chats:
            self._bot.show_typing(chat)

    def _answer(self, job):
        try:
            self._ask(job)
        except StorageDown as error:
            log.warning("question %s stays as it is: %s", job.id, error)
        except Exception:  # whatever it is, the thread ends, and `settle` gives the money back
            log.exception("question %s could not be answered", job.id)
        finally:
            with self._guard:
                self._going.pop(job.id, None)
            self._bot.wake()
            if self._threaded:
                db.leave()

    def _ask(self, job):
        """Ask one question; every end of it is written down."""
        generation, model, now = self._generation, self.model_of(job), self._bot.clock.now()
        if model is None:
            generation.fail(job.id, "model", now, "not among the chat models any more", states=("queued",))
            return
        bring = partial(generation.bring, job.user_id)
        said = job.topic, job.id, job.inputs["question"], job.inputs["pictures"]
        messages = generation.get_ready(job, now, lambda: self._conversation(*said, bring))
        if messages is None or jobs.begin(job.id, self._bot.clock.now()) is None:
            return
        limits = {"max_tokens": REPLY_TOKENS, "read_timeout_s": READ_S, "limit_s": LIMIT_S}
        try:
            answer = ask_first(generation.client, [model], messages, **limits)
        except Refused as error:
            self._refused(job, error)
        except NotSent as error:
            self._put_back(job, error, "server")
        except KieError as error:
            self._lost(job, str(error), self._bot.clock.now())
        else:
            self._write_down(job, answer)

    def _refused(self, job, error):
        """KIE said no, so nothing was charged: wait a little, or fail the question."""
        log.warning("KIE refused question %s (%s): %s", job.id, error.reason, error)
        now = self._bot.clock.now()
        if error.reason in (Reason.BUSY, Reason.MAINTENANCE):
            self._put_back(job, error, error.reason)
            return
        if error.reason in (Reason.CREDITS, Reason.KEY):
            self._generation.pause(error, now)
        if error.reason == Reason.MODEL:
            self._bot.alert("job.alert_model", cause=f"unknown:{job.model}", model=job.model)
        self._generation.fail(job.id, error.reason, now, str(error), states=("submitting",))

    def _put_back(self, job, error, reason):
        """Nothing was asked: it is tried again a little later, a few times."""
        now = self._bot.clock.now()
        if job.refusals < MOST_AGAIN:
            jobs.requeue(job.id, now + AGAIN * random.uniform(1, 1.5))
        else:
            self._generation.fail(job.id, reason, now, str(error), states=("submitting",))

    def settle(self, before, now):
        """End the questions that have been asked since before a time: their threads are gone."""
        for job in questions.interrupted(before):
            if job.id not in self._going:
                self._lost(job, "the call was cut", now)

    def _lost(self, job, detail, now):
        """Nobody knows whether the model was paid: the person is not charged, and what it may cost is the operator's."""
        log.error("the outcome of question %s is unknown: %s", job.id, detail)
        loss = {"cost": job.expected, "overrun": self._generation.worth(job.expected)}
        self._generation.fail(job.id, "lost", now, detail, states=("submitting",), **loss)

    def _write_down(self, job, answer):
        """Store an answer and capture its price; keep trying for a while if the database is away."""
        for left in reversed(range(WRITES)):
            try:
                self._succeed(job, answer, self._bot.clock.now())
                return
            except StorageDown:
                if not left:
                    raise
                self._bot.clock.sleep(WRITE_PAUSE_S)

    def _succeed(self, job, answer, now):
        took, result = cost_of(answer), {"urls": [], "text": answer.text}
        cost = job.expected if took is None else int(took * MICRO)
        metered = 0 if took is None else self._price(took)  # nobody pays for what nobody has counted
        charged = job.price if metered is None else min(job.price, metered)
        worth = self._generation.worth
        beyond = (
            worth(cost) if took is None else max(worth(cost) - charged if charged else 0, worth(cost - job.expected))
        )
        overrun, states = max(0, beyond), ("submitting",)
        figures = {"charged": charged, "cost": cost, "overrun": overrun, "states": states, "now": now}
        with transaction():
            if jobs.succeed(job.id, result, **figures) is None:
                jobs.arrive_late(job.id, result, cost=cost, now=now)  # it was given up meanwhile
                return
            events.emit(JobSucceeded(job=job.id), now)
            if overrun:
                events.emit(JobOverrun(job=job.id), now)

    def close(self):
        """Ask nothing more; what is under way and cut stands in the rows."""
        self._closing = True
