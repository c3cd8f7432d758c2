"""The live view in a real pseudo-terminal: what a user sees, and every way out."""

import os
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from pty_screen import PtyScreen

DRIVER = [sys.executable, Path(__file__).with_name("live_driver.py")]
NAMES = ("guest01", "guest02:3")

#: An interval that is over at once, and one that is never over.
SHORT, NEVER = "0.02", "1000"


class Live(PtyScreen):
    """live_driver.py, its commands and its reports."""

    def __init__(self, *names, interval=SHORT, columns=80, lines=24, **options):
        commands, self._commands = os.pipe()
        self._reports, reports = os.pipe()
        driver = [*DRIVER, str(commands), str(reports), interval, *(names or NAMES)]
        super().__init__(driver, columns, lines, pass_fds=(commands, reports), **options)
        os.close(commands)
        os.close(reports)

    def __exit__(self, *_):
        super().__exit__()
        os.close(self._commands)
        os.close(self._reports)

    def command(self, text):
        os.write(self._commands, f"{text}\n".encode())

    def wait_for_reports(self, count):
        """So many more reports have been made."""
        self._read_reports()
        seen = 0

        def enough():
            nonlocal seen
            seen += len(self._read_reports())
            return seen >= count

        self.wait_for(enough)

    def _read_reports(self):
        return os.read(self._reports, 65536) if select.select([self._reports], [], [], 0)[0] else b""

    def ends_well(self):
        assert self.wait_for_end() == 0
        assert self.is_restored
        assert self.after_leaving == "ended well\n"


def fits(screen, title="exits/s"):
    """The screen is whole: a title in the first line, the keys in the last, nothing twice."""
    return title in screen.lines[0] and "q quit" in screen.lines[-1] and screen.text.count("q quit") == 1


# -- what is on it --


def test_domains_reasons_rates_bars_and_history_at_80x24():
    with Live() as live:
        live.wait_for("VMMCALL")
        assert live.is_alternate and fits(live)
        assert live.lines[0].startswith("virt-exitstat  ")
        assert live.lines[1].split()[:5] == ["domain", "vCPUs", "count", "exits/s", "share"]
        guest01, guest02 = live.lines[2].split(), live.lines[3].split()
        assert guest01[:2] == ["guest01", "2"] and guest02[:2] == ["guest02", "3"]
        assert live.lines[6].split()[:2] == ["reason", "count"]
        live.wait_for(lambda: "██" in live.lines[7][66:])  # a history of more than one interval
        live.send("q")
        live.ends_well()


def test_before_the_first_interval_is_over_it_says_so():
    with Live(interval=NEVER) as live:
        live.wait_for("the first figures come after")
        live.send("q")
        live.ends_well()


def test_keys_change_the_view_at_once():
    with Live() as live:
        live.wait_for("VMMCALL")
        live.send("\x1b[B")
        live.wait_for("guest02: vCPUs 0-2")
        live.send("d")
        live.wait_for(lambda: "guest02: vCPU 0" in live.text and "d domains" in live.lines[-1])
        live.send("s")
        live.wait_for("sort: count")
        live.send("\x1bOA")
        live.wait_for("guest01: vCPU 1")
        live.send("d")
        live.wait_for("guest01: vCPUs 0-1")
        live.send("Q")
        live.ends_well()


def test_pause_freezes_the_screen_and_counts_go_on():
    with Live("guest01:1") as live:
        live.wait_for("VMMCALL")
        live.send("p")
        live.wait_for(lambda: "PAUSED" in live.lines[0] and "p resume" in live.lines[-1])
        frozen = live.text
        count = int(live.lines[2].split()[2])
        live.command("lose")
        live.wait_for_reports(5)
        while live.read(0):
            pass
        assert live.text == frozen
        live.send("p")
        live.wait_for(lambda: "p pause" in live.lines[-1])
        assert "PAUSED" not in live.lines[0] and "lost 7" in live.lines[0]
        assert int(live.lines[2].split()[2]) >= count + 4 * 1000
        live.send("q")
        live.ends_well()


def test_domains_come_and_go():
    with Live() as live:
        live.wait_for("guest01: vCPUs 0-1")
        live.command("+[red]日本語")
        live.wait_for("[red]日本語")
        live.command("-guest01")
        live.wait_for(lambda: "guest01" not in live.text)
        live.command("-guest02:3\n-guest02\n-[red]日本語")
        live.wait_for("no running domain")
        live.send("q")
        live.ends_well()


def test_it_fits_at_once_after_a_resize():
    # The interval is long: nothing but the resize can have it drawn again.
    with Live(interval=NEVER) as live:
        live.wait_for("the first figures")
        for size in ((40, 10), (200, 60), (80, 24), (20, 5)):
            live.resize(*size)
            live.wait_for(lambda: fits(live, title="every 17 min"))
        live.send("q")
        live.ends_well()


@pytest.mark.parametrize(("columns", "lines"), [(40, 10), (200, 60)])
def test_every_size_shows_domains_and_reasons(columns, lines):
    with Live(*(f"guest{n:02}" for n in range(30)), "日本語" * 20, columns=columns, lines=lines) as live:
        live.wait_for("MSR")
        assert fits(live)
        assert "guest00" in live.text and "CPUID" in live.text
        live.send("\x1b[F")
        live.wait_for("日本語")
        assert fits(live)
        live.send("q")
        live.ends_well()


def test_a_terminal_without_unicode_gets_ascii():
    with Live("guest01", "日本語", env={"PYTHONIOENCODING": "ascii"}) as live:
        live.wait_for("VMMCALL")
        assert live.raw.isascii()
        assert "\\u65e5" in live.text and "####" in live.text
        live.send("q")
        live.ends_well()


# -- the ways out --


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_end_it_and_the_terminal_is_restored(number):
    with Live() as live:
        live.wait_for("VMMCALL")
        live.kill(number)
        live.ends_well()


@pytest.mark.parametrize("key", ["\x03", "\x1c"])
def test_keys_that_make_signals_end_it(key):
    with Live(interval=NEVER) as live:
        live.wait_for("the first figures")
        live.send(key)
        live.ends_well()


def test_it_ends_when_its_time_is_over():
    with Live(interval="0.02,0.1") as live:
        live.ends_well()
        # VMMCALL stands in every other report only, and on a busy machine there is but one.
        assert "VINTR" in live.text


def test_an_error_of_the_source_is_shown_on_the_normal_screen():
    with Live() as live:
        live.wait_for("VMMCALL")
        live.command("raise")
        assert live.wait_for_end() == 1
        assert live.is_restored
        assert live.after_leaving == ("said before the end\nvirt-exitstat: the source is out of order\nhint: mend it\n")


def test_a_terminal_that_has_gone_ends_it():
    with Live() as live:
        live.wait_for("VMMCALL")
        live.hang_up()
        assert live.process.wait(20) == 0


@pytest.mark.parametrize("descriptors", ["0", "1100"])
def test_sigterm_is_heard_while_the_terminal_takes_nothing(descriptors):
    with Live(interval=NEVER, env={"DESCRIPTORS": descriptors}) as live:
        live.wait_for("q quit")  # the last line: the whole screen has been drawn
        termios.tcflow(live.slave, termios.TCOOFF)
        live.send("p")
        live.wait_for(lambda: not live.unread_keys)  # it draws next, or tries to
        live.kill(signal.SIGTERM)
        live.wait_for(lambda: live.attributes() == live.attributes_before)
        termios.tcflow(live.slave, termios.TCOON)
        assert live.wait_for_end() == 0


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again():
    with PtyScreen(["/bin/sh", "-i"], env={"PS1": "ready> ", "ENV": ""}) as shell:
        shell.wait_for("ready>")
        shell.send(" ".join(map(str, [*DRIVER, -1, -1, SHORT, "guest01"])) + "\n")
        for _ in range(2):
            shell.wait_for(lambda: shell.is_alternate and "VMMCALL" in shell.text and fits(shell))
            assert not shell.is_restored
            shell.send("\x1a")
            shell.wait_for(lambda: "ready> " in shell.after_leaving)
            assert shell.is_restored
            shell.send("fg\n")
        shell.wait_for(lambda: shell.is_alternate and fits(shell))
        shell.send("q")
        shell.wait_for(lambda: "ended well\nready> " in shell.after_leaving)
        assert shell.is_restored


def test_a_stopped_one_ends_on_sigterm_without_taking_the_terminal_again():
    with PtyScreen(["/bin/sh", "-i"], env={"PS1": "ready> ", "ENV": ""}) as shell:
        shell.wait_for("ready>")
        shell.send(" ".join(map(str, [*DRIVER, -1, -1, SHORT, "guest01"])) + "\n")
        shell.wait_for("VMMCALL")
        shell.send("\x1a")
        shell.wait_for(lambda: "ready> " in shell.after_leaving)
        alternate = shell.raw.count(b"?1049h")
        shell.send("kill -TERM %1; kill -CONT %1\n")
        shell.wait_for(lambda: "ended well" in shell.after_leaving)
        assert shell.is_restored and shell.raw.count(b"?1049h") == alternate


# -- where it cannot be --


@pytest.mark.parametrize("piped", ["input", "output"])
def test_without_a_terminal_it_is_refused_in_one_line_and_a_hint(piped):
    master, slave = os.openpty()
    streams = {"stdin": slave, "stdout": slave, "stderr": subprocess.PIPE}
    streams["stdin" if piped == "input" else "stdout"] = subprocess.PIPE
    done = subprocess.Popen([*DRIVER, "-1", "-1", SHORT], text=True, **streams)
    assert done.communicate()[1] == (
        f"virt-exitstat: --live needs a terminal, and standard {piped} is not one\n"
        "hint: for a file, a pipe or a plain terminal: --interval\n"
    )
    assert done.returncode == 2
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize(
    ("term", "message"), [("dumb", "--live needs a terminal with a cursor, and TERM is 'dumb'"), ("xterm", None)]
)
def test_a_dumb_terminal_and_missing_rich_are_said_and_nothing_is_changed(tmp_path, term, message):
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich/__init__.py").write_text("raise ModuleNotFoundError(name='rich')\n")
    with Live(env={"TERM": term, "PYTHONPATH": str(tmp_path)}) as live:
        assert live.wait_for_end() == (2 if message else 1)
        assert live.raw.decode().replace("\r\n", "\n") == (
            f"virt-exitstat: {message}\nhint: for a file, a pipe or a plain terminal: --interval\n"
            if message
            else "virt-exitstat: no Python module rich\n"
            "hint: install it with 'apt install python3-rich'; --interval shows figures at intervals without it\n"
        )
        assert live.attributes() == live.attributes_before


def test_it_works_beside_a_thousand_descriptors():
    # One for each domain that is watched: select(2) knows none above 1023.
    with Live(env={"DESCRIPTORS": "1100"}) as live:
        live.wait_for_reports(3)
        live.send("q")
        live.ends_well()


def test_what_is_typed_for_the_filter_is_no_key():
    with Live("web01", "db01") as live:
        live.wait_for_reports(1)
        live.send("f")
        live.send("dq")
        live.wait_for("filter: dq_")
        live.send("\x7fb\r")
        live.wait_for(lambda: "db01" in live.text and "web01" not in live.text)
        live.send("h")
        live.wait_for("any key to go back")
        live.send("q")
        live.wait_for("f filter")
        live.send("q")
        live.ends_well()


# -- with details --

TESTS = Path(__file__).resolve().parents[1]
PATHS = (TESTS / "cli", TESTS, TESTS.parent / "lib")
RUN_DETAILED = """
import sys
from pathlib import Path
from fake_world import World
from virt_exitstat.cli import run_cli
world = World(Path(sys.argv[1]))
world.run_newer_kernel()
run_cli(lambda _: world.main(*sys.argv[2:]))
"""


def test_with_detail_a_reason_is_opened_and_escape_alone_goes_back(tmp_path):
    driver = [sys.executable, "-c", RUN_DETAILED, str(tmp_path), "-L", "--detail", "-i", "1", "web01"]
    with PtyScreen(driver, env={"PYTHONPATH": os.pathsep.join(map(str, PATHS))}) as live:
        live.wait_for(lambda: "EPT_VIOLATION" in live.text and "⏎ reasons" in live.lines[-1])
        live.send("p\r")
        live.wait_for("⏎ open")
        live.send("\x1b[B\r")
        live.wait_for("HLT of web01: vCPUs 0-1")
        assert "slept < 256us" in live.text and "(not told yet)" in live.text
        live.send("\x1b[B")  # begins as Escape does
        live.send("\x1b")
        live.wait_for(lambda: " of web01" not in live.text and "⏎ open" in live.lines[-1])
        live.send("\x7f")
        live.wait_for("⏎ reasons")
        live.send("q")
        assert live.wait_for_end() == 0 and live.is_restored
