# shellcheck shell=bash
# Proved Lipschitz constants of networks.
cat >make_lipschitz.py <<'PY'
import json, random, struct, sys
# linear layers of the sizes given with KIND between them
random.seed(1)
kind, path, sizes, group = sys.argv[1], sys.argv[2], [int(a) for a in sys.argv[3].split(',')], int(sys.argv[4])
shapes, layers = {}, []
def layer(kind, name, inputs, weights=(), attributes=()):
    layers.append({'kind': kind, 'name': name, 'inputs': list(inputs), 'weights': list(weights), 'attributes': list(attributes)})
layer('input', 'x', [])
for k in range(len(sizes) - 1):
    shapes['w%d' % k] = [sizes[k], sizes[k + 1]]
    layer('linear', 'l%d' % k, [len(layers) - 1], [k])
    if k < len(sizes) - 2:
        layer(kind, 'a%d' % k, [len(layers) - 1], [], [{'key': 'group', 'value': group}] if kind == 'group-sort' else [])
net = {'dtype': 'f32', 'inputs': [{'layer': 0, 'dtype': 'f32', 'shape': [-1, sizes[0]]}], 'outputs': [len(layers) - 1],
       'weights': [{'name': k, 'init': 'zero', 'scale': 0, 'rate': 1, 'decay': 1, 'frozen': False} for k in shapes], 'layers': layers}
header, data = {'__metadata__': {'format': 'nigh-network', 'version': '1', 'network': json.dumps(net)}}, b''
for name, shape in shapes.items():
    n = shape[0] * shape[1]
    header[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [len(data), len(data) + 4 * n]}
    data += struct.pack('<%df' % n, *[random.gauss(0, shape[0] ** -0.5) for _ in range(n)])
text = json.dumps(header).encode()
text += b' ' * (-len(text) % 8)
open(path, 'wb').write(struct.pack('<Q', len(text)) + text + data)
PY
python3 make_lipschitz.py relu relu.nigh 12,16,16,16,3 2
run 0 nigh verify lipschitz --help
out 'usage: nigh verify lipschitz NETWORK'
run 0 nigh verify lipschitz relu.nigh
out '^bound +[0-9.]+ +proved: \|f\(x\) - f\(y\)\|_2 <= bound \|x - y\|_2'
out '^sampled'
out '^product'
out '^program +49 multipliers, order 60'
run 0 nigh verify lipschitz relu.nigh --json
check python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["sampled"] <= d["bound"] < 0.7 * d["product"] and d["lower"] <= d["bound"] <= 1.001 * d["lower"] and d["pieces"] == 1 and not d["early"]' "$stdout"
run 0 nigh verify lipschitz relu.nigh --split 1 -o cuts.html
out '^cut +into 2 parts'
check grep -q 'What seconds buy' cuts.html
run 0 nigh verify lipschitz relu.nigh --norm inf -o outputs.html --samples 0
out '^output +bound'
check grep -q 'How far each output can move' outputs.html
run 0 nigh verify lipschitz relu.nigh --norm inf --pair 0,2 --json
check python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert len(d["each"]) == 1 and d["sampled"] <= d["bound"]' "$stdout"
run 0 nigh verify lipschitz relu.nigh --output 1 --time 1e-9
out '^early'
# Sorted groups: as layers, and by what relus stand for.
python3 make_lipschitz.py max-min pairs.nigh 12,16,16,16,3 2
python3 make_lipschitz.py group-sort groups.nigh 12,16,16,16,3 4
run 0 nigh verify lipschitz pairs.nigh --json
cp "$stdout" pairs.json
run 0 nigh verify lipschitz relu.nigh --activation maxmin --json
check python3 -c 'import json, sys; a, b = (json.load(open(p)) for p in sys.argv[1:]); assert abs(a["bound"] / b["bound"] - 1) < 2e-3 and a["multipliers"] == b["multipliers"] == 25' "$stdout" pairs.json
run 0 nigh verify lipschitz groups.nigh
out '^program +13 multipliers'
run 0 nigh verify lipschitz relu.nigh --activation groupsort --group 4
out '^program +13 multipliers'

run 2 nigh verify lipschitz
err 'which network'
run 2 nigh verify lipschitz nothing.onnx
err 'nothing.onnx'
run 2 nigh verify lipschitz make_lipschitz.py
run 2 nigh verify lipschitz relu.nigh --norm 1
err "norm is '1'; 2 and inf"
run 2 nigh verify lipschitz relu.nigh --activation swish
err "swish.*file, maxmin and groupsort"
run 2 nigh verify lipschitz relu.nigh --activation groupsort --group 5
err 'groups of 5 do not divide its width 16'
run 2 nigh verify lipschitz relu.nigh --group 4
err 'group belongs to'
run 2 nigh verify lipschitz relu.nigh --pair 0,0
err "pair is '0,0'"
run 2 nigh verify lipschitz relu.nigh --output 3
err 'output 3; the network has 3'
run 2 nigh verify lipschitz relu.nigh --norm inf --split 1
err 'cut into parts'
run 2 nigh verify lipschitz relu.nigh --norm inf --most 10
err '60 inputs and units'
python3 make_lipschitz.py exp exp.nigh 4,4,4 2
run 2 nigh verify lipschitz exp.nigh
err "a0"
