#!/usr/bin/env bash
# Counts the futex calls of two tasks that emit, and of the same tasks without the emission: benches/futex.sh [EMISSIONS]. Linux only.
# Fails if emissions make any of their own. What shows is waiting: a lock that is always free, or soon free again, makes no call.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
emissions=${1:-10000000}

# Starting and stopping a runtime of two workers takes some futex calls, and how many depends on which of three threads sleeps first: 5 to 14 in
# forty runs of either mode, whatever the number of emissions. An emission that made one in a hundred thousand would be far above the tolerance.
tolerance=20

if ! command -v strace >/dev/null; then
    install=(apt-get install --yes strace)
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ] || ! "${install[@]}" >/dev/null; then
        echo "strace is missing: sudo ${install[*]}" >&2
        exit 2
    fi
fi

binary=$(cargo bench --locked --quiet --bench futex --no-run --message-format=json |
    sed -n 's/.*"name":"futex".*"executable":"\([^"]*\)".*/\1/p')
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

# The number of futex calls of a mode, from the summary's row "% time, seconds, usecs/call, calls, [errors,] syscall".
calls() {
    strace -f -c -e trace=futex -o "$counts" "$binary" "$1" "$emissions" >&2
    awk '$NF == "futex" { calls = $4 } END { print calls + 0 }' "$counts"
}

empty=$(calls empty)
emit=$(calls emit)
printf '| two tasks, %s emissions | futex calls |\n|---|---:|\n' "$emissions"
printf '| the empty loop | %s |\n| **`emit`**, 1 ready listener | %s |\n' "$empty" "$emit"
if [ "$emit" -gt $((empty + tolerance)) ]; then
    echo "emissions make futex calls of their own: more than $tolerance above the empty loop" >&2
    exit 1
fi
