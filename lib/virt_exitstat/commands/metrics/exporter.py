"""The exporter: a session's readings added up, and who its domains are, as metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from ...arguments.requests import Counting
from ...domains.identity import named_by_qemu, read_nova
from ...metrics.families import Collected, Identity, make_families, name_domains
from ...metrics.family import Family
from ...metrics.garbage import no_search_for_cycles
from ...metrics.totals import Totals, add_reading
from ...metrics.wanted import Wanted
from ...run.session import Session
from ...targets.target import Target
from ...world import World
from ..opening import Found, open_session


@contextlib.contextmanager
def open_exporter(found: Found, counting: Counting, wanted: Wanted, world: World) -> Iterator[Exporter]:
    """An exporter of the targets found, not started yet. As open_session()."""
    # The wait for a CPU is in no metric, and a file to read for each vCPU.
    with open_session(found, counting, world, waits=False) as session:
        yield Exporter(session, found, world, wanted, timed=counting.timed)


class Exporter:
    """Metrics of a session. Counters begin at 0 with start() and only grow, whoever reads them, and however often.

    It stands before the session in a run: what is due there is taken, not reported.
    """

    def __init__(self, session: Session, found: Found, world: World, wanted: Wanted, *, timed: bool) -> None:
        self._session, self._found, self._world, self._wanted, self._timed = session, found, world, wanted, timed
        self._totals = Totals()
        self._identities: dict[tuple[int, int], Identity] = {}
        self._seconds = 0.0

    def start(self) -> None:
        """Attach; counters begin at 0 here."""
        self._session.start()

    def fileno(self) -> int:
        """As Session.fileno()."""
        return self._session.fileno()

    def refresh(self) -> None:
        """As Session.refresh()."""
        self._session.refresh()

    def keep_house(self) -> None:
        """As Session.keep_house()."""
        self._session.keep_house()

    @no_search_for_cycles()
    def report(self, *, last: bool = False) -> None:
        """Read what was counted since the last time, and add it up; with `last`, counting ends."""
        began_s = self._world.clock.monotonic_s()
        self._totals = add_reading(
            self._totals,
            self._session.read(last=last),
            self._session.reason_name,
            self._session.is_gone,
            per_vcpu=self._wanted.per_vcpu,
            histogram=self._wanted.histogram,
        )
        self._identities = {process: self._identify(domain.target) for process, domain in self._totals.domains.items()}
        self._seconds = self._world.clock.monotonic_s() - began_s

    @no_search_for_cycles()
    def families(self, *, ended: bool = False) -> tuple[Family, ...]:
        """Metrics of all that was read; with `ended`, also of domains that had ended when it was read last."""
        return make_families(
            Collected(
                self._totals,
                name_domains(self._totals, self._identities, ended=ended),
                self._timed,
                self._wanted,
                self._found.source.libvirt_up if self._found.follows else None,
                self._seconds,
            )
        )

    def _identify(self, target: Target) -> Identity:
        # Names are looked up once, while the process runs: later nobody can tell them.
        identity = self._identities.get(target.process) or self._name(target)
        domain, run_dir = target.domain, self._found.run_dir
        if self._wanted.domain_info and domain and run_dir and not identity.nova:
            identity = replace(identity, nova=read_nova(domain, run_dir))
        return identity

    def _name(self, target: Target) -> Identity:
        if target.domain:
            return Identity(target.domain.name, target.domain.uuid)
        name, uuid = named_by_qemu(target.pid, self._world.root)
        return Identity(name or target.label, uuid)
