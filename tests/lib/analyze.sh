#!/bin/sh
# make analyze: static analysis, no finding accepted. Each tool is skipped
# with a line when it is not installed.
set -u

flags="-std=gnu11 $CPPFLAGS $(pkg-config --cflags libcurl lmdb yyjson libzstd \
libxxhash yaml-0.1 libcrypto zlib libevent_core)"
bad=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

findings() {	# tool
	if [ -s "$out" ]; then
		cat "$out"
		echo "FAIL $1: findings above"
		bad=1
	else
		echo "ok $1: no finding"
	fi
}

files=$(find "$SRCDIR/src" -name '*.c' | sort)

if ${CC:-cc} --version 2>/dev/null | grep -q -i gcc ||
    ${CC:-cc} --version 2>/dev/null | grep -q -i 'free software'; then
	: >"$out"
	# shellcheck disable=SC2086
	echo "$files" | xargs -P 2 -n 1 ${CC:-cc} $flags -O1 -fanalyzer \
	    -Wno-analyzer-too-complex -c -o /dev/null 2>>"$out"
	findings "gcc -fanalyzer"
else
	echo "skipped: gcc -fanalyzer, the compiler is another"
fi

if command -v cppcheck >/dev/null; then
	# shellcheck disable=SC2086
	cppcheck -q -j 2 --std=c11 --enable=warning,portability \
	    --inline-suppr --error-exitcode=0 --suppress=missingInclude \
	    --suppress=missingIncludeSystem --suppress=unknownMacro \
	    --template='{file}:{line}: {severity}: {message} [{id}]' \
	    -DHAVE_CONFIG_H -I"$SRCDIR/src" $files 2>"$out"
	findings cppcheck
else
	echo "skipped: cppcheck is not installed"
fi

if command -v clang-tidy >/dev/null; then
	# shellcheck disable=SC2086
	echo "$files" | xargs -P 2 -n 8 sh -c 'clang-tidy --quiet \
	    "--checks=-*,bugprone-*,clang-analyzer-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-bugprone-narrowing-conversions,-bugprone-assignment-in-if-condition,-bugprone-implicit-widening-of-multiplication-result,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-clang-analyzer-optin.performance.Padding" \
	    "$@" -- '"$flags"' 2>/dev/null' tidy >"$out"
	findings clang-tidy
else
	echo "skipped: clang-tidy is not installed"
fi
exit $bad
