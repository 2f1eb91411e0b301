# shellcheck shell=bash
# Classifiers with proofs: trained, written, measured again; bad input.
run 0 nigh verify train --help
out 'nigh verify train DATA --radius E'
run 0 nigh verify tightness --help
out 'nigh verify tightness NETWORK DATA'

run 0 nigh verify train glyphs:300 --radius 0.02 --network mlp:24 --epochs 4 --seed 1 --threads 1 -o net.onnx --report page.html --radii 0.01 --widths 0.5
out '^ibp +R 0.03 +[0-9]+ weights: .* certified; tightness'
check test "$(grep -c '^ibp' "$stdout")" = 3
check grep -q 'A classifier with proofs' page.html
check grep -q 'What width gives' page.html
run 0 nigh verify tightness net.onnx glyphs:300 --radius 0.02 --threads 1
out '^60 samples, every input moved by at most 0.02'
out '^  certified '
out 'signs off s t\^T'

# What training printed and what is measured again on the file agree; figures are in order.
run 0 nigh verify train glyphs:300 --radius 0.02 --method standard --network conv:3,4+16 --epochs 3 --seed 1 --threads 1 -o net.safetensors --json
check python3 -c 'import json, sys; r = json.load(open(sys.argv[1]))["runs"][0]; json.dump(r, open("first.json", "w")); assert r["intervals"] <= r["certified"] <= r["attacked"] <= r["standard"] and 0 < r["tightness"] <= 1' "$stdout"
run 0 nigh verify tightness net.safetensors glyphs:300 --radius 0.02 --threads 1 --linear --json
check python3 -c 'import json, sys; a, b = json.load(open("first.json")), json.load(open(sys.argv[1])); assert all(abs(a[k] - b[k]) < 1e-12 for k in ("standard", "intervals", "certified", "tightness")) and b["linear_tightness"] > 0 and len(b["layers"]) == 2' "$stdout"

# Samples from files; small boxes around attacks; the weights of a file.
python3 - <<'PY'
import random, struct, zipfile
random.seed(1)
def npy(shape, kind, values):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    head += ' ' * ((-len(head) - 11) % 64) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + struct.pack('<%d%s' % (len(values), 'f' if kind == '<f4' else 'q'), *values)
x, y = [], []
for i in range(60):
    y.append(i % 2)
    x += [0.5 + (0.4 if i % 2 else -0.4) * random.random() for _ in range(5)]
def write(path, **arrays):
    with zipfile.ZipFile(path, 'w') as file:
        for name, data in arrays.items():
            file.writestr(name + '.npy', data)
write('two.npz', x=npy((60, 5), '<f4', x), y=npy((60,), '<i8', y))
write('wide.npz', x=npy((60, 5), '<f4', [4 * v for v in x]), y=npy((60,), '<i8', y))
write('odd.npz', x=npy((60, 5), '<f4', x), y=npy((60,), '<i8', [-1] + y[1:]))
write('short.npz', x=npy((60, 5), '<f4', x))
PY
run 0 nigh verify train two.npz --radius 0.05 --method sabr --lambda 0.5 --network mlp:8,8 --epochs 5 --threads 1 -o two.safetensors
run 0 nigh verify train two.npz --radius 0.05 --network two.safetensors --keep-weights --epochs 2 --threads 1 -o again.safetensors
run 0 nigh verify train two.npz --radius 0.05 --network two.safetensors --keep-weights --epochs 2 --threads 1 -o twice.safetensors
check cmp again.safetensors twice.safetensors

run 2 nigh verify train two.npz --radius 0.05
err 'where the network goes'
run 2 nigh verify train two.npz --radius 0 -o n.onnx
err 'radius is 0; above 0 and at most half the range'
run 2 nigh verify train two.npz --radius 0.6 -o n.onnx
err 'radius is 0.6'
run 2 nigh verify train two.npz --radius 0.1 --train-radius 0.7 -o n.onnx
err 'radius is 0.7'
run 2 nigh verify train two.npz --radius 0.1 --low 1 -o n.onnx
err 'not below --high'
run 2 nigh verify train two.npz --radius 0.1 --method crown -o n.onnx
err "method is 'crown'; ibp, sabr, standard or pgd"
run 2 nigh verify train two.npz --radius 0.1 --network mlp:0 -o n.onnx
err "network is 'mlp:0'"
run 2 nigh verify train two.npz --radius 0.1 --network conv:4 -o n.onnx
err 'needs images'
run 2 nigh verify train two.npz --radius 0.1 --radii 0.1,x -o n.onnx
err "radii is '0.1,x'"
run 2 nigh verify train two.npz --radius 0.1 --network two.safetensors --widths 2 --epochs 1 -o n.onnx
err 'widths goes with mlp'
run 2 nigh verify train wide.npz --radius 0.1 -o n.onnx
err 'the range of the data is 0 to 1'
run 2 nigh verify train odd.npz --radius 0.1 -o n.onnx
err 'label 0 is -1'
run 2 nigh verify train short.npz --radius 0.1 -o n.onnx
err "array 'y' is missing"
run 2 nigh verify train glyphs:3 --radius 0.1 -o n.onnx
err 'takes 10 to 100000'
run 2 nigh verify train nothing.npz --radius 0.1 -o n.onnx
err 'No such file'
run 2 nigh verify train --radius 0.1 -o n.onnx
err 'DATA is missing'
run 2 nigh verify tightness two.safetensors glyphs:300 --radius 0.1
err 'takes 5 numbers a sample; the data has 196'
run 2 nigh verify tightness two.safetensors --radius 0.1
err 'DATA is missing'
run 2 nigh verify tightness two.npz two.npz --radius 0.1
err 'two.npz'
