"""Draw the pictures that stand for ideas without an example: plain shapes, so that nobody takes them for a result.

    .venv/bin/python -m tools.idea_drawings

The files are kept, and the bot's photo with them. One more idea without a drawing of its own gets `any.png`, or one named like
its kind of work.
"""

from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).parent.parent / "data" / "ideas"
WIDTH, HEIGHT, FINE = 800, 600, 2
SIDE = 640  # pixels of the bot's photo, which Telegram shows in a circle
INK, PAPER, SKIN, WARM, GOLD = "#39415e", "#fdfbf5", "#f1c9a5", "#e4572e", "#f2b134"
GREEN, BLUE, GREY, WHITE, NIGHT = "#7fb069", "#3d8fb8", "#a3a8b8", "#ffffff", "#1f2547"
PICTURE = (22, 18, 78, 84)


def frame(fill=WHITE, edge=INK, box=PICTURE):
    """Return a framed sheet."""
    return [("box", edge, box), ("box", fill, (box[0] + 2, box[1] + 2.6, box[2] - 2, box[3] - 2.6))]


def person(x=50, y=70, size=1.0, skin=SKIN, cloth=BLUE, hair=INK):
    """Return a head with shoulders, standing on y."""
    head = y - 26 * size
    return [
        ("oval", hair, (x - 8.5 * size, head - 14 * size, x + 8.5 * size, head + 9 * size)),
        ("oval", cloth, (x - 15 * size, y - 16 * size, x + 15 * size, y + 16 * size)),
        ("box", PAPER, (x - 16 * size, y, x + 16 * size, y + 17 * size)),
        ("oval", skin, (x - 7 * size, head - 10 * size, x + 7 * size, head + 9 * size)),
        ("oval", INK, (x - 3.6 * size, head - 2 * size, x - 2.2 * size, head)),
        ("oval", INK, (x + 2.2 * size, head - 2 * size, x + 3.6 * size, head)),
        ("line", INK, (x - 2.5 * size, head + 4 * size, x, head + 5.2 * size, x + 2.5 * size, head + 4 * size), 0.6),
    ]


def foot(ground, edge=INK):
    """Return the lower edge of a framed sheet, over whatever hangs out of it."""
    return [("box", edge, (22, 81.4, 78, 84)), ("box", ground, (0, 84, 100, 100))]


def cat(x=50, y=72, fur=GREY):
    """Return a cat's head and body."""
    return [
        ("oval", fur, (x - 13, y - 22, x + 13, y + 6)),
        ("shape", fur, (x - 11, y - 30, x - 10, y - 44, x - 2, y - 36)),
        ("shape", fur, (x + 11, y - 30, x + 10, y - 44, x + 2, y - 36)),
        ("oval", fur, (x - 11, y - 40, x + 11, y - 16)),
        ("oval", INK, (x - 5.5, y - 31, x - 3.5, y - 27)),
        ("oval", INK, (x + 3.5, y - 31, x + 5.5, y - 27)),
        ("shape", WARM, (x - 1.5, y - 25, x + 1.5, y - 25, x, y - 23)),
    ]


def hill(y=66, colour=GREEN):
    """Return ground with a tree and a house."""
    return [
        ("box", colour, (24, y, 76, 81.4)),
        ("box", INK, (33, y - 10, 35, y + 3)),
        ("oval", colour, (28, y - 24, 40, y - 6)),
        ("box", WHITE, (52, y - 14, 68, y + 4)),
        ("shape", WARM, (50, y - 14, 60, y - 26, 70, y - 14)),
        ("box", GOLD, (57, y - 9, 62, y - 2)),
    ]


def note(x, y):
    """Return a musical note."""
    return [
        ("oval", INK, (x - 5, y - 4, x + 2, y + 2)),
        ("line", INK, (x + 1.4, y - 1, x + 1.4, y - 24, x + 9, y - 20), 1.2),
    ]


def spark(x, y, size=4, colour=GOLD):
    """Return a star with four points."""
    small = size / 3.5
    x_, y_ = (x - size, x - small, x, x + small, x + size), (y - size * 1.4, y - small, y, y + small, y + size * 1.4)
    return [
        (
            "shape",
            colour,
            (x, y_[0], x_[3], y_[1], x_[4], y, x_[3], y_[3], x, y_[4], x_[1], y_[3], x_[0], y, x_[1], y_[1]),
        )
    ]


TALL = (36, 12, 64, 88)
CROWN = ("shape", GOLD, (40, 33, 39, 21, 45, 27, 50, 18, 55, 27, 61, 21, 60, 33))
SPEECH = [("oval", WHITE, (58, 18, 88, 42)), ("shape", WHITE, (63, 36, 60, 50, 71, 40))]
BUBBLE = [*SPEECH, *[("line", INK, (64, y, 82, y), 1) for y in (26, 31, 36)][:2]]
DRAWINGS = {
    "any": ("#f4ead7", [*frame(), *spark(50, 50, 12)]),
    "old_photo": (
        "#d9c7a7",
        [("box", "#efe3c8", (22, 18, 50, 84)), ("box", WHITE, (50, 18, 78, 84)), *person(50, 80, 1.35, "#e0c39d", "#8d7f66", "#6b5f4b")[:2],
         *person(50, 80, 1.35)[3:], *foot("#d9c7a7", WHITE), ("line", WHITE, (28, 22, 34, 48, 31, 70), 0.8), ("line", WHITE, (36, 76, 44, 62), 0.6)],
    ),
    "studio_portrait": ("#c9cfdf", [*frame("#56607f"), *person(50, 80, 1.5, cloth=WARM)[:2], *person(50, 80, 1.5)[3:], *foot("#c9cfdf")]),
    "logo": ("#e6eef5", [*frame(), ("oval", WARM, (38, 28, 62, 60)), ("shape", WHITE, (50, 33, 58, 54, 42, 54)), ("line", INK, (36, 70, 64, 70), 3)]),
    "talking_photo": ("#dcebe3", [*frame(), *person(46, 80, 1.2)[:2], *person(46, 80, 1.2)[3:], *BUBBLE, *foot("#dcebe3")]),
    "sticker": ("#f6d9d0", [("oval", WHITE, (26, 14, 74, 90)), *cat(50, 74, GOLD)]),
    "jingle": ("#fbe9b7", [*note(38, 66), *note(60, 58), *spark(76, 28), *spark(24, 32, 3, WARM)]),
    "postcard": ("#e3ecd7", [*frame(box=(16, 24, 84, 80)), ("line", GREY, (54, 32, 54, 72), 0.6), ("box", WARM, (70, 32, 79, 44)),
                 *[("line", GREY, (58, y, 78, y), 0.6) for y in (54, 61, 68)], *spark(35, 52, 10)]),
    "cartoon": ("#d6e6f7", [*frame("#bfe0f5"), *person(38, 81, 1.1, cloth=GREEN)[:2], *person(38, 81, 1.1)[3:],
                *person(62, 81, 0.9, cloth=GOLD, hair=WARM)[:2], *person(62, 81, 0.9)[3:], *foot("#d6e6f7")]),
    "room": ("#efe6dc", [*frame("#f7f1e6"), ("box", BLUE, (30, 26, 46, 46)), ("line", WHITE, (38, 26, 38, 46), 0.8),
             ("box", WARM, (42, 58, 70, 72)), ("box", WARM, (42, 50, 70, 60)), ("box", INK, (44, 72, 47, 76)), ("box", INK, (65, 72, 68, 76)),
             ("line", INK, (66, 22, 66, 32), 0.6), ("shape", GOLD, (61, 38, 64, 32, 68, 32, 71, 38))]),
    "product": ("#e8ecef", [("oval", "#d3d9de", (26, 72, 74, 88)), ("box", GREEN, (42, 36, 58, 80)), ("box", INK, (46, 24, 54, 36)),
                ("box", WHITE, (44, 48, 56, 66)), *spark(72, 26)]),
    "business_photo": ("#d7e3ec", [*frame("#e9f1f6"), *person(50, 80, 1.5, cloth=INK)[:2], *person(50, 80, 1.5)[3:],
                       ("shape", WHITE, (46, 59, 54, 59, 50, 70)), ("shape", WARM, (49, 61, 51, 61, 52, 72, 50, 76, 48, 72)), *foot("#d7e3ec")]),
    "oil_portrait": ("#e2d3b5", [*frame("#4a3728", GOLD), *person(50, 80, 1.4, cloth="#7a2e2e")[:2], *person(50, 80, 1.4)[3:], *foot("#e2d3b5", GOLD)]),
    "living_photo": ("#dfe7f4", [*frame("#cfe8f3"), *hill(), ("oval", INK, (41, 38, 59, 62)), ("shape", WHITE, (47, 44, 47, 56, 55, 50))]),
    "song": ("#f9dfe3", [("box", WHITE, (30, 56, 70, 82)), ("box", WARM, (30, 56, 70, 63)),
             *[("box", GOLD, (x, 42, x + 2, 56)) for x in (38, 49, 60)], *[("oval", WARM, (x - 0.6, 35, x + 2.6, 42)) for x in (38, 49, 60)], *note(82, 44)]),
    "storybook": ("#e5efe0", [("shape", WHITE, (12, 28, 50, 34, 50, 86, 12, 80)), ("shape", WHITE, (88, 28, 50, 34, 50, 86, 88, 80)),
                  ("line", INK, (50, 34, 50, 86), 0.8), ("oval", GREEN, (20, 38, 40, 62)), ("box", INK, (29, 58, 31, 72)),
                  *[("line", GREY, (57, y, 81, y - 3), 0.8) for y in (46, 54, 62, 70)]]),
    "pet": ("#e9dcc9", [*frame("#5b2333", GOLD), *cat(50, 80, "#d8d2c4"), CROWN, ("shape", WARM, (36, 81, 40, 62, 60, 62, 64, 81)), *foot("#e9dcc9", GOLD)]),
    "wallpaper": ("#d8dff0", [("box", INK, TALL), ("box", "#35507a", (38, 16, 62, 84)), ("oval", GOLD, (51, 24, 58, 33)),
                  ("shape", "#5b7ba6", (38, 84, 38, 66, 46, 52, 54, 68, 62, 58, 62, 84)), ("line", WHITE, (44, 22, 48, 22), 0.8)]),
    "cutout": ("#ffffff", [*[("box", "#e3e6ee", (x * 10, y * 12.5, x * 10 + 10, y * 12.5 + 12.5)) for x in range(10) for y in range(8) if (x + y) % 2], *cat(50, 76, WARM)]),
    "night": ("#cdd3e6", [*frame(NIGHT), *hill(66, "#2f3d5c"), ("oval", GOLD, (66, 24, 73, 33)), *spark(34, 28, 2, WHITE), *spark(50, 34, 1.6, WHITE)]),
    "figurine": ("#eae3f2", [("oval", GREY, (30, 74, 70, 90)), ("box", BLUE, (43, 52, 57, 70)), ("box", INK, (43, 70, 49, 82)), ("box", INK, (51, 70, 57, 82)),
                 ("box", SKIN, (38, 53, 42, 67)), ("box", SKIN, (58, 53, 62, 67)), ("oval", INK, (40, 20, 60, 46)), ("oval", SKIN, (41, 24, 59, 50)),
                 ("oval", INK, (45, 36, 47, 39)), ("oval", INK, (53, 36, 55, 39))]),
    "print": ("#dff0ee", [("shape", WHITE, (34, 20, 44, 20, 50, 26, 56, 20, 66, 20, 84, 36, 76, 48, 68, 42, 68, 86, 32, 86, 32, 42, 24, 48, 16, 36)), *spark(50, 54, 10, WARM)]),
    "drawn_film": ("#f3e8d3", [("box", INK, (10, 20, 90, 82)), *[("box", WHITE, (x, y, x + 4, y + 4)) for x in range(14, 88, 9) for y in (22.5, 75.5)],
                   ("box", "#bfe0f5", (16, 30, 84, 72)), ("box", GREEN, (16, 60, 84, 72)), ("oval", GOLD, (66, 34, 76, 47)), *person(40, 72, 0.9)[:2], *person(40, 72, 0.9)[3:],
                   ("box", INK, (10, 72, 90, 82)), *[("box", WHITE, (x, 75.5, x + 4, 79.5)) for x in range(14, 88, 9)],
                   ("box", "#f3e8d3", (0, 82, 100, 100))]),
    "season": ("#e2ecf3", [*frame("#cfe8f3"), *hill(66, "#f4f7fb"), ("box", GREEN, (50, 70, 76, 81.4)), *spark(30, 30, 2.4, WHITE), *spark(46, 26, 2, WHITE),
               ("oval", GOLD, (66, 24, 73, 33))]),
    "colouring": ("#fbeed0", [*frame(), ("ring", INK, (36, 30, 64, 66)), ("ring", INK, (43, 40, 47, 46)), ("ring", INK, (53, 40, 57, 46)),
                  ("line", INK, (44, 54, 50, 58, 56, 54), 0.8), ("shape", WARM, (66, 74, 82, 46, 86, 49, 71, 77)), ("shape", INK, (66, 74, 71, 77, 65, 79))]),
}  # fmt: skip


PHOTO = ("#39415e", [("oval", "#4b5680", (6, 6, 94, 94)), *frame("#bfe0f5", WHITE, (24, 30, 76, 72)), ("oval", GOLD, (58, 36, 68, 46)),
         ("shape", GREEN, (26, 69.4, 26, 62, 40, 48, 53, 62, 61, 55, 74, 65, 74, 69.4)), *spark(77, 27, 11, GOLD), *spark(24, 74, 5, WHITE)])  # fmt: skip


def painted(ground, shapes, width, height):
    """Return a picture of these shapes, whose measures are hundredths of its sides."""
    image = Image.new("RGB", (width * FINE, height * FINE), ground)
    pen, across, down = ImageDraw.Draw(image), image.width / 100, image.height / 100
    for kind, colour, numbers, *thick in shapes:
        points = [(x * across, y * down) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if kind == "oval":
            pen.ellipse(points, fill=colour)
        elif kind == "ring":
            pen.ellipse(points, outline=colour, width=round(0.8 * across))
        elif kind == "box":
            pen.rectangle(points, fill=colour)
        elif kind == "line":
            pen.line(points, fill=colour, width=round(thick[0] * across), joint="curve")
        else:
            pen.polygon(points, fill=colour)
    return image.reduce(FINE)


if __name__ == "__main__":
    for name, drawing in DRAWINGS.items():
        painted(*drawing, WIDTH, HEIGHT).quantize(64).save(HERE / f"{name}.png", optimize=True)
    painted(*PHOTO, SIDE, SIDE).save(HERE.parent / "profile.jpg", quality=90)
