# shellcheck shell=bash
# nigh reduce rows: subsets of files of any size.
cat >make.py <<'PY'
import random, sys
random.seed(4)
n = int(sys.argv[1])
print("a,b,c,y,class,w")
for i in range(n):
    a, b, c = (random.gauss(0, 1) for _ in range(3))
    m = a - 2 * b + 1
    print(f"{a:.6g},{b:.6g},{c:.6g},{m + random.gauss(0, .5):.6g},{1 if m + random.gauss(0, 1) > 0 else -1},{random.choice([1, 2])}")
PY
python3 make.py 30000 >rows.csv
run 0 nigh reduce rows rows.csv --loss squares --target y --features a,b,c --rows 2000 --check -o subset.csv
out '^rows     30000 of 3 features from rows.csv$'
out '^kept     2000 rows \(6.67 %\), weights '
out '^error    0\.00[0-9]+ on all rows \(cost .*\), over the least cost$'
out '^uniform  0\.0'
check test "$(head -n 1 subset.csv)" = row,weight,y,a,b,c
check test "$(wc -l <subset.csv)" = 2001
# The rows are those of the file, in order.
check python3 -c '
import csv
rows = list(csv.DictReader(open("rows.csv")))
last, total = -1, 0
for s in csv.DictReader(open("subset.csv")):
    i = int(s["row"])
    assert i > last and all(float(rows[i][k]) == float(s[k]) for k in "abcy")
    last, total = i, total + float(s["weight"])
assert 28000 < total < 32000'
run 0 nigh reduce rows rows.csv --loss squares --target y --features a,b,c --rows 2000 -o again.csv --threads 1
check cmp subset.csv again.csv
run 0 nigh reduce rows rows.csv --loss squares --target y --features a,b,c --rows 2000 -o other.csv --seed 9
check fails cmp -s subset.csv other.csv

gzip -k rows.csv
run 0 sh -c 'zcat rows.csv.gz | nigh reduce rows - --loss squares --target y --features a,b,c --rows 2000 -o piped.csv'
check cmp subset.csv piped.csv
run 0 nigh reduce rows rows.csv.gz --loss squares --target y --features a,b,c --rows 2000 -o unpacked.csv
check cmp subset.csv unpacked.csv
run 2 sh -c 'zcat rows.csv.gz | nigh reduce rows - --loss squares --target y --features a,b,c --rows 2000 --check'
err 'reads the rows twice'

run 0 nigh reduce rows rows.csv --loss logistic --target class --features a,b,c --weight w --rows 1500 --check --json
check python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["rows"] == 30000 and d["kept"] == 1500 and 0 <= d["error"] < .01 and d["best_known"]' "$stdout"
run 0 nigh reduce rows rows.csv --loss hinge --target class --features a,b,c --rows 1500 --check --method uniform
out '^error    .* over the lower of the two costs; the best is not known$'
run 0 nigh reduce rows rows.csv --loss k-means:k=3 --features a,b,c --rows 1500 -o points.npz --method merge:lightweight
check test -s points.npz
run 0 nigh reduce rows rows.csv --loss squares --target y --rows 100 --method merge:uniform --memory 4M
run 3 nigh reduce rows rows.csv --loss squares --target y --rows 100000 --memory 4M
err 'more than the cap of 4194304'

# Bad input is named with its line.
printf 'a,y\n1,2\n\n3,4\n5\n' >ragged.csv
run 2 nigh reduce rows ragged.csv --loss squares --rows 2
err "'ragged.csv': line 5 has 1 field, but the first line has 2"
printf 'a,y\n1,2\n3,NA\n5,6\n7,8\n' >missing.csv
run 2 nigh reduce rows missing.csv --loss squares --rows 2
err 'line 3, column 2 \(y\): .NA. is a missing value'
run 0 nigh reduce rows missing.csv --loss squares --rows 10 --missing drop
out '^rows     3 of 1 features from missing.csv; 1 more miss a value and were dropped$'
printf 'a,y,w\n1,2,1\n3,4,-1\n' >negative.csv
run 2 nigh reduce rows negative.csv --loss squares --target y --weight w --rows 2
err "line 3, column 3 \(w\): '-1' is no weight"
printf 'a,y\n1,0\n2,inf\n3,1\n' >infinite.csv
run 2 nigh reduce rows infinite.csv --loss squares --rows 2
err "'infinite.csv': line 3 has a number that is not finite"
printf 'a,y\n1,0\n2,1\n3,2\n' >three.csv
run 2 nigh reduce rows three.csv --loss logistic --rows 2
err "'three.csv': line 4: y is 2; 0 and 1 are the classes"
: >empty.csv
run 2 nigh reduce rows empty.csv --loss squares --rows 2
err "'empty.csv' has no rows"
head -c 300 /dev/urandom >garbage.csv
run 2 nigh reduce rows garbage.csv --loss squares --rows 2
run 2 nigh reduce rows none.csv --loss squares --rows 2
err 'No such file'
run 2 nigh reduce rows rows.csv --rows 2
err 'which loss'
run 2 nigh reduce rows rows.csv --loss squares
err 'how many rows'
run 2 nigh reduce rows rows.csv --loss squares --rows 9 --method best
err "scores, uniform and merge:NAME"
run 2 nigh reduce rows rows.csv --loss squares --rows 9 --memory lots
err "bytes, or a number with k, M, G or T"

# Ctrl-C in the middle of an endless stream.
mkfifo endless
python3 -c '
import sys
try:
    while True: sys.stdout.write("1,2,3\n2,5,1\n3,9,4\n" * 1000)
except BrokenPipeError: pass
' >endless 2>/dev/null &
feeder=$!
nigh reduce rows - --loss squares --target 3 --rows 100 <endless >"$stdout" 2>"$stderr" &
pid=$!
sleep 1
kill -INT $pid
wait $pid
code=$? last="nigh reduce rows - (SIGINT after 1 s)"
[ $code = 130 ] || complain "the exit code must be 130"
kill $feeder 2>/dev/null
wait $feeder 2>/dev/null
