# shellcheck shell=bash
# nigh verify: verdicts, counterexamples, batches, journals, bad input. The network is y = relu(a + b) + relu(a - b).
check python3 - <<'PY'
import struct
def number(n):
    out = b''
    while True:
        out += bytes([n & 127 | (128 if n > 127 else 0)])
        n >>= 7
        if not n: return out
def field(k, data): return number(k << 3 | 2) + number(len(data)) + data
def whole(k, n): return number(k << 3) + number(n)
def tensor(name, dims, data): return b''.join(whole(1, d) for d in dims) + whole(2, 1) + field(8, name) + field(9, struct.pack(f'<{len(data)}f', *data))
def node(op, ins, out): return b''.join(field(1, i) for i in ins) + field(2, out) + field(4, op)
def value(name, dims): return field(1, name) + field(2, field(1, whole(1, 1) + field(2, b''.join(field(1, whole(1, d)) for d in dims))))
def model(nodes, tensors, size):
    graph = b''.join(field(1, n) for n in nodes) + field(2, b'g') + b''.join(field(5, t) for t in tensors) + field(11, value(b'x', (1, 2))) + field(12, value(b'y', (1, size)))
    return whole(1, 8) + field(7, graph) + field(8, field(1, b'') + whole(2, 13))
tensors = [tensor(b'w', (2, 2), [1, 1, 1, -1]), tensor(b'v', (2, 1), [1, 1])]
open('net.onnx', 'wb').write(model([node(b'MatMul', [b'x', b'w'], b'h'), node(b'Relu', [b'h'], b'r'), node(b'MatMul', [b'r', b'v'], b'y')], tensors, 1))
open('odd.onnx', 'wb').write(model([node(b'MatMul', [b'x', b'w'], b'h'), node(b'NonMaxSuppression', [b'h'], b'r'), node(b'MatMul', [b'r', b'v'], b'y')], tensors, 1))
open('product.onnx', 'wb').write(model([node(b'MatMul', [b'x', b'w'], b'h'), node(b'Mul', [b'h', b'x'], b'r'), node(b'MatMul', [b'r', b'v'], b'y')], tensors, 1))
open('wrong.onnx', 'wb').write(model([node(b'MatMul', [b'x', b'v'], b'h'), node(b'MatMul', [b'h', b'w'], b'y')], tensors, 2))
PY
property() { # file, low, high, condition
    printf '(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n(assert (>= X_0 %s))(assert (<= X_0 %s))(assert (>= X_1 %s))(assert (<= X_1 %s))\n(assert %s)\n' \
        "$2" "$3" "$2" "$3" "$4" >"$1"
}
property safe.vnnlib -1 1 '(>= Y_0 2.001)'
property unsafe.vnnlib -1 1 '(or (<= Y_0 -0.5) (>= Y_0 1.5))'
property edge.vnnlib -1 1 '(>= Y_0 2)'
property low.vnnlib -1 1 '(<= Y_0 -0.0001)'
run 0 nigh verify net.onnx safe.vnnlib
out '^unsat$'
err 'holds, proved by'
run 1 nigh verify net.onnx unsafe.vnnlib -o answer.txt
out '^sat$'
out '^\(\(X_0 '
out '^\(Y_0 [12]\.[0-9]+\)\)$'
check grep -q '^sat$' answer.txt
check python3 - <<'PY'
import re
got = dict(re.findall(r'\((\w+_\d+) ([^)]+)\)', open('answer.txt').read()))
a, b, y = float(got['X_0']), float(got['X_1']), float(got['Y_0'])
assert -1 <= a <= 1 and -1 <= b <= 1 and abs(max(a + b, 0) + max(a - b, 0) - y) < 1e-6 and y >= 1.5, got
PY
run 4 nigh verify net.onnx edge.vnnlib --timeout 5
out '^unknown$|^timeout$'
run 0 nigh verify net.onnx low.vnnlib --json
out '"verdict": "unsat"'
out '"proved": true'
for way in input relu; do
    run 0 nigh verify net.onnx safe.vnnlib --split $way --semantics f32
    out '^unsat$'
done
run 0 nigh verify net.onnx safe.vnnlib --fast
err 'rounding neglected'
gzip -k safe.vnnlib net.onnx && mkdir packed && mv safe.vnnlib.gz net.onnx.gz packed/
run 0 nigh verify packed/net.onnx packed/safe.vnnlib
out '^unsat$'

printf 'net.onnx,safe.vnnlib,20\nnet.onnx,unsafe.vnnlib,20\nnet.onnx,low.vnnlib,20\n' >list.csv
printf 'network,property,expected\nnet.onnx,safe.vnnlib,unsat\nnet.onnx,unsafe.vnnlib,sat\n' >known.csv
run 1 nigh verify --instances list.csv --expected known.csv --journal journal --report page.html -o verdicts.csv
out '^net.onnx +safe.vnnlib +unsat '
out '3 instances: 2 unsat, 1 sat, 0 timeout.*0 of 2 verdicts that are known are contradicted'
check grep -q 'Instances decided against time' page.html
check grep -q 'net.onnx,.*unsafe.vnnlib,sat,sat,' verdicts.csv
run 1 nigh verify --instances list.csv --journal journal
err '3 of 3 verdicts are in journal'
printf 'network,property,expected\nnet.onnx,safe.vnnlib,sat\n' >lie.csv
run 1 nigh verify --instances list.csv --expected lie.csv --only safe --json
out '"wrong": 1'

run 2 nigh verify odd.onnx safe.vnnlib
err 'NonMaxSuppression'
run 2 nigh verify product.onnx safe.vnnlib
err "layer 'r' \(mul\)"
run 2 nigh verify wrong.onnx safe.vnnlib
err 'wrong.onnx'
printf '(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= Y_0 0))' >few.vnnlib
run 2 nigh verify net.onnx few.vnnlib
err 'the property speaks of 1 inputs \(X_0 .. X_0\), the network has 2'
property empty.vnnlib 1 -1 '(>= Y_0 2)'
run 2 nigh verify net.onnx empty.vnnlib
err 'empty'
printf '(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= Y_0 0))' >open.vnnlib
run 2 nigh verify net.onnx open.vnnlib
err 'X_1'
run 2 nigh verify net.onnx
err "a property is missing beside 'net.onnx'"
run 2 nigh verify net.onnx safe.vnnlib --semantics f16
err "--semantics is 'f16'; real or f32 is allowed"
run 2 nigh verify nothing.onnx safe.vnnlib
err 'nothing.onnx'
run 2 nigh verify --instances known.csv
err 'known.csv'
