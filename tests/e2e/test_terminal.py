"""A foreground `up` on a terminal, and services on terminals of their own."""

import os
import signal
import time

from lib import FX, StackTest, main, pid_alive, processes_with, wait_until
from terminal import Terminal


class KeysTest(StackTest):
    def two(self):
        self.ini("[service db]\nshell = echo db here; exec sleep 1000\n"
                 "[service web]\nshell = echo web here; exec sleep 1000\ndepends-on = db\n")

    def test_one_ctrl_c_stops_in_reverse_order_and_dies_of_sigint(self):
        self.two()
        t = Terminal(self, "up")
        t.expect("up in")
        t.type("\x03")
        self.assertEqual(t.wait(), -signal.SIGINT)
        text = t.read()
        self.assertIn("stopping (again: kill now)", text)
        self.assertIn("nothing is left", text)
        self.assertEqual(t.modes(), t.before)
        lines = text.splitlines()
        web = next(i for i, l in enumerate(lines) if "web" in l and "off" in l)
        db = next(i for i, l in enumerate(lines) if "db" in l and "off" in l)
        self.assertLess(web, db)

    def test_the_countdown_names_who_is_waited_for(self):
        self.ini(f"[service slow]\ncommand = {FX} slow-stop 2500\n[service quick]\nshell = exec sleep 1000\n")
        t = Terminal(self, "up")
        t.expect("up in")
        t.type("\x03")
        t.expect("slow")
        t.expect("TERM")
        self.assertEqual(t.wait(), -signal.SIGINT)

    def test_a_second_ctrl_c_kills_what_is_left(self):
        self.ini(f"[service deaf]\ncommand = {FX} ignore-term\nstop = TERM 60s, KILL\n")
        t = Terminal(self, "up")
        t.expect("up in")
        t.type("\x03")
        t.expect("again: kill now")
        began = time.monotonic()
        t.type("\x03")
        self.assertEqual(t.wait(), -signal.SIGINT)
        self.assertLess(time.monotonic() - began, 5)
        wait_until(lambda: not processes_with(self.marker), "nothing left", 5)

    def test_a_third_ctrl_c_leaves_and_names_what_remains(self):
        self.ini(f"[service deaf]\ncommand = {FX} ignore-term\nstop = TERM 60s, KILL\n")
        t = Terminal(self, "up")
        t.expect("up in")
        server = self.server_pid()
        os.kill(server, signal.SIGSTOP)  # a server that hangs: nothing is killed before the third
        try:
            t.type("\x03")
            t.expect("again: kill now")
            t.type("\x03")
            t.expect("again: leave")
            t.type("\x03")
            self.assertEqual(t.wait(5), -signal.SIGINT)
            self.assertIn("still there: deaf", t.read())
            self.assertEqual(t.modes(), t.before)
        finally:
            os.kill(server, signal.SIGCONT)
        wait_until(lambda: not processes_with(self.marker), "the server to go on with it", 10)

    def test_d_detaches_and_the_stack_goes_on(self):
        self.two()
        t = Terminal(self, "up")
        t.expect("up in")
        t.type("d")
        self.assertEqual(t.wait(), 0)
        self.assertEqual(t.modes(), t.before)
        self.assertEqual({n: s["state"] for n, s in self.ps().items()}, {"db": "ready", "web": "ready"})

    def test_keys_enter_s_and_question_mark_answer(self):
        self.two()
        t = Terminal(self, "up")
        t.expect("up in")
        t.type("?")
        t.expect("d detach")
        t.type("s")
        wait_until(lambda: t.read().count("web") >= 3, "the states")
        t.type("\r")
        t.expect("────")
        t.type("\x03")
        self.assertEqual(t.wait(), -signal.SIGINT)

    def test_r_restarts_what_is_stale_and_only_that(self):
        self.write("conf", "1")
        self.ini("[service web]\nshell = exec sleep 1000\nstale-on = conf\n[service db]\nshell = exec sleep 1000\n")
        t = Terminal(self, "up")
        t.expect("up in")
        before = self.ps()
        t.type("r")
        t.type("?")
        t.expect("d detach")
        self.assertEqual({n: s["pid"] for n, s in self.ps().items()}, {n: s["pid"] for n, s in before.items()})
        self.ini("[service web]\nshell = exec sleep 1001\n[service db]\nshell = exec sleep 1000\n")
        t.type("r")
        wait_until(lambda: self.ps()["web"]["pid"] not in (None, before["web"]["pid"]), "web to be restarted")
        self.assertEqual(self.ps()["db"]["pid"], before["db"]["pid"])

    def test_a_closed_terminal_stops_the_stack(self):
        self.two()
        t = Terminal(self, "up")
        t.expect("up in")
        server = self.server_pid()
        t.hang_up()
        wait_until(lambda: t.child.poll() is not None, "roadie to end")
        wait_until(lambda: not pid_alive(server), "the server to end")
        wait_until(lambda: not processes_with(self.marker), "nothing left", 5)

    def test_a_killed_client_stops_the_stack_and_the_terminal_is_as_before(self):
        self.two()
        t = Terminal(self, "up")
        t.expect("up in")
        server = self.server_pid()
        wait_until(lambda: t.modes() != t.before, "keys to be read raw")
        t.child.kill()
        t.wait()
        wait_until(lambda: not pid_alive(server), "the server to end")
        self.assertEqual(t.modes(), t.before)

    def test_a_terminated_client_dies_of_sigterm(self):
        self.two()
        t = Terminal(self, "up")
        t.expect("up in")
        t.child.send_signal(signal.SIGTERM)
        self.assertEqual(t.wait(), -signal.SIGTERM)
        self.assertEqual(t.modes(), t.before)

    def test_a_resize_while_something_waits_is_no_trouble(self):
        self.ini("[service db]\nshell = exec sleep 1000\nready = log never\n[service web]\nshell = true\ndepends-on = db\n")
        t = Terminal(self, "up")
        t.expect("waiting")
        for columns in (1, 5, 300, 20):
            t.resize(10, columns)
            t.child.send_signal(signal.SIGWINCH)
            seen = len(t.output)
            wait_until(lambda: t.read() is not None and len(t.output) > seen, "a picture", 5)
        t.type("\x03")
        self.assertEqual(t.wait(), -signal.SIGINT)

    def test_hostile_output_never_reaches_the_terminal(self):
        self.ini(f"[service web]\nshell = {FX} esc; echo; echo after; exec sleep 1000\n")
        t = Terminal(self, "up")
        t.expect("after")
        raw = t.output
        for bad in (b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1b[6n", b"\x1b[?1049h", b"\x1b[?1000h", b"\x1b[2J",
                    b"\x1b(0", b"\x9b", b"\x9d", b"\x00", b"\x07", b"\x08"):
            self.assertNotIn(bad, raw.replace("─".encode(), b"").replace("●".encode(), b""), bad)
        t.type("\x03")
        self.assertEqual(t.wait(), -signal.SIGINT)


class ServiceTerminalTest(StackTest):
    """tty = yes"""

    def test_the_tail_is_never_lost(self):
        runs = int(os.environ.get("ROADIE_TEST_TAILS", "60"))
        blob = self.write("blob", "".join(f"{i:08d}{'x' * 91}\n" for i in range(3000)))
        self.ini(f"[service web]\ncommand = {FX} bytes {blob}\ntty = yes\n")
        want = blob.read_bytes()
        self.up()
        for run in range(1, runs + 1):
            self.wait_state("web", "done")
            got = self.roadie("logs", "--raw", "web", "--run", str(run)).out.encode()
            self.assertEqual(len(got), len(want), f"run {run}")
            self.assertEqual(got, want, f"run {run}")
            if run < runs:
                self.roadie("start", "web", "--wait", check=None)
                wait_until(lambda: self.ps()["web"]["run"] == run + 1, "the next run")

    def test_it_has_a_controlling_terminal_with_a_size(self):
        self.ini(f"[service self]\ncommand = {FX} dumpself\ntty = yes\n[service size]\ncommand = {FX} winsz\ntty = yes\n")
        self.up()
        self.wait_state("self", "done")
        import json
        facts = json.loads(self.logs("self", "--no-prefix"))
        self.assertTrue(facts["ctty"])
        self.assertTrue(facts["foreground"])
        self.assertEqual(facts["sid"] != os.getsid(0), True)
        self.assertEqual(facts["fds"], [0, 1, 2])
        wait_until(lambda: "x" in self.logs("size", "--no-prefix"), "the size")
        rows, columns = self.logs("size", "--no-prefix").split()[0].split("x")
        self.assertGreater(int(rows), 0)
        self.assertGreater(int(columns), 0)

    def test_a_background_writer_after_the_leaders_end_is_stored(self):
        self.ini("[service web]\nshell = trap '' TERM HUP; (sleep 0.3; echo late; sleep 100) & echo leaving\ntty = yes\n")
        self.up()
        self.wait_state("web", "done")
        self.assertIn("leaving", self.logs("web"))
        self.assertIn("late", self.logs("web"))

    def test_newlines_are_stored_as_they_were_written(self):
        self.ini("[service web]\nshell = printf 'one\\ntwo\\n'\ntty = yes\n")
        self.up()
        self.wait_state("web", "done")
        self.assertEqual(self.roadie("logs", "--raw", "web").out, "one\ntwo\n")

    def test_a_stopped_terminal_service_stops(self):
        self.ini("[service web]\nshell = echo up; exec cat\ntty = yes\nstop = TERM 5s, KILL\n")
        self.up("--wait")
        began = time.monotonic()
        self.roadie("stop", "web")
        self.assertLess(time.monotonic() - began, 4)


if __name__ == "__main__":
    main()
