"""Installing and packaging carry the whole program, its version, its dependencies and its pages."""

import re
import subprocess
from pathlib import Path

import pytest

from file_trees import files_below
from virt_exitstat import __version__
from virt_exitstat.host.needs.packages import Need, install_hint

TREE = Path(__file__).resolve().parents[2]
PAGES = sorted([*TREE.glob("*.md"), *TREE.glob("docs/**/*.md")])


def test_make_install_carries_the_package_with_all_its_folders_and_nothing_older(tmp_path):
    installed = tmp_path / "usr/share/virt-exitstat/lib/virt_exitstat"
    installed.mkdir(parents=True)
    (installed / "of_an_older_version.py").touch()
    subprocess.run(["make", "-s", "-C", TREE, "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], check=True)
    assert files_below(installed) == files_below(TREE / "lib/virt_exitstat")
    assert {path.stat().st_mode & 0o777 for path in installed.rglob("*") if path.is_file()} == {0o644}


def test_every_folder_of_the_package_is_a_package():
    """The wheel carries packages; a folder without `__init__.py` is none."""
    folders = {path.parent for path in (TREE / "lib/virt_exitstat").rglob("*.py")}
    assert [folder.name for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_of_the_documentation_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_the_readme_leads_to_every_page():
    links = re.findall(r"\]\(([^)#]+)", (TREE / "README.md").read_text())
    assert {f"docs/{path}" for path in files_below(TREE / "docs")} <= set(links)


def test_the_debian_package_has_the_programs_version():
    latest = (TREE / "debian/changelog").read_text().splitlines()[0]
    assert re.fullmatch(rf"virt-exitstat \({re.escape(__version__)}\) \S+; urgency=\w+", latest)


def test_the_debian_package_brings_what_the_errors_tell_to_install(tmp_path):
    """Each package that a hint names is a dependency, a recommendation or a suggestion."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=debian\n")
    hints = [install_hint(need, tmp_path) for need in Need if need is not Need.HEADERS]
    named = {re.search("'apt install ([\\w-]+)'", hint).group(1) for hint in hints}
    assert {"python3-bpfcc", "python3-libvirt", "python3-tabulate"} <= named
    assert named <= set(re.findall(r"^ ([\w-]+)[, ]", (TREE / "debian/control").read_text(), re.MULTILINE))
