"""Peewee tables and the named operations on them, for SQLite and PostgreSQL."""
