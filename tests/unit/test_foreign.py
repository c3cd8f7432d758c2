"""foreign: a package that is missing is told from one that is there and broken, whatever is broken in it."""

import errno
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from refusals import refuses

from virt_exitstat.errors import ExitStatError
from virt_exitstat.host.needs.foreign import importing
from virt_exitstat.host.needs.packages import Need

CHECKOUT = Path(__file__).resolve().parents[2]

#: How a package of that name can be broken: what stands in it, and what of it is to be quoted.
BROKEN = {
    "a library is missing": ("import ctypes; ctypes.CDLL('libnothing.so.0')", "OSError: libnothing.so.0: cannot open"),
    "of another version": (
        "raise ImportError('libx.so.1: undefined symbol: f')",
        "ImportError: libx.so.1: undefined symbol: f",
    ),
    "a part is missing": ("from odd_package import _odd", "ImportError: cannot import name '_odd'"),
    "what it needs is missing": ("import needed_by_odd", "ModuleNotFoundError: No module named 'needed_by_odd'"),
    "an attribute is missing": ("import sys; sys.no_such_thing", "AttributeError: module 'sys' has no attribute"),
    "half a file": ("def f(:", "SyntaxError: "),
    "not text": ("\0", ": "),
    "whatever": ("raise KeyError('x\\x1b[2J')", "KeyError: 'x"),
    "without words": ("raise ImportError", "ImportError"),
}


@pytest.fixture()
def package(tmp_path, monkeypatch):
    """Write a package `odd_package` of that text."""
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda text: (tmp_path / "odd_package.py").write_text(text)
    sys.modules.pop("odd_package", None)


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_package_is_not_called_missing_and_says_what_it_said(package, how):
    text, quoted = BROKEN[how]
    package(text)
    with (
        refuses(ExitStatError, "odd_package is installed but broken: ", quoted) as caught,
        importing("odd_package", Need.BCC, hint="more"),
    ):
        importlib.import_module("odd_package")
    assert caught.value.hint.startswith("install it again") and sys.executable in caught.value.hint
    assert caught.value.hint.endswith("; more")
    assert caught.value.__cause__, "--debug shows it"


def test_a_missing_package_is_called_missing():
    with refuses(ExitStatError) as caught, importing("odd_package", Need.RICH, hint="more"):
        importlib.import_module("odd_package")
    assert str(caught.value) == "no Python module odd_package"
    assert caught.value.hint.startswith("install it") and "again" not in caught.value.hint
    assert caught.value.hint.endswith("; more")


def test_a_part_of_a_package_that_is_there_is_not_a_missing_package(package):
    package("")
    with refuses(ExitStatError, "installed but broken"), importing("odd_package", Need.RICH):
        importlib.import_module("odd_package.console")


def test_few_descriptors_are_not_the_packages_fault(package):
    package("raise OSError(24, 'Too many open files')")
    with pytest.raises(OSError) as caught, importing("odd_package", Need.RICH):
        importlib.import_module("odd_package")
    assert caught.value.errno == errno.EMFILE


DOORS = {
    "bcc": "from virt_exitstat.kernel.program import _import_bcc as door",
    "libvirt": "from virt_exitstat.domains.libvirtd import _import_libvirt as door",
    "tabulate": "from virt_exitstat.formats.aligned import import_tabulate as door",
    "rich": "from virt_exitstat.live.paint import import_rich as door",
}


@pytest.mark.parametrize("module", DOORS)
@pytest.mark.parametrize("text", ["raise OSError('libodd.so.0: cannot open')", "raise AttributeError('odd')", "def"])
def test_every_door_tells_them_apart(tmp_path, module, text):
    (tmp_path / f"{module}.py").write_text(text)
    program = f"import sys; sys.path[:0] = ['lib', {str(tmp_path)!r}]; {DOORS[module]}; door()"
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert f"ExitStatError: the Python module {module} is installed but broken: " in done.stderr, done.stderr


def test_a_bcc_without_bpf_is_another_package(tmp_path):
    (tmp_path / "bcc.py").write_text("'A body-centred cubic lattice, as on PyPI.'")
    program = f"import sys; sys.path[:0] = ['lib', {str(tmp_path)!r}]; {DOORS['bcc']}; door()"
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert "finds no BPF compiler collection (module bcc)" in done.stderr
