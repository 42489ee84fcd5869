"""`python -m demo`: run the local Bot API server until Ctrl-C."""

import argparse
import os
import signal

from demo.server import start


def main():
    """Read the command line, serve, and stop on Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="A local Bot API server with a chat page.")
    parser.add_argument("--port", type=int, default=8081, help="port on 127.0.0.1 (default: 8081)")
    parser.add_argument("--state", metavar="FILE", help="keep chats in this file (default: in memory)")
    parser.add_argument("--token", help="the bot's token (default: a new one at each start)")
    parser.add_argument("--kie", metavar="URL", help="where the KIE stub listens, for the page")
    parser.add_argument("--admin", metavar="ID", type=int, action="append", default=[], help="id of an admin")
    options = parser.parse_args()
    os.umask(0o077)  # the chats are readable by their owner only
    try:
        server = start(options.port, options.state, options.token, options.kie, options.admin, people=["Anna"])
    except (OSError, ValueError) as error:  # a taken port, an unreadable state file
        parser.exit(2, f"cannot start: {error}\n")
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    print(f"Chat page: {server.url}/   Bot API: {server.url}/bot{server.token}/<method>", flush=True)
    try:
        server.join()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
