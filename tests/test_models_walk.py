"""Every model, from its card to the delivered result: with the fewest answers, and with everything that can be set.

The form is driven by its own buttons and messages; the stub checks each request against the published facts and works
out its cost. One bot serves all walks, so each walk has its own person.
"""

from decimal import ROUND_CEILING, Decimal

import pytest
from catalog_facts import ROOT, full

from kie.catalogue.inputs import files_of, present
from kie.catalogue.model import Catalog
from kie.catalogue.pricing import is_upper_bound, steps
from tests.kit import Running, png
from tests.media import clip, wav

CATALOG = Catalog.load(ROOT / "data/models.json")
MODELS = list(CATALOG.models.values())
EVERY = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
RATES = Decimal(90) * 100 * Decimal("0.005") * 2  # kopecks a credit is sold for, by the settings below
SETTINGS = {
    "USD_RATE": "90",
    "MARKUP": "2",
    "FLOOD_MESSAGES": "1000000",
    "USER_STARTS": "1000000",
    "PORT": "9",
    "PUBLIC_URL": "http://127.0.0.1:9",
}
SECONDS = 5  # of what is sent, unless a model wants more
ON_POSTGRESQL = 25  # every so many models will do there: walks do not depend on the database
PATIENCE_S = 7200  # of the frozen clock


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def walked(request, telegram_server, kie_server, tmp_path_factory):
    """A bot for all walks, which handles updates as they come and leaves the rest of its loops alone."""
    from demo import kit as demo_kit
    from kie.stub.control import Control

    telegram, kie = demo_kit.Telegram(telegram_server.url), Control(kie_server.api_url)
    telegram.reset()
    kie.reset()
    kie.settings(create_limit=0, credits=10_000_000)
    url = f"sqlite:///{tmp_path_factory.mktemp('walk')}/bot.db"
    running = Running(
        telegram, kie, url if request.param == "sqlite" else request.getfixturevalue("postgres")(), **SETTINGS
    )
    running.on_postgresql = request.param == "postgresql"
    telegram.pump = lambda: handle(running)
    yield running
    running.stop()


def handle(bot):
    """Handle the updates that have come."""
    bot.runtime.updates.fetch(wait_s=0)
    bot.runtime.updates.executor.run_waiting()
    bot.runtime.updates.forget_finished()


class Walk:
    """One person at one model's form."""

    def __init__(self, running, model):
        self.running, self.bot, self.model = running, running.bot, model
        self.person = running.telegram.person("Walker", language_code="en")
        self.person.send("/start")
        self.user = self.bot.users.by_telegram_id(self.person.id)
        now = running.clock.now()
        self.bot.ledger.post(self.user.id, 10**9, kind="admin", key=f"walk:{self.user.id}", now=now, reason="a walk")
        self.tap(f"generate:open:{model.code}")

    @property
    def draft(self):
        """The open card."""
        return self.bot.drafts.get(self.user.id, "generate", self.running.clock.now())

    def keyboard(self, shown=None):
        """Return the data of the card's buttons, row by row."""
        shown = shown or self.person.last_message
        rows = shown.get("reply_markup", {}).get("inline_keyboard", [])
        return [[cell.get("callback_data") for cell in row] for row in rows]

    def tap(self, data):
        """Tap a button of the newest message, or the first one whose data begins so; it must be there."""
        shown = self.person.last_message
        if not data.startswith("generate:open"):
            cells = [cell for row in self.keyboard(shown) for cell in row if cell]
            found = [cell for cell in cells if cell == data] or [cell for cell in cells if cell.startswith(data)]
            assert found, f"no {data} among {cells}: {self.person.last!r}"
            data = found[0]
        self.person.forge(data, message=shown)

    def answer(self, spec, value):
        """Give one answer as a person would."""
        place = self.model.inputs.index(spec)
        where = f"{self.model.code}:{place}"
        if spec.shown == "more":
            self.tap("modes:more")
        if spec.kind == "switch" and not spec.drives_price:
            if bool(self.model.effective(self.draft.data["values"]).get(spec.name)) != value:
                self.tap(f"inputs:set:{where}")
            return
        self.tap(f"inputs:set:{where}")
        if spec.kind in ("choice", "switch"):
            self._pick(spec, where, steps(spec).index(value))
        elif spec.kind == "task":
            self.tap(f"inputs:result:{where}")
        elif spec.kind in ("image", "video", "audio"):
            self._send(spec, value)
        else:
            self.person.send(", ".join(map(str, value)) if isinstance(value, list) else str(value))

    def _pick(self, spec, where, index):
        """Tap a choice, on whichever page it is."""
        for _page in range(20):
            if any(cell == f"inputs:pick:{where}:{index}" for row in self.keyboard() for cell in row):
                self.tap(f"inputs:pick:{where}:{index}")
                if self.keyboard(self.person.last_message)[0][0].startswith("inputs:"):
                    self.tap("generate:card")  # a voice can be heard before one goes on
                return
            self.tap(next(row for row in self.keyboard() if row[0].startswith("inputs:page"))[-1])
        raise AssertionError(f"{spec.name} does not show its choice {index}")

    def _send(self, spec, value):
        duration = max(SECONDS, int(spec.min_seconds or 0))
        for _file in files_of(value):
            if spec.kind == "image":
                self.person.photo(png(spec.name))
            elif spec.kind == "video":
                self.person.video(clip(duration), duration=duration)
            else:
                self.person.audio(("tune.wav", wav(duration)), duration=duration)
        if spec.many and len(files_of(value)) < (spec.max_items or 99):
            self.tap("generate:card")  # Done

    def fill(self, wanted):
        """Give every answer in `wanted` that the form does not have yet."""
        for name, value in wanted.items():
            spec, given = self.model.by_name[name], self.model.effective(self.draft.data["values"]).get(name)
            if given == value or not self.model.applies(name, self.draft.data["values"]):
                continue
            if present(given) and spec.kind in ("image", "video", "audio", "task"):
                continue
            self.answer(spec, value)

    def fill_least(self):
        """Give what the main button asks for, until it offers to order."""
        for _step in range(20):
            main = self.keyboard()[0][0]
            if main.startswith("orders:go"):
                return
            assert main.startswith("inputs:set"), f"{main}: {self.person.last!r}"
            spec = self.model.inputs[int(main.split(":")[3])]
            self.answer(spec, full(self.model)[spec.name])
        raise AssertionError(f"no order after 20 answers: {self.person.last!r}")

    def order(self):
        """Tap Create, let KIE work and the result come; return the job as it is in the end."""
        quote = self.draft.price
        self.tap("orders:go")
        job = self.bot.jobs.of_user(self.user.id, limit=1)[0]
        assert job.price == quote
        self.bot.generation.poller.step(self.running.clock.now())
        self.running.clock.forward(PATIENCE_S)
        self.bot.generation.poller.step(self.running.clock.now())
        self.bot.generation.delivery.step(self.running.clock.now())
        return self.bot.jobs.get(job.id)


def source_of(walk, spec):
    """Have the person make an earlier result that an input takes, with a model of its own."""
    source = CATALOG.models[spec.sources[0]]
    first = Walk.__new__(Walk)
    first.__dict__ |= walk.__dict__ | {"model": source}
    first.tap(f"generate:open:{source.code}")
    make_sources(first, required_only=True)
    first.fill_least()
    job = first.order()
    assert job.state == "succeeded", (source.id, job.reason, job.detail)


def make_sources(walk, required_only):
    """Make the earlier results that the model's form asks for."""
    for spec in walk.model.inputs:
        if spec.kind == "task" and (spec.required or not required_only or not walk.model.takes("audio")):
            source_of(walk, spec)
            walk.tap(f"generate:open:{walk.model.code}")


def check(walk, job):
    """Prove that the result is there, that what was shown is what was paid, and that KIE was asked properly."""
    assert (job.state, job.delivery) == ("succeeded", "sent"), (job.reason, job.detail)
    task = walk.running.kie.task(job.task_id)
    assert task["unknown_inputs"] == []
    cost = Decimal(str(task["credits"]))
    owed = int((cost * RATES).to_integral_value(ROUND_CEILING))
    if is_upper_bound(walk.model, job.inputs):
        assert owed <= job.price and job.charged == owed
    else:
        assert job.price == job.charged == owed
    entries = {entry.kind: entry.amount for entry in walk.bot.ledger.entries(walk.user.id, limit=2)}
    assert entries["hold"] == -job.price and entries["capture"] == job.price - job.charged
    assert "balance" in walk.person.last


def skip_most(walked, model):
    """Leave most models out where they would only prove the same again."""
    if walked.on_postgresql and MODELS.index(model) % ON_POSTGRESQL:
        pytest.skip("every model is walked on SQLite")


@EVERY
def test_from_the_card_to_the_result_with_the_fewest_answers(walked, model):
    skip_most(walked, model)
    walk = Walk(walked, model)
    make_sources(walk, required_only=True)
    walk.fill_least()
    check(walk, walk.order())


@EVERY
def test_from_the_card_to_the_result_with_everything_set(walked, model):
    skip_most(walked, model)
    walk = Walk(walked, model)
    wanted = full(model)
    if any(model.by_name[name].kind == "task" for name in wanted):
        make_sources(walk, required_only=False)
    walk.fill(wanted)
    given = walk.draft.data["values"]
    assert {name for name in wanted if model.applies(name, given)} <= set(given)
    check(walk, walk.order())
