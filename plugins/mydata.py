"""/mydata: everything that is kept about a person, as one file; banned people can use it, too.

Plugins' tables are included by themselves: every row with a column that refers to the person.
Texts: mydata.* in data/texts/<lang>/mydata.po.
"""

import json
from datetime import timedelta

from core.errors import UserError

PAUSE = timedelta(minutes=1)  # between two files for a person: each one reads everything they ever did


def register(bot):
    """Declare the command and a button that does the same."""
    bot.repeatable()
    bot.command("mydata", send, about="mydata.about", order=79, blocked=True)
    bot.button("mydata:send", send, blocked=True)


def send(ctx):
    """Send the file, at most once a minute."""
    sent = ctx.drafts.get(ctx.user.id, "mydata", ctx.now)
    if sent is not None and ctx.now.timestamp() - sent.data["sent_at"] < PAUSE.total_seconds():
        raise UserError("mydata.later", buttons=ctx.bot.home())
    ctx.drafts.put(ctx.user.id, "mydata", ctx.now, step=None, data={"sent_at": ctx.now.timestamp()})
    found = ctx.mydata.collect(ctx.user.id, [table.model for table in ctx.bot.tables])
    found = {"made_at": ctx.now.isoformat(timespec="seconds"), "currency": ctx.settings["CURRENCY"]} | found
    data = json.dumps(found, ensure_ascii=False, indent=1).encode()
    ctx.send_document("mydata.json", data, "application/json", "mydata.caption")
