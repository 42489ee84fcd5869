"""Queries that are compiled once: peewee takes longer to write a statement than SQLite takes to answer it.

    @Prepared
    def _by_code(code):
        return User.select().where(User.code == code)

    user = _by_code.first("k3J9")

For the reads that every update and every loop makes; all others are written where they are used.
"""

from datetime import datetime

from storage.base.db import EPOCH, MICROSECOND, connection

MARK = 7_346_521_000_000  # stands for the first parameter while the statement is written; no row has it


class Prepared:
    """A SELECT of whole rows of one table, or of plain columns; parameters are numbers, texts and aware times.

    Columns with an alias after those of the whole row become attributes of it.

    `build` takes the parameters by position and returns the query.
    """

    def __init__(self, build):
        self._build = build
        self._count = build.__code__.co_argcount
        self._written = {}  # class of the database → (statement, its parameters or marks, how to make a row)

    def rows(self, *values):
        """Return every row: instances of the table, or tuples of plain columns."""
        with connection() as db:
            statement, places, make = self._written.get(type(db)) or self._write(db)
            values = [_plain(value) for value in values]
            found = db.execute_sql(
                statement, [values[at] if at is not None else kept for at, kept in places]
            ).fetchall()
        return [make(row) for row in found] if make else found

    def first(self, *values):
        """Return the first row, or None."""
        return next(iter(self.rows(*values)), None)

    def scalar(self, *values):
        """Return the first column of the first row, or None."""
        row = self.first(*values)
        return row[0] if row else None

    def _write(self, db):
        marks = [MARK + number for number in range(self._count)]
        query = self._build(*marks)
        statement, parameters = query.sql()
        places = [(_place(value), value) for value in parameters]
        if {at for at, _kept in places} - {None} != set(range(self._count)):
            raise ValueError(f"a parameter got lost in {statement}")
        self._written[type(db)] = statement, places, _maker(query)
        return self._written[type(db)]


def _place(value):
    """Return which parameter a mark in a statement stands for, or None for a constant."""
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 19 else value
    is_mark = isinstance(number, int) and MARK <= number < MARK + 100
    return number - MARK if is_mark else None


def _plain(value):
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value


def _maker(query):
    """Return the function that makes an instance of a row, or None where plain columns were asked for."""
    model, asked, fields = query.model, list(query._returning), query.model._meta.sorted_fields
    count = len(fields)
    if len(asked) < count or any(column is not field for column, field in zip(asked, fields, strict=False)):
        return None
    names, read = [field.name for field in fields], [field.python_value for field in fields]
    others = [column._alias for column in asked[count:]]

    def make(row):
        values = {name: turn(value) for name, turn, value in zip(names, read, row[:count], strict=True)}
        made = model(__no_default__=1, **values)
        for name, value in zip(others, row[count:], strict=True):
            setattr(made, name, value)
        return made

    return make
