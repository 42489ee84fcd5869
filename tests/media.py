"""Audio and video of any length, including files whose header lies about it."""

import io
import re
import struct
import wave

from tests.kit import ROOT

SEEDS = ROOT / "tests" / "data" / "media"
SAMPLES = ROOT / "data" / "samples"


def seed(name):
    """Return a small file of a kind, such as clip.mkv; most last a second."""
    return (SEEDS / name).read_bytes()


def wav(seconds, rate=8000):
    """Return so much silence as WAV."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(rate)
        sound.writeframes(b"\x80" * round(seconds * rate))
    return stream.getvalue()


def mp3(seconds):
    """Return so much silence as MP3: 32 kbit/s at 24 kHz, so each frame has 96 bytes and 576 samples."""
    frame = bytes.fromhex("fff344c4") + bytes(92)
    return frame * round(seconds * 24000 / 576)


def clip(seconds):
    """Return the five seconds of a sample as an MP4 whose pictures are shown so much slower, or faster; its sound is not."""
    data = bytearray((SAMPLES / "clip-wide.mp4").read_bytes())
    for name, at in ((b"mvhd", 16), (b"mdhd", 16), (b"tkhd", 20), (b"elst", 8)):
        for place in _places(data, name):
            _stretch(data, place + at, seconds)
    for place in _places(data, b"stts"):
        for number in range(int.from_bytes(data[place + 4 : place + 8], "big")):
            _stretch(data, place + 12 + 8 * number, seconds)
    return bytes(data)


def _stretch(data, at, seconds):
    data[at : at + 4] = round(int.from_bytes(data[at : at + 4], "big") * seconds / 5).to_bytes(4, "big")


def _places(data, name):
    return [found.end() for found in re.finditer(name, bytes(data))]


# headers that lie


def with_xing(data, frames):
    """Return an MP3 file whose first frame says that there are so few."""
    head = data[:4] + bytes(9) + b"Xing" + struct.pack(">III", 3, frames, frames * 96)
    return head + bytes(96 - len(head)) + data[96:]


def with_riff_size(data, seconds, rate=8000):
    """Return a WAV file that says it is so short."""
    changed, place = bytearray(data), data.index(b"data") + 4
    struct.pack_into("<I", changed, place, round(seconds * rate))
    struct.pack_into("<I", changed, 4, round(seconds * rate) + place)
    return bytes(changed)


def with_mvhd(data, seconds, boxes=(b"mvhd",)):
    """Return an MP4 file whose boxes (mvhd, mdhd) say that it is so short."""
    changed = bytearray(data)
    for name in boxes:
        for place in _places(data, name):
            (scale,) = struct.unpack_from(">I", data, place + 12)
            struct.pack_into(">I", changed, place + 16, round(seconds * scale))
    return bytes(changed)


def with_heads(data, seconds):
    """Return an MP4 file of which everything says that it is so short, save the frames themselves."""
    changed = bytearray(with_mvhd(data, seconds, (b"mvhd", b"mdhd")))
    (scale,) = struct.unpack_from(">I", data, _places(data, b"mvhd")[0] + 12)
    for place in _places(data, b"tkhd"):
        struct.pack_into(">I", changed, place + 20, round(seconds * scale))
    return bytes(changed).replace(b"elst", b"free")


def with_stts(data, factor):
    """Return an MP4 file whose frames are said to be so much shorter."""
    changed = bytearray(data)
    for place in _places(data, b"stts"):
        (count,) = struct.unpack_from(">I", data, place + 4)
        for number in range(count):
            at = place + 12 + 8 * number
            (delta,) = struct.unpack_from(">I", data, at)
            struct.pack_into(">I", changed, at, max(1, delta // factor))
    return bytes(changed)


def without_sound(data):
    """Return an MP4 file whose track of sound is not to be found."""
    at = data.rindex(b"trak", 0, data.index(b"smhd"))
    return data[:at] + b"free" + data[at + 4 :]


def with_granules(data, packets):
    """Return an Ogg file whose pages say that so few packets came before (their checksums are right)."""
    pages, at = [], 0
    while at < len(data):
        count = data[at + 26]
        end = at + 27 + count + sum(data[at + 27 : at + 27 + count])
        page = bytearray(data[at:end])
        if int.from_bytes(page[6:14], "little"):
            page[6:14] = (packets * 960).to_bytes(8, "little")
        page[22:26] = bytes(4)
        page[22:26] = _ogg_sum(page).to_bytes(4, "little")
        pages.append(bytes(page))
        at = end
    return b"".join(pages)


def _ogg_sum(page):
    total = 0
    for byte in page:
        total ^= byte << 24
        for _bit in range(8):
            total = (total << 1 ^ (0x04C11DB7 if total & 0x80000000 else 0)) & 0xFFFFFFFF
    return total


def with_duration(data, seconds):
    """Return a Matroska file that says it is so short."""
    changed, place = bytearray(data), data.index(b"\x44\x89\x88") + 3
    struct.pack_into(">d", changed, place, seconds * 1000)
    return bytes(changed)
