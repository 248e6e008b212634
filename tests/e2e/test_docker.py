"""Containers on a real engine of the tests' own (tests/lib/dockerd.sh); skipped where the kernel forbids one."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from lib import FX, StackTest, free_port, main, pid_alive, wait_until

FIXTURE = pathlib.Path(__file__).resolve().parent.parent / "lib" / "dockerd.sh"


class Engine:
    """The one engine of this file."""
    home = None
    skip = None


def fixture(script, check=True):
    # The engine outlives the call and must not hold its pipes.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(["bash", "-c", f'. "{FIXTURE}"; {script}', "engine", Engine.home],
                              stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=180, check=False)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if check and done.returncode != 0:
        if done.returncode == 77:
            Engine.skip = text.strip().splitlines()[-1]
            raise unittest.SkipTest(Engine.skip)
        raise AssertionError(f"{script}: exit {done.returncode}: {text}")
    return text


def setUpModule():
    Engine.home = tempfile.mkdtemp(prefix="rdd-", dir="/tmp")
    try:
        fixture('dockerd_start "$1" && docker_import_redis')
    except BaseException:
        tearDownModule()
        raise


def tearDownModule():
    fixture('dockerd_stop "$1"', check=False)
    shutil.rmtree(Engine.home, ignore_errors=True)


class DockerTest(StackTest):
    def setUp(self):
        super().setUp()
        self.env["DOCKER_HOST"] = f"unix://{Engine.home}/docker.sock"
        self.env["DOCKER_CONFIG"] = f"{Engine.home}/config"
        self.addCleanup(self.remove_containers)

    def docker(self, *args, check=True, timeout=60):
        done = subprocess.run(["docker", *args], env={**self.env, "PATH": os.environ["PATH"]}, timeout=timeout,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if check:
            self.assertEqual(done.returncode, 0, f"docker {args}: {done.stderr}")
        return done.stdout.strip()

    def remove_containers(self):
        def none_left():
            left = self.docker("ps", "-aq").split()
            if left:
                self.docker("rm", "-f", "-v", *left, check=False)
            return not left

        wait_until(none_left, "the engine to be empty")

    def names(self, *args):
        return self.docker("ps", "-a", "--format", "{{.Names}}", *args).split()

    def redis(self, more="", port=None):
        self.port = port or free_port()
        self.ini(f"[service redis]\nimage = redis:7-alpine\nport = {self.port}\ncontainer-port = 6379\n"
                 f"ready = redis\n{more}")

    def container(self):
        return f"roadie-{self.stack_ids()[0]}-redis"

    def client(self):
        """The `docker run` of this stack."""
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    argv = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().decode().split("\0")
                except OSError:
                    continue
                if os.path.basename(argv[0]) == "docker" and argv[1:2] == ["run"] and self.container() in argv:
                    return int(entry)
        return None


class RunTest(DockerTest):
    def test_redis_comes_up_and_ps_shows_its_own_process_and_port(self):
        self.redis()
        self.up("--wait")
        redis = self.ps()["redis"]
        self.assertEqual(redis["state"], "ready")
        self.assertEqual(redis["ready"]["kind"], "redis")
        container = self.docker("inspect", "--format", "{{.Id}} {{.State.Pid}}", self.container()).split()
        self.assertEqual(redis["pid"], int(container[1]))
        self.assertEqual([(p["port"], p["owned"]) for p in redis["ports"]], [(self.port, True)])
        self.assertIn(f"127.0.0.1:{self.port}", self.docker("port", self.container()))
        wait_until(lambda: "Ready to accept connections" in self.logs("redis"), "redis's own lines")
        self.roadie("down")
        self.assertEqual(self.names(), [])
        self.assertIn("User requested shutdown", self.logs("redis"))

    def test_stop_frees_the_name_and_restart_gives_a_new_container(self):
        self.redis()
        self.up("--wait")
        first = self.docker("inspect", "--format", "{{.Id}}", self.container())
        self.roadie("restart", "--wait", "redis")
        second = self.docker("inspect", "--format", "{{.Id}}", self.container())
        self.assertNotEqual(first, second)
        self.roadie("stop", "redis")
        self.assertEqual(self.state("redis"), "off")
        self.assertEqual(self.names(), [])
        self.roadie("start", "--wait", "redis")
        self.assertEqual(self.state("redis"), "ready")

    def test_exec_runs_inside_the_container(self):
        self.redis()
        self.up("--wait")
        self.assertEqual(self.roadie("exec", "redis", "--", "redis-cli", "ping").out.strip(), "PONG")
        self.assertEqual(self.roadie("exec", "redis", "--", "sh", "-c", "exit 7", check=7).code, 7)

    def test_the_ladders_signals_are_the_engines(self):
        self.ini("[service redis]\nimage = redis:7-alpine\nready = log waits\nstop = HUP 200ms, TERM 5s, KILL\n"
                 "command = sh -c 'trap \"echo got HUP\" HUP; trap \"echo got TERM; exit 0\" TERM; echo waits; "
                 "while :; do sleep 0.05; done'\n")
        self.up("--wait")
        self.roadie("stop", "redis")
        got = [l for l in self.logs("redis", "--no-prefix").splitlines() if l.startswith("got")]
        self.assertEqual(got, ["got HUP", "got TERM"])

    def test_kill_removes_a_container_that_ignores_everything(self):
        self.ini("[service redis]\nimage = redis:7-alpine\nready = log waits\nstop = TERM 300ms, KILL\n"
                 "command = sh -c 'trap \"\" TERM INT HUP; echo waits; while :; do sleep 0.05; done'\n")
        self.up("--wait")
        began = time.monotonic()
        self.roadie("stop", "redis")
        self.assertLess(time.monotonic() - began, 6)
        self.assertEqual(self.names(), [])
        self.assertEqual(self.docker("volume", "ls", "-q"), "")

    def test_without_ready_lines_it_is_ready_once_it_runs(self):
        self.ini("[service redis]\nimage = redis:7-alpine\ncommand = sleep 1000\n")
        self.up("--wait")
        running = self.docker("inspect", "--format", "{{.State.Running}}", self.container())
        self.assertEqual(running, "true")
        self.assertTrue(pid_alive(self.ps()["redis"]["pid"]))

    def test_a_task_in_a_container_is_done(self):
        self.ini("[task job]\nimage = redis:7-alpine\ncommand = sh -c 'echo from the task'\n"
                 "[service keep]\nshell = exec sleep 1000\ndepends-on = job\n")
        self.up("--wait")
        self.assertEqual(self.state("job"), "done")
        self.assertIn("from the task", self.logs("job"))
        self.assertEqual(self.names(), [])

    def test_a_program_that_the_image_lacks_is_said(self):
        self.ini("[service redis]\nimage = redis:7-alpine\ncommand = no-such-program\n")
        self.up()
        self.assertIn("no such program", self.wait_state("redis", "failed")["cause"])
        self.assertEqual(self.names(), [])

    def test_the_exit_code_of_the_container_is_the_services(self):
        self.ini("[service redis]\nimage = redis:7-alpine\nready = log never\ncommand = sh -c 'exit 3'\n")
        self.up("--wait", check=1)
        self.assertEqual(self.ps()["redis"]["exit"], {"code": 3, "signal": None})

    def test_volumes_options_and_ports_reach_docker_run(self):
        (self.root / "data").mkdir()
        (self.root / "data" / "hello").write_text("from the checkout\n")
        name = f"rdtest-{os.getpid()}"
        self.redis(f"volume = ./data:/host:ro\nvolume = {name}:/named\ncontainer-option = --hostname inside\n")
        self.up("--wait")
        self.assertIn("from the checkout", self.roadie("exec", "redis", "--", "cat", "/host/hello").out)
        self.assertIn("inside", self.roadie("exec", "redis", "--", "cat", "/etc/hostname").out)
        self.roadie("exec", "redis", "--", "sh", "-c", "echo kept > /named/x")
        self.roadie("restart", "--wait", "redis")
        self.assertIn("kept", self.roadie("exec", "redis", "--", "cat", "/named/x").out)
        self.roadie("down")
        self.assertIn(name, self.docker("volume", "ls", "-q"))
        self.docker("volume", "rm", name)

    def test_two_checkouts_have_two_containers(self):
        self.redis()
        self.up("--wait")
        other = self.base / "other"
        other.mkdir()
        (other / "roadie.ini").write_text(
            (self.root / "roadie.ini").read_text().replace(str(self.port), str(free_port())))
        self.roadie("up", "-d", "--wait", cwd=other)
        names = self.names()
        self.roadie("down", cwd=other)
        self.assertEqual(len(set(names)), 2)
        self.assertEqual(len(self.names()), 1)
        self.assertEqual(self.state("redis"), "ready")


class SecretTest(DockerTest):
    def test_the_environment_reaches_the_container_without_a_command_line(self):
        self.redis("environment = REDIS_TOKEN=canary-1 two  three\nenvironment = PATH=/usr/local/bin:/bin:/canary-2\n"
                   "env-file = .env\n")
        self.write(".env", "MULTI_SECRET=\"canary-3\nline two\"\n")
        seen = []
        over = threading.Event()

        def sample():
            while not over.is_set():
                for entry in os.listdir("/proc"):
                    if entry.isdigit():
                        try:
                            words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
                        except OSError:
                            continue
                        if b"canary-" in words:
                            seen.append(words)

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            self.up("--wait", env={"SHELL_ONLY": "canary-4"})
            inside = self.roadie("exec", "redis", "--", "env").out
        finally:
            over.set()
            sampler.join()
        self.assertEqual(seen, [])
        self.assertIn("REDIS_TOKEN=canary-1 two  three\n", inside)
        self.assertIn("/canary-2", inside)
        self.assertIn("MULTI_SECRET=canary-3\nline two\n", inside)
        self.assertIn("ROADIE_SERVICE=redis", inside)
        self.assertNotIn("SHELL_ONLY", inside)
        self.assertNotIn("ROADIE_TEST_MARK", inside)


class LeftoverTest(DockerTest):
    def leftover(self, *args, verb=("run", "-d")):
        stack = self.roadie("ps", "--json").json["stack"]
        name = f"roadie-{stack}-redis"
        self.docker(*verb, "--name", name, *args, "redis:7-alpine")
        return name, stack

    def test_a_running_leftover_on_our_port_is_removed(self):
        self.redis()
        stack = self.roadie("ps", "--json").json["stack"]
        self.leftover("--label", f"dev.roadie.stack={stack}", "-p", f"127.0.0.1:{self.port}:6379")
        self.up("--wait")
        self.assertEqual(self.state("redis"), "ready")
        self.assertEqual(len(self.names()), 1)

    def test_a_running_leftover_is_not_adopted(self):
        self.redis("adopt = yes\n")
        stack = self.roadie("ps", "--json").json["stack"]
        self.leftover("--label", f"dev.roadie.stack={stack}", "-p", f"127.0.0.1:{self.port}:6379")
        self.up("--wait")
        self.assertNotIn("adopted", self.roadie("ps").out)
        self.assertTrue(self.ps()["redis"]["pid"])

    def test_a_created_leftover_is_removed(self):
        self.redis()
        stack = self.roadie("ps", "--json").json["stack"]
        self.leftover("--label", f"dev.roadie.stack={stack}", verb=("create",))
        self.up("--wait")
        self.assertEqual(self.state("redis"), "ready")

    def test_a_foreign_container_of_our_name_lives_on(self):
        self.redis()
        name, _ = self.leftover()
        self.up("--wait", check=1)
        self.assertIn("not this stack's", self.ps()["redis"]["cause"])
        self.roadie("down")
        self.assertEqual(self.docker("inspect", "--format", "{{.State.Running}}", name), "true")


class PortTest(DockerTest):
    def test_a_foreign_container_on_the_port_is_named(self):
        self.redis()
        self.docker("run", "-d", "--name", "stranger", "-p", f"127.0.0.1:{self.port}:6379", "redis:7-alpine")
        done = self.up(check=7)
        self.assertIn("container stranger", done.err)
        self.assertEqual(self.names(), ["stranger"])

    def test_another_stack_on_the_port_is_named_by_its_directory(self):
        self.redis("adopt = yes\n")
        other = self.base / "other"
        other.mkdir()
        shutil.copy(self.root / "roadie.ini", other)
        self.roadie("up", "-d", "--wait", cwd=other)
        try:
            done = self.up(check=7)
            self.assertIn(str(other), done.err)
        finally:
            self.roadie("down", cwd=other)
        self.up("--wait")

    def test_a_process_on_the_port_is_named(self):
        self.redis()
        with socket.create_server(("127.0.0.1", self.port)):
            done = self.up(check=7)
        self.assertIn(f"pid {os.getpid()}", done.err)
        self.assertEqual(self.names(), [])


class AdoptTest(DockerTest):
    def check_adopted(self):
        self.up("--wait")
        redis = self.ps()["redis"]
        self.assertEqual(redis["state"], "ready")
        self.assertIsNone(redis["pid"])
        self.assertIn("adopted", self.roadie("ps").out)

    def test_a_foreign_container_is_adopted_and_outlives_the_stack(self):
        self.redis("adopt = yes\n")
        self.docker("run", "-d", "--name", "stranger", "-p", f"127.0.0.1:{self.port}:6379", "redis:7-alpine")
        wait_until(lambda: "Ready to accept" in self.docker("logs", "stranger"), "the stranger")
        self.check_adopted()
        self.roadie("stop", "redis")
        self.assertEqual(self.state("redis"), "off")
        self.roadie("start", "--wait", "redis")
        self.roadie("down")
        self.assertEqual(self.docker("inspect", "--format", "{{.State.Running}}", "stranger"), "true")

    def test_a_redis_server_is_adopted_and_when_it_goes_restart_decides(self):
        self.redis("adopt = yes\nrestart = always\nalive = redis\nalive-interval = 200ms\n")
        server = subprocess.Popen(["redis-server", "--port", str(self.port), "--save", ""], cwd=self.base,
                                  stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_until(lambda: subprocess.run(["redis-cli", "-p", str(self.port), "ping"], capture_output=True,
                                          check=False).stdout == b"PONG\n", "redis-server")
        self.check_adopted()
        server.terminate()
        server.wait()
        wait_until(lambda: self.ps()["redis"]["pid"] and self.state("redis") == "ready",
                   "a container in the place of what was adopted")
        self.assertEqual(len(self.names()), 1)


class DeathTest(DockerTest):
    def test_a_killed_server_leaves_no_container(self):
        self.redis()
        for _ in range(10):
            self.up("--wait")
            os.kill(self.server_pid(), signal.SIGKILL)
            wait_until(lambda: not self.names(), "the container gone", 10)

    def test_a_server_killed_while_it_starts_leaves_no_container(self):
        self.redis()
        for step in range(10):
            self.up()
            pid = wait_until(self.server_pid, "the server")
            time.sleep(step * 0.08)  # a moment of the start, each round a later one
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self.docker("ps", "-q"), "no running container", 10)
            wait_until(lambda: not (self.client() and pid_alive(self.client())), "no client", 10)
        self.roadie("down")
        self.assertEqual(self.names(), [])

    def test_a_server_killed_while_the_engine_is_frozen_leaves_no_container(self):
        self.redis()
        self.up("--wait")
        engine = int(pathlib.Path(Engine.home, "engine.pid").read_text())
        os.kill(engine, signal.SIGSTOP)
        try:
            os.kill(self.server_pid(), signal.SIGKILL)
            wait_until(lambda: not (self.client() and pid_alive(self.client())), "the client gone", 10)
        finally:
            os.kill(engine, signal.SIGCONT)
        wait_until(lambda: not self.names(), "the container gone", 20)
        self.roadie("down")

    def test_everything_killed_at_once_is_worked_off_by_the_next_up(self):
        self.redis()
        self.up("--wait")
        pids = [self.server_pid()] + [int(e) for e in os.listdir("/proc") if e.isdigit() and
                                      self.is_shim(e)]
        self.assertGreater(len(pids), 1)
        client = self.client()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        os.kill(client, signal.SIGKILL)
        self.assertEqual(len(self.names()), 1)
        self.up("--wait")
        self.assertEqual(self.state("redis"), "ready")
        self.assertEqual(len(self.names()), 1)

    def is_shim(self, entry):
        try:
            return (os.path.basename(os.readlink(f"/proc/{entry}/exe")) == "roadie-shim" and
                    int(pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1]) ==
                    self.server_pid())
        except OSError:
            return False

    def test_a_killed_client_takes_its_container_along_and_restart_brings_it_back(self):
        self.redis("restart = on-failure\n")
        self.up("--wait")
        first = self.docker("inspect", "--format", "{{.Id}}", self.container())
        os.kill(self.client(), signal.SIGKILL)
        wait_until(lambda: self.ps()["redis"]["restarts"] == 1 and self.state("redis") == "ready", "a restart")
        self.assertNotEqual(self.docker("inspect", "--format", "{{.Id}}", self.container()), first)

    def test_an_engine_that_ends_fails_the_service_with_a_clear_cause(self):
        self.redis()
        self.up("--wait")
        try:
            fixture('dockerd_end "$1/dockerd.pid" 200')
            failed = self.wait_state("redis", "failed")
            self.assertIn("engine does not answer", failed["cause"])
            self.assertEqual(failed["restarts"], 0)
        finally:
            fixture('ip link delete "$(cat "$1/bridge")"; dockerd_start "$1"')
        self.roadie("down")
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    main()
