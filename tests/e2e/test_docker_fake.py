"""Containers on a scripted docker (tests/lib/fakebin): what a real engine cannot show on demand."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from lib import FX, StackTest, can_connect, free_port, main, pid_alive, wait_until

FAKE = pathlib.Path(__file__).resolve().parent.parent / "lib" / "fakebin"
REDIS = "[service redis]\nimage = redis:7-alpine\n"


class FakeDockerTest(StackTest):
    def setUp(self):
        super().setUp()
        self.docker = self.base / "docker"
        self.docker.mkdir()
        self.env["FAKE_DOCKER"] = str(self.docker)
        self.env["PATH"] = f"{FAKE}:{self.env['PATH']}"
        (self.docker / "image").touch()

    def mode(self, text, command=None):
        path = self.docker / (f"mode.{command}" if command else "mode")
        fresh = self.docker / "mode~"
        fresh.write_text(text)
        fresh.rename(path)

    def calls(self, command=None):
        path = self.docker / "calls"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [r for r in rows if command is None or r["argv"][:1] == [command]]

    def containers(self):
        home = self.docker / "containers"
        return sorted(p.name for p in home.iterdir() if not p.name.endswith(("~", ".new"))) if home.exists() else []

    def client(self):
        name = self.containers()[0]
        return int((self.docker / "containers" / f"{name}.client~").read_text())

    def place_container(self, name, labels, port=""):
        home = self.docker / "containers"
        home.mkdir(exist_ok=True)
        (home / name).write_text(json.dumps({"id": "f0e1d2c3b4a59687", "labels": labels, "port": port}))

    def stack_id(self):
        return self.roadie("ps", "--json").json["stack"]

    def cause(self, name="redis"):
        return self.ps()[name]["cause"]


class StartTest(FakeDockerTest):
    def test_a_container_runs_stops_and_its_name_is_free(self):
        self.ini(REDIS)
        self.up("--wait")
        self.assertEqual(len(self.containers()), 1)
        self.roadie("stop", "redis")
        self.assertEqual(self.state("redis"), "off")
        self.assertEqual(self.containers(), [])
        self.assertIn("got TERM", self.logs("redis"))
        self.assertEqual(list((self.state_dir() / "tombstones").iterdir()), [])

    def test_no_value_of_a_variable_is_on_a_command_line(self):
        self.ini(REDIS + "environment = TOKEN_A=canary-aaaa\nenvironment = PATH=/canary-path\n"
                         "environment = DOCKER_HOST=canary-host\n")
        self.up("--wait", env={"SHELL_SECRET": "canary-shell"})
        self.roadie("down")
        words = [w for c in self.calls() for w in c["argv"]]
        self.assertFalse([w for w in words if "canary" in w])
        run = self.calls("run")[0]["argv"]
        names = [run[i + 1] for i, w in enumerate(run) if w == "--env"]
        self.assertIn("TOKEN_A", names)
        self.assertNotIn("SHELL_SECRET", names)
        file = run[run.index("--env-file") + 1]
        self.assertFalse(os.path.exists(file), "the file of variables goes with the container")

    def test_a_missing_image_is_pulled_with_its_lines_in_the_log(self):
        (self.docker / "image").unlink()
        self.ini(REDIS)
        self.up("--wait")
        self.assertIn("layer2: Pull complete", self.logs("redis"))
        self.assertIn("container runs", self.logs("redis"))

    def test_a_failed_pull_says_what_to_do(self):
        (self.docker / "image").unlink()
        self.mode("fail Error response from daemon: pull access denied for x, repository does not exist or may "
                  "require 'docker login': denied", "pull")
        self.ini(REDIS + "fallback = sleep 1000\n")
        self.up("--wait", check=1)
        self.assertEqual(self.state("redis"), "failed")
        self.assertIn("docker login", self.cause())

    def test_a_registry_out_of_reach_is_said(self):
        (self.docker / "image").unlink()
        self.mode("fail dial tcp: lookup registry on 1.1.1.1:53: no such host", "pull")
        self.ini(REDIS)
        self.up("--wait", check=1)
        self.assertIn("network", self.cause())

    def test_interrupting_a_pull_ends_within_a_second(self):
        (self.docker / "image").unlink()
        self.mode("hang-hard", "pull")
        self.ini(REDIS)
        client = self.spawn("up")
        wait_until(lambda: self.calls("pull"), "the pull")
        began = time.monotonic()
        client.send_signal(signal.SIGINT)
        client.wait(timeout=5)
        self.assertLess(time.monotonic() - began, 1.5)

    def test_a_leftover_of_ours_is_removed(self):
        self.ini(REDIS)
        stack = self.stack_id()
        self.place_container(f"roadie-{stack}-redis", {"dev.roadie.stack": stack})
        self.up("--wait")
        self.assertEqual(self.state("redis"), "ready")
        self.assertEqual(len(self.calls("run")), 1)

    def test_a_foreign_container_of_our_name_is_refused_and_never_removed(self):
        self.ini(REDIS)
        name = f"roadie-{self.stack_id()}-redis"
        self.place_container(name, {})
        self.up("--wait", check=1)
        self.assertIn("not this stack's", self.cause())
        self.roadie("down")
        self.assertEqual(self.containers(), [name])

    def test_a_name_taken_between_question_and_run_leaves_the_foreign_container(self):
        self.ini(REDIS)
        name = f"roadie-{self.stack_id()}-redis"
        self.mode("slow 0.5", "image")
        self.up()
        wait_until(lambda: self.calls("image"), "the question for the image")
        self.place_container(name, {})
        self.wait_state("redis", "failed")
        self.assertIn("name is taken", self.cause())
        self.roadie("down")
        self.assertEqual(self.containers(), [name])


class NoEngineTest(FakeDockerTest):
    def expect_failure(self, *words, env=None):
        self.ini(REDIS)
        self.up("--wait", check=1, env=env)
        for word in words:
            self.assertIn(word, self.cause())
        self.roadie("down")

    def test_a_daemon_that_is_down_has_its_fix(self):
        self.mode("down")
        self.expect_failure("no container engine answers", "systemctl start docker")

    def test_a_user_who_may_not_has_his_fix(self):
        self.mode("denied")
        self.expect_failure("may not talk", "usermod")

    def test_no_docker_at_all_has_its_fix(self):
        bin_dir = self.base / "bin"
        bin_dir.mkdir()
        for tool in ("sh", "env", "python3", "sleep"):
            for directory in ("/bin", "/usr/bin"):
                if os.path.exists(f"{directory}/{tool}"):
                    (bin_dir / tool).symlink_to(f"{directory}/{tool}")
                    break
        self.expect_failure("docker is not installed", env={"PATH": str(bin_dir)})

    def test_the_fallback_runs_and_is_said(self):
        self.mode("down")
        self.ini(REDIS + "fallback = sleep 1000\n")
        done = self.up("--wait")
        self.assertIn("fallback", done.err)
        self.assertEqual(self.state("redis"), "ready")
        self.assertIn("fallback", self.roadie("ps").out)
        self.assertTrue(self.ps()["redis"]["pid"])

    def test_an_engine_on_another_machine_is_refused(self):
        for host in ("tcp://192.0.2.1:2375", "ssh://me@example.invalid"):
            self.expect_failure("DOCKER_HOST", "not on this machine", env={"DOCKER_HOST": host})
        self.assertEqual(self.calls(), [])

    def test_a_context_on_another_machine_is_refused(self):
        (self.docker / "context").write_text("ssh://me@example.invalid")
        self.expect_failure("context far", "docker context use default", env={"DOCKER_CONTEXT": "far"})
        config = self.base / "home" / ".docker"
        config.mkdir()
        (config / "config.json").write_text('{"currentContext": "away"}')
        self.expect_failure("context away")
        self.assertEqual(self.calls("run"), [])

    def test_a_context_on_this_machine_is_used(self):
        (self.docker / "context").write_text("unix:///run/user/0/docker.sock")
        self.ini(REDIS)
        self.up("--wait", env={"DOCKER_CONTEXT": "rootless"})
        self.assertEqual(self.state("redis"), "ready")


class HangTest(FakeDockerTest):
    def test_a_stop_while_the_engine_is_asked_is_immediate(self):
        self.mode("hang-hard", "ps")
        self.ini(REDIS)
        self.up()
        wait_until(lambda: self.calls("ps"), "the question")
        began = time.monotonic()
        self.roadie("stop", "redis")
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(self.state("redis"), "off")

    def test_down_t_ends_when_the_engine_hangs_and_says_what_may_remain(self):
        self.ini(REDIS)
        self.up("--wait")
        self.mode("hang-hard")
        began = time.monotonic()
        done = self.roadie("down", "-t", "500ms", check=1)
        self.assertLess(time.monotonic() - began, 6)
        self.assertIn("may still be there", done.err)
        self.mode("ok")
        self.assertEqual(len(self.containers()), 1)
        self.roadie("down")
        self.assertEqual(self.containers(), [])

    def test_a_second_interrupt_ends_a_down_that_hangs(self):
        self.ini(REDIS)
        client = self.spawn("up")
        self.wait_state("redis", "ready")
        self.mode("hang-hard")
        client.send_signal(signal.SIGINT)
        wait_until(lambda: self.calls("kill"), "the signal")
        began = time.monotonic()
        client.send_signal(signal.SIGINT)
        _, err = client.communicate(timeout=10)
        self.assertLess(time.monotonic() - began, 6)
        self.assertIn("may still be there", err.decode())
        self.mode("ok")
        self.roadie("down")
        self.assertEqual(self.containers(), [])

    def test_down_works_off_the_tombstone_of_a_dead_engine(self):
        self.ini(REDIS)
        self.up("--wait")
        self.mode("down")
        os.kill(self.client(), signal.SIGKILL)
        failed = self.wait_state("redis", "failed")
        self.assertIn("engine does not answer", failed["cause"])
        done = self.roadie("down", check=1)
        self.assertIn("may still be there", done.err)
        self.assertEqual(len(self.containers()), 1)
        self.mode("ok")
        self.roadie("down")
        self.assertEqual(self.containers(), [])

    def test_a_slow_sweep_does_not_hit_the_next_container(self):
        self.ini(REDIS)
        self.up("--wait")
        self.mode("down")
        os.kill(self.client(), signal.SIGKILL)
        self.wait_state("redis", "failed")
        self.roadie("down", check=1)
        self.mode("slow 0.3")
        self.up("--wait")
        self.mode("ok")
        self.assertEqual(len(self.containers()), 1)
        self.assertEqual(len(list((self.state_dir() / "tombstones").iterdir())), 1)

    def test_an_engine_that_dies_fails_the_service_without_a_storm(self):
        self.ini(REDIS + "restart = on-failure\nrestart-delay = 10ms\n")
        self.up("--wait")
        self.mode("down")
        (self.docker / "engine-dies").touch()
        failed = self.wait_state("redis", "failed")
        self.assertIn("no container engine answers", failed["cause"])
        self.assertLessEqual(failed["restarts"], 1)

    def test_a_killed_client_takes_its_container_along(self):
        self.ini(REDIS)
        self.up("--wait")
        os.kill(self.client(), signal.SIGKILL)
        self.wait_state("redis", "failed")
        self.assertEqual(self.containers(), [])

    def test_a_signal_that_cannot_be_sent_does_not_end_the_service(self):
        self.ini(REDIS)
        self.up("--wait")
        self.mode("fail something odd", "kill")
        self.roadie("kill", "-s", "HUP", "redis")
        wait_until(lambda: self.calls("kill"), "the signal")
        self.mode("ok", "kill")
        self.roadie("kill", "-s", "USR1", "redis")
        wait_until(lambda: "got USR1" in self.logs("redis"), "the next signal")
        self.assertEqual(self.state("redis"), "ready")
        self.assertEqual(self.ps()["redis"]["restarts"], 0)


class PortTest(FakeDockerTest):
    """Ports held by a container: the listener is a process of the test under the name of docker's helper."""

    def hold(self, port):
        name = self.base / "docker-proxy"
        if not name.exists():
            name.symlink_to("/usr/bin/python3")
        holder = subprocess.Popen(
            [str(name), "-c", "import socket,sys,time\ns=socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
                              "print('up', flush=True)\nwhile True: s.accept()[0].close()", str(port)],
            stdout=subprocess.PIPE, env={"PATH": self.env["PATH"]})
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.addCleanup(holder.stdout.close)
        holder.stdout.readline()
        return holder

    def test_a_port_of_a_foreign_container_names_it(self):
        port = free_port()
        self.ini(REDIS + f"port = {port}\n")
        self.place_container("compose-redis-1", {"com.docker.compose.project.working_dir": "/srv/other"}, str(port))
        self.hold(port)
        done = self.up(check=7)
        self.assertIn("container compose-redis-1", done.err)
        self.assertIn("/srv/other", done.err)
        done = self.up("--json", check=7)
        self.assertEqual(done.json["conflicts"][0]["owner"]["container"], "compose-redis-1")

    def test_another_stacks_container_is_refused_even_with_adopt(self):
        port = free_port()
        self.ini(REDIS + f"port = {port}\nready = tcp {port}\nadopt = yes\n")
        self.place_container("roadie-x-1-redis", {"dev.roadie.stack": "x-1", "dev.roadie.root": "/srv/x"}, str(port))
        self.hold(port)
        done = self.up(check=7)
        self.assertIn("/srv/x", done.err)
        self.assertEqual(self.containers(), ["roadie-x-1-redis"])

    def test_a_foreign_container_is_adopted_and_never_touched(self):
        port = free_port()
        self.ini(REDIS + f"port = {port}\nready = tcp {port}\nadopt = yes\n")
        self.place_container("compose-redis-1", {}, str(port))
        holder = self.hold(port)
        self.up("--wait")
        self.assertEqual(self.state("redis"), "ready")
        self.assertIn("adopted", self.roadie("ps").out)
        self.assertIsNone(self.ps()["redis"]["pid"])
        self.roadie("stop", "redis")
        self.assertEqual(self.state("redis"), "off")
        self.roadie("start", "--wait", "redis")
        self.roadie("down")
        self.assertTrue(pid_alive(holder.pid))
        self.assertEqual(self.containers(), ["compose-redis-1"])
        self.assertEqual([c for c in self.calls() if c["argv"][0] in ("kill", "rm", "run", "stop")], [])

    def test_kill_of_an_adopted_service_forgets_it(self):
        port = free_port()
        self.ini(REDIS + f"port = {port}\nready = tcp {port}\nadopt = yes\n")
        holder = self.hold(port)
        self.up("--wait")
        self.roadie("kill", "redis", timeout=10)
        self.assertEqual(self.state("redis"), "off")
        self.assertTrue(pid_alive(holder.pid))

    def test_what_cannot_be_adopted_is_named(self):
        port = free_port()
        self.ini(REDIS + f"port = {port}\nready = http /\nadopt = yes\n")
        holder = self.hold(port)
        self.up("--wait", check=1)
        self.assertIn("cannot be adopted", self.cause())
        self.assertTrue(pid_alive(holder.pid))

    def test_kill_port_spares_the_engines_helper(self):
        port = free_port()
        self.ini(REDIS + f"port = {port}\n")
        self.place_container("compose-redis-1", {}, str(port))
        holder = self.hold(port)
        done = self.up("--kill-port", check=7)
        self.assertIn("docker stop", done.err)
        self.assertTrue(pid_alive(holder.pid))

    def test_a_leftover_of_ours_on_the_port_is_removed(self):
        port = free_port()
        self.ini(REDIS + f"port = {port}\n")
        stack = self.stack_id()
        name = f"roadie-{stack}-redis"
        self.place_container(name, {"dev.roadie.stack": stack, "dev.roadie.service": "redis"}, str(port))
        holder = self.hold(port)

        def helper_ends_with_its_container():
            if self.containers():
                return False
            holder.kill()
            return True

        client = self.spawn("up", "-d", "--wait")
        wait_until(helper_ends_with_its_container, "the leftover to be removed")
        self.assertIn(client.wait(timeout=20), (0, 7))
        self.up("--wait")
        self.assertEqual(self.state("redis"), "ready")


class KilledServerTest(FakeDockerTest):
    def test_a_killed_server_leaves_no_container(self):
        self.ini(REDIS)
        for _ in range(3):
            self.up("--wait")
            os.kill(self.server_pid(), signal.SIGKILL)
            wait_until(lambda: not self.containers(), "the container gone", 5)

    def test_with_the_engine_down_the_next_down_works_it_off(self):
        self.ini(REDIS)
        self.up("--wait")
        self.mode("down")
        os.kill(self.server_pid(), signal.SIGKILL)
        wait_until(lambda: len(self.calls("ps")) >= 2, "the farewell's first try")
        self.assertEqual(len(self.containers()), 1)
        self.mode("ok")
        self.roadie("down")
        self.assertEqual(self.containers(), [])


class RandomTest(FakeDockerTest):
    def test_random_commands_on_a_slow_engine_never_break_the_server(self):
        seed = int(os.environ.get("ROADIE_TEST_SEED", random.randrange(1 << 30)))
        rng = random.Random(seed)
        self.ini(REDIS + "restart = on-failure\nrestart-delay = 10ms\nrestart-limit = none\nstop = TERM 200ms, KILL\n"
                         "[service other]\nimage = redis:7-alpine\n")
        self.up()
        server = self.server_pid()
        clients = []
        for step in range(40):
            roll = rng.random()
            if roll < 0.3:
                self.mode(rng.choice(["ok", "ok", "slow 0.1", "slow 0.4", "down", "hang", "fail odd"]),
                          rng.choice([None, "ps", "run", "kill", "rm", "image", "inspect", "pull"]))
            elif roll < 0.35:
                (self.docker / "image").unlink(missing_ok=True)
            elif roll < 0.45 and self.containers():
                try:
                    os.kill(self.client(), signal.SIGKILL)
                except (OSError, ValueError, IndexError):
                    pass
            else:
                clients.append(self.spawn(*rng.choice([
                    ("stop", "redis"), ("start", "redis"), ("restart", "redis"), ("kill", "redis"),
                    ("stop",), ("restart",), ("up", "-d"), ("kill", "-s", "HUP", "redis"), ("start", "other")])))
            wait_until(lambda: sum(c.poll() is None for c in clients) < 4, "the commands to end", 40)
            self.assertTrue(pid_alive(server), f"the server died; seed {seed}, step {step}")
        for path in self.docker.glob("mode*"):
            path.unlink(missing_ok=True)
        self.roadie("down", "-t", "5s", check=None)
        self.roadie("down")
        self.assertEqual(self.containers(), [], f"seed {seed}")


if __name__ == "__main__":
    main()
