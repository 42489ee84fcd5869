"""Every model by conversation: from the card to the confirm button, the price, the order and the result.

Criteria 2, 10 and 13 of the acceptance list. One model of each (type, output) pair is walked, and some more by a
seeded draw; `EVERY_MODEL=1` walks them all.
"""

import os
import random

import pytest

from kie.catalog import Catalog
from tests.catalog_facts import FACTS, problems
from tests.crawler import Screen, faults, leads_out, style
from tests.kit import ROOT
from tests.walker import Form

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # nothing here depends on the database
CATALOG = Catalog.load(ROOT / "data" / "models.json")
RICH = {"FLOOD_MESSAGES": "1000000", "USER_STARTS": "1000000", "USER_JOBS": "1000", "DAILY_CREDITS": ""}
KINDS = {"image": "photo", "video": "video", "audio": "audio"}
MORE = 6  # models drawn besides one of each pair


def chosen():
    """Return the models to walk."""
    models = list(CATALOG.models.values())
    if os.environ.get("EVERY_MODEL"):
        return models
    pairs = {(model.type, model.output): model for model in reversed(models)}
    return [*pairs.values(), *random.Random(7).sample(models, MORE)]


def plain(models):
    """Return those that can be begun without an earlier result."""
    return [model for model in models if not any(spec.kind == "task" for spec in model.inputs if spec.required)]


@SQLITE
def test_2_10_13_every_model_goes_from_the_card_to_the_result(start_bot):
    bot = start_bot(**RICH)
    anna = bot.rich("Anna", "1000000")
    models = sources_first(chosen())
    prices = {}
    for batch in (plain(models), [model for model in models if model not in plain(models)]):
        for model in batch:
            prices[model.id] = walk(bot, anna, model)
        finish(bot)
    jobs = {job.model: job for job in bot.bot.jobs.of_user(1, limit=1000) if job.state == "succeeded"}
    assert {model.id for model in models} <= set(jobs), [j.reason for j in bot.bot.jobs.of_user(1, limit=999) if j.reason]
    for model in models:
        job = jobs[model.id]
        assert job.price == prices[model.id], model.code
        assert job.charged is not None and job.charged <= job.price, model.code
        assert not problems(FACTS[model.id], sent_for(bot, job)), model.code
        check_result(bot, anna, model, job)


def sources_first(models):
    """Return the models, those that others build on before them, all of them once."""
    wanted = {model.id: model for model in models}
    for model in models:
        for spec in model.inputs:
            if spec.kind == "task" and spec.required and not set(spec.sources) & set(wanted):
                source = next(CATALOG.models[one] for one in spec.sources if one in CATALOG.models)
                wanted = {source.id: source, **wanted}
    return list(wanted.values())


def walk(bot, anna, model):
    """Fill in one card and order it; return the price that was shown."""
    keys = bot.bot.texts.keys("en")
    form = Form(anna, model).open()
    assert not faults(form.screen, keys), (model.code, faults(form.screen, keys))
    assert leads_out(form.screen, "‹ Back"), (model.code, str(form.screen))
    form.complete()
    twice = {name for name in form.asked if form.asked.count(name) > max(1, model.input(name).min_items)}
    assert not twice, f"{model.code} asks again for {twice}"
    required = {spec.name for spec in model.inputs if spec.required and spec.shown != "hidden" and spec.default is None}
    assert required <= set(form.asked) | set(not_asked(model)), (model.code, required - set(form.asked))
    before = bot.balance(anna)
    shown = form.create()
    assert before - bot.balance(anna) == shown, f"{model.code}: {shown} shown, {before - bot.balance(anna)} held"
    return shown


def not_asked(model):
    """Return inputs that are required only together with a choice that was not made."""
    return [spec.name for spec in model.inputs if spec.when]


def finish(bot):
    """Let KIE finish everything that was ordered."""
    for _ in range(200):
        bot.forward(12, step=12)
        running = [task for task in bot.kie.tasks() if task["state"] not in ("success", "fail")]
        for task in running:
            bot.kie.finish(task["task_id"])
        if not running and not bot.bot.jobs.count_open():
            break
    bot.forward(60, step=20)


def sent_for(bot, job):
    """Return the `input` that KIE got for a job."""
    return bot.kie.task(job.task_id)["inputs"]


def check_result(bot, anna, model, job):
    """Look at what came: of the right kind, named, with its price and the buttons to go on."""
    assert job.delivery == "sent", (model.code, job.delivery)
    ids = {part["message_id"] for part in job.sent}
    messages = [message for message in anna.received if message["message_id"] in ids]
    wanted = KINDS.get(model.output)
    assert wanted is None or any(wanted in message or "document" in message for message in messages), (model.code, messages)
    words = Screen.of(messages[-1])
    assert model.title in words.text and words.labels, (model.code, words.text)
    assert any(label.data == f"orders:again:{job.id}" for label in words.labels), model.code
