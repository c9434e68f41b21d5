#!/bin/sh
# Every header compiles alone, and twice.
set -eu
bad=0
n=0
for h in "$GARNER_SRCDIR"/src/*/*.h; do
	n=$((n + 1))
	if printf '#include "%s"\n#include "%s"\n' "$h" "$h" |
	    ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
	    -I"$GARNER_SRCDIR/src" -I"$GARNER_BUILDDIR" -fsyntax-only \
	    -x c - 2>/tmp/garner-header.$$; then
		:
	else
		bad=$((bad + 1))
		echo "FAIL $h does not compile alone"
		cat /tmp/garner-header.$$
	fi
done
rm -f /tmp/garner-header.$$
[ "$bad" = 0 ] && echo "ok $n headers compile alone"
exit "$bad"
