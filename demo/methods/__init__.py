"""The methods of the Bot API, by name. Each takes the World and the Params of a call and returns its result."""

from demo.methods import editing, media, payments, polls, profile, receiving, sending

MODULES = (editing, media, payments, polls, profile, receiving, sending)
BY_NAME = {name.lower(): method for module in MODULES for name, method in module.METHODS.items()}  # as in Telegram
