"""What installing and packaging say of the program is what the program is."""

import re
from pathlib import Path

from virt_exitstat import __version__
from virt_exitstat.packages import Need, install_hint

TREE = Path(__file__).resolve().parents[2]


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
