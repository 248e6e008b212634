"""Badly behaved children and faults under a running stack."""

import json
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from lib import FX, StackTest, free_port, main, pid_alive, proc_read, processes_with, wait_until


def remove(path):
    """What a cleaner does; the server may make it again while it is at it."""
    path.rename(path.with_name("gone"))
    shutil.rmtree(path.with_name("gone"))


def children_of(pid):
    return [int(c) for c in proc_read(pid, f"task/{pid}/children").split()]


class ChildrenTest(StackTest):
    def test_a_service_that_stops_itself_is_named_and_still_stops(self):
        self.ini(f"[service web]\ncommand = {FX} stop-self\n")
        client = self.spawn("up")
        self.wait_state("web", "ready")
        wait_until(lambda: "STOP" in self.roadie("events").out + self.roadie("why", "web").out or
                   "STOP" in self.ps()["web"]["cause"], "the stop to be said")
        began = time.monotonic()
        self.roadie("stop", "web")
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.state("web"), "off")
        client.send_signal(signal.SIGINT)
        _, err = client.communicate(timeout=20)
        self.assertIn("STOP", err.decode())

    def test_a_service_that_closes_its_output_lives_on(self):
        self.ini(f"[service web]\ncommand = {FX} close-out\nrestart = always\n")
        self.up("--wait")
        pid = self.ps()["web"]["pid"]
        wait_until(lambda: not any("pipe:" in os.readlink(f"/proc/{pid}/fd/{n}") for n in (1, 2)
                                   if os.path.exists(f"/proc/{pid}/fd/{n}")), "its output to be closed")
        self.roadie("ps")
        self.assertEqual(self.ps()["web"]["pid"], pid)
        self.assertEqual(self.ps()["web"]["restarts"], 0)
        began = time.monotonic()
        self.roadie("stop", "web")
        self.assertLess(time.monotonic() - began, 5)

    def test_a_held_pipe_does_not_hold_the_end_and_the_late_line_is_kept(self):
        self.ini(f"[service web]\ncommand = {FX} hold-out 300\n")
        self.up()
        self.wait_state("web", "done", deadline=8)
        self.assertIn("leaving", self.logs("web"))
        self.assertIn("late", self.logs("web"))

    def test_twenty_thousand_zombies_leave_none(self):
        self.ini(f"[service web]\ncommand = {FX} zombies 20000\nready = log done\n")
        self.up("--wait", timeout=120)
        server = self.server_pid()
        shim = children_of(server)[0]

        def zombies():
            return [c for c in children_of(shim) if " Z " in proc_read(c, "stat")]
        wait_until(lambda: not zombies(), "no zombie")

    def test_a_fork_storm_is_ended(self):
        for words in ("30", "30 sessions"):
            self.ini(f"[service web]\ncommand = {FX} forkstorm {words}\nready = log ready\nstop = TERM 100ms, KILL\n")
            self.up("--wait")
            self.roadie("down")
            wait_until(lambda: not processes_with(self.marker), "the storm to be over", 10)

    def test_restarts_of_a_daemon_with_a_port_never_clash(self):
        port = free_port()
        runs = int(os.environ.get("ROADIE_TEST_RESTARTS", "40"))
        self.ini(f"""
[service web]
shell = (setsid {FX} listen {port} &) ; exec sleep 1000
port = {port}
ready = tcp {port}
stop = TERM 2s, KILL
""")
        self.up("--wait")
        for run in range(runs):
            self.roadie("restart", "--wait", "web")
            alive = [p for p in processes_with(self.marker) if proc_read(p, "cmdline").startswith(f"{FX} listen")]
            self.assertEqual(len(alive), 1, f"run {run}")

    def test_a_killed_shim_takes_only_its_own_service_which_restarts(self):
        self.ini(f"""
[service one]
command = {FX} tree
restart = on-failure
[service two]
shell = exec sleep 1000
""")
        self.up("--wait")
        before = self.ps()
        shim = next(c for c in children_of(self.server_pid())
                    if proc_read(c, "cmdline").split() == ["roadie-shim", "one"])
        family = [p for p in processes_with(self.marker)
                  if "ROADIE_SERVICE=one" in proc_read(p, "environ") and p != shim]
        os.kill(shim, signal.SIGKILL)
        wait_until(lambda: self.ps()["one"]["pid"] not in (None, before["one"]["pid"]) and
                   self.ps()["one"]["state"] == "ready", "one to be back")
        self.assertEqual([p for p in family if pid_alive(p)], [])
        self.assertEqual(self.ps()["two"]["pid"], before["two"]["pid"])
        self.assertEqual(self.ps()["one"]["restarts"], 1)

    def test_a_stopped_shim_does_not_hold_down(self):
        self.ini("[service web]\nshell = exec sleep 1000\nstop = TERM 300ms, KILL\n")
        self.up("--wait")
        shim = children_of(self.server_pid())[0]
        os.kill(shim, signal.SIGSTOP)
        began = time.monotonic()
        self.roadie("down")
        self.assertLess(time.monotonic() - began, 5)

    def test_what_a_service_inherits_is_what_the_shell_had(self):
        self.ini(f"[service self]\ncommand = {FX} dumpself\n")

        def odd():
            resource.setrlimit(resource.RLIMIT_NOFILE, (321, 4096))
            os.umask(0o027)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        client = self.spawn("up", "-d", preexec_fn=odd)
        self.assertEqual(client.wait(20), 0, client.stderr.read())
        self.wait_state("self", "done")
        facts = json.loads(self.logs("self", "--no-prefix"))
        self.assertEqual(facts["nofile"], [321, 4096])
        self.assertEqual(facts["umask"], 0o027)
        self.assertEqual((facts["ignored"], facts["blocked"]), ([], []))
        self.assertEqual(facts["fds"], [0, 1, 2])
        self.assertEqual(facts["sid"], facts["ppid"])


class ServerTest(StackTest):
    def test_a_stopped_server_loses_nothing_and_no_deadline_fires(self):
        self.ini(f"""
[service lines]
command = {FX} lines 20000 5000
[service slow]
shell = sleep 4; echo here; exec sleep 1000
ready = log here
ready-timeout = 3s
[service web]
shell = exec sleep 1000
alive = exec true
alive-interval = 200ms
alive-failures = 1
alive-action = restart
""")
        self.up()
        self.wait_state("slow", "starting")
        server = self.server_pid()
        pid = self.ps()["web"]["pid"]
        os.kill(server, signal.SIGSTOP)
        end = time.monotonic() + 3.5
        wait_until(lambda: time.monotonic() > end, "3.5 s of standstill")
        os.kill(server, signal.SIGCONT)
        self.wait_state("slow", "ready")
        self.wait_state("lines", "done", deadline=30)
        self.assertEqual(self.ps()["web"]["pid"], pid)
        raw = self.roadie("logs", "--raw", "lines").out
        done = subprocess.run([FX, "verify", "-", "20000"], input=raw.encode(), capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_cleaned_up_runtime_directory_is_made_again(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        pid = self.ps()["web"]["pid"]
        remove(self.base / "run" / "roadie")
        self.assertEqual(self.ps()["web"]["pid"], pid)
        remove(self.base / "run")
        self.assertEqual(self.ps()["web"]["pid"], pid)
        self.roadie("restart", "web")

    def test_a_deleted_state_directory_makes_no_second_server(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        server = self.server_pid()
        pid = self.ps()["web"]["pid"]
        remove(self.base / "state" / "roadie")
        self.up("--wait")
        self.assertEqual(self.ps()["web"]["pid"], pid)
        self.assertEqual(self.server_pid(), server)
        self.roadie("down")
        self.assertFalse(pid_alive(pid))

    def test_two_shells_with_different_runtime_directories_share_a_server(self):
        (self.base / "run2").mkdir(mode=0o700)
        other = {"XDG_RUNTIME_DIR": str(self.base / "run2")}
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        pid = self.ps()["web"]["pid"]
        self.up("--wait", env=other)
        there = self.roadie("ps", "--json", env=other).json["services"]
        self.assertEqual([s["pid"] for s in there], [pid])
        self.roadie("down", env=other)
        self.assertFalse(pid_alive(pid))

    def test_thirty_ups_at_once_give_one_server(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        clients = [self.spawn("up", "-d", env={"XDG_RUNTIME_DIR": str(self.base / ("run" if i % 2 else "home"))})
                   for i in range(30)]
        for client in clients:
            _, err = client.communicate(timeout=50)
            self.assertEqual(client.returncode, 0, err)
        server = self.server_pid()
        servers = [p for p in processes_with(self.marker) if "roadie-server" in os.readlink(f"/proc/{p}/exe")]
        self.assertEqual(servers, [server])
        self.assertEqual(self.ps()["web"]["run"], 1)

    def test_a_stale_socket_and_lock_are_no_obstacle(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        self.up("--wait")
        first = self.server_pid()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: not pid_alive(first), "the server to be gone")
        self.assertTrue(list((self.base / "run").glob("roadie/*/control")))
        self.assertEqual(self.roadie("ps", "--json").json["services"], [])
        self.up("--wait")
        self.assertNotEqual(self.server_pid(), first)

    def test_a_killed_foreground_client_stops_the_stack(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        client = self.spawn("up", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_state("web", "ready")
        server = self.server_pid()
        client.kill()
        wait_until(lambda: not pid_alive(server), "the server to end")
        self.assertEqual(processes_with(self.marker), [])


@unittest.skipUnless(os.geteuid() == 0, "mounting a small file system needs root")
class DiskTest(StackTest):
    def test_a_full_disk_stops_no_service_and_the_loss_is_counted(self):
        self.ini(f"[service quiet]\nshell = exec sleep 1000\n"
                 f"[service flood]\nshell = {FX} flood 12000000; echo flooded >> {self.base}/mark; "
                 f"while [ ! -e {self.base}/go ]; do sleep 0.05; done; echo after the flood; exec sleep 1000\n"
                 "[stack]\nlog-keep = 64m\n")
        store = self.base / "state"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "none", str(store)], check=False)
        if done.returncode != 0:
            self.skipTest("this kernel lets nobody mount here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(store)], check=False)
        ballast = store / "ballast"
        ballast.write_bytes(b"x" * 2000000)
        self.up("--wait")
        wait_until(lambda: (self.base / "mark").exists(), "the flood to be over", 20)
        self.assertEqual({s["state"] for s in self.ps().values()}, {"ready"})
        ballast.unlink()
        (self.base / "go").write_text("")
        wait_until(lambda: "after the flood" in self.logs("flood", "-n", "5"), "lines after the flood")
        text = self.roadie("logs", "flood", "-n", "all")
        self.assertRegex(text.out + text.err, r"[0-9]+ bytes.*(lost|full)")
        self.roadie("down")


if __name__ == "__main__":
    main()
