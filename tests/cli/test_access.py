"""Credentials: each way to authenticate, secrets that change while garner
runs, tokens renewed in time and once for all, TLS that is refused with its
cause."""

import os
import stat

from certs import Certificates
from harness import Mock, Site, check_silver, main, one_line, timed

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
CANARY = "cAnary/s3cret+%41=x"
FETCH = "fetch: {retry_base: 1ms, breaker_open: 100ms, give_up: 3s%s}\n"


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
            one_line(r, "401", "(sent: %s; to try: garner check)" % (
                "basic as DOMAIN\\me, password by env" if "basic" in source
                else "bearer, token by env"))
            # one question, and the same password is not sent twice
            assert statuses(m)[401] == 1
            r = s.garner("harvest", status=78,
                         env={k: v for k, v in env.items()
                              if k != "PLANT_PASSWORD"})
            one_line(r, "PLANT_PASSWORD", "not set")


@timed
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


RESTS = "; they are tried once more in 0.05 s"
PACED = "fetch: {retry_base: 1ms, retry_cap: 50ms, in_flight: 8, %s}\n" % (
    "adaptive: false")


def in_the_middle(fault, status):
    """What was accepted before is refused: stderr, and how many 401."""
    with Mock("--tags", 40, "--basic", "me:pw", "--fault", fault) as m, Site(
            m.url, size=5, fetch=PACED, harvest="  target_items: 300\n",
            source=auth(type="basic", user="me",
                        password="{env: PLANT_PASSWORD}")) as s:
        env = dict(os.environ, PLANT_PASSWORD="pw")
        s.garner("discover", env=env)
        r = s.garner("harvest", env=env, status=status)
        if status == 0:
            s.garner("compact", env=env)
            check_silver(m, s, A, B)
        return r, statuses(m)[401]


@timed
def test_refused_now_and_then_is_asked_once_more():
    """Each time after a rest: somebody was let in since."""
    r, n = in_the_middle("recorded:401:every=20", 0)
    assert n > 2 and r.stderr.count(RESTS) == n, (n, r.stderr)


@timed
def test_refused_for_good_is_not_asked_again():
    """Those that were in flight at that time, and one."""
    r, n = in_the_middle("recorded:401:after=20", 77)
    assert r.stderr.count(RESTS) == 1, r.stderr
    assert "401" in r.stderr.splitlines()[-1], r.stderr
    assert 2 <= n <= 9, n


def test_nobody_knows_yet_whether_it_is_right():
    """However many could be asked at once: one is."""
    with Mock("--tags", 40, "--basic", "me:pw", "--latency", "50ms") as m, \
            Site(m.url, size=5, fetch=PACED,
                 source=auth(type="basic", user="me",
                             password="{env: PLANT_PASSWORD}")) as s:
        s.garner("discover", env=dict(os.environ, PLANT_PASSWORD="pw"))
        for cmd in ("discover", "harvest", "check"):
            before = statuses(m).get(401, 0)
            r = s.garner(cmd, status=77,
                         env=dict(os.environ, PLANT_PASSWORD="wrong"))
            assert RESTS not in r.stderr
            assert statuses(m)[401] == before + 1, (cmd, statuses(m))


def oauth(m, secret, more=""):
    return auth(type="oauth2", client_id="me",
                token_url=m.url.rsplit("/", 1)[0] + "/oauth/token",
                client_secret="{file: %s}" % secret)


def token_requests(m):
    return [r for r in m.requests() if r["target"].startswith("/oauth")]


@timed
def test_tokens_are_renewed_in_time():
    with Mock("--tags", 40, "--oauth", "me:" + CANARY, "--token-ttl", "6s",
              log=True) as m, Site(m.url) as s:
        secret = private(os.path.join(s.dir, "secret"), CANARY)
        # some eight seconds of asking
        s.write(source=oauth(m, secret), size=5, harvest=
                "  target_items: 300\n", fetch=FETCH % ", rate: 15")
        harvested(m, s)
        elapsed = m.stats()["elapsed_ms"] / 1000
        assert 401 not in statuses(m), statuses(m)
        bought = len(token_requests(m))
        assert 3 <= bought <= elapsed + 4, (bought, elapsed)


@timed
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


def test_secret_command():
    """It has its signals as usual, though a worker starts it."""
    with Mock("--tags", 5, "--token", "good") as m, Site(m.url) as s:
        script = private(os.path.join(s.dir, "script"),
                         "grep -qE '^SigBlk:\t0+$' /proc/self/status &&"
                         " grep -qE '^SigIgn:.*[02468ace]...$' "
                         "/proc/self/status && echo good || echo bad")
        s.write(source=auth(type="bearer",
                            token='{command: "sh %s"}' % script))
        s.garner("check")


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


main(globals())
