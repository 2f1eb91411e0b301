#!/bin/bash
# run.sh NIGH CASES.sh: tests of the command. A file of cases is plain shell in an empty folder of its own, with caches and
# ledgers of its own; each case is a `run`, followed by what must be true of it:
#
#   run CODE nigh plan ...     runs it (at most 120 s); its exit code must be CODE
#   out 'PATTERN'              standard output has a line that matches the extended regular expression
#   err 'PATTERN'              standard error has one
#   no_out 'PATTERN', no_err 'PATTERN'     and none does
#   check COMMAND...           any other thing that must hold
#
# All cases run; the exit code is 1 when one of them failed.
set -u
nigh=$(realpath "$1") cases=$(realpath "$2")
source=$(cd "$(dirname "$0")/../.." && pwd)
programs=$source/test/cli/programs
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/work" "$folder/bin" "$folder/tmp" "$folder/home"
ln -s "$nigh" "$folder/bin/nigh"
export PATH=$folder/bin:$PATH HOME=$folder/home XDG_CACHE_HOME=$folder/cache XDG_STATE_HOME=$folder/state TMPDIR=$folder/tmp programs source
unset XDG_DATA_HOME NIGH_CPU
failures=0 count=0 last='' code=0
stdout=$folder/stdout stderr=$folder/stderr

complain() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n  after: %s (exit code %s)\n' "$1" "$last" "$code"
    sed 's/^/  stdout: /' "$stdout" | head -n 12
    sed 's/^/  stderr: /' "$stderr" | tail -n 12
}

run() {
    local wanted=$1
    shift
    last=$* count=$((count + 1))
    timeout -k 5 120 "$@" >"$stdout" 2>"$stderr" </dev/null
    code=$?
    [[ $code =~ ^$wanted$ ]] || complain "the exit code must be $wanted"
}

out() { grep -Eq -- "$1" "$stdout" || complain "standard output must match: $1"; }
err() { grep -Eq -- "$1" "$stderr" || complain "standard error must match: $1"; }
no_out() { ! grep -Eq -- "$1" "$stdout" || complain "standard output must not match: $1"; }
no_err() { ! grep -Eq -- "$1" "$stderr" || complain "standard error must not match: $1"; }
check() { "$@" >"$folder/check" 2>&1 || { complain "must hold: $*"; sed 's/^/  /' "$folder/check" | head -n 5; }; }
fails() { ! "$@"; }
missing() { [ ! -e "$1" ]; }

# No process may run that was started for a plan: all are in folders below TMPDIR, or name a program of the tests.
no_child_left() {
    local left pid
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        left=
        for pid in /proc/[0-9]*; do
            case $(readlink "$pid/cwd" 2>/dev/null) in "$folder"/tmp/*) left="$left ${pid#/proc/}" ;; esac
        done
        [ "$left" ] || return 0
        sleep 0.2
    done
    for pid in $left; do echo "left: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
    return 1
}

# Nor may a private folder stay.
no_folder_left() { [ -z "$(ls -A "$TMPDIR")" ] || { ls -la "$TMPDIR"; return 1; }; }

cd "$folder/work" || exit 1
# shellcheck disable=SC1090
. "$cases"
echo "$count runs, $failures failures"
[ "$failures" = 0 ]
