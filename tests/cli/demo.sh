#!/bin/sh
# make demo: the main job, small. Starts garner-mock with ten thousand tags,
# discovers, harvests one hour in five groups, harvests again (only what is
# new), compacts, and says what came of it. All of it stays in ./garner-demo
# of the folder where make runs, so that it can be looked at.
set -eu

tags=${GARNER_DEMO_TAGS:-10000}
dir=$PWD/garner-demo
build=${GARNER_BUILDDIR:-$PWD}
src=${GARNER_SRCDIR:-$PWD}
garner="$build/garner"
mock_pid=

cleanup() {
	[ -z "$mock_pid" ] || kill "$mock_pid" 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n%s\n' "$*"; }

rm -rf "$dir"
mkdir -p "$dir"
began=$(date +%s)

step "1  a PI Web API server with $tags tags: garner-mock --tags $tags"
"$build/garner-mock" --port 0 --tags "$tags" --late 0.01 --no-gzip \
    >"$dir/mock.out" 2>"$dir/mock.err" &
mock_pid=$!
i=0
while [ ! -s "$dir/mock.out" ]; do
	i=$((i + 1))
	if [ "$i" -gt 100 ] || ! kill -0 "$mock_pid" 2>/dev/null; then
		cat "$dir/mock.err" >&2
		echo "demo: garner-mock did not start" >&2
		exit 1
	fi
	sleep 0.1
done
url=$(sed -n 's/.*\(http:[^ ]*\).*/\1/p' "$dir/mock.out")
echo "   $url"

cat >"$dir/garner.yaml" <<END
# written by make demo
version: 1
data: ./data
source:
  name: demo
  connector: pi
  connector_file: $src/conf/connectors/pi.yaml
  url: $url
groups: {by: range, size: $(( (tags + 4) / 5 ))}
harvest:
  from: "*-1h"
  reread: 2m
END

cd "$dir"
step "2  garner check"
"$garner" check
step "3  garner discover"
"$garner" discover
step "4  garner harvest: one hour in five groups"
"$garner" harvest
step "5  garner harvest again: only what is new, and the last two minutes"
"$garner" harvest
step "6  garner compact"
"$garner" compact
step "7  garner status"
"$garner" status

# figures for the summary, from the same commands' --json
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }
"$garner" status --json --table pi_timeseries >status.json
values=$(sed 's/.*"silver"://' status.json | number rows)
journal=$(number journal_rows <status.json)
groups=$(number groups <status.json)
seconds=$(( $(date +%s) - began ))
[ "$seconds" -gt 0 ] || seconds=1
megabytes=$(du -sm data | cut -f1)
table=$dir/data/silver/demo/pi_timeseries

step "Done"
cat <<END
  tags                 $tags in $groups groups
  values read          $journal
  duplicates removed   $((journal - values)) (read twice, or at the same timestamp)
  values in the table  $values
  on disk              $megabytes MB, journals and tables
  seconds              $seconds for all of it
END

cat <<END

The tables are Delta tables below
  $dir/data/silver/demo/

DuckDB:
  duckdb -c "SELECT tag_name, count(*), avg(value) FROM delta_scan('file://$table') GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
Python:
  python3 -c "from deltalake import DeltaTable; print(DeltaTable('$table').to_pyarrow_table().slice(0, 5).to_pylist())"
garner itself:
  $garner -c $dir/garner.yaml cat pi_timeseries --limit 5
END
