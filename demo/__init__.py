"""Telegram on this machine: a local Bot API server with people on it, its chat page and its test kit."""
