#!/bin/sh
# make analyze: static analysis, no finding accepted. Each tool is skipped
# with a line when it is not installed.
set -u

flags="-std=gnu11 -D_GNU_SOURCE -DHAVE_CONFIG_H -I. -I$SRCDIR/src
-DPKGDATADIR=\"x\" -DSYSCONFDIR=\"y\" $(pkg-config --cflags libcurl lmdb yyjson libzstd \
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
	# leaks are told wrongly for arrays of structs; LeakSanitizer has them
	# shellcheck disable=SC2086
	echo "$files" | xargs -P 2 -n 1 ${CC:-cc} $flags -O1 -fanalyzer \
	    -Wno-analyzer-too-complex -Wno-analyzer-malloc-leak -c -o /dev/null 2>>"$out"
	findings "gcc -fanalyzer"
else
	echo "skipped: gcc -fanalyzer, the compiler is another"
fi

if command -v cppcheck >/dev/null; then
	# It does not follow MUST() into a function that never returns, takes
	# prototypes without names for another order, and counts on an
	# arithmetic right shift less than we do (gcc and clang promise it).
	# shellcheck disable=SC2086
	cppcheck -q -j 2 --std=c11 --enable=warning,portability \
	    --inline-suppr --error-exitcode=0 --suppress=missingInclude \
	    --suppress=nullPointerRedundantCheck \
	    --suppress=funcArgOrderDifferent \
	    --suppress=shiftTooManyBitsSigned \
	    --suppress=missingIncludeSystem --suppress=unknownMacro \
	    --template='{file}:{line}: {severity}: {message} [{id}]' \
	    -DHAVE_CONFIG_H -I"$SRCDIR/src" $files 2>"$out"
	findings cppcheck
else
	echo "skipped: cppcheck is not installed"
fi

# Left out: matters of taste, and what is wrong too often: va_list, sizeof of
# a pointer that is meant, a store that only feeds a condition, strings over
# several lines; and what needs to see into other files: out-parameters that
# are set there, heads of lists that are moved there. Sanitizers see those.
checks='-*,bugprone-*,clang-analyzer-*'
for c in bugprone-easily-swappable-parameters \
    bugprone-reserved-identifier bugprone-narrowing-conversions \
    bugprone-assignment-in-if-condition bugprone-sizeof-expression \
    bugprone-implicit-widening-of-multiplication-result \
    bugprone-misplaced-widening-cast bugprone-not-null-terminated-result \
    bugprone-branch-clone bugprone-macro-parentheses \
    bugprone-suspicious-missing-comma clang-analyzer-unix.Malloc \
    clang-analyzer-core.CallAndMessage \
    clang-analyzer-core.UndefinedBinaryOperatorResult \
    clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling \
    clang-analyzer-security.insecureAPI.strcpy \
    clang-analyzer-optin.performance.Padding \
    clang-analyzer-valist.Uninitialized \
    clang-analyzer-deadcode.DeadStores; do
	checks=$checks,-$c
done
extra=
for f in $flags; do
	extra="$extra --extra-arg=$f"
done

if command -v clang-tidy >/dev/null; then
	# shellcheck disable=SC2086
	echo "$files" | xargs -P 2 -n 6 clang-tidy --quiet \
	    "--checks=$checks" $extra 2>/dev/null >"$out"
	findings clang-tidy
else
	echo "skipped: clang-tidy is not installed"
fi
exit $bad
