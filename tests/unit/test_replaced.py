"""replaced: a reader finds the old text or the new one; what cannot be written spoils neither."""

import os

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.run.replaced import ReplacedFile


@pytest.fixture()
def said():
    return []


@pytest.fixture()
def path(tmp_path):
    return tmp_path / "textfiles/exits.prom"


@pytest.fixture()
def file(path, said):
    path.parent.mkdir()
    with ReplacedFile(path, said.append) as one:
        yield one


def test_each_text_stands_there_alone_for_everyone_to_read(file, path, said):
    before = os.umask(0o077)
    try:
        for text in (b"first " * 100_000, b"second"):
            file.write_first(text)
            assert path.read_bytes() == text
            assert path.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
    assert [one.name for one in path.parent.iterdir()] == ["exits.prom"]
    assert said == []


def test_who_has_opened_the_old_one_reads_it_to_its_end(file, path):
    file.write(b"old")
    with open(path, "rb") as reader:
        file.write(b"new")
        assert reader.read() == b"old"


def test_it_is_gone_in_the_end(path, said):
    path.parent.mkdir()
    with ReplacedFile(path, said.append) as one:
        one.write(b"x")
    assert [*path.parent.iterdir()] == []


def test_another_ones_file_is_left_to_him(path, said):
    path.parent.mkdir()
    with ReplacedFile(path, said.append) as one:
        one.write(b"x")
        (path.parent / "other").write_bytes(b"his")
        (path.parent / "other").rename(path)
    assert path.read_bytes() == b"his"


def test_another_ones_file_is_left_to_him_also_with_the_inode_of_ours(path, said):
    """ext4 gives the number of a file that is gone to one of the next."""
    path.parent.mkdir()
    for _ in range(50):
        with ReplacedFile(path, said.append) as one:
            one.write(b"x")
            for text in (b"his", b"his next"):
                (path.parent / "other").write_bytes(text)
                (path.parent / "other").rename(path)
        assert path.read_bytes() == b"his next"


def test_what_cannot_be_written_first_is_an_error(path, said):
    one = ReplacedFile(path, said.append)
    with refuses(ExitStatError, f"cannot write {path}: No such file or directory"):
        one.write_first(b"x")


def test_a_directory_that_vanishes_and_comes_back_is_said_once_each(file, path, said):
    file.write(b"one")
    path.unlink()
    path.parent.rmdir()
    file.write(b"two")
    file.write(b"three")
    assert len(said) == 1
    assert said[0].startswith(f"cannot write {path}: No such file or directory; counting goes on")
    path.parent.mkdir()
    file.write(b"four")
    assert path.read_bytes() == b"four"
    assert said[1:] == [f"{path} is written again"]


def test_where_there_is_no_room_the_old_text_stays_whole_and_no_other_is_left(file, path, said, monkeypatch):
    file.write(b"old")
    real = os.fchmod

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    file.write(b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in path.parent.iterdir()] == ["exits.prom"]
    assert said[0].startswith(f"cannot write {path}: No space left on device")
    monkeypatch.setattr(os, "fchmod", real)
    file.write(b"new")
    assert path.read_bytes() == b"new"


def test_only_a_regular_file_is_replaced(tmp_path, said):
    (tmp_path / "link.prom").symlink_to("/etc/passwd")
    for path in (tmp_path, tmp_path / "link.prom"):
        with refuses(ExitStatError, f"{path} is not a regular file"):
            ReplacedFile(path, said.append)


def test_a_name_that_the_collector_does_not_read_is_said(tmp_path, said):
    ReplacedFile(tmp_path / "exits.txt", said.append)
    assert said == [f"node_exporter reads only files whose names end in .prom, and not {tmp_path}/exits.txt"]
