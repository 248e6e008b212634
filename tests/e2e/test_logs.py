"""Stored lines: nothing lost, order kept, secrets masked, escapes tamed."""

import base64
import json
import os
import signal
import subprocess

from lib import FX, StackTest, main, wait_until


class LogsTest(StackTest):
    def run_once(self, command, **keys):
        more = "".join(f"{k} = {v}\n" for k, v in keys.items())
        self.ini(f"[service web]\nshell = {command}\n{more}")
        return self.roadie("up", check=None)

    def test_lines_are_there_after_down(self):
        self.run_once("echo one; echo two >&2; printf three")
        self.assertEqual(self.logs("--no-prefix"), "one\ntwo\nthree\n")
        self.assertEqual(self.logs("-n", "1"), "web | three\n")
        self.assertEqual(self.logs("--stream", "err", "--no-prefix"), "two\n")
        self.assertEqual(self.logs("--grep", "^t", "--no-prefix"), "two\nthree\n")
        self.assertEqual(self.logs("--grep", "^T", "-i", "-V", "--no-prefix"), "one\n")

    def test_raw_gives_the_exact_bytes(self):
        self.run_once(r"printf 'a\000b\377\033[2Jc\r\n'; printf tail")
        raw = subprocess.run([os.environ["ROADIE_BIN"] + "/roadie", "logs", "--raw", "web"],
                                           cwd=self.root, env=self.env, capture_output=True, check=True).stdout
        self.assertEqual(raw, b"a\0b\xff\x1b[2Jc\r\ntail")

    def test_json_lines_have_growing_seq(self):
        self.run_once("for i in 1 2 3; do echo line $i; done; printf end")
        rows = [json.loads(l) for l in self.roadie("logs", "--json").out.splitlines()]
        self.assertEqual([r["text"] for r in rows], ["line 1", "line 2", "line 3", "end"])
        self.assertEqual([r["partial"] for r in rows], [False, False, False, True])
        seqs = [r["seq"] for r in rows]
        self.assertEqual(seqs, sorted(set(seqs)))
        self.assertEqual({(r["service"], r["run"], r["stream"], r["v"]) for r in rows}, {("web", 1, "out", 1)})
        after = self.roadie("logs", "--json", "--after", seqs[1]).out.splitlines()
        self.assertEqual(len(after), 2)

    def test_invalid_utf8_is_replaced_and_kept_as_raw(self):
        self.run_once(r"printf 'a\377b\n'")
        row = json.loads(self.roadie("logs", "--json").out)
        self.assertEqual(row["text"], "a\ufffdb")
        self.assertEqual(base64.b64decode(row["raw"]), b"a\xffb")

    def test_a_million_lines_lose_nothing(self):
        self.ini(f"[service one]\ncommand = {FX} lines 300000 0 1\n[service two]\ncommand = {FX} lines 300000 0 2\n")
        self.roadie("up", check=0, timeout=120)
        for name in ("one", "two"):
            out = self.base / name
            with open(out, "wb") as f:
                subprocess.run([os.environ["ROADIE_BIN"] + "/roadie", "logs", "--raw", name], cwd=self.root,
                               env=self.env, stdout=f, check=True)
            subprocess.run([FX, "verify", str(out)], check=True)

    def test_a_reader_that_does_not_read_does_not_slow_the_service(self):
        self.ini(f"[service web]\ncommand = {FX} lines 200000 0 1\n[service keep]\nshell = exec sleep 1000\n")
        client = self.spawn("up")  # its stdout is a pipe that nobody reads
        web = self.wait_state("web", "done", deadline=60)
        self.assertEqual(web["exit"]["code"], 0)
        client.kill()

    def test_secrets_are_masked_but_for_reveal_and_raw(self):
        self.ini("""
[service web]
shell = echo token is $API_TOKEN; echo url postgres://me:hunter2secret@db/x; echo half $${API_TOKEN}tail
environment = API_TOKEN=s3cr3t-value
""")
        out = self.roadie("up").out
        self.assertIn("token is ‹API_TOKEN›", out)
        self.assertIn("half ‹API_TOKEN›tail", out)
        self.assertIn("postgres://me:‹password›@db/x", out)
        self.assertNotIn("s3cr3t-value", out)
        for args in (["logs"], ["logs", "--json"], ["env", "web"], ["env", "web", "--json"], ["config"], ["config", "--json"]):
            text = self.roadie(*args).out
            self.assertNotIn("s3cr3t-value", text, args)
        self.assertIn("s3cr3t-value", self.logs("--reveal"))
        self.assertIn("s3cr3t-value", self.logs("--raw", "web"))
        self.assertIn("s3cr3t-value", self.roadie("env", "web", "--reveal").out)

    def test_a_secret_stays_masked_after_the_file_has_changed(self):
        self.ini("[service web]\nshell = echo $API_TOKEN\nenvironment = API_TOKEN=old-secret-1\n")
        self.roadie("up")
        self.ini("[service web]\nshell = echo $API_TOKEN\nenvironment = API_TOKEN=new-secret-2\n")
        self.assertNotIn("old-secret-1", self.logs())

    def test_hostile_escapes_reach_no_terminal(self):
        self.run_once(r"printf 'a\033]0;title\007b\033[2Jc\033[31mred\033[0m\302\233dd\n'")
        out = self.logs("--no-prefix")
        self.assertNotIn("\x1b", out)
        self.assertNotIn("\x07", out)
        self.assertNotIn("\x9b", out)

    def test_a_long_line_comes_whole_up_to_a_mebibyte(self):
        self.run_once("head -c 1000000 /dev/zero | tr '\\0' x; echo; head -c 3000000 /dev/zero | tr '\\0' y; echo")
        rows = [json.loads(l) for l in self.roadie("logs", "--json").out.splitlines()]
        self.assertEqual(len(rows[0]["text"]), 1000000)
        self.assertEqual("".join(r["text"] for r in rows[1:]), "y" * 3000000)
        self.assertEqual([r["partial"] for r in rows[1:]], [True, True, False])

    def test_a_service_that_closes_its_output_goes_on(self):
        self.ini(f"[service web]\ncommand = {FX} close-out\n")
        self.up("--wait")
        self.assertEqual(self.state("web"), "ready")

    def test_previous_run_and_run_numbers(self):
        self.ini("[service web]\nshell = echo run $ROADIE_RUN; exec sleep 1000\n")
        self.up("--wait")
        wait_until(lambda: "run 1" in self.logs("web"), "the first line")
        self.roadie("restart", "--wait", "web")
        wait_until(lambda: "run 2" in self.logs("web"), "the second line")
        self.assertEqual(self.logs("-p", "web", "--no-prefix"), "run 1\n")
        self.assertEqual(self.logs("--run", "2", "web", "--no-prefix"), "run 2\n")
        self.roadie("down")
        self.up("--wait")
        wait_until(lambda: "run 3" in self.logs("web"), "the third line")
        self.assertNotIn("run 1", self.logs("web"))
        self.assertIn("run 1", self.logs("--all-runs", "web"))

    def test_a_follower_outlives_restarts_and_down(self):
        self.ini("[service web]\nshell = echo run $ROADIE_RUN; exec sleep 1000\n")
        self.up("--wait")
        out = self.base / "follow"
        with open(out, "wb") as f:
            client = self.spawn("logs", "-f", "web", stdout=f)
        wait_until(lambda: b"run 1" in out.read_bytes(), "the first run")
        self.roadie("restart", "--wait", "web")
        wait_until(lambda: b"run 2" in out.read_bytes(), "the second run")
        self.roadie("down")
        self.up("--wait")
        wait_until(lambda: b"run 3" in out.read_bytes(), "the third run, after down and up")
        client.send_signal(signal.SIGINT)
        client.wait(10)

    def test_unknown_service_names_the_nearest(self):
        self.run_once("echo hi")
        result = self.roadie("logs", "wev", check=2)
        self.assertIn("web", result.err)


if __name__ == "__main__":
    main()
