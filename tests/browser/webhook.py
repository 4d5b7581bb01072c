"""A webhook that alerts are told to: it keeps what it hears, and answers with the status that it is given."""

import http.server
import json
import threading


class Webhook:
    def __init__(self, status=204):
        self.status = status
        self.heard = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.heard.append(json.loads(body))
                self.send_response(hook.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                """What it hears is in `heard`."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def states(self):
        return [message["state"] for message in self.heard]
