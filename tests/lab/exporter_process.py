"""An exporter that runs in the lab, and what it takes of the host."""

import gzip
import http.client
import os
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

from kvm_host import CHECKOUT


class Exporter:
    """A virt-exitstat that serves metrics of `arguments`; attached when made."""

    def __init__(self, *arguments):
        command = [CHECKOUT / "virt-exitstat", *arguments, "--listen", "0", "--domain-info"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        ready = self._process.stderr.readline()
        found = re.search(r"served at http://(\S+):(\d+)/metrics", ready)
        assert found, ready + self._process.stderr.read()
        self._host, self._port = found[1], int(found[2])
        self._proc = Path("/proc", str(self._process.pid))

    def fetch(self, *, gzipped=False):
        """The metrics of now, by a connection of its own: the exporter keeps none open."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=60)
        try:
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"} if gzipped else {})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        assert response.status == 200, body
        if gzipped:
            assert response.getheader("Content-Encoding") == "gzip"
            body = gzip.decompress(body)
        return body.decode()

    def memory_kb(self):
        """Its memory: resident, of that its own (not of a file), and its share of what others have mapped as well."""
        text = (self._proc / "status").read_text() + (self._proc / "smaps_rollup").read_text()
        return {name: int(re.search(rf"\b{name}:\s+(\d+)", text)[1]) for name in ("VmRSS", "RssAnon", "Pss")}

    def cpu_s(self):
        """CPU seconds that it took since it was started."""
        user, system = (self._proc / "stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        """How many of each kind: `{"socket": 2, "anon_inode:bpf-map": 9}`."""
        kinds = Counter()
        for link in (self._proc / "fd").iterdir():
            try:
                kinds[re.sub(r":\[\d+\]$", "", str(link.readlink()))] += 1
            except FileNotFoundError:  # closed meanwhile
                continue
        return kinds

    def connections(self):
        """The inodes of its clients' connections that it has not closed yet."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ours = f":{self._port:04X}"
        # 0A listens; a connection that is closed on this side has no inode.
        return {line[9] for line in lines if line[1].endswith(ours) and line[3] != "0A" and line[9] != "0"}

    def threads(self):
        """The names of its threads."""
        return sorted((task / "comm").read_text().strip() for task in (self._proc / "task").iterdir())

    def stop(self):
        """End it by SIGTERM; its status, and what it said since it was ready."""
        self._process.send_signal(signal.SIGTERM)
        said = self._process.communicate(timeout=60)[1]
        return self._process.returncode, said

    def kill(self):
        """End it without giving it a chance, if it still runs; what it said and nobody has read."""
        if self._process.stderr.closed:
            return ""
        self._process.kill()
        return self._process.communicate()[1]
