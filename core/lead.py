"""Leading in turns: wait for the lock, run the bot while it holds, stand by again when it is lost.

With the database away every copy waits for it; nothing exits, for an exit brings no database back.
"""

import logging

from core import webhook
from core.lock import LockLost
from core.sender import TelegramError
from core.settings import SettingsError
from core.transport import NotSent, UnknownOutcome
from storage.db import StorageDown

log = logging.getLogger(__name__)
STANDBY_S = 1  # between two tries for the lock
REFUSED = "TELEGRAM_BOT_TOKEN: Telegram refuses it; want the one @BotFather shows"
AGAIN_S = 3  # between two tries to reach Telegram


def serve(bot, build, open_storage, leader, stop, web=None, ready=lambda bot: None):
    """Lead and stand by in turns until `stop` is set; `ready(bot)` is called when the bot works.

    Every term after the first has a new bot, from `build()`: nothing of a lost term's memory is taken along.
    """
    while not stop.is_set():
        if web:
            web.standby = bot
        _patiently(bot.introduce, stop)
        if _wait_for_lead(leader, stop):
            _lead(bot, open_storage, leader, stop, web, ready)
            leader.release()
            bot = bot if stop.is_set() else build()


def _lead(bot, open_storage, leader, stop, web, ready):
    held = False
    try:
        open_storage(bot.settings, bot.tables)
        _patiently(bot.introduce_staff, stop)
        _patiently(lambda: webhook.ensure(bot, bot.clock.now()), stop)
        if stop.is_set():
            return
        bot.recover()
        leader.check()
        bot.start()
        if web:
            web.bot = bot
        ready(bot)
        held = _hold(leader, stop)
    except (StorageDown, LockLost) as error:
        log.error("the bot cannot lead now: %s", error)
    finally:
        if web:
            web.bot, web.stopping = None, stop.is_set()
        bot.stop(leads=held)


def _wait_for_lead(leader, stop):
    """Stand by until the lock is ours; tell whether it is."""
    said = None
    while not stop.is_set():
        try:
            if leader.acquire():
                return True
            state = "another copy of this bot is running; standing by to take over"
        except LockLost as error:
            state = f"the database cannot be reached, waiting for it: {error}"
        if state != said:
            log.warning(state)
        said = state
        stop.wait(STANDBY_S)
    return False


def _hold(leader, stop):
    """Wait for the end; tell whether we lead to the end, or have lost the lock."""
    while not stop.wait(1):
        try:
            leader.check()
        except LockLost as error:
            log.error("the leader's lock is lost (%s); standing by", error)
            return False
    return True


def _patiently(step, stop):
    """Do a step that needs Telegram, however long the network takes; a refused token ends the start."""
    while not stop.is_set():
        try:
            return step()
        except TelegramError as error:
            if error.code in (401, 404):
                raise SettingsError([REFUSED]) from None
            log.warning("Telegram: %s; trying again", error)
        except (NotSent, UnknownOutcome) as error:
            log.warning("Telegram cannot be reached (%s); trying again", error)
        stop.wait(AGAIN_S)
    return None
