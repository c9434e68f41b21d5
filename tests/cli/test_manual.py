"""Manual pages: lint without output; options and configuration keys are
those of the programs' own tables, no more and no fewer."""

import glob
import os
import re
import subprocess

from harness import GARNER, MOCK, SRC, main

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
    import json
    from harness import Site
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


def number(text):
    """64KiB, 1d, 10s, 200."""
    n, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", text).groups()
    return int(n) * {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "s": 1, "m": 60,
                     "d": 86400}[unit]


def test_bounds():
    """Those of base_limits.h, in its order, are those of the manual; the
    defaults of options are those in force; fixed ones are the numbers."""
    import json
    from harness import Site
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
