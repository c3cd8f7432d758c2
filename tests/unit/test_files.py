"""files: whatever keeps a file from being read is one of our errors, which names it."""

import errno
import os

import pytest
from refusals import refuses

from virt_exitstat.host.files import AbsentFileError, HostFileError, explain_file, is_there, list_names, read_text


def spoil(path, how):
    """Put something in the file's place that root cannot read either."""
    if how == "directory":
        path.mkdir()
    elif how == "loop":
        path.symlink_to(path.name)
    else:
        path.parent.rmdir()
        path.parent.write_text("")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("directory", "Is a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("below a file", "Not a directory"),
    ],
)
def test_what_stands_in_a_files_place_is_said(tmp_path, how, said):
    path = tmp_path / "sys/kernel"
    path.parent.mkdir()
    spoil(path, how)
    with refuses(HostFileError, f"cannot read {path}: {said}"):
        read_text(path)


def test_a_missing_file_is_told_from_one_that_is_refused(tmp_path):
    with refuses(AbsentFileError, f"{tmp_path}/none is missing"):
        read_text(tmp_path / "none")
    with refuses(AbsentFileError, f"{tmp_path}/none is missing"):
        list_names(tmp_path / "none")
    assert not is_there(tmp_path / "none")


def test_a_process_that_ended_meanwhile_is_a_missing_file(tmp_path):
    assert type(explain_file(tmp_path, OSError(errno.ESRCH, "No such process"))) is AbsentFileError


def test_too_few_descriptors_are_no_fault_of_the_file(tmp_path):
    hint = explain_file(tmp_path, OSError(errno.EMFILE, "Too many open files"), "mount it").hint
    assert "ulimit -n" in hint


@pytest.mark.parametrize(("euid", "advice"), [(0, "SELinux"), (1000, "run as root")])
def test_root_is_not_told_to_be_root(monkeypatch, tmp_path, euid, advice):
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    error = explain_file(tmp_path, PermissionError(errno.EACCES, "Permission denied"))
    assert str(error) == f"permission denied reading {tmp_path}"
    assert advice in error.hint
    assert ("run as root" in error.hint) == bool(euid)


def test_a_name_with_nul_is_an_error_too(tmp_path):
    with refuses(HostFileError, "cannot read", r"a\x00b"):
        read_text(tmp_path / "a\0b")
    assert not is_there(tmp_path / "a\0b")


def test_text_is_utf_8_in_every_locale(tmp_path):
    (tmp_path / "file").write_bytes("gäst".encode() + b"\xff")
    assert read_text(tmp_path / "file") == "gäst\udcff"
