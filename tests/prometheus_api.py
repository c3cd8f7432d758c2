"""A Prometheus that runs: what it is asked and what it answers."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(directory, configuration, *, until, program="prometheus"):
    """A Prometheus on loopback that keeps its files in `directory`, as soon as `until(prometheus)` holds.

    `configuration` is the YAML of its file. The data are in `directory`/data, where there may be some already.
    """
    (directory / "prometheus.yml").write_text(configuration)
    options = {
        "config.file": directory / "prometheus.yml",
        "storage.tsdb.path": directory / "data",
        "web.listen-address": "127.0.0.1:0",
    }
    with open(directory / "log", "w") as log:
        server = subprocess.Popen([program, *(f"--{name}={value}" for name, value in options.items())], stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not ((port := _listening_port(server.pid)) and _holds(until, Prometheus(f"http://127.0.0.1:{port}"))):
            assert server.poll() is None and time.monotonic() < deadline, (directory / "log").read_text()[-3000:]
            time.sleep(0.1)
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait()


def _holds(condition, prometheus):
    try:
        return condition(prometheus)
    except OSError:
        return False


def _listening_port(pid):
    """The port of IPv4's loopback on which the process listens, or None."""
    sockets = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
            return int(words[1].partition(":")[2], 16)
    return None


class Prometheus:
    """The server at `url`."""

    def __init__(self, url):
        self.url = url

    def ask(self, what, **query):
        """The `data` of an answer of its API; a query that it refuses is a ValueError with its words.

        Raises OSError as long as it is not ready.
        """
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(query, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            if refused.headers.get_content_type() != "application/json":
                raise
            raise ValueError(json.load(refused)["error"]) from None

    def query(self, expr, at_s=None):
        """The samples that an instant query finds: [(labels, value)]; of a range [(labels, [(time in s, value)])]."""
        found = self.ask("query", query=expr, **({} if at_s is None else {"time": at_s}))["result"]
        return [
            (one["metric"], float(one["value"][1]) if "value" in one else [(t, float(v)) for t, v in one["values"]])
            for one in found
        ]

    def rules(self):
        """Each rule as it was last evaluated."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
