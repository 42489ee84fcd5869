"""What a start keeps beside the bytecode: read once until something changes, and never wrongly."""

import os
import shutil
import sys
import uuid

import pytest

from storage.base import disk_cache
from tests.kit import ROOT


@pytest.fixture
def folder():
    """A folder inside the project that git does not see."""
    made = ROOT / "__pycache__" / f"test-{uuid.uuid4().hex}"
    made.mkdir(parents=True)
    yield made
    shutil.rmtree(made)
    for kept in (ROOT / "__pycache__").glob(f"{made.name}*"):
        kept.unlink()


@pytest.fixture
def read(folder):
    """Return a function that reads a file of the project through the cache; `read.times` counts how often it really did."""
    source = folder / "source.txt"
    source.write_text("one")

    def through_cache(files=(source,)):
        def really():
            through_cache.times += 1
            return {"said": source.read_text(), "words": frozenset({"a"}), "forms": ("x", None, 1)}

        return disk_cache.kept(folder.name, files, really)

    through_cache.times, through_cache.source = 0, source
    return through_cache


def kept_files(folder):
    return list((ROOT / "__pycache__").glob(f"{folder.name}*.kept"))


def test_what_was_read_is_not_read_again(read):
    first = read()
    assert read() == first == {"said": "one", "words": frozenset({"a"}), "forms": ("x", None, 1)}
    assert read.times == 1


def test_it_is_read_again_once_a_file_has_changed_even_to_one_of_the_same_length_and_time(read):
    read()
    before = read.source.stat()
    read.source.write_text("two")
    os.utime(read.source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read()["said"] == "two" and read.times == 2


def test_it_is_read_again_when_another_file_joins(read, folder):
    read()
    (folder / "more.txt").write_text("")
    read((read.source, folder / "more.txt"))
    assert read.times == 2


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_file_is_read_by_nobody(read, folder, damage):
    read()
    (file,) = kept_files(folder)
    file.write_bytes(file.read_bytes()[:-3] if damage is None else damage)
    assert read()["said"] == "one" and read.times == 2
    read()
    assert read.times == 2, "and it is whole again"


def test_files_elsewhere_are_not_kept(read, folder, tmp_path):
    (tmp_path / "texts.txt").write_text("")
    for _ in range(2):
        read((read.source, tmp_path / "texts.txt"))
    assert read.times == 2 and not kept_files(folder)


def test_nothing_is_written_where_python_writes_no_bytecode(read, folder, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert read() == read() and read.times == 2 and not kept_files(folder)


def test_what_cannot_be_read_is_said_each_time_and_nothing_is_kept(folder):
    (folder / "source.txt").write_text("one")

    def refuse():
        raise ValueError("line 3: want msgid")

    for _ in range(2):
        with pytest.raises(ValueError, match="line 3"):
            disk_cache.kept(folder.name, [folder / "source.txt"], refuse)
    assert not kept_files(folder)
