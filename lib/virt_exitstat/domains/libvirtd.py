"""Running domains by name, UUID or id, over a read-only connection. The door to libvirt."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..errors import ExitStatError, NotFoundError
from ..host.needs.foreign import importing
from ..host.needs.packages import Need, start_hint
from ..targets.selection import guess_duration
from ..targets.target import Domain
from ..text import escape
from .uri import check_uri, is_alias

#: A watched daemon is asked for a sign of life every so many seconds, and so many may be missing.
_ALIVE_EVERY_S, _ALIVE_TIMES = 2, 2


class NoAnswerError(ExitStatError):
    """libvirt did not answer, or with an error."""


def open_connection(uri: str, *, events: bool = False) -> Any:
    """Open a read-only `virConnect` to this host's QEMU driver; with `events`, one that can be watched.

    Raises ExitStatError when the URI is of another host or hypervisor, NoAnswerError when libvirt does not answer.
    """
    if is_alias(uri):
        uri = _resolve_alias(uri)
    check_uri(uri)
    libvirt = _import_libvirt()
    if events:
        _run_event_loop()
    try:
        return libvirt.openReadOnly(uri)
    except libvirt.libvirtError as error:
        raise _explain(error, f"cannot connect to libvirt at {escape(uri)}") from None


def close_connection(connection: Any, watch: int | None = None) -> None:
    """Close it; `watch` is what watch_domains() gave. Waits for the daemon."""
    libvirt = _import_libvirt()
    with contextlib.suppress(libvirt.libvirtError):
        # A callback holds the connection open.
        if watch is not None:
            connection.domainEventDeregisterAny(watch)
    with contextlib.suppress(libvirt.libvirtError):
        connection.close()


def run_directory(connection: Any, root: Path) -> Path:
    """The directory where the connected libvirt keeps the status file of each running domain."""
    uri = urlsplit(_uri_of(connection))
    socket = parse_qs(uri.query).get("socket")
    if uri.path != "/session":
        # A socket that is not in the usual place is a container's, and the status files are beside it.
        beside = Path(socket[0]).parent / "qemu" if socket else None
        return beside if beside and beside.is_dir() else root / "run/libvirt/qemu"
    if socket:
        return Path(socket[0]).parent / "qemu/run"
    # As in libvirt's virGetUserRuntimeDirectory: the cache directory stands in when there is no runtime directory.
    runtime = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(runtime, "libvirt/qemu/run")


def running_domains(connection: Any) -> tuple[Domain, ...]:
    """Every running (or paused) domain, by name."""
    libvirt = _import_libvirt()
    try:
        found = [
            Domain(name=domain.name(), uuid=domain.UUIDString(), id=domain.ID())
            for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        ]
    except libvirt.libvirtError as error:
        raise _explain(error, "cannot list the running domains") from None
    # A domain that has ended since the list was made has no id any more.
    return tuple(sorted((domain for domain in found if domain.id >= 0), key=lambda domain: domain.name))


def find_domains(connection: Any, wanted: Sequence[str]) -> tuple[Domain, ...]:
    """The running domains that are named, each once, in the order given.

    A name is matched first, then a UUID, then an id. Raises NotFoundError for one that does not run.
    """
    running = running_domains(connection)
    found: dict[str, Domain] = {}
    for word in wanted:
        matches = (
            [domain for domain in running if domain.name == word]
            or [domain for domain in running if domain.uuid == word.lower()]
            or [domain for domain in running if str(domain.id) == word]
        )
        if not matches:
            raise _not_running(connection, word, running)
        found[matches[0].uuid] = matches[0]
    return tuple(found.values())


def vcpu_numbers(connection: Any, domain: Domain) -> tuple[int, ...]:
    """The numbers of a running domain's vCPUs that are plugged in; none when it has ended.

    Unlike libvirt's status files, which only root may read, this is told to everyone who may connect.
    """
    libvirt = _import_libvirt()
    try:
        infos, _ = connection.lookupByUUIDString(domain.uuid).vcpus()
    except libvirt.libvirtError:
        return ()
    return tuple(sorted(info[0] for info in infos))


def describe_domain(connection: Any, domain: Domain) -> tuple[str, bool | None]:
    """The live XML of a running domain, and whether libvirt works on it: a migration, a dump; None: not known.

    A read-only connection is told all but passwords. Raises NoAnswerError.
    """
    libvirt = _import_libvirt()
    try:
        found = connection.lookupByUUIDString(domain.uuid)
        xml = str(found.XMLDesc(0))
    except libvirt.libvirtError as error:
        raise _explain(error, f"cannot ask for the domain {escape(domain.name)}") from None
    job = None
    with contextlib.suppress(libvirt.libvirtError):
        job = found.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE
    return xml, job


def watch_domains(connection: Any, changed: Callable[[], None]) -> int | None:
    """Have `changed` called, in another thread, whenever a domain starts, ends or comes and goes by migration.

    What close_connection() wants; None where events cannot be had. A daemon that does not answer for long counts as
    gone from here on.
    """
    libvirt = _import_libvirt()
    watch: int | None = None
    with contextlib.suppress(libvirt.libvirtError):
        watch = connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *_event: changed(), None
        )
        connection.setKeepAlive(_ALIVE_EVERY_S, _ALIVE_TIMES)
    return watch


def describe_address(connection: Any) -> str:
    """The URI that is connected to, as it is shown."""
    return escape(_uri_of(connection))


def _uri_of(connection: Any) -> str:
    libvirt = _import_libvirt()
    try:
        return str(connection.getURI())
    except libvirt.libvirtError as error:
        raise _explain(error, "cannot ask libvirt for its URI") from None


def _resolve_alias(name: str) -> str:
    # Opening it is the only way to have libvirt say what libvirt.conf has there. It may be a driver in our own process,
    # which refuses to run without an event loop: so this comes before there is one.
    libvirt = _import_libvirt()
    try:
        connection = libvirt.openReadOnly(name)
        uri = str(connection.getURI())
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_CONNECT:
            return name  # libvirt.conf does not have it
        raise _explain(error, f"cannot connect to libvirt at {name}") from None
    close_connection(connection)
    return uri


def _run_event_loop() -> None:
    # Libvirt tells of events in a thread of its own; what was connected before this tells of none.
    global _event_loop
    libvirt = _import_libvirt()
    if not _event_loop:
        libvirt.virEventRegisterDefaultImpl()
        _event_loop = threading.Thread(target=_run_events, name="libvirt events", daemon=True)
        _event_loop.start()


def _run_events() -> None:
    libvirt = _import_libvirt()
    with contextlib.suppress(libvirt.libvirtError):
        while True:
            libvirt.virEventRunDefaultImpl()


def _not_running(connection: Any, word: str, running: Sequence[Domain]) -> NotFoundError:
    libvirt = _import_libvirt()
    try:
        inactive = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE)
        named = [domain.name() for domain in inactive if word == domain.name() or word.lower() == domain.UUIDString()]
    except libvirt.libvirtError as error:
        raise _explain(error, "cannot list the domains") from None
    if named:
        return NotFoundError(
            f"domain '{escape(word)}' is not running",
            f"start it with: virsh start {escape(shlex.quote(named[0]))}",
        )
    if not running:
        return NotFoundError(
            f"no running domain named '{escape(word)}'",
            f"no domain runs at {describe_address(connection)}; -c names another URI",
        )
    import difflib  # only here: completion asks often, and this takes a while to import

    names = {domain.name.casefold(): domain.name for domain in running}
    close = difflib.get_close_matches(word.casefold(), names, n=1)
    seconds = guess_duration(word)
    if word.replace(".", "", 1).isdigit():
        mean = "a DURATION in seconds stands at the end; "
    elif seconds:
        mean = f"did you mean {seconds}? A DURATION is in seconds; "
    else:
        mean = f"did you mean '{escape(names[close[0]])}'? " if close else ""
    return NotFoundError(f"no running domain named '{escape(word)}'", f"{mean}'virt-exitstat --list' shows them all")


def _explain(error: Any, what: str) -> NoAnswerError:
    libvirt = _import_libvirt()
    said = escape(str(error.get_error_message() or error))
    if error.get_error_code() in (
        libvirt.VIR_ERR_AUTH_FAILED,
        libvirt.VIR_ERR_AUTH_CANCELLED,
        libvirt.VIR_ERR_AUTH_UNAVAILABLE,
    ):
        return NoAnswerError(f"{what}: permission refused: {said}", "run as root, or join the group libvirt")
    if "Permission denied" in said:
        return NoAnswerError(f"{what}: {said}", "run as root, or join the group libvirt")
    if "Failed to connect socket" in said:
        return NoAnswerError(
            f"{what}: its daemon is not running ({said})",
            f"start it with '{start_hint('libvirtd')}' (or virtqemud.socket); processes without libvirt: --pid",
        )
    # Without a system bus or a polkit agent, an ordinary user is refused in many words.
    hint = "run as root, or join the group libvirt" if os.geteuid() else "does 'virsh list' work with the same URI?"
    return NoAnswerError(f"{what}: {said}", hint)


_libvirt: Any = None
_event_loop: threading.Thread | None = None


def _import_libvirt() -> Any:
    global _libvirt
    if _libvirt is None:
        with importing("libvirt", Need.LIBVIRT, hint="processes without libvirt: --pid"):
            _libvirt = importlib.import_module("libvirt")
        # libvirt prints each error on stderr by itself unless it is given a handler.
        _libvirt.registerErrorHandler(lambda _context, _error: None, None)
    return _libvirt
