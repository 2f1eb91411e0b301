# shellcheck shell=bash
# A file of pairs: the course of it, the ledger, and bad files.
cat >make.py <<'PY'
import math, random, sys
random.seed(7)
rows = [(random.uniform(-1, 1), random.uniform(0, 2)) for _ in range(int(sys.argv[1]))]
print('a,b,y,z')
for a, b in rows:
    print('%.17g,%.17g,%.17g,%.17g' % (a, b, math.sin(a) + 0.3 * b * a, math.exp(-b) * (1 + a)))
PY
python3 make.py 1500 >table.csv
run 0 nigh plan table.csv --outputs y,z --error 0.05 -o t.nigh --no-clock
out 'test rows'
no_out 'read 2 times'
# The same question learns nothing new and keeps its number; another one is the second read, at a stricter level.
run 0 nigh plan table.csv --outputs y,z --error 0.05 -o t2.nigh --no-clock
out 'read 1 time'
check cmp t.nigh t2.nigh
run 0 nigh plan table.csv --outputs y,z --error 0.04 -o t3.nigh --no-clock
out 'read 2 times; this walk was tested at level 0.83'
printf '0.5,1\n' >in.csv
run 0 nigh apply t.nigh in.csv -o out.csv
check awk -F, '{ y = sin(0.5) + 0.15; z = exp(-1) * 1.5; exit !(($1 - y)^2 + ($2 - z)^2 < 0.01 * (y*y + z*z)) }' out.csv
run 2 nigh receipt t.nigh --recheck
err "cannot be made again"

run 2 nigh plan table.csv --error 0.05
err 'Say --outputs COLUMNS'
run 2 nigh plan table.csv --outputs y,w --error 0.05
err "no column 'w'"
run 2 nigh plan table.csv --outputs a,b,y,z --error 0.05
err 'no inputs are left'
run 2 nigh plan nothing.csv --outputs y --error 0.05
err "nothing.csv.*No such file"
run 2 nigh plan nothing.npz --error 0.05
err "nothing.npz.*No such file"
sed '700s/[^,]*$/nan/' table.csv >nan.csv
run 2 nigh plan nan.csv --outputs y,z --error 0.05 --no-clock
err '[nN]a[nN]'
sed '700s/[^,]*$/blue/' table.csv >word.csv
run 2 nigh plan word.csv --outputs y,z --error 0.05
err 'line 700.*blue'
sed '700s/,[^,]*$//' table.csv >short.csv
run 2 nigh plan short.csv --outputs y,z --error 0.05
err 'line 700 has 3 fields, but the first line has 4'
head -n 8 table.csv >few.csv
run 2 nigh plan few.csv --outputs y,z --error 0.05
err 'at least 20'
: >empty.csv
run 2 nigh plan empty.csv --outputs y --error 0.05
err 'empty.csv'
mkdir folder.csv
run 2 nigh plan folder.csv --outputs y --error 0.05
err 'folder.csv'
head -c 100 /dev/urandom >noise.npz
run 2 nigh plan noise.npz --error 0.05
err 'noise.npz'

# Arrays that do not belong together, and one that misses: npz without NumPy.
cat >npz.py <<'PY'
import struct, sys, zipfile

def npy(shape):
    count = 1
    for n in shape:
        count *= n
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': %r, }" % (tuple(shape),)
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + struct.pack('<%dd' % count, *[0.1 * (i % 17) for i in range(count)])

with zipfile.ZipFile(sys.argv[1], 'w') as z:
    for spec in sys.argv[2:]:
        name, shape = spec.split('=')
        z.writestr(name + '.npy', npy([int(n) for n in shape.split('x')]))
PY
python3 npz.py shapes.npz inputs=100x2 outputs=90x1
run 2 nigh plan shapes.npz --error 0.05
err '100 rows of inputs, but 90 of outputs'
python3 npz.py one.npz inputs=100x2
run 2 nigh plan one.npz --error 0.05
err "no array 'outputs'"
python3 npz.py plain.npz inputs=100x2 answers=100x1
run 2 nigh plan plain.npz --error 0.05
err "no array 'outputs'"
