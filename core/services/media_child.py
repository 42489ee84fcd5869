"""A separate process that opens one file somebody sent, and ends: `python -I media_child.py WORK FILE [RESULT]`.

Whatever the file does, it does here and not in the bot: this module imports nothing from it, and limits its own memory
and time before it opens the file. WORK is `jpeg` (write the picture as JPEG into RESULT), `sketch` (write it small, as
levels of grey) or `length`. One line of JSON reports the outcome: {"outcome": "done"}, with "seconds" for a length,
{"outcome": "too_large"}, or {"outcome": "unreadable"}; no such line means unreadable, too.
"""

import io
import json
import math
import os
import re
import shutil
import sys

MEMORY_BYTES = 320 * 1024**2  # of address space, including the program itself; the largest pictures take 280 MB
CPU_S = 20
RESULT_BYTES = 64 * 1024**2
MEGAPIXELS = {"JPEG": 200, "PNG": 24, "WEBP": 16, "HEIF": 24}  # a JPEG is shrunk while it is decoded
SKETCH_SIDE = 80
MEGA = 1_000_000

# The highest bit rates of sound, per second: MPEG-1 Layer III; two channels of AAC (ISO/IEC 14496-3: 6,144 bits a
# channel and frame, at 48 kHz); Opus (RFC 6716). Of pictures: H.264 at level 5.2.
MP3_BPS, AAC_BPS, OPUS_BPS, VIDEO_BPS = 320_000, 576_000, 510_000, 240_000_000
PADDED_S = 0.08  # encoders lengthen sound by about three frames, which nobody is charged for
MOST_FPS = 61  # a clip with more is not what people send, but has a falsified length
FRAMED = 0.9  # share of an MP3 file without its tags that must be frames, or it is something else
PCM = (1, 3, 6, 7)  # WAV formats whose bytes tell the length: integers, floats, A-law and µ-law
MP3_HEAD = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][^\xff]", re.DOTALL)  # Layer III of MPEG 2.5, 2 and 1
MP3_KBPS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
MP3_RATES = {3: (44100, 48000, 32000, 0), 2: (22050, 24000, 16000, 0), 0: (11025, 12000, 8000, 0)}
OPUS_MS = (*(10, 20, 40, 60) * 3, *(10, 20) * 2, *(2.5, 5, 10, 20) * 4)  # of a frame, by configuration (RFC 6716, 3.1)
MATROSKA = b"\x1aE\xdf\xa3"
ADTS = (b"\xff\xf0", b"\xff\xf1", b"\xff\xf8", b"\xff\xf9")
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # that MP4 and QuickTime files begin with


class TooLarge(Exception):
    """A picture with more pixels than are decoded."""


class Unreadable(Exception):
    """Of no supported format, or incomplete."""


def main(work, path, result=None):
    """Do one piece of work and report the outcome."""
    limit()
    try:
        told = {"jpeg": to_jpeg, "sketch": to_sketch, "length": length}[work](path, result)
    except (TooLarge, MemoryError):
        told = {"outcome": "too_large"}
    except Exception as error:  # whatever a decoder raises: all of it means that the file cannot be read
        told = {"outcome": "unreadable", "why": f"{type(error).__name__}: {error}"[:200]}
    os.write(1, json.dumps(told).encode())
    os._exit(0)  # so that no more of a decoder runs


def limit():
    """Limit this process's resources; where the system does not enforce that, limits on pixels and time remain."""
    try:
        import resource
    except ImportError:  # Windows has none
        return
    wanted = {"AS": MEMORY_BYTES, "CPU": CPU_S, "FSIZE": RESULT_BYTES, "CORE": 0}
    for name, value in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            try:
                resource.setrlimit(kind, (value, value))
            except (ValueError, OSError):
                continue  # macOS refuses a limit on address space below what is in use
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # if memory runs out anyway, this process is killed and not the bot
    except OSError:
        pass


# pictures


def opened(path):
    """Open a picture of a supported format, reading only its header, and check its size."""
    from PIL import Image, ImageFile

    Image.MAX_IMAGE_PIXELS = None  # our own bounds are tighter, and are checked below
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with open(path, "rb") as file:
        head = file.read(30)
    if head[4:8] == b"ftyp":
        import pi_heif

        pi_heif.options.DECODE_THREADS = 1
        pi_heif.options.THUMBNAILS = False
        pi_heif.register_heif_opener()
        formats = ["HEIF"]
    elif head[:4] == b"RIFF":
        check_pixels("WEBP", *_webp_size(head))  # Pillow allocates the memory for the whole picture when it opens one
        formats = ["WEBP"]
    else:
        formats = ["JPEG", "PNG"]
    picture = Image.open(path, formats=formats)
    check_pixels(picture.format, *picture.size)
    return picture


def check_pixels(form, width, height):
    """Raise TooLarge for more pixels than are decoded in this format."""
    if width * height > MEGAPIXELS[form] * MEGA:
        raise TooLarge


def _webp_size(head):
    """Return the width and height of a WebP file as its first 30 bytes say (RFC 9649)."""
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    raise Unreadable("not WebP")


def to_jpeg(path, result):
    """Write the picture as JPEG, upright."""
    from PIL import ImageOps

    picture = opened(path)
    if picture.format == "JPEG":  # under another name; it is what is wanted
        shutil.copyfile(path, result)
        return {"outcome": "done"}
    picture.load()
    if picture.format == "WEBP":
        picture._decoder = picture.fp = None  # it keeps three copies of the picture
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    picture.save(result, "JPEG", quality=92)
    return {"outcome": "done"}


def to_sketch(path, result):
    """Write the picture as SKETCH_SIDE × SKETCH_SIDE levels of grey."""
    from PIL import Image, ImageOps

    picture = opened(path)
    if picture.format == "JPEG":
        picture.draft("L", (4 * SKETCH_SIDE, 4 * SKETCH_SIDE))
    grey = ImageOps.exif_transpose(ImageOps.grayscale(picture))
    with open(result, "wb") as file:
        file.write(grey.resize((SKETCH_SIDE, SKETCH_SIDE), Image.Resampling.BOX).tobytes())
    return {"outcome": "done"}


# lengths: the count decides, and a header that says less is not believed


def length(path, _result):
    """Return the seconds of a recording or a clip, by its frames, packets or bytes."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        seconds = wav_seconds(data)
    elif data[:4] == b"OggS":
        seconds = opus_seconds(data)
    elif data[:4] == MATROSKA or data[4:8] in BOXES or data[:2] in ADTS:
        seconds = container_seconds(data)
    else:
        seconds = mp3_seconds(data)
    if not 0 < seconds < 10 * 86400:
        raise Unreadable("no length")
    return {"outcome": "done", "seconds": math.ceil(1000 * seconds - 0.001) / 1000}


def wav_seconds(data):
    """Return how long the bytes after the header of the sound last, whatever sizes it states."""
    at, found = 12, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt " and found is None:
            found = data[at + 8 : at + 8 + min(size, 40)]
        if name == b"data":
            break
        at += 8 + size + size % 2
    if found is None or len(found) < 16 or at + 8 > len(data):
        raise Unreadable("WAV without its format or its sound")
    kind, channels, rate = (int.from_bytes(found[a:b], "little") for a, b in ((0, 2), (2, 4), (4, 8)))
    bits = int.from_bytes(found[14:16], "little")
    if kind == 0xFFFE and len(found) >= 26:  # the real one is in the extension
        kind = int.from_bytes(found[24:26], "little")
    if kind not in PCM or not (channels and rate and bits):
        raise Unreadable(f"WAV of kind {kind}")
    return (len(data) - at - 8) * 8 / (rate * channels * bits)


def mp3_seconds(data):
    """Return the length of an MP3 file, counted frame by frame; Xing and VBRI headers are ignored."""
    start, end = _untagged(data)
    at, framed, samples = start, 0, {}
    while (found := MP3_HEAD.search(data, at, end)) is not None:
        head = _mp3_frame(data, found.start(), end)
        if head is None:
            at = found.start() + 1
            continue
        size, count, rate = head
        samples[rate] = samples.get(rate, 0) + count
        at, framed = found.start() + size, framed + size
    if not samples or framed < FRAMED * (end - start):
        raise Unreadable("not MP3 from end to end")
    return max(unpadded(sum(count / rate for rate, count in samples.items())), 8 * framed / MP3_BPS)


def unpadded(seconds):
    """Return the minimum length of sound before it was encoded."""
    return max(seconds - PADDED_S, seconds / 2)


def _untagged(data):
    """Return where the sound begins and ends: between the tags ID3v2 and ID3v1."""
    start, end = 0, len(data)
    while data[start : start + 3] == b"ID3" and len(data) >= start + 10:
        size = 0
        for byte in data[start + 6 : start + 10]:
            size = size << 7 | byte & 127
        start += size + 10
    if data[-128:-125] == b"TAG":
        end -= 128
    return start, max(start, end)


def _mp3_frame(data, at, end):
    """Return (bytes, samples, rate) of the frame at a position, or None if there is none; another one must follow."""
    head = _mp3_head(data, at)
    if head is None:
        return None
    after = at + head[0]
    if after + 4 <= end and _mp3_head(data, after) is None and data[after : after + 3] not in (b"TAG", b"APE"):
        return None
    return min(head[0], end - at), head[1], head[2]


def _mp3_head(data, at):
    if at + 4 > len(data) or not MP3_HEAD.match(data, at):
        return None
    version, third = data[at + 1] >> 3 & 3, data[at + 2]
    kbps, rate = MP3_KBPS[version == 3][third >> 4], MP3_RATES[version][third >> 2 & 3]
    if not (kbps and rate):
        return None
    samples = 1152 if version == 3 else 576
    return samples // 8 * kbps * 1000 // rate + (third >> 1 & 1), samples, rate


def opus_seconds(data):
    """Return the length of an Ogg Opus file by its packets; the times stated on its pages are ignored."""
    at, ms, packets = 0, 0, 0
    open_packet = b""
    while (at := data.find(b"OggS", at)) >= 0 and at + 27 <= len(data):
        count = data[at + 26]
        place = at + 27 + count
        for size in data[at + 27 : place]:
            if len(open_packet) < 8:
                open_packet += data[place : place + min(size, 8)]
            place += size
            if size < 255 and open_packet:
                packets += 1
                if packets == 1 and not open_packet.startswith(b"OpusHead"):
                    raise Unreadable("Ogg of something else than Opus")
                if not open_packet.startswith((b"OpusHead", b"OpusTags")):
                    ms += _opus_ms(open_packet)
                open_packet = b""
        at = max(place, at + 27)
    if not ms:
        raise Unreadable("Ogg without sound")
    return max(unpadded(ms / 1000), 8 * len(data) / OPUS_BPS)


def _opus_ms(packet):
    code = packet[0] & 3
    frames = (1, 2, 2)[code] if code < 3 else packet[1] & 63 if len(packet) > 1 else 0
    return frames * OPUS_MS[packet[0] >> 3]


def container_seconds(data):
    """Return the length of an MP4, QuickTime, Matroska or ADTS file: the longest of all counts and claims in it."""
    from pymediainfo import MediaInfo

    tracks = MediaInfo.parse(io.BytesIO(data), parse_speed=1, full=True).tracks
    general = tracks[0].to_data()
    if general.get("format") not in ("MPEG-4", "Matroska", "WebM", "ADTS"):
        raise Unreadable(f"{general.get('format')} is not on the list")
    found = [track.to_data() for track in tracks if track.track_type in ("Video", "Audio")]
    videos = [track for track in found if track["track_type"] == "Video"]
    sounds = [track for track in found if track["track_type"] == "Audio"]
    if not found or (not videos and any(track.get("format") not in ("AAC", "Opus") for track in sounds)):
        raise Unreadable("neither a clip nor sound of a kind on the list")
    claims = [_claimed(track) for track in [general, *found]]
    counted = [_counted_sound(track) for track in sounds]
    longest = max(*claims, *counted, 0)
    for track in videos:
        if _count(track) > MOST_FPS * max(longest, 1):
            raise Unreadable(f"{_count(track)} pictures in {longest:.1f} s")
    most = VIDEO_BPS if videos else max(AAC_BPS, *(AAC_BPS / 2 * _number(track.get("channel_s")) for track in sounds))
    return max(longest, 8 * _bytes_of_sound(data) / most)


def _number(value):
    """Return MediaInfo's value as a number: the first one in `48000 / 24000`, 0 if there is none."""
    found = re.match(r"[\d.]+", str(value or ""))
    return float(found[0]) if found else 0


def _claimed(track):
    """Return the length a track claims; for sound, not the one without the edit list, which is too long."""
    names = ("duration",) if track["track_type"] == "Audio" else ("duration", "source_duration")
    return max(_number(track.get(name)) for name in names) / 1000


def _count(track):
    return max(_number(track.get(name)) for name in ("frame_count", "source_frame_count"))


def _counted_sound(track):
    rate = _number(track.get("sampling_rate"))
    return unpadded(_count(track) * _number(track.get("samples_per_frame")) / rate) if rate else 0


def _bytes_of_sound(data):
    """Return the size of a file without the box that may hold a cover."""
    at, rest = 0, len(data)
    if data[4:8] not in BOXES:
        return rest
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            break
        if name == b"moov":
            rest -= min(size, len(data) - at)
        at += size
    return max(rest, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
