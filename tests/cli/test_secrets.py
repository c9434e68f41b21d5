"""Secrets are nowhere: after good runs and every kind of failing one, what
garner said, its arguments, its folder and its memory's dumps are searched
for them, as they are and encoded. Servers that quote what they were sent are
part of it."""

import base64
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from certs import Certificates
from harness import GARNER, Mock, Site, main

CANARY = "cAnary/s3cret+%41=x"
FETCH = "fetch: {retry_base: 1ms, breaker_open: 100ms, give_up: 3s, " \
    "tries: 2}\n"


def private(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text + "\n")
    os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
    return path


def forms(secret):
    raw = secret.encode()
    quoted = urllib.parse.quote(secret, safe="").encode()
    yield raw
    for before in (b"", b"me:"):
        for x in (raw, quoted):
            # what follows it does not matter, what is before it does
            text = base64.b64encode(before + x)
            whole = text[:len(before + x) * 8 // 6]
            yield whole
            yield whole.replace(b"+", b"-").replace(b"/", b"_")
    yield quoted
    yield quoted.lower()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()


def found_in(data, secrets):
    return [(s, x) for s in secrets for x in forms(s) if x in data]


def search(folder, secrets, *but):
    found = []
    for d, _, names in os.walk(folder):
        for n in names:
            path = os.path.join(d, n)
            if path in but or os.path.islink(path):
                continue
            with open(path, "rb") as f:
                found += [(path, x) for x in found_in(f.read(), secrets)]
    return found


def auth(**keys):
    return "  auth: {%s}\n" % ", ".join("%s: %s" % kv for kv in keys.items())


def ways(url):
    """Each way to authenticate: options of the mock, and of the source."""
    at = "%s/oauth/token" % url.rsplit("/", 1)[0] if url else ""
    return {
        "basic": (["--basic", "me:" + CANARY], lambda f: auth(
            type="basic", user="me", password="{file: %s}" % f)),
        "bearer": (["--token", CANARY], lambda f: auth(
            type="bearer", token="{file: %s}" % f)),
        "oauth2": (["--oauth", "me:" + CANARY], lambda f: auth(
            type="oauth2", client_id="me", token_url=at,
            client_secret="{file: %s}" % f)),
        "oauth2 post": (["--oauth", "me:" + CANARY], lambda f: auth(
            type="oauth2", client_id="me", token_url=at, client_auth="post",
            client_secret="{file: %s}" % f)),
    }


class Run:
    """garner's commands; keeps all it said, and looks at its arguments."""

    def __init__(self, site):
        self.site, self.said = site, b""

    def __call__(self, *args, env=None):
        with subprocess.Popen(
                [GARNER, "-c", self.site.conf, *args], cwd=self.site.dir,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=env) as p:
            with open("/proc/%d/cmdline" % p.pid, "rb") as f:
                self.said += f.read()
            self.said += p.communicate(timeout=60)[0]
        return p.returncode


def check_nowhere(run, secrets, *but):
    assert found_in(run.said, secrets) == [], run.said
    found = search(run.site.dir, secrets, *but)
    assert found == [], found


# --- a good server that fails ---------------------------------------------

def test_nowhere():
    for name in ways(""):
        with Mock("--tags", 5, *ways("")[name][0]) as m, Site(m.url) as s:
            secret = private(s.dir, "secret", CANARY)
            s.write("log: {level: debug}\n",
                    source=ways(m.url)[name][1](secret), fetch=FETCH)
            run = Run(s)
            assert run("discover") == 0, run.said
            for fault in ("", "*:401", "*:500", "*:html", "*:redirect",
                          "*:cut", "recorded:400"):
                m.faults(*([fault] if fault else []))
                run("harvest")
            m.faults()
            for cmd in (["check"], ["config", "--json"], ["status"],
                        ["status", "--json"], ["compact"],
                        ["harvest", "--retry-failed"]):
                assert run(*cmd) == 0, (name, cmd, run.said)
            check_nowhere(run, [CANARY], secret)


# --- servers that quote ----------------------------------------------------

class Quoting(BaseHTTPRequestHandler):
    """Says all it knows of a request, in the way of `mode`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked += 1
        if self.path.startswith("/oauth") and self.server.grants:
            return self.answer(200, "application/json", json.dumps(
                {"access_token": self.server.grants, "expires_in": 60}))
        given = self.headers.get("Authorization", "none")
        words = [given, given.partition(" ")[2], body.decode(),
                 urllib.parse.unquote(body.decode())]
        try:
            clear = base64.b64decode(given.partition(" ")[2]).decode()
            words += [clear, clear.partition(":")[2],
                      urllib.parse.unquote(clear)]
        except ValueError:
            pass
        self.server.quoted += [w for w in words if w]
        mode = self.server.mode
        # so that cutting it would leave a part
        for fill in ("", "x" * 385):
            text = fill + " and ".join(words)
            if not fill and mode[1] == "long":
                continue
            break
        if mode[1] == "html":
            return self.answer(mode[0], "text/html",
                               "<html><title>%s</title>" % text)
        if mode[1] == "errors":
            return self.answer(mode[0], "application/json",
                               json.dumps({"Errors": words}))
        if mode[1] == "plain":
            return self.answer(mode[0], "text/plain", text)
        return self.answer(mode[0], "application/json",
                           json.dumps({"Message": text}))

    def answer(self, status, kind, text):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Set-Cookie", "session=" + CANARY)
        if 300 <= status < 400:
            self.send_header("Location", "http://127.0.0.1:1/?" +
                             urllib.parse.quote(text[:200]))
        self.end_headers()
        self.wfile.write(data)


class Server:
    def __enter__(self):
        s = self.s = ThreadingHTTPServer(("127.0.0.1", 0), Quoting)
        s.daemon_threads = True
        s.asked, s.quoted, s.grants, s.mode = 0, [], "", (200, "message")
        threading.Thread(target=s.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/piwebapi" % s.server_port
        return s, self.url

    def __exit__(self, *_):
        self.s.shutdown()
        self.s.server_close()


def test_quoted():
    modes = [(401, "message"), (401, "html"), (401, "long"), (403, "plain"),
             (400, "errors"), (500, "long"), (500, "html"),
             (302, "message"), (200, "html"), (200, "message"),
             (429, "errors")]
    with Server() as (server, url):
        for name in ways(""):
            # asked for a token: it quotes the secret, or it gives a token
            for grants in ([""] if "oauth" not in name else
                           ["", "t0ken-" + CANARY]):
                with Site(url) as s:
                    secret = private(s.dir, "secret", CANARY)
                    s.write("log: {level: debug}\n", fetch=FETCH,
                            source=ways(url)[name][1](secret))
                    run = Run(s)
                    server.grants = grants
                    for server.mode in modes:
                        asked = server.asked
                        run("check")
                        run("discover")
                        assert server.asked > asked, run.said
                    check_nowhere(run, [CANARY], secret)
                    # it is the stars, not silence
                    assert b"*****" in run.said, run.said
                    assert [w for w in server.quoted if CANARY in w]


# --- others ------------------------------------------------------------------

def test_from_the_environment():
    with Mock("--tags", 5, "--basic", "me:" + CANARY) as m, Site(m.url) as s:
        s.write("log: {level: debug}\n", fetch=FETCH, source=auth(
            type="basic", user="me", password="{env: PLANT_PASSWORD}"))
        run = Run(s)
        env = dict(os.environ, PLANT_PASSWORD=CANARY)
        for cmd in (["discover"], ["harvest"], ["config"], ["status"]):
            assert run(*cmd, env=env) == 0, run.said
        # what an operator might try
        for key, value in (("GARNER_SOURCE_AUTH_PASSWORD", CANARY),
                           ("GARNER_SOURCE_URL", "http://me:%s@127.0.0.1/"
                            % CANARY.replace("/", "")),
                           ("GARNER_SOURCE_PROXY", "http://me:%s@127.0.0.1/"
                            % CANARY.replace("/", ""))):
            assert run("config", env=dict(env, **{key: value})) == 78
        check_nowhere(run, [CANARY, CANARY.replace("/", "")])


def test_proxy_and_key():
    """A proxy that quotes, and an encrypted key."""
    with Certificates() as c, Server() as (server, url), Mock(
            "--tags", 5, *c.pair("server"), "--tls-ca", c.ca,
            client=(c.cert("client"), c.key("client"))) as m, \
            Site(m.url) as s:
        locked = os.path.join(s.dir, "locked.key")
        c.openssl("pkey", "-in", c.key("client"), "-aes256", "-passout",
                  "pass:" + CANARY, "-out", locked)
        secret = private(s.dir, "secret", CANARY)
        tls = "  tls: {ca: %s, cert: %s, key: %s, key_password: " \
            "{file: %s}}\n" % (c.ca, c.cert("client"), locked, secret)
        run = Run(s)
        s.write("log: {level: debug}\n", source=tls, fetch=FETCH)
        assert run("check") == 0, run.said
        server.mode = (407, "message")
        for to in (m.url, "http://plant.invalid/piwebapi"):
            s.url = to
            s.write("log: {level: debug}\n", fetch=FETCH, source=tls +
                    "  proxy: %s\n  proxy_user: me\n  proxy_password: "
                    "{file: %s}\n" % (url.replace("/piwebapi", ""), secret))
            assert run("check") in (69, 77), run.said
        check_nowhere(run, [CANARY], secret)


# --- memory ------------------------------------------------------------------

def cores_of(m, s):
    """Abort a run; the cores it leaves, if this machine keeps them there."""
    seen = m.stats()["requests"]["total"]
    with subprocess.Popen(
            [GARNER, "-c", s.conf, "discover"], cwd=s.dir,
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)) as p:
        while m.stats()["requests"]["total"] == seen:
            assert p.poll() is None
        p.send_signal(signal.SIGABRT)
        p.wait(30)
    found = [os.path.join(s.dir, n) for n in os.listdir(s.dir)
             if n.startswith("core")]
    for path in found:
        os.unlink(path)
    return found


def test_no_core():
    with Mock("--tags", 5, "--latency", "100ms") as m, Site(m.url) as s:
        if not cores_of(m, s):
            print("no core without secrets either: nothing to see here")
        secret = private(s.dir, "secret", CANARY)
        s.write(source=auth(type="bearer", token="{file: %s}" % secret))
        assert cores_of(m, s) == []


def calls(s):
    # a sanitizer that looks for leaks cannot do so below a tracer
    r = subprocess.run(
        ["strace", "-f", "-E", "ASAN_OPTIONS=detect_leaks=0",
         "-e", "trace=prctl,openat", GARNER, "-c", s.conf,
         "check", "--offline"], cwd=s.dir, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return r.stderr.splitlines()


def place(lines, word):
    return next((i for i, x in enumerate(lines) if word in x), None)


def test_undumpable_before_a_secret_is_read():
    """Also where this machine keeps no cores: the call is made, in time."""
    if not shutil.which("strace"):
        print("no strace: nothing to see here")
        return
    never = "PR_SET_DUMPABLE, SUID_DUMP_DISABLE"
    with Mock("--tags", 5) as m, Site(m.url) as s:
        assert place(calls(s), never) is None
        secret = private(s.dir, "secret", CANARY)
        for source in (
                auth(type="bearer", token="{file: %s}" % secret),
                "  proxy: http://127.0.0.1:1\n  proxy_user: me\n"
                "  proxy_password: {file: %s}\n" % secret):
            s.write(source=source)
            lines = calls(s)
            read = place(lines, secret)
            assert read is not None, lines
            assert (place(lines, never) or read) < read, lines


main(globals())
