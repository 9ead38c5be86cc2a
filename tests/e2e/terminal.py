"""A program under a pseudo-terminal, driven as a person would: type, read until something shows."""

import os
import pty
import re
import select
import signal
import time

CTRL_C = "\x03"
CTRL_D = "\x04"
ARROW_UP = "\x1b[A"


class Terminal:
    """`read` waits until a pattern has appeared since the last read; the time limits are there so
    that a hanging program fails the test instead of stopping it, and prove nothing about speed."""

    def __init__(self, command, environment, columns=100):
        self.text = ""  # everything seen so far
        self.at = 0  # up to where `read` has looked
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # A caller such as nohup may ignore them, and a child would inherit that.
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP):
                signal.signal(number, signal.SIG_DFL)
            os.execve(command[0], command, environment)
        self.resize(columns)

    def resize(self, columns, rows=30):
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)

    def send(self, text):
        os.write(self.fd, text.encode())

    def _more(self, deadline):
        ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other side has gone
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def read(self, pattern, timeout=120):
        """Returns the match and moves on behind it."""
        deadline = time.monotonic() + timeout
        while True:
            match = re.compile(pattern, re.S).search(self.text, self.at)
            if match:
                self.at = match.end()
                return match
            if not self._more(deadline):
                raise AssertionError(f"waited for {pattern!r}, saw {self.text[self.at:]!r}")

    def wait(self, timeout=120):
        """Reads to the end; returns the exit code."""
        deadline = time.monotonic() + timeout
        while self._more(deadline):
            pass
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        raise AssertionError(f"still running; saw {self.text[self.at:]!r}")
