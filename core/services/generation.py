"""Orders: quotes of cards and ladders, the length of files, what becomes of a job, and when sales are paused.

Storage keeps the rows, KIE does the work; this joins them.

Settings: USD_RATE, MARKUP (each can be set from the chat, which wins), USER_JOBS, PUBLIC_URL.
"""

import logging
import tempfile
import time
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from functools import partial
from pathlib import Path

from core.errors import UserError
from core.services import forms
from core.services.assistant import Assistant
from core.services.delivery import Delivery
from core.services.input_labels import SHOWN_TEXT
from core.services.media import Busy, Media, TooManyPixels, Unreadable
from core.services.talk import Talk
from core.telegram.sender import TelegramError, TooBig
from core.telegram.transport import NotSent as TelegramAway
from core.telegram.transport import UnknownOutcome
from kie.api.call_errors import CallFailed
from kie.api.errors import KieError, Refused
from kie.catalogue.chat_models import ChatModels
from kie.catalogue.inputs import clean_mime, files_of
from kie.catalogue.model import InputError, NoPrice
from kie.catalogue.overrides import terms
from kie.catalogue.pricing import cost as worth_of
from kie.catalogue.pricing import credits, is_upper_bound, price, timed
from kie.poller import Poller
from storage.base.db import transaction
from storage.journal import drafts, events, runtime_settings
from storage.journal.event_kinds import JobFailed, JobLost, JobOverrun, JobSucceeded
from storage.money.free import NoneLeft
from storage.money.ledger import NotEnoughMoney
from storage.orders import claims, jobs, stats

log = logging.getLogger(__name__)
MICRO = 1_000_000
CARD, CARD_STEP = "generate", "generate:input"  # the draft of the open card, and the step in which it takes messages
QUESTION = "ask"  # the draft of a dialogue with a chat model; what waits to be asked is in it
VOICED = "voiced"  # the draft of a ladder of voices for the words that a card wants to hear; it is open beside the card
REPLIES = "replies"  # the draft of a ladder that edits a result; it is open beside the card
KEPT = (
    "prompt_message",
    "prompt_input",
    "back",
    "sent",
    "parent",
    "brought",
    "idea",
)  # what a card remembers besides its values
LOST_PATIENCE = timedelta(minutes=30)  # how long a job whose create got no answer waits for its callback
BUSY_WAIT, MAINTENANCE_WAIT = timedelta(seconds=12), timedelta(minutes=2)
RETRIES = {"busy": 60, "maintenance": 15, "server": 2}  # refusals after which no task exists and a repeat may work
UNFETCHED = 451  # KIE could not fetch a file: it is uploaded again and tried once more
CREATE_PATIENCE = timedelta(minutes=5)  # the client gives up a create after 35 s
PAUSING = ("credits", "key")  # refusals that concern every order
PAUSED = "KIE_REFUSES"  # the runtime setting that says which of these it is while nothing is sold, or is empty
LEAST_CREDITS = 50  # fewer are not enough for most models, so sales would only fail again
CHAT_MODELS = Path(__file__).parents[2] / "data" / "chat_models.json"
LOOKS_PER_S = 200  # polls of tasks that may have ended meanwhile, e.g. after a start
SPENT_FOR = timedelta(seconds=30)
POPULAR_FOR = timedelta(minutes=5)
ENDS = {"queued": "waited", "running": "deadline", "lost": "lost"}  # state → reason of failure, past the deadline


def _has_length(file):
    """Return whether a file's length was measured here, and not only claimed by its sender."""
    return bool(file.get("measured") and file.get("seconds"))


def _shown(draft, rung):
    """Return the quote that a draft shows, its card's or that of a rung of its ladder; None if it shows none."""
    if rung is not None:
        return dict(enumerate(draft.data.get("rungs", ()))).get(rung)
    return {"model": draft.model, "values": draft.data["values"], "price": draft.price} if draft.model else None


def chosen(draft):
    """Return (rung or None, quote or None) of what was chosen on a draft: the rung that was tapped, else its card's."""
    rung = draft.data.get("wanted")
    return rung, _shown(draft, rung)


class NotOnSale(Exception):
    """The model of an order is not in the catalogue any more."""


class Generation:
    """Orders, for plugins and for the poller, whose `JobEvents` it implements."""

    def __init__(self, bot, live_catalogue, client, *, workers=16, rng=None):
        self._bot = bot
        self.live_catalogue = live_catalogue
        self.client = client
        self.poller = Poller(client, self, workers, rng)
        self.delivery = Delivery(bot, client, threads=4 if workers else 0)
        self.media = Media(bot.sender, client)
        self.chat_models = ChatModels.load(CHAT_MODELS)
        self.assistant = Assistant(bot.settings, client, self.chat_models)
        self.talk = Talk(bot, self, threaded=bool(workers))
        self._spent = None
        self._popular = self._usual = None
        self._left = None

    @property
    def catalog(self):
        """The catalogue in use."""
        return self.live_catalogue.catalog()

    def model(self, job):
        """Return a job's model, even if it is no longer sold; None if it is unknown."""
        return self.catalog.known.get(job.model)

    # prices

    def usd_rate(self):
        """Return the price of a dollar in the balance's currency, or None while nobody has set it."""
        return self._bot.settings["USD_RATE"]

    def markup(self):
        """Return the factor on what KIE charges."""
        return self._bot.settings["MARKUP"]

    def price(self, model, values):
        """Return the price of exact inputs in minor units, or None if they have none (and so are not for sale).

        Inputs that are left out count as their defaults, required ones as given; of one that the model lacks, it is None.
        """
        if not values.keys() <= model.by_name.keys():
            return None
        try:
            return self.price_of_credits(credits(model, values), model)
        except NoPrice:
            return None

    def price_of_credits(self, amount, model):
        """Return a model's price for a number of credits in minor units, or None without a rate.

        A price that an admin has fixed counts whatever the markup, but nothing is sold below cost.
        """
        rate = self.usd_rate()
        if rate is None:
            return None
        changes, catalog = self.live_catalogue.current()
        usual = self.markup()
        markup, fixed = terms(changes, model)
        factor = 1 if fixed is not None else markup or usual
        asked = price(amount, usd_rate=rate, markup=factor, credit_usd=catalog.credit_usd)
        return asked if fixed is None else max(asked, fixed)

    def popularity(self, now):
        """Return {model: orders} of the last 30 days, at most five minutes old."""
        if self._popular is None or now - self._popular[0] > POPULAR_FOR:
            self._popular = (now, stats.popularity(now))
        return self._popular[1]

    def usual_s(self, model, now):
        """Return how many seconds a model usually takes: here recently, else by the catalogue."""
        if self._usual is None or now - self._usual[0] > POPULAR_FOR:
            self._usual = (now, jobs.usual_seconds())
        return self._usual[1].get(model.id, model.usual_s)

    def title(self, job):
        """Return the name of a job's model, even if it is no longer on offer."""
        model = self.model(job) if job.topic is None else self.talk.model_of(job)
        return model.title if model else job.model.rsplit("/", 1)[-1]

    def credits_left(self, now):
        """Return KIE's credits, looked up at most every five minutes; the last known figure if KIE is down, or None."""
        if self._left is None or now - self._left[0] > POPULAR_FOR:
            try:
                self._left = (now, self.client.credits())
            except KieError as error:
                log.info("the credits could not be read: %s", error)
                self._left = (now, self._left and self._left[1])
        return self._left[1]

    # the open card

    def card(self, user_id, now, code=None):
        """Return (draft, model) of the user's open card; raise UserError if there is none, or one of another model."""
        draft, model = self._open_card(user_id, now)
        if model is None or (code is not None and model.code != code):
            raise UserError("common.old_card")
        return draft, model

    def has_card(self, user_id, now):
        """Return whether a card is open whose model is on offer, or a ladder in its place."""
        draft, model = self._open_card(user_id, now)
        return model is not None or bool(draft and draft.data.get("rungs"))

    def _open_card(self, user_id, now):
        """Return (draft or None, its model if that is on offer, else None)."""
        draft = drafts.get(user_id, CARD, now)
        return draft, self.catalog.models.get(draft.model) if draft and draft.model else None

    def fill(self, user_id, model, values, now, **data):
        """Write the card with these values and their price, and return its draft: every change is a new quote.

        The card listens for `asking`: the first missing input, else its main text.
        """
        values = self._without_unmeasured(model, values)
        old = drafts.get(user_id, CARD, now)
        kept = {name: old.data.get(name) for name in KEPT} if old and old.model == model.id else {}
        data = kept | {"values": values, "asking": model.asks_for(values)} | data
        price, free = (None, None) if forms.problem(model, values) else self.quote(user_id, model, values, now)
        data |= {"free": free, "expected": self._expected(model, values)}
        return drafts.put(user_id, CARD, now, model=model.id, data=data, price=price, step=CARD_STEP)

    def quote(self, user_id, model, values, now):
        """Return (price in minor units or None, the offer that makes it free or None) of exact inputs for a user.

        While a length is unmeasured, there is no price.
        """
        price = self.price(model, values) if self._is_measured(model, values) else None
        offers = (offer(self._bot, user_id, model, values, now) for offer in self._bot.free_offers) if price else ()
        free = next((found for found in offers if found), None)
        return (0, free) if free else (price, None)

    @staticmethod
    def _expected(model, values):
        """Return what KIE should charge for exact inputs by the catalogue, in millionths of a credit, or None."""
        try:
            return int((credits(model, values) * MICRO).to_integral_value(ROUND_CEILING))
        except NoPrice:
            return None

    # the ladder, which takes the card's place

    def rung(self, name, user_id, model, values, now):
        """Return the quote of one rung for the ladder, or None if it cannot be sold with these values."""
        if model.missing(values) or forms.problem(model, values):
            return None
        price, free = self.quote(user_id, model, values, now)
        quote = {"name": name, "model": model.id, "values": values, "price": price, "free": free}
        return None if price is None else quote | {"expected": self._expected(model, values)}

    def put_ladder(self, user_id, rungs, now, *, step=None, form=CARD, **data):
        """Write a ladder of quotes and return its draft; every change makes them new quotes.

        It replaces the card; with the `form` REPLIES it is open beside it.
        """
        data |= {"rungs": rungs}
        return drafts.put(user_id, form, now, model=None, data=data, price=None, step=step)

    def waiting(self, user_id, now):
        """Return the most recently changed draft of a card, a ladder or a question that can be ordered, or None."""
        waits = {
            QUESTION: lambda data: data["question"],
            REPLIES: lambda data: data.get("rungs"),
            VOICED: lambda data: data.get("wanted") is not None,
        }
        found = [draft for name in waits if (draft := drafts.get(user_id, name, now)) and waits[name](draft.data)]
        found += [drafts.get(user_id, CARD, now)] if self.has_card(user_id, now) else []
        return max(found, key=lambda draft: draft.expires_at, default=None)

    def chosen(self, user_id, now):
        """Return (draft, rung or None, model, quote) of what waits to be ordered: the card's, or the rung that was chosen.

        None if nothing waits, or on a ladder nothing was chosen: "wanted" in its draft is the place of that rung.
        """
        draft = self.waiting(user_id, now)
        rung, quote = chosen(draft) if draft is not None else (None, None)
        model = self.catalog.models.get(quote["model"]) if quote and quote["price"] is not None else None
        return None if model is None else (draft, rung, model, quote | {"free": None})

    def words(self, lang, model, values):
        """Return what a person wrote for a model, for people; a prompt of an idea's is shown as the idea with their words.

        Such a prompt is ours, and in English.
        """
        said = model.words_of(values) if model else ""
        made = self.live_catalogue.ideas.made(said) if said else None
        if made is None or not self._bot.texts.has(title := f"ideas.title_{made[0].name}"):
            return said
        given = " · ".join(made[1].values())
        shown = self._bot.texts.plain(lang, title)
        return self._bot.texts.plain(lang, "job.idea_words" if given else "job.idea", title=shown, words=given)

    def in_queue(self, job, model, lang):
        """Return the values of the text job.queued: what was ordered, and its place in the queue."""
        words = self.words(lang, model, job.inputs)[:SHOWN_TEXT]
        return {"model": model.title, "price": job.price, "place": jobs.place(job), "prompt": words}

    # lengths, which are measured before a price is shown

    def measured(self, model, values, user):
        """Return `values` with the length of each file that affects the price, measured from the file itself.

        This downloads the file, and the chat shows that something is happening. Raise UserError if it cannot be done.
        """
        for name in timed(model):
            files = files_of(values.get(name))
            if not all(map(_has_length, files)):
                files = list(map(self.meter(model, model.input(name), user), files))
                values = values | {name: files if isinstance(values[name], list) else files[0]}
        return values

    def meter(self, model, spec, user):
        """Return a function that measures the length of a file given for an input, if it affects the price there."""
        needed = spec.name in timed(model)
        return lambda file: self._measure(file, spec, user) if needed and not _has_length(file) else file

    def _measure(self, file, spec, user):
        self._bot.show_typing(user.telegram_id)
        try:
            return file | {"seconds": self.media.seconds(file, user.id), "measured": True}
        except (Unreadable, TooManyPixels) as error:
            log.info("a length could not be measured: %s", error)
            raise UserError(f"error.no_length_{spec.kind}") from None
        except TooBig:
            raise UserError("error.too_big_to_measure") from None
        except (CallFailed, Busy) as error:
            log.warning("a file could not be measured now: %s", error)
            raise UserError("error.measure_later") from None

    @staticmethod
    def _is_measured(model, values):
        return all(_has_length(file) for name in timed(model) for file in files_of(values.get(name)))

    def _without_unmeasured(self, model, values):
        """Leave out files whose length affects the price and was never measured, as in an older version's card."""
        odd = [name for name in timed(model) if not all(map(_has_length, files_of(values.get(name))))]
        return {name: value for name, value in values.items() if name not in odd} if odd else values

    # orders

    def order(self, user, draft_id, version, now, rung=None, group=None):
        """Turn the quote that was shown (or that of a `rung`) into a job; return (job, its model or None, created).

        `group` is the chat that it was shown in, if that is not the private one: a quote is ordered where it is. Raise UserError with what the person can do about it: a changed price is shown before it is paid.
        """
        draft, model = drafts.find(user.id, draft_id, now), None
        if draft is not None and draft.version == version:
            here = (draft.data.get("place") or {}).get("chat_id") == group
            model = self._refuse_stale(user, _shown(draft, rung) if here else None, now)
        self.refuse_sales(user, now)
        job, created = self._ordered(model, now, partial(jobs.order, user.id, draft_id, version, rung=rung))
        return job, model if created else self.model(job), created

    def repeat(self, user, ended, price, now, parent=None):
        """Order once more what an ended job asked for, in one step; return (job, its model, created).

        `price` is what was shown, `parent` the result that it was made from. It is made once, however often it is asked
        for. Raise UserError as `order` does; a changed price is shown before it is paid.
        """
        model = self.catalog.models.get(ended.model)
        if model is None:
            raise UserError("job.gone")
        if model.missing(ended.inputs) or not ended.inputs.keys() <= model.by_name.keys():
            raise UserError("job.stale_quote")
        asked, free = self.quote(user.id, model, ended.inputs, now)
        if asked != price:
            raise UserError("job.price_changed")
        self.refuse_sales(user, now)
        quote = jobs.Quote(model.id, ended.inputs, price, free, self._expected(model, ended.inputs), parent=parent)
        job, created = self._ordered(model, now, partial(jobs.repeat, user.id, ended.id, quote))
        return job, model, created

    def _ordered(self, model, now, order):
        """Return what an operation on jobs returns that orders; raise UserError for what is in its way."""
        usual_s = self.usual_s(model, now) if model else 60
        limit, starts = self._bot.settings["USER_JOBS"], self._bot.settings["USER_STARTS"]
        try:
            found = order(now=now, usual_s=usual_s, limit=limit, starts=starts)
        except jobs.StaleQuote:
            raise UserError("job.stale_quote") from None
        except jobs.TooManyJobs:
            raise UserError("job.too_many", n=limit) from None
        except jobs.TooManyStarts:
            raise UserError("job.too_fast") from None
        except NoneLeft:
            raise UserError("job.stale_quote") from None
        except NotEnoughMoney as error:
            raise UserError("job.not_enough", lacking=error.lacking) from None
        self._bot.wake()
        return found

    def refuse_sales(self, user, now):
        """Raise UserError if nothing is sold now, or nothing to this person."""
        for gate in self._bot.gates:
            gate(self._bot, user, now)
        if self.is_paused(now):
            raise UserError("job.sales_paused")
        if user.sales_paused:
            raise UserError("job.account_paused", buttons=self._bot.trouble())

    def _refuse_stale(self, user, quote, now):
        """Return the model of a quote; raise UserError if it is no longer sold, or not at this price."""
        if quote is None:
            raise UserError("job.stale_quote")
        model = self.catalog.models.get(quote["model"])
        if model is None:
            raise UserError("job.gone")
        price, _free = self.quote(user.id, model, quote["values"], now)
        if price != quote["price"]:
            raise UserError("job.price_changed")
        return model

    def ask(self, user, question, now, instruction="", files=()):
        """Return a chat model's answer (a text) to a person's question, at the operator's cost; this may take 30 s.

        `instruction` says how to answer, `files` are addresses of pictures. It counts towards HELPER_DAILY of the person
        and HELPER_CEILING of all. Raise UserError, in words for the person, if it is switched off, if that was enough
        for today, or if no model answers: catch it if the plugin can do without.
        """
        return self.assistant.ask(user, question, now, instruction, files)

    def hear(self, user, file, now, instruction):
        """Return the words of a voice message, at the operator's cost; see `core/services/assistant.py`."""
        return self.assistant.hear(user, partial(self.bring, user.id, file), now, instruction)

    def cancel(self, user, job_id, now):
        """Cancel the user's own queued job; return it, or None if it is no longer queued."""
        return jobs.cancel(job_id, user.id, now)

    def is_paused(self, now):
        """Return whether nothing is sold for now: KIE refuses every order, or the day's ceiling is reached."""
        return bool(runtime_settings.get(PAUSED)) or self._is_spent(now)

    def _is_spent(self, now):
        """Return whether the last 24 hours have cost DAILY_CREDITS (checked at most every half minute)."""
        ceiling = self._bot.settings["DAILY_CREDITS"]
        if not ceiling:
            return False
        if self._spent is None or now - self._spent[0] > SPENT_FOR:
            self._spent = (now, stats.spent_credits(now - timedelta(days=1)) >= ceiling * MICRO)
            if self._spent[1]:
                self._bot.alert("job.alert_ceiling", cause="ceiling", ceiling=ceiling)
        return self._spent[1]

    def pause(self, error, now):
        """Pause sales and alert the admins: KIE would refuse every order."""
        if runtime_settings.get(PAUSED) != error.reason:
            runtime_settings.put(PAUSED, error.reason, now=now)
        self._bot.alert(f"job.alert_{error.reason}", cause=error.reason, detail=error.msg)

    def check_pause(self, now):
        """While sales are paused, ask KIE for the balance, and resume once it is high enough."""
        if not runtime_settings.get(PAUSED):
            return
        try:
            left = self.client.credits()
        except KieError as error:
            log.info("still paused (%s): %s", runtime_settings.get(PAUSED), error)
            return
        if left >= LEAST_CREDITS:
            log.info("selling again: KIE has %s credits", left)
            runtime_settings.put(PAUSED, "", now=now)
            self._bot.alert("job.alert_again", cause="again", left=str(left))

    # the poller's JobEvents

    def now(self):
        """Return the time."""
        return self._bot.clock.now()

    def queued(self, now, limit):
        """Return jobs to send, unless sales are paused; only the leader sends, as all copies share KIE's limit."""
        return [] if not self._bot.status.leads or self.is_paused(now) else jobs.queued(now, limit)

    def prepare(self, job, now):
        """Return the input for KIE, with the user's files uploaded there; None if the job was settled or put off."""
        return self.get_ready(job, now, partial(self._build, job))

    def _build(self, job):
        model = self.model(job)
        if model is None:
            raise NotOnSale
        return model.build(job.inputs, partial(self.bring, job.user_id))

    def get_ready(self, job, now, make):
        """Return what `make()` returns for a queued job; None if the job was settled or put off.

        The attempt is counted first, so that even one that kills this process is not repeated for ever.
        """
        tried = jobs.attempt(job, now)
        if tried is None:
            if job.tries >= jobs.MOST_TRIES:
                self._fail(job, "server", now, f"{job.tries} tries came to no end", ("queued",))
            return None
        try:
            return make()
        except NotOnSale:
            self._fail(job, "model", now, "not in the catalogue any more", ("queued",))
        except InputError as error:
            self._fail(job, "validation", now, str(error), ("queued",))
        except TooBig:
            self._fail(job, "file_too_big", now, None, ("queued",))
        except TooManyPixels:
            self._fail(job, "picture_too_large", now, None, ("queued",))
        except (TelegramError, Unreadable) as error:
            if isinstance(error, TelegramError) and error.is_server:
                self._put_off(tried, error, now)
            else:
                self._fail(job, "file", now, str(error), ("queued",))
        except (KieError, TelegramAway, UnknownOutcome, Busy) as error:
            self._put_off(tried, error, now)
        except Exception as error:  # whatever it is, the order comes to an end
            log.exception("job %s could not be got ready", job.id)
            self._put_off(tried, error, now)
        return None

    def _put_off(self, job, error, now):
        """Leave a job that could not be prepared to its next attempt, or fail it after the last; nothing is charged."""
        log.warning("files of job %s could not be uploaded: %s", job.id, error)
        if isinstance(error, Refused) and error.reason in PAUSING:
            self.pause(error, now)
        if job.tries >= jobs.MOST_TRIES:
            self._fail(job, "server", now, str(error), ("queued",))

    def bring(self, owner, file):
        """Upload a file from Telegram to KIE and return its public address; the Telegram address is never passed on.

        A result of KIE's own is not copied while its address works.
        """
        if file.get("url"):
            if self.client.serves(file["url"]):
                return file["url"]
            file = file | {"name": None, "mime": None} if file["kind"] == "photo" else file
        if not file.get("file_id"):
            raise Unreadable("neither KIE nor Telegram has it any more")
        with tempfile.TemporaryFile() as copy:
            self._bot.sender.download(file["file_id"], copy)
            if file.get("convert"):
                self.media.to_jpeg(copy, owner)
            copy.seek(0)
            mime = clean_mime(file) or "application/octet-stream"
            return self.client.upload(copy, filename=file.get("name") or "file", mime=mime)

    def begin(self, job, now):
        """Record that the create is about to be made; return whether it is ours to make."""
        return jobs.begin(job.id, now) is not None

    def callback_url(self, job):
        """Return the address KIE calls when the job is done, or None without a public address."""
        public = self._bot.settings["PUBLIC_URL"]
        return f"{public}/kie/{job.secret}" if public else None

    def started(self, job, task_id, now):
        """KIE has accepted the job; return whether to poll it here: if work is shared, whoever claims it does."""
        jobs.start(job.id, task_id, now + self._patience(job), now)
        return not self._bot.status.claims_as

    def refused(self, job, error, now):
        """KIE said no, so no task exists: wait, pause all sales, or fail the job."""
        log.warning("KIE refused job %s (%s): %s", job.id, error.reason, error)
        if job.refusals < RETRIES.get(error.reason, 1 if error.code == UNFETCHED else 0):
            wait = MAINTENANCE_WAIT if error.reason == "maintenance" else BUSY_WAIT
            jobs.requeue(job.id, now + wait)
            return
        if error.reason in PAUSING:
            self.pause(error, now)
        if error.reason == "model":
            self._bot.alert("job.alert_model", cause=f"unknown:{job.model}", model=job.model)
        self._fail(job, error.reason, now, str(error), ("submitting",))

    def not_sent(self, job, error, now):
        """Nothing reached KIE: the job goes back to the queue."""
        log.warning("KIE could not be reached for job %s: %s", job.id, error)
        jobs.requeue(job.id, now + BUSY_WAIT)

    def lost(self, job, error, now):
        """The create may have reached KIE: it is never repeated, and its callback may still name the task."""
        log.error("the outcome of the create of job %s is unknown: %s", job.id, error)
        self._lose(job.id, now)

    def _lose(self, job_id, now):
        with transaction():
            if jobs.lose(job_id, now + LOST_PATIENCE) is not None:
                events.emit(JobLost(job=job_id), now)

    def called_back(self, job, task_id, now):
        """KIE has called a job's address: poll its task at once. A lost job learns from it which task that is."""
        if job.task_id is None and task_id is not None:
            self._adopt(job, task_id, now)
        if not self.poller.wake(job.task_id or task_id, now) and self._bot.status.claims_as and job.task_id:
            self._look_once(job, now)
        self._bot.wake()

    def _look_once(self, job, now):
        """Poll an order once that another copy watches; `keep` forgets it again."""
        late = job.reason in jobs.LATE and job.delivery is None
        if late or job.state == "running":
            self._watch(job, now, late=late)
            self.poller.wake(job.task_id, now)

    def _watch(self, job, now, late):
        """Poll an order from now on; overdue ones early, but staggered."""
        since = None if late else job.submitted_at
        ripe = late or (now - since).total_seconds() > job.usual_s
        first_s = 1 + self.poller.watched() / LOOKS_PER_S if ripe else None
        self.poller.watch(job.id, job.task_id, job.usual_s, now, since=since, late=late, first_s=first_s)

    def _adopt(self, job, task_id, now):
        running = jobs.start(job.id, task_id, now + self._patience(job), now) is not None
        if running or jobs.name_late(job.id, task_id):
            since = job.submitted_at if running else None
            self.poller.watch(job.id, task_id, job.usual_s, now, since=since, late=not running)

    def poll_failed(self, watch, error, now):
        """A poll has failed; that never fails the job."""
        log.info("task %s could not be read: %s", watch.task_id, error)
        if isinstance(error, Refused) and error.reason in PAUSING:
            self.pause(error, now)

    def on_record(self, watch, record, now):
        """Move the job according to its task's state; return whether to stop polling."""
        if record.state == "running":
            return watch.late and now - watch.started > jobs.LATE_WATCH
        cost = None if record.credits is None else int(record.credits * MICRO)
        result = {"urls": list(record.urls), "text": record.text} | record.facts
        empty = record.state == "succeeded" and not record.urls and not record.text
        if empty:
            self._bot.alert("job.alert_empty", cause="empty", job=watch.job_id)
        if record.state == "failed" or empty:
            if not watch.late:
                detail = "success without a result" if empty else f"{record.fail_code}: {record.fail_msg}"
                self.fail(watch.job_id, "empty" if empty else record.reason, now, detail, cost=cost)
        elif watch.late:
            jobs.arrive_late(watch.job_id, result, cost=cost, now=now)
        else:
            self._succeed(watch.job_id, result, cost, now)
        self._bot.wake()
        return True

    def _succeed(self, job_id, result, cost, now):
        job = jobs.get(job_id)
        charged = self._charge(job, cost)
        overrun = self._overrun(job, charged, cost)
        with transaction():
            if jobs.succeed(job_id, result, charged=charged, cost=cost, now=now, overrun=overrun) is not None:
                events.emit(JobSucceeded(job=job_id), now)
                if overrun:
                    events.emit(JobOverrun(job=job_id), now)
            else:
                jobs.arrive_late(job_id, result, cost=cost, now=now)  # its deadline passed during the poll

    def _charge(self, job, cost):
        """Return what a finished job costs: its price, or for metered models KIE's charge, never more than the hold."""
        model = self.model(job)
        if model is None or cost is None or not is_upper_bound(model, job.inputs):
            return job.price
        metered = self.price_of_credits(Decimal(cost) / MICRO, model)
        return job.price if metered is None else min(job.price, metered)

    def _overrun(self, job, charged, cost):
        """Return what KIE charged beyond a paid order's charge, or beyond the catalogue's figure, in minor units."""
        if cost is None:
            return None
        model, expected = self.model(job), job.expected
        if expected is None and model is not None:
            expected = self._expected(model, job.inputs)
        beyond = [
            self.worth(cost) - charged if charged else 0,
            self.worth(cost - expected) if expected is not None else 0,
        ]
        return max(0, *beyond)

    def worth(self, micro_credits):
        """Return what millionths of a credit are worth in minor units, rounded up; 0 without a rate."""
        rate = self.usd_rate()
        amount = Decimal(micro_credits) / MICRO
        exact = worth_of(amount, usd_rate=rate, credit_usd=self.catalog.credit_usd) if rate else Decimal(0)
        return int(exact.to_integral_value(ROUND_CEILING))

    def _fail(self, job, reason, now, detail, states):
        self.fail(job.id, reason, now, detail, states=states)

    def fail(self, job_id, reason, now, detail, states=jobs.OPEN, **figures):
        """End a job with its hold released, and let it be told; `figures` as of `jobs.fail`."""
        with transaction():
            if jobs.fail(job_id, reason, now=now, detail=detail, states=states, **figures) is not None:
                events.emit(JobFailed(job=job_id), now)
        self._bot.wake()

    # what the loops call

    def recover(self):
        """Pick up every open job after a start; return how many there were."""
        now = self._bot.clock.now()
        for job_id in jobs.interrupted(now):
            self._lose(job_id, now)
        self.talk.settle(now, now)
        count = 0
        for job, late in jobs.watched(now):
            if late or not self._bot.status.claims_as:
                self._watch(job, now, late)
                count += 1
        return count

    def take_over(self, now, until):
        """Claim and poll running orders that are unclaimed or whose copy has died; return whether there may be more."""
        taken = claims.take_jobs(self._bot.status.claims_as, now, until)
        for job in taken:
            self._watch(job, now, late=False)
        return len(taken) == claims.AT_ONCE

    def keep(self, until):
        """Renew the claims of the orders polled here, and stop polling those that have ended or are another's."""
        watched = self.poller.watching()
        if watched:
            ours = claims.keep_jobs(self._bot.status.claims_as, watched, until)
            self.poller.forget(task_id for job_id, task_id in watched.items() if job_id not in ours)

    def look_again(self):
        """Drop what is cached: another copy may have changed it."""
        self.live_catalogue.forget()
        self._spent = None

    def settle_overdue(self, now):
        """Fail jobs past their deadline and release their holds; a result that comes later is delivered free."""
        for job_id in jobs.interrupted(now - CREATE_PATIENCE):  # e.g. its answer could not be recorded
            self._lose(job_id, now)
        self.talk.settle(now - CREATE_PATIENCE, now)
        for job in jobs.overdue(now):
            reason = ENDS[job.state]
            states = ("queued",) if job.state == "queued" else ("running", "lost")
            self._fail(job, reason, now, f"{job.state} until {job.deadline_at:%H:%M:%S}", states)
            if job.task_id:
                self._watch(job, now, late=True)

    def _patience(self, job):
        model = self.model(job)
        return timedelta(seconds=model.deadline_s if model else 3600)

    def close(self, wait_s):
        """Stop the threads that work for jobs, waiting at most `wait_s` seconds for calls under way."""
        end = time.monotonic() + wait_s
        self.talk.close()
        self.delivery.close(0)
        self.poller.close(wait_s)
        self.delivery.close(max(0, end - time.monotonic()))
