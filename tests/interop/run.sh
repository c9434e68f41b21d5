#!/bin/sh
# make check-interop: the readers in a virtual environment of the build
# folder; skipped loudly where they cannot be installed.
set -eu

req=$GARNER_SRCDIR/tests/interop/requirements.txt
venv=$GARNER_BUILDDIR/build-aux/venv
stamp=$venv/.requirements

if ! cmp -s "$req" "$stamp"; then
	echo "installing the readers named in tests/interop/requirements.txt"
	mkdir -p "$GARNER_BUILDDIR/build-aux"
	if "$PYTHON3" -m venv "$venv" &&
	    "$venv/bin/pip" install -q -r "$req"; then
		cp "$req" "$stamp"
	else
		echo "**********************************************************"
		echo "SKIPPED: make check-interop: DuckDB, deltalake and pyarrow"
		echo "could not be installed; nothing was compared with them."
		echo "**********************************************************"
		exit 0
	fi
fi

failed=0
for t in test_fixtures test_silver; do
	echo "== $t"
	"$venv/bin/python" -B "$GARNER_SRCDIR/tests/interop/$t.py" || failed=1
done
exit $failed
