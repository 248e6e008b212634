"""roadie on a real pseudo-terminal: type, read, resize, stop reading, hang up."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from lib import DEADLINE, ROADIE, wait_until

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """A terminal of its own session with roadie in it; as a shell would start it, without a shell."""

    def __init__(self, test, *args, rows=24, columns=100, env=None):
        self.master, slave = pty.openpty()
        self.output = b""
        self.reading = True
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave_name = os.ttyname(slave)

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.child = subprocess.Popen(
            [ROADIE, *map(str, args)], cwd=test.root, env={**test.env, "TERM": "xterm", **(env or {})},
            stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal, close_fds=True)
        self.slave = slave  # kept open, so that modes can be looked at after the end
        test.clients.append(self.child)
        test.addCleanup(self.close)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """What has come so far, as text without escape sequences."""
        while self.reading and self.master >= 0 and select.select([self.master], [], [], 0)[0]:
            try:
                more = os.read(self.master, 65536)
            except OSError:
                break
            if not more:
                break
            self.output += more
        return ESCAPES.sub("", self.output.decode("utf-8", "replace"))

    def expect(self, text, deadline=DEADLINE):
        try:
            wait_until(lambda: text in self.read(), f"{text!r} on the terminal", deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is:\n{self.read()}") from None

    def type(self, text):
        os.write(self.master, text.encode())

    def wait(self, deadline=DEADLINE):
        """Reads on until roadie has ended; its exit status, negative for a signal."""
        def ended():
            self.read()
            return self.child.poll() is not None
        try:
            wait_until(ended, "roadie to end", deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is:\n{self.read()}") from None
        self.read()
        return self.child.returncode

    def modes(self):
        return termios.tcgetattr(self.slave)

    def hang_up(self):
        """The window is closed: the kernel sends HUP to the session, reads and writes fail."""
        os.close(self.slave)
        self.slave = -1
        os.close(self.master)
        self.master = -1

    def close(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()
        for fd in (self.slave, self.master):
            if fd >= 0:
                os.close(fd)
        self.slave = self.master = -1
