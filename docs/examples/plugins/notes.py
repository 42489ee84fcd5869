"""/note TEXT keeps a note, /notes shows them; a tap ticks one off.

Texts: notes.* in data/texts/<lang>/notes.po.
"""

from core.buttons import button
from core.errors import UserError
from core.tables import (
    BooleanField,
    ForeignKeyField,
    IdField,
    Table,
    TextField,
    User,
    UtcField,
    connection,
    transaction,
)

SHOWN = 6


class Note(Table):
    """A person's note, as in the newest version of this plugin."""

    id = IdField()
    user = ForeignKeyField(User)
    text = TextField()
    done = BooleanField(default=False)
    created_at = UtcField()

    class Meta:
        table_name = "plugin_note"


def add_done(migrator):
    """Version 2: a note can be ticked off."""
    return [migrator.add_column("plugin_note", "done", BooleanField(default=False))]


def register(bot):
    """Declare the table with its migrations, the commands and the button."""
    bot.table(Note, [add_done], erase="delete")
    bot.command("note", keep, about="notes.about_keep")
    bot.command("notes", show, about="notes.about")
    bot.button("notes:tick", tick, note=int)


def keep(ctx):
    """Store the text after the command."""
    if not ctx.args:
        raise UserError("notes.how", buttons=ctx.bot.home())
    with transaction():
        Note.create(user=ctx.user.id, text=ctx.args[:200], created_at=ctx.now)
    show(ctx)


def show(ctx):
    """Show the open notes, each a button."""
    with connection():
        open_notes = Note.select().where(Note.user == ctx.user.id, ~Note.done).order_by(Note.id.desc())
        found = list(open_notes.limit(SHOWN))
    rows = [button("notes.row", "notes:tick", note.id, text=note.text[:24]) for note in found]
    ctx.edit("notes.list" if found else "notes.none", [*rows, *ctx.bot.home()], n=len(found))


def tick(ctx, note):
    """Tick a note off; anyone can forge the id, so the query checks whose note it is."""
    with transaction():
        ticked = Note.update(done=True).where(Note.id == note, Note.user == ctx.user.id, ~Note.done).execute()
    if not ticked:
        raise UserError("common.old_button")
    show(ctx)
