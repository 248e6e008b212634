"""What the end-to-end tests share: a stack of its own directories a test, and waiting with a deadline.

Tests run the real programs named by ROADIE_BIN (the directory that holds roadie). They judge what a user
sees: exit codes, stdout, stderr, --json, processes, ports, files.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["ROADIE_BIN"])
ROADIE = str(BIN / "roadie")
FX = str(BIN / "fx")
DEADLINE = float(os.environ.get("ROADIE_TEST_DEADLINE", "20"))


def wait_until(condition, what="condition", deadline=DEADLINE, step=0.02):
    """Waits until condition() is true and returns its value; fails with `what` after the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline}s: {what}")
        time.sleep(step)


def free_port():
    """A port that nobody listens on, for v4 and v6."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def can_connect(port, host="127.0.0.1"):
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def pid_alive(pid):
    """True while the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def proc_read(pid, name):
    """A file of /proc/PID as text, NULs as blanks; empty when the process has gone."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read().replace(b"\0", b" ").decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def processes_with(marker):
    """Pids of living processes whose environment holds the marker (a NAME=value)."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as f:
                if marker.encode() in f.read().split(b"\0") and pid_alive(entry):
                    found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class StackTest(unittest.TestCase):
    """Each test has its own root, state, runtime and home directories, and leaves nothing running."""

    maxDiff = None

    def setUp(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="rd-"))
        self.root = self.base / "app"
        for name in ("app", "state", "run", "home"):
            (self.base / name).mkdir(mode=0o700)
        self.marker = f"ROADIE_TEST_MARK={self.base.name}"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.base / "home"),
            "XDG_STATE_HOME": str(self.base / "state"),
            "XDG_RUNTIME_DIR": str(self.base / "run"),
            "LANG": "C.UTF-8",
            "ROADIE_TEST_MARK": self.base.name,
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.clients = []
        self.addCleanup(self.clean)

    def clean(self):
        for client in self.clients:
            if client.poll() is None:
                client.kill()
            client.wait()
            for stream in (client.stdout, client.stderr, client.stdin):
                if stream is not None:
                    stream.close()
        if self.root.exists():
            self.roadie("down", "-t", "1s", check=None)
        else:
            for stack in self.stack_ids():
                self.roadie("down", "--stack", stack, "-t", "1s", check=None, cwd=self.base)
        left = processes_with(self.marker)
        try:
            wait_until(lambda: not processes_with(self.marker), "all processes of the test gone", 5)
        except AssertionError:
            details = {p: pathlib.Path(f"/proc/{p}/cmdline").read_bytes().replace(b"\0", b" ") for p in left}
            for pid in processes_with(self.marker):
                os.kill(pid, signal.SIGKILL)
            self.fail(f"left behind after down: {details}")
        finally:
            logs = list((self.base / "state").glob("roadie/*/server.log"))
            for log in logs:
                text = log.read_text(errors="replace")
                if text.strip():
                    print(f"server.log of {self.id()}:\n{text}")
                    if "Sanitizer" in text or "bug:" in text or "runtime error" in text:
                        shutil.rmtree(self.base, ignore_errors=True)
                        raise AssertionError("the server reported a bug (see server.log above)")
            shutil.rmtree(self.base, ignore_errors=True)

    def stack_ids(self):
        home = self.base / "state" / "roadie"
        return [p.name for p in home.iterdir()] if home.exists() else []

    def state_dir(self):
        ids = self.stack_ids()
        self.assertEqual(len(ids), 1, ids)
        return self.base / "state" / "roadie" / ids[0]

    def write(self, name, text, mode=None):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if mode is not None:
            path.chmod(mode)
        return path

    def ini(self, text):
        return self.write("roadie.ini", text)

    def roadie(self, *args, check=0, cwd=None, env=None, input=None, timeout=60):
        """Runs roadie to its end. check: the exit code that is expected, or None."""
        done = subprocess.run(
            [ROADIE, *map(str, args)], cwd=cwd or self.root, env={**self.env, **(env or {})},
            input=input, stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True, timeout=timeout, check=False)
        result = Result(done)
        if check is not None:
            self.assertEqual(result.code, check, f"roadie {' '.join(map(str, args))}: {result!r}")
        return result

    def spawn(self, *args, env=None, stdout=None, stderr=None, cwd=None, **kwargs):
        """Starts roadie in the foreground; killed at the end of the test if it still runs."""
        client = subprocess.Popen(
            [ROADIE, *map(str, args)], cwd=cwd or self.root, env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=stdout or subprocess.PIPE, stderr=stderr or subprocess.PIPE,
            **kwargs)
        self.clients.append(client)
        return client

    def up(self, *args, **kwargs):
        return self.roadie("up", "-d", *args, **kwargs)

    def ps(self):
        return {s["name"]: s for s in self.roadie("ps", "-a", "--json").json["services"]}

    def state(self, name):
        service = self.ps().get(name)
        return service["state"] if service else None

    def wait_state(self, name, *states, deadline=DEADLINE):
        last = {}

        def reached():
            last.update(self.ps().get(name) or {})
            return last if last.get("state") in states else None

        try:
            return wait_until(reached, f"{name} to be {states}", deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last}") from None

    def logs(self, *args):
        return self.roadie("logs", *args).out

    def server_pid(self):
        """The pid in the lock file; 0 while it is being written."""
        try:
            return json.loads((self.state_dir() / "lock").read_text())["pid"]
        except ValueError:
            return 0


def main():
    unittest.main(verbosity=2)
