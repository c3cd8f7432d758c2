"""Clients that scrape an exporter again and again: what is served is parsed as Prometheus does, and may only grow."""

import threading
import time
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from kvm_host import wait_until


class Life(NamedTuple):
    """A domain from its start to its end: its process."""

    domain: str
    uuid: str
    pid: str


class Scrape:
    """What was served once. `began_s` is when it was asked for: all that was counted before is in it."""

    def __init__(self, text, began_s=0.0):
        families = list(text_string_to_metric_families(text))
        self.began_s = began_s
        self._counters = [one for family in families if family.type == "counter" for one in family.samples]
        self._gauges = [one for family in families if family.type == "gauge" for one in family.samples]
        infos = [one for one in self._gauges if one.name == "kvm_domain_info"]
        self._lives = {_who(one): Life(*_who(one), one.labels["pid"]) for one in infos}
        self.lives = frozenset(self._lives.values())
        self.pids = {int(life.pid) for life in self.lives}
        assert len(self._lives) == len(infos), "two lives have the same labels"

    def counters(self):
        """{(life or None, name, other labels): value} of all counters."""
        return {self._key(one): one.value for one in self._counters}

    def of(self, pid, name):
        """{other labels: value} of one life, as {("HLT",): 3}, or {("HLT", "0"): 3} with --per-vcpu."""
        found = self.counters().items()
        return {
            rest: value for (life, called, rest), value in found if called == name and life and life.pid == str(pid)
        }

    def exits(self, pid):
        """{reason: exits} of one life."""
        return {reason: int(value) for (reason,), value in self.of(pid, "kvm_exits_total").items()}

    def gauge(self, name):
        """The value of a gauge that has one."""
        (value,) = [one.value for one in self._gauges if one.name == name]
        return value

    def vcpus(self, pid):
        """How many vCPUs of one life are counted."""
        of = [one for one in self._gauges if one.name == "kvm_domain_vcpus"]
        (value,) = [one.value for one in of if self._lives[_who(one)].pid == str(pid)]
        return value

    def lost(self):
        """Exits that are in no other metric."""
        return sum(one.value for one in self._counters if one.name == "virt_exitstat_lost_exits_total")

    def _key(self, sample):
        who = _who(sample)
        rest = tuple(value for label, value in sorted(sample.labels.items()) if label not in ("domain", "uuid"))
        return self._lives[who] if who else None, sample.name, rest


def _who(sample):
    """The labels of its domain, None when it is of none."""
    labels = sample.labels
    return (labels["domain"], labels["uuid"]) if "domain" in labels else None


class Floor:
    """What has been served up to now: no later scrape may say less of a life, whoever asks."""

    def __init__(self):
        self._lock = threading.Lock()
        self._values = {}

    def now(self):
        """What a scrape that begins now must reach."""
        return self._values

    def check(self, scrape, floor):
        """Hold a scrape to it, and raise it."""
        served = scrape.counters()
        lives = {None, *scrape.lives}
        for key, value in floor.items():
            if key[0] in lives:
                assert served.get(key, -1) >= value, f"a counter fell: {key} from {value} to {served.get(key)}"
        with self._lock:
            higher = {key: max(value, self._values.get(key, value)) for key, value in served.items()}
            self._values = {**{key: value for key, value in self._values.items() if key[0] in lives}, **higher}


class Scraper(threading.Thread):
    """Scrapes an exporter every `period_s`, until it is stopped or something is wrong: then `error` says what."""

    def __init__(self, exporter, floor, *, period_s, gzipped):
        super().__init__(daemon=True)
        self._exporter, self._floor, self._period_s, self._gzipped = exporter, floor, period_s, gzipped
        self._ends, self._may_scrape = threading.Event(), threading.Lock()
        self.last, self.error, self.scrapes, self.longest_s = None, None, 0, 0.0

    def run(self):
        due_s = time.monotonic()
        while not self._ends.wait(max(0.0, due_s - time.monotonic())):
            with self._may_scrape:
                try:
                    self._scrape()
                except Exception as error:
                    self.error = error
                    return
            due_s = max(due_s + self._period_s, time.monotonic())

    def _scrape(self):
        floor = self._floor.now()
        began_s = time.monotonic()
        scrape = Scrape(self._exporter.fetch(gzipped=self._gzipped), began_s)
        self.longest_s = max(self.longest_s, time.monotonic() - began_s)
        self._floor.check(scrape, floor)
        assert scrape.lost() == 0, f"{scrape.lost()} exits were lost"
        self.last, self.scrapes = scrape, self.scrapes + 1

    def paused(self):
        """A context in which it scrapes nothing."""
        return self._may_scrape

    def stop(self):
        """End it, and wait for its end."""
        self._ends.set()
        self.join()


def wait_for_scrapes(scrapers, true, what):
    """Wait until each scraper has a scrape, begun after this call, of which `true` holds; these scrapes."""
    since_s = time.monotonic()

    def all_have_it():
        for scraper in scrapers:
            assert not scraper.error, f"a scraper ended: {scraper.error!r}"
        scrapes = [scraper.last for scraper in scrapers]
        return all(one and one.began_s > since_s and true(one) for one in scrapes) and scrapes

    found = []
    wait_until(lambda: found.append(all_have_it()) or found[-1], what)
    return found[-1]
