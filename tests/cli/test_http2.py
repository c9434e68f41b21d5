"""HTTP/2 with a server of others: nginx with TLS before garner-mock. Many
requests share a connection; streams that are reset and connections that are
given up are asked again; Negotiate, which is bound to a connection, has
HTTP/1.1."""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import urllib.request

import harness
from certs import Certificates
from harness import GETS, Mock, Site, check_silver, timed, wait_for

START, END = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
TABLES = ["pi_points", "pi_timeseries"]
FETCH = ("fetch: {in_flight: 24, adaptive: false, retry_base: 5ms, tries: 8, "
         "breaker_failures: 0}\n")
SMALL = "  page_items: 60\n  target_items: 600\n"
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")

CONF = """
%(user)s
daemon off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 500; }
http {
    log_format way "$server_protocol $connection $status";
    access_log way.log way;
    client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t;
    uwsgi_temp_path t; scgi_temp_path t;
    keepalive_requests %(requests)d;
    server {
        listen 127.0.0.1:%(port)d ssl http2;
        ssl_certificate %(cert)s;
        ssl_certificate_key %(key)s;
        location /accepts {
            stub_status;
        }
        location / {
            proxy_pass http://%(mock)s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }
    }
}
"""


class Nginx:
    """Before that mock; `requests` of a connection, then GOAWAY."""

    def __init__(self, certificates, mock, requests=100000):
        self.c, self.mock, self.requests = certificates, mock, requests
        self.dir = tempfile.mkdtemp(prefix="garner-nginx-")

    def __enter__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = "https://127.0.0.1:%d/piwebapi" % self.port
        with open(os.path.join(self.dir, "nginx.conf"), "w",
                  encoding="utf-8") as f:
            f.write(CONF % {
                "user": "user root;" if os.getuid() == 0 else "",
                "requests": self.requests, "port": self.port,
                "cert": self.c.cert("server"), "key": self.c.key("server"),
                "mock": self.mock.url.split("/")[2]})
        self.proc = subprocess.Popen(
            [NGINX, "-p", self.dir, "-c", "nginx.conf", "-e", "error.log"],
            cwd=self.dir, stderr=subprocess.DEVNULL)
        wait_for(self.listens)
        return self

    def listens(self):
        if self.proc.poll() is not None:
            with open(os.path.join(self.dir, "error.log")) as f:
                raise RuntimeError("nginx did not start: " + f.read())
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True

    def __exit__(self, *_):
        self.proc.terminate()
        self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def ways(self):
        """(protocol, connection, status) of each request; after the end of
        garner, when all of it is written."""
        with open(os.path.join(self.dir, "way.log"), encoding="utf-8") as f:
            return [tuple(x.split()) for x in f if x.endswith("\n")]

    def accepts(self):
        """Connections that were made so far, but for those of this."""
        self.looks = getattr(self, "looks", 0) + 1
        with urllib.request.urlopen(
                "https://127.0.0.1:%d/accepts" % self.port, timeout=10,
                context=ssl._create_unverified_context()) as r:
            return int(r.read().split()[7]) - self.looks

    def site(self, **kw):
        return Site(self.url, source=GETS + "  tls: {ca: %s}\n" % self.c.ca,
                    **kw)


def judge(nginx, mock):
    """(requests, connections, most in flight)"""
    ways = nginx.ways()
    assert {w[0] for w in ways} == {"HTTP/2.0"}, {w[0] for w in ways}
    return (len(ways), len({w[1] for w in ways}),
            mock.stats()["requests"]["most"])


@timed
def test_requests_share_connections():
    with Certificates() as c, Mock("--tags", 60, "--rate", "0.2",
                                   "--latency", "20ms") as m, \
            Nginx(c, m) as n, n.site(fetch=FETCH, harvest=SMALL) as s:
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, START, END, TABLES)
        asked, connections, most = judge(n, m)
        print("%d requests, %d at once, over %d connections"
              % (asked, most, connections))
        assert asked > 100 and most >= 16, (asked, most)
        assert connections <= most // 8, connections


@timed
def test_one_handshake_tells():
    """Many requests are there at once before the server was ever asked: one
    connection tells how it is spoken to."""
    drive = os.path.join(harness.BUILD, "tests", "fetch", "drive_fetch")
    with Certificates() as c, Mock("--tags", 5) as m, Nginx(c, m) as n:
        before = n.accepts()
        for http2, most in ((1, 2), (0, 32)):
            out = subprocess.run(
                [drive, "0.5", "https://127.0.0.1:%d,http2=%d" % (
                    n.port, http2)], check=True, capture_output=True,
                text=True, timeout=60)
            r = json.loads(out.stdout)
            made = n.accepts() - before
            before += made
            print("%d requests over %d connections" % (r["requests"], made))
            assert r["good"] > 0 and r["failed"] == 0, r
            assert made <= most and (http2 or made > 16), made


def test_goaway():
    """Each connection is given up after ten requests, whatever is asked on
    it then."""
    with Certificates() as c, Mock("--tags", 60, "--rate", "0.2",
                                   "--latency", "20ms") as m, \
            Nginx(c, m, 10) as n, n.site(fetch=FETCH, harvest=SMALL) as s:
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, START, END, TABLES)
        asked, connections, most = judge(n, m)
        print("%d requests over %d connections" % (asked, connections))
        assert connections > 5, connections


def test_reset_streams():
    """Answers that are cut end as streams that are reset: those alone are
    asked again, the connection stays."""
    with Certificates() as c, Mock("--tags", 60, "--rate", "0.2", "--fault",
                                   "recorded:cut:p=0.1") as m, \
            Nginx(c, m) as n, n.site(fetch=FETCH, harvest=SMALL) as s:
        r = s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, START, END, TABLES)
        asked, connections, _ = judge(n, m)
        retries = int(re.search(r"requests, (\d+) retries", r.stdout)[1])
        print("%d requests, %d again, over %d connections"
              % (asked, retries, connections))
        assert retries >= 5, r.stdout
        assert connections <= 4, connections


def test_negotiate_has_one_to_itself():
    with Certificates() as c, Mock("--tags", 5) as m, Nginx(c, m) as n, \
            Site(n.url, fetch=FETCH, source="  tls: {ca: %s}\n"
                 "  auth: {type: negotiate}\n" % c.ca) as s:
        s.garner("check", status=None)
        assert {w[0] for w in n.ways()} == {"HTTP/1.1"}, n.ways()


if __name__ == "__main__":
    if NGINX is None:
        print("SKIPPED: no nginx here (Debian: nginx-light)", flush=True)
        raise SystemExit(77)
    harness.main(globals())
