"""Negotiate with tickets of a throw-away KDC: a ticket from a keytab reads
all, the keytab alone does too, and without either one line says so. How long
the loop is held by GSSAPI is measured with a KDC that takes its time."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import harness
from harness import Mock, Site, check_silver, one_line, wait_for

START, END = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"
TABLES = ["pi_points", "pi_timeseries"]
FETCH = ("fetch: {in_flight: 8, adaptive: false, retry_base: 5ms, tries: 2, "
         "breaker_failures: 0}\n")
SPNEGO = os.path.join(harness.SRC, "tests/lib/spnego.py")
PATH = os.environ.get("PATH", "") + ":/usr/sbin"
REALM = "GARNER.TEST"

KRB5 = """
[libdefaults]
    default_realm = %(realm)s
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
    %(realm)s = {
        kdc = 127.0.0.1:%(port)d
    }
[domain_realm]
    localhost = %(realm)s
"""
KDC = """
[kdcdefaults]
    kdc_listen = 127.0.0.1:%(port)d
    kdc_tcp_listen = 127.0.0.1:%(port)d
[realms]
    %(realm)s = {
        database_name = %(dir)s/principal
        key_stash_file = %(dir)s/stash
        acl_file = %(dir)s/acl
        max_life = 1h
    }
"""


def tool(name):
    return shutil.which(name, path=PATH)


def python_with_gssapi():
    for exe in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(exe) and subprocess.run(
                [exe, "-c", "import gssapi"],
                capture_output=True).returncode == 0:
            return exe
    return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Realm:
    """Principals reader (its key in `keytab`) and HTTP/localhost."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="garner-krb5-")
        self.keytab = self.path("reader.keytab")
        self.port = free_port()
        at = {"realm": REALM, "port": self.port, "dir": self.dir}
        self.write("krb5.conf", KRB5 % at)
        self.write("kdc.conf", KDC % at)
        self.env = dict(os.environ, KRB5_CONFIG=self.path("krb5.conf"),
                        KRB5_KDC_PROFILE=self.path("kdc.conf"),
                        KRB5CCNAME="FILE:" + self.path("ccache"),
                        KRB5_CLIENT_KTNAME="FILE:" + self.path("none"),
                        KRB5_KTNAME="FILE:" + self.path("http.keytab"),
                        KRB5RCACHENAME="none:")
        self.run("kdb5_util", "create", "-s", "-P", "master", "-r", REALM)
        for name, keytab in (("reader", self.keytab),
                             ("HTTP/localhost", self.path("http.keytab"))):
            self.run("kadmin.local", "-q", "addprinc -randkey " + name)
            self.run("kadmin.local", "-q",
                     "ktadd -k %s %s" % (keytab, name))
        self.kdc = subprocess.Popen(
            [tool("krb5kdc"), "-n", "-P", self.path("pid")], env=self.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers)
        return self

    def __exit__(self, *_):
        self.kdc.terminate()
        self.kdc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def run(self, name, *args):
        r = subprocess.run([tool(name), *args], env=self.env, text=True,
                           capture_output=True)
        if r.returncode != 0:
            raise RuntimeError("%s: %s" % (name, r.stderr))

    def answers(self):
        if self.kdc.poll() is not None:
            raise RuntimeError("krb5kdc did not start")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def kinit(self):
        self.run("kinit", "-k", "-t", self.keytab, "reader")

    def behind(self, port):
        """From now on the KDC is asked by that port."""
        self.write("krb5.conf", KRB5 % {"realm": REALM, "port": port})


class Door:
    """spnego.py before a mock; .said are its lines."""

    def __init__(self, realm, mock, mode):
        self.args = [python_with_gssapi(), "-B", SPNEGO,
                     mock.url.rsplit("/", 1)[0], mode, "localhost"]
        self.env = realm.env

    def __enter__(self):
        self.proc = subprocess.Popen(self.args, env=self.env, text=True,
                                     stdout=subprocess.PIPE)
        port = int(self.proc.stdout.readline())
        self.url = "http://localhost:%d/piwebapi" % port
        self.said = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        return self

    def read(self):
        for line in self.proc.stdout:
            self.said.append(tuple(line.split()))

    def __exit__(self, *_):
        self.proc.terminate()
        self.proc.wait()
        self.reader.join()
        self.proc.stdout.close()

    def site(self):
        return Site(self.url, source="  auth: {type: negotiate}\n",
                    fetch=FETCH, harvest="  target_items: 600\n  page_items: 60\n")


class Slow:
    """A way to the KDC that takes its time for each connection."""

    def __init__(self, realm, seconds):
        self.to, self.seconds = realm.port, seconds
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self.pass_on, args=(s,),
                             daemon=True).start()

    def pass_on(self, s):
        with s, socket.create_connection(("127.0.0.1", self.to)) as kdc:
            kdc.sendall(s.recv(65536))
            time.sleep(self.seconds)    # this is what it is for
            while data := kdc.recv(65536):
                s.sendall(data)

    def close(self):
        self.listener.close()


def read_all(mock, door, env):
    with door.site() as s:
        s.garner("harvest", env=env)
        s.garner("compact")
        check_silver(mock, s, START, END, TABLES)


def count(door, how):
    return sum(x[1] == how for x in door.said)


def test_a_ticket_reads_all():
    with Realm() as r, Mock("--tags", 20, "--rate", "0.2") as m:
        r.kinit()
        for mode in ("request", "connection"):
            with Door(r, m, mode) as d:
                read_all(m, d, r.env)
                connections = len({x[0] for x in d.said})
            print("by %s: %d tokens, %d bare, %d known, %d connections"
                  % (mode, count(d, "token"), count(d, "bare"),
                     count(d, "known"), connections))
            assert len(d.said) > 20 and count(d, "token") > 0, d.said
            assert (count(d, "known") > 0) == (mode == "connection")
            assert connections < len(d.said) / 2, connections
            assert all(x[2] == "200" for x in d.said), d.said


def test_a_keytab_is_enough():
    with Realm() as r, Mock("--tags", 5, "--rate", "0.2") as m, \
            Door(r, m, "connection") as d:
        read_all(m, d, dict(r.env, KRB5_CLIENT_KTNAME="FILE:" + r.keytab))


def test_no_ticket():
    with Realm() as r, Mock("--tags", 5) as m, Door(r, m, "request") as d, \
            d.site() as s:
        got = s.garner("harvest", status=77, env=r.env)
        one_line(got, "401", "Kerberos ticket")
        assert m.stats()["requests"]["total"] == 0
        # one that ends in the middle of a run keeps what was read
        r.kinit()
        s.garner("harvest", env=r.env)
        os.unlink(r.path("ccache"))
        got = s.garner("harvest", status=77, env=r.env)
        one_line(got, "401", "Kerberos ticket")


def test_how_long_the_loop_is_held():
    """libcurl asks the KDC for a ticket of the service on the loop's thread:
    once, as the ticket is kept beside the others."""
    with Realm() as r, Mock("--tags", 20, "--rate", "0.2") as m, \
            Door(r, m, "connection") as d:
        slow = Slow(r, 1.0)
        r.kinit()
        r.behind(slow.port)
        with d.site() as s:
            began = time.monotonic()
            s.garner("discover", env=r.env)
            first = time.monotonic() - began
            asked = slow.asked
            began = time.monotonic()
            s.garner("harvest", env=r.env)
            second = time.monotonic() - began
        slow.close()
        print("KDC of 1 s: asked %d times, %.2f s, then %d times, %.2f s"
              % (asked, first, slow.asked - asked, second))
        assert asked >= 1 and slow.asked == asked, (asked, slow.asked)


if __name__ == "__main__":
    missing = [t for t in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit")
               if tool(t) is None]
    if python_with_gssapi() is None:
        missing.append("python3-gssapi")
    if missing:
        print("SKIPPED: no %s here (Debian: krb5-kdc, krb5-admin-server, "
              "krb5-user, python3-gssapi)" % ", ".join(missing), flush=True)
        raise SystemExit(77)
    harness.main(globals())
