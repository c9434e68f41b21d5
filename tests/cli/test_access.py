"""Credentials: each way to authenticate, secrets that change while garner
runs, tokens renewed in time and once for all, TLS that is refused with its
cause, and secrets that are found nowhere afterwards."""

import base64
import os
import resource
import signal
import stat
import subprocess
import urllib.parse

from certs import Certificates
from harness import GARNER, Mock, Site, check_silver, main

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
CANARY = "cAnary/s3cret+%41=x"
FETCH = "fetch: {retry_base: 1ms, breaker_open: 100ms, give_up: 3s%s}\n"


def one_line(r, *words):
    errors = [x for x in r.stderr.splitlines() if "error:" in x]
    assert len(errors) == 1, r.stderr
    for w in words:
        assert w in errors[0], (w, errors[0])


def harvested(m, s):
    s.garner("discover")
    s.garner("harvest")
    s.garner("compact")
    check_silver(m, s, A, B)


def statuses(m):
    return {int(k): n for k, n in m.stats()["status"].items()}


def private(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text + "\n")
    os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
    return path


def auth(**keys):
    return "  auth: {%s}\n" % ", ".join("%s: %s" % kv for kv in keys.items())


# --- ways to authenticate -----------------------------------------------

def test_basic_and_bearer():
    env = dict(os.environ, PLANT_PASSWORD=CANARY)
    for option, source in (
            (["--basic", "DOMAIN\\me:" + CANARY],
             auth(type="basic", user="DOMAIN\\me",
                  password="{env: PLANT_PASSWORD}")),
            (["--token", CANARY],
             auth(type="bearer", token="{env: PLANT_PASSWORD}"))):
        with Mock("--tags", 5, *option) as m, Site(m.url, source=source) as s:
            for cmd in ("discover", "harvest"):
                s.garner(cmd, env=env)
            assert 401 not in statuses(m)
            r = s.garner("harvest", status=77,
                         env=dict(env, PLANT_PASSWORD="other"))
            one_line(r, "401")
            # one question, and the same password is not sent twice
            assert statuses(m)[401] == 1
            r = s.garner("harvest", status=78,
                         env={k: v for k, v in env.items()
                              if k != "PLANT_PASSWORD"})
            one_line(r, "PLANT_PASSWORD", "not set")


def test_secret_changed_while_running():
    """The first reading gives an old token; it is read again, once."""
    with Mock("--tags", 20, "--token", "new") as m, Site(m.url) as s:
        seen = os.path.join(s.dir, "seen")
        s.write(source=auth(type="bearer", token=
                            '{command: "if [ -e %s ]; then echo new; else '
                            'touch %s; echo old; fi"}' % (seen, seen)),
                fetch=FETCH % "")
        harvested(m, s)
        assert statuses(m)[401] == 1, statuses(m)


def oauth(m, secret, more=""):
    return auth(type="oauth2", client_id="me",
                token_url=m.url.rsplit("/", 1)[0] + "/oauth/token",
                client_secret="{file: %s}" % secret)


def token_requests(m):
    return [r for r in m.requests() if r["target"].startswith("/oauth")]


def test_tokens_are_renewed_in_time():
    with Mock("--tags", 40, "--oauth", "me:" + CANARY, "--token-ttl", "2s",
              log=True) as m, Site(m.url) as s:
        secret = private(os.path.join(s.dir, "secret"), CANARY)
        # some four seconds of asking
        s.write(source=oauth(m, secret), size=5, harvest=
                "  target_items: 300\n", fetch=FETCH % ", rate: 40")
        harvested(m, s)
        elapsed = m.stats()["elapsed_ms"] / 1000
        assert 401 not in statuses(m), statuses(m)
        bought = len(token_requests(m))
        assert 3 <= bought <= elapsed + 4, (bought, elapsed)


def test_revoked_token_is_bought_once_for_all():
    with Mock("--tags", 40, "--oauth", "me:" + CANARY, "--latency", "30ms",
              log=True) as m, Site(m.url) as s:
        secret = private(os.path.join(s.dir, "secret"), CANARY)
        s.write(source=oauth(m, secret), size=5,
                harvest="  target_items: 300\n", fetch=FETCH %
                ", in_flight: 32, adaptive: false")
        s.garner("discover")
        before = len(token_requests(m))
        with s.start("harvest") as p:
            while not [r for r in m.requests()
                       if "streamsets" in r["target"]]:
                pass
            m.control("revoke", b"")
            assert p.wait(60) == 0
        s.garner("compact")
        check_silver(m, s, A, B)
        assert len(token_requests(m)) - before == 2, token_requests(m)


def test_wrong_client_is_named():
    with Mock("--tags", 5, "--oauth", "me:right") as m, Site(m.url) as s:
        secret = private(os.path.join(s.dir, "secret"), CANARY)
        s.write(source=oauth(m, secret), fetch=FETCH % "")
        r = s.garner("harvest", status=77)
        one_line(r, "token endpoint", "invalid_client")


def test_negotiate_without_a_ticket():
    with Mock("--tags", 5, "--token", "x") as m, Site(
            m.url, source=auth(type="negotiate"), fetch=FETCH % "") as s:
        r = s.garner("harvest", status=77,
                     env=dict(os.environ, KRB5CCNAME="FILE:/nonexistent"))
        one_line(r, "401")


def test_secret_files_of_others_are_refused():
    with Mock("--tags", 5, "--token", "x") as m, Site(m.url) as s:
        secret = private(os.path.join(s.dir, "secret"), "x")
        os.chmod(secret, 0o644)
        s.write(source=auth(type="bearer", token="{file: %s}" % secret))
        r = s.garner("harvest", status=78)
        one_line(r, "others can read it", "chmod 600")
        os.chmod(secret, 0o600)
        s.garner("discover")


# --- TLS -----------------------------------------------------------------

def tls(certs, **keys):
    keys.setdefault("ca", certs.ca)
    return "  tls: {%s}\n" % ", ".join("%s: %s" % kv for kv in keys.items())


def test_harvest_over_tls():
    with Certificates() as c, Mock("--tags", 5, *c.pair("server")) as m:
        with Site(m.url, source=tls(c)) as s:
            harvested(m, s)
        with Site(m.url, source="  tls: {verify: false}\n") as s:
            assert "whoever answers" in s.garner("discover").stderr


# --- secrets are nowhere ---------------------------------------------------

def forms(secret):
    raw = secret.encode()
    yield raw
    yield base64.b64encode(raw).rstrip(b"=")
    yield base64.b64encode(b"me:" + raw).rstrip(b"=")
    yield urllib.parse.quote(secret, safe="").encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()


def search(folder, secret, *but):
    found = []
    for d, _, names in os.walk(folder):
        for n in names:
            path = os.path.join(d, n)
            if path in but:
                continue
            with open(path, "rb") as f:
                data = f.read()
            found += [(path, x) for x in forms(secret) if x in data]
    return found


def test_canary_is_found_nowhere():
    """Good runs and every kind of failing one; then its folder, its output,
    its arguments and its dumps are searched."""
    ways = [
        (["--basic", "me:" + CANARY], lambda m, f: auth(
            type="basic", user="me", password="{file: %s}" % f)),
        (["--token", CANARY], lambda m, f: auth(
            type="bearer", token="{file: %s}" % f)),
        (["--oauth", "me:" + CANARY], oauth),
    ]
    for option, source in ways:
        with Mock("--tags", 5, *option, "--latency", "20ms") as m, \
                Site(m.url) as s:
            secret = private(os.path.join(s.dir, "secret"), CANARY)
            s.write("log: {level: debug}\n", source=source(m, secret),
                    fetch=FETCH % ", tries: 2")
            said = s.garner("discover").stderr
            for fault in ("", "*:401", "*:500", "*:html", "*:redirect",
                          "*:cut", "recorded:400"):
                m.faults(*([fault] if fault else []))
                with s.start("harvest") as p:
                    with open("/proc/%d/cmdline" % p.pid, "rb") as f:
                        argv = f.read()
                    p.wait(60)
                r = s.garner("harvest", status=None)
                said += r.stdout + r.stderr
                assert not [x for x in forms(CANARY) if x in argv]
            m.faults()
            for cmd in (["check"], ["config", "--json"], ["status", "--json"],
                        ["compact"]):
                r = s.garner(*cmd, status=None)
                said += r.stdout + r.stderr
            for x in forms(CANARY):
                assert x.decode() not in said, said
            assert search(s.dir, CANARY, secret) == []


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
    return [n for n in os.listdir(s.dir) if n.startswith("core")]


def test_no_core_is_written_with_secrets():
    with Mock("--tags", 5, "--latency", "100ms") as m, Site(m.url) as s:
        if not cores_of(m, s):
            print("no core without secrets either: nothing to see here")
        secret = private(os.path.join(s.dir, "secret"), CANARY)
        for n in os.listdir(s.dir):
            if n.startswith("core"):
                os.unlink(os.path.join(s.dir, n))
        s.write(source=auth(type="bearer", token="{file: %s}" % secret))
        assert cores_of(m, s) == []


main(globals())
