"""Manual pages: lint without output; options and keys of configuration and
connectors are those of the programs' own tables, no more and no fewer; the
example of a connector works."""

import glob
import json
import os
import re
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import GARNER, MOCK, SRC, Site, main

MAN = os.path.join(SRC, "man")


def text(name):
    with open(os.path.join(MAN, name), encoding="utf-8") as f:
        return f.read()


def documented(page):
    """Long options of the OPTIONS-like lists: .It Fl -name"""
    found = set()
    for line in text(page).splitlines():
        if line.startswith(".It"):
            found |= set(re.findall(r"Fl -([a-z][a-z0-9-]*)", line))
    return found


def of_help(argv):
    out = subprocess.run(argv + ["--help"], capture_output=True, text=True,
                         check=True).stdout
    return set(re.findall(r"^ +(?:-\w, )?--([a-z][a-z0-9-]*)", out, re.M))


def commands():
    out = subprocess.run([GARNER, "--help"], capture_output=True, text=True,
                         check=True).stdout
    part = out.split("first use:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in part.splitlines()]


def test_lint():
    mandoc = os.environ.get("MANDOC", "mandoc")
    if mandoc in ("", "no"):
        print("skipped: no mandoc here")
        return
    for page in sorted(glob.glob(os.path.join(MAN, "*.[0-9]"))):
        r = subprocess.run([mandoc, "-T", "lint", "-W", "warning", page],
                           capture_output=True, text=True)
        assert r.stdout + r.stderr == "", r.stdout + r.stderr


def test_every_command_has_its_page():
    pages = {os.path.basename(p)[7:-2]
             for p in glob.glob(os.path.join(MAN, "garner-*.1"))} - {"mock"}
    assert pages == set(commands()), pages ^ set(commands())
    for c in commands():
        assert "garner-%s 1" % c in text("garner.1"), c


def test_options_are_those_of_the_tables():
    common = of_help([GARNER]) - {"version"}
    assert documented("garner.1") == common | {"version"}
    for c in commands():
        of = of_help([GARNER, c]) - common
        assert documented("garner-%s.1" % c) - common == of, (
            c, documented("garner-%s.1" % c) ^ of)
    assert documented("garner-mock.1") == of_help([MOCK]), (
        documented("garner-mock.1") ^ of_help([MOCK]))


def test_configuration_keys():
    with Site("http://127.0.0.1:1/piwebapi") as s:
        out = json.loads(s.garner("config", "--json").stdout)
    keys = {o["option"] for o in out["options"]}
    found = set(re.findall(r"^\.It (?:Ic|Cm|Va) ([a-z0-9_.]+)",
                           text("garner.yaml.5"), re.M))
    assert found == keys, found ^ keys


def test_columns():
    """garner-tables(5) tells each column of the connector, and no others."""
    with open(os.path.join(SRC, "conf/connectors/pi.yaml"),
              encoding="utf-8") as f:
        parts = re.split(r"(?m)^  (pi_\w+):$", f.read())[1:]
    want = {name: set(re.findall(r"(?m)^      (\w+):",
                                 body.split("\n    columns:\n")[1]))
            for name, body in zip(parts[::2], parts[1::2])}
    parts = re.split(r"(?m)^\.Ss (pi_\w+)$",
                     text("garner-tables.5").split(".Sh EXAMPLES")[0])[1:]
    found = {name: set(re.findall(
        r"\w+", " ".join(re.findall(r"(?m)^\.It Cm (.*)$", body))))
             for name, body in zip(parts[::2], parts[1::2])}
    assert len(want) == 7 and all(want.values()), want
    assert found == want, {t: found.get(t, set()) ^ want[t] for t in want}


# --- connectors -----------------------------------------------------------

# Where the keys stand that a function of the parser, or a list, has.
WITHIN = {
    "read_file": [""], "read_clock": ["clock."], "read_probe": ["probes."],
    "read_quota": ["quotas."], "TABLE_KEYS": [""], "read_object": ["object."],
    "read_request": ["request."], "read_series": ["request."],
    "KEYS_SET": ["window.set."], "KEYS_ONE": ["window.one."],
    "read_batch": ["window.batch."], "read_first": ["first."],
    "read_began": ["window.began."], "read_window": ["window."],
    "read_paging": ["paging."], "read_column": ["columns."],
}


def parser():
    """Text of the files that read a connector, without line splices."""
    found = ""
    for path in sorted(glob.glob(os.path.join(SRC, "src/source/*.c"))):
        with open(path, encoding="utf-8") as f:
            part = f.read()
        if "yaml_error(" in part:
            found += part
    return re.sub(r'"\s*"', "", found.replace("SOURCE_BATCH_URL",
                                              '"{url}"'))


def test_connector_keys():
    want, name = set(), None
    for m in re.finditer(r"(?m)^(\w+)\(|char \*const (\w*KEYS\w*)\[\] = "
                         r"\{([^}]*)\}", parser()):
        name = m[1] or name
        if m[2]:
            for at in WITHIN[m[2] if m[2] in WITHIN else name]:
                want |= {at + k for k in re.findall(r'"(\w+)"', m[3])}
    found = set(re.findall(r"(?m)^\.It Ic ([a-z_.]+)$",
                           text("garner-connector.5")))
    assert len(want) > 60 and found == want, found ^ want


def test_connector_words():
    """Ways of changing, origins, placeholders and other words."""
    code, page = parser(), text("garner-connector.5")
    words = set()
    for table in (r"\} AS\[\] = \{(.*?)\n\};", r"\} ORIGINS\[\] = \{(.*?)"
                  r"\n\};", r"\bWORDS\[\] = \{(.*?)\};",
                  r"\bSTYLES\[\] = \{(.*?)\};", r"units\[\] = \{(.*?)\};"):
        found = re.findall(r'"([$a-z_.]+)"',
                           re.search(table, code, re.S)[1])
        assert len(found) > 2, table
        words |= set(found)
    words |= {"{%s}" % w for table in (r"\bWALK\[\]", r"\bSERIES\[\]")
              for w in re.findall(r'"([a-z.]+)"', re.search(
                  table + r" = \{(.*?)\}", code, re.S)[1])}
    told = set(re.findall(r"(?m)^\.(?:It )?Cm ([^\s]+)", page))
    assert words - told == set(), words - told


def test_connector_messages():
    """Each mistake that the parser tells is among the diagnostics."""
    page = text("garner-connector.5").split(".Sh DIAGNOSTICS")[1]
    told = [m.replace("\\(ga", "`").replace("\\(dq", '"') for m in
            re.findall(r"(?m)^\.It (.*)$", page)]
    found = re.findall(r'yaml_error\([^;]*?\berr,\s*"((?:[^"\\]|\\.)*)"', parser())
    assert len(found) > 50, found
    for m in found:
        # %s %s: what is unknown; the rest is a nearest word
        m = re.sub(r"(%s){3}$", "", m).replace("no %s ", "no \\w+ ")
        m = re.escape(m).replace("no\\ \\\\w\\+\\ ", "no \\w+ ")
        want = m.replace("%s", ".+").replace("%d", r"\d+")
        assert any(re.fullmatch(want, t) for t in told), m


class Meters(BaseHTTPRequestHandler):
    """Answers with what the page says; with none to all else."""

    def do_GET(self):
        body = self.server.answers.get(self.path.split("?")[0])
        self.server.asked.append(self.path)
        self.send_response(404 if body is None else 200)
        body = (body or '{"Message": "nothing here"}').encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_connector_example():
    """The connector of the page reads the API of the page."""
    page = text("garner-connector.5").split(".Sh EXAMPLES")[1]
    api, connector, conf = re.findall(r"(?ms)^\.Bd .*?$\n(.*?)^\.Ed$", page)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Meters)
    http.asked = []
    http.answers = {
        re.split(r"[?\s]", a)[0]: a.split("\n", 1)[1]
        for a in re.split(r"(?m)^GET ", api)[1:]}
    assert len(http.answers) == 3, api
    threading.Thread(target=http.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % http.server_port
    assert conf.count("https://meters.example") == 1
    with tempfile.TemporaryDirectory(prefix="garner-manual-") as d:
        for name, what in (("meters.yaml", connector), (
                "garner.yaml", conf.replace("https://meters.example", url))):
            with open(os.path.join(d, name), "w", encoding="utf-8") as f:
                f.write(what)

        def garner(*args):
            r = subprocess.run([GARNER] + list(args), cwd=d,
                               capture_output=True, text=True)
            assert r.returncode == 0, (args, r)
            return r.stdout

        assert "FAILED" not in garner("check")
        for command in ("harvest", "compact", "verify"):
            garner(command)
        for table in ("meters", "readings"):
            assert os.path.isdir(os.path.join(d, "data/silver/plant", table))
        meter, = map(json.loads, garner("cat", "meters").splitlines())
        rows = list(map(json.loads, garner("cat", "readings").splitlines()))
    http.shutdown()
    http.server_close()
    assert (meter["id"], meter["name"], meter["unit"]) == (
        "m1", "Hall 1", "kWh"), meter
    assert [(r["meter_name"], r["timestamp"][:19], r["value"],
             r["value_text"], r["estimated"]) for r in rows] == [
        ("Hall 1", "2026-03-01T00:00:00", 1.5, None, None),
        ("Hall 1", "2026-03-01T00:01:00", None, "reset", True)], rows
    # and it is asked as the page says
    for want in re.findall(r"(?m)^GET (.*)$", api):
        want = re.escape(want).replace(r"\.\.\.", "[^&]+").replace(
            "limit=20000", r"limit=\d+")
        assert any(re.fullmatch(want, a) for a in http.asked), http.asked


def number(text):
    """64KiB, 1d, 10s, 200."""
    n, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", text).groups()
    return int(n) * {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "s": 1, "m": 60,
                     "d": 86400}[unit]


def test_bounds():
    """Those of base_limits.h, in its order, are those of the manual; the
    defaults of options are those in force; fixed ones are the numbers."""
    with open(os.path.join(SRC, "src/base/base_limits.h"),
              encoding="utf-8") as f:
        rows = re.findall(r"(?m)^#define BOUND_\w+ (.*?)\s*"
                          r"/\* ([a-z_.]+|fixed: \w+) \*/$", f.read())
    with Site("http://127.0.0.1:1/piwebapi", fetch="", harvest="") as s:
        out = json.loads(s.garner("config", "--json").stdout)
    default = {o["option"]: str(o["value"]) for o in out["options"]}
    want = []
    for value, what in rows:
        if what.startswith("fixed: "):
            told = what.split(": ")[1]
            expr = re.sub(r"(\d+)[uL]\b", r"\1", value)
            assert eval(expr) == number(told), (value, what)
            want.append(("-", told))
        else:
            assert value == '"%s"' % default[what], (value, default[what])
            want.append(("Ic " + what, value.strip('"')))
    part = text("garner.yaml.5").split(".Sh BOUNDS")[1].split(".Sh ")[0]
    found = re.findall(r"(?m)^\.It .* Ta (-|Ic [a-z_.]+) Ta (\w+)$", part)
    assert len(want) > 20 and found == want, set(found) ^ set(want)


def test_exit_statuses():
    page = text("garner.1")
    part = page[page.index("EXIT STATUS"):]
    found = set(re.findall(r"^\.It (\d+)", part, re.M))
    assert found >= {"0", "1", "64", "65", "66", "69", "70", "71", "73",
                     "74", "75", "77", "78", "130"}, found


main(globals())
