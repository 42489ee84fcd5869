"""KIE charged more than the price covers: an alert with the figures and a button, a line in doctor, a sum in /stats."""

import json

import pytest

from tests.kit import ROOT
from tests.shop import assert_books_are_right, job_of, order

MODEL = "z-image"


@pytest.fixture
def cheap(tmp_path):
    """A catalogue in which a picture of one model costs a tenth of what KIE takes for it."""
    data = json.loads((ROOT / "data" / "models.json").read_text())
    for entry in data["models"]:
        if entry["code"] == MODEL:
            for row in entry["price"]:
                row["credits"] = "0.08"
    path = tmp_path / "models.json"
    path.write_text(json.dumps(data))
    return path


def test_an_order_that_cost_more_than_was_paid_rings_and_a_tap_takes_the_model_off_sale(start_bot, cheap):
    bot = start_bot(models=cheap)
    boss, alice = bot.admin(), bot.rich()
    order(bot, alice, model=MODEL)
    bot.forward(120)
    job = job_of(bot, alice)
    assert job.state == "succeeded" and job.expected == 80_000 and job.cost == 800_000
    worth = bot.bot.generation.worth(job.cost)
    assert job.overrun == max(worth - job.charged, bot.bot.generation.worth(720_000)) > 0
    alarm = boss.wait_for("KIE took more than it should")["text"]
    assert f"Order #{job.id}: 0.8 credits, 0.08 in the catalogue" in alarm and "0.36 ₽" in alarm
    boss.tap("⏸ Stop selling it")
    assert "is off sale" in boss.last
    alice.send("/start")
    alice.forge(f"generate:open:{MODEL}")
    assert all(model.code != MODEL for model in bot.bot.generation.catalog.models.values())
    order_more(bot, boss, job)
    assert_books_are_right()


def order_more(bot, boss, job):
    """Look where an admin would: doctor and figures."""
    boss.send("/doctor")
    assert "KIE took" in boss.last and "more than the price covers" in boss.last
    boss.send("/stats 7d")
    assert "KIE took more than the prices cover" in boss.last and "(1)" in boss.last
    assert bot.bot.jobs.overruns(bot.clock.now()) == (0, 0)
    assert bot.bot.jobs.overruns(job.created_at) == (1, job.overrun)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_order_as_the_catalogue_says_rings_nothing(start_bot):
    bot = start_bot()
    boss, alice = bot.admin(), bot.rich()
    order(bot, alice, model=MODEL)
    bot.forward(120)
    job = job_of(bot, alice)
    assert job.state == "succeeded" and job.overrun == 0 and job.cost == job.expected
    boss.send("/doctor")
    assert "KIE took" not in boss.last
    boss.send("/stats 7d")
    assert "than the prices cover" not in boss.last


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_free_order_that_took_more_credits_than_the_catalogue_says_rings_too(start_bot, cheap):
    bot = start_bot(models=cheap, FREE_MODELS=MODEL, FREE_RUNS="3")
    boss, alice = bot.admin(), bot.rich()
    alice.send("a fox")
    alice.forge(f"generate:open:{MODEL}")
    alice.tap("▶ Create")
    bot.forward(120)
    job = job_of(bot, alice)
    assert job.state == "succeeded" and job.price == 0 and job.overrun == bot.bot.generation.worth(720_000)
    assert boss.wait_for("KIE took more than it should")
