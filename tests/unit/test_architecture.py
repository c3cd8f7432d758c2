"""What can drift: doors, names, sizes, formatting, types, completions."""

import ast
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from required import give_up
from shells import SHELLS, Shell
from virt_exitstat.formats.known import FORMATS

TREE = Path(__file__).resolve().parents[2]
PACKAGE = TREE / "lib/virt_exitstat"
MODULES = sorted(PACKAGE.rglob("*.py"))


def place(module):
    """Where a module lies below the package: two folders may each have a `table.py`."""
    return module.relative_to(PACKAGE).as_posix()


def every_module(check):
    """One test of all modules: a test for each takes as long as all that it does."""

    @functools.wraps(check)
    def test():
        for module in MODULES:
            try:
                check(module)
            except AssertionError as error:
                raise AssertionError(f"{place(module)}: {error}") from error

    # pytest would ask the check for its arguments.
    del test.__wrapped__
    return test


def imports(tree):
    """The top-level names of what a module imports, in whatever way."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            # The name is a literal, or this test could not tell.
            yield ast.literal_eval(node.args[0]).partition(".")[0]


def called(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)


@functools.lru_cache(None)
def parse(module):
    return ast.parse(module.read_text())


def run(*command):
    """Run a tool in the tree; its output is the failure's message."""
    done = subprocess.run(command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def find_tool(name):
    found = shutil.which(name, path=os.pathsep.join([str(TREE / ".venv/bin"), os.environ.get("PATH", os.defpath)]))
    if not found:
        give_up(
            f"no {name} in .venv/bin or PATH: install it with 'python3 -m venv .venv; .venv/bin/pip install {name}'"
        )
    return found


# -- the code --


@pytest.mark.parametrize(
    ("package", "door"),
    [
        ("libvirt", "domains/libvirtd.py"),
        ("bcc", "kernel/program.py"),
        ("tabulate", "formats/aligned.py"),
        ("rich", "live/paint.py"),
        ("prometheus_client", "metrics/exposition.py"),
        ("termios", "live/terminal.py"),
    ],
)
def test_each_foreign_package_has_one_door(package, door):
    assert [place(module) for module in MODULES if package in imports(parse(module))] == [door]


def test_all_else_that_is_imported_is_pythons_own():
    foreign = {"libvirt", "bcc", "tabulate", "rich", "prometheus_client"}
    names = {name for module in MODULES for name in imports(parse(module))} - foreign
    assert "argparse" in names
    assert [name for name in sorted(names) if not is_pythons_own(name)] == []


def is_pythons_own(name):
    # sys.stdlib_module_names came with Python 3.10.
    spec = importlib.util.find_spec(name)
    return bool(spec) and not {"dist-packages", "site-packages"} & set(Path(spec.origin or "").parts)


@every_module
def test_only_cli_exits(module):
    tree = parse(module)
    exits = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) in ("exit", "_exit", "quit")
    ]
    exits += [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "SystemExit"]
    assert bool(exits) == (place(module) == "cli.py"), f"{place(module)}: lines {exits}"


@every_module
def test_only_one_module_prints(module):
    """print(file=sys.stderr) prints to stdout where stderr is closed, and a failed write is met again at exit."""
    tree = parse(module)
    prints = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "print"]
    prints += [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) in ("sys.stdout", "sys.stderr")
        and node.func.attr in ("write", "writelines")
    ]
    assert prints == [], f"{place(module)}: lines {prints}; host/streams.py prints"


@every_module
def test_every_module_says_what_it_is(module):
    docstring = ast.get_docstring(parse(module))
    assert docstring
    assert docstring.splitlines()[0].endswith(".")


# -- the wings --


def map_of_the_house():
    """CONTRIBUTING's {wing: what happens there}, from the top: a wing imports only what stands below it."""
    text = (TREE / "CONTRIBUTING.md").read_text()
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE))


def wing(place):
    """A folder, or a module that stands alone."""
    return place.partition("/")[0].replace(".py", "")


def imported_places(module):
    """What of the package a module imports, wherever in it: paths below the package."""
    package = module.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            above = PACKAGE.joinpath(*filter(None, base))
            for name in [alias.name for alias in node.names]:
                found = [path for path in (above / f"{name}.py", above.with_suffix(".py")) if path.exists()]
                yield place(found[0]) if found else place(above / "__init__.py")


def test_the_map_shows_every_wing_and_says_what_it_is():
    wings = {wing(place(module)) for module in MODULES} - {"__init__"}
    assert set(map_of_the_house()) == wings
    for name, what in map_of_the_house().items():
        folder = PACKAGE / name
        module = folder / "__init__.py" if folder.is_dir() else PACKAGE / f"{name}.py"
        assert ast.get_docstring(parse(module)).splitlines()[0] == what


@every_module
def test_imports_between_wings_go_down(module):
    order = [*map_of_the_house()]
    own = wing(place(module))
    others = {wing(other) for other in imported_places(module)} - {own, "__init__"}
    assert [other for other in sorted(others) if order.index(other) < order.index(own)] == []


def test_a_folder_is_neither_a_street_nor_a_single_room():
    folders = [module.parent for module in MODULES if module.parent != PACKAGE and module.name != "__init__.py"]
    assert {place(folder): rooms for folder, rooms in Counter(folders).items() if not 3 <= rooms <= 8} == {}


def test_values_and_the_command_line_reach_no_door():
    """Neither a foreign package nor a file of the host is behind them, however far one looks."""
    imported = {place(module): set(imported_places(module)) for module in MODULES}
    doors = {name for name in imported if wing(name) in ("host", "domains", "kernel", "live", "web", "run", "commands")}
    doors |= {"isa/host.py", "formats/aligned.py", "metrics/exposition.py"}
    wings = (
        *("targets", "isa", "counts", "advice", "names", "reports", "metrics", "comparisons", "formats", "recordings"),
        "arguments",
    )
    values = [name for name in imported if wing(name) in wings]
    assert len(values) > 20
    for name in set(values) - doors:
        reached, further = set(), {name}
        while further:
            reached |= further
            further = {other for one in further for other in imported[one]} - reached
        assert reached & doors == set(), f"{name} reaches {sorted(reached & doors)}"


def test_no_module_is_a_drawer():
    stems = {path.stem for part in ("lib", "tests") for path in (TREE / part).rglob("*.py")}
    assert "cli" in stems
    assert stems & {"utils", "util", "common", "helpers", "helper", "misc"} == set()


# -- tools --


def test_the_tree_is_formatted():
    run(find_tool("ruff"), "format", "--check", ".")


def test_the_linter_has_nothing_to_say():
    run(find_tool("ruff"), "check", ".")


def test_types_are_right():
    run(find_tool("mypy"))


# -- what must move together --


def options_of_help():
    text = run(sys.executable, str(TREE / "virt-exitstat"), "--help")
    # An option's line has two spaces before it; the examples are no option lines.
    lines = re.findall(r"^  (-.*?)(?:  .*)?$", text, re.MULTILINE)
    return sorted({option for line in lines for option in re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", line)})


def test_help_shows_the_options():
    # A second witness for the test below, which would be content with no option at all.
    assert {"-h", "--help", "-d", "--domain", "--vcpu", "-a", "--per-vcpu", "--list", "--version"} <= set(
        options_of_help()
    )


@pytest.mark.parametrize("kind", SHELLS)
def test_each_shell_offers_formats_behind_a_recording_and_files_behind_a_comparison(kind, tmp_path):
    (tmp_path / "home").mkdir()
    shell = Shell(kind, tmp_path / "home", TREE / "virt-exitstat")
    (tmp_path / "night.json").touch()
    formats, files = (shell.offers(line) for line in ("--replay x ", f"--compare x {tmp_path}/n"))
    shell.close()
    assert sorted(set(formats)) == sorted(FORMATS)
    assert files == [f"{tmp_path}/night.json"]


@pytest.mark.parametrize("kind", SHELLS)
def test_each_shell_completes_exactly_the_options(kind, tmp_path):
    shell = Shell(kind, tmp_path, TREE / "virt-exitstat")
    offered = shell.offers("-")
    shell.close()
    assert sorted(set(offered)) == sorted(set(options_of_help()))
