"""Headers that bcc did not find, hidden, gone or in part: what is said, by what it said and what the host shows."""

import os

import pytest
from refusals import refuses

from virt_exitstat.host.needs.headers import HeadersError, explain_headers

RELEASE = os.uname().release

#: What bcc says without headers, seen with 0.26; behind it stands what it raises.
NONE = (
    f"modprobe: FATAL: Module kheaders not found in directory /lib/modules/{RELEASE}\n"
    f"chdir(/lib/modules/{RELEASE}/build): No such file or directory\n"
    "Unable to find kernel headers. Try rebuilding kernel with CONFIG_IKHEADERS=m (module) or installing the kernel "
    "development package for your running kernel version.\n"
    "Failed to compile BPF module b'/usr/share/virt-exitstat/bpf/exitstat.bpf.c'"
)

#: What clang says when a file is missing among them.
PART = (
    "In file included from <built-in>:5:\nIn file included from ./include/linux/kconfig.h:5:\n"
    "include/linux/types.h:6:10: fatal error: 'uapi/linux/types.h' file not found\n#include <uapi/linux/types.h>\n"
    "1 error generated.\nFailed to compile BPF module <text>"
)


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch):
    monkeypatch.delenv("BCC_KERNEL_SOURCE", raising=False)


@pytest.fixture()
def debian(host):
    host.add_file("etc/os-release", "ID=debian\n")
    host.add_file("proc/modules", "kvm_amd 1 0 - Live 0x0\n")
    return host


def modules_of(host):
    directory = host.root / "lib/modules" / RELEASE
    directory.mkdir(parents=True)
    return directory


def explained(said, host, *words):
    """The hint of what is said, the message of which holds the words."""
    with refuses(HeadersError, *words) as caught:
        raise explain_headers(said, host.root)
    return caught.value.hint


def test_what_is_not_about_headers_is_left_to_others(host):
    assert explain_headers("/virtual/main.c:3:1: error: unknown type name 'x'", host.root) is None
    assert explain_headers("could not open bpf map: rows, error: Operation not permitted", host.root) is None


def test_none_at_all_names_their_package(debian):
    directory = modules_of(debian)
    hint = explained(NONE, debian, f"no headers of the running kernel {RELEASE} in {directory}")
    assert hint == f"install it with 'apt install linux-headers-{RELEASE}', then try again"


def test_a_link_that_leads_nowhere_says_where_to(debian):
    (modules_of(debian) / "build").symlink_to("/usr/src/linux-headers-gone")
    hint = explained(NONE, debian, f"no headers of the running kernel {RELEASE}")
    assert "apt install linux-headers" in hint and "a container needs" in hint and "/usr/src/linux-headers-gone" in hint


@pytest.mark.parametrize("name", ["build", "source"])
def test_headers_in_part_are_incomplete_and_the_file_is_named(debian, name):
    (modules_of(debian) / name / "include").mkdir(parents=True)
    hint = explained(PART, debian, "are incomplete: there is no uapi/linux/types.h", RELEASE)
    assert f"'apt reinstall linux-headers-{RELEASE}'" in hint and "depends on" in hint


def test_a_directory_without_headers_in_it_holds_none(debian):
    (modules_of(debian) / "build").mkdir()
    explained(PART, debian, "no headers of the running kernel")


@pytest.mark.parametrize("hide", ["absent", "empty", "file", "loop"])
def test_a_hidden_directory_is_not_to_be_installed(debian, hide):
    """ProtectKernelModules= of a unit puts an empty directory over it, a container has none."""
    (debian.root / "lib").mkdir()
    directory = debian.root / "lib/modules"
    if hide == "empty":
        directory.mkdir()
    elif hide == "file":
        directory.write_text("")
    elif hide == "loop":
        directory.symlink_to("modules")
    hint = explained(NONE, debian, f"{directory} is hidden from this process")
    assert "ProtectKernelModules=" in hint and "/usr/src" in hint and "install" not in hint


def test_after_an_upgrade_a_reboot_helps(debian):
    (debian.root / "lib/modules/99.9").mkdir(parents=True)
    hint = explained(NONE, debian, f"{debian.root}/lib/modules/{RELEASE} is gone")
    assert "reboot" in hint.lower()


@pytest.mark.parametrize("modules", ["", None])
def test_a_kernel_without_modules_hides_nothing(debian, modules):
    (debian.root / "proc/modules").unlink()
    if modules is not None:
        debian.add_file("proc/modules", modules)
    assert "apt install" in explained(NONE, debian, "no headers of the running kernel")


def test_headers_that_could_not_be_unpacked_ask_for_room(debian):
    modules_of(debian)
    tar = "tar: include/linux/fs.h: Cannot write: No space left on device"
    hint = explained(f"{tar}\ntar: Exiting\n{NONE}", debian, "could not unpack", tar)
    assert "room" in hint and "apt install" in hint
    debian.add_file("sys/kernel/kheaders.tar.xz", "")
    assert "room" in explained(NONE, debian, "could not unpack", "below /tmp")


def test_a_choice_of_the_user_is_named(debian, monkeypatch):
    monkeypatch.setenv("BCC_KERNEL_SOURCE", "/nowhere")
    hint = explained(NONE, debian, "$BCC_KERNEL_SOURCE is /nowhere")
    assert "leave it unset" in hint
