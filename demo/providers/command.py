"""Run a stand-in alone, until Ctrl-C."""

import argparse
import signal
import sys


def serve(start, user_setting, secret_setting, url_setting):
    """Read the command line, start a stand-in, print the settings of a bot for it, and wait."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (default: a free one)")
    parser.add_argument("--callback-url", help="where callbacks go; an address of this machine")
    parser.add_argument("--state", metavar="FILE", help="keep payments in this file (default: in memory)")
    options = parser.parse_args()
    service = start(options.port, callback_url=options.callback_url, state_path=options.state)
    signal.signal(signal.SIGTERM, lambda *_: service.stop())
    own = service.world.settings
    lines = [f"{url_setting}={service.url}"]
    lines += [f"{user_setting}={own['shop_id']}"] if user_setting else []
    lines += [f"{secret_setting}={own['secret_key' if user_setting else 'token']}"]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    try:
        service.join()
    except KeyboardInterrupt:
        service.stop()
