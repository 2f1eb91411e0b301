# shellcheck shell=bash
# Functions: plan, receipt, apply, export, report, replay, and what can be wrong with them.
run 0 nigh plan exp --on 0.25:1 --error 1e-4 -o e.nigh --no-clock
out 'exp'
out '1e-0?4'
check test -s e.nigh
check missing e.nigh.journal
run 0 nigh plan exp --on 0.25:1 --error 1e-4 -o again.nigh --no-clock
check cmp e.nigh again.nigh
run 0 nigh plan exp --on 0.25:1 --error 1e-4 -o replayed.nigh --no-clock --replay e.nigh
run 0 nigh receipt e.nigh
out 'AS STATED'
run 0 nigh receipt e.nigh --json
out '"as_stated": *true'
check python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$stdout"
run 0 nigh receipt e.nigh --recheck
no_out 'AS STATED'

printf '0.25\n0.375\n0.5\n1\n' >in.csv
run 0 nigh apply e.nigh in.csv -o out.csv
check awk 'NR == 3 { exit !($1 - 1.6487213 < 1e-4 && 1.6487213 - $1 < 1e-4) }' out.csv
printf '5\n' >far.csv
run 0 nigh apply e.nigh far.csv -o far-out.csv
err 'warning: .*outside the range'
run 2 nigh apply e.nigh far.csv -o strict-out.csv --strict
err 'outside the range'
check missing strict-out.csv
printf '1,2\n' >wide.csv
run 2 nigh apply e.nigh wide.csv -o wide-out.csv
err 'wide.csv has 2 numbers a sample; the plan takes 1'
run 2 nigh apply e.nigh nothing.csv -o x.csv
err 'nothing.csv'
run 2 nigh apply nothing.nigh in.csv -o x.csv
err 'nothing.nigh'
head -c 200 e.nigh >cut.nigh
run 2 nigh apply cut.nigh in.csv -o x.csv
err 'cut.nigh'
run 2 nigh apply in.csv in.csv -o x.csv
err 'in.csv'
run 2 nigh apply e.nigh in.csv
err '-o OUT is missing'

run 0 nigh export e.nigh -o e.c
for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    check $compiler -std=c99 -Wall -Wextra -Werror -pedantic -ffp-contract=off -O2 -c e.c -o e.o
done
# A file named after a function of C gets a name that compiles beside <math.h>.
run 0 nigh export e.nigh -o tanh.c
check gcc -std=c99 -c tanh.c -o tanh.o
run 2 nigh export e.nigh -o x.c --name sin
err "belongs to C itself"
run 0 nigh export e.nigh -o -
out 'void approximation\(long n'

# Each method by itself, exported, compiled and run beside the library: the same numbers to the last bit that is printed.
printf '1\n1.5\n2\n2.75\n' >points.csv
for method in taylor chebyshev minimax minimax-rational table-linear table-cubic; do
    run 0 nigh plan 'log(1+x)*sin(2*x)' --on 1:3 --type f64 --error 1e-3 --methods "$method" --no-clock -o m.nigh
    out "plan +$method "
    run 0 nigh export m.nigh -o m.c
    run 0 nigh apply m.nigh points.csv -o m.csv
    printf '%s\n' '#include <stdio.h>' 'void m(long n, const double *in, double *out);' \
        'int main(void) { const double x[4] = {1, 1.5, 2, 2.75}; double y[4]; m(4, x, y);' \
        'for (int i = 0; i < 4; i++)' 'printf("%.12g\n", y[i]);' 'return 0; }' >main.c
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        check $compiler -std=c99 -Wall -Wextra -Werror -pedantic -ffp-contract=off -O2 main.c m.c -o m -lm
        ./m >exported.txt
        awk '{ printf "%.12g\n", $1 }' m.csv >applied.txt
        check diff exported.txt applied.txt
    done
done

run 0 nigh plan 'exp(-x*x)*cos(3*x)' --on 0:4 --type f64 --error 1e-7 --no-clock --json
cp "$stdout" outcome.json
check python3 -c 'import json; json.load(open("outcome.json"))'
run 0 nigh report outcome.json -o page.html
check grep -qi '<svg' page.html
check fails grep -Eq '(src|href)="http' page.html
run 2 nigh report e.c -o bad.html
check missing bad.html

run 1 nigh plan exp --on 0.25:1 --error 1e-30 --no-clock
err 'the error 1e-30 is below what f32 can hold: at x = .* even the f32 nearest to exp\(x\) is off by .*--type f64 is needed'
run 2 nigh plan exp --on -1:1 --error -1
err 'error is -1; a finite number above 0 is needed'
run 2 nigh plan exp --on -1:1 --error inf
err 'a finite number above 0 is needed'
run 2 nigh plan exp --on -1:1 --error nan
err 'a finite number above 0 is needed'
run 2 nigh plan exp --on -1:1 --error wide
err "--error is 'wide'; a number is needed"
run 2 nigh plan exp --on -1:1
err 'which error is allowed'
run 2 nigh plan --on -1:1 --error 1e-3
err 'what is to be approximated'
run 2 nigh plan exp --error 1e-3
err 'Say --on A:B'
run 2 nigh plan exp --on 1:-1 --error 1e-3
err '.'
run 2 nigh plan exp --on 1 --error 1e-3
err "--on is '1'"
run 2 nigh plan log --on -1:1 --error 1e-3
err 'not finite|domain'
run 2 nigh plan tanhh --on -1:1 --error 1e-3
err "tanh"
run 2 nigh plan 'exp(x' --on -1:1 --error 1e-3
err '.'
run 2 nigh plan exp --on -1:1 --type f16 --error 1e-3
err "--type is 'f16'; f32 or f64 is allowed"
run 2 nigh plan exp --on -1:1 --measure metres --error 1e-3
err "metres"
run 2 nigh plan exp --on -1:1 --error 1e-3 --statistic median
err "--statistic is 'median'; mean, p95 or worst is allowed"
run 2 nigh plan exp --on -1:1 --error 1e-3 --confidence 2
err 'confidence is 2'
run 2 nigh plan exp --on -1:1 --error 1e-3 --methods minmax
err 'minimax'
run 2 nigh plan exp --on -1:1 --error 1e-3 --settings degree
err "'degree' is no setting"
run 2 nigh plan exp --on -1:1 --error 1e-3 --threads 0
err '--threads is 0'

# A pole between the points of any grid; errors that no number of the type can have.
run 2 nigh plan '1/(x-0.3333)' --on 0:1 --error 1e-3
err '1/\(x - 0\.3333\) has a pole near x = 0\.3333; the interval must not contain it'
run 2 nigh plan tan --on 0:2 --error 1e-3
err 'tan\(x\) has a pole near x = 1\.57079632679'
run 1 nigh plan exp --on 0:1 --measure ulp --error 0.3 --no-clock
err 'below what f32 can hold: .* off by 0\.[45].* \(ulp\)'
run 1 nigh plan exp --on 0:1 --type f64 --error 1e-18 --no-clock
err 'below what f64 can hold'
run 1 nigh plan 'abs(x-0.3)' --on 0:1 --error 1e-6 --methods taylor --no-clock
err 'no method met the error 1e-06'

# -0 is a number of [0, b]; ulps of results among the subnormal numbers.
run 0 nigh plan sqrt --on 0:4 --error 1e-3 --no-clock
out '^MET .*\[certified\]'
run 0 nigh plan sqrt --on 0:4 --type f64 --statistic worst --error 1e-3 --no-clock
out '^MET .*\[certified\]'
run 0 nigh plan exp --on -745:-700 --type f64 --measure ulp --statistic worst --error 4 --no-clock
out '^MET .*\[certified\]'
