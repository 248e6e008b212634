"""The JSON of INTERFACE §4: names, types, nulls, one document or one object a line, errors."""

import json
import re
import socket

from lib import StackTest, free_port, main

RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


class JsonTest(StackTest):
    def shape(self, value, shape, at="$"):
        """shape: a type, None (null), a tuple of alternatives, a list of one shape, a dict (all keys needed), a regex."""
        if isinstance(shape, tuple):
            for one in shape:
                try:
                    return self.shape(value, one, at)
                except AssertionError:
                    continue
            self.fail(f"{at}: {value!r} is none of {shape}")
        elif shape is None:
            self.assertIsNone(value, at)
        elif isinstance(shape, dict):
            self.assertIsInstance(value, dict, at)
            for key, inner in shape.items():
                self.assertIn(key, value, at)
                self.shape(value[key], inner, f"{at}.{key}")
        elif isinstance(shape, list):
            self.assertIsInstance(value, list, at)
            for i, item in enumerate(value):
                self.shape(item, shape[0], f"{at}[{i}]")
        elif isinstance(shape, re.Pattern):
            self.assertIsInstance(value, str, at)
            self.assertRegex(value, shape, at)
        elif isinstance(shape, type):
            self.assertIs(type(value), shape, f"{at}: {value!r}")
        else:
            self.assertEqual(value, shape, at)

    def stack(self):
        self.port = free_port()
        self.ini(f"""[service web]
command = python3 -u -m http.server ${{port}} --bind 127.0.0.1
port = {self.port}
ready = http /
[service app]
shell = echo "hello $A_TOKEN"; exec sleep 1000
environment = A_TOKEN=hunter2secret
depends-on = web
[service bad]
shell = echo boom; kill -KILL $$$$
[service quiet]
command = sleep 1000
profile = more
[task once]
shell = echo once
""")
        self.up()
        self.wait_state("app", "ready")
        self.wait_state("bad", "failed")
        self.wait_state("once", "done")

    def lines(self, *args, **kwargs):
        return [json.loads(line) for line in self.roadie(*args, **kwargs).out.splitlines()]

    def test_ps(self):
        self.stack()
        doc = self.roadie("ps", "-a", "--json").json
        self.shape(doc, {"v": 1, "stack": re.compile(r"^app-[0-9a-f]+$"), "root": str(self.root.resolve()), "services": [{
            "name": str, "kind": ("service", "task"), "state": str, "desired": ("up", "down"), "pid": (int, None),
            "ports": [{"port": int, "host": str, "owned": bool}], "run": int, "restarts": int, "since": RFC3339,
            "uptime_ms": int, "ready": ({"kind": str, "target": str, "took_ms": int}, None),
            "exit": ({"code": (int, None), "signal": (str, None)}, None), "cause": str, "needs": [str],
            "stale": [str]}]})
        by = {s["name"]: s for s in doc["services"]}
        self.assertEqual(list(by), ["web", "app", "bad", "quiet", "once"])
        self.assertEqual(by["web"]["ready"]["kind"], "http")
        self.assertEqual([(p["port"], p["owned"]) for p in by["web"]["ports"]], [(self.port, True)])
        self.assertEqual(by["bad"]["exit"], {"code": None, "signal": "KILL"})
        self.assertEqual(by["once"]["exit"], {"code": 0, "signal": None})
        self.assertEqual((by["once"]["kind"], by["quiet"]["state"], by["quiet"]["desired"]), ("task", "off", "down"))
        self.assertEqual(by["app"]["needs"], ["web"])
        self.assertIsNone(by["bad"]["pid"])

    def test_logs_and_events(self):
        self.stack()
        lines = self.lines("logs", "--json")
        self.shape(lines, [{"v": 1, "seq": int, "t": RFC3339, "service": str, "run": int, "stream": ("out", "err"),
                            "text": str, "partial": bool}])
        self.assertIn("hello ‹A_TOKEN›", [line["text"] for line in lines])
        seqs = [line["seq"] for line in lines]
        self.assertEqual(seqs, sorted(set(seqs)))
        self.assertEqual([x["seq"] for x in self.lines("logs", "--json", "--after", seqs[0])], seqs[1:])
        events = self.lines("events", "--json")
        self.shape(events, [{"v": 1, "seq": int, "t": RFC3339, "service": str, "run": int, "event": "state",
                             "from": str, "to": str, "cause": str}])
        self.assertEqual([(e["from"], e["to"]) for e in events if e["service"] == "web"],
                         [("off", "waiting"), ("waiting", "starting"), ("starting", "ready")])

    def test_control(self):
        self.stack()
        rows = {"v": 1, "services": [{"name": str, "state": str, "took_ms": int}]}
        for args in (["stop", "app"], ["start", "app"], ["restart", "app", "--wait"], ["kill", "app"],
                     ["start", "app", "--wait"], ["up", "--wait", "app"], ["wait", "app"], ["down"], ["down"]):
            self.shape(self.roadie(*args, "--json").json, rows, " ".join(args))

    def test_questions(self):
        self.stack()
        self.shape(self.roadie("why", "bad", "--json").json,
                   {"v": 1, "service": "bad", "state": "failed", "chain": [{"t": RFC3339, "what": str, "detail": str}]})
        graph = self.roadie("graph", "--json").json
        self.shape(graph, {"v": 1, "nodes": list, "edges": [{"from": str, "to": str, "condition": str}]})
        self.assertEqual(graph["edges"], [{"from": "app", "to": "web", "condition": "ready"}])
        self.shape(self.roadie("timeline", "--json").json, {"v": 1, "services": [
            {"name": str, "waiting_ms": int, "starting_ms": int, "critical": bool}]})
        ports = self.roadie("port", "--json").json
        self.shape(ports, {"v": 1, "ports": [{"port": self.port, "service": "web", "owner": {
            "pid": int, "command": str, "user": str, "since": RFC3339}}]})
        self.shape(self.roadie("version", "--json").json, {"v": 1, "version": str, "libraries": {"libuv": str}})
        env = self.roadie("env", "app", "--json").json
        self.shape(env, {"v": 1, "service": "app", "variables": [{
            "name": str, "value": str, "source": ("shell", "file", "definition", "roadie"), "file": (str, None),
            "line": (int, None), "secret": bool, "shadows": [{"source": str, "file": (str, None), "line": (int, None)}]}]})
        token = [v for v in env["variables"] if v["name"] == "A_TOKEN"][0]
        self.assertEqual((token["value"], token["secret"], token["file"]), ("‹A_TOKEN›", True, "roadie.ini"))
        self.shape(self.roadie("config", "--json").json, {"v": 1})

    def test_errors(self):
        error = {"code": int, "message": str, "file": (str, None), "line": (int, None), "column": (int, None),
                 "hint": (str, None)}
        problem = {k: error[k] for k in error if k != "code"}
        shape = {"v": 1, "error": error, "problems": [problem]}
        doc = self.roadie("ps", "--json", check=2).json
        self.shape(doc, shape)
        self.ini("[service web]\ncomand = x\nport = no\n")
        doc = self.roadie("up", "--json", check=2).json
        self.shape(doc, shape)
        self.assertEqual((doc["error"]["file"], doc["error"]["line"], doc["error"]["column"]), ("roadie.ini", 2, 1))
        self.assertEqual([p["line"] for p in doc["problems"]], [2, 3])
        self.ini("[service web]\nshell = exec sleep 1000\n")
        for code, args in ((2, ["frob"]), (2, ["ps", "--frob"]), (2, ["kill"]), (3, ["stop", "web"]), (3, ["why", "web"]),
                           (3, ["logs"]), (2, ["up", "-d", "nope"])):
            doc = self.roadie(*args, "--json", check=code).json
            self.shape(doc, shape, " ".join(args))
            self.assertEqual(doc["error"]["code"], code)
        self.up("--wait")
        for code, args in ((6, ["wait", "web", "--for", "done", "--timeout", "100ms"]), (2, ["stop", "nope"])):
            doc = self.roadie(*args, "--json", check=code).json
            self.shape(doc, shape, " ".join(args))

    def test_up_streams_lines_and_events(self):
        self.ini("[service web]\nshell = echo one; echo two >&2\n")
        rows = self.lines("up", "--json")
        self.assertTrue(all(row["v"] == 1 for row in rows))
        self.assertEqual(sorted(row["text"] for row in rows if "text" in row), ["one", "two"])
        self.assertIn("done", [row["to"] for row in rows if row.get("event") == "state"])

    def test_bytes_that_are_no_utf8_and_a_line_without_an_end(self):
        self.ini("[service web]\nshell = printf 'a\\377b\\nend'\n")
        self.roadie("up")
        rows = self.lines("logs", "--json")
        self.assertEqual([(r["text"], r.get("raw"), r["partial"]) for r in rows],
                         [("a\ufffdb", "Yf9i", False), ("end", None, True)])

    def test_a_port_conflict_is_told_with_its_code(self):
        self.port = free_port()
        self.ini(f"[service web]\ncommand = sleep 1000\nport = {self.port}\n")
        with socket.socket() as s:
            s.bind(("127.0.0.1", self.port))
            s.listen()
            doc = self.roadie("up", "-d", "--json", check=7).json
            self.shape(doc, {"v": 1, "error": {"code": 7, "message": str}, "problems": list})


if __name__ == "__main__":
    main()
