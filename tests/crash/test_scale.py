"""Many streams: what the ledger keeps of each, and how soon a run that was
stopped asks for values again.

GARNER_TEST_STREAMS: how many (default 20000; make check-long 1000000).
"""

import os
import signal
import subprocess
import time

from crash import CrashSite
from harness import GARNER, Mock, main, sanitized, timed, wait_for

STREAMS = int(os.environ.get("GARNER_TEST_STREAMS", "20000"))
BYTES = 200      # of a stream, beside its entry in the catalogue
READY = 2.0      # seconds until the first request for values


def first_request(m, s):
    """Seconds from the start of a run to its first request for values."""
    with open(m.log_path, "w", encoding="utf-8"):
        pass
    began = time.monotonic()
    p = subprocess.Popen(
        [GARNER, "-c", s.conf, "harvest", "--table", "pi_timeseries"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def asked():
        with open(m.log_path, encoding="utf-8") as f:
            return any("/stream" in line for line in f)

    wait_for(asked)
    took = time.monotonic() - began
    p.send_signal(signal.SIGTERM)
    assert p.wait(60) in (0, 143), p.returncode
    return took


@timed
def test_scale():
    with Mock("--tags", STREAMS, "--mix", "plain", "--density",
              "fast=10m,medium=10m,slow=10m", log=True) as m, \
            CrashSite(m.url, size=20000, reread="0s",
                      **{"from": "2026-03-01T11:59:00Z"}) as s:
        ledger = os.path.join(s.data, "ledger/data.mdb")
        s.garner("discover")
        catalogue = os.path.getsize(ledger)
        s.garner("harvest", "--table", "pi_timeseries")
        state = (os.path.getsize(ledger) - catalogue) / STREAMS
        m.set_now("2026-03-01T12:00:10Z")
        took = first_request(m, s)
        print("%d streams: %.0f bytes each in the catalogue, %.0f of state; "
              "the first request after %.2f s" % (
                  STREAMS, catalogue / STREAMS, state, took), flush=True)
        assert state <= BYTES, state
        assert sanitized() or took <= READY, took


main(globals())
