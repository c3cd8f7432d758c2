"""identity: names from QEMU's arguments and nova's metadata; whatever stands there, nothing is raised."""

import pytest

from fake_host import GUEST01
from virt_exitstat.domains.identity import named_by_qemu, read_nova
from virt_exitstat.targets.nova import NovaNames

#: As nova writes it (nova/virt/libvirt/config.py), cut to what is read and some that is not.
METADATA = """
<metadata>
  <other:thing xmlns:other="http://example.org/1"><other:name>not this</other:name></other:thing>
  <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
    <nova:package version="25.0.0"/>
    <nova:name>my &lt;shop&gt; ü</nova:name>
    <nova:creationTime>2026-11-20 08:00:00</nova:creationTime>
    <nova:flavor name="m1.small"><nova:memory>2048</nova:memory></nova:flavor>
    <nova:owner>
      <nova:user uuid="u-1">admin</nova:user>
      <nova:project uuid="p-1">demo</nova:project>
    </nova:owner>
    <nova:ports><nova:port uuid="x"><nova:ip type="fixed" address="10.0.0.2"/></nova:port></nova:ports>
  </nova:instance>
</metadata>
"""


def status(metadata):
    return f"<domstatus pid='100'><vcpus/><domain type='kvm'><name>guest01</name>{metadata}</domain></domstatus>"


def test_novas_names_are_read_from_the_status_file(host):
    host.add_status_text(status(METADATA))
    assert read_nova(GUEST01, host.run_dir) == NovaNames("my <shop> ü", "m1.small", "demo", "p-1", "admin", "u-1")


@pytest.mark.parametrize(
    "text",
    [
        status(""),
        status("<metadata/>"),
        status("<metadata><name>no nova</name></metadata>"),
    ],
)
def test_where_nova_wrote_nothing_its_names_are_empty(host, text):
    host.add_status_text(text)
    assert read_nova(GUEST01, host.run_dir) == NovaNames()


@pytest.mark.parametrize(
    "text",
    [
        "<domstatus pid='1",
        "",
        "\0",
        '<?xml version="1.0" encoding="nonsense"?><a/>',
    ],
)
def test_a_file_that_cannot_be_read_says_nothing(host, text):
    host.add_status_text(text)
    assert read_nova(GUEST01, host.run_dir) is None


def test_a_file_that_is_not_there_says_nothing(host):
    assert read_nova(GUEST01, host.run_dir) is None


def add_arguments(host, *words):
    host.add_process(100)
    (host.proc / "100/cmdline").write_bytes(b"\0".join(words) + b"\0")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([b"-name", b"guest=web01,debug-threads=on", b"-uuid", b"u1"], ("web01", "u1")),
        ([b"-name", b"debug-threads=on,guest=a,,b,process=x"], ("a,b", "")),
        ([b"-name", b"web01"], ("web01", "")),
        ([b"-name", b"web01,process=x"], ("web01", "")),
        ([b"-name", b"guest=a=b"], ("a=b", "")),
        ([b"--name", b"web01", b"--uuid", b"u1"], ("web01", "u1")),
        ([b"-name", b"guest=caf\xe9"], ("caf\udce9", "")),
        ([b"-name", b"process=x"], ("", "")),
        ([b"-name"], ("", "")),
        ([b"-uuid", b"u1"], ("", "u1")),
        ([b""], ("", "")),
    ],
)
def test_qemus_own_name(host, words, names):
    add_arguments(host, b"qemu", *words)
    assert named_by_qemu(100, host.root) == names


def test_a_process_that_has_gone_has_no_name(host):
    assert named_by_qemu(100, host.root) == ("", "")
