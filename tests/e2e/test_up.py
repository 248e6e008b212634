"""Bringing a stack up and down: order, readiness, exit codes, ownership."""

import json
import os
import signal
import subprocess

from lib import FX, StackTest, free_port, main, pid_alive, processes_with, wait_until


class UpTest(StackTest):
    def test_a_service_runs_until_down_and_leaves_nothing(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        web = self.ps()["web"]
        self.assertEqual(web["state"], "ready")
        self.assertTrue(pid_alive(web["pid"]))
        self.roadie("down")
        self.assertEqual(processes_with(self.marker), [], "down returns when the server has gone, too")
        self.assertFalse(pid_alive(web["pid"]))
        self.assertEqual(self.roadie("ps", "--json").json["services"], [])

    def test_repeats_are_success(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        pid = self.ps()["web"]["pid"]
        self.up("--wait")
        self.assertEqual(self.ps()["web"]["pid"], pid)
        self.roadie("down")
        self.roadie("down")

    def test_dependents_start_after_what_they_need_is_ready(self):
        port = free_port()
        self.ini(f"""
[service db]
command = {FX} listen {port}
port = {port}
ready = tcp {port}
[service web]
shell = echo db answers: $(python3 -c "import socket; socket.create_connection(('127.0.0.1', {port})); print('yes')"); exec sleep 1000
depends-on = db
""")
        self.up("--wait")
        wait_until(lambda: "db answers: yes" in self.logs("web"), "the line of web")

    def test_stopping_goes_in_reverse_order(self):
        self.ini(f"""
[service db]
shell = trap 'echo db stops; exit 0' TERM; while :; do sleep 0.05; done
[service web]
shell = trap 'sleep 0.3; echo web stops; exit 0' TERM; while :; do sleep 0.05; done
depends-on = db
""")
        self.up("--wait")
        self.roadie("down")
        lines = [l for l in self.logs("--no-prefix").splitlines() if "stops" in l]
        self.assertEqual(lines, ["web stops", "db stops"])

    def test_wait_fails_with_1_when_a_service_fails(self):
        self.ini("[service web]\nshell = echo broken; exit 3\nready = log never\n[service ok]\nshell = exec sleep 1000\n")
        result = self.up("--wait", check=1)
        self.assertIn("web", result.err)
        self.assertEqual(self.state("ok"), "ready")

    def test_wait_times_out_with_6_and_says_on_what(self):
        port = free_port()
        self.ini(f"[service web]\nshell = exec sleep 1000\nready = tcp {port}\n")
        result = self.up("--wait", "--wait-timeout", "500ms", check=6)
        self.assertIn("web", result.err)
        self.assertEqual(self.state("web"), "starting")

    def test_a_failed_dependency_fails_its_dependents_until_it_is_started_again(self):
        self.ini("""
[service db]
shell = test -e ok && echo up && exec sleep 1000; exit 4
ready = log up
[service web]
shell = exec sleep 1000
depends-on = db
""")
        self.up()
        web = self.wait_state("web", "failed")
        self.assertIn("needs db, which failed", web["cause"])
        self.write("ok", "")
        self.roadie("start", "db")
        self.wait_state("web", "ready")

    def test_foreground_up_streams_lines_and_ends_with_everything(self):
        self.ini("[service one]\nshell = echo hello; echo oops >&2\n[service two]\nshell = echo bye\n")
        result = self.roadie("up")
        self.assertIn("one | hello\n", result.out)
        self.assertIn("one | oops\n", result.out)
        self.assertIn("two | bye\n", result.out)

    def test_a_short_life_ends_in_order_every_time(self):
        self.ini("[service one]\nshell = true\n")
        for _ in range(25):
            result = self.roadie("up")
            self.assertNotIn("without a word", result.err)

    def test_foreground_up_is_1_when_something_failed(self):
        self.ini("[service one]\nshell = exit 7\n")
        self.roadie("up", check=1)

    def test_exit_code_from_gives_the_status_of_that_service(self):
        self.ini("[service job]\nshell = sleep 0.2; exit 42\n[service web]\nshell = exec sleep 1000\n")
        self.roadie("up", "--exit-code-from", "job", check=42)
        wait_until(lambda: not processes_with(self.marker), "everything gone", 3)

    def test_fail_fast_stops_all(self):
        self.ini("[service job]\nshell = sleep 0.2; exit 9\n[service web]\nshell = exec sleep 1000\n")
        self.roadie("up", "--fail-fast", check=1)
        wait_until(lambda: not processes_with(self.marker), "everything gone", 3)

    def test_interrupt_stops_in_order_and_dies_of_the_signal(self):
        self.ini("[service web]\nshell = trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done\n")
        with open(self.base / "out", "wb") as out:
            client = self.spawn("up", stdout=out)
            wait_until(lambda: b"web | up" in (self.base / "out").read_bytes(), "the first line")
            client.send_signal(signal.SIGINT)
            self.assertEqual(client.wait(20), -signal.SIGINT)
        self.assertIn(b"web | bye", (self.base / "out").read_bytes())
        wait_until(lambda: not processes_with(self.marker), "everything gone", 3)

    def test_killing_the_owner_stops_the_stack(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        client = self.spawn("up")
        self.wait_state("web", "ready")
        pid = self.ps()["web"]["pid"]
        client.kill()
        wait_until(lambda: not pid_alive(pid), "the service gone")
        wait_until(lambda: not processes_with(self.marker), "server and shims gone")

    def test_two_ups_at_once_give_one_server(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        clients = [self.spawn("up", "-d", "--wait", env={"XDG_RUNTIME_DIR": str(self.base / f"run{i % 2}")})
                   for i in range(6)]
        for client in clients:
            self.assertEqual(client.wait(30), 0, client.stderr.read())
        self.assertEqual(len([p for p in processes_with("ROADIE_SERVICE=web")
                              if p in processes_with(self.marker)]), 1)

    def test_down_by_another_ends_a_foreground_up_with_0(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        client = self.spawn("up")
        self.wait_state("web", "ready")
        self.roadie("down")
        self.assertEqual(client.wait(20), 0)

    def test_up_during_down_waits_and_starts_anew(self):
        self.ini("[service web]\nshell = trap 'sleep 0.5; exit 0' TERM; echo up; while :; do sleep 0.05; done\nready = log up\n")
        self.up("--wait")
        pid = self.ps()["web"]["pid"]
        down = self.spawn("down")
        wait_until(lambda: self.state("web") == "stopping", "the stop to begin")
        self.up("--wait")
        self.assertEqual(down.wait(20), 0)
        self.assertNotEqual(self.ps()["web"]["pid"], pid)

    def test_no_definition_is_2(self):
        result = self.roadie("up", check=2)
        self.assertIn("roadie.ini", result.err)

    def test_without_a_stack_commands_say_3(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        for command in (["stop"], ["restart"], ["kill", "web"], ["wait", "web"], ["why", "web"], ["exec", "web", "--", "true"]):
            self.roadie(*command, check=3)
        self.assertEqual(self.roadie("ps", "--json").json["services"], [])
        self.roadie("logs", check=3)

    def test_names_start_only_what_they_need(self):
        self.ini("""
[service db]
shell = exec sleep 1000
[service web]
shell = exec sleep 1000
depends-on = db
[service other]
shell = exec sleep 1000
""")
        self.up("--wait", "web")
        states = {n: s["state"] for n, s in self.ps().items()}
        self.assertEqual(states, {"db": "ready", "web": "ready", "other": "off"})

    def test_no_deps_starts_just_the_named(self):
        self.ini("[service db]\nshell = exec sleep 1000\n[service web]\nshell = exec sleep 1000\ndepends-on = db\n")
        self.up("--wait", "--no-deps", "web")
        self.assertEqual(self.state("web"), "ready")
        self.assertEqual(self.state("db"), "off")

    def test_an_excluded_dependency_counts_as_met(self):
        self.ini("[service db]\nshell = exec sleep 1000\n[service web]\nshell = exec sleep 1000\ndepends-on = db\n")
        self.up("--wait", "-x", "db")
        self.assertEqual(self.state("web"), "ready")
        self.assertNotEqual(self.state("db"), "ready")

    def test_a_broken_definition_changes_nothing(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        pid = self.ps()["web"]["pid"]
        self.ini("[service web]\nshel = exec sleep 1000\n")
        result = self.up(check=2)
        self.assertIn('unknown key "shel"', result.err)
        self.roadie("restart", "web", check=2)
        self.assertTrue(pid_alive(pid))

    def test_a_root_that_vanishes_stops_the_stack(self):
        self.ini("[service web]\ncommand = sleep 1000\ndirectory = /\n")
        self.up("--wait")
        subprocess.run(["rm", "-rf", str(self.root)], check=True)
        wait_until(lambda: not processes_with(self.marker), "everything gone")

    def test_services_get_a_clean_place_to_live(self):
        self.ini(f"[service web]\ncommand = {FX} dumpself\n")
        self.roadie("up")
        facts = json.loads(self.logs("web", "--no-prefix").strip().splitlines()[-1])
        self.assertEqual(sorted(facts["fds"]), [0, 1, 2])
        self.assertNotEqual(facts["sid"], os.getsid(0))

    def test_a_runtime_directory_that_was_removed_is_made_again(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        # The server may make it again while rm is at it.
        subprocess.run(["rm", "-rf", str(self.base / "run" / "roadie")], check=False, capture_output=True)
        wait_until(lambda: self.roadie("ps", "--json", check=None).code == 0, "ps to work again")
        self.assertEqual(self.state("web"), "ready")


if __name__ == "__main__":
    main()
