#!/bin/sh
# Runs test_http.py against the garner-mock of the build; 77: skipped.
command -v python3 >/dev/null 2>&1 || exit 77
exec python3 "${srcdir:-.}/tests/mock/test_http.py" "${1:-./garner-mock}" \
    "${srcdir:-.}/man/garner-mock.1"
