"""What the stub's pictures show: a dozen subjects of plain shapes, chosen by the words of the prompt.

`data/samples/subjects.json` has them from back to front: the words of several languages (`*` at the end: any ending), and
shapes whose coordinates go from 0 to 100. A `wide` one fills the width, the others stand side by side.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "data" / "samples" / "subjects.json"
WORD = re.compile(r"\w+")
MOST = 3  # side by side
FINE = 2  # drawn this many times larger and then reduced, for smooth edges
HEIGHT, GROUND = 0.66, 0.84  # of the picture: how tall a subject is, and where it stands


@cache
def _subjects() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def named_in(text: str) -> list[str]:
    """Return the subjects that a text names, from back to front."""
    said = WORD.findall(text.casefold())
    return [name for name, one in _subjects().items() if any(_is_meant(word, one["words"]) for word in said)]


def _is_meant(word: str, words: list[str]) -> bool:
    return any(word.startswith(known[:-1]) if known.endswith("*") else word == known for known in words)


def draw(image: Any, text: str) -> None:
    """Draw what a text names into a picture."""
    width, height = image.size
    names = named_in(text)
    for name in names:
        if _subjects()[name].get("wide"):
            _paste(image, name, (width, round(height * 0.6)), (0, round(height * 0.4)))
    single = [name for name in names if not _subjects()[name].get("wide")][-MOST:]
    side = round(min(height * HEIGHT, width / max(1, len(single))))
    for place, name in enumerate(single):
        middle = width * (2 * place + 1) / (2 * len(single))
        _paste(image, name, (side, side), (round(middle - side / 2), round(height * GROUND - side)))


def _paste(image: Any, name: str, size: tuple[int, int], corner: tuple[int, int]) -> None:
    from PIL import Image, ImageDraw

    layer = Image.new("RGBA", (size[0] * FINE, size[1] * FINE))
    pen, across, down = ImageDraw.Draw(layer), layer.width / 100, layer.height / 100
    for kind, colour, numbers, *thick in _subjects()[name]["shapes"]:
        points = [(x * across, y * down) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if kind == "oval":
            pen.ellipse(points, fill=colour)
        elif kind == "line":
            pen.line(points, fill=colour, width=round(thick[0] * across), joint="curve")
        else:
            pen.polygon(points, fill=colour)
    layer = layer.reduce(FINE)
    image.paste(layer.convert("RGB"), corner, layer.getchannel("A"))
