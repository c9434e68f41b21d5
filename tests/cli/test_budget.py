"""Budgets of requests, and the server's own quotas, from run to run: what a
process has spent the next one has no more, nor have others beside it."""

import datetime
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import harness
from harness import GARNER, SRC, Mock, Site, check_silver, timed

START, END = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"


def zone():
    """One in which it is about noon: no midnight during the test. (The sign
    of these names is the other way round.)"""
    west = datetime.datetime.now(datetime.timezone.utc).hour - 12
    return "Etc/GMT%+d" % west


def fetch(budget):
    return ("fetch:\n  retry_base: 10ms\n  zone: %s\n  budget_day: %d\n"
            % (zone(), budget))


def until_spent(site, what, asked, n, *args, env=None):
    """Run until it says so and asked() is n, then end it."""
    p = subprocess.Popen([GARNER, "-c", site.conf, "harvest", *args],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         text=True, cwd=site.dir, env=env)
    stop = threading.Timer(30, p.kill)
    stop.start()
    lines = []
    for line in p.stderr:
        lines.append(line)
        if what + " is spent" in line:
            harness.wait_for(lambda: asked() >= n)
            p.send_signal(signal.SIGTERM)
    stop.cancel()
    assert p.wait() == 128 + signal.SIGTERM, lines
    assert sum("is spent" in x for x in lines) == 1, lines
    assert asked() == n, (asked(), n)


def until_day_spent(site, mock, n, *args):
    until_spent(site, "the budget of the day", lambda: total(mock), n, *args)


def total(mock):
    return mock.stats()["requests"]["total"]


@timed
def test_a_budget_is_of_all_runs():
    with Mock("--tags", 40) as m, Site(m.url, fetch=fetch(9)) as s:
        until_day_spent(s, m, 9)
        until_day_spent(s, m, 9)
        s.write(fetch=fetch(12))
        until_day_spent(s, m, 12)
        s.write(fetch=fetch(100000))
        s.garner("harvest", "--to", END)
        r = json.loads(s.garner("status", "--json").stdout)
        assert r["fetch"]["spent"]["day"] == total(m), r["fetch"]
        s.garner("compact")
        check_silver(m, s, START, END, ["pi_points", "pi_timeseries"])


@timed
def test_processes_at_once_add_up():
    """Each of two groups by a process of its own; nothing of what they asked
    is forgotten."""
    with Mock("--tags", 40, "--latency", "20ms") as m, \
            Site(m.url, fetch=fetch(100000),
                 harvest="  page_items: 100\n") as s:
        s.garner("discover")
        ps = [s.start("harvest", "--table", "pi_timeseries", "--group",
                      str(g)) for g in (1, 2)]
        assert [p.wait(60) for p in ps] == [0, 0]
        asked = total(m)
        print("%d requests of three processes" % asked)
        assert asked > 100, asked
        s.write(fetch=fetch(asked + 3))
        until_day_spent(s, m, asked + 3, "--table", "pi_points", "--discover")


@timed
def test_a_kill_forgets_nothing():
    """What it had claimed counts as spent, and that is not much."""
    slow = "fetch: {rate: 25, budget_day: %d, zone: %s}\n"
    items = "  page_items: 50\n"
    with Mock("--tags", 40) as m, Site(
            m.url, fetch=slow % (300, zone()), harvest=items) as s:
        p = s.start("harvest")
        harness.wait_for(lambda: total(m) >= 40)
        p.kill()
        p.wait()
        asked = total(m)
        s.write(fetch=slow % (asked, zone()), harvest=items)
        until_day_spent(s, m, asked)
        s.write(fetch=fetch(100000), harvest=items)
        s.garner("harvest")
        r = json.loads(s.garner("status", "--json").stdout)
        lost = r["fetch"]["spent"]["day"] - total(m)
        print("%d requests, %d more were claimed" % (asked, lost))
        assert 0 <= lost <= 200, lost


@timed
def test_a_budget_is_not_exceeded_at_once():
    """By two processes that both have a lot to ask."""
    with Mock("--tags", 40, "--latency", "5ms") as m, \
            Site(m.url, fetch=fetch(100000),
                 harvest="  page_items: 50\n") as s:
        s.garner("discover")
        most = total(m) + 60
        s.write(fetch=fetch(most), harvest="  page_items: 50\n")
        ps = [s.start("harvest", "--table", "pi_timeseries", "--group",
                      str(g)) for g in (1, 2)]
        harness.wait_for(lambda: total(m) >= most)
        for p in ps:
            p.send_signal(signal.SIGTERM)
        assert [p.wait(60) for p in ps] == [128 + signal.SIGTERM] * 2
        assert total(m) == most, (total(m), most)


@timed
def test_the_loop_does_not_wait_for_the_disk():
    """What a run notes at its end is synced by a worker."""
    if not shutil.which("strace"):
        print("no strace: nothing to see here")
        return
    with Mock("--tags", 5) as m, Site(m.url, fetch=fetch(100000)) as s:
        s.garner("harvest")
        trace = os.path.join(s.dir, "trace")
        s.garner("harvest", "--table", "pi_timeseries", prefix=[
            "strace", "-f", "-E", "ASAN_OPTIONS=detect_leaks=0", "-o", trace,
            "-e", "trace=fdatasync,fsync,msync,execve"])
        with open(trace, encoding="utf-8") as f:
            calls = [x.split(None, 1) for x in f]
        main = [pid for pid, call in calls if call.startswith("execve")][0]
        syncs = [pid for pid, call in calls if "sync(" in call]
        print("%d syncs, %d of them by the loop" % (
            len(syncs), syncs.count(main)))
        # the notes of the exchange and of the budget come last
        assert len(syncs) > 2 and main not in syncs[-2:], calls


def test_another_server_has_a_budget_of_its_own():
    with Mock("--tags", 40) as m, Site(m.url, fetch=fetch(9)) as s:
        until_day_spent(s, m, 9)
        with Mock("--tags", 40) as other:
            s.url = other.url
            s.write(fetch=fetch(9))
            until_day_spent(s, other, 9)


class Spent(http.server.BaseHTTPRequestHandler):
    """Refuses, and says that no request is left for an hour."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked += 1
        self.send_response(404)
        self.send_header("X-Left", "0")
        self.send_header("X-Reset", "%d" % (time.time() + 3600))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def test_a_quota_is_remembered():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Spent)
    server.asked = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Site("http://127.0.0.1:%d/piwebapi" % server.server_port) as s:
        file = os.path.join(s.dir, "quota.yaml")
        with open(os.path.join(SRC, "conf/connectors/pi.yaml"),
                  encoding="utf-8") as f:
            text = re.sub(r"(?m)^tables:", "quotas:\n  - {remaining: X-Left, "
                          "reset: X-Reset, unit: unix}\ntables:", f.read())
        with open(file, "w", encoding="utf-8") as f:
            f.write(text)
        env = dict(os.environ, GARNER_SOURCE_CONNECTOR_FILE=file)
        s.garner("harvest", status=78, env=env)
        assert server.asked == 1, server.asked
        until_spent(s, "the server's quota", lambda: server.asked, 1,
                    env=env)
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    harness.main(globals())
