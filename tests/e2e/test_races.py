"""Commands in any order, many times: one generation, a consistent end, nothing that leaks."""

import os
import pathlib
import random
import subprocess
import threading

from lib import FX, ROADIE, StackTest, main, proc_read, processes_with, wait_until


class RacesTest(StackTest):
    def test_random_commands_never_make_two_generations_and_end_consistent(self):
        rounds = int(os.environ.get("ROADIE_TEST_COMMANDS", "500"))
        self.ini(f"""
[service a]
shell = trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done
restart = always
restart-delay = 10ms
restart-limit = none
[service b]
shell = (setsid sleep 1000 &) ; exec sleep 1000
depends-on = a
[service c]
shell = sleep 0.02; exit 1
restart = on-failure
restart-delay = 5ms
restart-limit = none
depends-on = a:started
[service d]
command = {FX} slow-stop 30
depends-on = b
""")
        self.up()
        rng = random.Random(5)
        failures = []
        seen_twice = []
        stop = threading.Event()

        def mains():
            runs = {}
            for pid in processes_with(self.marker):
                env = dict(v.split("=", 1) for v in proc_read(pid, "environ").split(" ") if "=" in v)
                if "ROADIE_RUN" in env and "roadie-shim" not in proc_read(pid, "cmdline"):
                    runs.setdefault(env["ROADIE_SERVICE"], set()).add(env["ROADIE_RUN"])
            return {n: r for n, r in runs.items() if len(r) > 1}

        def watch():
            while not stop.wait(0.05):
                twice = mains()
                if twice and mains() == twice:
                    seen_twice.append(twice)

        watcher = threading.Thread(target=watch)
        watcher.start()

        def command():
            words = [rng.choice(["start", "stop", "restart", "kill", "restart", "start"]),
                     *rng.sample("abcd", rng.choice([1, 1, 2]))]
            if words[0] == "kill" and rng.random() < 0.5:
                words[1:1] = ["-s", rng.choice(["TERM", "KILL", "STOP", "CONT"])]
            return words

        try:
            for _ in range(rounds // 4):
                batch = [(w, subprocess.Popen([ROADIE, *w], cwd=self.root, env=self.env, stdin=subprocess.DEVNULL,
                                              stdout=subprocess.PIPE, stderr=subprocess.PIPE))
                         for w in (command() for _ in range(4))]
                for words, process in batch:
                    try:
                        out, err = process.communicate(timeout=30)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.communicate()
                        failures.append((words, "hangs", self.ps()))
                        continue
                    if process.returncode not in (0, 1):
                        failures.append((words, process.returncode, err))
        finally:
            stop.set()
            watcher.join()
        self.assertEqual(failures, [])
        self.assertEqual(seen_twice, [])
        self.roadie("stop")
        self.assertEqual({s["state"] for s in self.ps().values()} - {"off", "done", "failed"}, set())
        self.roadie("start", "a", "b", "d", "--wait")
        self.assertEqual({n: self.state(n) for n in "abd"}, dict.fromkeys("abd", "ready"))

    def test_many_restarts_leak_neither_memory_nor_descriptors(self):
        runs = int(os.environ.get("ROADIE_TEST_LEAKS", "150"))
        self.ini(f"[service web]\ncommand = {FX} say hello\nready = log hello\n"
                 f"[service tty]\ncommand = {FX} say hello\ntty = yes\n")
        self.up("--wait")
        server = self.server_pid()

        def rss():
            return int(next(l for l in proc_read(server, "status").splitlines() if l.startswith("VmRSS")).split()[1])

        def descriptors():
            return len(os.listdir(f"/proc/{server}/fd"))
        for _ in range(30):
            self.roadie("restart", "--wait")
        fds, memory = descriptors(), rss()
        for _ in range(runs):
            self.roadie("restart", "--wait")
        wait_until(lambda: descriptors() <= fds, f"descriptors back to {fds}", 5)
        if b"__asan_init" not in pathlib.Path(ROADIE + "-server").read_bytes():
            self.assertLess(rss() - memory, 1500, "KiB grown")


if __name__ == "__main__":
    main()
