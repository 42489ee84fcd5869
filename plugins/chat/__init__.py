"""Talking with chat models."""
