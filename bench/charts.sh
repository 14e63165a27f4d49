#!/usr/bin/env bash
# Measures this machine for docs/performance.md: bench/charts.sh [SUITE [OPTION...]]
# Without a suite all of them run anew. Rows measured with options of your own, such as --filter, replace those of the same name.
set -euo pipefail
cd "$(dirname "$0")/.."

bench() { dotnet run -c Release --project bench/Flambeau.Bench -- "$@"; }

measure() {
    local figures="docs/charts/$1.jsonl" options=("${@:2}")
    if [ ${#options[@]} -eq 0 ]; then
        options=(--rounds 3 --seconds 0.1)
        rm -f "$figures"
    fi
    bench "$1" --json "${options[@]}" >> "$figures" || echo "$1: some rows could not be measured" >&2
}

mkdir -p docs/charts
if [ $# -gt 0 ]; then measure "$@"; else
    for suite in eager pointwise rows gemm attention optim tokens train; do measure "$suite"; done
fi
bench document docs/performance.md docs/charts/*.jsonl
