"""Output that floods, never ends, is no text, or that nobody reads."""

import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from lib import FX, ROADIE, StackTest, main, pid_alive, processes_with, wait_until

SANITISED = b"__asan_init" in pathlib.Path(ROADIE).read_bytes()


def rss_kib(pid, what="VmHWM"):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(l for l in status.splitlines() if l.startswith(what)).split()[1])


class OutputTest(StackTest):
    def verify(self, raw, count):
        done = subprocess.run([FX, "verify", "-", str(count)], input=raw, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def raw(self, name):
        done = subprocess.run([ROADIE, "logs", "--raw", name], cwd=self.root, env=self.env, capture_output=True,
                              check=True)
        return done.stdout

    def test_a_line_of_a_hundred_megabytes_is_whole_in_the_store_and_in_pieces_on_screen(self):
        size = 100_000_000
        self.ini(f"[stack]\nlog-keep = 1g\n[service web]\nshell = {FX} longline {size}; echo short\n")
        self.up()
        self.wait_state("web", "done", deadline=60)
        reader = subprocess.Popen([ROADIE, "logs", "--raw", "web"], cwd=self.root, env=self.env,
                                  stdout=subprocess.PIPE)
        total = 0
        newlines = 0
        while more := reader.stdout.read(1 << 20):
            total += len(more)
            newlines += more.count(b"\n")
        peak = 0
        self.assertEqual(reader.wait(), 0)
        reader.stdout.close()
        self.assertEqual((total, newlines), (size + 1 + 6, 2))
        reader = subprocess.Popen([ROADIE, "logs", "--no-prefix", "web"], cwd=self.root, env=self.env,
                                  stdout=subprocess.PIPE)
        self.clients.append(reader)
        shown = 0
        longest = 0
        for line in reader.stdout:
            shown += len(line) - 1
            longest = max(longest, len(line) - 1)
            peak = max(peak, rss_kib(reader.pid)) if pid_alive(reader.pid) else peak
        self.assertEqual(shown, size + 5)
        self.assertLessEqual(longest, 1 << 20)
        if not SANITISED:
            self.assertLess(peak, 20 * 1024)

    def test_hostile_bytes_come_back_exactly_raw_and_tamed_otherwise(self):
        blob = self.write("blob", "")
        blob.write_bytes(bytes(range(256)) * 64 + b"\xed\xa0\x80\xe2\x80\xae\xc2\x9b31m\xf0\x9f\x98\x80 end")
        self.ini(f"[service web]\ncommand = {FX} bytes {blob}\n")
        self.up()
        self.wait_state("web", "done")
        self.assertEqual(self.raw("web"), blob.read_bytes())
        done = subprocess.run([ROADIE, "logs", "web", "--color", "always"], cwd=self.root, env=self.env,
                              capture_output=True, check=True)
        text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout.decode("utf-8"))
        bad = [c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]
        self.assertEqual(bad, [])
        import json
        for line in self.roadie("logs", "web", "--json").out.splitlines():
            json.loads(line)

    def test_a_million_lines_of_two_services_lose_nothing_through_a_foreground_up(self):
        self.ini(f"[stack]\nlog-keep = 1g\n[service one]\ncommand = {FX} lines 300000\n"
                 f"[service two]\ncommand = {FX} lines 300000 0 7\n")
        out = self.base / "out"
        with open(out, "wb") as f:
            client = self.spawn("up", "--color", "never", stdout=f, stderr=subprocess.DEVNULL)
            self.assertEqual(client.wait(60), 0)
        by = {"one": [], "two": []}
        with open(out, "rb") as f:
            for line in f:
                name, text = line.split(b" | ", 1)
                by[name.decode().strip()].append(text)
        for name, lines in by.items():
            self.verify(b"".join(lines), 300000)

    def test_a_stuck_viewer_slows_no_service_and_gets_every_line_in_the_end(self):
        self.ini(f"[stack]\nlog-keep = 1g\n[service web]\ncommand = {FX} lines 200000\n"
                 "[service keep]\nshell = exec sleep 1000\n")
        client = self.spawn("up", "--color", "never", stderr=subprocess.DEVNULL)
        began = time.monotonic()
        self.wait_state("web", "done", deadline=30)
        self.assertLess(time.monotonic() - began, 20)
        end = time.monotonic() + float(os.environ.get("ROADIE_TEST_STUCK", "4"))
        wait_until(lambda: time.monotonic() > end, "nobody reads", 30)
        peak = rss_kib(client.pid)
        if not SANITISED:
            self.assertLess(peak, 20 * 1024)
        lines = []

        def read():
            for line in client.stdout:
                if line.startswith(b"web"):
                    lines.append(line.split(b" | ", 1)[1])
        reader = threading.Thread(target=read)
        reader.start()
        wait_until(lambda: len(lines) >= 200000, "the last line", 30)
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(20), -signal.SIGINT)
        reader.join()
        self.verify(b"".join(lines), 200000)
        if not SANITISED:
            self.assertLess(peak, 20 * 1024)

    def test_a_stuck_viewer_still_hears_ctrl_c_and_leaves(self):
        self.ini(f"[service web]\nshell = {FX} lines 200000; exec sleep 1000\n")
        client = self.spawn("up", "--color", "never", stderr=subprocess.DEVNULL)
        wait_until(lambda: len(self.raw_or_empty("web")) > 1 << 20, "a megabyte in the store")
        server = self.server_pid()
        client.send_signal(signal.SIGINT)
        wait_until(lambda: not pid_alive(server), "the stack to stop though nobody reads", 20)
        client.send_signal(signal.SIGINT)
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(10), -signal.SIGINT)

    def raw_or_empty(self, name):
        done = subprocess.run([ROADIE, "logs", "--raw", name], cwd=self.root, env=self.env, capture_output=True,
                              check=False)
        return done.stdout

    def test_up_into_head_ends_and_stops_the_stack(self):
        self.ini("[service web]\nshell = while :; do echo line; sleep 0.01; done\n")
        done = subprocess.run(f"{ROADIE} up | head -1", shell=True, cwd=self.root, env=self.env, timeout=30,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self.assertEqual(done.stdout.count(b"\n"), 1)
        wait_until(lambda: not processes_with(self.marker), "nothing left")

    def test_logs_into_head_ends_quietly(self):
        self.ini(f"[service web]\ncommand = {FX} lines 50000\n")
        self.up()
        self.wait_state("web", "done")
        done = subprocess.run(f"{ROADIE} logs web | head -1", shell=True, cwd=self.root, env=self.env, timeout=30,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self.assertEqual(done.stdout.count(b"\n"), 1)
        self.assertEqual(done.stderr, b"")

    def test_one_flood_does_not_hold_another_services_line(self):
        self.ini(f"[stack]\nlog-keep = 64m\n[service flood]\ncommand = {FX} flood 3000000000\n"
                 "[service calm]\nshell = while read line; do echo $line; done < pipe\n")
        os.mkfifo(self.root / "pipe")
        self.up()
        with open(self.root / "pipe", "w", encoding="utf-8") as pipe:
            for i in range(5):
                pipe.write(f"calm {i}\n")
                pipe.flush()
                wait_until(lambda: f"calm {i}" in self.logs("calm"), "its line", 10)
        if not SANITISED:
            self.assertLess(rss_kib(self.server_pid()), 64 * 1024)

    def test_an_unfinished_last_line_is_kept_and_flagged(self):
        self.ini("[service web]\nshell = printf 'one\\ntwo'\n")
        self.up()
        self.wait_state("web", "done")
        self.assertEqual(self.raw("web"), b"one\ntwo")
        import json
        rows = [json.loads(l) for l in self.roadie("logs", "web", "--json").out.splitlines()]
        self.assertEqual([(r["text"], r["partial"]) for r in rows], [("one", False), ("two", True)])

    def test_removed_and_squatted_log_files_are_made_again_and_never_followed(self):
        victim = self.base / "victim"
        victim.write_text("mine\n")
        self.ini("[service web]\nshell = i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done\n")
        self.up("--wait")
        home = self.state_dir() / "logs" / "web"
        wait_until(lambda: list(home.glob("*.log")), "a segment")
        for path in home.iterdir():
            name = path.name
            path.unlink()
            (home / name).symlink_to(victim)
        last = len(self.logs("web").splitlines())
        wait_until(lambda: len([p for p in home.glob("*.log") if not p.is_symlink()]) > 0, "a new segment")
        wait_until(lambda: "line" in self.raw_or_empty("web").decode(), "lines again")
        self.assertEqual(victim.read_text(), "mine\n")
        self.assertGreaterEqual(last, 0)


if __name__ == "__main__":
    main()
