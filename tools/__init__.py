"""What `python bot.py COMMAND` does for an operator beside running the bot: moving in, setting up, upgrading."""
