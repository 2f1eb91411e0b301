# shellcheck shell=bash
# How fast outputs can change in a box. The networks are written here: x [1, n] -> Gemm -> activation -> Gemm.
cat >net.py <<'END'
import random, struct, sys
name, kind = sys.argv[1], sys.argv[2]
def key(n, wire): return bytes([n << 3 | wire])
def varint(v):
    out = b""
    while v > 127: out, v = out + bytes([v & 127 | 128]), v >> 7
    return out + bytes([v])
def part(n, b): return key(n, 2) + varint(len(b)) + b
def text(n, s): return part(n, s.encode())
def number(n, v): return key(n, 0) + varint(v)
def tensor(name, dims, values): return part(5, b"".join(number(1, d) for d in dims) + number(2, 1) + text(8, name) + part(9, struct.pack("<%df" % len(values), *values)))
def value(n, name, dims): return part(n, text(1, name) + part(2, part(1, number(1, 1) + part(2, b"".join(part(1, number(1, d)) for d in dims)))))
def node(op, ins, out): return part(1, b"".join(text(1, i) for i in ins) + text(2, out) + text(3, "at_" + out) + text(4, op))
random.seed(5)
sizes = (3, 12, 2)
w = [[random.gauss(0, 1) for _ in range(a * b)] for a, b in zip(sizes, sizes[1:])]
if kind == "rises":
    w[0][:12], w[1] = [abs(v) for v in w[0][:12]], [abs(v) for v in w[1]]
op = kind if kind != "rises" else "Relu"
graph = node("Gemm", ["x", "w0", "b0"], "h") + node(op, ["h"], "a") + node("Gemm", ["a", "w1", "b1"], "y") + text(2, "g")
for i in (0, 1):
    graph += tensor("w%d" % i, [sizes[i], sizes[i + 1]], w[i]) + tensor("b%d" % i, [sizes[i + 1]], [0.1] * sizes[i + 1])
graph += value(11, "x", [1, 3]) + value(12, "y", [1, 2])
open(name, "wb").write(number(1, 8) + part(7, graph) + part(8, text(1, "") + number(2, 13)))
END
for kind in Relu Tanh rises Softmax; do check python3 net.py "$kind.onnx" "$kind"; done
printf '0.1,0.2,-0.3\n0.5,0.5,0.5\n' >x.csv
sed -i '1i a,b,c' x.csv

run 0 nigh verify local-lipschitz --help
out '^usage: nigh verify local-lipschitz NETWORK.onnx --at FILE'
run 0 nigh verify local-lipschitz Relu.onnx --at x.csv --row 1 --radius 0.3 --clip 0,1
out '^y0 +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +0'
out '^y1 '
out '^proved      no output of these changes by more than [0-9.]+ times the largest coordinate'
out '^unknown     [0-9]+ of 12 derivatives'
run 0 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.3 --splits --time 5 --json -o page.html
check python3 -c 'import json,sys; r=json.load(open(sys.argv[1]))["rows"]; assert len(r)==2; assert all(q["sampled"]<=q["bound"]*(1+1e-9) and q["bound"]<=q["unsplit"]<=q["product"]*(1+1e-9) and q["converged"] for q in r), r' "$stdout"
check grep -q 'steepest point found' page.html
# a margin is tighter than its two parts; intervals are not tighter than linear bounds
run 0 sh -c 'for w in "--class 0" "--class 1" "--margin 0,1"; do nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.3 $w --json; done >three.json'
check python3 -c 'import json; a,b,m=[json.loads(l)["rows"][0]["bound"] for l in open("three.json")]; assert m<=a+b'
run 0 sh -c 'for f in crown interval; do nigh verify local-lipschitz Tanh.onnx --at x.csv --radius 0.3 --class 1 --forward $f --norm 2 --json; done >two.json'
check python3 -c 'import json; a,b=[json.loads(l)["rows"][0]["bound"] for l in open("two.json")]; assert 0<a<=b*(1+1e-9)'
run 0 nigh verify local-lipschitz Tanh.onnx --at x.csv --radius 0.3 --norm 2
out '^note        bounds for --norm 2 are looser'

run 0 nigh verify local-lipschitz rises.onnx --at x.csv --radius 1 --monotone 0
out '^input 0 from -0.9 to 1.1, all others fixed$'
out '^y0 +rises; derivative within'
run '[014]' nigh verify local-lipschitz Relu.onnx --at x.csv --radius 2 --monotone 1 --class 0 --json
check python3 -c 'import json,sys; r=json.load(open(sys.argv[1]))["rows"]; assert r[0]["answer"] in ("rises","falls","neither","unknown")' "$stdout"

run 2 nigh verify local-lipschitz Relu.onnx --at x.csv
err '--at FILE and --radius E are needed'
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius -1
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --class 2
err '--class is 2; the network has outputs 0 to 1'
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --margin 1,1
err 'two different outputs'
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --margin 1
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --class 1 --all
err 'exclude each other'
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --row 2
err '--row is 2'
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --clip 0.9,1
err 'the box is empty: input 0'
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --norm 1
err "--norm is '1'; inf, 2 are allowed"
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --forward best
run 2 nigh verify local-lipschitz Relu.onnx --at x.csv --radius 0.1 --monotone 3
err '--monotone is 3; the network has inputs 0 to 2'
run 2 nigh verify local-lipschitz Softmax.onnx --at x.csv --radius 0.1
err '[Ss]oftmax'
run 2 nigh verify local-lipschitz net.py --at x.csv --radius 0.1
run 2 nigh verify local-lipschitz none.onnx --at x.csv --radius 0.1
printf 'a,b\n1,2\n' >short.csv
run 2 nigh verify local-lipschitz Relu.onnx --at short.csv --radius 0.1
err 'has 2 numbers; 3, or rows of so many, are needed'
