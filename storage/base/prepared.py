"""Queries that are compiled once: peewee takes longer to compile a statement than SQLite takes to answer it.

    @Prepared[User]
    def _by_code(code: str) -> ModelSelect[User]:
        return User.select().where(User.code == code)

    user = _by_code.first("k3J9")
    done = inserted(FactDone, {"fact_id": 7, "listener": "start"})

For what every update, order and loop does; other queries are built where they are used.
"""

import operator
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Generic, TypeVar

from peewee import BooleanField, Database, Field, ForeignKeyField, IntegerField, Model, TextField, Value

from storage.base.db import EPOCH, MICROSECOND, connection

MARK = 7_346_521_000_000  # placeholder for the first parameter during compilation; no real value is this large
SIZES = (1, 10, 100)  # see `padded`
ROWS = 100  # of a statement that inserts many: each number of them is compiled

R = TypeVar("R")
Maker = Callable[[tuple[Any, ...]], Any]


class Prepared(Generic[R]):
    """A query of whole rows of one table (`Prepared[User]`) or of plain columns (`Prepared[tuple[int, str]]`).

    `build` takes the parameters by position (numbers, texts, aware times; `count` of them, if it takes any number) and
    returns a SELECT, or a write with what it returns. Columns with an alias after those of a whole row become attributes
    of the row; those of a whole row that it refers to become that row.
    """

    def __init__(self, build: Callable[..., Any], count: int | None = None) -> None:
        self._build = build
        self._count: int = build.__code__.co_argcount if count is None else count
        # class of the database → (statement, [(index of the parameter or None, constant)], how to make a row)
        self._compiled: dict[type, tuple[str, list[tuple[int | None, Any]], Maker | None]] = {}

    def rows(self, *values: Any) -> list[R]:
        """Return every row: instances of the table, or tuples of plain columns."""
        with connection() as db:
            cursor, make = self._execute(db, values)
            rows: Any = cursor.fetchall()
        return [make(row) for row in rows] if make else rows

    def run(self, *values: Any) -> int:
        """Write, and return how many rows have changed; in an open transaction."""
        with connection() as db:
            changed: int = self._execute(db, values)[0].rowcount
            return changed

    def _execute(self, db: Database, values: tuple[Any, ...]) -> tuple[Any, Maker | None]:
        statement, places, make = self._compiled.get(type(db)) or self._compile(db)
        plain = [_plain(value) for value in values]
        return db.execute_sql(statement, [plain[at] if at is not None else constant for at, constant in places]), make

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
        statement, parameters = db.get_sql_context().sql(query).query()
        places = [(_place(value, self._count), value) for value in parameters]
        if {at for at, _constant in places} - {None} != set(range(self._count)):
            raise ValueError(f"a parameter got lost in {statement}")
        self._compiled[type(db)] = statement, places, _maker(query)
        return self._compiled[type(db)]


def _place(value: Any, count: int) -> int | None:
    """Return the index of the parameter, of `count`, that a placeholder stands for, or None for a constant."""
    value = getattr(value, "obj", value)  # what PostgreSQL's driver wraps plain data in
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 19 else value
    is_mark = isinstance(number, int) and MARK <= number < MARK + count
    return number - MARK if is_mark else None


def _plain(value: Any) -> Any:
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value


def _maker(query: Any) -> Maker | None:
    """Return the function that turns a row into an instance, or None where plain columns were asked for."""
    if not hasattr(query, "model"):
        return None
    model, asked, fields = query.model, list(query._returning or ()), query.model._meta.sorted_fields
    if not _are(asked[: len(fields)], fields):
        return None
    others, read = asked[len(fields) :], _reader(model)
    if others and isinstance(others[0], Field) and _are(others, others[0].model._meta.sorted_fields):
        return _joined(model, others[0].model)
    names = [column._alias for column in others]

    def make(row: tuple[Any, ...]) -> Any:
        made = read(row)
        for name, value in zip(names, row[len(fields) :], strict=True):
            setattr(made, name, value)
        return made

    return make if names else read


def _are(columns: list[Any], fields: list[Any]) -> bool:
    """Tell whether these are the same, without `==`, of which Peewee makes an expression."""
    return len(columns) == len(fields) and all(map(operator.is_, columns, fields))


def _joined(model: type[Model], other: type[Model]) -> Maker:
    """Return the function that makes a row together with the one it refers to."""
    (key,) = (
        each for each in model._meta.sorted_fields if isinstance(each, ForeignKeyField) and each.rel_model is other
    )
    count, read, read_other = len(model._meta.sorted_fields), _reader(model), _reader(other)

    def make(row: tuple[Any, ...]) -> Any:
        made = read(row)
        setattr(made, key.name, read_other(row[count:]))
        return made

    return make


def _reader(model: type[Model]) -> Maker:
    """Return the function that makes an instance of the first columns of a row.

    To set each field, as Peewee's constructor does, takes longer than all the rest.
    """
    fields = [(field.name, None if _is_as_stored(field) else field.python_value) for field in model._meta.sorted_fields]

    def read(row: tuple[Any, ...]) -> Any:
        made: Any = model.__new__(model)
        pairs = zip(fields, row, strict=False)
        made.__data__ = {name: value if turn is None else turn(value) for (name, turn), value in pairs}
        made.__rel__, made._dirty = {}, set()
        return made

    return read


def _is_as_stored(field: Any) -> bool:
    """Tell whether a field's value is the number or the text that the database gives."""
    while isinstance(field, ForeignKeyField):
        field = field.rel_field
    return isinstance(field, IntegerField | TextField) and type(field).python_value is Field.python_value


def padded(values: Sequence[Any]) -> list[Any]:
    """Return values for `IN` with the last one repeated, so that there are few numbers of them, of which each is compiled."""
    size = next((size for size in SIZES if size >= len(values)), len(values))
    return [*values, *[values[-1]] * (size - len(values))] if values else []


def inserted(model: Any, fields: dict[str, Any], is_new: bool = True) -> Any:
    """Insert a row, in an open transaction, and return it.

    Unless it must be `is_new`, return None if a unique column has its value already.
    """
    return _insertion(model, tuple(fields), is_new).first(*column_values(model, fields))


def inserted_many(model: Any, rows: Sequence[dict[str, Any]], key: Field, is_new: bool = True) -> list[Any]:
    """Insert rows that have the same columns, in an open transaction; return this key of each.

    Unless all must be `is_new`, those are left out of which a unique column has its value already.
    """
    keys = []
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS]
        values = [value for row in some for value in column_values(model, row)]
        keys += [one for (one,) in _insertions(model, tuple(rows[0]), len(some), key, is_new).rows(*values)]
    return keys


@cache
def _insertion(model: Any, names: tuple[str, ...], is_new: bool) -> Prepared[Any]:
    return _to_insert(model, names, 1, model, is_new)


@lru_cache(maxsize=16)
def _insertions(model: Any, names: tuple[str, ...], count: int, key: Field, is_new: bool) -> Prepared[tuple[Any]]:
    return _to_insert(model, names, count, key, is_new)


def _to_insert(model: Any, names: tuple[str, ...], count: int, returned: Any, is_new: bool) -> Prepared[Any]:
    """Return what inserts `count` rows with values for these columns, and returns a column of each, or the whole row."""

    truths = {name for name in names if isinstance(model._meta.combined[name], BooleanField)}

    def build(*values: Any) -> Any:
        rows = [dict(zip(names, some, strict=True)) for some in zip(*[iter(values)] * len(names), strict=True)]
        for row in rows:  # a placeholder for a truth value would become true
            row |= {name: Value(row[name], converter=False) for name in truths}
        query = model.insert_many(rows)
        return (query if is_new else query.on_conflict_ignore()).returning(returned)

    made_anew = [
        field.name for field in model._meta.sorted_fields if callable(field.default) and field.name not in names
    ]
    if made_anew:
        raise ValueError(
            f"{model.__name__}: give {', '.join(made_anew)}: what is compiled once would have the same for ever"
        )
    return Prepared(build, count * len(names))


def column_values(model: Any, fields: dict[str, Any]) -> list[Any]:
    """Return the values of columns as the database takes them, for a `Prepared` that writes."""
    found = [model._meta.combined[name].db_value(value) for name, value in fields.items()]
    return [getattr(value, "arguments", [value])[0] for value in found]  # SQLite takes plain data as `json(?)`
