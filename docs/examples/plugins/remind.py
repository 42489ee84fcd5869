"""/remind MINUTES TEXT: the bot writes back after that time, even if it was restarted meanwhile.

Texts: remind.* in data/texts/<lang>/remind.po.
"""

import re
from datetime import timedelta

from core.errors import UserError
from core.tables import ForeignKeyField, IdField, Table, TextField, User, UtcField, transaction

ORDER = re.compile(r"(\d{1,5})\s+(\S.{0,199})", re.DOTALL)
EVERY_S = 10


class Reminder(Table):
    """A reminder that is still to be sent."""

    id = IdField()
    user = ForeignKeyField(User)
    text = TextField()
    due_at = UtcField(index=True)

    class Meta:
        table_name = "plugin_reminder"


def register(bot):
    """Declare the table, the command and the periodic work."""
    bot.table(Reminder, erase="delete")
    bot.command("remind", remember, about="remind.about")
    bot.every(EVERY_S, "reminders", send_due)


def remember(ctx):
    """Store what to say and when."""
    order = ORDER.fullmatch(ctx.args)
    if order is None:
        raise UserError("remind.how", buttons=ctx.bot.home())
    minutes = int(order[1])
    with transaction():
        Reminder.create(user=ctx.user.id, text=order[2], due_at=ctx.now + timedelta(minutes=minutes))
    ctx.reply("remind.will", ctx.bot.home(), n=minutes)


def send_due(bot, now):
    """Send what is due. Queueing the message and deleting the row are one transaction: both happen, or neither.

    `now` is an argument, so a test can skip a day in an instant. Only the leader does periodic work.
    """
    with transaction():
        for due in Reminder.delete().where(Reminder.due_at <= now).returning(Reminder).execute():
            bot.notify(due.user_id, "remind.now", unique=f"remind:{due.id}", now=now, text=due.text, buttons=bot.home())
