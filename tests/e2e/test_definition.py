"""Definitions, good and bad: roadie.ini, overrides, Procfile, tasks, environment."""

from lib import StackTest, main, processes_with, wait_until


class DefinitionTest(StackTest):
    def test_all_problems_at_once_with_place_and_suggestion(self):
        self.ini("""[service web]
comand = sleep 1
[service db]
shell = x
port = 99999
depends-on = wob
[serice x]
a = b
""")
        result = self.up(check=2)
        self.assertIn('roadie.ini:2:1: unknown key "comand" in [service web]; did you mean "command"?', result.err)
        for line in (5, 6, 7):
            self.assertIn(f"roadie.ini:{line}:", result.err)
        error = self.roadie("up", "-d", "--json", check=2).json
        self.assertEqual(error["error"]["code"], 2)
        self.assertGreaterEqual(len(error["problems"]), 4)

    def test_a_cycle_is_printed_as_a_path(self):
        self.ini("[service a]\nshell = x\ndepends-on = b\n[service b]\nshell = x\ndepends-on = c\n[service c]\nshell = x\ndepends-on = a\n")
        self.assertIn("a → b → c → a", self.up(check=2).err)

    def test_values_are_verbatim(self):
        self.ini("[service web]\nshell = echo a ; echo 'b # c'\n")
        self.roadie("up")
        self.assertEqual(self.logs("--no-prefix"), "a\nb # c\n")

    def test_local_overrides(self):
        self.ini("[service web]\nshell = echo $A $B\nenvironment = A=1\nenvironment = B=2\n")
        self.write("roadie.local.ini", "[service web]\nenvironment = A=9\n")
        self.roadie("up")
        self.assertEqual(self.logs("--no-prefix"), "9 2\n")

    def test_environment_layers_and_sources(self):
        self.write(".env", "FROM_FILE=file\nBOTH=file\n")
        self.ini("[stack]\nenv-file = .env\n[service web]\nshell = echo $FROM_FILE $BOTH $SHELL_VAR $PORT\nenvironment = BOTH=definition\nport = 45999\n")
        self.roadie("up", env={"SHELL_VAR": "shell", "BOTH": "shell"})
        self.assertEqual(self.logs("--no-prefix"), "file definition shell 45999\n")
        rows = {v["name"]: v for v in self.roadie("env", "web", "--json", env={"BOTH": "shell"}).json["variables"]}
        self.assertEqual(rows["FROM_FILE"]["source"], "file")
        self.assertTrue(rows["FROM_FILE"]["file"].endswith(".env"))
        self.assertEqual(rows["FROM_FILE"]["line"], 1)
        self.assertEqual(rows["BOTH"]["source"], "definition")
        self.assertEqual([s["source"] for s in rows["BOTH"]["shadows"]], ["file", "shell"])

    def test_a_broken_env_file_line_is_named_and_never_printed(self):
        self.write(".env", "GOOD=1\nthis is a secret line\n")
        self.ini("[service web]\nshell = x\nenv-file = .env\n")
        result = self.up(check=2)
        self.assertIn(".env:2:", result.err)
        self.assertNotIn("secret line", result.err)

    def test_a_missing_env_file_is_an_error_unless_optional(self):
        self.ini("[service web]\nshell = true\nenv-file = nope.env\n")
        self.assertIn("nope.env", self.up(check=2).err)
        self.ini("[service web]\nshell = true\nenv-file = nope.env?\n")
        self.roadie("up")

    def test_a_task_runs_once_until_its_inputs_change(self):
        self.write("in.txt", "1")
        self.ini("""
[task prepare]
shell = echo prepared >> out.txt
inputs = in.txt
[service web]
shell = exec sleep 1000
depends-on = prepare
""")
        for expected in (1, 1):
            self.up("--wait")
            self.assertEqual(self.state("prepare"), "done")
            self.roadie("down")
            self.assertEqual(len((self.root / "out.txt").read_text().split()), expected)
        self.write("in.txt", "2")
        self.up("--wait")
        self.assertEqual(len((self.root / "out.txt").read_text().split()), 2)

    def test_a_failed_task_fails_what_needs_it_and_runs_again(self):
        self.ini("[task prepare]\nshell = exit 3\ninputs = in.txt\n[service web]\nshell = exec sleep 1000\ndepends-on = prepare\n")
        self.up("--wait", check=1)
        self.assertIn("needs prepare, which failed", self.ps()["web"]["cause"])

    def test_missing_programs_and_directories_are_told_apart(self):
        self.write("script", "#!/no/such/interpreter\n", 0o755)
        self.write("plain", "x", 0o644)
        self.ini("""
[service prog]
command = no-such-program
[service dir]
command = true
directory = no/such/dir
[service interp]
command = ./script
[service noexec]
command = ./plain
""")
        self.up("--wait", check=1)
        ps = self.ps()
        self.assertIn("no-such-program", ps["prog"]["cause"])
        self.assertIn("no/such/dir", ps["dir"]["cause"])
        self.assertIn("directory", ps["dir"]["cause"])
        self.assertIn("script", ps["interp"]["cause"])
        self.assertIn("Permission denied", ps["noexec"]["cause"])

    def test_procfile(self):
        self.write("Procfile", "# two\nweb: echo web on $PORT; exec sleep 1000\nworker: echo worker on $PORT; sleep 0.5; exit 3\n")
        self.write(".env", "COLOR=blue\n")
        result = self.roadie("up", check=3)
        self.assertIn("web    | web on 5000", result.out)
        self.assertIn("worker | worker on 5100", result.out)
        wait_until(lambda: not processes_with(self.marker), "everything gone", 3)

    def test_procfile_errors_have_their_line(self):
        self.write("Procfile", "web: sleep 1\nnonsense\nweb: again\n")
        result = self.up(check=2)
        self.assertIn("Procfile:2:", result.err)
        self.assertIn("Procfile:3:", result.err)

    def test_procfile_can_die(self):
        self.write("Procfile", "web: exec sleep 1000\njob: true\n")
        self.up("--can-die", "job")
        self.wait_state("job", "done")
        self.assertEqual(self.state("web"), "ready")

    def test_profiles_and_with(self):
        self.ini("""
[service web]
shell = exec sleep 1000
[service extra]
shell = exec sleep 1000
profile = full
gives = web: EXTRA=yes
""")
        self.up("--wait")
        self.assertEqual(self.roadie("ps", "--json").json["services"][0]["name"], "web")
        self.assertEqual(self.state("extra"), "off")
        self.up("--wait", "--with", "extra")
        self.assertEqual(self.state("extra"), "ready")
        self.assertTrue(self.ps()["web"]["stale"])

    def test_run_and_exec(self):
        self.ini("[service web]\nshell = exec sleep 1000\nenvironment = WHO=web\ndirectory = sub\n")
        (self.root / "sub").mkdir()
        result = self.roadie("run", "web", "--", "sh", "-c", "echo $WHO $ROADIE_SERVICE; pwd; exit 9", check=9)
        self.assertEqual(result.out.splitlines(), ["web web", str((self.root / "sub").resolve())])
        self.roadie("run", "--", "no-such-program", check=127)
        self.roadie("run", "--", "./sub", check=126)
        self.up("--wait")
        self.assertEqual(self.roadie("exec", "web", "--", "sh", "-c", "echo $WHO-$ROADIE_RUN-").out, "web--\n")

    def test_config_loads_again(self):
        self.ini("[stack]\nname = demo\n[service web]\nshell = echo ${stack.name} ${port}\nport = 45998\nstop = INT 1s, KILL\n")
        text = self.roadie("config").out
        self.assertIn("[service web]", text)
        self.ini(text)
        self.assertEqual(self.roadie("config", "--json").code, 0)

    def test_graph(self):
        self.ini("[service db]\nshell = x\n[service web]\nshell = x\ndepends-on = db:started\n")
        graph = self.roadie("graph", "--json").json
        self.assertEqual(graph["edges"], [{"from": "web", "to": "db", "condition": "started"}])
        self.assertIn("web", self.roadie("graph").out)
        self.assertIn("graph", self.roadie("graph", "--format", "mermaid").out)

    def test_unknown_commands_and_flags_are_2_with_a_suggestion(self):
        self.ini("[service web]\nshell = x\n")
        self.assertIn("restart", self.roadie("restrat", check=2).err)
        self.assertIn("--wait", self.roadie("up", "--wiat", check=2).err)
        self.assertIn("web", self.roadie("up", "-d", "wbe", check=2).err)


if __name__ == "__main__":
    main()
