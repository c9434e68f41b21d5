"""TLS as garner sees it: what is wrong with a server's certificate or its
handshake is refused, named in one line, and told by the exit status; an
authority of one's own is trusted."""

import os
import re
import socket
import threading

from certs import Certificates
from harness import Mock, Site, main

WORLD = ["--tags", "5"]
CLOSED = "TLS with HOST: closed in the handshake or right after it"


def check(url, ca=None, status=0, tls=""):
    """The line garner check ends with on stderr, without its head."""
    source = "  tls: {%s}\n" % ", ".join(
        (["ca: " + ca] if ca else []) + ([tls] if tls else []))
    with Site(url, source=source) as s:
        r = s.garner("check", status=status)
    lines = r.stderr.splitlines()
    assert len(lines) == (status != 0), r.stderr
    if not lines:
        return ""
    head = "garner: error: check: "
    assert lines[0].startswith(head), lines
    return lines[0][len(head):].replace(url.split("/")[2], "HOST")


def test_bad_certificates():
    unknown = "its certificate is of an unknown authority, or the one " \
        "between is not sent along"
    with Certificates() as c:
        for name, cause in (
                ("expired", "its certificate has expired"),
                ("early", "its certificate is not valid yet (or the clock "
                 "here is wrong)"),
                ("elsewhere", "its certificate is for another host"),
                ("selfsigned", "its certificate is self-signed, and not "
                 "among those trusted here"),
                ("unknown", unknown), ("unchained", unknown),
                ("sha1", "its certificate is signed over a digest too weak "
                 "(SHA-1, MD5)")):
            with Mock(*WORLD, *c.pair(name)) as m:
                got = check(m.url, c.ca, 69)
                assert got == "TLS with HOST: " + cause, (name, got)
                assert m.stats()["requests"]["total"] == 0, name


def test_good_certificates():
    with Certificates() as c:
        for name in ("server", "chained"):
            with Mock(*WORLD, *c.pair(name)) as m:
                assert check(m.url, c.ca) == ""
                # nobody else's authority but that one's
                got = check(m.url, None, 69)
                assert "unknown authority" in got, got
        with Mock(*WORLD, *c.pair("selfsigned")) as m:
            assert check(m.url, c.cert("selfsigned")) == ""


def test_versions():
    with Certificates() as c:
        for newest in ("1.0", "1.1", "1.2", "1.3"):
            with Mock(*WORLD, *c.pair("server"), "--tls-max", newest) as m:
                old = newest < "1.2"
                got = check(m.url, c.ca, 69 if old else 0)
                assert got == ("TLS with HOST: it speaks old versions of "
                               "TLS only" if old else ""), (newest, got)


def test_closed_in_the_handshake():
    with Certificates() as c, Mock(*WORLD, "--tls-close") as m:
        assert check(m.url, c.ca, 69) == CLOSED + \
            "; does the server want a client certificate? (3 tries)"


def test_client_certificates():
    """Where the server's words are lost with the connection we guess."""
    with Certificates() as c:
        for newest in ("1.2", "1.3"):
            with Mock(*WORLD, *c.pair("server"), "--tls-ca", c.ca,
                      "--tls-max", newest,
                      client=(c.cert("client"), c.key("client"))) as m:
                assert check(m.url, c.ca, 0, "cert: %s, key: %s" % (
                    c.cert("client"), c.key("client"))) == ""
                # said at the first try, a later one, or never
                got = check(m.url, c.ca, 69)
                assert re.sub(r" \(\d tries\)$", "", got) in (
                    "TLS with HOST: it ended the handshake: no cipher in "
                    "common, or it wants a client certificate",
                    "TLS with HOST: it wants a client certificate",
                    CLOSED + "; does the server want a client "
                    "certificate?"), got
                got = check(m.url, c.ca, 69, "cert: %s, key: %s" % (
                    c.cert("stranger"), c.key("stranger")))
                assert re.sub(r" \(\d tries\)$", "", got) in (
                    "TLS with HOST: it refuses our client certificate: not "
                    "of an authority it trusts", CLOSED), got


def test_no_tls_there():
    """A server of plain http says so in plain text."""
    with Certificates() as c, socket.create_server(("127.0.0.1", 0)) as s:
        def serve():
            while True:
                try:
                    conn, _ = s.accept()
                except OSError:
                    return
                with conn:
                    conn.recv(1000)
                    conn.sendall(b"HTTP/1.1 400 Bad Request\r\n"
                                 b"Connection: close\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        got = check("https://127.0.0.1:%d/piwebapi" % s.getsockname()[1],
                    c.ca, 69)
        s.shutdown(socket.SHUT_RDWR)
    assert got == "TLS with HOST: it does not speak TLS on that port", got


def test_files_of_ours():
    """A key with a password, and files that cannot be used: 78."""
    with Certificates() as c, Mock(
            *WORLD, *c.pair("server"), "--tls-ca", c.ca,
            client=(c.cert("client"), c.key("client"))) as m:
        locked, password = c.path("locked.key"), c.path("password")
        c.openssl("pkey", "-in", c.key("client"), "-aes256", "-passout",
                  "pass:right", "-out", locked)
        for text, status in (("right", 0), ("wrong", 78)):
            with open(password, "w", encoding="ascii") as f:
                f.write(text + "\n")
            os.chmod(password, 0o600)
            got = check(m.url, c.ca, status, "cert: %s, key: %s, "
                        "key_password: {file: %s}" % (
                            c.cert("client"), locked, password))
            assert status == 0 or got.startswith("TLS: "), got
        # without a password nobody is asked for one at the terminal
        for cert, key in ((c.cert("client"), locked),
                          (c.cert("client"), c.key("server")),
                          (c.path("nothing"), c.key("client")),
                          (c.cert("client"), c.path("nothing"))):
            got = check(m.url, c.ca, 78, "cert: %s, key: %s" % (cert, key))
            assert got.startswith("TLS: "), got
        for ca in (c.path("nothing"), c.path("conf")):
            got = check(m.url, ca, 78)
            assert got.startswith("TLS: ") and ca in got, got


main(globals())
