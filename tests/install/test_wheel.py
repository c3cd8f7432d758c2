"""The wheel: built without a network, installed in a venv that sees the distribution's Python packages."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from clean_root import CHECKOUT
from file_trees import files_below
from virt_exitstat import __version__


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: what setuptools leaves behind is not for the checkout."""
    copy, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    files = run("git", "-C", CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, files):
        if (CHECKOUT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((CHECKOUT / name).read_bytes())
    run("make", "-s", "-C", copy, "wheel", f"DIST={dist}")
    (built,) = dist.iterdir()
    return built


@pytest.fixture(scope="module")
def venv(wheel, tmp_path_factory):
    """A venv with the wheel in it; pip may ask nobody, so it must be content with the distribution's packages."""
    home = tmp_path_factory.mktemp("venv")
    run("/usr/bin/python3", "-m", "venv", "--system-site-packages", home)
    run(home / "bin/pip", "install", "--disable-pip-version-check", "--no-index", wheel)
    return home


def test_its_command_runs(venv):
    assert run(venv / "bin/virt-exitstat", "--version") == f"virt-exitstat {__version__}\n"


def test_everything_of_make_install_is_in_it(venv, tmp_path):
    run("make", "-s", "-C", CHECKOUT, "install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    by_make = {
        path.relative_to(tmp_path / "usr")
        for path in tmp_path.rglob("*")
        if path.is_file() and "virt-exitstat/lib" not in str(path)
    }
    assert Path("share/man/man8/virt-exitstat.8") in by_make
    assert [path for path in sorted(by_make) if not (venv / path).is_file()] == []


def test_every_module_is_in_it_and_nothing_else(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("virt_exitstat/")}
    assert inside == {f"virt_exitstat/{path}" for path in files_below(CHECKOUT / "lib/virt_exitstat")}


def test_the_kernel_program_is_found(venv):
    script = "from virt_exitstat.kernel.source import find_program; print(find_program())"
    assert run(venv / "bin/python", "-c", script).strip() == str(venv / "share/virt-exitstat/bpf/exitstat.bpf.c")


def test_a_venv_of_its_own_is_told_how_to_see_bcc(wheel, tmp_path):
    run("/usr/bin/python3", "-m", "venv", tmp_path)
    run(tmp_path / "bin/pip", "install", "--disable-pip-version-check", "--no-index", "--no-deps", wheel)
    script = "from virt_exitstat.kernel import program; program._import_bcc()"
    done = subprocess.run([tmp_path / "bin/python", "-c", script], capture_output=True, text=True, check=False)
    assert "finds no BPF compiler collection" in done.stderr
    listed = subprocess.run([tmp_path / "bin/virt-exitstat", "--list"], capture_output=True, text=True, check=False)
    assert listed.stderr.startswith("virt-exitstat: no Python module libvirt\nhint: ")
    assert "--system-site-packages" in listed.stderr
