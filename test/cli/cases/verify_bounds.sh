# shellcheck shell=bash
# nigh verify bounds: ranges that hold, files, kinds, semantics, bad input.
cat >make.py <<'PY'
import json, struct, sys

def network(last):
    weights = [('w', [2, 3], [1, -2, 0.5, 3, 1, -1]), ('b', [3], [0.25, -1, 2]), ('v', [3, 2], [1, -1, 1, 2, 1, 0.5])]
    layers = [{'kind': 'input', 'name': 'x'}, {'kind': 'linear', 'name': 'first', 'inputs': [0], 'weights': [0, 1]}, {'kind': 'relu', 'name': 'bent', 'inputs': [1]},
              {'kind': 'linear', 'name': 'second', 'inputs': [2], 'weights': [2]}] + ([{'kind': last, 'name': 'end', 'inputs': [3]}] if last else [])
    for layer in layers:
        for key in ('inputs', 'weights', 'attributes'):
            layer.setdefault(key, [])
    inner = {'dtype': 'f32', 'inputs': [{'layer': 0, 'dtype': 'f32', 'shape': [-1, 2]}], 'outputs': [len(layers) - 1], 'layers': layers,
             'weights': [{'name': n, 'rate': 1, 'decay': 1, 'frozen': False, 'init': 'zero', 'scale': 0} for n, _, _ in weights]}
    header, data = {'__metadata__': {'format': 'nigh-network', 'version': '1', 'network': json.dumps(inner)}}, b''
    for name, shape, values in weights:
        packed = struct.pack('<%df' % len(values), *values)
        header[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + data

def npy(values):
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }" % len(values)
    text += ' ' * (117 - len(text)) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text.encode() + struct.pack('<%dd' % len(values), *values)

open('net.safetensors', 'wb').write(network(None))
open('soft.safetensors', 'wb').write(network('softmax'))
open('at.npy', 'wb').write(npy([0.5, -0.25]))
open('three.npy', 'wb').write(npy([1, 2, 3]))
PY
check python3 make.py
run 0 nigh verify bounds net.safetensors --low 0 --high 1 --kind interval
out '^proved for the real function of the stored weights$'
out '^0 +[-0-9.e]+ +[-0-9.e]+$'
for kind in interval crown optimised; do
    for semantics in real f32; do
        run 0 nigh verify bounds net.safetensors --at at.npy --radius 0.3 --clip -1,0.6 --kind $kind --semantics $semantics --json
        cp "$stdout" "bounds-$kind-$semantics.json"
    done
done
cat >look.py <<'PY'
import itertools, json
W, B, V = [[1, -2, 0.5], [3, 1, -1]], [0.25, -1, 2], [[1, -1], [1, 2], [1, 0.5]]
def f(x):
    h = [max(0, sum(x[i] * W[i][j] for i in range(2)) + B[j]) for j in range(3)]
    return [sum(h[j] * V[j][k] for j in range(3)) for k in range(2)]
grid = [[0.2 + 0.4 * i / 40 for i in range(41)], [-0.55 + 0.6 * i / 40 for i in range(41)]]
y = [f(x) for x in itertools.product(*grid)]
for k in range(2):
    least, most, width = min(v[k] for v in y), max(v[k] for v in y), {}
    for kind in ('interval', 'crown', 'optimised'):
        for semantics in ('real', 'f32'):
            r = json.load(open('bounds-%s-%s.json' % (kind, semantics)))
            assert r['kind'] == kind and r['proved'] is True
            assert r['low'][k] <= least + 1e-12 and r['high'][k] >= most - 1e-12, (kind, r, least, most)
            width[kind, semantics] = r['high'][k] - r['low'][k]
        assert width[kind, 'f32'] > width[kind, 'real']
    assert width['crown', 'real'] <= width['interval', 'real'] + 1e-12 and width['optimised', 'real'] <= width['crown', 'real'] + 1e-12
PY
check python3 look.py
run 0 nigh verify bounds net.safetensors --at at.npy --radius 0 --json
out '"low":\[2\.(5|4999999999)'
run 0 nigh verify bounds net.safetensors --low 0 --high 1 --fast
out '^rounding neglected: no proof$'
run 0 nigh verify bounds --help
out 'Exit: 0 done, 2 bad usage'
run 2 nigh verify bounds
err 'which network'
run 2 nigh verify bounds net.safetensors --low 0
err 'a box is needed: --low and --high, or --at and --radius'
run 2 nigh verify bounds net.safetensors --low 1 --high 0
err 'input 0 is within \[1, 0\]'
run 2 nigh verify bounds net.safetensors --low 0 --high high.npy
err "--high is neither a number nor a file of numbers: .*high.npy"
run 2 nigh verify bounds net.safetensors --low three.npy --high 4
err "--low: 'three.npy' has 3 numbers; the network has 2 inputs"
run 2 nigh verify bounds net.safetensors --at 0 --radius -1
err "--radius is '-1'; a number of 0 or more is needed"
run 2 nigh verify bounds net.safetensors --at 5 --radius 1 --clip 0,1
err '--clip leaves nothing of input 0'
run 2 nigh verify bounds net.safetensors --at 5 --radius 1 --clip 1
err "--clip is '1'; two numbers with a comma between are needed"
run 2 nigh verify bounds net.safetensors --low 0 --high 1 --kind exact
err "--kind is 'exact'; interval, crown and optimised are allowed"
run 2 nigh verify bounds net.safetensors --low 0 --high 1 --semantics f16
err "--semantics is 'f16'; real and f32 are allowed"
run 2 nigh verify bounds soft.safetensors --low 0 --high 1
err "layer 'end' \(softmax\): no bounds for it; it keeps the order of its inputs"
run 2 nigh verify bounds missing.onnx --low 0 --high 1
err 'missing.onnx'
run 4 nigh verify bounds net.safetensors --low -1e300 --high 1e300
err "can leave the range of f64"
