"""Stop ladders, kill, restart policy."""

import time

from lib import FX, StackTest, main, pid_alive, wait_until


class StopTest(StackTest):
    def test_a_service_that_ignores_term_is_killed_after_its_ladder(self):
        self.ini(f"[service web]\ncommand = {FX} ignore-term\nstop = TERM 300ms, KILL\n")
        self.up("--wait")
        began = time.monotonic()
        self.roadie("stop", "web")
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(self.state("web"), "off")

    def test_five_that_ignore_term_take_one_ladder_together(self):
        self.ini("".join(f"[service s{i}]\ncommand = {FX} ignore-term\nstop = TERM 500ms, KILL\n" for i in range(5)))
        self.up("--wait")
        began = time.monotonic()
        self.roadie("down")
        self.assertLess(time.monotonic() - began, 2)

    def test_down_t_caps_the_whole(self):
        self.ini(f"[service web]\ncommand = {FX} ignore-term\nstop = TERM 60s, KILL\n")
        self.up("--wait")
        began = time.monotonic()
        self.roadie("down", "-t", "300ms")
        self.assertLess(time.monotonic() - began, 5)

    def test_the_ladder_sends_its_signals_in_order(self):
        self.ini("""
[service web]
shell = trap 'echo got INT' INT; trap 'echo got TERM; exit 0' TERM; while :; do sleep 0.05; done
stop = INT 200ms, TERM 5s, KILL
""")
        self.up("--wait")
        self.roadie("stop", "web")
        got = [l for l in self.logs("web", "--no-prefix").splitlines() if l.startswith("got")]
        self.assertEqual(got, ["got INT", "got TERM"])

    def test_stop_stops_just_it_and_start_brings_it_back(self):
        self.ini("[service db]\nshell = exec sleep 1000\n[service web]\nshell = exec sleep 1000\ndepends-on = db\n")
        self.up("--wait")
        self.roadie("stop", "db")
        self.assertEqual(self.state("db"), "off")
        self.assertEqual(self.state("web"), "ready")
        self.roadie("start", "--wait", "db")
        self.assertEqual(self.state("db"), "ready")

    def test_restart_gives_a_new_process(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        before = self.ps()["web"]
        rows = self.roadie("restart", "--wait", "web", "--json").json["services"]
        after = self.ps()["web"]
        self.assertNotEqual(before["pid"], after["pid"])
        self.assertEqual(after["run"], before["run"] + 1)
        self.assertEqual(rows[0]["name"], "web")
        self.assertEqual(rows[0]["state"], "ready")

    def test_restart_of_all_keeps_the_order(self):
        self.ini("[service db]\nshell = exec sleep 1000\n[service web]\nshell = exec sleep 1000\ndepends-on = db\n")
        self.up("--wait")
        before = {n: s["pid"] for n, s in self.ps().items()}
        self.roadie("restart", "--wait")
        after = {n: s["pid"] for n, s in self.ps().items()}
        for name in before:
            self.assertNotEqual(before[name], after[name])

    def test_kill_stays_down(self):
        self.ini("[service web]\nshell = exec sleep 1000\nrestart = always\n")
        self.up("--wait")
        self.roadie("kill", "web")
        self.assertEqual(self.state("web"), "off")

    def test_kill_s_only_sends_the_signal(self):
        self.ini("[service web]\nshell = trap 'echo got USR1' USR1; echo up; while :; do sleep 0.05; done\n")
        self.up("--wait")
        wait_until(lambda: "up" in self.logs("web"), "the trap to be set")
        self.roadie("kill", "-s", "USR1", "web")
        wait_until(lambda: "got USR1" in self.logs("web"), "the signal")
        self.assertEqual(self.state("web"), "ready")

    def test_on_failure_restarts_and_gives_up_at_the_limit(self):
        self.ini("[service web]\nshell = exit 5\nrestart = on-failure\nrestart-delay = 10ms\nrestart-limit = 3 in 60s\n")
        self.up()
        web = self.wait_state("web", "failed")
        self.assertEqual(web["restarts"], 3)
        self.assertEqual(web["exit"], {"code": 5, "signal": None})
        self.assertIn("restart-limit", web["cause"])

    def test_a_crashed_service_comes_back_at_once(self):
        self.ini("[service web]\nshell = exec sleep 1000\nrestart = on-failure\n")
        self.up("--wait")
        pid = self.ps()["web"]["pid"]
        self.roadie("kill", "-s", "KILL", "web")
        wait_until(lambda: self.ps()["web"]["pid"] not in (None, pid), "a new process")
        self.assertEqual(self.ps()["web"]["restarts"], 1)

    def test_success_without_restart_is_done(self):
        self.ini("[service job]\nshell = true\n[service keep]\nshell = exec sleep 1000\n")
        self.up()
        self.assertEqual(self.wait_state("job", "done")["exit"], {"code": 0, "signal": None})

    def test_what_a_dead_leader_leaves_is_swept(self):
        self.ini(f"[service web]\nshell = {FX} daemonize; (exec sleep 500) & exec sleep 1000\n")
        self.up("--wait")
        wait_until(lambda: self.ps()["web"]["pid"], "a pid")
        self.roadie("kill", "-s", "KILL", "web")
        self.wait_state("web", "failed")


if __name__ == "__main__":
    main()
