"""Make the stub's sample clips and melodies, from nothing but arithmetic (so they are free of rights: CC0).

    python -m venv .venv-samples && .venv-samples/bin/pip install av numpy && .venv-samples/bin/python data/samples/make.py

PyAV brings the encoders; the bot itself needs none, the files made here are kept.
"""

import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HERE = Path(__file__).parent
RATE = 44_100  # samples a second
FPS = 24
SECONDS = 5
SHAPES = {"wide": (640, 360), "tall": (360, 640), "square": (480, 480)}
PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16)  # semitones


def melody(seed, seconds):
    """Return mono float samples of a calm pentatonic tune: two voices of decaying tones."""
    dice = np.random.default_rng(seed)
    sound = np.zeros(int(RATE * seconds))
    for voice, (base, step, loud) in enumerate(((220.0, 0.5, 0.5), (110.0, 1.0, 0.35))):
        note = 3
        for start in np.arange(0, seconds - step, step):
            note = int(np.clip(note + dice.integers(-2, 3), 0, len(PENTATONIC) - 1))
            pitch = base * 2 ** (PENTATONIC[note] / 12)
            tone = np.arange(int(RATE * step * 2.5)) / RATE
            wave = sum(np.sin(2 * math.pi * pitch * k * tone) / k**2 for k in (1, 2, 3 + voice))
            wave *= np.minimum(tone * 60, 1) * np.exp(-tone * 2.6) * loud
            at = int(start * RATE)
            sound[at : at + len(wave)] += wave[: len(sound) - at]
    fade = np.minimum(1, np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1]) / (0.3 * RATE))
    return (sound / np.abs(sound).max() * 0.7 * fade).astype(np.float32)


def add_sound(container, stream, sound):
    """Encode mono samples into a stream."""
    for start in range(0, len(sound), 1024):
        frame = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def picture(width, height, moment):
    """Return one frame as an RGB array: a sun that sinks behind drifting hills; `moment` runs from 0 to 1."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    top, low = np.array([44, 38, 92]), np.array([250, 164, 120])
    image = top + (low - top) * np.clip(y * 1.5, 0, 1)[..., None]
    far = np.hypot((x - 0.62) * width, (y - 0.2 - 0.25 * moment) * height) / min(width, height)
    image += np.exp(-far * 6)[..., None] * np.array([90, 80, 60])
    image[far < 0.11] = (255, 240, 214)
    for row in range(4):
        pace = 0.08 * (row + 1) * moment
        crest = 0.58 + 0.11 * row + 0.05 * np.sin((x[0] + pace) * (7 + 3 * row) + row * 2)
        crest = crest + 0.02 * np.sin((x[0] + pace) * 17 + row)
        image[y > crest] = np.array([150, 84, 118]) * (0.86 - 0.19 * row)
    return np.clip(image, 0, 255).astype(np.uint8)


def make_clip(name, width, height):
    """Write one H.264 and AAC clip, playable while it loads."""
    with av.open(str(HERE / f"clip-{name}.mp4"), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "27", "preset": "veryslow"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 48_000
        for number in range(FPS * SECONDS):
            frame = av.VideoFrame.from_ndarray(picture(width, height, number / FPS / SECONDS), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        add_sound(container, audio, melody(7, SECONDS))


def make_melody(name, seed, seconds):
    """Write one MP3."""
    with av.open(str(HERE / f"{name}.mp3"), "w") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        stream.bit_rate = 64_000
        add_sound(container, stream, melody(seed, seconds))


if __name__ == "__main__":
    for shape, (wide, high) in SHAPES.items():
        make_clip(shape, wide, high)
    make_melody("melody-1", 11, 12)
    make_melody("melody-2", 29, 12)
