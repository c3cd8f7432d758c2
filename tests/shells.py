"""A real shell on a terminal of its own, with our completion loaded the way the shell itself loads it."""

import fcntl
import os
import select
import shlex
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

from required import find_program

COMPLETIONS = Path(__file__).resolve().parents[1] / "completions"
SHELLS = ("bash", "zsh", "fish")

# Stands for the tool in PATH: tells the test which words it was given. What a completion asks is answered by another
# program, the real tool or one with answers made up.
_STAND_IN = """#!/bin/sh
case " $* " in *" --complete "*) exec '{answers}' "$@" ;; esac
{{ for word; do printf '%s\\0' "$word"; done; echo; }} >'{said}'
"""

# Ctrl-X a runs the tool with everything that is offered as its words.
_START = {
    "bash": """
        PS1='> '; bind '"\\C-xi": insert-completions' '"\\C-xa": "\\C-xi\\C-m"'
        source '{completions}/virt-exitstat'
    """,
    "bash-completion": """
        PS1='> '; bind '"\\C-xi": insert-completions' '"\\C-xa": "\\C-xi\\C-m"'
        BASH_COMPLETION_USER_DIR='{home}'; ln -s '{completions}' '{home}/completions'
        source /usr/share/bash-completion/bash_completion
        sudo() {{ "$@"; }}
    """,
    "zsh": """
        PS1='> '; bindkey -e
        fpath=('{completions}' $fpath); autoload -Uz compinit; compinit -u -D
        zle -C insert-all complete-word _generic; bindkey '^Xi' insert-all; bindkey -s '^Xa' '^Xi^M'
        zstyle ':completion:insert-all:*' completer _all_matches _complete
        zstyle ':completion:insert-all:*' insert yes
    """,
    "fish": """
        function fish_greeting; end
        function offer_all
            virt-exitstat (complete -C (commandline) | string replace -r '\\t.*' '')
            commandline ''
        end
        bind \\cxa offer_all
        set -g fish_complete_path '{completions}'
    """,
}
_COMMANDS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "bash-completion": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}


class Shell:
    """Types into a shell. Words come back as the tool would get them, which is what quoting is for."""

    def __init__(self, kind, home, answers, *, completions=COMPLETIONS, env=None, **user):
        """Start one below the directory `home`; `answers` is the program that completion asks.

        `user` is handed to Popen: user, group and extra_groups, all three or none.
        """
        self._kind = kind
        find_program(_COMMANDS[kind][0], kind)
        bin_dir, start, said = home / "bin", home / "start", home / "said"
        bin_dir.mkdir()
        (bin_dir / "virt-exitstat").write_text(_STAND_IN.format(answers=answers, said=said))
        (bin_dir / "virt-exitstat").chmod(0o755)
        start.write_text(_START[kind].format(completions=completions, home=home) + "\nvirt-exitstat ready\n")
        os.mkfifo(said)
        if user:
            for path in (home, said):
                os.chown(path, user["user"], -1)
        # Open for writing too, so that it has no end between two writers.
        self._said = os.open(said, os.O_RDWR)
        self._terminal, side = os.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        environment = {
            "PATH": f"{bin_dir}:{os.environ['PATH']}",
            "HOME": str(home),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            **(env or {}),
        }
        self._process = subprocess.Popen(
            _COMMANDS[kind],
            stdin=side,
            stdout=side,
            stderr=side,
            cwd=home,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            **user,
        )
        os.close(side)
        #: All that the shell has written, with the terminal's escape sequences.
        self.screen = ""
        assert self.press(f"source '{start}'\r") == ["ready"]

    def enter(self, typed):
        """The tool's words after `virt-exitstat TYPED`, Tab and Enter."""
        return self.press(f"virt-exitstat {typed}\t\r")

    def offers(self, typed):
        """Everything that is offered for the last word of `virt-exitstat TYPED`, which is empty or an option."""
        before = shlex.split(typed.rpartition(" ")[0])
        words = self.press(f"virt-exitstat {typed}\x18a")
        return sorted(words if self._kind == "fish" else words[len(before) :])

    def press(self, keys):
        """The tool's words after these keys."""
        self.send(keys)
        words = b""
        deadline = time.monotonic() + 30
        while not words.endswith(b"\n"):
            ready, _, _ = select.select([self._terminal, self._said], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{self._kind} ran nothing after {keys!r}:\n{self.screen}"
            if self._terminal in ready:
                self.screen += os.read(self._terminal, 65536).decode(errors="replace")
            if self._said in ready:
                words += os.read(self._said, 65536)
        return words[:-1].decode().split("\0")[:-1]

    def send(self, keys):
        """Press keys."""
        os.write(self._terminal, keys.encode())

    def close(self):
        """End the shell and all that it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._terminal)
        os.close(self._said)
