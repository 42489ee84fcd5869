"""Leading in turns: wait for the lock, run the bot while it holds, stand by again when it is lost.

If the work can be shared (`core/process/clustered_intake.py`), a copy that waits for the lock works beside the leader
meanwhile. While the database is down, every copy waits for it: exiting would not bring it back.
"""

import logging

from core.process.leader_lock import LockLost
from core.settings import SettingsError
from core.telegram.sender import TelegramError
from core.telegram.transport import NotSent, UnknownOutcome
from storage.base import db
from storage.base.db import StorageDown
from storage.orders import claims

log = logging.getLogger(__name__)
STANDBY_S = 1  # between two tries for the lock
REFUSED = "TELEGRAM_BOT_TOKEN: Telegram refuses it; want the one @BotFather shows"
AGAIN_S = 3  # between two tries to reach Telegram, or to lead


def serve(runtime, build, open_storage, leader, stop, web=None, ready=lambda runtime: None):
    """Lead and stand by in turns until `stop` is set; `ready(runtime)` is called when the bot works.

    Every term after the first gets a new runtime from `build()`, so nothing is carried over from a lost term.
    """
    while not stop.is_set():
        if web:
            web.standby = runtime
        _patiently(runtime.introduce, stop, web, leader)
        if _wait_for_lead(runtime, leader, stop, web):
            began = _lead(runtime, open_storage, leader, stop, web, ready)
            leader.release()
            if not began:
                stop.wait(AGAIN_S)
        elif runtime.status.works:
            _end(runtime, stop, web, leads=False)
        runtime = runtime if stop.is_set() else build()


def _lead(runtime, open_storage, leader, stop, web, ready):
    """Run the bot until the lock is lost or `stop` is set; return whether it could start."""
    began = held = False
    try:
        if not runtime.status.works:
            open_storage(runtime.bot.settings, runtime.bot.tables, runtime.bot.texts)
        if db.is_postgres():
            claims.invite(_terms(runtime.bot), runtime.bot.clock.now())
        _patiently(runtime.introduce_staff, stop, web)
        _patiently(lambda: runtime.ensure_webhook(runtime.bot.clock.now()), stop, web)
        if stop.is_set():
            return False
        runtime.recover()
        leader.check()
        if web:
            web.runtime, web.trouble = runtime, None
        runtime.start()
        began = True
        ready(runtime)
        held = _hold(leader, stop)
    except (StorageDown, LockLost) as error:
        log.error("the bot cannot lead now: %s", error)
        _tell(web, "the database does not answer")
    finally:
        _end(runtime, stop, web, held)
    return began


def _end(runtime, stop, web, leads):
    if web:
        web.runtime, web.stopping = None, stop.is_set()
    runtime.stop(leads=leads)


def _wait_for_lead(runtime, leader, stop, web):
    """Stand by until the lock is ours, working if the leader shares its work; return whether the lock is ours.

    A working copy also returns when the leader no longer shares it: another mode, or a newer version.
    """
    said = None
    while not stop.is_set():
        try:
            if leader.acquire():
                _tell(web, "it is about to lead")
                return True
            _tell(web, None, beside=True)
            state = "another copy of this bot is running; standing by to take over"
            if runtime.shares and claims.is_invited(_terms(runtime.bot)):
                state = "another copy of this bot leads; working beside it"
                if not runtime.status.works:
                    runtime.start(leads=False)
                    web.runtime = runtime  # shared work needs webhook mode, so there is a web
            elif runtime.status.works:
                return False
        except (LockLost, StorageDown) as error:
            _tell(web, "the database does not answer")
            state = f"the database cannot be reached, waiting for it: {error}"
        if state != said:
            log.warning(state)
        said = state
        stop.wait(STANDBY_S)
    return False


def _terms(bot):
    return claims.terms(f"{bot.settings['BOT_MODE']} {bot.settings['CURRENCY']}", bot.tables)


def _hold(leader, stop):
    """Wait for `stop`; return False if the lock is lost before that."""
    while not stop.wait(1):
        try:
            leader.check()
        except LockLost as error:
            log.error("the leader's lock is lost (%s); standing by", error)
            return False
    return True


def _patiently(step, stop, web=None, leader=None):
    """Repeat a step that needs Telegram until the network allows it; a refused token fails the start.

    With a `leader`, the lock is not ours yet, and /health reports whether another copy works.
    """
    while not stop.is_set():
        try:
            return step()
        except TelegramError as error:
            if error.code in (401, 404):
                raise SettingsError([REFUSED]) from None
            log.warning("Telegram: %s; trying again", error)
            why = f"Telegram answers with {error.code}"
        except (NotSent, UnknownOutcome) as error:
            log.warning("Telegram cannot be reached (%s); trying again", error)
            why = "Telegram cannot be reached"
        _tell(web, why, beside=web is not None and leader is not None and _is_taken(leader))
        stop.wait(AGAIN_S)
    return None


def _is_taken(leader):
    """Return whether another copy leads, by trying to take the lock and releasing it at once."""
    try:
        if not leader.acquire():
            return True
        leader.release()
    except LockLost:
        log.warning("the database cannot be reached, either")
    return False


def _tell(web, trouble, beside=False):
    if web:
        web.trouble, web.beside = trouble, beside
