# shellcheck shell=bash
# A user's own program, good and bad.
good="python3 $programs/good.py {1} {2}"
run 0 nigh plan --exact "$good" --box 0:1,1:2 --error 0.02 -o g.nigh --no-clock --fit 60 --screen 40 --test 60
check no_child_left
check no_folder_left
printf '0.5,1.5\n' >in.csv
run 0 nigh apply g.nigh in.csv -o out.csv
check awk -F, '{ y = 0.5 * 1.5 + 1; exit !(($1 - y)^2 < 0.01) }' out.csv
run 2 nigh receipt g.nigh --recheck
err 'only with --allow-exec'
err 'good.py'
run 0 nigh sample --exact "$good" --box 0:1,1:2 -n 50 -o pairs.npz
run 2 nigh plan --exact "$good" --error 0.1
err '--inputs FILE or --box'
run 2 nigh plan --exact "$good" --box 0:1,1:2 --inputs in.csv --error 0.1
err '--inputs FILE or --box'
run 2 nigh plan --exact "$good" --box 0:1,2 --error 0.1
err '--box is'
run 2 nigh plan --exact "$good" --box 0:1,2:1 --error 0.1
err 'dimension 2 of the box'
run 2 nigh plan --exact "$good" --box 0:1 --error 0.1
err 'place \{2\}'
run 2 nigh plan exp --exact "$good" --box 0:1,1:2 --error 0.1
err 'name one'
run 2 nigh plan --exact "$good" --box 0:1,1:2 --knob n=8:32 --error 0.1
err "no place \{n\}"
run 2 nigh plan --exact "$good {m}" --box 0:1,1:2 --knob n --error 0.1
err 'the knob is'
run 2 nigh plan --exact "$programs/not-there {1}" --box 0:1 --error 0.1
err "there is no program"
run 2 nigh plan --exact "no-such-program-at-all {1}" --box 0:1 --error 0.1
err "there is no program 'no-such-program-at-all' in PATH"
run 2 nigh plan --exact "python3 $programs/good.py" --box 0:1,1:2 --error 0.1
err '.'
printf '0.1,1\n0.2,nan\n' >bad.csv
for _ in $(seq 20); do echo '0.3,1.5'; done >>bad.csv
run 2 nigh plan --exact "$good" --inputs bad.csv --error 0.1
err "bad.csv.*line 2, column 2.*nan"

# Programs that misbehave: a clear message, the right code, nothing left running, no folder left.
bad() {
    run "$1" nigh plan --exact "python3 $programs/bad.py $2 {1}" --box 0:1 --error 0.1 --run-seconds "${4:-2}" --run-memory 200 --no-cache
    err "$3"
    check no_child_left
    check no_folder_left
}
bad 2 crash 'crashed: Segmentation fault'
bad 2 fail 'failed with exit code 7.*the reason'
bad 3 hang 'was stopped after (1\.9|2)[.0-9]* s, its limit'
bad 3 deaf 'was stopped after (1\.9|2)[.0-9]* s, its limit'
bad 2 garbage "is no number"
bad 2 nothing 'gave no numbers|no numbers'
bad 2 nan 'finite numbers are needed'
bad 2 width 'numbers; the first answer had'
bad '[23]' fork 'more processes than allowed|failed|stopped|crashed'
bad '[23]' flood 'more than allowed|MB|bytes|stopped after'
bad '[23]' memory 'MB, more than allowed|MemoryError|failed with exit code 1|crashed' 20
bad 2 orphan 'crashed|failed|is no number|no numbers'

# A resolution option: coarser runs of the program itself compete. The midpoint rule's relative error on this box is some 0.1 / n^2.
run 0 nigh plan --exact "python3 -SE $programs/resolution.py {n} {1} {2}" --box 1:2,1:2 --knob n=4:64 --error 4e-3 \
    --methods coarse-run --no-clock --fit 4 --screen 20 --test 59
out 'plan +coarse-run level=[12]'
run 1 nigh plan --exact "python3 -SE $programs/resolution.py {n} {1} {2}" --box 1:2,1:2 --knob n=4:64 --error 1e-9 \
    --methods coarse-run --no-clock --fit 4 --screen 20 --test 59
err 'no method met'
