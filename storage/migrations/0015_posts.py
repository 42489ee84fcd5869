"""A message that must arrive may be a post of the bot's own, to a chat of nobody's."""

from playhouse.migrate import migrate


def up(migrator, db):
    """Let the user of a message be empty."""
    migrate(migrator.drop_not_null("outbox", "user_id"))
