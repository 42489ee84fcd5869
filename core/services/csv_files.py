"""CSV files for people who open them in a spreadsheet: nothing that somebody wrote becomes a formula there."""

import csv
import io

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # OWASP, CSV Injection


def sheet(rows):
    """Return rows as the bytes of a CSV file; a text that begins like a formula gets an apostrophe in front."""
    stream = io.StringIO()
    csv.writer(stream).writerows([_plain(cell) for cell in row] for row in rows)
    return stream.getvalue().encode("utf-8-sig")


def _plain(cell):
    """Return a cell that is safe there; our own numbers stay numbers, even negative ones."""
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULA) else cell
