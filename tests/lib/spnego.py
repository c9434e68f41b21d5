"""A web server that asks for Negotiate (RFC 4559) and passes on to another
what it lets in. Run by a Python that has gssapi:

    spnego.py ORIGIN request|connection PRINCIPAL

It prints its port, and then a line for each request: the connection's
number, "token", "bare" or "known", and the status. `request`: each request
is asked for a token; `connection`: what one has proved holds for its
connection, as IIS does.
"""

import base64
import http.server
import sys
import threading
import urllib.error
import urllib.request

import gssapi

ORIGIN, MODE, PRINCIPAL = sys.argv[1:]


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    numbers = iter(range(1, 1 << 30))
    lock = threading.Lock()

    def setup(self):
        super().setup()
        self.known = False
        self.number = next(self.numbers)

    def tell(self, how, status):
        with self.lock:
            print(self.number, how, status, flush=True)

    def send(self, status, headers, body):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, how):
        self.tell(how, 401)
        self.send(401, [("WWW-Authenticate", "Negotiate"),
                        ("Content-Type", "text/html")], b"<h1>401</h1>")

    def proved(self, token):
        """The server's last word, or None."""
        name = gssapi.Name("HTTP@" + PRINCIPAL,
                           gssapi.NameType.hostbased_service)
        context = gssapi.SecurityContext(
            usage="accept", creds=gssapi.Credentials(name=name,
                                                     usage="accept"))
        try:
            out = context.step(base64.b64decode(token))
        except gssapi.exceptions.GSSError as e:
            print("#", e, file=sys.stderr, flush=True)
            return None
        if not context.complete or not str(
                context.initiator_name).startswith("reader@"):
            return None
        return base64.b64encode(out or b"").decode()

    def do_GET(self):
        given = self.headers.get("Authorization", "")
        more = []
        how = "token"
        if given.startswith("Negotiate "):
            last = self.proved(given[10:])
            if last is None:
                return self.refuse("token")
            self.known = MODE == "connection"
            more = [("WWW-Authenticate", "Negotiate " + last),
                    ("Persistent-Auth", str(self.known).lower())]
        elif self.known:
            how = "known"
        else:
            return self.refuse("bare")
        try:
            with urllib.request.urlopen(ORIGIN + self.path) as r:
                status, body, kind = r.status, r.read(), r.headers[
                    "Content-Type"]
        except urllib.error.HTTPError as e:
            status, body, kind = e.code, e.read(), e.headers["Content-Type"]
        self.tell(how, status)
        self.send(status, more + [("Content-Type", kind)], body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
print(server.server_port, flush=True)
server.serve_forever()
