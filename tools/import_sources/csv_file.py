"""A CSV table with a header, as saved by a spreadsheet (docs/operate.md, "Moving in").

Separated by commas, semicolons or tabs, in UTF-8; `telegram_id` is the only required column.
"""

import csv

from tools.import_sources.collected import Reading, Unreadable, Wrong, moment, person_id, switch, text, username

COLUMNS = {
    "telegram_id": ("user_id", "id", "chat_id"),
    "balance": (),
    "language": ("lang", "locale"),
    "referrer_id": ("referrer", "inviter_id", "invited_by"),
    "banned": ("blocked", "is_banned"),
    "paid": ("has_paid",),
    "first_name": ("name",),
    "username": (),
    "created_at": ("came_at", "joined_at"),
}
NAMES = {other: name for name, others in COLUMNS.items() for other in (name, *others)}
SEPARATORS = ";\t,"


def read(path, languages):
    """Return a Reading of a CSV file; raise Unreadable if it is not one."""
    found = Reading(f"{path.name}", languages)
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            _rows(found, stream)
    except UnicodeDecodeError:
        raise Unreadable(f"{path}: not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise Unreadable(f"{path}: {error}; nothing was taken") from None
    return found


def _rows(found, stream):
    first = stream.readline()
    separator = next((one for one in SEPARATORS if one in first), ",")
    stream.seek(0)
    rows = csv.reader(stream, delimiter=separator, strict=True)
    header = _header(next(rows, []))
    lines = {}
    for cells in rows:
        if any(cell.strip() for cell in cells):
            _row(found, header, cells, f"line {rows.line_num}", lines)


def _header(cells):
    names = [NAMES.get(cell.strip().lower(), cell.strip()) for cell in cells]
    if strange := [name for name in names if name not in COLUMNS]:
        known = ", ".join(COLUMNS)
        raise Unreadable(f"line 1: {strange[0][:40]!r} is no column; the first line names these: {known}")
    if "telegram_id" not in names or len(set(names)) < len(names):
        raise Unreadable("line 1: want each column once, and telegram_id among them")
    return names


def _row(found, header, cells, place, lines):
    """Read one person; set them aside if anything in the row is wrong."""
    one = None
    try:
        if len(cells) != len(header):
            hint = "; a comma inside a value wants quotes, or semicolons between the columns"
            raise Wrong(f"{len(cells)} values in place of {len(header)}{hint if len(cells) > len(header) else ''}")
        row = dict(zip(header, cells, strict=True))
        one = person_id(row["telegram_id"])
        if one in lines:
            raise Wrong(f"{one} is in {lines[one]} already")
        lines[one] = place
        found.note(one, **_person(found, row))
    except Wrong as error:
        if one is None:  # the rest of the row may still say whose it is
            one = _id_in(header, cells)
        found.wrong(place, str(error), one)


def _id_in(header, cells):
    try:
        return person_id(cells[header.index("telegram_id")])
    except (Wrong, IndexError):
        return None


def _person(found, row):
    said = {
        "balance": found.money(row["balance"]) if row.get("balance", "").strip() else 0,
        "banned": switch(row.get("banned")),
        "paid": switch(row.get("paid")),
        "first_name": text(row.get("first_name")),
        "username": username(row.get("username")),
        **found.language(row.get("language")),
    }
    if row.get("referrer_id", "").strip() not in ("", "0"):
        said["inviter"] = person_id(row["referrer_id"])
    if row.get("created_at", "").strip():
        said["came_at"] = moment(row["created_at"])
    return said
