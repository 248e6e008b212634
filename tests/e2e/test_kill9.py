"""The promise that nothing is left behind, however the server dies."""

import os
import random
import signal

from lib import FX, StackTest, main, pid_alive, proc_read, processes_with, wait_until


class KillTest(StackTest):
    runs = int(os.environ.get("ROADIE_TEST_KILLS", "200"))

    def tree(self):
        self.ini(f"""
[service one]
command = {FX} tree
[service two]
command = {FX} tree
restart = always
[service stubborn]
command = {FX} ignore-term
""")

    def marked(self):
        return processes_with(self.marker)

    def test_nothing_is_left_500_ms_after_the_server_was_killed(self):
        self.tree()
        self.up("--wait")
        wait_until(lambda: len(self.marked()) >= 12, "both trees to have grown")
        os.kill(self.server_pid(), signal.SIGKILL)
        wait_until(lambda: not self.marked(), "every process gone", 2)

    def test_nothing_is_left_when_it_is_killed_at_random_moments(self):
        self.tree()
        rng = random.Random(11)
        for run in range(self.runs):
            client = self.spawn("up", "-d")
            wait_until(lambda: self.stack_ids() and (self.state_dir() / "lock").exists()
                       and (self.state_dir() / "lock").stat().st_size > 0
                       and pid_alive(self.server_pid()), "this run's server in the lock", 10)
            end = rng.random() * 0.15
            try:
                wait_until(lambda: False, "a random moment", end)
            except AssertionError:
                pass
            pid = wait_until(self.server_pid, "a whole lock file", 10)
            if pid_alive(pid):
                os.kill(pid, signal.SIGKILL)
            client.wait(20)
            # Its memory goes before it does: only then is it sure not to hold the lock any more.
            wait_until(lambda: not pid_alive(pid), "the killed server to have gone", 10)
            try:
                wait_until(lambda: not self.marked(), f"every process gone in run {run}", 5)
            except AssertionError as error:
                left = [proc_read(p, "cmdline") for p in self.marked()]
                raise AssertionError(f"{error}, {end * 1000:.0f} ms after the lock: {left}") from None

    def test_the_next_command_sweeps_what_is_left_when_shims_die_too(self):
        self.tree()
        self.up("--wait")
        server = self.server_pid()
        shims = [p for p in self.marked() if "roadie-shim" in os.readlink(f"/proc/{p}/exe")]
        children = [int(c) for c in proc_read(server, f"task/{server}/children").split()]
        os.kill(server, signal.SIGKILL)
        for pid in set(shims + children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.roadie("down")
        wait_until(lambda: not self.marked(), "every process gone", 5)

    def test_a_stack_starts_again_after_its_server_was_killed(self):
        self.ini("[service web]\nshell = exec sleep 1000\n")
        for _ in range(5):
            self.up("--wait")
            os.kill(self.server_pid(), signal.SIGKILL)
        self.up("--wait")
        self.assertEqual(self.state("web"), "ready")

    def test_a_double_forked_daemon_goes_with_its_service(self):
        self.ini(f"[service web]\nshell = {FX} daemonize; exec sleep 1000\n")
        self.up("--wait")
        wait_until(lambda: len(self.marked()) >= 4, "the daemon")
        self.roadie("restart", "web")
        self.roadie("stop", "web")
        self.assertEqual([p for p in self.marked() if "ROADIE_SERVICE=web" in
                          proc_read(p, "environ")], [])


if __name__ == "__main__":
    main()
