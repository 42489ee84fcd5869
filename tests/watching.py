"""What is called while an update is handled, and nothing else.

calls = Calls(lambda frame: frame.f_code.co_name)
while_handled(bot, lambda: alice.send("/balance"), calls)
assert "show" in calls.names
"""

import sys


class Calls:
    """The functions called within a block by this thread, by what `name_of(frame)` returns; None leaves one out."""

    def __init__(self, name_of):
        self.names, self._name_of = [], name_of

    def __enter__(self):
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_error):
        sys.setprofile(None)

    def _note(self, frame, event, _argument):
        if event == "call" and (name := self._name_of(frame)) is not None:
            self.names.append(name)


def while_handled(bot, act, calls):
    """Have somebody act, and watch only the handling of the update; then let the bot work on."""
    pump = bot.telegram.pump

    def pump_once():
        bot.runtime.updates.fetch(wait_s=0)
        with calls:
            bot.runtime.updates.executor.run_waiting()
        bot.telegram.pump = pump
        pump()

    bot.telegram.pump = pump_once
    act()
