"""The control socket under clients that do not know how to behave: the server stays up and answers others."""

import json
import os
import pathlib
import socket
import struct
import time

from lib import ROADIE, StackTest, main, wait_until


def frame(message):
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


class AbuseTest(StackTest):
    def setUp(self):
        super().setUp()
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        self.server = self.server_pid()
        self.path = json.loads((self.state_dir() / "lock").read_text())["socket"]
        self.pid = self.ps()["web"]["pid"]

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(self.path)
        s.settimeout(20)
        self.addCleanup(s.close)
        return s

    def closed(self, s):
        """True when the server has closed this connection; what it said before is read away."""
        try:
            while s.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def answers(self):
        began = time.monotonic()
        self.assertEqual(self.ps()["web"]["pid"], self.pid)
        self.assertEqual(self.server_pid(), self.server)
        self.assertLess(time.monotonic() - began, 8)

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.server}/status").read_text()
        return int(next(l for l in status.splitlines() if l.startswith("VmRSS")).split()[1])

    def test_malformed_frames_close_only_their_connection(self):
        bad = [
            b"GET / HTTP/1.1\r\n\r\n",
            struct.pack(">I", 0),
            struct.pack(">I", 0xFFFFFFFF),
            struct.pack(">I", 0x7FFFFFFF),
            struct.pack(">I", 65537) + b"x" * 100,
            frame(b"not json"),
            frame(b"[]"),
            frame(b'"text"'),
            frame(b"{" * 30000),
            frame(b"[" * 60000),
            frame(b'{"id":1,"id":2}'),
            frame(b'{"op":"\xff\xfe"}'),
            frame(b"\0" * 64),
        ]
        for data in bad:
            with self.subTest(data[:24]):
                s = self.connect()
                s.sendall(data)
                self.assertTrue(self.closed(s))
        self.answers()

    def test_odd_requests_get_an_answer_or_a_closed_door(self):
        odd = [
            {}, {"id": 1}, {"op": 5}, {"id": 1, "op": "nonsense"}, {"id": "one", "op": "ps"},
            {"id": 1, "op": "stop", "names": "web"}, {"id": 1, "op": "stop", "names": [1, None, {}, "../../x"]},
            {"id": 1, "op": "kill", "names": ["web"], "signal": "NOSUCH"},
            {"id": 1, "op": "kill", "names": ["nobody"]},
            {"id": 1, "op": "kill", "names": []},
            {"id": 1, "op": "why"}, {"id": 1, "op": "why", "name": "\u0000"}, {"id": 1, "op": "why", "name": 7},
            {"id": 1, "op": "env", "name": "x" * 50000}, {"id": -1, "op": "ps"},
            {"id": 1, "op": "up", "names": {"a": 1}}, {"id": 1, "op": "up", "names": ["nobody"]},
            {"id": 1, "op": "start", "timeout_ms": -5, "wait": "yes", "names": ["web"]},
            {"id": 1, "op": "subscribe", "history": 3}, {"id": 1, "op": "detach"}, {"id": 1, "op": "terminal"},
            {"id": 1, "op": "terminal", "state": {"path": "/etc/passwd", "cc": ["x"]}},
            {"id": 1, "op": "restart", "names": ["web", "web"], "deps": "x", "reply": []},
        ]
        for request in odd:
            with self.subTest(str(request)[:60]):
                s = self.connect()
                s.sendall(frame(request))
                s.sendall(frame({"id": 99, "op": "ps"}))
                try:
                    text = b""
                    while b'"services"' not in text:
                        more = s.recv(65536)
                        if not more:
                            break
                        text += more
                except ConnectionResetError:
                    pass
        self.pid = self.wait_state("web", "ready")["pid"]
        self.answers()

    def test_half_a_frame_and_silence_hold_nobody_up(self):
        for _ in range(20):
            self.connect().sendall(struct.pack(">I", 1000) + b"{")
        self.answers()

    def test_a_message_without_end_is_refused_with_bounded_memory(self):
        before = self.rss_kib()
        s = self.connect()
        part = struct.pack(">I", 0x80000000 | 65536) + b" " * 65536
        sent = 0
        try:
            for _ in range(2000):
                s.sendall(part)
                sent += len(part)
        except (ConnectionResetError, BrokenPipeError):
            pass
        self.assertLess(sent, 100 << 20, "it took it all")
        self.answers()
        self.assertLess(self.rss_kib() - before, 48 * 1024)

    def test_a_client_that_never_reads_is_let_go_of(self):
        before = self.rss_kib()
        s = self.connect()
        s.sendall(frame({"id": 1, "op": "subscribe", "history": True}))
        s.settimeout(2)
        request = frame({"id": 2, "op": "ps"}) * 500
        try:
            for _ in range(400):
                s.sendall(request)
        except (OSError, TimeoutError):
            pass
        self.answers()
        sanitised = b"__asan_init" in pathlib.Path(ROADIE + "-server").read_bytes()
        self.assertLess(self.rss_kib() - before, (800 if sanitised else 200) * 1024)

    def test_two_hundred_idle_connections_keep_nobody_out(self):
        baseline = len(os.listdir(f"/proc/{self.server}/fd"))
        idle = [self.connect() for _ in range(200)]
        self.answers()
        self.roadie("restart", "web")
        for s in idle:
            s.close()
        wait_until(lambda: len(os.listdir(f"/proc/{self.server}/fd")) <= baseline + 2, "descriptors back")

    def test_five_thousand_connects_leave_nothing(self):
        baseline = len(os.listdir(f"/proc/{self.server}/fd"))
        for _ in range(5000):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.connect(self.path)
            s.close()
        self.pid = self.ps()["web"]["pid"]
        self.answers()
        wait_until(lambda: len(os.listdir(f"/proc/{self.server}/fd")) <= baseline + 2, "descriptors back")

    def test_descriptors_that_are_sent_do_not_stay(self):
        baseline = len(os.listdir(f"/proc/{self.server}/fd"))
        s = self.connect()
        null = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, null)
        for _ in range(20):
            socket.send_fds(s, [frame({"id": 1, "op": "ps"})], [null] * 100)
            s.recv(65536)
        s.close()
        wait_until(lambda: len(os.listdir(f"/proc/{self.server}/fd")) <= baseline + 2, "descriptors back")
        self.answers()

    def test_the_socket_and_its_directory_are_private(self):
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.dirname(self.path)).st_mode & 0o777, 0o700)


if __name__ == "__main__":
    main()
