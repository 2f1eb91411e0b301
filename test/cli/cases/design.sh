# shellcheck shell=bash
# Points for a weighted fit, for a program of one's own.
run 0 nigh sample --box -1:1,0:2 --design dpp --degree 8 --times 2 -o points.csv
out '^90 points for 45 functions: batches of a projection determinantal point process; smallest eigenvalue 0\.[0-9]+'
check grep -qx 'x1,x2,weight' points.csv
check awk -F, 'NR > 1 { n++; s += $3; if (NF != 3 || $1 < -1 || $1 > 1 || $2 < 0 || $2 > 2 || $3 <= 0) bad = 1 } END { exit !(n == 90 && !bad && s / n > 0.4 && s / n < 2) }' points.csv
run 0 nigh sample --box -1:1,0:2 --design dpp --degree 8 --times 2 -o again.csv
check cmp points.csv again.csv
run 0 nigh sample --box -1:1,0:2 --design dpp --degree 8 --times 2 --seed 1 -o other.csv
check fails cmp -s points.csv other.csv
run 0 nigh sample --box -1:1,0:2 --design dpp --degree 8 --times 3 --least 0.15 --thin -o few.npz
out '^(4[5-9]|5[0-9]) points for 45 functions'
run 0 nigh sample --box 0:1 --design volume --basis fourier --degree 3 -o points.npy --quiet
check [ ! -s "$stdout" ]
check test -s points.npy
run 2 nigh sample --box 0:1 --design best -o points.csv
err "--design is 'best'; dpp,volume,volume-input,iid are allowed"
run 2 nigh sample --box 0:1 --design dpp --basis bessel -o points.csv
err "--basis is 'bessel'"
run 2 nigh sample --design dpp -o points.csv
err '--box is missing'
run 2 nigh sample --box 0:1 --design dpp
err '-o FILE is missing'
run 2 nigh sample --box 0:1 --design dpp -n 20 -o points.csv
err '--n \(say --times\) has no place'
run 2 nigh sample --box 1:0 --design dpp -o points.csv
err 'variable 1 of the basis has the box 1:0'
run 2 nigh sample --box 0:1 --design dpp -o points.txt
err 'ends with .csv, .npy or .npz'
run 2 nigh sample --box 0:1,0:1,0:1 --design dpp --degree 40 -o points.csv
err 'more than 2000 functions'

# What comes of them: the points with the program's answers are a file of pairs like any other.
awk -F, 'NR == 1 { print "x1,x2,y"; next } { print $1 "," $2 "," 2 + $1 * $2 }' points.csv >pairs.csv
run 0 nigh plan pairs.csv --outputs y --error 1e-3 --methods polynomial-ridge --no-clock -o p.nigh

# The planner asks the program itself for the few answers that it needs.
run 0 nigh plan --exact "python3 -SE $programs/good.py {1} {2}" --box 0:1,1:2 --error 1e-3 --methods weighted-least-squares-dpp --settings set=total --no-clock --screen 10 --test 30
out 'with [0-9]{1,2} exact calls in it'
check no_child_left
