"""A connection to garner-mock in bytes, for what http.client would mend."""

import select
import socket
import ssl
import time
import urllib.parse


class Link:
    """A connection, in bytes."""

    def __init__(self, mock, timeout=10, source=None):
        at = urllib.parse.urlsplit(mock.url)
        self.s = socket.create_connection((at.hostname, at.port), timeout,
                                          source and (source, 0))
        self.got = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def ask(self, path, *headers, version="1.1", method="GET", body=b""):
        """Below /piwebapi, unless the path begins with a slash."""
        lines = ["%s %s HTTP/%s" % (method, path if path[0] == "/" else
                                    "/piwebapi/" + path, version),
                 "Host: x", "X-Requested-With: test"] + list(headers)
        if body:
            lines.append("Content-Length: %d" % len(body))
        self.s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self

    def rest(self):
        """All up to the end; ends with what ended it: "eof" or "reset"."""
        end = "eof"
        try:
            while True:
                more = self.s.recv(1 << 16)
                if not more:
                    break
                self.got += more
        except (ConnectionResetError, ssl.SSLError):
            end = "reset"
        return self.got, end

    def some(self, seconds):
        """What comes within some time."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.s], [], [], left)[0]:
                return self.got
            try:
                more = self.s.recv(1 << 16)
            except ConnectionResetError:
                more = b""
            if not more:
                return self.got
            self.got += more

    def answer(self):
        """One answer by its length or its chunks: status, headers, body."""
        f = self.s.makefile("rb")
        status = int(f.readline().split()[1])
        headers = {}
        for line in iter(f.readline, b"\r\n"):
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") != "chunked":
            n = int(headers.get("content-length", 0))
            return status, headers, f.read(n)
        parts = []
        while n := int(f.readline(), 16):
            parts.append(f.read(n))
            f.readline()
        f.readline()
        return status, headers, b"".join(parts)

    def control(self, path, body=b""):
        """POST /mock/PATH."""
        self.s.sendall(b"POST /mock/%s HTTP/1.1\r\nContent-Length: %d\r\n"
                       b"\r\n" % (path.encode(), len(body)) + body)
        return self.answer()


def get(mock, path, *headers):
    """Status, headers, body."""
    with Link(mock) as link:
        return link.ask(path, *headers).answer()


def control(mock, path, body=b""):
    with Link(mock) as link:
        return link.control(path, body)
