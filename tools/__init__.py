"""Operator's commands, `python bot.py COMMAND`: importing from another bot, first setup, upgrading, translating."""
