"""The main job end to end: what silver holds is what the server's truth says,
for every table, row and column, whatever the page size, run after run."""

import json
import os
import subprocess
import tempfile
import time

from harness import GARNER, GETS, SRC, Mock, Site, check_silver, compare, main
from harness import stamp, TABLES
from harness import last_of_ties, want_rows

A, B = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"


def run(site, *args):
    site.garner("harvest", *args)
    site.garner("compact")


def test_silver_equals_truth():
    with Mock("--tags", 100) as m, Site(m.url) as s:
        run(s)
        n = check_silver(m, s, A, B)
        assert n > 1000, n
        rows = s.cat("pi_timeseries")
        assert any(r["value"] is None and r["value_text"] for r in rows)
        assert any(r["is_system"] for r in rows)
        assert any(r["good"] is False for r in rows)
        assert any(r["state_code"] is not None for r in rows)
        ties = [r for r in m.truth("pi_timeseries", A, B) if r["ordinal"] > 0]
        assert ties, "the truth holds no ties"


def test_bronze_is_raw():
    """Every event of the truth, ties included, is in the journal."""
    with Mock("--tags", 40) as m, Site(m.url) as s:
        s.garner("harvest")
        got = s.cat("pi_timeseries", "--bronze")
        want = m.truth("pi_timeseries", A, B)
        key = lambda r: (r["tag_webid"], r["timestamp"], r["ordinal"])
        got.sort(key=key)
        want.sort(key=key)
        assert len(got) == len(want), (len(got), len(want))
        for g, w in zip(got, want):
            assert g == w, (g, w)


def test_ties_all():
    with Mock("--tags", 40) as m, \
            Site(m.url, text="compact: {ties: all}\n") as s:
        run(s)
        got = [stamp(r) for r in s.cat("pi_timeseries")]
        want = m.truth("pi_timeseries", A, B)
        for r in got + want:
            r["timestamp"] += "#%d" % r["ordinal"]
        compare("pi_timeseries", got, want, "ties: all")


def test_groups_and_plain_paths():
    with Mock("--tags", 50) as m, Site(m.url, size=10) as s:
        s.garner("harvest")
        root = os.path.join(s.data, "bronze/pi/pi_timeseries")
        groups = sorted(os.listdir(root))
        assert groups == ["group-%d" % i for i in range(1, 6)], groups
        s.garner("compact")
        check_silver(m, s, A, B)
        assert {r["pipeline_group"] for r in s.cat("pi_timeseries")} == \
            {1, 2, 3, 4, 5}


def test_group_alone_then_the_rest():
    with Mock("--tags", 50) as m, Site(m.url, size=10) as s:
        s.garner("harvest", "--group", "3")
        s.garner("compact")
        assert {r["pipeline_group"] for r in s.cat("pi_timeseries")} == {3}
        run(s)
        check_silver(m, s, A, B)


def test_first_use():
    """Word by word as the README tells it, with what `init` wrote."""
    with Mock("--tags", 20, frozen=None) as m, \
            tempfile.TemporaryDirectory() as d:
        env = dict(os.environ, GARNER_SOURCE_CONNECTOR_FILE=os.path.join(
            SRC, "conf/connectors/pi.yaml"))
        for command in (["init", m.url], ["check"], ["harvest"], ["compact"],
                        ["cat", "pi_timeseries", "--limit", "10"], ["gaps"],
                        ["verify"], ["harvest", "--from", "*-2d"]):
            r = subprocess.run([GARNER] + command, cwd=d, env=env,
                               capture_output=True, text=True)
            assert r.returncode == 0, (command, r)
            if command[0] == "cat":
                assert len(r.stdout.splitlines()) == 10, r


def test_second_harvest_asks_only_what_is_new():
    """What is new, and the re-read tail: from the server's request log."""
    with Mock("--tags", 60, log=True) as m, \
            Site(m.url, source=GETS) as s:
        run(s)
        first = len(m.requests())
        m.set_now("2026-03-01T12:10:00Z")
        run(s)
        check_silver(m, s, A, "2026-03-01T12:10:00Z")
        asked = [r for r in m.requests()[first:] if "recorded" in r["target"]]
        assert asked
        earliest = min(query_time(r, "startTime") for r in asked)
        latest = max(query_time(r, "endTime") for r in asked)
        # what was the tail of five minutes at the former end, 12:00, has
        # not been read since it was older: late events may have come
        assert earliest == "2026-03-01T11:55:00.0000000Z", earliest
        assert latest == "2026-03-01T12:10:00.0000000Z", latest
        second = len(m.requests())
        s.garner("harvest")
        asked = [r for r in m.requests()[second:] if "recorded" in r["target"]]
        earliest = min(query_time(r, "startTime") for r in asked)
        assert earliest == "2026-03-01T12:05:00.0000000Z", earliest


def query_time(request, name):
    from urllib.parse import parse_qs, urlsplit
    q = parse_qs(urlsplit(request["target"]).query)
    return q[name][0]


def test_page_sizes():
    """One page size or another: the same silver."""
    for page in (1, 2, 3, 7, 1000):
        with Mock("--tags", 12) as m, \
                Site(m.url, size=6,
                     harvest="  page_items: %d\n" % page) as s:
            run(s)
            check_silver(m, s, A, B, what="page_items %d" % page)


def test_server_caps():
    """The server refuses more than its cap: it is learnt."""
    for cap in (20, 100, 1000):
        with Mock("--tags", 12, "--max-count", cap) as m, \
                Site(m.url, size=6) as s:
            run(s)
            check_silver(m, s, A, B, tables=["pi_timeseries"],
                         what="cap %d" % cap)


def test_tiny_server_pages():
    """The server itself gives at most so many items a call. With a page of
    one it cannot be known that no other event shares its timestamp: each is
    reported (exit status 1), and the content is the same."""
    for cap, status in ((1, 1), (2, 0), (3, 0), (7, 0), (1000, 0)):
        with Mock("--tags", 6, "--max-count", cap, "--ties", 1,
                  "--density", "fast=20s,medium=1m,slow=5m",
                  "--frame-every", "20m") as m, Site(m.url, size=3) as s:
            s.garner("harvest", status=status)
            s.garner("compact")
            check_silver(m, s, A, B, what="server pages of %d" % cap)


def test_both_readings_of_max_count():
    with Mock("--tags", 60, "--set-count", "total") as m, Site(m.url) as s:
        run(s)
        check_silver(m, s, A, B)


def test_late_events_in_the_tail():
    with Mock("--tags", 40, "--late", "0.2") as m, \
            Site(m.url, reread="4h") as s:
        run(s)
        check_silver(m, s, A, B)
        before = len(s.cat("pi_timeseries"))
        m.set_now("2026-03-01T15:00:00Z")
        run(s)
        check_silver(m, s, A, "2026-03-01T15:00:00Z")
        assert len([r for r in s.cat("pi_timeseries", "--to", B)]) > before


def test_two_groups_read_the_same():
    """A stream that moved to another group is read again by it, where nothing
    is known to be unchanged: one row, of the newest ingestion."""
    with Mock("--tags", 30) as m, Site(m.url, size=10, reread="20m") as s:
        run(s)
        s.write(size=7, reread="1h")
        run(s)
        check_silver(m, s, A, B)
        rows = s.cat("pi_timeseries")
        by_group = {r["pipeline_group"] for r in rows}
        assert by_group == {1, 2, 3, 4, 5}, by_group
        newest = min(r["ingestion_timestamp"] for r in rows)
        bronze = s.cat("pi_timeseries", "--bronze")
        assert len(bronze) > len(rows) * 1.6
        assert newest > "2020"


def test_backfill_then_live():
    with Mock("--tags", 30) as m, Site(m.url) as s:
        s.garner("harvest", "--from", "2026-03-01T11:30:00Z")
        s.garner("harvest", "--from", "2026-03-01T11:00:00Z", "--to",
                 "2026-03-01T11:30:00Z")
        s.garner("compact")
        check_silver(m, s, A, B)


def test_rebuild_gives_equal_content():
    with Mock("--tags", 30) as m, Site(m.url) as s:
        run(s)
        m.set_now("2026-03-01T12:30:00Z")
        run(s)
        before = {t: s.cat(t) for t in TABLES}
        s.garner("compact", "--rebuild")
        for t in TABLES:
            key = lambda r: json.dumps(r, sort_keys=True)
            assert sorted(before[t], key=key) == sorted(s.cat(t), key=key), t


def test_more_tags_appear():
    with Mock("--tags", 30) as m:
        with Site(m.url) as s:
            run(s)
            with Mock("--tags", 45) as m2:
                s.url = m2.url
                s.write()
                run(s, "--discover")
                check_silver(m2, s, A, B, tables=[
                    "pi_points", "pi_timeseries", "pi_af_hierarchy"])


def test_a_table_brings_its_parents():
    """source.tables: [pi_timeseries] needs the points, and they the servers."""
    with Mock("--tags", 10) as m, \
            Site(m.url, source="  tables: [pi_timeseries]\n") as s:
        run(s)
        check_silver(m, s, A, B, tables=["pi_dataservers", "pi_points",
                                         "pi_timeseries"])
        r = s.garner("cat", "pi_af_hierarchy", status=66)
        assert "pi_af_hierarchy" in r.stderr


def test_plain_values_and_other_seed():
    with Mock("--tags", 30, "--seed", 7, "--mix", "plain") as m, \
            Site(m.url) as s:
        run(s)
        check_silver(m, s, A, B)


def test_token_and_basic():
    with Mock("--tags", 5, "--token", "s3cret") as m, \
            Site(m.url, source="  auth: {type: bearer, token: "
                 "{env: PI_TOKEN}}\n") as s:
        env = dict(os.environ, PI_TOKEN="s3cret")
        s.garner("harvest", env=env)
        s.garner("compact")
        check_silver(m, s, A, B, tables=["pi_timeseries"])
    with Mock("--tags", 5, "--basic", "bob:pw") as m, \
            Site(m.url, source="  auth: {type: basic, user: bob, password: "
                 "{env: PI_PASSWORD}}\n") as s:
        env = dict(os.environ, PI_PASSWORD="pw")
        s.garner("harvest", env=env)


def test_breaker_is_seen_from_outside():
    """While a server refuses everything, status says so."""
    with Mock("--tags", 5) as m, Site(
            m.url, fetch="fetch: {retry_base: 10ms, breaker_open: 300ms, "
            "breaker_failures: 2, give_up: 5s, tries: 50}\n") as s:
        s.garner("discover")
        m.faults("recorded:502")
        with s.start("harvest") as p:
            for _ in range(200):
                st = json.loads(s.garner("status", "--json").stdout)["fetch"]
                if st["running"]:
                    break
                time.sleep(0.05)
            assert st["running"], st
            assert st["breaker"]["opened"] > 0, st
            assert st["ended"]["internal_error"] >= 2, st
            m.faults()
            assert p.wait(30) == 0
        st = json.loads(s.garner("status", "--json").stdout)["fetch"]
        assert st["breaker"]["series"] == "closed", st


def test_cat_and_status():
    with Mock("--tags", 10) as m, Site(m.url) as s:
        run(s)
        rows = s.cat("pi_timeseries")
        name = rows[0]["tag_name"]
        one = s.cat("pi_timeseries", "--stream", name)
        assert one and all(r["tag_name"] == name for r in one)
        assert len(s.cat("pi_timeseries", "--limit", "5")) == 5
        none = s.garner("cat", "pi_timeseries", "--stream", name[:-1])
        assert none.stdout == "" and "warn" in none.stderr, none
        mid = "2026-03-01T11:30:00Z"
        s.garner("cat", "pi_timeseries", "--from", mid, "--to", mid,
                 status=64)
        early = s.cat("pi_timeseries", "--to", mid)
        late = s.cat("pi_timeseries", "--from", mid)
        assert len(early) + len(late) == len(rows)
        csv = s.garner("cat", "pi_points", "--format", "csv").stdout
        assert csv.splitlines()[0].startswith("webid,name,"), csv[:80]
        assert len(csv.splitlines()) == 11
        st = json.loads(s.garner("status", "--json").stdout)
        fetch = st["fetch"]
        assert fetch["requests"] == fetch["ended"]["ok"] > 0, fetch
        assert fetch["total_ms"]["n"] == fetch["requests"], fetch
        assert fetch["breaker"]["origin"] == "closed", fetch
        assert not fetch["running"] and fetch["in_flight"] == 0, fetch
        ts = [t for t in st["tables"] if t["table"] == "pi_timeseries"][0]
        assert ts["streams"] == 10 and ts["streams_covered"] == 10
        assert ts["complete_to"] == "2026-03-01T12:00:00.0000000Z"
        assert ts["lacking"] == 0 and "lack" not in s.garner("status").stdout
        more = dict(os.environ, GARNER_HARVEST_FROM="2026-03-01T10:00:00Z")
        assert "10 of 10 streams lack" in s.garner("status", env=more).stdout
        assert ts["silver"]["rows"] == len(rows)
        for cmd in (["config"], ["status"], ["check"]):
            assert s.garner(*cmd).stdout
            json.loads(s.garner(*cmd, "--json").stdout)


main(globals())
