#!/bin/sh
# make fuzz: each target under libFuzzer with address and undefined-behaviour
# sanitizers, FUZZ_SECONDS (60) each, in build-fuzz below the build folder.
# Inputs found are kept in build-fuzz/corpus for the next time. Needs clang
# with its runtime (on Debian: clang, libclang-rt-14-dev).
set -eu
src=$1 build=$2
shift 2
mkdir -p build-fuzz/objects
cd build-fuzz
flags="-std=gnu11 -g -O1 -pthread -I$build -I$src/src -I$src/tests/fuzz
-fsanitize=address,undefined -fno-sanitize-recover=undefined
-include $PWD/dirs.h"
printf '#define SYSCONFDIR "/etc"\n#define PKGDATADIR "/usr/share"\n' >dirs.h
libs="-levent -levent_pthreads -lcurl -llmdb -lyyjson -lzstd -lxxhash -lyaml
-lcrypto -lz -lm"

# All modules below cli as one library, instrumented; a header that changed
# may matter to any of them.
if [ -e libgarner.a ] && [ -n "$(find "$src/src" "$build/config.h" -name '*.h' \
    -newer libgarner.a)" ]; then
	rm -f objects/*.o
fi
find "$src/src" -name '*.c' ! -path '*/cli/*' ! -path '*/mock/*' |
while read -r c; do
	o=objects/$(basename "$c" .c).o
	[ "$o" -nt "$c" ] || echo "$o $c"
done | xargs -r -n 2 -P "$(nproc)" sh -c \
    "clang $(echo "$flags" | tr '\n' ' ') -fsanitize=fuzzer-no-link -c -o \"\$0\" \"\$1\""
rm -f libgarner.a
ar rcs libgarner.a objects/*.o

failed=0
for name; do
	# shellcheck disable=SC2086
	clang $flags -fsanitize=fuzzer -o "$name" "$src/tests/fuzz/$name.c" \
	    "$src/tests/fuzz/fuzz_file.c" libgarner.a $libs
	mkdir -p "corpus/$name" "seeds/$name"
	srcdir=$src "$build/tests/fuzz/$name" --seeds "seeds/$name"
	echo "== $name"
	if srcdir=$src "./$name" -max_total_time="${FUZZ_SECONDS:-60}" \
	    -timeout=20 -verbosity=0 -max_len=65536 -print_final_stats=1 \
	    "corpus/$name" "seeds/$name" >"$name.log" 2>&1; then
		grep number_of_executed_units "$name.log"
	else
		tail -n 40 "$name.log"
		failed=1
	fi
done
exit $failed
