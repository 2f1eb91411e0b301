# shellcheck shell=bash
# Least squares by sketch or in full, from tables and sparse rows.
awk 'BEGIN { srand(1); print "a,b,c,w,y"; for (i = 0; i < 4000; i++) { a = rand() - 0.5; b = rand() * 100; c = rand() + a; print a "," b "," c "," 1 + i % 3 "," 2 * a - 0.5 * b + c + rand() - 0.5 } }' >t.csv
run 0 nigh reduce least-squares t.csv --features a,b,c --error 0.01
out '^MET +excess [0-9.e-]+, at most [0-9.e-]+ \[one pass over all rows\]'
out '^asked .*\(1 \+ 0\.01\)'
out '^b +-0\.(49|50)'
for method in qr normal srht count sparse gaussian; do
    run 0 nigh reduce least-squares t.csv --features a,b,c --method $method --error 0.05 --intercept --second
    out "^chosen +$method: "
    out '^intercept +'
done
run 0 nigh reduce least-squares t.csv --features a,b,c --target y --weight w --error 1e-9 -o x.csv --json
out '"met": true'
out '"x": \[[0-9.-]+, -0\.(49|50)'
check grep -qx 'value,bound' x.csv
check awk -F, 'NR > 1 { n++; if (!($2 >= 0)) bad = 1 } END { exit !(n == 3 && !bad) }' x.csv
run 0 nigh reduce least-squares t.csv --error 0.3 --coordinates --method srht -o x.npy --quiet
check [ ! -s "$stdout" ]
check test -s x.npy
run 0 nigh reduce least-squares t.csv --error 0.1 --compare
out '^  LAPACK dgels +[0-9.e-]+ s +[0-9.]+x'
run 1 nigh reduce least-squares t.csv --error 1e-9 --method srht --passes 0
out '^NOT MET'
err 'was not met'
# the same seed, the same bits; another seed, other ones
run 0 nigh reduce least-squares t.csv --method srht --error 0.1 --all -o 1.csv
run 0 nigh reduce least-squares t.csv --method srht --error 0.1 --all -o 2.csv
check cmp 1.csv 2.csv
run 0 nigh reduce least-squares t.csv --method srht --error 0.1 --all -o 3.csv --seed 1
check fails cmp -s 1.csv 3.csv

awk 'BEGIN { srand(2); for (i = 0; i < 3000; i++) print rand(), 1 + int(rand() * 10) ":" rand(), 11 + int(rand() * 10) ":" rand() }' >t.libsvm
for method in auto normal count sparse direct; do
    run 0 nigh reduce least-squares t.libsvm --method $method --error 0.01
    out '^ +sparse: 6000 entries, 2 a row'
    out '^MET '
done
run 0 nigh reduce least-squares t.libsvm --method lsqr --error 0.01 --intercept
out 'by the stopping rule alone'

awk -F, 'NR == 1 { print "a,b,y"; next } { print $1 "," $1 "," $5 }' t.csv >dependent.csv
run 2 nigh reduce least-squares dependent.csv --error 0.1
err 'column 2 is \(nearly\) a combination of those before it'
run 0 nigh reduce least-squares dependent.csv --error 0.1 --ridge 1e-6
awk -F, 'NR == 1 { print "a,b,y"; next } { print $1 ",0," $5 }' t.csv >zero.csv
run 2 nigh reduce least-squares zero.csv --error 0.1
err 'column 2 is all zeros'
printf 'a,b,y\n1,2,3\n4,,6\n' >missing.csv
run 2 nigh reduce least-squares missing.csv --error 0.1
err 'line 3'
printf 'a,b,y\n1,2,3\n' >few.csv
run 2 nigh reduce least-squares few.csv --error 0.1
err '1 rows for 2 columns'
run 2 nigh reduce least-squares t.csv --method svd
err "the method is 'svd'"
run 2 nigh reduce least-squares t.csv --target z
err "z"
run 2 nigh reduce least-squares
err 'which FILE'
run 2 nigh reduce least-squares t.csv -o x.txt
err 'csv or .npy is allowed'
run 0 nigh reduce least-squares --help
out '^usage: nigh reduce least-squares FILE'
