#!/bin/bash
# kill.sh NIGH [KILLS] [SEED]: plans of a function, a program, a file and fields (a network is trained) are killed (SIGKILL; the training in
# turn by SIGINT, which leaves a checkpoint) at KILLS random moments in all and run again until they end; the plan files must be those of undisturbed runs, to the byte, and nothing may be left behind.
set -u
nigh=$(realpath "$1") kills=${2:-8} RANDOM=${3:-1}
source=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
mkdir tmp
export TMPDIR=$folder/tmp HOME=$folder

python3 - >table.csv <<'PY'
import math, random
random.seed(3)
print('a,b,y,z')
for _ in range(3000):
    a, b = random.uniform(-1, 1), random.uniform(0, 2)
    print('%.17g,%.17g,%.17g,%.17g' % (a, b, math.sin(3 * a) + 0.3 * b * a, math.exp(-b) * (1 + a)))
PY
python3 - >fields.csv <<'PY'
import math, random
random.seed(5)
n = 16
print(','.join(['a%d' % i for i in range(n)] + ['u%d' % i for i in range(n)]))
for _ in range(160):
    c = [random.gauss(0, 1 / k) for k in (1, 1, 2, 2)]
    f = [sum(c[2 * k - 2] * math.sin(2 * math.pi * k * i / n) + c[2 * k - 1] * math.cos(2 * math.pi * k * i / n) for k in (1, 2)) for i in range(n)]
    print(','.join('%.17g' % x for x in f + [x * abs(x) for x in f]))
PY
outputs=$(python3 -c "print(','.join('u%d' % i for i in range(16)))")
program="python3 -SE $source/test/cli/programs/slow.py 0.005 {1} {2}"
words_of() { # NAME OUT: the command of one plan, in words
    case $1 in
    function) words=("$nigh" plan 'exp(-x*x)*cos(3*x)' --on 0.5:4 --error 3e-6) ;;
    program) words=("$nigh" plan --exact "$program" --box 0:1,1:2 --error 0.01 --fit 40 --screen 24 --test 59) ;;
    file) words=("$nigh" plan table.csv --outputs y,z --error 0.02) ;;
    fields) words=("$nigh" plan fields.csv --outputs "$outputs" --measure relative-l2 --error 0.9 --methods fno --settings modes=8,epochs=200,layers=2 --threads 1) ;;
    esac
    words+=(--no-clock --quiet -o "$2")
}

# Processes that work below our folder for temporary things, or hold it.
left_behind() {
    local pid
    for pid in /proc/[0-9]*; do
        case $(readlink "$pid/cwd" 2>/dev/null) in "$folder"/tmp/*) echo "process ${pid#/proc/}: $(tr '\0' ' ' <"$pid/cmdline")" ;; esac
    done
}

failures=0 done_kills=0
for name in function program file fields; do
    export XDG_CACHE_HOME=$folder/calm-cache-$name XDG_STATE_HOME=$folder/calm-state-$name
    began=$(date +%s%N)
    words_of $name calm-$name.nigh
    "${words[@]}" >calm-$name.txt || { echo "FAILED: $name: the undisturbed run"; exit 1; }
    took=$((($(date +%s%N) - began) / 1000000))
    echo "$name: $took ms undisturbed"
    case $name in function) share=$((kills / 4)) ;; program) share=$((kills / 4)) ;; file) share=$((kills / 8)) ;; fields) share=$((kills - done_kills)) ;; esac
    mine=0 round=0
    while [ $mine -lt "$share" ] && [ $round -lt 200 ]; do
        round=$((round + 1))
        rm -f torn-$name.nigh torn-$name.nigh.*
        export XDG_CACHE_HOME=$folder/torn-cache-$name-$round XDG_STATE_HOME=$folder/torn-state-$name-$round
        words_of $name torn-$name.nigh
        # Up to three kills within one plan, then to the end.
        for _ in 1 2 3; do
            [ $mine -lt "$share" ] || break
            "${words[@]}" >/dev/null 2>&1 &
            pid=$!
            at=$((RANDOM % (took + 1)))
            sleep "$((at / 1000)).$(printf %03d $((at % 1000)))"
            signal=KILL
            [ $name != fields ] || [ $((mine % 2)) = 0 ] || signal=INT
            if kill -$signal $pid 2>/dev/null; then mine=$((mine + 1)); fi
            wait $pid 2>/dev/null
        done
        "${words[@]}" >torn-$name.txt 2>torn-$name.err || { echo "FAILED: $name: run after a kill: $(cat torn-$name.err)"; failures=$((failures + 1)); }
        cmp -s calm-$name.nigh torn-$name.nigh || { echo "FAILED: $name: after kills the plan file differs"; cmp calm-$name.nigh torn-$name.nigh; failures=$((failures + 1)); }
        diff calm-$name.txt torn-$name.txt >difference || { echo "FAILED: $name: after kills the receipt differs"; head -n 10 difference; failures=$((failures + 1)); }
        [ ! -e torn-$name.nigh.journal ] && [ ! -e torn-$name.nigh.journal.fit ] || { echo "FAILED: $name: the journal is still there"; failures=$((failures + 1)); }
    done
    done_kills=$((done_kills + mine))
done
for _ in $(seq 20); do
    left=$(left_behind)
    [ "$left" ] || break
    sleep 0.25
done
[ ! "$left" ] || { echo "FAILED: left behind: $left"; failures=$((failures + 1)); }
# A killed run cannot remove its private folder; a later run removes those that nobody holds and that are over an hour old.
find tmp -mindepth 1 -maxdepth 1 -exec touch -d '2 hours ago' {} +
"$nigh" sample --exact "$program" --box 0:1,1:2 -n 1 -o one.npz --quiet --no-cache
folders=$(find tmp -mindepth 1 -maxdepth 1 | wc -l)
[ "$folders" = 0 ] || { echo "FAILED: $folders private folders left"; failures=$((failures + 1)); }
echo "$done_kills kills, $failures failures"
[ $failures = 0 ]
