"""Speaking with Telegram: calls out, updates in, one queue a chat."""
