"""Telegram: outgoing calls, incoming updates, one queue per chat."""
