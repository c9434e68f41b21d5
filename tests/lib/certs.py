"""Certificates for tests, made with openssl(1) in a temporary folder: good
ones, and one for each thing that can be wrong with one."""

import os
import shutil
import subprocess
import tempfile
import time

CONF = """
[ca]
default_ca = own
[own]
dir = .
database = ./index
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
"""
HERE = "IP:127.0.0.1,DNS:localhost"


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(
        time.time() + days * 86400))


class Certificates:
    """`with Certificates() as c`: c.ca is the authority's file, c.pair(NAME)
    gives ["--tls-cert", FILE, "--tls-key", FILE] for garner-mock. Names:

    server      good, for 127.0.0.1 and localhost
    expired     until yesterday
    early       from tomorrow on
    elsewhere   for another host
    selfsigned  by nobody else
    unknown     by another authority
    chained     by an intermediate authority, which is sent along
    unchained   by the same, which is not sent
    sha1        signed over SHA-1
    client      of a client, by c.ca
    stranger    of a client, by another authority
    """

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="garner-certs-")
        self.ca = self.path("ca.pem")

    def __enter__(self):
        with open(self.path("conf"), "w", encoding="ascii") as f:
            f.write(CONF)
        open(self.path("index"), "w", encoding="ascii").close()
        for name in ("ca", "otherca", "selfsigned"):
            self.self_signed(name)
        self.issue("middle", "ca", kind="authority")
        self.issue("server", "ca")
        self.issue("expired", "ca", start=-30, end=-1)
        self.issue("early", "ca", start=1, end=30)
        self.issue("elsewhere", "ca", names="DNS:plant.example")
        self.issue("unknown", "otherca")
        self.issue("unchained", "middle")
        self.issue("sha1", "ca", md="sha1")
        self.issue("client", "ca", names="DNS:client")
        self.issue("stranger", "otherca", names="DNS:client")
        shutil.copy(self.key("unchained"), self.key("chained"))
        with open(self.cert("chained"), "wb") as out:
            for name in ("unchained", "middle"):
                with open(self.cert(name), "rb") as f:
                    out.write(f.read())
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def cert(self, name):
        return self.path(name + ".pem")

    def key(self, name):
        return self.path(name + ".key")

    def pair(self, name):
        return ["--tls-cert", self.cert(name), "--tls-key", self.key(name)]

    def openssl(self, *args):
        r = subprocess.run(["openssl", *args], cwd=self.dir, text=True,
                           capture_output=True)
        if r.returncode != 0:
            raise RuntimeError("openssl %s: %s" % (" ".join(args), r.stderr))

    def self_signed(self, name):
        authority = name != "selfsigned"
        self.openssl(
            "req", "-x509", "-config", "conf", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key(name),
            "-out", self.cert(name), "-subj", "/CN=test " + name, "-days",
            "30", "-extensions", "authority" if authority else "leaf",
            *(() if authority else ("-addext", "subjectAltName=" + HERE)))
        os.chmod(self.key(name), 0o600)

    def issue(self, name, by, kind="leaf", names=HERE, start=-30, end=30,
              md="sha256"):
        extra = () if kind == "authority" else (
            "-addext", "subjectAltName=" + names)
        self.openssl(
            "req", "-new", "-config", "conf", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key(name),
            "-out", self.path("csr"), "-subj", "/CN=test " + name, *extra)
        self.openssl(
            "ca", "-batch", "-notext", "-config", "conf", "-cert",
            self.cert(by), "-keyfile", self.key(by), "-in", self.path("csr"),
            "-out", self.cert(name), "-extensions", kind, "-md", md,
            "-startdate", stamp(start), "-enddate", stamp(end))
        os.chmod(self.key(name), 0o600)
