#!/usr/bin/env python3
"""garner-mock over HTTP: statuses, paging, selectedFields, batch, faults,
and that what is served is what `garner-mock truth` tells.

usage: test_http.py [GARNER-MOCK [MANUAL]]
"""

import base64
import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from urllib.parse import quote, urlsplit

MOCK = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    os.environ.get("GARNER_BUILDDIR", "."), "garner-mock")
MANUAL = sys.argv[2] if len(sys.argv) > 2 else os.path.join(
    os.environ.get("GARNER_SRCDIR", "."), "man", "garner-mock.1")
WORLD = ["--tags", "60", "--start", "2024-03-01T00:00:00Z",
         "--now", "2024-03-01T12:00:00Z"]


class Server:
    def __init__(self, *options, world=WORLD):
        # Under a sanitizer freed memory must not count as used.
        env = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=1")
        self.process = subprocess.Popen(
            [MOCK, *world, *options], stdout=subprocess.PIPE, text=True,
            env=env)
        line = self.process.stdout.readline()
        assert line.startswith("garner-mock: listening on http://"), line
        self.url = line.split()[-1]
        self.address = urlsplit(self.url).netloc

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.process.stdout.close()

    def ask(self, path, method="GET", body=None, headers=None):
        c = http.client.HTTPConnection(self.address, timeout=20)
        try:
            c.request(method, path if path.startswith("/garner") else
                      "/piwebapi/" + path, body, headers or {})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def get(self, path, status=200, **headers):
        got, _, body = self.ask(path, headers=headers)
        assert got == status, (got, path[:200], body[:300])
        return json.loads(body)

    def batch(self, body, status=207):
        got, _, text = self.ask("batch", "POST", json.dumps(body),
                                {"Content-Type": "application/json",
                                 "X-Requested-With": "test"})
        assert got == status, (got, text[:300])
        return json.loads(text)

    def points(self):
        s = self.get("dataservers?webIdType=IDOnly")["Items"][0]["WebId"]
        return self.get(f"dataservers/{s}/points?webIdType=IDOnly")["Items"]


def truth_lines(table, *options):
    return subprocess.run([MOCK, "truth", "--table", table, *WORLD, *options],
                          check=True,
                          stdout=subprocess.PIPE).stdout.splitlines()


def truth(table, *options):
    return [json.loads(line) for line in truth_lines(table, *options)]


def ticks(text):
    m = re.fullmatch(r"(.{19})(?:\.(\d{1,7}))?Z", text)
    return m[1] + "." + (m[2] or "").ljust(7, "0") + "Z"


def silver(item):
    """An item of an answer as the client's silver holds it: the rule told
    in mock_truth.c, written a second time."""
    v = item.get("Value")
    row = {"timestamp": ticks(item["Timestamp"]), "value": None,
           "value_text": None, "state_code": None, "is_system": None,
           "good": item.get("Good"),
           "questionable": item.get("Questionable"),
           "substituted": item.get("Substituted"),
           "annotated": item.get("Annotated"),
           "units": item["UnitsAbbreviation"]}
    if isinstance(v, bool):
        row["value"], row["value_text"] = int(v), "true" if v else "false"
    elif isinstance(v, int):
        row["value"] = float(v)
        if int(float(v)) != v:
            row["value_text"] = str(v)
    elif isinstance(v, float):
        row["value"] = v
    elif isinstance(v, str):
        row["value_text"] = v
    elif isinstance(v, dict) and "Errors" in v:
        row["value_text"] = "; ".join(v["Errors"])
    elif isinstance(v, dict):
        row.update(value_text=v["Name"], state_code=v["Value"],
                   is_system=v["IsSystem"])
    return row


class Plain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()
        cls.points = cls.server.points()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()
        assert cls.server.status == 0

    def get(self, *a, **k):
        return self.server.get(*a, **k)

    def test_root_and_system(self):
        self.assertEqual(set(self.get("")["Links"]), {
            "Self", "AssetServers", "DataServers", "Search", "System"})
        self.assertIn("ProductVersion", self.get("system"))
        self.assertEqual(self.get("SYSTEM/Status")["ServerTime"],
                         "2024-03-01T12:00:00.0000000Z")
        self.assertTrue(self.get("system/userinfo")["IsAuthenticated"])

    def test_unknown(self):
        p = self.points[0]["WebId"]
        bad = "I1DP" + "A" * 28
        for path, status in [
                ("nothing", 404), ("streams/xyz/recorded", 400),
                (f"streams/{bad}/recorded", 404),
                (f"streamsets/recorded?webId={p}&webId=zz", 400),
                (f"streamsets/recorded?webId={p}&webId={bad}", 404),
                ("streamsets/recorded", 400), ("points/" + bad, 404),
                ("points?path=" + quote(r"\\PISRV1\NO-000001"), 404),
                (f"streams/{p}/recorded?startTime=rubbish", 400),
                (f"streams/{p}/recorded?boundaryType=Odd", 400),
                (f"streams/{p}/recordedattime", 400),
                (f"dataservers/{p}/points", 400),
                ("dataservers?webIdType=Odd", 400),
                ("dataservers?name=other", 404)]:
            with self.subTest(path):
                self.get(path, status)
        errors = self.get("streams/xyz/recorded", 400)["Errors"]
        self.assertEqual(errors, ["Unknown or invalid WebID format: 'xyz'"])
        self.assertEqual(self.server.ask("system", "PUT", "", {
            "X-Requested-With": "x"})[0], 405)
        for path in "nothing", f"streams/{p}/nothing?x=1", "../nothing":
            self.assertEqual(self.get(path, 404), {
                "Message": "No HTTP resource was found that matches the "
                f"request URI '{self.server.url}/{path}'."})

    def test_unknown_parameters_are_ignored(self):
        self.assertEqual(len(self.get(
            f"streams/{self.points[0]['WebId']}/recorded?colour=blue"
            "&MAXCOUNT=3")["Items"]), 3)

    def test_cap(self):
        p = self.points[0]["WebId"]
        r = self.get(f"streams/{p}/recorded?maxCount=150001", 400)
        self.assertEqual(r["Errors"], ["Parameter 'maxCount' is greater than "
                                       "the maximum allowed (150000)."])
        self.get(f"streams/{p}/recorded?maxCount=150000")
        self.get(f"streams/{p}/recorded?maxCount=x", 400)

    def test_points_page_and_filter(self):
        s = self.get("dataservers?webIdType=IDOnly")["Items"][0]["WebId"]
        names = [p["Name"] for p in self.points]
        self.assertEqual(len(names), 60)
        paged = []
        while True:
            page = self.get(f"dataservers/{s}/points?startIndex={len(paged)}"
                            "&maxCount=7&selectedFields=Items.Name")
            self.assertNotIn("Links", page)
            paged += [p["Name"] for p in page["Items"]]
            if len(page["Items"]) < 7:
                break
        self.assertEqual(paged, names)
        some = self.get(f"dataservers/{s}/points?nameFilter=unit1.f*")
        self.assertEqual([p["Name"] for p in some["Items"]],
                         [n for n in names if n.startswith("UNIT1.F")])

    def test_point_by_path_and_webid(self):
        for p in self.points:
            full = self.get("points?path=" + quote(p["Path"].lower()))
            self.assertEqual(full["Name"], p["Name"])
            self.assertTrue(full["WebId"].startswith("F1DP"))
            for kind in "IDOnly", "PathOnly":
                w = self.get(f"points/{full['WebId']}?webIdType={kind}")
                self.assertEqual(self.get(f"points/{w['WebId']}"), full)
            path = base64.urlsafe_b64decode(
                full["WebId"][32:] + "=" * (-len(full["WebId"]) % 4))
            self.assertEqual(path.decode(), "".join(
                c.upper() if c != "ß" else c for c in p["Path"][2:]))

    def test_selected_fields(self):
        p = self.points[0]["WebId"]
        r = self.get(f"streamsets/recorded?webId={p}&maxCount=5&selectedField"
                     "s=items.webid;Items.Items.Timestamp;Items.Items.Good")
        self.assertEqual(list(r), ["Items"])
        self.assertEqual(set(r["Items"][0]), {"WebId", "Items"})
        self.assertEqual(set(r["Items"][0]["Items"][0]),
                         {"Timestamp", "Good"})
        r = self.get(f"streams/{p}/recorded?selectedFields=Items.Value.Value")
        self.assertEqual(list(r), ["Items"])
        r = self.get(f"points/{p}?selectedFields=Links.RecordedData;Name;Odd")
        self.assertEqual(set(r), {"Links", "Name"})
        self.assertEqual(list(r["Links"]), ["RecordedData"])
        self.assertEqual(self.get("dataservers?selectedFields=Odd"), {})

    def test_webid_type(self):
        w = "&".join("webId=" + p["WebId"] for p in self.points[:5])
        for kind, head in ("Full", "F1DP"), ("IDOnly", "I1DP"), \
                ("PathOnly", "P1DP"), ("", "F1DP"):
            r = self.get(f"streamsets/recorded?{w}&maxCount=1&webIdType="
                         + kind)
            for i in r["Items"]:
                self.assertTrue(i["WebId"].startswith(head))

    def test_set_order_and_repeats(self):
        ids = [p["WebId"] for p in self.points[:20]]
        w = "&".join("webId=" + i for i in ids + ids[:3])
        r = self.get(f"streamsets/recorded?{w}&maxCount=1&webIdType=IDOnly")
        got = [i["WebId"] for i in r["Items"]]
        self.assertEqual(sorted(got), sorted(ids))
        self.assertNotEqual(got, ids)
        r = self.get(f"streamsets/recorded?{w}&maxCount=1&sortField=Name")
        names = [i["Name"] for i in r["Items"]]
        self.assertEqual(names, sorted(names))

    def page_through(self, webid, start, end, size):
        """The loop of the protocol reference, section 5.2."""
        out, at, k, n = [], start, 0, size
        while True:
            items = self.get(f"streams/{webid}/recorded?startTime={at}&"
                             f"endTime={end}&maxCount={n}")["Items"]
            out += items[k:]
            if len(items) < n:
                return out
            last = items[-1]["Timestamp"]
            if ticks(last) == ticks(at):
                n *= 4
                k = len(items)
                continue
            k = sum(i["Timestamp"] == last for i in items)
            at, n = last, size

    def test_page_size_does_not_matter(self):
        for p in self.points[:40]:
            w = p["WebId"]
            whole = self.get(f"streams/{w}/recorded?startTime=2024-03-01T00:"
                             "00:00Z&endTime=2024-03-01T02:00:00Z&maxCount="
                             "150000")["Items"]
            self.assertEqual(
                self.page_through(w, "2024-03-01T00:00:00Z",
                                  "2024-03-01T02:00:00Z", 97), whole)

    def test_descending_inclusive_empty(self):
        w = self.points[1]["WebId"]
        a, b = "2024-03-01T01:00:00Z", "2024-03-01T02:00:00Z"
        up = self.get(f"streams/{w}/recorded?startTime={a}&endTime={b}")
        down = self.get(f"streams/{w}/recorded?startTime={b}&endTime={a}")
        self.assertEqual(up["Items"], down["Items"][::-1])
        t = up["Items"][4]["Timestamp"]
        one = self.get(f"streams/{w}/recorded?startTime={t}&endTime={t}")
        self.assertIn(up["Items"][4], one["Items"])
        none = self.get(f"streams/{w}/recorded?startTime=2020-01-01T00:00:00Z"
                        "&endTime=2020-01-02T00:00:00Z")
        self.assertEqual(none["Items"], [])

    def test_value_end_at_time(self):
        w = self.points[2]["WebId"]
        last = self.get(f"streams/{w}/recorded?startTime=*&endTime=*-1h")[
            "Items"][0]
        self.assertEqual(self.get(f"streams/{w}/value"), last)
        self.assertEqual(self.get(f"streams/{w}/end"), last)
        first = self.get(f"streams/{w}/recordedattime?time=1970-01-01T00:00:"
                         "00Z&retrievalMode=AtOrAfter")
        self.assertEqual(first["Timestamp"], "2024-03-01T00:00:00Z")
        self.assertEqual(self.get(
            f"streamsets/value?webId={w}")["Items"][0]["Value"], last)
        self.assertEqual(self.get(
            f"streamsets/end?webId={w}")["Items"][0]["Items"], [last])
        none = self.get(f"streams/{w}/recordedattime?time=2000-01-01")
        self.assertEqual(none["Value"]["Value"], 248)

    def count(self, path, *more, status=200):
        return self.get(f"{path}&summaryType=Count&calculationBasis="
                        + "&".join(("EventWeighted" + (
                            more[0] if more else ""), *more[1:])), status)

    def test_summary_counts_what_is_recorded(self):
        a, b = "2024-03-01T01:00:00Z", "2024-03-01T02:00:00Z"
        t = f"startTime={a}&endTime={b}"
        ids = [p["WebId"] for p in self.points[:30]]
        w = "&".join("webId=" + i for i in ids)
        recorded = {s["WebId"]: s for s in self.get(
            f"streamsets/recorded?{w}&{t}&maxCount=9000&webIdType=IDOnly")[
                "Items"]}
        r = self.count(f"streamsets/summary?{w}&{t}&webIdType=IDOnly")
        self.assertEqual([s["WebId"] for s in r["Items"]], list(recorded))
        self.assertEqual(set(r), {"Links", "Items"})
        for s in r["Items"]:
            one = recorded[s["WebId"]]
            self.assertEqual((s["Name"], s["Path"], s["Links"]),
                             (one["Name"], one["Path"], one["Links"]))
            self.assertEqual(set(s), {"WebId", "Name", "Path", "Links",
                                      "Items"})
            self.assertEqual(s["Items"], [{"Type": "Count", "Value": {
                "Timestamp": a, "Value": len(one["Items"]),
                "UnitsAbbreviation": "", "Good": True, "Questionable": False,
                "Substituted": False, "Annotated": False}}])
            single = self.count(f"streams/{s['WebId']}/summary?{t}")
            self.assertEqual(single, {"Links": {}, "Items": s["Items"]})
        self.assertGreater(max(len(s["Items"]) for s in recorded.values()),
                           1000)

    def test_summary_of_intervals(self):
        w = self.points[1]["WebId"]
        items = self.get(f"streams/{w}/recorded?startTime=2024-03-01T01:00:00"
                         "Z&endTime=2024-03-01T02:00:00Z&maxCount=9000")[
                             "Items"]
        # from event to event, so that there are some at the ends
        at = [i["Timestamp"] for i in items if "." not in i["Timestamp"]]
        first, last = at[0], at[-1]
        inside = [i["Timestamp"] for i in items
                  if ticks(first) <= ticks(i["Timestamp"]) <= ticks(last)]
        n = {t: inside.count(t) for t in (first, last)}
        path = f"streams/{w}/summary?startTime={first}&endTime={last}"

        def counts(*more, p=path):
            return [i["Value"]["Value"] for i in self.count(p, *more)["Items"]]

        def times(*more):
            return [i["Value"]["Timestamp"] for i in self.count(
                path, *more)["Items"]]

        self.assertEqual(counts(), [len(inside)])
        self.assertEqual(counts("", "summaryDuration=30d"), [len(inside)])
        self.assertEqual(counts("ExcludeMostRecentEvent"), [len(inside)])
        some = counts("", "summaryDuration=7s")
        self.assertGreater(len(some), 5)
        self.assertEqual(sum(some), len(inside) - n[last])
        self.assertEqual(sum(counts(
            "ExcludeEarliestEvent", "summaryDuration=7s")),
            len(inside) - n[first])
        both = counts("IncludeBothEnds", "summaryDuration=7s")
        self.assertGreaterEqual(sum(both), len(inside))
        down = f"streams/{w}/summary?startTime={last}&endTime={first}"
        self.assertEqual(sum(counts("", "summaryDuration=7s", p=down)),
                         len(inside) - n[first])
        self.assertEqual(counts("IncludeBothEnds", "summaryDuration=7s",
                                p=down), both[::-1])
        early = times("", "summaryDuration=7s")
        late = times("", "summaryDuration=7s", "timeType=MostRecentTime")
        self.assertEqual(early[0], first)
        self.assertEqual(late[-1], last)
        self.assertEqual(early[1:], late[:-1])

    def test_summary_that_is_not_made(self):
        w = self.points[0]["WebId"]
        path = f"streams/{w}/summary?startTime=2024-03-01T00:00:00Z"
        for more, status in [
                ("", 501), ("&summaryType=Count", 501),
                ("&summaryType=Average&calculationBasis=EventWeighted", 501),
                ("&summaryType=Odd&calculationBasis=EventWeighted", 400),
                ("&summaryType=Count&calculationBasis=Odd", 400),
                ("&summaryType=Count&calculationBasis=TimeWeighted", 501),
                ("&summaryType=Count&calculationBasis=EventWeighted"
                 "&summaryType=Total", 501)]:
            with self.subTest(more):
                self.get(path + more, status)
        for more, status in [
                ("summaryDuration=odd", 400), ("summaryDuration=-1h", 400),
                ("summaryDuration=1ms", 400), ("timeType=Odd", 400),
                ("filterExpression=1", 501), ("endTime=odd", 400)]:
            with self.subTest(more):
                self.count(path, "", more, status=status)
        self.count("streams/xyz/summary?", status=400)
        self.count("streamsets/summary?", status=400)
        self.assertEqual(self.count(path, "", "selectedFields=Items.Value."
                                    "Value")["Items"][0].keys(), {"Value"})
        self.assertEqual(self.count(path, "", "selectedFields=Items.Type"),
                         {"Items": [{"Type": "Count"}]})

    def test_series_is_the_truth(self):
        rows = {}
        for r in truth("pi_timeseries", "--from", "2024-03-01T00:00:00Z",
                       "--to", "2024-03-01T03:00:00Z"):
            rows.setdefault(r.pop("tag_webid"), []).append(r)
        self.assertEqual(len(rows), 60)
        w = "&".join("webId=" + p["WebId"] for p in self.points)
        r = self.get(f"streamsets/recorded?{w}&webIdType=IDOnly&maxCount="
                     "150000&startTime=2024-03-01T00:00:00Z&endTime="
                     "2024-03-01T02:59:59.9999999Z")
        for s in r["Items"]:
            want = rows[s["WebId"]]
            got, ordinal = [], 0
            for i in s["Items"]:
                row = silver(i)
                ordinal = ordinal + 1 if got and \
                    got[-1]["timestamp"] == row["timestamp"] else 0
                row.update(ordinal=ordinal, tag_name=s["Name"])
                got.append(row)
            for r in want:
                if r["value"] is not None:
                    r["value"] = float(r["value"])
            self.assertEqual(got, want)

    def walk(self, path, size=23):
        out = []
        sep = "&" if "?" in path else "?"
        while True:
            page = self.get(f"{path}{sep}startIndex={len(out)}&maxCount={size}"
                            "&webIdType=IDOnly")["Items"]
            out += page
            if len(page) < size:
                return out

    def test_assets_are_the_truth(self):
        server = self.get("assetservers?webIdType=IDOnly")["Items"][0]
        self.assertEqual(truth("pi_assetservers")[0]["webid"],
                         server["WebId"])
        dbs = self.get(f"assetservers/{server['WebId']}/assetdatabases"
                       "?webIdType=IDOnly")["Items"]
        self.assertEqual([r["webid"] for r in truth("pi_assetdatabases")],
                         [d["WebId"] for d in dbs])
        want = {r["element_webid"]: r for r in truth("pi_af_hierarchy")}
        got = []
        for db in dbs:
            w = f"assetdatabases/{db['WebId']}/elements"
            flat = self.walk(w + "?searchFullHierarchy=true")
            got += flat
            tree, level = [], self.walk(w)
            while level:
                e = level.pop()
                tree.append(e)
                kids = self.walk(f"elements/{e['WebId']}/elements")
                self.assertEqual(bool(kids), e["HasChildren"])
                level += kids
            self.assertEqual(sorted(e["Id"] for e in tree),
                             sorted(e["Id"] for e in flat))
            for e in flat:
                self.assertEqual(self.get("elements?webIdType=IDOnly&path="
                                          + quote(e["Path"])), e)
        self.assertEqual(len(got), len(want))
        for e in got:
            r = want[e["WebId"]]
            self.assertEqual(e["Path"], r["path"])
            self.assertEqual(e["Path"].count("\\") - 4, r["depth"])
            self.assertEqual(e["CategoryNames"], r["category_names"])
            if r["parent_webid"] is None:
                self.assertNotIn("Parent", e["Links"])
            else:
                self.assertTrue(e["Links"]["Parent"].endswith(
                    r["parent_webid"]))

    def test_attributes_and_their_streams(self):
        db = self.get("assetdatabases?path=" + quote(r"\\AFSRV1\Plant1"))
        w = f"assetdatabases/{db['WebId']}/"
        seen = set()
        for a in self.walk(w + "elementattributes"):
            self.assertFalse(a["IsHidden"])
            self.assertEqual(self.get(f"attributes/{a['WebId']}?webIdType="
                                      "IDOnly"), a)
            status, _, body = self.server.ask(
                f"streams/{a['WebId']}/recorded?startTime=*-1h")
            seen.add(status)
            if a["DataReferencePlugIn"] == "":
                self.assertEqual(status, 409)
                self.assertEqual(self.get(f"streams/{a['WebId']}/value")[
                    "Timestamp"], "1970-01-01T00:00:00Z")
            elif status == 200:
                point = urlsplit(a["Links"]["Point"]).path.split("/")[-1]
                self.assertEqual(json.loads(body), self.get(
                    f"streams/{point}/recorded?startTime=*-1h"))
        self.assertEqual(seen, {200, 409, 410})
        e = self.walk(w + "elements?searchFullHierarchy=true&templateName="
                      "EquipmentTemplate")[0]
        shown = self.walk(f"elements/{e['WebId']}/attributes")
        more = self.walk(f"elements/{e['WebId']}/attributes?showHidden=true")
        self.assertEqual(len(more), len(shown) + 1)

    def test_event_frames_are_the_truth(self):
        want = {r["event_frame_webid"]: r for r in truth("pi_event_frames")}
        names = {"Id": "id", "Name": "name", "TemplateName": "template_name",
                 "Description": "description", "Severity": "severity",
                 "CategoryNames": "category_names", "Path": "path",
                 "HasChildren": "has_children",
                 "IsAcknowledged": "is_acknowledged",
                 "AcknowledgedBy": "acknowledged_by",
                 "CanBeAcknowledged": "can_be_acknowledged",
                 "IsAnnotated": "is_annotated", "IsLocked": "is_locked",
                 "AreValuesCaptured": "are_values_captured"}
        server = self.get("assetservers")["Items"][0]["WebId"]
        got, opened = [], 0
        for db in self.get(f"assetservers/{server}/assetdatabases")["Items"]:
            w = f"assetdatabases/{db['WebId']}/eventframes"
            frames = self.walk(w + "?startTime=2024-03-01T00:00:00Z&"
                               "searchFullHierarchy=true&sortField=StartTime")
            starts = [ticks(f["StartTime"]) for f in frames]
            self.assertEqual(starts, sorted(starts))
            got += frames
            self.assertLess(len(self.walk(
                w + "?startTime=2024-03-01T00:00:00Z")), len(frames))
            # The default window is eight hours.
            short = self.walk(w)
            self.assertEqual(short, self.walk(
                w + "?startTime=2024-03-01T04:00:00Z&endTime=*"))
            self.assertEqual(self.walk(w + "?searchMode=InProgress&startTime="
                                       "2024-03-01T00:00:00Z"),
                             [f for f in self.walk(
                                 w + "?startTime=2024-03-01T00:00:00Z")
                              if f["EndTime"].startswith("9999")])
            self.get(w + "?searchMode=ForwardFromStartTime&endTime=*", 400)
            self.get(w + "?searchMode=Odd", 400)
            fwd = self.walk(w + "?searchMode=ForwardFromStartTime&startTime="
                            "2024-03-01T06:00:00Z")
            self.assertEqual(fwd, self.walk(
                w + "?searchMode=StartInclusive&startTime=2024-03-01T06:00:0"
                "0Z&sortField=StartTime"))
        self.assertEqual(len(got), len(want))
        for f in got:
            r = want[f["WebId"]]
            self.assertEqual({names[k]: f[k] for k in names},
                             {v: r[v] for v in names.values()})
            self.assertEqual(ticks(f["StartTime"]), r["start_time"])
            if r["end_time"] is None:
                opened += 1
                self.assertEqual(f["EndTime"], "9999-12-31T23:59:59.9999999Z")
            else:
                self.assertEqual(ticks(f["EndTime"]), r["end_time"])
            self.assertEqual((f["RefElementWebIds"] or [None])[0],
                             r["primary_referenced_element_webid"])
            self.assertEqual(self.get(f"eventframes/{f['WebId']}?webIdType="
                                      "IDOnly"), f)
            kids = self.walk(f"eventframes/{f['WebId']}/eventframes?startTime"
                             "=2024-03-01T00:00:00Z") \
                if f["HasChildren"] else []
            for k in kids:
                self.assertTrue(k["Path"].startswith(f["Path"] + "\\"))
        self.assertGreater(opened, 0)

    def test_csrf_and_batch_shapes(self):
        status, _, _ = self.server.ask("batch", "POST", "{}", {
            "Content-Type": "application/json"})
        self.assertEqual(status, 400)
        base = "https://elsewhere.example/piwebapi/"
        one = {"Method": "GET", "Resource": base + "system"}
        self.assertEqual(self.server.batch({}), {})
        for body in ([], [one], "x", {"a": 1}, {"a": {"Method": "GET"}},
                     {"a": dict(one, Parameters={"x": "y"})},
                     {"a": dict(one, ParentIds="b")},
                     {"a": dict(one, ParentIds=["b"])}):
            with self.subTest(body):
                self.server.batch(body, 400)

    def test_batch(self):
        base = "https://elsewhere.example/piwebapi/"
        path = quote(self.points[7]["Path"])
        r = self.server.batch({
            "r": {"Method": "GET", "Resource": base +
                  "streams/{0}/recorded?maxCount=5",
                  "Parameters": ["$.p.Content.WebId"], "ParentIds": ["p"]},
            "p": {"Method": "GET", "Resource": base + "points?path=" + path +
                  "&selectedFields=WebId"},
            "bad": {"Method": "GET", "Resource": base + "points/zz"},
            "child": {"Method": "GET", "Resource": base + "points/{0}",
                      "Parameters": ["$.bad.Content.WebId"],
                      "ParentIds": ["bad"]},
            "none": {"Method": "GET", "Resource": base + "points/{0}",
                     "Parameters": ["$.p.Content.Items[*].WebId"],
                     "ParentIds": ["p"]},
            "d": {"Method": "GET", "Resource": base + "dataservers"},
            "l": {"Method": "GET", "RequestTemplate": {
                "Resource": "{0}?selectedFields=Items.WebId;Items.Name"
                "&maxCount=3"}, "Parameters":
                ["$.d.Content.Items[*].Links.Points"], "ParentIds": ["d"]},
            "s": {"Method": "GET", "RequestTemplate": {
                "Resource": base + "streams/{0}/value"}, "Parameters":
                ["$.l.Content.Items[0]['Content'].Items[*].WebId"],
                "ParentIds": ["l"]},
            "ring1": {"Method": "GET", "Resource": base + "system",
                      "ParentIds": ["ring2"]},
            "ring2": {"Method": "GET", "Resource": base + "system",
                      "ParentIds": ["ring1"]},
        })
        self.assertEqual({k: v["Status"] for k, v in r.items()}, {
            "r": 200, "p": 200, "bad": 400, "child": 409, "none": 400,
            "d": 200, "l": 207, "s": 207, "ring1": 409, "ring2": 409})
        self.assertEqual(r["r"]["Content"]["Items"], self.get(
            f"streams/{self.points[7]['WebId']}/recorded?maxCount=5")[
                "Items"])
        self.assertEqual(r["none"]["Content"]["Errors"],
                         ["Some JSON paths did not select any tokens"])
        self.assertEqual([i["Name"] for i in
                          r["l"]["Content"]["Items"][0]["Content"]["Items"]],
                         [p["Name"] for p in self.points[:3]])
        self.assertEqual(len(r["s"]["Content"]["Items"]), 3)
        self.assertEqual(r["s"]["Content"]["Items"][2]["Content"], self.get(
            f"streams/{self.points[2]['WebId']}/value"))

    def test_gzip(self):
        path = f"streams/{self.points[0]['WebId']}/recorded"
        _, h, plain = self.server.ask(path)
        self.assertIsNone(h["Content-Encoding"])
        _, h, packed = self.server.ask(path, headers={
            "Accept-Encoding": "deflate, gzip"})
        self.assertEqual(h["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed), plain)

    def test_keep_alive_and_pipelining(self):
        c = socket.create_connection(self.server.address.split(":"),
                                     timeout=20)
        ask = b"GET /piwebapi/system/status HTTP/1.1\r\nHost: x\r\n\r\n"
        last = ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        c.sendall(ask * 50 + last)
        text = b""
        while True:
            got = c.recv(65536)
            if not got:
                break
            text += got
        c.close()
        self.assertEqual(text.count(b"HTTP/1.1 200 OK"), 51)

    def raw(self, text):
        c = socket.create_connection(self.server.address.split(":"),
                                     timeout=20)
        c.sendall(text)
        c.settimeout(20)
        got = bytearray()
        try:
            while more := c.recv(1 << 20):
                got += more
        except ConnectionResetError:
            pass
        c.close()
        return got

    def test_http_limits(self):
        long = "/piwebapi/points/" + "A" * 261
        for text in (f"GET {long} HTTP/1.1\r\nHost: x\r\n\r\n",
                     "GET /piwebapi/ HTTP/1.1\r\nX: " + "a" * 17000 +
                     "\r\n\r\n", "rubbish\r\n\r\n",
                     "GET /piwebapi/%zz HTTP/1.1\r\nConnection: close"
                     "\r\n\r\n"):
            with self.subTest(text[:40]):
                got = self.raw(text.encode())
                self.assertTrue(got.startswith(b"HTTP/1.1 400 "), got[:60])
                self.assertIn(b"text/html", got)
        got = self.raw(b"POST /piwebapi/batch HTTP/1.1\r\nContent-Length: "
                       b"4194304\r\nX-Requested-With: x\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 413 "))

    def test_http10(self):
        w = "&".join("webId=" + p["WebId"] for p in self.points)
        got = self.raw(f"GET /piwebapi/streamsets/recorded?{w}&maxCount=9999 "
                       "HTTP/1.0\r\n\r\n".encode())
        head, body = got.split(b"\r\n\r\n", 1)
        self.assertNotIn(b"chunked", head)
        self.assertEqual(len(json.loads(body)["Items"]), 60)

    def test_slow_reader_is_bounded(self):
        w = "&".join("webId=" + p["WebId"] for p in self.points)
        ask = (f"GET /piwebapi/streamsets/recorded?{w}&maxCount=150000&start"
               "Time=2024-03-01T00:00:00Z HTTP/1.1\r\n\r\n").encode()
        slow = []
        for _ in range(20):
            c = socket.create_connection(self.server.address.split(":"))
            c.sendall(ask)
            c.recv(1000)
            slow.append(c)
        self.get("system")
        with open(f"/proc/{self.server.process.pid}/status") as f:
            rss = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
        # Twenty answers of 12 MB each would be 240 MB.
        self.assertLess(rss, 120000)
        for c in slow:
            c.close()


class Options(unittest.TestCase):
    def test_auth(self):
        with Server("--token", "abc") as s:
            self.assertEqual(s.ask("system")[0], 401)
            self.assertIn("Bearer", s.ask("system")[1]["WWW-Authenticate"])
            s.get("system", Authorization="Bearer abc")
            s.get("system", 401, Authorization="Bearer abd")
        with Server("--basic", "plant\\me:p:w") as s:
            ok = base64.b64encode(b"plant\\me:p:w").decode()
            s.get("system", 401)
            self.assertEqual(s.get("system/userinfo", Authorization="Basic "
                                   + ok)["Name"], "plant\\me")

    def test_clock(self):
        with Server() as s:
            w = s.points()[0]["WebId"]
            before = s.get(f"streams/{w}/end")
            status, _, body = s.ask(
                "/garner-mock/now?time=2024-03-01T13:00:00Z", "POST")
            self.assertEqual(status, 200, body)
            self.assertEqual(s.get("system/status")["ServerTime"],
                             "2024-03-01T13:00:00.0000000Z")
            self.assertNotEqual(s.get(f"streams/{w}/end"), before)
            self.assertEqual(s.ask("/garner-mock/now?time=x", "POST")[0], 400)

    def test_page_limit_and_cap(self):
        with Server("--page-limit", "5", "--max-count", "100") as s:
            w = s.points()[0]["WebId"]
            self.assertEqual(len(s.get(f"streams/{w}/recorded?maxCount=99")[
                "Items"]), 5)
            r = s.get(f"streams/{w}/recorded?maxCount=101", 400)
            self.assertIn("(100)", r["Errors"][0])

    def test_set_count_total(self):
        with Server("--set-count", "total") as s:
            w = "&".join("webId=" + p["WebId"] for p in s.points()[:9])
            r = s.get(f"streamsets/recorded?{w}&maxCount=100")
            self.assertEqual(sum(len(i["Items"]) for i in r["Items"]), 100)
            self.assertEqual(len(r["Items"]), 9)

    def kept(self, s):
        return json.loads(s.ask("/garner-mock/stats")[2])["cache"]

    def test_cache(self):
        """What is kept is what was made, whoever asks and how."""
        with Server() as s, Server("--cache", "8MiB", "--link-base",
                                   s.url) as c:
            ids = [p["WebId"] for p in s.points()]
            w = "&".join("webId=" + i for i in ids)
            t = "startTime=2024-03-01T00:00:00Z&endTime="
            plain, zipped = {}, {"Accept-Encoding": "gzip"}
            for path, headers in [
                    (f"streamsets/recorded?{w}&maxCount=900&{t}2024-03-01T06:"
                     "00:00Z", plain),
                    (f"streams/{ids[0]}/recorded?{t}2024-03-01T00:10:00Z",
                     plain),
                    (f"streams/{ids[1]}/recorded?{t}2024-03-01T12:00:00Z"
                     "&maxCount=9000", zipped)]:
                want = s.ask(path, headers=headers)
                before = self.kept(c)
                for n in range(3):
                    with self.subTest(path[-60:], n=n):
                        got = c.ask(path, headers=headers)
                        self.assertEqual(got[0], want[0])
                        self.assertEqual(got[1].items(), want[1].items())
                        self.assertEqual(got[2], want[2])
                after = self.kept(c)
                self.assertEqual(after["answers"], before["answers"] + 1)
                self.assertEqual(after["found"], before["found"] + 2)
                self.assertGreater(after["bytes"], before["bytes"])
                # not chunked
                with socket.create_connection(
                        c.address.rsplit(":", 1), timeout=20) as old:
                    old.sendall(b"GET /piwebapi/%s HTTP/1.0\r\n\r\n" %
                                path.encode())
                    text = b"".join(iter(lambda: old.recv(1 << 16), b""))
                self.assertEqual(text.partition(b"\r\n\r\n")[2],
                                 gzip.decompress(want[2]) if headers
                                 else want[2])

    def test_cache_keeps_nothing_that_changes(self):
        now = ["--tags", "60", "--start", "2024-03-01T00:00:00Z", "--now",
               "2024-03-01T01:00:00Z"]
        with Server("--cache", "1MiB", world=now) as s:
            w = s.points()[0]["WebId"]
            one = f"streams/{w}/recorded?maxCount=9000&"
            t = "startTime=2024-03-01T00:00:00Z&endTime=2024-03-01T02:00:00Z"
            for path in (one, one + "startTime=*-1h&endTime=*", one + t,
                         one + "startTime=2024-03-01T00:00:00Z",
                         one.replace("9000", "0") + t, one + "startTime=2024-03-01"
                         "&endTime=2024-03-01", f"streams/{w}/end"):
                first = s.ask(path)
                self.assertEqual(s.ask(path)[2], first[2])
            self.assertEqual(self.kept(s)["answers"], 0)
            early = s.get(one + t)["Items"]
            s.ask("/garner-mock/now?time=2024-03-01T03:00:00Z", "POST")
            late = s.get(one + t)["Items"]
            self.assertGreater(len(late), len(early))
            self.assertEqual(self.kept(s)["answers"], 1)
            # back again: what is kept is not yet true
            s.ask("/garner-mock/now?time=2024-03-01T01:00:00Z", "POST")
            self.assertEqual(s.get(one + t)["Items"], early)
            s.ask("/garner-mock/now?time=2024-03-01T03:00:00Z", "POST")
            self.assertEqual(s.get(one + t)["Items"], late)
            self.assertEqual(self.kept(s)["found"], 1)
            # faults act on what is kept, and are not kept
            s.ask("/garner-mock/faults", "POST", "recorded:503:count=1")
            self.assertEqual(s.ask(one + t)[0], 503)
            self.assertEqual(s.get(one + t)["Items"], late)
            self.assertEqual(self.kept(s)["found"], 2)
        for option in ("--late", "--edits", "--deletes"):
            r = subprocess.run([MOCK, *WORLD, "--cache", "1MiB", option,
                                "0.1"], check=False, stderr=subprocess.PIPE)
            self.assertEqual(r.returncode, 64)
            self.assertIn(b"--cache", r.stderr)

    def test_cache_in_batches(self):
        """Each of its requests has its own place; the batch has none."""
        with Server() as s, Server("--cache", "1MiB", "--link-base",
                                   s.url) as c:
            ids = [p["WebId"] for p in s.points()[:4]]
            t = "/recorded?startTime=2024-03-01T00:00:00Z&endTime="
            body = {i: {"Method": "GET", "Resource": s.url + "/streams/"
                        + w + t + "2024-03-01T00:10:00Z"}
                    for i, w in zip("abcd", ids)}
            body["e"] = {"Method": "GET", "Resource": s.url + "/streams/"
                         + ids[0] + t + "*"}
            want = s.batch(body)
            for n in range(3):
                self.assertEqual(c.batch(body), want)
                k = self.kept(c)
                self.assertEqual((k["answers"], k["found"]), (4, 4 * n))

    def test_cache_is_bounded(self):
        with Server() as s, Server("--cache", "100KiB") as c:
            ids = [p["WebId"] for p in s.points()]
            t = ("/recorded?startTime=2024-03-01T00:00:00Z&endTime="
                 "2024-03-01T06:00:00Z&selectedFields=Items.Timestamp")
            for _ in range(2):
                for w in ids[:20]:
                    path = f"streams/{w}{t}"
                    self.assertEqual(c.ask(path)[2], s.ask(path)[2])
                k = self.kept(c)
                self.assertGreater(k["answers"], 0)
                self.assertLess(k["answers"], 20)
                self.assertLessEqual(k["bytes"], 100 << 10)
            self.assertEqual(k["found"], k["answers"])

    def test_rate_limit(self):
        with Server("--rate-limit", "3") as s:
            got = [s.ask("system")[0] for _ in range(8)]
            self.assertIn(429, got)
            self.assertEqual(got[0], 200)

    def test_plain_mix(self):
        with Server("--mix", "plain", "--no-gzip") as s:
            for p in s.points()[:20]:
                for i in s.get(f"streams/{p['WebId']}/recorded")["Items"]:
                    self.assertIsInstance(i["Value"], float)
                    self.assertTrue(i["Good"])
            self.assertIsNone(s.ask("system", headers={
                "Accept-Encoding": "gzip"})[1]["Content-Encoding"])

    def test_seed_and_tag_count(self):
        rows = truth("pi_points")
        self.assertNotEqual(rows, truth("pi_points", "--seed", "2"))
        env = dict(os.environ, MOCK_PI_TAG_COUNT="17")
        out = subprocess.run([MOCK, "truth", "--table", "pi_points"], env=env,
                             check=True, stdout=subprocess.PIPE).stdout
        self.assertEqual(len(out.splitlines()), 17)

    def test_log(self):
        with tempfile.TemporaryDirectory() as d:
            name = os.path.join(d, "log")
            with Server("--log", name) as s:
                s.points()
                s.get("nothing", 404)
            with open(name) as f:
                lines = [json.loads(x) for x in f]
            self.assertEqual([x["route"] for x in lines],
                             ["dataservers", "dataservers/points", "-"])
            self.assertEqual([x["status"] for x in lines], [200, 200, 404])
            self.assertEqual(lines[1]["items"], 60)

    def test_faults(self):
        with Server("--fault", "recorded:500:count=2",
                    "--fault", "streams/recorded:html:count=1",
                    "--fault", "streams/recorded:429:count=1:retry=7",
                    "--fault", "system:cut:count=1",
                    "--fault", "streams/value:reset:count=1",
                    "--fault", "streams/end:slow:1:count=1",
                    "--fault", "streamsets/recorded:webexception") as s:
            pts = s.points()
            path = f"streams/{pts[0]['WebId']}/recorded?maxCount=10"
            s.get(path, 500)
            s.get(path, 500)
            status, h, body = s.ask(path)
            self.assertEqual((status, body[:5]), (200, b"<!DOC"))
            self.assertIn("text/html", h["Content-Type"])
            status, h, _ = s.ask(path)
            self.assertEqual((status, h["Retry-After"]), (429, "7"))
            s.get(path)
            with self.assertRaises(http.client.IncompleteRead):
                s.ask("system")
            s.get("system")
            with self.assertRaises(ConnectionError):
                s.ask(f"streams/{pts[0]['WebId']}/value")
            s.get(f"streams/{pts[0]['WebId']}/value")
            s.get(f"streams/{pts[0]['WebId']}/end")
            w = "&".join("webId=" + p["WebId"] for p in pts[:4])
            r = s.get(f"streamsets/recorded?{w}&maxCount=10")
            self.assertEqual(r["WebException"]["StatusCode"], 500)
            self.assertEqual(sum(len(i["Items"]) for i in r["Items"]), 20)

    def test_late_is_in_the_truth(self):
        late = ["--late", "0.3"]
        with Server(*late) as s:
            p = s.points()[1]
            n = len(s.get(f"streams/{p['WebId']}/recorded?startTime=2024-03-01"
                          "T00:00:00Z&maxCount=100000")["Items"])
            first = b'{"tag_webid":"%s"' % p["WebId"].encode()
            rows, whole = [sum(line.startswith(first) for line in
                               truth_lines("pi_timeseries", *more))
                           for more in (late, ())]
            self.assertEqual(n, rows)
            self.assertLess(n, whole)

    def test_wrong_usage(self):
        for args in (["--portt", "1"], ["--port"], ["--port", "x"], ["x"],
                     ["--fault", "recorded"], ["--mix", "odd"],
                     ["truth", "--table", "odd"], ["--no-gzip=1"],
                     ["--density", "odd=1s"], ["--now", "x"]):
            r = subprocess.run([MOCK, *args], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
            self.assertEqual(r.returncode, 64, args)
            self.assertTrue(r.stderr.startswith("garner-mock: error: "), args)
        self.assertIn("did you mean --port", subprocess.run(
            [MOCK, "--portt", "1"], stderr=subprocess.PIPE, text=True).stderr)

    def run_mock(self, *args, **more):
        return subprocess.run([MOCK, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=20,
                              **more)

    def test_version(self):
        r = self.run_mock("--version")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        self.assertRegex(r.stdout, r"^garner-mock \d+\.\d+\S*\n$")

    def test_address_that_cannot_be_had(self):
        with Server() as s:
            port = s.address.partition(":")[2]
            r = self.run_mock("--port", port)
            self.assertEqual((r.returncode, r.stdout), (75, ""))
            self.assertEqual(r.stderr, "garner-mock: error: start: port "
                             f"{port} of 127.0.0.1 is in use; --port 0 takes "
                             "a free one\n")
        # of the block for documentation, RFC 5737
        r = self.run_mock("--bind", "192.0.2.1")
        self.assertEqual(r.returncode, 64)
        self.assertIn("--bind 192.0.2.1: no address of this machine",
                      r.stderr)

    def test_truth_that_nobody_reads_to_its_end(self):
        """Quiet, and soon: there are 100 years of it."""
        for table in "pi_timeseries", "pi_event_frames", "pi_points":
            p = subprocess.Popen(
                [MOCK, "truth", "--table", table, "--tags", "100000",
                 "--start", "1970-01-01", "--now", "2070-01-01"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with p.stdout, p.stderr:
                self.assertTrue(p.stdout.readline().endswith(b"}\n"))
                p.stdout.close()
                self.assertEqual(p.wait(20), 0, table)
                self.assertEqual(p.stderr.read(), b"")
        with open("/dev/full", "w", encoding="ascii") as full:
            r = subprocess.run([MOCK, "truth", *WORLD], stdout=full,
                               stderr=subprocess.PIPE, check=False)
        self.assertEqual(r.returncode, 74)
        self.assertIn(b"cannot write: No space", r.stderr)

    def test_quit_after_idle(self):
        with Server("--quit-after-idle", "1ms") as s:
            self.assertEqual(s.process.wait(20), 0)

    def test_help_and_manual(self):
        text = subprocess.run([MOCK, "--help"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        options = re.findall(r"^  (--.*?)(?:  | (?=[a-z]+:? [a-z]))", text,
                             re.M)
        names = re.findall(r"^  --([a-z-]+)", text, re.M)
        self.assertGreater(len(names), 20)
        self.assertEqual(len(options), len(names))
        if MANUAL is None or not os.path.exists(MANUAL):
            self.skipTest("no manual")
        with open(MANUAL) as f:
            manual = re.findall(r"^\.It Fl -([a-z-]+)", f.read(), re.M)
        self.assertEqual(manual, names)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
