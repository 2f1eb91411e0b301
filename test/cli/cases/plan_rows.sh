# shellcheck shell=bash
# Rows for a loss: plan --loss, its files, its refusals; rows of a pool.
cat >make.py <<'PY'
import math, random, sys
random.seed(5)
print('id,a,b,c,class')
for i in range(3000):
    a, b, c = (random.gauss(0, 1) * (8 if i % 60 == 0 else 1) for _ in range(3))
    p = 1 / (1 + math.exp(-(0.5 + a - 2 * b)))
    print('row %d,%.9g,%.9g,%.9g,%s' % (i, a, b, c, 7 if random.random() < p else 3))
PY
python3 make.py >table.csv
run 0 nigh plan table.csv --features a,b,c --loss logistic --error 0.1 -o subset.csv --table --report page.html --outcome o.json
out '^chosen '
out '^all rows +3000 rows of 3 features, logistic:lambda=1'
out '^error +0\.0[0-9]+ on all rows \(asked 0\.1\)'
check grep -q '^row,weight' subset.csv
check grep -q 'Error against size' page.html
check python3 -c 'import json; o = json.load(open("o.json")); c = o["candidates"][o["chosen"]]; assert c["error"] <= 0.1 and c["rows"] == sum(1 for _ in open("subset.csv")) - 1'
run 0 nigh plan table.csv --features a,b,c --loss logistic --error 0.1 -o again.csv
check cmp subset.csv again.csv
run 0 nigh plan table.csv --features a,b,c --loss logistic --error 0.1 --uses 1
out 'all rows: for 1 fit nothing is cheaper'
run 0 nigh plan table.csv --features a,b --loss squares --target c --error 0.1 --json -o subset.npz
out '"chosen": ?[1-9]'
run 0 nigh plan table.csv --features a,b,c --loss k-means:k=2 --error 0.2 --methods lightweight,uniform
out 'no bound on what a better model may cost'
run 0 nigh plan --loss logistic --help
out 'lp:p=1'
run 1 nigh plan table.csv --features a,b,c --loss logistic --error 1e-12 --methods uniform
err 'no subset of at most 1500 of 3000 rows came within 1e-12'

run 2 nigh plan table.csv --features a,b,c --loss logistik --error 0.1
err 'did you mean logistic'
run 2 nigh plan table.csv --loss logistic --error 0.1
err "line 2, column 1 \(id\): 'row 0' is not a number"
run 2 nigh plan table.csv --features a,b,class --loss logistic --error 0.1 --target c
err 'y has more than two values'
run 2 nigh plan table.csv --features a,b,d --loss logistic --error 0.1
err "no column 'd'"
run 2 nigh plan table.csv --features a,b,c --loss logistic
err 'which error is allowed'
run 2 nigh plan missing.csv --loss squares --error 0.1
err 'missing.csv'
printf 'x,y\n1,2\n3\n' >ragged.csv
run 2 nigh plan ragged.csv --loss squares --error 0.1
err 'ragged.csv.: line 3'
printf 'x,y\n1,2\n3,nan\n' >nan.csv
run 2 nigh plan nan.csv --loss squares --error 0.1
err 'line 3, column 2'
: >empty.csv
run 2 nigh plan empty.csv --loss squares --error 0.1
err 'empty.csv'
printf 'x,y,w\n1,2,1\n3,4,-1\n' >negative.csv
run 2 nigh plan negative.csv --loss squares --error 0.1 --target y --weight w
err 'line 3'

# pools
python3 - <<'PY' >odds.csv
import random
random.seed(3)
print('HomeTeam,home_close,draw_close,away_close')
for i in range(13):
    p = sorted(random.random() for _ in range(2))
    q = [0.15 + 0.55 * x for x in (p[0], p[1] - p[0], 1 - p[1])]
    print('Team %d,%s' % (i, ','.join('%.2f' % (0.95 / x) for x in q)))
PY
run 0 nigh reduce toto odds.csv --strikes 10 --safety 0.5 -o rows.csv
out '^greedy .*CHOSEN'
out '^ruin +nothing comes back with chance 0\.'
out 'No plan here is a promise of profit'
check test "$(head -n 1 rows.csv | tr -cd , | wc -c)" = 12
run 1 nigh reduce toto odds.csv --strikes 13 --safety 0.9 --most 10
out 'below the safety wanted'
run 2 nigh reduce toto odds.csv --strikes 11
err 'how safe'
run 2 nigh reduce toto odds.csv --strikes 11 --safety 0.9 --coupon 2
err 'has 13 matches; coupon 2 begins at match 14'
run 2 nigh reduce toto odds.csv --strikes 11 --safety 0.9 --share 1,2
err 'four numbers'
sed 's/^Team 4,[^,]*/Team 4,0.5/' odds.csv >bad.csv
run 0 nigh reduce toto bad.csv --strikes 9 --safety 0.5
err 'match 5 is left out: odds of 0.5 for the home win'
out '^12 matches'
run 2 nigh reduce tott
err "did you mean 'toto'"
