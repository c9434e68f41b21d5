"""make bench BENCH=fetch.

First the transport and what follows it, beside wrk and curl on the same
nginx with the same requests and bodies; then garner harvest itself against
garner-mock, beside a client in Python that reads the same windows.

nginx has one core (one worker), who asks has the other. It serves answers
that garner-mock gave, from memory. garner's side is tests/bench/bench_fetch:
every answer is decoded, journaled, synced and noted in a ledger.
"""

import contextlib
import functools
import glob
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from harness import BUILD, GARNER, SRC, Mock, Site, wait_for

BENCH_FETCH = os.path.join(BUILD, "tests/bench/bench_fetch")
BENCH_ENCODE = os.path.join(BUILD, "tests/bench/bench_encode")
CONNECTOR = os.path.join(SRC, "conf/connectors/pi.yaml")
FROM, TO = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
DENSITY = "fast=1s,medium=1s,slow=1s"
SMALL = 11      # values of an answer: about 1.7 KB
LARGE = (25, 400)
HEADERS = ["Accept: application/json", "X-Requested-With: garner",
           "User-Agent: garner/bench"]

NGINX_CONF = """
%(user)s
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
error_log stderr error;
pid nginx.pid;
events { worker_connections 16000; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=10;
    default_type "application/json; charset=utf-8";
    client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t;
    uwsgi_temp_path t; scgi_temp_path t;
    root .;
    server {
        listen 127.0.0.1:%(port)d backlog=16000;
        location /small/ { try_files /small.json =404; }
        location /large/ { try_files /large.json =404; }
    }
}
"""


def skip(why):
    print("# fetch: skipped: " + why, file=sys.stderr, flush=True)


def tool(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def pinned(core, argv):
    """Two cores or more: the server has one and who asks another."""
    cores = sorted(os.sched_getaffinity(0))
    if tool("taskset") is None or len(cores) < 2:
        return argv
    return ["taskset", "-c", str(cores[core])] + argv


def pin_server(mock):
    os.sched_setaffinity(mock.proc.pid, {min(os.sched_getaffinity(0))})


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Nginx:
    """On a free port, with a folder of its own; `with Nginx() as n`."""

    def __init__(self, conf=NGINX_CONF):
        self.conf = conf
        self.dir = tempfile.mkdtemp(prefix="garner-nginx-")

    def __enter__(self):
        port = free_port()
        self.url = "http://127.0.0.1:%d" % port
        with open(os.path.join(self.dir, "nginx.conf"), "w",
                  encoding="utf-8") as f:
            f.write(self.conf % {
                "port": port,
                "user": "user root;" if os.getuid() == 0 else ""})
        self.proc = subprocess.Popen(
            pinned(0, [tool("nginx"), "-p", self.dir, "-c", "nginx.conf",
                       "-e", "stderr"]), cwd=self.dir)
        wait_for(self.answers)
        return self

    def answers(self):
        if self.proc.poll() is not None:
            raise RuntimeError("nginx did not start")
        with contextlib.suppress(OSError):
            socket.create_connection(
                ("127.0.0.1", int(self.url.rsplit(":", 1)[1]))).close()
            return True
        return False

    def put(self, name, data):
        with open(os.path.join(self.dir, name), "wb") as f:
            f.write(data)

    def __exit__(self, *exc):
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Case:
    """One body, and the ways to ask for it again and again."""

    def __init__(self, nginx, name, webids, count, connections):
        self.nginx = nginx
        self.name = name
        self.count = count
        self.connections = connections
        self.base = "/%s/piwebapi" % name
        self.streams = os.path.join(nginx.dir, name + ".webids")
        with open(self.streams, "w", encoding="utf-8") as f:
            f.write("".join(w + "\n" for w in webids))

    def garner(self, *more, origin=None, base=None):
        with tempfile.TemporaryDirectory(prefix="garner-bench-") as d:
            argv = [BENCH_FETCH, "--in-flight", self.connections,
                    "--connector", CONNECTOR, "--dir", d, "--streams",
                    self.streams, "--base", base or self.base, "--from",
                    FROM, "--to", TO, "--count", self.count, *more,
                    origin or self.nginx.url]
            r = subprocess.run(pinned(1, [str(a) for a in argv]),
                               stdout=subprocess.PIPE, text=True, check=True)
        out = dict(x.split("\t", 1) for x in r.stdout.splitlines())
        if out["failed"] != "0":
            raise RuntimeError("bench_fetch: " + out["first_error"])
        return out

    def save(self, mock):
        """The mock's answer to what garner asks becomes nginx's."""
        origin, base = mock.url.rsplit("/", 1)
        out = self.garner("--requests", 1, "--in-flight", 1, origin=origin,
                          base="/" + base)
        with urllib.request.urlopen(origin + out["target"]) as r:
            body = r.read()
        self.nginx.put(self.name + ".json", body)
        self.bytes = len(body)
        self.url = self.nginx.url + "/" + self.name + out["target"]

    def wrk(self, seconds):
        argv = [tool("wrk"), "-t", "1", "-c", str(self.connections), "-d",
                "%ds" % seconds]
        for h in HEADERS:
            argv += ["-H", h]
        r = subprocess.run(pinned(1, argv + [self.url]), check=True,
                           stdout=subprocess.PIPE, text=True)
        if "Non-2xx" in r.stdout or "Socket errors" in r.stdout:
            raise RuntimeError("wrk: " + r.stdout)
        return float(re.search(r"Requests/sec:\s*([\d.]+)",
                               r.stdout).group(1))

    def curl(self, requests):
        argv = [tool("curl"), "-f", "--no-progress-meter", "-Z",
                "--parallel-max", str(self.connections), "-o", "/dev/null"]
        for h in HEADERS:
            argv += ["-H", h]
        began = time.monotonic()
        subprocess.run(pinned(1, argv + ["%s&n=[1-%d]" % (
            self.url, requests)]), check=True)
        return requests / (time.monotonic() - began)


def items(mock, path):
    with urllib.request.urlopen(mock.url + path) as r:
        return json.load(r)["Items"]


def mock_webids(mock, n):
    server = items(mock, "/dataservers?webIdType=IDOnly")[0]["WebId"]
    return [p["WebId"] for p in items(
        mock, "/dataservers/%s/points?webIdType=IDOnly&maxCount=%d"
        % (server, n))]


def beside_wrk(figure, case, name, unit, scale, rounds, seconds):
    """Alternating: garner, wrk, curl and again; then the medians."""
    mine, wrk, curl = [], [], []
    case.garner("--seconds", 1)
    for _ in range(rounds):
        mine.append(float(case.garner("--seconds",
                                      seconds)["requests_per_s"]))
        wrk.append(case.wrk(seconds))
        curl.append(case.curl(max(20, int(wrk[-1] * seconds / 4))))
    mine, wrk, curl = [statistics.median(x) * scale
                       for x in (mine, wrk, curl)]
    figure(name, mine, unit, "wrk", wrk)
    figure(name + "_curl", mine, unit, "curl --parallel", curl)


def beside_nginx(figure, rounds):
    for name in ("nginx", "wrk", "curl"):
        if tool(name) is None:
            skip("no %s here (build-aux/setup --bench)" % name)
            return
    with Nginx() as nginx:
        with Mock("--tags", 100, "--density", DENSITY, "--no-gzip") as m:
            ids = mock_webids(m, LARGE[0])
            small = Case(nginx, "small", ids[:1], SMALL, 256)
            large = Case(nginx, "large", ids, LARGE[1], 16)
            small.save(m)
            large.save(m)
        figure("fetch_small_body", small.bytes, "bytes")
        figure("fetch_large_body", large.bytes, "bytes")
        beside_wrk(figure, small, "fetch_small_requests", "1/s", 1, rounds,
                   2)
        beside_wrk(figure, large, "fetch_large_bytes", "bytes/s",
                   large.bytes, rounds, 2)


# --- the program itself -----------------------------------------------------

WINDOW = 400    # seconds, and about as many values of a stream
STREAMS = 25
TAGS = 250
HARVEST_FROM = "2026-03-01T04:00:00Z"
SERVER_CACHE = "2GiB"    # all that both sides read is about 1.3


@functools.cache
def python_with_requests():
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import requests"], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def harvest_once(mock, workers):
    """Values a second of a whole run, from nothing covered to the end. In
    the form of the client beside it: which one garner would find cheapest
    is decided by what the server has kept."""
    with Site(mock.url, size=TAGS // 5, **{
            "from": HARVEST_FROM, "source": "  forms: [set]\n",
            "harvest": "  workers: %d\n  window_max: %ds\n"
            % (workers, WINDOW)}) as s:
        s.garner("discover")
        began = time.monotonic()
        r = subprocess.run(pinned(1, [
            GARNER, "-c", s.conf, "-q", "harvest", "--json", "--table",
            "pi_timeseries"]), stdout=subprocess.PIPE, check=True,
            cwd=s.dir)
        seconds = time.monotonic() - began
    stats = json.loads(r.stdout)
    if stats["streams_failed"] > 0 or stats["values"] == 0:
        raise RuntimeError("harvest: not all was read: %s" % r.stdout)
    return stats["values"] / seconds, stats


def encode(figure, rounds):
    """What the rows of a harvest of large answers cost the journal, in CPU
    time; decoding too, which compaction pays."""
    with Mock("--tags", TAGS, "--density", DENSITY, "--no-gzip") as m, \
            Site(m.url, size=TAGS // 5, **{
                "from": HARVEST_FROM,
                "harvest": "  window_max: %ds\n" % WINDOW}) as s:
        s.garner("harvest")
        journal, = glob.glob(os.path.join(
            s.data, "bronze", "*", "pi_timeseries", "group-1"))
        r = subprocess.run(pinned(1, [BENCH_ENCODE, journal, str(rounds)]),
                           stdout=subprocess.PIPE, text=True, check=True)
    out = dict(x.split("\t", 1) for x in r.stdout.splitlines())
    figure("encode_row_bytes", float(out["bytes"]), "bytes")
    for name in ("encode", "compress", "decompress", "decode"):
        figure("%s_row" % name, float(out[name + "_ns"]), "CPU ns")


def python_once(mock, path):
    r = subprocess.run(pinned(1, [
        python_with_requests(), os.path.join(
            SRC, "tests/bench/python_client.py"), mock.url, path,
        str(STREAMS), HARVEST_FROM, str(WINDOW), "1000", "60"]),
        stdout=subprocess.PIPE, text=True, check=True)
    values, seconds = r.stdout.split()
    return int(values) / float(seconds)


def cpu_seconds(mock):
    """Of the server, user and system."""
    with open("/proc/%d/stat" % mock.proc.pid, encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def whole_program(figure, rounds):
    """The server keeps its answers, so that it is not what is measured: a
    first run of each side, which is not measured, fills it."""
    mine, python, server = [], [], []
    with Mock("--tags", TAGS, "--density", DENSITY, "--no-gzip", "--cache",
              SERVER_CACHE) as m:
        pin_server(m)
        path = os.path.join(m.dir, "webids")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(mock_webids(m, TAGS)))
        harvest_once(m, 1)
        if python_with_requests():
            python_once(m, path)
        workers = max((1, 0), key=lambda w: harvest_once(m, w)[0])
        for _ in range(rounds):
            before = cpu_seconds(m)
            rate, stats = harvest_once(m, workers)
            server.append((cpu_seconds(m) - before) / stats["values"])
            mine.append(rate)
            if python_with_requests():
                python.append(python_once(m, path))
    figure("fetch_large_values_workers", workers, "threads")
    figure("fetch_large_values_an_answer",
           stats["values"] / stats["requests"], "values")
    figure("fetch_large_server_ns", statistics.median(server) * 1e9,
           "ns/value")
    if python:
        figure("fetch_large_values", statistics.median(mine), "values/s",
               "python requests", statistics.median(python))
    else:
        skip("no python with requests here (build-aux/setup --bench)")
        figure("fetch_large_values", statistics.median(mine), "values/s")


def ten_thousand(figure):
    """In flight at once at a server that answers after a second."""
    n = 10000
    with Mock("--tags", 10, "--latency", "1s", "--no-gzip") as m:
        pin_server(m)
        r = subprocess.run(pinned(1, [
            BENCH_FETCH, "--target", "/piwebapi/system", "--in-flight",
            str(n), "--requests", str(4 * n), m.url.rsplit("/", 1)[0]]),
            stdout=subprocess.PIPE, text=True, check=True)
        with urllib.request.urlopen(m.url.rsplit("/", 1)[0]
                                    + "/mock/stats") as s:
            most = json.load(s)["requests"]["most"]
    out = dict(x.split("\t", 1) for x in r.stdout.splitlines())
    if most < n:
        print("# fetch: only %d in flight, few descriptors" % most,
              file=sys.stderr, flush=True)
    name = "fetch_in_flight_%d" % n
    figure(name, float(out["requests_per_s"]), "1/s")
    figure(name + "_failed", int(out["failed"]), "requests")
    figure(name + "_peak_rss", float(out["peak_rss_mib"]), "MiB")
    figure(name + "_held_p99", float(out["held_p99_ms"]), "ms")


def fetch(figure, rounds):
    if len(os.sched_getaffinity(0)) < 2 or tool("taskset") is None:
        print("# fetch: one core, or no taskset: server and client share",
              file=sys.stderr, flush=True)
    beside_nginx(figure, rounds)
    whole_program(figure, rounds)
    ten_thousand(figure)
