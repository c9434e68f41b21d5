"""garner-mock over TLS: good and bad certificates, client certificates,
versions, the handshake closed, and the same bytes as without."""

import json
import socket
import ssl
import subprocess
import urllib.parse
import warnings

from certs import Certificates
from harness import MOCK, Mock, main
from link import Link, get

WORLD = ["--tags", "12"]


def context(certs, client=None):
    c = ssl.create_default_context(cafile=certs.ca)
    if client:
        c.load_cert_chain(certs.cert(client), certs.key(client))
    return c


class Secure(Link):
    """As Link; `why` is the handshake's error, "" when it went well."""

    def __init__(self, mock, ctx, name="127.0.0.1"):
        super().__init__(mock)
        self.why = ""
        try:
            # or else a reset looks like an end
            self.s = ctx.wrap_socket(self.s, server_hostname=name,
                                     suppress_ragged_eofs=False)
        except (ssl.SSLError, OSError) as e:
            self.why = str(e)


def why(mock, ctx, name="127.0.0.1"):
    with Secure(mock, ctx, name) as link:
        return link.why


def test_the_same_answers():
    with Certificates() as c, Mock(*WORLD) as plain, \
            Mock(*WORLD, *c.pair("server"), "--link-base", plain.url,
                 "--cache", "64MiB") as m:
        assert m.url.startswith("https://127.0.0.1:")
        with Secure(m, context(c)) as link:
            assert link.s.version() == "TLSv1.3"
            server = json.loads(link.ask("dataservers").answer()[2])
            points = json.loads(link.ask(
                "dataservers/%s/points" % server["Items"][0]["WebId"])
                .answer()[2])["Items"]
            path = "streamsets/recorded?startTime=2026-02-28T00:00:00Z" \
                "&endTime=2026-03-01T12:00:00Z&maxCount=100000&" + "&".join(
                    "webId=" + p["WebId"] for p in points)
            want = get(plain, path)[2]
            assert len(want) > 1000000
            for _ in range(2):      # made, and kept
                assert link.ask(path).answer()[2] == want
            # to the end of the connection, properly ended
            end = link.ask("system", "Connection: close").rest()
            assert end[0].startswith(b"HTTP/1.1 200 OK"), end


def test_bad_certificates():
    """Each is refused for its own reason."""
    with Certificates() as c:
        for name, reason in (("server", ""), ("chained", ""),
                             ("expired", "certificate has expired"),
                             ("early", "not yet valid"),
                             ("elsewhere", "IP address mismatch"),
                             ("selfsigned", "self-signed certificate"),
                             ("unknown", "unable to get local issuer"),
                             ("unchained", "unable to get local issuer"),
                             ("sha1", "too weak")):
            with Mock(*WORLD, *c.pair(name)) as m:
                got = why(m, context(c))
                assert reason in got and bool(reason) == bool(got), \
                    (name, got)
                # and it serves on
                assert m.stats()["requests"]["now"] == 0
        with Mock(*WORLD, *c.pair("server")) as m:
            assert why(m, context(c), "localhost") == ""
            assert "mismatch" in why(m, context(c), "plant.example")


def test_client_certificates():
    with Certificates() as c, Mock(
            *WORLD, *c.pair("server"), "--tls-ca", c.ca,
            client=(c.cert("client"), c.key("client"))) as m:
        with Secure(m, context(c, "client")) as link:
            assert link.ask("system").answer()[0] == 200
        for client in (None, "stranger"):
            # TLS 1.3: the client learns it when it reads
            with Secure(m, context(c, client)) as link:
                try:
                    got = link.s.recv(100)
                    raise AssertionError("answered: %r" % got)
                except OSError as e:
                    assert "certificate required" in str(e) or \
                        "unknown ca" in str(e).lower(), e
        assert m.stats()["status"] == {"200": 1}


def test_versions():
    with Certificates() as c:
        for newest, name in (("1.0", "TLSv1"), ("1.1", "TLSv1.1"),
                             ("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")):
            with Mock(*WORLD, *c.pair("server"), "--tls-max", newest) as m:
                old = context(c)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    old.minimum_version = ssl.TLSVersion.TLSv1
                old.set_ciphers("ALL:@SECLEVEL=0")
                with Secure(m, old) as link:
                    assert link.s.version() == name, (link.why, name)
                    assert link.ask("system").answer()[0] == 200
                got = why(m, context(c))
                assert bool(got) == (newest in ("1.0", "1.1")), got


def test_closed_in_the_handshake():
    with Certificates() as c, Mock(*WORLD, "--tls-close") as m:
        assert m.url.startswith("https:")
        got = why(m, context(c))
        assert "EOF" in got, got
        at = urllib.parse.urlsplit(m.url)
        with socket.create_connection((at.hostname, at.port), 10) as s:
            s.sendall(b"x")
            assert s.recv(1) == b""


def test_plain_speech_to_tls():
    with Certificates() as c, Mock(*WORLD, *c.pair("server")) as m:
        got, _ = Link(m).ask("system").rest()
        assert b"HTTP" not in got, got
        assert m.stats()["requests"]["total"] == 0


def test_faults():
    with Certificates() as c, Mock(*WORLD, *c.pair("server")) as m:
        def ask():
            with Secure(m, context(c)) as link:
                return link.ask("system", "Connection: close").rest()

        whole = ask()
        assert whole[1] == "eof"
        m.faults("system:drip:ms=1")
        assert ask() == whole
        m.faults("system:cut")
        assert len(ask()[0]) < len(whole[0])
        m.faults("system:reset:at=body")
        got = ask()
        assert got[1] == "reset" and whole[0].startswith(got[0]), got
        m.faults("system:http10")
        assert ask()[0].split(b"\r\n\r\n")[1] == \
            whole[0].split(b"\r\n\r\n")[1]


def test_usage():
    with Certificates() as c:
        for args, status, word in (
                (c.pair("server")[:2], 64, "--tls-key"),
                (c.pair("server")[2:], 64, "--tls-cert"),
                (["--tls-ca", c.ca], 64, "--tls-cert"),
                (["--tls-max", "1.4"], 64, "1.4"),
                (["--tls-cert", c.ca + "x", "--tls-key", c.key("ca")], 78,
                 c.ca + "x"),
                (["--tls-cert", c.ca, "--tls-key", c.key("client")], 78,
                 "client.key")):
            r = subprocess.run([MOCK, *args], capture_output=True, text=True)
            assert r.returncode == status, (args, r)
            assert word in r.stderr, r.stderr
            assert len(r.stderr.splitlines()) == 1, r.stderr


main(globals())
