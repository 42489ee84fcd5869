"""Queries that are compiled once: peewee takes longer to compile a statement than SQLite takes to answer it.

    @Prepared[User]
    def _by_code(code: str) -> ModelSelect[User]:
        return User.select().where(User.code == code)

    user = _by_code.first("k3J9")

For the reads that every update and every loop makes; other queries are built where they are used.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from peewee import Database

from storage.base.db import EPOCH, MICROSECOND, connection

MARK = 7_346_521_000_000  # placeholder for the first parameter during compilation; no real value is this large

R = TypeVar("R")
Maker = Callable[[tuple[Any, ...]], Any]


class Prepared(Generic[R]):
    """A SELECT of whole rows of one table (`Prepared[User]`) or of plain columns (`Prepared[tuple[int, str]]`).

    `build` takes the parameters by position (numbers, texts, aware times) and returns the query. Columns with an alias
    after those of a whole row become attributes of the row.
    """

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build
        self._count: int = build.__code__.co_argcount
        # class of the database → (statement, [(index of the parameter or None, constant)], how to make a row)
        self._compiled: dict[type, tuple[str, list[tuple[int | None, Any]], Maker | None]] = {}

    def rows(self, *values: Any) -> list[R]:
        """Return every row: instances of the table, or tuples of plain columns."""
        with connection() as db:
            statement, places, make = self._compiled.get(type(db)) or self._compile(db)
            plain = [_plain(value) for value in values]
            rows: Any = db.execute_sql(
                statement, [plain[at] if at is not None else constant for at, constant in places]
            ).fetchall()
        return [make(row) for row in rows] if make else rows

    def first(self, *values: Any) -> R | None:
        """Return the first row, or None."""
        return next(iter(self.rows(*values)), None)

    def scalar(self, *values: Any) -> Any:
        """Return the first column of the first row, or None."""
        row: Any = self.first(*values)
        return row[0] if row else None

    def _compile(self, db: Database) -> tuple[str, list[tuple[int | None, Any]], Maker | None]:
        marks = [MARK + number for number in range(self._count)]
        query = self._build(*marks)
        statement, parameters = query.sql()
        places = [(_place(value), value) for value in parameters]
        if {at for at, _constant in places} - {None} != set(range(self._count)):
            raise ValueError(f"a parameter got lost in {statement}")
        self._compiled[type(db)] = statement, places, _maker(query)
        return self._compiled[type(db)]


def _place(value: Any) -> int | None:
    """Return the index of the parameter that a placeholder stands for, or None for a constant."""
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 19 else value
    is_mark = isinstance(number, int) and MARK <= number < MARK + 100
    return number - MARK if is_mark else None


def _plain(value: Any) -> Any:
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value


def _maker(query: Any) -> Maker | None:
    """Return the function that turns a row into an instance, or None where plain columns were asked for."""
    model, asked, fields = query.model, list(query._returning), query.model._meta.sorted_fields
    count = len(fields)
    if len(asked) < count or any(column is not field for column, field in zip(asked, fields, strict=False)):
        return None
    names, read = [field.name for field in fields], [field.python_value for field in fields]
    others = [column._alias for column in asked[count:]]

    def make(row: tuple[Any, ...]) -> Any:
        values = {name: turn(value) for name, turn, value in zip(names, read, row[:count], strict=True)}
        made = model(__no_default__=1, **values)
        for name, value in zip(others, row[count:], strict=True):
            setattr(made, name, value)
        return made

    return make
