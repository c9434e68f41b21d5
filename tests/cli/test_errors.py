"""Each trouble ends with one clear line and the documented exit status, and
nothing is lost: a plain rerun afterwards gives the truth."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import (GARNER, SRC, Mock, Site, check_silver, main,
                     one_line, wait_for)

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
FEW = "fetch: {tries: 2, retry_base: 1ms}\n"


def expect(site, status, words, *args, **kw):
    r = site.garner(*(args or ("harvest",)), status=status, **kw)
    return one_line(r, *words)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_server_down():
    port = free_port()
    with Site("http://127.0.0.1:%d/piwebapi" % port, fetch=FEW) as s:
        expect(s, 69, ["127.0.0.1:%d" % port, "refused"])


def test_wrong_url():
    with Mock("--tags", 5) as m:
        with Site(m.url.replace("/piwebapi", "/wrong"), fetch=FEW) as s:
            expect(s, 78, ["404", "source.url"])


def test_not_http():
    with Site("ftp://127.0.0.1/piwebapi") as s:
        expect(s, 78, ["garner.yaml:", "ftp://127.0.0.1/piwebapi"])


def test_401():
    with Mock("--tags", 5, "--token", "right", log=True) as m:
        with Site(m.url, fetch=FEW) as s:
            expect(s, 77, ["401"])
            # no hammering: accounts get locked
            assert len(m.requests()) == 1, m.requests()


def test_401_in_the_middle():
    with Mock("--tags", 60, "--fault", "recorded:401:count=1") as m:
        with Site(m.url, fetch=FEW) as s:
            expect(s, 77, ["401"])
            s.garner("harvest")
            s.garner("compact")
            check_silver(m, s, A, B)


def test_403():
    with Mock("--tags", 5, "--fault", "*:403:count=1000") as m:
        with Site(m.url, fetch=FEW) as s:
            expect(s, 77, ["403"])


def test_403_for_all_streams():
    """One line, soon; no stream is set aside for it, and when we are let in
    again everything is read."""
    for tags in (1, 5, 300):
        with Mock("--tags", tags, "--rate", "0.1") as m, \
                Site(m.url, fetch=FEW, size=100) as s:
            s.garner("discover")
            m.faults("recorded:403")
            before = m.stats()["requests"]["total"]
            expect(s, 77, ["403", "no stream may be read"])
            asked = m.stats()["requests"]["total"] - before
            print("%d requests for %d tags" % (asked, tags))
            assert asked < 150, asked
            m.faults()
            s.garner("harvest")
            s.garner("compact")
            check_silver(m, s, A, B, ["pi_points", "pi_timeseries"])


def test_403_for_an_area():
    """All but a few streams: these are read."""
    with Mock("--tags", 30, "--rate", "0.1", log=True) as m, \
            Site(m.url, size=100, fetch="fetch: {tries: 2, in_flight: 1}\n") as s:
        s.garner("discover")
        ids = [p["webid"] for p in m.truth("pi_points", A, B)]
        m.faults(*["recorded:403:if=%s" % x for x in ids if x != ids[15]])
        r = s.garner("harvest", status=1)
        # others were asked before this was clear
        probes = [q for q in m.requests()
                  if re.search(r"maxCount=1(&|$)", q["target"])]
        assert probes, m.requests()[-1]
        assert "29 streams are set aside" in r.stdout, r.stdout
        m.faults()
        s.garner("harvest", "--retry-failed")
        s.garner("compact")
        check_silver(m, s, A, B, ["pi_timeseries"])


def test_403_for_all_lists():
    """What we may not see is not gone."""
    with Mock("--tags", 30, "--rate", "0.1") as m, Site(m.url, fetch=FEW) as s:
        s.garner("discover")
        m.faults("points:403")
        expect(s, 77, ["403", "points"], "discover")
        m.faults()
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, A, B, ["pi_points", "pi_timeseries"])


def test_html_instead_of_json():
    """What was asked is named: it can be opened in a browser."""
    hasty = FEW.replace("}", ", breaker_open: 10ms, give_up: 300ms}")
    with Mock("--tags", 5, "--fault", "*:html:count=1000") as m:
        with Site(m.url, fetch=hasty) as s:
            expect(s, 69, ["HTML", "GET /piwebapi/system/status: "])
            m.faults()
            s.garner("discover")
            m.faults("points:html")
            expect(s, 69, ["HTML", "pi_points: ", "GET /piwebapi/datas"],
                   "discover")
            # also when it is given up
            m.faults("recorded:html:count=1000")
            expect(s, 69, ["HTML", "GET /piwebapi/str"])


def test_one_of_a_kind():
    """One of a thing is not many of it."""
    with Mock("--tags", 1, "--fault", "recorded:503:count=1") as m, \
            Site(m.url, fetch=FEW) as s:
        said = "".join(s.garner(*c, status=None).stdout for c in (
            ("discover",), ("harvest",), ("compact",), ("verify",),
            ("verify", "--source"), ("status",), ("gaps", "--summary"),
            ("gaps", "--to", "2026-04-01", "--summary")))
        assert "of 1 stream in" in said and "1 retry" in said, said
        assert "read up to" in said
        wide = [x for x in s.garner("status").stdout.splitlines()
                if len(x) > 80]
        assert not wide, wide
        wrong = re.findall(r"(?m)(?<![,.\d])1 [a-z]+s\b(?! lacks)", said)
        assert not [x for x in wrong if x != "1 is"], said


def test_short_urls():
    """A server that takes short URLs only, however it says so: what it takes
    is learnt once, by all groups, and nothing is missing at the end."""
    for error, n in (("414", 700), ("404.15", 900), ("404.14", 450),
                     ("400", 450), ("404.15", 350)):
        data = ["--tags", 80, "--rate", "0.1"]
        with Mock(*data) as whole, Mock(
                *data, "--url-max", n, "--url-error", error) as m, \
                Site(whole.url, fetch=FEW, size=20) as s:
            s.garner("discover")
            s.url = m.url
            s.write(fetch=FEW, size=20)
            s.garner("harvest", "--table", "pi_timeseries")
            s.garner("compact")
            check_silver(m, s, A, B, ["pi_timeseries"],
                         "%s above %d" % (error, n))
            stats = m.stats()
            refused = stats["status"][error[:3]]
            print("%s above %d: %d of %d refused"
                  % (error, n, refused, stats["requests"]["total"]))
            assert 1 <= refused <= 25, refused
            # the next run knows
            m.set_now("2026-03-01T12:10:00Z")
            s.garner("harvest", "--table", "pi_timeseries")
            assert m.stats()["status"][error[:3]] == refused, m.stats()


def test_one_url_is_too_long():
    """No stream can be asked for: each is named with the reason. No list:
    what is there is not told, and nothing is taken for gone."""
    with Mock("--tags", 3) as whole, Mock(
            "--tags", 3, "--url-max", 150, "--url-error", "404.14") as m, \
            Site(whole.url, fetch=FEW) as s:
        s.garner("discover")
        s.url = m.url
        s.write(fetch=FEW)
        r = s.garner("harvest", "--table", "pi_timeseries", status=1)
        assert r.stderr.count("404 Not Found") == 3, r.stderr
        expect(s, 66, ["404", "/dataservers"], "discover")
        s.url = whole.url
        s.write(fetch=FEW)
        s.garner("harvest", "--table", "pi_timeseries", "--retry-failed")
        s.garner("compact")
        check_silver(m, s, A, B, ["pi_timeseries"])


def test_faults_pass():
    """A burst of every fault, then silver equals the truth."""
    for fault in ("500", "503", "429", "cut", "reset", "html",
                  "webexception", "slow:ms=50"):
        with Mock("--tags", 50, "--fault",
                  "recorded:%s:count=4" % fault) as m:
            with Site(m.url, fetch="fetch: {retry_base: 1ms, tries: 3}\n") \
                    as s:
                s.garner("harvest", status=None)
                s.garner("harvest")
                s.garner("compact")
                check_silver(m, s, A, B, what=fault)


def test_back_before_we_give_up():
    """However long the pause of the breaker is, the last request goes out at
    fetch.give_up; it used to be given up without having been asked."""
    with Mock("--tags", 20) as m, Site(
            m.url, fetch="fetch: {retry_base: 1ms, breaker_failures: 2, "
            "breaker_open: 1h, breaker_open_max: 1h, give_up: 3s}\n") as s:
        s.garner("discover")
        m.faults("recorded:503")
        with s.start("harvest") as p:
            wait_for(lambda: m.stats()["status"].get("503", 0) >= 2)
            m.faults()
            assert p.wait(60) == 0
        s.garner("compact")
        check_silver(m, s, A, B)


def test_misspelt_key():
    with Mock("--tags", 5) as m:
        with Site(m.url, text="compact:\n  memry: 10MiB\n") as s:
            with open(s.conf, encoding="utf-8") as f:
                n = 1 + [x.strip() for x in f].index("memry: 10MiB")
            for cmd in ("harvest", "config", "status"):
                expect(s, 78, ["garner.yaml:%d" % n, "memry", '"memory"'],
                       cmd)


def test_bad_values():
    with Mock("--tags", 5) as m:
        for text in ("compact: {memory: lots}\n", "groups: 7\n",
                     "log: {level: loud}\n", "compact: [\n",
                     "compact: {ties: last, ties: all}\n"):
            with Site(m.url) as s:
                s.write(text)
                expect(s, 78, ["garner.yaml:"])


def test_unknown_table():
    with Mock("--tags", 5) as m, Site(m.url) as s:
        expect(s, 64, ["pi_pionts", "pi_points"], "cat", "pi_pionts")
        expect(s, 64, ["pi_pionts", "pi_points"], "harvest", "--table",
               "pi_pionts")
        expect(s, 66, ["pi_points"], "cat", "pi_points")
        # like none of them: all are named
        expect(s, 64, ["tags", "pi_points", "pi_timeseries"], "cat", "tags")


def test_usage():
    with Mock("--tags", 5) as m, Site(m.url) as s:
        expect(s, 64, ["harvets", "harvest"], "harvets")
        expect(s, 64, ["--form", "--from"], "harvest", "--form", "x")
        expect(s, 64, ["--from", "yesterdy"], "harvest", "--from", "yesterdy")
        expect(s, 64, ["needs an argument"], "harvest", "--from")
        expect(s, 64, ["--quiet takes no"], "status", "--quiet=3")
        expect(s, 64, ["option -x"], "status", "-qx")
        expect(s, 64, ["option -x"], "-qx", "status")
        expect(s, 64, ["TABLE is missing"], "cat")
        expect(s, 64, ["unexpected \"more\""], "harvest", "more")
        # quiet is silent as long as all is well
        for c in ("discover", "harvest", "compact", "verify"):
            r = s.garner("-q", c)
            assert r.stdout + r.stderr == "", (c, r)
        for c in (["harvest", "--group", "7"], ["harvest", "--table",
                  "pi_points"], ["discover", "--table", "pi_timeseries"]):
            assert "warn" in s.garner("-q", *c).stderr, c
        # before the command and behind it are the same
        assert s.garner("-qj", "status").stdout.startswith("{")
        where = subprocess.run([GARNER, "--config=" + s.conf, "config",
                                "--path"], capture_output=True, text=True)
        assert where.stdout == s.conf + "\n", where
        r = s.garner("-j", "config", "--path")
        assert json.loads(r.stdout) == {"file": s.conf}, r.stdout
        expect(s, 64, ["empty"], "harvest", "--from", B, "--to", A)
        assert s.garner("--help").stdout.startswith("usage:")
        assert s.garner("harvest", "--help").stdout.startswith("usage:")
        assert s.garner("--version").stdout.startswith("garner ")


def test_no_configuration():
    with tempfile.TemporaryDirectory() as d:
        r = subprocess.run([GARNER, "status"], cwd=d, capture_output=True,
                           text=True, env={"HOME": d, "PATH": "/usr/bin"})
        assert r.returncode == 78, r
        one_line(r, "garner.yaml", "garner init")


def test_a_folder_means_its_garner_yaml():
    with tempfile.TemporaryDirectory() as d:
        r = subprocess.run([GARNER, "-c", d, "status"], capture_output=True,
                           text=True)
        assert r.returncode == 78, r
        one_line(r, d + "/garner.yaml", "garner init")
        r = subprocess.run([GARNER, "-c", d, "init", "http://x/piwebapi"],
                           capture_output=True, text=True)
        assert r.returncode == 0, r
        env = dict(os.environ, GARNER_SOURCE_CONNECTOR_FILE=os.path.join(
            SRC, "conf/connectors/pi.yaml"))
        for path in d, d + "/":
            r = subprocess.run([GARNER, "config", "--path"],
                               capture_output=True, text=True,
                               env=dict(env, GARNER_CONFIG=path))
            assert os.path.samefile(r.stdout.rstrip("\n"),
                                    d + "/garner.yaml"), r


def test_init_keeps_a_file():
    with tempfile.TemporaryDirectory() as d:
        for status in (0, 73):
            r = subprocess.run([GARNER, "init", "http://127.0.0.1:1/piwebapi"],
                               cwd=d, capture_output=True, text=True)
            assert r.returncode == status, r
        one_line(r, "garner.yaml", "already")
        env = dict(os.environ, GARNER_SOURCE_CONNECTOR_FILE=os.path.join(
            SRC, "conf/connectors/pi.yaml"))
        r = subprocess.run([GARNER, "config"], cwd=d, capture_output=True,
                           text=True, env=env)
        assert r.returncode == 0, r.stderr
        assert "http://127.0.0.1:1/piwebapi" in r.stdout
        # the examples that it shows of lists are good ones
        path = os.path.join(d, "garner.yaml")
        with open(path, encoding="utf-8") as f:
            text, n = re.subn(r"(?m)^( *)# (\w+: \[)", r"\1\2", f.read())
        assert n >= 3, text
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        r = subprocess.run([GARNER, "harvest"], cwd=d, capture_output=True,
                           text=True, env=dict(env, GARNER_FETCH_TRIES="1"))
        assert r.returncode == 69, r.stderr


def test_init_refuses_what_is_no_url():
    with tempfile.TemporaryDirectory() as d:
        for url in ("ftp://x", "plant", "https://bob:pw@plant/piwebapi"):
            r = subprocess.run([GARNER, "init", url], cwd=d,
                               capture_output=True, text=True)
            assert r.returncode == 64, r
            assert "pw" not in one_line(r), r
            assert os.listdir(d) == []


def test_data_folder_not_writable():
    with Mock("--tags", 5) as m, Site(m.url) as s:
        os.chmod(s.dir, 0o755)
        os.chmod(s.conf, 0o644)
        if os.getuid() != 0:
            os.chmod(s.dir, 0o555)
            expect(s, 73, [s.data])
            os.chmod(s.dir, 0o755)
            return
        # root may write everywhere: run as nobody, from a copy, since the
        # build folder may be closed to others
        with tempfile.TemporaryDirectory() as d:
            os.chmod(d, 0o755)
            exe = shutil.copy(GARNER, d)
            conn = shutil.copy(os.path.join(SRC, "conf/connectors/pi.yaml"), d)
            os.chmod(conn, 0o644)
            with open(s.conf, encoding="utf-8") as f:
                lines = ["  connector_file: " + conn
                         if "connector_file" in x else x
                         for x in f.read().splitlines()]
            with open(s.conf, "w", encoding="utf-8") as f:
                f.write("\n".join(lines) + "\n")
            r = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534",
                                "--clear-groups", exe, "-c", s.conf,
                                "harvest"],
                               capture_output=True, text=True, cwd=s.dir)
        assert r.returncode == 73, (r.returncode, r.stderr)
        one_line(r, s.data)


def test_disk_full_while_writing_the_journal():
    """A small tmpfs: the run ends with 74, what fits is kept, and with more
    room a plain rerun completes."""
    mount = tempfile.mkdtemp(prefix="garner-small-")
    ok = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs",
                         mount], capture_output=True)
    if ok.returncode != 0:
        os.rmdir(mount)
        print("skipped: cannot mount a tmpfs here")
        return
    try:
        with Mock("--tags", 200, "--rate", "2") as m, Site(m.url) as s:
            s.data = os.path.join(mount, "data")
            s.write(size=200)
            line = expect(s, 74, ["o space left"])
            assert mount in line, line
            subprocess.run(["mount", "-o", "remount,size=200m", mount],
                           check=True)
            s.garner("harvest")
            s.garner("compact")
            check_silver(m, s, A, B)
    finally:
        subprocess.run(["umount", mount], check=True)
        os.rmdir(mount)


def test_second_garner_on_the_same_group():
    with Mock("--tags", 40, "--latency", "300ms") as m, Site(m.url) as s:
        first = s.start("harvest")
        lock = os.path.join(s.data, "bronze/pi/pi_timeseries/group-1/lock")
        wait_for(lambda: os.path.exists(lock) and open(lock).read().strip())
        line = expect(s, 75, [str(first.pid), "pi_timeseries", "harvest)"],
                      "harvest",
                      "--table", "pi_timeseries")
        assert line
        assert first.wait(60) == 0
        s.garner("compact")
        check_silver(m, s, A, B)


def test_closed_pipe_is_quiet():
    with Mock("--tags", 20) as m, Site(m.url) as s:
        s.garner("harvest")
        s.garner("compact")
        r = subprocess.run("%s -c %s cat pi_timeseries | head -n 1"
                           % (GARNER, s.conf), shell=True,
                           capture_output=True, text=True)
        assert r.stdout.count("\n") == 1 and r.stderr == "", r


def test_sigterm_keeps_what_was_answered():
    with Mock("--tags", 150, "--latency", "50ms") as m, Site(m.url) as s:
        p = s.start("harvest")
        lock = os.path.join(s.data, "bronze/pi/pi_timeseries/group-1/lock")
        wait_for(lambda: os.path.exists(lock))
        p.send_signal(signal.SIGTERM)
        assert p.wait(10) == 143
        s.garner("harvest")
        s.garner("compact")
        check_silver(m, s, A, B)


def test_json_errors_on_stderr_only():
    with Site("http://127.0.0.1:%d/piwebapi" % free_port(), fetch=FEW) as s:
        r = s.garner("harvest", "--json", status=69)
        assert r.stdout == "", r.stdout


main(globals())
