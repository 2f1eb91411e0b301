"""Writes special_values.h: reference values of nigh/special.h to 20 digits, by mpmath (50 digits). Run: python3 make_special.py > special_values.h"""
import random
from mpmath import mp, mpf
import mpmath as m

mp.dps = 50
random.seed(1)
rows = []


def add(name, value, *args):
    value = mpf(value)
    if value == 0 or abs(value) < mpf(10) ** -290 or not mp.isfinite(value):
        return
    args = list(args) + [0.0] * (3 - len(args))
    rows.append('    {%s, {%s}, %s},' % (name, ', '.join(repr(float(a)) for a in args), m.nstr(value, 20)))


def dyadic(low, high):
    """A double, so that the exact argument is what C reads."""
    return float(random.uniform(low, high))


def gammainc(a, x, upper):
    return m.gammainc(a, x, m.inf, regularized=True) if upper else m.gammainc(a, 0, x, regularized=True)


def beta(a, b, x, upper):
    """I_x(a,b) by the hypergeometric series on the side where it converges fast."""
    a, b, x = mpf(a), mpf(b), mpf(x)

    def part(a, b, x):
        return x**a * (1 - x)**b / (a * m.beta(a, b)) * m.hyp2f1(1, a + b, a + 1, x)
    if x < (a + 1) / (a + b + 2):
        low = part(a, b, x)
        return 1 - low if upper else low
    high = part(b, a, 1 - x)
    return high if upper else 1 - high


for x in [-37.0, -20.5, -8.1, -3.3, -1.0, -1e-3, 0.0, 0.5, 2.0, 6.0]:
    add('NORMAL_CDF', m.erfc(-mpf(x) / m.sqrt(2)) / 2, x)
for x in [-300.0, -40.0, -29.5, -5.0, 0.3, 4.0, 9.0]:
    add('NORMAL_LOG_CDF', m.log(m.erfc(-mpf(x) / m.sqrt(2)) / 2), x)
for p in [1e-280, 1e-100, 1e-20, 1e-5, 0.01, 0.05, 0.09, 0.11, 0.3, 0.49, 0.4999999, 0.51, 0.7, 0.95, 0.975, 0.999]:
    if p > 1e-30:
        z = m.sqrt(2) * m.erfinv(2 * mpf(p) - 1)
    else:
        z = m.findroot(lambda t: m.log(m.erfc(-t / m.sqrt(2)) / 2) - m.log(mpf(p)), -m.sqrt(-2 * m.log(mpf(p))))
    add('NORMAL_QUANTILE', z, p)
for y in [1e-12, 0.1, 0.5, -0.79, 0.81, 0.999]:
    add('ERF_INVERSE', m.erfinv(mpf(y)), y)
for x in [1e-8, 0.3, 1.4, 1.4616, 1.47, 3.5, 20.0, 1e5, -0.4, -3.7]:
    add('DIGAMMA', m.digamma(mpf(x)), x)
    add('TRIGAMMA', m.psi(1, mpf(x)), x)
for a, b in [(0.01, 0.3), (2.5, 3.5), (30.0, 0.7), (1e5, 12.5), (1e6, 2e6), (5.0, 5000.0)]:
    add('LBETA', m.log(m.beta(mpf(a), mpf(b))), a, b)
for n, k in [(10.0, 3.0), (1e6, 5.0), (1e6, 5e5), (52.5, 7.25)]:
    add('LCHOOSE', m.log(m.binomial(mpf(n), mpf(k))), n, k)
for a in [1e-3, 0.2, 0.9, 1.0, 3.7, 15.0, 120.0, 2500.0]:
    for f in [0.02, 0.6, 0.97, 1.2, 2.5]:
        x = a * f
        for upper, name in ((False, 'GAMMA_P'), (True, 'GAMMA_Q')):
            value = gammainc(mpf(a), mpf(x), upper)
            if upper is False and value > 0.9 or upper and value > 0.9:
                pass
            add(name, value, a, x)
for a, b in [(0.01, 0.5), (0.5, 0.5), (1.0, 7.0), (2.5, 40.0), (60.0, 1.0), (300.0, 100.0), (20.0, 6000.0), (4000.0, 5000.0)]:
    for f in [0.05, 0.5, 0.95, 1.0, 1.1, 1.6]:
        x = float(a / (a + b) * f)
        if 0 < x < 1:
            add('BETA_P', beta(a, b, x, False), a, b, x)
            add('BETA_Q', beta(a, b, x, True), a, b, x)
for n, p, k in [(10, 0.3, 4), (1000, 0.01, 0), (1000, 0.01, 30), (10**6, 0.25, 250500), (50, 0.999, 50)]:
    p_ = mpf(p)
    add('BINOMIAL_MASS', m.binomial(n, k) * p_**k * (1 - p_)**(n - k), n, p, k)
for mean, k in [(0.1, 0), (3.7, 9), (500.0, 420), (1e5, 100100)]:
    add('POISSON_MASS', m.exp(k * m.log(mpf(mean)) - mean - m.loggamma(k + 1)), mean, k)
for f, t in [(1.0, 3.0), (2.5, -1.7), (30.0, 0.01), (30.0, 8.0), (1e4, 2.0)]:
    f_, t_ = mpf(f), mpf(t)
    tail = beta(f_ / 2, mpf(1) / 2, f_ / (f_ + t_ * t_), False) / 2
    add('STUDENT_TAIL', tail if t >= 0 else 1 - tail, f, t)
for f1, f2, x in [(1.0, 5.0, 3.0), (12.0, 7.0, 0.2), (100.0, 200.0, 1.5)]:
    add('F_TAIL', beta(f1 / 2, f2 / 2, mpf(f1) * mpf(x) / (mpf(f1) * mpf(x) + f2), True), f1, f2, x)
for x in [-1e-9, -0.3, 1e-5, 0.25, 0.39, 3.0]:
    add('LOG1PMX', m.log1p(mpf(x)) - mpf(x), x)

print('/* Made by make_special.py with mpmath: {function, arguments, value}. */')
print('\n'.join(rows))
