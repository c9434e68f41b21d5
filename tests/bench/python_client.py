"""What many write first: requests, one connection, json, to a list.

    python_client.py BASE-URL WEBIDS-FILE STREAMS FROM SECONDS COUNT ANSWERS

reads windows of SECONDS of STREAMS streams each, COUNT items at most, and
prints values and seconds.
"""

import datetime
import sys
import time

import requests

base, path, streams, at, seconds, count, answers = sys.argv[1:]
with open(path, encoding="utf-8") as f:
    webids = f.read().split()
streams, answers = int(streams), int(answers)
at = datetime.datetime.fromisoformat(at.replace("Z", "+00:00"))
step = datetime.timedelta(seconds=int(seconds))
session = requests.Session()
rows = []
began = time.monotonic()
for n in range(answers):
    first = n * streams % len(webids)
    if n > 0 and first == 0:
        at += step
    r = session.get(base + "/streamsets/recorded", params={
        "webId": webids[first:first + streams], "maxCount": count,
        "startTime": at.isoformat(), "endTime": (at + step).isoformat()})
    r.raise_for_status()
    for stream in r.json()["Items"]:
        for v in stream["Items"]:
            rows.append((stream["WebId"], v["Timestamp"], v.get("Value"),
                         v["Good"]))
print(len(rows), time.monotonic() - began)
