"""A pid that is given out again while counting is another process: its exits are nobody's who had the pid before."""

import subprocess
import sys

from kvm_host import CHECKOUT, Run, virsh, wait_until, work_for

# Takes a pid and, in it, a tid, as soon as the kernel gives them out; then lets a small KVM guest take 6,000 exits.
_TAKE_IDS = """
import os, sys, threading
from guest import Guest

def next_id(wanted):
    with open("/proc/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(wanted - 1))

def exits():
    if threading.get_native_id() == tid:
        guest = Guest()
        for _ in range(3):
            guest.ticks_per_exit()
        print("taken", flush=True)

pid, tid = map(int, sys.argv[1:])
while True:
    next_id(pid)
    child = os.fork()
    if not child:
        break
    os.waitpid(child, 0)
    if child == pid:
        sys.exit()
for _ in range(1000 * (os.getpid() == pid)):
    next_id(tid)
    thread = threading.Thread(target=exits)
    thread.start()
    thread.join()
    if thread.native_id == tid:
        break
os._exit(0)
"""


def take_ids(pid, tid):
    done = subprocess.run(
        [sys.executable, "-c", _TAKE_IDS, str(pid), str(tid)],
        env={"PYTHONPATH": str(CHECKOUT / "tests/bench")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "taken\n", done.stderr


def test_exits_of_a_process_that_took_a_domains_ids_are_not_the_domains(suspended):
    """The pid and the vCPU thread's id are used again before the tool looks at processes for a report."""
    (guest02,) = suspended("guest02")
    pid, tids, before = guest02.pid(), guest02.tids(), guest02.exits()
    runs = [Run("guest02"), Run("guest02", "-i", "600"), Run("--pid", str(pid)), Run("--pid", "all")]
    work_for([guest02])
    exits = guest02.exits() - before
    virsh("destroy", "guest02")
    wait_until(lambda: subprocess.run(["kill", "-0", str(pid)], capture_output=True).returncode, "the pid is free")
    take_ids(pid, tids[0])
    reports = [run.stop() for run in runs]
    virsh("start", "guest02")
    tables = [
        [table for heading, table in report.items() if "guest02: " in heading or f"pid {pid}: " in heading]
        for report in reports
    ]
    assert [table["total"] for (table,) in tables[:3]] == [exits] * 3
    # Where every process is counted, the one that took the ids is counted as another.
    of_guest02, of_other = sorted(tables[3], key=lambda table: table["total"] != exits)
    assert of_guest02["total"] == exits
    assert of_other["CPUID"] == 6000
