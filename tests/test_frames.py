"""The depth of the call stack: few frames from lane to handler, few steps for an order and its delivery."""

import itertools
import sys
from pathlib import Path

import pytest

from core.bot import Bot
from core.process.runtime import Runtime
from tests.house import plugins_with
from tests.kit import ROOT
from tests.shop import card, job_of, order
from tests.watching import Calls, while_handled

MOST_FRAMES = 6  # from a lane to the handler, both included
MOST_CHANGES = 20  # of top-level package, from a confirmed order to its progress message
KEPT = (
    "storage/base/cached.py",
    "storage/journal/runtime_settings.py:get",
    "storage/journal/own_texts.py:in_force",
)  # read from memory: no step
MOST_CALLS = 400  # of our own functions, to deliver a result
OWN = ("plugins", "core", "kie", "storage")
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PROBE = """\"\"\"Remembers how it was called.\"\"\"

import sys
import traceback

from core.buttons import button


def register(bot):
    \"\"\"Declare one handler of each kind.\"\"\"
    bot.command("probe", ask)
    bot.button("probe:tap", note)
    bot.step("probe:answer", note)
    bot.update("other", note)


def ask(ctx):
    \"\"\"Remember, and listen.\"\"\"
    note(ctx)
    ctx.ask("probe:answer", "common.private_only", [button("common.menu", "probe:tap")])


def note(ctx):
    \"\"\"Remember.\"\"\"
    sys.frames_of_the_probe.append(traceback.extract_stack())
    ctx.reply("common.private_only")
"""


def own(frame):
    """Name one of our own functions as `package/…:name`."""
    path = Path(frame.f_code.co_filename)
    place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else None
    return f"{place}:{frame.f_code.co_name}" if place and place.parts[0] in OWN else None


def changes(names):
    """Return how often the calls go from one top-level package to another."""
    packages = [name.split("/")[0] for name in names if not name.startswith(KEPT)]
    return sum(a != b for a, b in itertools.pairwise(packages))


@SQLITE
def test_from_a_lane_to_the_handler_are_few_frames(start_bot, monkeypatch, tmp_path):
    """With a real lane's thread there are as many: `_serve_lanes` stands where `run_waiting` does here."""
    sys.frames_of_the_probe = stacks = []
    bot = start_bot(plugins=plugins_with(monkeypatch, tmp_path, probe=PROBE))
    alice = bot.user()
    alice.send("/probe")
    alice.send("an answer")
    alice.tap(next(iter(alice.buttons)))
    alice.contact()
    for stack in stacks:
        names = [frame.name for frame in stack]
        path = names[names.index("run_waiting") + 1 :]
        assert path[-1] == "note" and len(path) <= MOST_FRAMES + (path[-2] == "ask"), path
    assert len(stacks) == 4


def test_a_plugin_cannot_start_or_stop_the_bot():
    own = {name for name in vars(Runtime) if not name.startswith("_")}
    assert {"start", "stop", "recover", "introduce"} <= own and not own & set(dir(Bot))


@SQLITE
def test_an_order_and_its_delivery_are_few_steps(start_bot):
    bot = start_bot()
    alice, loops = bot.rich(), {loop.name: loop.step for loop in bot.runtime.loops}
    order(bot, alice)
    bot.forward(60)  # what is looked up once in a while is known now
    card(alice)
    ordering, delivering = Calls(own), Calls(own)
    while_handled(bot, lambda: alice.tap("▶ Create"), ordering)
    assert changes(ordering.names) <= MOST_CHANGES, ordering.names
    while job_of(bot, alice).state != "succeeded":
        bot.clock.forward(1)
        loops["poller"](bot.clock.now())
    with delivering:
        loops["delivery"](bot.clock.now())
    assert job_of(bot, alice).delivery == "sent" and len(delivering.names) <= MOST_CALLS, len(delivering.names)
