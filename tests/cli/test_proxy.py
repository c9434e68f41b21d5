"""A proxy between garner and the server: http with CONNECT and without,
over TLS, and socks5h, which resolves names there; with a password, and when
it does not let us through."""

import base64
import os
import re
import socket
import ssl
import struct
import threading
import urllib.parse

from certs import Certificates
from harness import Mock, Site, main

PASSWORD = "pr0xy-s3cret"


def pipe(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


class Proxy:
    """Sends whatever is asked for to `to`; keeps what it was asked."""

    def __init__(self, url, socks=False, certs=None, refuse=0):
        self.to = urllib.parse.urlsplit(url)
        self.socks, self.refuse = socks, refuse
        self.asked = []
        self.tls = None
        if certs:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certs.cert("server"),
                                     certs.key("server"))

    def __enter__(self):
        self.s = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()
        self.url = "%s://127.0.0.1:%d" % (
            "socks5h" if self.socks else "https" if self.tls else "http",
            self.s.getsockname()[1])
        return self

    def __exit__(self, *_):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()

    def serve(self):
        while True:
            try:
                conn, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(conn,),
                             daemon=True).start()

    def one(self, conn):
        try:
            if self.tls:
                conn = self.tls.wrap_socket(conn, server_side=True)
            (self.one_socks if self.socks else self.one_http)(conn)
        except OSError:
            pass
        finally:
            conn.close()

    def pass_on(self, conn, first=b"", answer=b""):
        with socket.create_connection((self.to.hostname,
                                       self.to.port)) as there:
            conn.sendall(answer)
            there.sendall(first)
            t = threading.Thread(target=pipe, args=(there, conn),
                                 daemon=True)
            t.start()
            pipe(conn, there)
            t.join()

    def one_http(self, conn):
        head = b""
        while b"\r\n\r\n" not in head:
            head += exactly(conn, 1)
        lines = head.decode().split("\r\n")
        self.asked.append(lines[0])
        basic = "Basic " + base64.b64encode(
            ("me:" + PASSWORD).encode()).decode()
        if self.refuse or "Proxy-Authorization: " + basic not in lines:
            conn.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n"
                         b"X-Quota-Left: 0\r\n\r\n" % (self.refuse or 407))
            return
        if lines[0].startswith("CONNECT "):
            self.pass_on(conn, b"", b"HTTP/1.1 200 Yes\r\n\r\n")
        else:
            # one request a connection will do
            head = re.sub(rb" http://[^/]*", b" ", head, count=1)
            head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            self.pass_on(conn, head)

    def one_socks(self, conn):
        version, n = exactly(conn, 2)
        methods = exactly(conn, n)
        assert version == 5 and 2 in methods, methods
        conn.sendall(b"\5\2")
        user = exactly(conn, exactly(conn, 2)[1])
        word = exactly(conn, exactly(conn, 1)[0])
        good = (user, word) == (b"me", PASSWORD.encode())
        conn.sendall(b"\1\0" if good else b"\1\1")
        if not good:
            return
        _, _, _, kind = exactly(conn, 4)
        if kind == 3:
            name = exactly(conn, exactly(conn, 1)[0]).decode()
        else:
            name = socket.inet_ntoa(exactly(conn, 4))
        port = struct.unpack(">H", exactly(conn, 2))[0]
        self.asked.append("%s:%d" % (name, port))
        if self.refuse:
            conn.sendall(b"\5" + bytes([self.refuse]) + b"\0\1" + bytes(6))
            return
        self.pass_on(conn, b"", b"\5\0\0\1" + bytes(6))


def site(url, proxy, more="", password=PASSWORD):
    s = Site(url)
    path = os.path.join(s.dir, "proxy-password")
    with open(path, "w", encoding="utf-8") as f:
        f.write(password + "\n")
    os.chmod(path, 0o600)
    s.write(source="  proxy: %s\n  proxy_user: me\n  proxy_password: "
            "{file: %s}\n%s" % (proxy, path, more))
    return s


def error(s, status):
    r = s.garner("check", status=status)
    lines = r.stderr.splitlines()
    assert len(lines) == 1, r.stderr
    assert PASSWORD not in r.stderr + r.stdout
    return lines[0].partition("check: ")[2]


def test_http():
    with Mock("--tags", 5) as m, Proxy(m.url) as p, site(m.url, p.url) as s:
        s.garner("check")
        assert len(p.asked) > 1
        for line in p.asked:
            assert line.startswith("GET http://127.0.0.1:"), line


def test_connect():
    with Certificates() as c, Mock("--tags", 5, *c.pair("server")) as m:
        tls = "  tls: {ca: %s}\n" % c.ca
        for certs in (None, c):
            with Proxy(m.url, certs=certs) as p, \
                    site(m.url, p.url, tls) as s:
                s.garner("check")
                assert p.asked == ["CONNECT %s HTTP/1.1"
                                   % m.url.split("/")[2]], p.asked


def test_socks():
    """A name that only the proxy can know."""
    url = "http://plant.invalid:8080/piwebapi"
    with Mock("--tags", 5) as m, Proxy(m.url, socks=True) as p, \
            site(url, p.url) as s:
        s.garner("check")
        assert set(p.asked) == {"plant.invalid:8080"}, p.asked


def test_wrong_password():
    with Certificates() as c, Mock("--tags", 5, *c.pair("server")) as m, \
            Proxy(m.url) as p, Proxy(m.url, socks=True) as socks:
        tls = "  tls: {ca: %s}\n" % c.ca
        plain = m.url.replace("https:", "http:")
        for url, proxy, want in (
                (m.url, p, "the proxy does not serve us: 407 Proxy "
                 "Authentication Required"),
                (plain, p, "GET /piwebapi/system/status: 407 Proxy "
                 "Authentication Required"),
                (m.url, socks, "the proxy does not serve us: User was "
                 "rejected")):
            asked = len(p.asked)
            with site(url, proxy.url, tls, "wrong") as s:
                got = error(s, 77)
                assert got.startswith(want), (got, want)
            # a password that is wrong is not tried again
            assert len(p.asked) - asked <= 1, p.asked


def test_refused():
    with Certificates() as c, Mock("--tags", 5, *c.pair("server")) as m:
        tls = "  tls: {ca: %s}\n" % c.ca
        for kind, refuse, status, words in (
                (False, 403, 77, "403 Forbidden"),
                (False, 503, 69, "503 Service Unavailable (3 tries)"),
                (True, 2, 77, "complete SOCKS5 connection"),
                (True, 5, 69, "complete SOCKS5 connection")):
            with Proxy(m.url, socks=kind, refuse=refuse) as p, \
                    site(m.url, p.url, tls) as s:
                got = error(s, status)
                assert got.startswith("the proxy does not serve us: "), got
                assert words in got, (got, words)
        # gone
        with Proxy(m.url) as p:
            host = p.url.split("/")[2]
        with site(m.url, p.url, tls) as s:
            got = error(s, 69)
            assert got == "cannot connect to %s: connection refused " \
                "(3 tries)" % host, got


main(globals())
