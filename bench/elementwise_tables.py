"""Writes src/tensor/elementwise_tables.h, the numbers of the elementwise kernels (needs mpmath):

    python3 bench/elementwise_tables.py > src/tensor/elementwise_tables.h

Polynomials interpolate at Chebyshev's nodes, in 60 digits; their worst errors before rounding go to standard error, relative to the function."""
import struct
import sys

import mpmath as mp

mp.mp.dps = 60


def fit(f, low, high, degree, about=None):
    """Powers of x - about."""
    middle, half = (low + high) / 2, (high - low) / 2
    about = middle if about is None else about
    nodes = [middle + half * mp.cos(mp.pi * (2 * k + 1) / (2 * degree + 2)) for k in range(degree + 1)]
    a = mp.matrix(degree + 1, degree + 1)
    for i, x in enumerate(nodes):
        for j in range(degree + 1):
            a[i, j] = (x - about) ** j
    c = mp.lu_solve(a, mp.matrix([f(x) for x in nodes]))
    return [c[j] for j in range(degree + 1)]


def value(c, x):
    return sum(c[j] * x ** j for j in range(len(c)))


def rounded(x, single):
    if not single:
        return float(x)
    best = struct.unpack('f', struct.pack('f', float(x)))[0]
    return best


def text(x, single):
    return float(x).hex().replace('0000000p', 'p') + ('f' if single else '')


def array(name, c, single):
    kind = 'float' if single else 'double'
    rows, row = [], ''
    for k in c:
        item = text(rounded(k, single), single) + ', '
        if len(row) + len(item) > 130:
            rows.append(row.rstrip())
            row = ''
        row += item
    rows.append(row.rstrip(', '))
    print(f'_Alignas(64) static const {kind} {name}[{len(c)}] = {{' + '\n    '.join(rows) + '};')


def report(what, worst):
    print(f'{what}: {mp.nstr(worst, 3)}', file=sys.stderr)


def exponential(name, degree, single):
    """exp(r) = 1 + r + r^2 q(r)."""
    end = mp.log(2) / 2 * mp.mpf('1.002')
    q = lambda r: (mp.exp(r) - 1 - r) / r ** 2 if abs(r) > mp.mpf(10) ** -18 else mp.mpf(1) / 2 + r / 6
    c = fit(q, -end, end, degree, mp.mpf(0))
    report(name, max(abs(x * x * (value(c, x) - q(x)) / mp.expm1(x)) for x in mp.linspace(-end, end, 61) if x))
    array(name, c, single)


def logarithm(name, degree, single):
    """log((1 + s) / (1 - s)) = 2 s + s z R(z), z = s^2, |s| <= 1/5."""
    end = mp.mpf('0.2001') ** 2
    r = lambda z: (mp.log((1 + mp.sqrt(z)) / (1 - mp.sqrt(z))) / mp.sqrt(z) - 2) / z if z > mp.mpf(10) ** -18 else mp.mpf(2) / 3
    c = fit(r, mp.mpf(0), end, degree, mp.mpf(0))
    report(name, max(abs(z * (value(c, z) - r(z)) / 2) for z in mp.linspace(0, end, 61)))
    array(name, c, single)


def pieces(name, f, degree):
    """Sixteen pieces of f on [0, 15), chosen by the last exponent bits and the first two mantissa bits of 1 + a."""
    table, worst, scale = [[0] * 16 for _ in range(degree + 2)], 0, 0
    for exponent in range(4):
        for quarter in range(4):
            low = mp.mpf(2) ** exponent * (1 + mp.mpf(quarter) / 4) - 1
            high = mp.mpf(2) ** exponent * (1 + mp.mpf(quarter + 1) / 4) - 1
            i = ((127 + exponent) * 4 + quarter) % 16
            about = (low + high) / 2
            c = fit(f, low, high, degree, about)
            table[0][i] = about
            for j in range(degree + 1):
                table[j + 1][i] = c[j]
            worst = max([worst] + [abs(value(c, x - about) - f(x)) / max(abs(f(x)), mp.mpf('0.1')) if f != tail else abs(value(c, x - about) / f(x) - 1)
                                   for x in mp.linspace(low, high, 21)])
    report(name, worst)
    print(f'_Alignas(64) static const float {name}[{degree + 2}][16] = {{')
    for row in table:
        items = [text(rounded(x, True), True) for x in row]
        print('    {' + ', '.join(items[:8]) + ',\n     ' + ', '.join(items[8:]) + '},')
    print('};')


def two(name, x, bits, single):
    """x as two positive numbers, the first of so many bits."""
    unit = mp.mpf(2) ** (mp.floor(mp.log(x, 2)) + 1 - bits)
    first = mp.floor(x / unit) * unit
    array(name, [first, x - first], single)


peak = 1 / mp.sqrt(2 * mp.pi)
tail = lambda a: mp.erfc(a / mp.sqrt(2)) * mp.exp(a * a / 2) / 2
slope = lambda a: tail(a) - a * peak

print('/* Written by bench/elementwise_tables.py; do not edit. */')
print('#ifndef NIGH_TENSOR_ELEMENTWISE_TABLES_H\n#define NIGH_TENSOR_ELEMENTWISE_TABLES_H\n')
print('/* exp(r) = 1 + r + r^2 q(r), |r| <= log(2) / 2; log((1 + s) / (1 - s)) = 2 s + s^3 R(s^2), |s| <= 1/5; log(2) as two numbers. */')
exponential('exp_q_f32', 4, True)
exponential('exp_q_f64', 10, False)
logarithm('log_r_f32', 2, True)
logarithm('log_r_f64', 7, False)
two('log_two_f32', mp.log(2), 15, True)
two('log_two_f64', mp.log(2), 41, False)
print('\n/* Row 0: middles of pieces; then coefficients of exp(a^2/2) Phi(-a), and of that less a / sqrt(2 pi). */')
pieces('gelu_tail', tail, 6)
pieces('gelu_bend', slope, 5)
print('#endif')
