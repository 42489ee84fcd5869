"""`python bot.py --demo`: the local Telegram, the KIE stub, two payment providers, and the settings of a bot that uses them.

Setting: DEMO_PORT, where the page is; 8081.
"""

import socket
import time

import requests

from demo import server
from demo.backstage import Backstage
from demo.providers import cryptopay, yookassa

ADMIN = 5000000002
DEFAULTS = {"USD_RATE": "90", "TRANSFER_DETAILS": "Demo Bank · 0000 1111 2222 3333", "STARS_RATE": "1.6"}


class CannotOpen(Exception):
    """The demo cannot start with this environment; the text says what was found and what is wanted."""


def begin(environ, folder, start_kie, reload_with=None):
    """Start the servers; return the environment of a bot that uses them, and its stage.

    `folder` keeps the chat and the bot's data; `start_kie()` starts the stub; `reload_with` is (load one plugin, adopt
    its table) if plugins are to be reloaded when they are saved.
    """
    if environ.get("TELEGRAM_BOT_TOKEN"):
        raise CannotOpen("TELEGRAM_BOT_TOKEN: found a token; want none with --demo, which never leaves this machine")
    stage, port, kie = Backstage(), _page_port(environ), start_kie()
    bots_port = environ.get("PORT") or _free_port()
    shop, app = _providers(folder, f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{bots_port}")
    telegram = server.start(
        port=port,
        state_path=folder / "chat.json",
        kie_url=kie.api_url,
        admin_ids=(ADMIN,),
        people=("Anna", "Boris"),
        group="Friends",
        backstage=stage,
        providers={"yookassa": shop.origin, "cryptopay": app.origin},
    )
    stage.leave = telegram.save
    _set_clocks(stage, telegram, kie)
    kie.pages.update(telegram.origins)
    if reload_with:
        stage.reloader = _reloader(telegram, *reload_with)
    fixed = {
        "PORT": bots_port,
        "BIND": "127.0.0.1",
        "PUBLIC_URL": f"http://127.0.0.1:{bots_port}",  # the stub calls back, so that its results arrive at once
        "TELEGRAM_BOT_TOKEN": telegram.token,
        "TELEGRAM_API_URL": telegram.url,
        "KIE_STUB": "1",
        "KIE_API_URL": kie.api_url,
        "KIE_UPLOAD_URL": kie.upload_url,
        "ADMIN_IDS": str(ADMIN),
        "DATA_DIR": str(folder),
        "DATABASE_URL": "",
        "YOOKASSA_SHOP_ID": yookassa.SHOP_ID,
        "YOOKASSA_SECRET_KEY": yookassa.SECRET_KEY,
        "YOOKASSA_API_URL": shop.url,
        "CRYPTOPAY_TOKEN": cryptopay.TOKEN,
        "CRYPTOPAY_API_URL": app.url,
    }
    return DEFAULTS | environ | fixed, stage


def _set_clocks(stage, telegram, kie):
    """Let the bot and KIE begin at Telegram's time, which an earlier run may have moved."""
    ahead_s = telegram.world.clock.now() - time.time()
    stage.clock.move(telegram.world.clock.now())
    if ahead_s > 1:
        requests.post(f"{kie.api_url}/stub/clock", json={"forward_s": ahead_s}, timeout=10).raise_for_status()


def _providers(folder, page, bot):
    """Start YooKassa and Crypto Pay; they call the bot back and lead payers back to the chat page."""
    shop = yookassa.start(state_path=folder / "yookassa.json", callback_url=f"{bot}/pay/yookassa", home=page)
    more = {"callback_url": f"{bot}/pay/cryptopay", "home": page, "transfer": True}
    return shop, cryptopay.start(state_path=folder / "cryptopay.json", **more)


def _reloader(telegram, load_one, adopt):
    from demo.reload import Reloader  # the contributors' tool: it knows the bot

    def told(loaded, problems):
        """Tell the page what became of the saved files."""
        telegram.announce("plugins", {"loaded": loaded, "problems": list(problems.values())})

    return Reloader(load_one, adopt, told)


def _page_port(environ):
    """Return the port of the demo's page; raise CannotOpen if it is invalid or taken."""
    text = environ.get("DEMO_PORT") or "8081"
    try:
        with socket.create_server(("127.0.0.1", int(text))):
            return int(text)
    except (ValueError, OverflowError, OSError) as error:
        raise CannotOpen(f"DEMO_PORT: found {text!r} ({error}); want a free port, such as 8082") from None


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])
