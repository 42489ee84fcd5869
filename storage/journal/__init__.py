"""Rows that outlive the process: updates, messages, dialogues, events, settings, the audit log."""
