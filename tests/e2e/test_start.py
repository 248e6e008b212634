"""What cannot start, what starts too late, and why it says so."""

import pathlib
import resource
import time

from lib import FX, StackTest, free_port, main


class StartTest(StackTest):
    def fails(self, text, *, directory=None):
        self.ini(f"[service web]\n{text}\n")
        self.up()
        web = self.wait_state("web", "failed")
        why = self.roadie("why", "web", check=None).out
        self.roadie("down")
        return web, why

    def test_what_cannot_start_says_what_and_why(self):
        self.write("script", "#!/no/such/interpreter\n", 0o755)
        self.write("plain", "echo hi\n", 0o644)
        (self.root / "busy").write_bytes(pathlib.Path("/bin/true").read_bytes())
        (self.root / "busy").chmod(0o755)
        self.write("garbage", "\x7fnot a program\n", 0o755)
        rows = [
            ("command = ./nowhere", "./nowhere", "No such file", 127),
            ("command = nosuchprogramanywhere", "nosuchprogramanywhere", "", 127),
            ("command = true\ndirectory = gone", "gone", "directory", None),
            ("command = ./script", "interpreter", "No such file", None),
            ("command = ./plain", "./plain", "ermission denied", 126),
            ("command = ./garbage", "./garbage", "", 126),
            (f"command = true\nenvironment = BIG={'x' * 8000}\n" +
             "\n".join(f"environment = B{i}={'x' * 8000}" for i in range(300)), "true", "too long", 126),
        ]
        for text, name, words, code in rows:
            with self.subTest(name):
                web, why = self.fails(text)
                self.assertIn(name, web["cause"] + why)
                self.assertIn(words, web["cause"] + why)
                self.assertEqual(web["restarts"], 0)
                if code is not None:
                    self.assertEqual(web["exit"]["code"], code, web)
        with self.subTest("busy"), open(self.root / "busy", "r+b"):
            web, why = self.fails("command = ./busy")
            self.assertIn("busy", web["cause"])
            self.assertEqual(web["exit"]["code"], 126, web)

    def test_two_hundred_services_start_and_stop(self):
        self.ini("".join(f"[service s{i:03d}]\nshell = exec sleep 1000\n" for i in range(200)))
        client = self.spawn("up", "-d", "--wait",
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 8192)))
        client.communicate(timeout=50)
        self.assertEqual(client.returncode, 0)
        self.assertEqual({s["state"] for s in self.ps().values()}, {"ready"})
        self.roadie("down")

    def test_too_few_descriptors_fail_a_service_by_name_and_hurt_no_other(self):
        self.ini("".join(f"[service s{i:02d}]\nshell = exec sleep 1000\n" for i in range(40)))
        client = self.spawn("up", "-d", "--wait",
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96)))
        _, err = client.communicate(timeout=50)
        self.assertEqual(client.returncode, 1, err)
        states = [s["state"] for s in self.ps().values()]
        self.assertIn("ready", states)
        self.assertIn("failed", states)
        self.assertLessEqual(set(states), {"ready", "failed"})
        failed = next(s for s in self.ps().values() if s["state"] == "failed")
        self.assertIn("open files", failed["cause"])

    def test_stop_while_starting_waiting_and_in_backoff(self):
        self.ini("""
[service starting]
shell = exec sleep 1000
ready = log never
[service waiting]
shell = exec sleep 1000
depends-on = starting
[service backoff]
shell = exit 3
restart = always
restart-delay = 20s
restart-limit = none
""")
        self.up()
        self.wait_state("starting", "starting")
        self.wait_state("waiting", "waiting")
        self.wait_state("backoff", "backoff")
        for name in ("waiting", "backoff", "starting"):
            began = time.monotonic()
            self.roadie("stop", name)
            self.assertLess(time.monotonic() - began, 4)
            self.assertEqual(self.state(name), "off")
        self.roadie("start", "backoff")
        self.wait_state("backoff", "backoff")
        self.roadie("restart", "backoff", check=None)
        self.roadie("kill", "backoff")
        self.assertEqual(self.state("backoff"), "off")

    def test_why_goes_from_the_dependency_to_its_last_answer_lines_and_exit(self):
        port = free_port()
        self.ini(f"""
[service db]
shell = echo cannot open the data file; exec sleep 1000
ready = tcp {port}
ready-timeout = 500ms
[service web]
shell = exec sleep 1000
depends-on = db
[service dead]
shell = echo last words; exit 9
ready = log never
[service user]
shell = exec sleep 1000
depends-on = dead
""")
        self.up()
        self.wait_state("web", "failed")
        self.wait_state("user", "failed")
        why = self.roadie("why", "web").out
        self.assertIn("db", why)
        self.assertIn(str(port), why)
        self.assertIn("not ready after 500ms", why)
        self.assertIn("cannot open the data file", why)
        why = self.roadie("why", "user").out
        self.assertIn("exit 9", why)
        self.assertIn("last words", why)

    def test_a_black_hole_times_out_with_its_last_answer(self):
        port = free_port()
        self.ini(f"""
[service hole]
command = {FX} tree
ready = http http://127.0.0.1:{port}/
ready-timeout = 600ms
""")
        self.up()
        hole = self.wait_state("hole", "failed")
        self.assertIn("not ready after 600ms", hole["cause"])
        self.assertIn(str(port), hole["cause"])


if __name__ == "__main__":
    main()
