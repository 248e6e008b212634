"""What users type and read: names, flags, suggestions, exit codes, masking on every way out, terminals."""

import fcntl
import os
import shutil
import subprocess
import termios

from lib import ROADIE, StackTest, main, processes_with, wait_until

CHAIN = """[service base]
shell = echo base; exec sleep 1000
[service top]
shell = echo top; exec sleep 1000
depends-on = base
"""


class NamesTest(StackTest):
    def test_stop_says_who_needs_what_it_stops_and_stops_just_it(self):
        self.ini(CHAIN)
        self.up("--wait")
        result = self.roadie("stop", "base", "--json")
        self.assertIn("top needs base and goes on", result.err)
        self.assertEqual([(s["name"], s["state"]) for s in result.json["services"]], [("base", "off")])
        self.assertEqual(self.state("top"), "ready")

    def test_restart_starts_a_dependency_that_was_stopped(self):
        self.ini(CHAIN)
        self.up("--wait")
        self.roadie("stop", "base")
        self.roadie("restart", "top", timeout=20)
        self.assertEqual((self.state("base"), self.state("top")), ("ready", "ready"))

    def test_restart_lives_with_a_service_that_the_definition_lost(self):
        self.ini(CHAIN + "[service gone]\nshell = exec sleep 1000\n")
        self.up("--wait")
        self.ini("[service base]\nshell = exec sleep 1000\n")
        self.roadie("restart")
        self.assertEqual(self.state("base"), "ready")

    def test_stop_ends_at_its_timeout(self):
        self.ini("[service web]\nshell = trap '' TERM; echo up; while :; do sleep 0.1; done\n"
                 "ready = log up\nstop = TERM 30s, KILL\n")
        self.up("--wait")
        self.assertIn("web", self.roadie("stop", "web", "-t", "300ms", check=6).err)

    def test_an_unknown_name_is_suggested_in_one_wording(self):
        self.ini(CHAIN)
        self.up("--wait")
        for command in (["up", "-d"], ["stop"], ["restart"], ["kill"], ["ps"], ["logs"], ["why"], ["wait"],
                        ["start"], ["env"]):
            result = self.roadie(*command, "bsae", check=2)
            self.assertIn('there is no service "bsae"', result.err, command)
            self.assertIn('did you mean "base"?', result.err, command)
            error = self.roadie(*command, "bsae", "--json", check=2).json["error"]
            self.assertEqual((error["code"], error["hint"]), (2, 'did you mean "base"?'), command)

    def test_a_line_that_can_no_longer_come_ends_the_wait_once(self):
        self.ini("[task t]\nshell = echo hello\n")
        self.up("--wait")
        result = self.roadie("wait", "t", "--for", "log=nothing", check=1)
        self.assertEqual(result.err.count("it will not print nothing"), 1, result)


class SelectionTest(StackTest):
    def test_what_up_selected_holds_for_every_command_until_down(self):
        self.write("extra.env", "FROM_E=yes\n")
        self.ini("""[service a]
shell = exec sleep 1000
[service d]
shell = exec sleep 1000
gives = a: DURL=http://d
profile = q
[profile q]
""")
        self.up("--wait", "--with", "d", "-e", "extra.env")
        for name, value in (("DURL", "http://d"), ("FROM_E", "yes")):
            self.assertIn(f"{name}={value}", self.roadie("env", "a", "--format", "dotenv").out.replace('"', ""))
            self.assertEqual(self.roadie("run", "a", "--", "sh", "-c", f"echo ${name}").out, f"{value}\n")
        self.assertEqual(self.roadie("graph", "--json").json["nodes"], ["a", "d"])
        self.roadie("down")
        self.assertEqual(self.roadie("graph", "--json").json["nodes"], ["a"])
        self.roadie("env", "a", "--why", "DURL", check=1)


    def test_an_excluded_dependency_counts_as_met_and_is_said(self):
        self.ini(CHAIN)
        self.assertIn("base  excluded; top", self.up("--wait", "-x", "base").err)
        self.assertEqual(self.state("top"), "ready")
        self.assertEqual([s["name"] for s in self.roadie("ps", "--json").json["services"]], ["top"])

    def test_a_name_is_looked_for_in_every_stack(self):
        self.ini(CHAIN)
        self.up("--wait")
        self.assertEqual(self.roadie("ps", "--all", "-q", "t*").out.split(), [str(self.ps()["top"]["pid"])])
        self.assertIn("in any stack", self.roadie("ps", "--all", "nope", check=2).err)

    def test_nothing_stale_is_said(self):
        self.ini(CHAIN)
        self.up("--wait")
        self.assertIn("nothing is stale", self.roadie("restart", "--stale").err)


    def test_a_service_that_was_ready_and_is_done_counts_as_ready(self):
        self.ini("[service c]\nshell = exec sleep 0.2\n[service d]\nshell = exec sleep 1000\n")
        self.up()
        self.wait_state("c", "done")
        self.roadie("wait", "c", "d", "--timeout", "5s")

    def test_a_bad_project_name_reaches_no_other_stack(self):
        self.ini(CHAIN)
        self.up("--wait")
        for name in ("Bad Name", "", "../x"):
            for command in (["down"], ["ps"], ["up", "-d"]):
                self.assertIn("is not a name", self.roadie("-p", name, *command, check=2).err)
        self.assertEqual(self.state("top"), "ready")


class WhyTest(StackTest):
    def test_why_quotes_the_last_lines_and_the_last_exception(self):
        self.ini("""[service web]
shell = for i in 1 2 3 4 5 6 7; do echo line $i; done; echo "app.db.PoolError: no $A_TOKEN left"; echo bye; exit 3
environment = A_TOKEN=hunter2secret
[service other]
shell = echo unrelated; exec sleep 1000
""")
        self.up()
        self.wait_state("web", "failed")
        chain = {link["what"]: link["detail"] for link in self.roadie("why", "web", "--json").json["chain"]}
        self.assertEqual(chain["last lines"].split("\n"),
                         ["line 5", "line 6", "line 7", "app.db.PoolError: no ‹A_TOKEN› left", "bye"])
        self.assertEqual(chain["last exception"], "app.db.PoolError: no ‹A_TOKEN› left")
        self.assertIn("                  line 7\n", self.roadie("why", "web").out)

    def test_why_masks_before_it_cuts_a_long_line(self):
        self.ini("""[service web]
shell = printf '%0398d' 0; echo "$A_TOKEN"; exit 3
environment = A_TOKEN=hunter2secret
""")
        self.up()
        self.wait_state("web", "failed")
        self.assertNotIn("hu", self.roadie("why", "web").out)


class MaskingTest(StackTest):
    SECRET = "hunter2secret"

    def test_no_way_out_shows_a_secret(self):
        self.write(".env", f"DB_PASSWORD={self.SECRET}\n")
        self.ini("""[stack]
env-file = .env
environment = CACHE=redis://me:sw0rdfish@localhost/0
[service web]
shell = echo "up $DB_PASSWORD $CACHE"; exec sleep 1000
ready = log up
url = http://me:sw0rdfish@localhost/
[service broken]
shell = echo "$DB_PASSWORD broke" >&2; exit 3
""")
        self.up()
        self.wait_state("web", "ready")
        self.wait_state("broken", "failed")
        for command in (["ps"], ["why", "web"], ["why", "broken"], ["logs"], ["events"], ["timeline"], ["port"],
                        ["config"], ["graph"], ["env", "web"], ["env", "web", "--why", "DB_PASSWORD"],
                        ["env", "web", "--format", "sh"], ["wait", "broken"], ["start", "broken", "--wait"]):
            for extra in ([], ["--json"]):
                result = self.roadie(*command, *extra, check=None)
                for secret in (self.SECRET, "sw0rdfish"):
                    self.assertNotIn(secret, result.out + result.err, command + extra)

    def test_a_problem_never_quotes_what_the_shell_holds(self):
        self.ini("[service web]\nshell = true\nport = ${env:MY_TOKEN}\n")
        for command in (["up", "-d"], ["config"], ["up", "-d", "--json"]):
            result = self.roadie(*command, check=2, env={"MY_TOKEN": self.SECRET})
            self.assertNotIn(self.SECRET, result.out + result.err)
            self.assertIn("MY_TOKEN", result.out + result.err)


class FilesTest(StackTest):
    def test_directories_and_files_are_the_users_alone(self):
        os.chmod(self.base / "run", 0o755)
        self.ini("[service web]\nshell = echo $A_TOKEN; exec sleep 1000\nenvironment = A_TOKEN=hunter2secret\n")
        self.up("--wait")
        seen = 0
        for top in (self.base / "state" / "roadie", self.base / "run" / "roadie"):
            for path in [top, *top.rglob("*")]:
                mode = path.lstat().st_mode
                self.assertEqual(mode & 0o777, 0o700 if path.is_dir() else 0o600, path)
                seen += 1
        self.assertGreater(seen, 8)
        self.assertTrue(list((self.base / "run" / "roadie").glob("*/*")), "the socket is in XDG_RUNTIME_DIR")


class VolumesTest(StackTest):
    def setUp(self):
        super().setUp()
        self.calls = self.base / "calls"
        self.write("bin/docker", f"""#!/bin/sh
echo "$*" >> {self.calls}
case $3 in gone) echo "Error: No such volume: gone" >&2; exit 1;; busy) echo "volume is in use" >&2; exit 1;; esac
""", 0o755)
        self.env["PATH"] = f"{self.root}/bin:{self.env['PATH']}"

    def define(self, *volumes):
        lines = "".join(f"volume = {v}\n" for v in volumes)
        self.ini(f"[service web]\nshell = exec sleep 1000\n[service db]\nimage = some:tag\nprofile = p\n{lines}")

    def removed(self):
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def test_data_goes_only_with_v_and_only_what_the_definition_names(self):
        self.define("data:/var/lib/data", "gone:/x", "./here:/here", "/etc:/etc:ro", "data:/again")
        self.up("--wait")
        self.roadie("down")
        self.assertEqual(self.removed(), [])
        self.up("--wait")
        self.roadie("down", "-v")
        self.assertEqual(self.removed(), ["volume rm data", "volume rm gone"])
        self.roadie("down", "--volumes", "--json")
        self.assertEqual(len(self.removed()), 4)

    def test_a_volume_that_cannot_be_removed_is_a_failure(self):
        self.define("busy:/x")
        self.assertIn("volume busy: volume is in use", self.roadie("down", "-v", check=1).err)
        self.assertEqual(self.roadie("down", "-v", "--json", check=1).json, {"v": 1, "services": []})

    def test_a_broken_definition_stops_nothing(self):
        self.define("data:/x")
        self.up("--wait")
        self.write("roadie.local.ini", "broken\n")
        self.roadie("down", "-v", check=2)
        self.assertEqual(self.state("web"), "ready")


class VanishedTest(StackTest):
    def start_and_remove_the_root(self):
        self.ini("[service web]\nshell = echo here; exec sleep 1000\n")
        self.up("--wait")
        stack = self.stack_ids()[0]
        shutil.rmtree(self.root)
        return stack

    def test_a_stack_whose_root_vanished_is_stopped(self):
        self.start_and_remove_the_root()
        wait_until(lambda: not processes_with(self.marker), "everything stopped", 5)

    def test_it_is_known_by_its_id_until_it_is_pruned(self):
        stack = self.start_and_remove_the_root()
        self.roadie("down", "--stack", stack, cwd=self.base)
        self.roadie("down", "--stack", stack, cwd=self.base)
        self.assertEqual(self.roadie("logs", "--stack", stack, cwd=self.base).out, "web | here\n")
        self.assertIn("-y", self.roadie("prune", check=2, cwd=self.base).err)
        pruned = self.roadie("prune", "-y", "--json", cwd=self.base).json["pruned"]
        self.assertEqual([p["stack"] for p in pruned], [stack])
        self.assertEqual(self.roadie("ps", "--all", "--json", cwd=self.base).json["stacks"], [])
        self.roadie("down", "--stack", stack, check=2, cwd=self.base)


class TerminalTest(StackTest):
    def test_a_killed_client_leaves_the_terminal_as_it_was(self):
        self.ini(CHAIN)
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        before = termios.tcgetattr(slave)
        client = subprocess.Popen(
            [ROADIE, "up"], cwd=self.root, env={**self.env, "TERM": "xterm"}, stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.clients.append(client)

        def without_echo():
            return not termios.tcgetattr(slave)[3] & termios.ECHO

        wait_until(without_echo, "keys are read without echo")
        self.wait_state("top", "ready")
        client.kill()
        wait_until(lambda: not without_echo(), "echo is back")
        self.assertEqual(termios.tcgetattr(slave)[3], before[3])


if __name__ == "__main__":
    main()
