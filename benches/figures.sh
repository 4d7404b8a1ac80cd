#!/usr/bin/env bash
# Measures the figures of the book's cost chapter and writes them to book/src/figures.
#
#   benches/figures.sh            all
#   benches/figures.sh NAME...    only these: machine table layers keyed compose overload contention allocations latency curves peers stalled futex scaling metrics instructions
#
# It takes a quarter of an hour. Leave the machine to it: whatever else runs is in the figures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
figures=book/src/figures
mkdir -p "$figures"

machine() {
    printf '%s, %s cores, %s, %s.\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -sm)" "$(rustc --version)"
}
bench() { cargo bench --locked --quiet --bench "$@"; }
table() { bench table; }
layers() { bench layers; }
keyed() { bench keyed; }
compose() { bench compose; }
overload() { bench overload; }
contention() { bench contention; }
allocations() { bench allocations; }
latency() { bench latency; }
curves() { bench curves -- --svg "$figures"; }
peers() { cargo run --release --locked --quiet --manifest-path benches/peers/Cargo.toml; }
stalled() { cargo run --release --locked --quiet --manifest-path benches/peers/Cargo.toml --bin stalled; }
futex() { benches/futex.sh; }
scaling() { cargo run --release --locked --quiet --example scaling -- --svg "$figures" | grep "^|"; }
metrics() { bench metrics --features prometheus,metrics-facade; }
instructions() {
    printf '| case | instructions an emission |\n|---|---:|\n'
    sed -n 's/^\([a-z][^ ]*\) \([0-9]*\)$/| `\1` | \2 |/p' benches/instructions.txt
}

[ $# != 0 ] || set -- machine table layers keyed compose overload contention allocations latency curves peers stalled futex scaling metrics instructions
for name in "$@"; do
    echo "== $name"
    "$name" >"$figures/$name.md.new"
    mv "$figures/$name.md.new" "$figures/$name.md"
done
