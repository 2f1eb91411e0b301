"""Operators on images and norms for onnx_random.py: each takes the graph and a value, and gives a value."""
import numpy as np

SINCE = {'Celu': 12, 'HardSwish': 14, 'Mish': 18, 'Gelu': 20, 'Round': 11, 'Einsum': 12, 'Trilu': 14, 'CumSum': 11, 'GroupNormalization': 21, 'LayerNormalization': 17, 'Range': 11, 'LessOrEqual': 12,
         'GreaterOrEqual': 12}


class Skip(Exception):
    """This operator does not go with that value."""


def norms(g, x):
    s = g.shape[x]
    op = g.pick(['LayerNormalization', 'BatchNormalization', 'InstanceNormalization', 'GroupNormalization', 'LpNormalization', 'MeanVarianceNormalization', 'LRN'])
    if SINCE.get(op, 0) > g.opset or len(s) < 2:
        raise Skip(op)
    c = s[1]
    eps = {'epsilon': 1e-3} if g.chance(0.5) else {}
    if op == 'LayerNormalization':
        axis = g.whole(1, len(s) - 1)
        dims = s[axis:]
        if np.prod(dims) < 3:
            raise Skip('small')
        return g.add(op, [x, g.tensor(g.weights(*dims))] + ([g.tensor(g.weights(*dims))] if g.chance(0.7) else []), axis=axis - (len(s) if g.chance(0.5) else 0), **eps)
    if op == 'BatchNormalization':
        return g.add(op, [x, g.tensor(g.weights(c)), g.tensor(g.weights(c)), g.tensor(g.weights(c)), g.tensor(g.weights(c, positive=True))], **eps)
    if op == 'LpNormalization':
        x = g.add('Add', [g.add('Abs', [x]), g.tensor(np.float32(0.1))])
        return g.add(op, [x], p=g.whole(1, 2), axis=g.whole(-len(s), len(s) - 1))
    if len(s) < 3 or (op in ('LRN', 'MeanVarianceNormalization') and len(s) != 4) or np.prod(s[2:]) < 4:
        raise Skip(op)
    if op == 'InstanceNormalization':
        return g.add(op, [x, g.tensor(g.weights(c)), g.tensor(g.weights(c))], **eps)
    if op == 'GroupNormalization':
        groups = g.pick([d for d in range(1, c + 1) if c % d == 0])
        return g.add(op, [x, g.tensor(g.weights(c)), g.tensor(g.weights(c))], num_groups=groups, **eps)
    if op == 'LRN':
        return g.add(op, [x], size=g.whole(1, 5), alpha=0.3, beta=0.6, bias=1.2)
    return g.add(op, [x])


def windows(g, s, dims, most=3):
    k = [g.whole(1, min(most, d)) for d in s[2:]]
    more = {}
    if g.chance(0.6):
        more['strides'] = [g.whole(1, 3) for _ in k]
    mode = g.whole(0, 4)
    if mode <= 1:
        more['pads'] = [g.whole(0, a - 1) for a in k] + [g.whole(0, a - 1) for a in k]
    elif mode == 2:
        more['auto_pad'] = g.pick(['SAME_UPPER', 'SAME_LOWER', 'VALID'])
    return k, more


def conv(g, x):
    s = g.shape[x]
    if not 3 <= len(s) <= 5:
        raise Skip('conv')
    k, more = windows(g, s, len(s) - 2)
    c, groups = s[1], g.pick([d for d in range(1, s[1] + 1) if s[1] % d == 0])
    if g.chance(0.3) and 'auto_pad' not in more:
        more['dilations'] = [g.whole(1, 2) for _ in k]
    out = groups * g.whole(1, 3)
    if out > 12:
        raise Skip('wide')
    w = g.tensor(g.weights(out, c // groups, *k, fan=c // groups * np.prod(k)))
    return g.add('Conv', [x, w] + ([g.tensor(g.weights(out))] if g.chance(0.6) else []), group=groups, kernel_shape=k if g.chance(0.7) else None, **more)


def conv_transpose(g, x):
    s = g.shape[x]
    if not 3 <= len(s) <= 5:
        raise Skip('conv')
    c = s[1]
    groups = g.pick([d for d in range(1, c + 1) if c % d == 0])
    k, stride = [g.whole(1, 3) for _ in s[2:]], [g.whole(1, 3) for _ in s[2:]]
    more = {'strides': stride}
    mode = g.whole(0, 3)
    if mode == 0:
        more['pads'] = [g.whole(0, a - 1) for a in k] + [g.whole(0, a - 1) for a in k]
    elif mode == 1:
        more['auto_pad'] = g.pick(['SAME_UPPER', 'SAME_LOWER', 'VALID'])
    if mode != 1 and g.chance(0.4):
        more['output_padding'] = [g.whole(0, t - 1) for t in stride]
    if g.chance(0.3):
        more['dilations'] = [g.whole(1, 2) for _ in k]
    w = g.tensor(g.weights(c, g.whole(1, 3), *k, fan=c // groups * np.prod(k)))
    out = groups * g.shape[w][1]
    return g.add('ConvTranspose', [x, w] + ([g.tensor(g.weights(out))] if g.chance(0.6) else []), group=groups, **more)


def pool(g, x):
    s = g.shape[x]
    if not 3 <= len(s) <= 5:
        raise Skip('pool')
    op = g.pick(['MaxPool', 'AveragePool', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'])
    if op[0] == 'G':
        return g.add(op, [x])
    k, more = windows(g, s, len(s) - 2)
    if g.opset >= 10 and g.chance(0.4) and 'auto_pad' not in more:
        more['ceil_mode'] = 1
    if op == 'AveragePool' and 'SAME' in more.get('auto_pad', '') and any(a < t for a, t in zip(k, more.get('strides', [1] * 9))):
        raise Skip('left open by the format')
    if op == 'AveragePool' and g.chance(0.5):
        more['count_include_pad'] = 1
    if op == 'MaxPool' and g.opset >= 10 and g.chance(0.3) and 'auto_pad' not in more:
        more['dilations'] = [g.whole(1, 2) for _ in k]
    if any(d * (a - 1) >= n for d, a, n in zip(more.get('dilations', [1] * 9), k, s[2:])):
        raise Skip('a window beyond the image')
    return g.add(op, [x], kernel_shape=k, **more)


def resize(g, x):
    s = g.shape[x]
    if len(s) < 3 or len(s) > 5 or g.opset < 11:
        raise Skip('resize')
    mode = g.pick(['nearest', 'linear', 'cubic'])
    if mode == 'cubic' and len(s) != 4:
        raise Skip('cubic')
    place = g.pick(['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel'] + (['half_pixel_symmetric'] if g.opset >= 19 else []))
    more = {'mode': mode, 'coordinate_transformation_mode': place}
    if mode == 'nearest':
        more['nearest_mode'] = g.pick(['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'])
    if mode == 'cubic' and g.chance(0.5):
        more['cubic_coeff_a'] = -0.5
    if mode == 'cubic' and g.chance(0.3):
        more['exclude_outside'] = 1
    empty = '' if g.opset >= 13 else g.tensor(np.zeros(0, np.float32), constant=False)
    if g.chance(0.5):
        sizes = s[:2] + [g.whole(1, 2 * d + 1) for d in s[2:]]
        return g.add('Resize', [x, empty, empty, g.ints(*sizes)], **more)
    scales = [1.0, 1.0] + [float(g.pick([1.0, 2.0, 3.0, 0.5, 1.5, 0.7])) for _ in s[2:]]
    return g.add('Resize', [x, empty, g.tensor(np.array(scales, np.float32))], **more)
