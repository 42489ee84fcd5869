"""The stub's result files, and the measures of files it is given.

Pictures are painted for the prompt: a landscape whose colours and hills depend on its words, the subjects they name
(`subjects.py`), and a strip with the words and the model's name at the bottom. An edit shows the picture that was sent,
tinted. Video and audio are the samples in data/samples. Input files are measured here too, as their length affects the
price.
"""

import hashlib
import io
import math
import random
import re
import struct
import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kie.stub import subjects

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
LONG_SIDE = 1024  # pixels
MOST_PIXELS = 50_000_000  # of a picture that is opened
RATIO = re.compile(r"(\d+)\s*[:x*_]\s*(\d+)$")
SHAPES = {"portrait": (9, 16), "landscape": (16, 9), "square": (1, 1), "square_hd": (1, 1)}
SHAPE_FIELDS = ("aspect_ratio", "image_size", "ratio", "size")
WORD_FIELDS = ("prompt", "text", "lyrics", "style", "title", "input_text")
MIMES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}
FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
EVENINGS = (175, 205, 225, 250, 265, 280, 300, 325, 340, 352)  # natural hues of the upper sky
FONTS = ("DejaVuSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf", "LiberationSans-Bold.ttf")


Size = tuple[int, int]  # width, height


@dataclass(frozen=True, slots=True)
class Made:
    """One result: `content()` returns its bytes."""

    ending: str
    mime: str
    content: Callable[[], bytes]


def results(task: Any, side: int = LONG_SIDE) -> list[Made]:
    """Return the result files of a finished task, in KIE's order; none for a model with text results.

    The longer side of a picture has `side` pixels.
    """
    count = task.model.result_count(task.inputs)
    values = task.model.values(task.inputs)
    if task.model.output == "video":
        clip = _sample(f"clip-{_clip_shape(values)}.mp4", "video/mp4")
        frame = [_picture(task, values, 0, side)] * 2 if values.get("return_last_frame") else []
        return [clip, *frame]
    if task.model.output == "audio":
        return [_sample(f"melody-{number % 2 + 1}.mp3", "audio/mpeg") for number in range(count)]
    if task.model.output == "image":
        return [_picture(task, values, number, side) for number in range(count)]
    return []


def words(values: dict[str, Any]) -> str:
    """Return the prompt in one line."""
    return next((" ".join(values[name].split()) for name in WORD_FIELDS if isinstance(values.get(name), str)), "")


def size_of(values: dict[str, Any], side: int = LONG_SIDE) -> tuple[int, int]:
    """Return (width, height) in pixels for the requested shape; square by default."""
    for name in SHAPE_FIELDS:
        value = str(values.get(name) or "").lower()
        ratio = RATIO.search(value)
        wide, high = (int(ratio[1]), int(ratio[2])) if ratio else SHAPES.get(value, (0, 0))
        if value.startswith("portrait") and wide > high:
            wide, high = high, wide
        if value.startswith(("landscape", "portrait")) and ratio and value.startswith("portrait") == (wide > high):
            wide, high = high, wide
        if wide and high:
            scale = side / max(wide, high)
            return max(64, round(wide * scale)), max(64, round(high * scale))
    return side, side


def _clip_shape(values: dict[str, Any]) -> str:
    wide, high = size_of({"aspect_ratio": "16:9"} | {name: value for name, value in values.items() if value})
    return "square" if wide == high else "wide" if wide > high else "tall"


def _sample(name: str, mime: str) -> Made:
    return Made(name.rpartition(".")[2], mime, partial(_read_sample, name))


@cache
def _read_sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def _picture(task: Any, values: dict[str, Any], number: int, side: int) -> Made:
    cut_out = task.model.kind == "background-removal"
    ending = "png" if cut_out else str(values.get("output_format") or "png").lower()
    ending = ending if ending in FORMATS else "png"
    title = task.model.title
    caption = words(values) or title
    paint = partial(
        _paint,
        seed=f"{task.model.id} {caption} {number}",
        size=size_of(values, side),
        caption=caption,
        name=title,
        source=task.picture,
        cut_out=cut_out,
        ending=ending,
    )
    return Made(ending, MIMES[ending], paint)


def _paint(
    *, seed: str, size: Size, caption: str, name: str, source: bytes | None, cut_out: bool, ending: str
) -> bytes:
    from PIL import Image, ImageOps

    dice = random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]))
    picture = _open(source)
    if picture is None:
        image = _landscape(size, dice)
        subjects.draw(image, caption)
    else:
        picture.thumbnail((max(size), max(size)))
        tint = ImageOps.colorize(ImageOps.grayscale(picture), *_tints(dice))
        image = Image.blend(picture, tint, 0.35)
    if cut_out:
        image.putalpha(_oval(image.size))
    else:
        _write(image, caption, name, shade=0.72 if picture is None else 0.94)
    out = io.BytesIO()
    image.save(out, FORMATS[ending], compress_level=3, quality=90)
    return out.getvalue()


def _open(source: bytes | None) -> Any:
    """Return the picture that was sent in, or None if there is none or it cannot be read."""
    from PIL import Image

    if not source:
        return None
    try:
        picture = Image.open(io.BytesIO(source))
        return picture.convert("RGB") if picture.width * picture.height <= MOST_PIXELS else None
    except Exception:  # whatever the decoder raises: KIE would just fail the task, too
        return None


def _hsl(hue: float, saturation: int, lightness: int) -> Any:
    from PIL import ImageColor

    return ImageColor.getrgb(f"hsl({hue % 360:.0f},{saturation}%,{lightness}%)")


def _tints(dice: random.Random) -> tuple[Any, Any]:
    hue = dice.uniform(0, 360)
    return _hsl(hue, 60, 12), _hsl(hue + 40, 70, 90)


def _landscape(size: Size, dice: random.Random) -> Any:
    """Return an evening sky with a sun and five rows of hills, all of it determined by the dice."""
    from PIL import Image, ImageDraw, ImageFilter, ImageOps

    width, height = size
    hue = dice.choice(EVENINGS) + dice.uniform(-8, 8)
    ramp = Image.linear_gradient("L").resize(size)
    top, middle, bottom = _hsl(hue, 55, 24), _hsl(hue + 35, 70, 58), _hsl(hue + 65, 85, 80)
    image = ImageOps.colorize(ramp, top, bottom, mid=middle, midpoint=120)
    radius = min(size) * dice.uniform(0.08, 0.14)
    x, y = width * dice.uniform(0.2, 0.8), height * dice.uniform(0.22, 0.45)
    glow = Image.new("L", (width // 8 + 1, height // 8 + 1))
    _disc(ImageDraw.Draw(glow), x / 8, y / 8, radius / 8 * 2.2, 150)
    glow = glow.filter(ImageFilter.GaussianBlur(radius / 10)).resize(size)
    image.paste(_hsl(hue + 70, 95, 88), mask=glow)
    sun = Image.new("L", (width * 2, height * 2))
    _disc(ImageDraw.Draw(sun), x * 2, y * 2, radius * 2, 255)
    image.paste(_hsl(hue + 75, 100, 95), mask=sun.reduce(2))
    for row in range(5):
        image.paste(_hsl(hue + 25 - 12 * row, 45, 52 - 9 * row), mask=_hills(size, row, dice))
    return image


def _disc(draw: Any, x: float, y: float, radius: float, fill: int) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _hills(size: Size, row: int, dice: random.Random) -> Any:
    """Return the mask of one row of hills, drawn at double size and reduced for smooth edges."""
    from PIL import Image, ImageDraw

    width, height = size[0] * 2, size[1] * 2
    base = height * (0.52 + 0.095 * row)
    waves = [(dice.uniform(0.6, 4), dice.uniform(0, 6.3), dice.uniform(0.01, 0.05)) for _ in range(4)]
    line = []
    for x in range(0, width + 8, 8):
        rise = sum(math.sin(x / width * 6.28 * pace + start) * tall for pace, start, tall in waves)
        line.append((x, base - rise * height))
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).polygon([(0, height), *line, (width, height)], fill=255)
    return mask.reduce(2)


def _oval(size: Size) -> Any:
    from PIL import Image, ImageDraw

    mask = Image.new("L", (size[0] * 2, size[1] * 2))
    ImageDraw.Draw(mask).ellipse((size[0] * 0.2, size[1] * 0.1, size[0] * 1.8, size[1] * 1.9), fill=255)
    return mask.reduce(2)


def _write(image: Any, caption: str, name: str, *, shade: float) -> None:
    """Put the caption and the model's name into a dark strip along the bottom edge."""
    from PIL import Image, ImageDraw

    width, height = image.size
    big, small = _font(max(11, min(width, height) // 22)), _font(max(9, min(width, height) // 40))
    margin, step = max(6, width // 28), big.size * 1.3
    lines = _wrap(caption, big, width - 2 * margin, most=max(1, int(height * 0.3 / step)))
    tall = step * len(lines) + small.size * 2.4 + margin
    strip = Image.linear_gradient("L").resize((width, int(tall * 1.5))).point([int(v * shade) for v in range(256)])
    image.paste((8, 10, 18), (0, height - strip.height), mask=strip)
    draw, y = ImageDraw.Draw(image), height - tall
    for line in lines:
        draw.text((margin, y), line, font=big, fill="white")
        y += step
    draw.text((margin, y + small.size * 0.4), name, font=small, fill=(214, 220, 232))


def _wrap(text: str, font: Any, width: int, *, most: int) -> list[str]:
    """Break a text into at most `most` lines that fit; the rest is cut off with an ellipsis."""
    lines, line = [], ""
    for word in text[:400].split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    lines = [_cut(line, font, width) for line in lines]
    if len(lines) > most:
        lines = lines[:most]
        lines[-1] = _cut(lines[-1] + " …", font, width)
    return lines


def _cut(line: str, font: Any, width: int) -> str:
    while line and font.getlength(line) > width:
        line = line[:-2].rstrip(" …") + "…" if len(line) > 2 else ""
    return line


@cache
def _font(size: int) -> Any:
    """Return a bold font of `size` pixels with Cyrillic letters if the machine has one, else Pillow's own font."""
    from PIL import ImageFont

    # matplotlib includes DejaVu. It is located without importing it, which would take a second.
    spec = find_spec("matplotlib")
    extra = [Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"] if spec and spec.origin else []
    for name in (*FONTS, *extra):
        try:
            return ImageFont.truetype(str(name), size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def longer_side(content: bytes) -> int | None:
    """Return the longer side of a picture in pixels, or None if it is not a picture."""
    picture = _open(content)
    return max(picture.size) if picture else None


def seconds(content: bytes) -> float | None:
    """Return the length of a WAV, MP4, MOV, M4A or Ogg Opus file in seconds; None for others."""
    try:
        if content[:4] == b"RIFF":
            with wave.open(io.BytesIO(content)) as sound:
                return sound.getnframes() / sound.getframerate()
        if content[4:8] == b"ftyp":
            return _mp4_seconds(content)
        if content[:4] == b"OggS":
            last = content.rindex(b"OggS")
            return struct.unpack_from("<q", content, last + 6)[0] / 48_000  # granules of Opus are 1/48000 s
    except (wave.Error, EOFError, struct.error, ValueError, ZeroDivisionError):
        return None
    return None


def _mp4_seconds(content: bytes) -> float:
    at = content.index(b"mvhd") + 4
    wide = content[at] == 1  # version 1 has 64-bit times
    scale, length = struct.unpack_from(">IQ" if wide else ">II", content, at + (20 if wide else 12))
    return length / scale
