# Stages for .ci/run and .ci/long: sourced, not run.
#
#   stage NAME COMMAND...   runs a command, its output in target/ci/NAME.log, and notes how long it took
#   skipped NAME WHY        notes that a stage was not run
#   finish                  prints the table, then "N passed, N failed" over all test runs

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Lines are enough for what is printed here, and take less time to build than all that a debugger may ask for.
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only
unset CI_STAGES_FAILED 2>/dev/null || true
logs=target/ci
rm -rf "$logs"
mkdir -p "$logs"
table=()
began=$SECONDS

stage() {
    local name=$1 from=$SECONDS
    shift
    printf '== %s: %s\n' "$name" "$*"
    if "$@" >"$logs/$name.log" 2>&1; then
        table+=("$(printf '%-22s %5ss  ok' "$name" $((SECONDS - from)))")
        grep -hE '^test result:|^warning: unused' "$logs/$name.log" || true
    else
        table+=("$(printf '%-22s %5ss  FAILED' "$name" $((SECONDS - from)))")
        tail -n 200 "$logs/$name.log"
        finish 1
    fi
}

skipped() {
    printf '== %s: not run: %s\n' "$1" "$2"
    table+=("$(printf '%-22s %5s   not run: %s' "$1" - "$2")")
}

finish() {
    local code=${1:-0} spent=$((SECONDS - began)) passed failed
    printf '\n%-22s %6s  %s\n' stage seconds result
    printf '%s\n' "${table[@]}"
    printf '%-22s %5ss  of %ss\n' total "$spent" "$budget"
    if [ "$spent" -gt "$budget" ]; then
        printf 'warning: over the budget of %ss\n' "$budget"
    fi
    passed=$(cat "$logs"/*.log | awk '/^test result:/ { for (i = 1; i < NF; i++) if ($(i + 1) ~ /^passed/) n += $i } END { print n + 0 }')
    failed=$(cat "$logs"/*.log | awk '/^test result:/ { for (i = 1; i < NF; i++) if ($(i + 1) ~ /^failed/) n += $i } END { print n + 0 }')
    printf '%s passed, %s failed\n' "$passed" "$failed"
    exit "$code"
}

source .ci/tools.sh
