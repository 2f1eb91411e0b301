#!/bin/bash
# scripts/demo.sh: nigh on ten real problems: five functions, two equations, two programs, a file of pairs. Receipts on the terminal, plans
# and exported C in demo-out/, one page with all plots in report.html. `make demo` builds first, then runs this.
set -eu
cd "$(dirname "$0")/.."
nigh=$PWD/build/nigh out=demo-out
[ -x "$nigh" ] || { echo "build/nigh is not there; run make demo" >&2; exit 2; }
rm -rf $out
mkdir $out
# The demo keeps its ledger, wisdom and cache to itself, so that every demo starts afresh.
export XDG_STATE_HOME=$PWD/$out/state XDG_CACHE_HOME=$PWD/$out/cache
began=$(date +%s) number=0 pages=() failed=0

plan() { # NAME TITLE WORDS...: one problem
    local name=$1 title=$2 code=0
    shift 2
    number=$((number + 1))
    printf '\n== %d. %s\n\n$ nigh plan' $number "$title"
    printf ' %q' "$@"
    printf '\n\n'
    "$nigh" plan "$@" -o "$out/$name.nigh" --outcome "$out/$name.json" || code=$?
    if [ $code -gt 1 ]; then
        echo "nigh plan ended with exit code $code" >&2
        exit $code
    fi
    [ $code = 0 ] || failed=$((failed + 1))
    pages+=("$out/$name.json")
}

echo "nigh replaces an expensive computation by a cheap one that is near enough, and says how near. Ten problems:"

plan gelu 'gelu in f32: every float within 1e-3, for a billion uses' gelu --on -6:6 --error 1e-3 --uses 1e9 --time 10
plan tanh 'tanh in f32: every float within 1e-5, for a billion uses' tanh --on -5:5 --error 1e-5 --uses 1e9 --time 10
plan log 'log in f32: every float within 1e-6' log --on 0.1:10 --error 1e-6 --time 10
plan sine 'sin in f64 over many periods: the mean error within 1e-8' sin --on -30:30 --type f64 --error 1e-8 --time 10
plan expression 'an expression of your own, in f64' 'log(1+exp(sin(5*x)))/(1+x*x)' --on 0:3 --type f64 --error 1e-7 --time 10

plan darcy 'a partial differential equation: flow through a porous square, 64 x 64 cells' darcy --grid 64 --error 0.02 --time 60
plan navier_stokes 'vorticity of a flow, one unit of time ahead, 64 x 64 points' navier-stokes --error 0.02 --time 60 --methods coarse-grid,mean

cc -O2 examples/heat_exchanger.c -o $out/heat_exchanger -lm
plan exchanger 'your own program: a heat exchanger in C; its coarser grids compete too' \
    --exact "$out/heat_exchanger {in} {out} {n}" --knob n=32:256 --box 50:90,10:30,0.2:0.8,0.2:0.8 --error 0.005 --time 60
plan projectile 'your own program: a throw with drag and wind in Python' \
    --exact 'python3 examples/projectile.py {1} {2} {3} {4}' --box 20:40,30:60,0.002:0.008,-5:5 --error 0.01 --time 60

python3 examples/moist_air.py 4000 >$out/moist_air.csv
plan moist_air 'a file of pairs: states of moist air' $out/moist_air.csv --outputs dew_point,wet_bulb,enthalpy --error 0.01 --time 20

printf '\n== A plan at work\n\n'
printf '70,15,0.5,0.4\n80,20,0.3,0.3\n' >$out/designs.csv
if [ -s $out/exchanger.nigh ]; then
    echo "\$ nigh apply $out/exchanger.nigh $out/designs.csv -o $out/answers.csv        (hot outlet, cold outlet, duty)"
    "$nigh" apply $out/exchanger.nigh $out/designs.csv -o $out/answers.csv
    cat $out/answers.csv
    echo "the exact program:"
    while IFS=, read -r a b c d; do
        echo "$a $b $c $d" >$out/one.txt
        $out/heat_exchanger $out/one.txt $out/one.out && cat $out/one.out
    done <$out/designs.csv
fi

printf '\n== As one C file, without nigh\n\n'
"$nigh" export $out/tanh.nigh -o $out/tanh_nigh.c
cat >$out/main.c <<'C'
#include <math.h>
#include <stdio.h>
void tanh_nigh(long n, const float *in, float *out);

int main(void)
{
    float x[1001], y[1001], worst = 0;
    for (int i = 0; i <= 1000; i++) x[i] = -5 + (float)i / 100;
    tanh_nigh(1001, x, y);
    for (int i = 0; i <= 1000; i++) worst = fmaxf(worst, fabsf(y[i] - (float)tanh(x[i])));
    printf("tanh_nigh beside tanh on 1001 points: largest difference %.2g\n", worst);
    return !(worst <= 1.1e-5f);
}
C
cc -std=c99 -O2 $out/main.c $out/tanh_nigh.c -o $out/tanh_check -lm
echo "$(wc -l <$out/tanh_nigh.c) lines of C99 in $out/tanh_nigh.c"
$out/tanh_check

"$nigh" report "${pages[@]}" -o report.html
printf '\n%d problems planned in %d s. The page with all plots: %s\n' $number $(($(date +%s) - began)) "file://$PWD/report.html"
if [ $failed -gt 0 ]; then
    echo "$failed of them: no method met the error" >&2
    exit 1
fi
