"""The demo's transcoder: WAV in, MP3 out, by ffmpeg.

GET  /health      200 {"status":"ok"}
POST /transcode   audio of any kind that ffmpeg reads; 200 with the MP3, 422 with ffmpeg's last line
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BYTES = 16 << 20
MAX_SECONDS = 15
# From the standard input to the standard output: nothing is ever written to disk.
FFMPEG = "ffmpeg -hide_banner -loglevel error -nostdin -i pipe:0 -vn -codec:a libmp3lame -b:a 96k -f mp3 pipe:1".split()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, b'{"status":"ok"}', "application/json")
        else:
            self.answer(404, b"not found\n")

    def do_POST(self) -> None:
        if self.path != "/transcode":
            return self.answer(404, b"not found\n")
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 < size <= MAX_BYTES:
            self.close_connection = True  # what comes stays unread
            return self.answer(413, b"between 1 byte and 16 MiB, with Content-Length\n")
        try:
            done = subprocess.run(FFMPEG, input=self.rfile.read(size), capture_output=True, timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            return self.answer(504, b"ffmpeg took too long\n")
        if done.returncode != 0:
            return self.answer(422, done.stderr.strip().rsplit(b"\n", 1)[-1] + b"\n")
        print(f"transcoded {size} bytes to {len(done.stdout)}")
        self.answer(200, done.stdout, "audio/mpeg")

    def answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-") -> None:
        pass  # the health probes would drown the rest


def main() -> None:
    if not shutil.which("ffmpeg"):
        sys.exit("ffmpeg not found: the transcoder cannot work without it")
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    for number in (signal.SIGINT, signal.SIGTERM):
        # From another thread: shutdown() waits for the loop that this handler interrupts.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"transcoder on http://localhost:{server.server_port}")
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
