"""Readiness on the real protocols, and whose listener it is."""

import json
import shutil
import socket
import subprocess
import unittest

from lib import FX, StackTest, can_connect, free_port, main, pid_alive, wait_until


class ReadyTest(StackTest):
    def test_log_pattern(self):
        self.ini("[service web]\nshell = sleep 0.3; printf '\\033[32mnow READY\\033[0m\\n'; exec sleep 1000\nready = log now READY$\n")
        self.up("--wait")
        ready = self.ps()["web"]["ready"]
        self.assertEqual(ready["kind"], "log")
        self.assertGreaterEqual(ready["took_ms"], 250)

    def test_a_log_line_that_comes_at_once_counts_every_time(self):
        self.ini("[service web]\nshell = echo READY; exec sleep 1000\nready = log READY\nready-timeout = 5s\n")
        self.up("--wait")
        for _ in range(40):
            self.roadie("restart", "--wait", "--timeout", "5s", "web")

    def test_tcp_waits_for_the_listener(self):
        port = free_port()
        self.ini(f"[service web]\nshell = sleep 0.3; exec {FX} listen {port}\nport = {port}\nready = tcp {port}\n")
        self.up("--wait")
        web = self.ps()["web"]
        self.assertEqual(web["ports"], [{"port": port, "host": "127.0.0.1", "owned": True}])

    def test_http_waits_for_the_status_and_the_body(self):
        port = free_port()
        self.write("server.py", f"""
import http.server, time
began = time.time()
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        late = time.time() - began > 0.5
        self.send_response(200 if late else 503)
        self.end_headers()
        self.wfile.write(b'status: fine' if late else b'no')
    def log_message(self, *a): pass
http.server.HTTPServer(('127.0.0.1', {port}), H).serve_forever()
""")
        self.ini(f"[service web]\ncommand = python3 server.py\nport = {port}\nready = http /health contains=fine\n")
        self.up("--wait")
        self.assertEqual(self.ps()["web"]["ready"]["kind"], "http")

    @unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
    def test_redis_answers_pong(self):
        port = free_port()
        self.ini(f"[service redis]\ncommand = redis-server --port {port} --bind 127.0.0.1 --save ''\nport = {port}\nready = redis\n")
        self.up("--wait")
        self.assertEqual(self.ps()["redis"]["ready"]["kind"], "redis")

    @unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
    def test_redis_with_a_password_is_not_ready_without_it(self):
        port = free_port()
        self.ini(f"[service redis]\ncommand = redis-server --port {port} --bind 127.0.0.1 --save '' --requirepass hunter22\nport = {port}\nready = redis\nready-timeout = 1s\n")
        self.up()
        redis = self.wait_state("redis", "failed")
        self.assertIn("NOAUTH", redis["cause"])

    def test_exec_and_delay(self):
        self.ini("[service web]\nshell = sleep 0.3; touch up; exec sleep 1000\nready = exec test -e up\nready = delay 100ms\n")
        self.up("--wait")

    def test_notify(self):
        self.write("n.py", """
import os, signal, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b'STATUS=warm\\nREADY=1', os.environ['NOTIFY_SOCKET'])
signal.pause()
""")
        self.ini("[service web]\ncommand = python3 n.py\nready = notify\n")
        self.up("--wait")

    def test_a_timeout_fails_with_the_last_answer_and_stops_it(self):
        port = free_port()
        self.ini(f"[service web]\nshell = exec sleep 1000\nready = tcp {port}\nready-timeout = 400ms\n")
        self.up()
        wait_until(lambda: self.ps()["web"]["pid"], "a pid")
        pid = self.ps()["web"]["pid"]
        web = self.wait_state("web", "failed")
        self.assertIn("not ready after 400ms", web["cause"])
        self.assertFalse(pid_alive(pid))

    def test_why_tells_the_whole_chain_with_last_lines_and_exception(self):
        port = free_port()
        self.ini(f"""
[service db]
shell = echo one; echo 'ValueError: no \\033[2Jsuch thing' >&2; echo $API_TOKEN; exec sleep 1000
environment = API_TOKEN=s3cr3t-value
port = {port}
ready = http /health
ready-timeout = 500ms
[service web]
shell = exec sleep 1000
depends-on = db
""")
        result = self.up("--wait", check=1)
        self.assertIn("ValueError", result.err)
        chain = self.roadie("why", "db", "--json").json["chain"]
        what = {row["what"]: row["detail"] for row in chain}
        self.assertIn(f"nothing listens on {port}", what["last probe answer"])
        self.assertIn("TERM", what["last exit"])
        self.assertIn("one", what["last lines"])
        self.assertTrue(what["last exception"].startswith("ValueError"))
        self.assertNotIn("s3cr3t-value", json.dumps(chain) + result.err)
        self.assertNotIn("\x1b", self.roadie("why", "db").out)
        self.assertIn("needs db: failed", self.roadie("why", "web").out)

    def test_a_stranger_on_the_port_is_a_conflict(self):
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with self.subTest(host=host), socket.socket(family) as stranger:
                stranger.bind((host, 0))
                stranger.listen()
                port = stranger.getsockname()[1]
                self.ini(f"[service web]\ncommand = {FX} listen {port}\nport = {port}\nready = tcp {port}\n")
                result = self.up(check=7)
                self.assertIn(str(port), result.err)
                self.assertIn("pid", result.err)
                error = self.roadie("up", "-d", "--json", check=7).json["error"]
                self.assertEqual(error["code"], 7)

    def test_kill_port_ends_the_stranger(self):
        port = free_port()
        stranger = subprocess.Popen([FX, "listen", str(port)])
        try:
            wait_until(lambda: can_connect(port), "the stranger to listen")
            self.ini(f"[service web]\ncommand = {FX} listen {port}\nport = {port}\nready = tcp {port}\n")
            self.up("--wait", "--kill-port")
            self.assertEqual(stranger.wait(5), -9)
        finally:
            stranger.kill()
            stranger.wait()

    def test_adopt_uses_what_already_serves(self):
        port = free_port()
        stranger = subprocess.Popen([FX, "listen", str(port)])
        try:
            wait_until(lambda: can_connect(port), "the stranger to listen")
            self.ini(f"[service web]\ncommand = {FX} listen {port}\nport = {port}\nready = tcp {port}\nadopt = yes\n")
            self.up("--wait")
            web = self.ps()["web"]
            self.assertEqual((web["state"], web["pid"]), ("ready", None))
            self.assertIn("adopted", self.roadie("ps").out)
            self.roadie("down")
            self.assertIsNone(stranger.poll())
        finally:
            stranger.kill()
            stranger.wait()

    def test_alive_marks_unhealthy_and_well_again(self):
        self.ini("""
[service web]
shell = touch fine; exec sleep 1000
ready = exec test -e fine
alive = exec test -e fine
alive-interval = 50ms
alive-failures = 2
""")
        self.up("--wait")
        (self.root / "fine").unlink()
        self.wait_state("web", "unhealthy")
        (self.root / "fine").write_text("")
        self.wait_state("web", "ready")

    def test_alive_action_restart(self):
        self.ini("""
[service web]
shell = touch fine; exec sleep 1000
ready = exec test -e fine
alive = exec test -e fine
alive-interval = 50ms
alive-failures = 2
alive-action = restart
""")
        self.up("--wait")
        pid = self.ps()["web"]["pid"]
        (self.root / "fine").unlink()
        wait_until(lambda: self.ps()["web"]["pid"] not in (None, pid), "a new process")
        self.wait_state("web", "ready")


if __name__ == "__main__":
    main()
