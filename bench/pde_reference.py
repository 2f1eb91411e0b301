"""The equations of docs/equations.md solved by other means, from their statement alone: NumPy and SciPy, nothing of nigh.

    python bench/pde_reference.py check EQUATION data.npz [--set viscosity=1e-3]
        largest and mean relative difference of outputs in the file and answers computed here
    python bench/pde_reference.py receipt EQUATION data.npz plan.nigh [--set ...] [--nigh build/nigh]
        the plan's errors on the file's inputs, measured against answers computed here, beside the figures of its receipt

Make data.npz with `nigh sample EQUATION --grid N --n 500 --seed S -o data.npz` (a seed that the plan was not made with).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np


def darcy(a, _settings):
    """-div(a grad u) = 1 on cells, u = 0 on the edge half a cell away; harmonic means on faces."""
    return np.stack([elliptic(x, np.ones_like(x)) for x in a])


def poisson(f, _settings):
    return np.stack([elliptic(np.ones_like(x), x) for x in f])


def elliptic(a, f):
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import spsolve
    n = len(a)
    index = np.arange(n * n).reshape(n, n)
    rows, columns, values = [], [], []
    diagonal = np.zeros((n, n))
    for axis in (0, 1):
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(0, n - 1), slice(1, n)
        p, q = a[tuple(low)], a[tuple(high)]
        face = 2 * p * q / (p + q)
        diagonal[tuple(low)] += face
        diagonal[tuple(high)] += face
        for x, y in ((low, high), (high, low)):
            rows.append(index[tuple(x)].ravel()), columns.append(index[tuple(y)].ravel()), values.append(-face.ravel())
        for edge in (0, n - 1):
            at = [slice(None)] * 2
            at[axis] = edge
            diagonal[tuple(at)] += 2 * a[tuple(at)]
    rows.append(index.ravel()), columns.append(index.ravel()), values.append(diagonal.ravel())
    matrix = coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))).tocsc() * n * n
    return spsolve(matrix, f.ravel()).reshape(n, n)


def march(spectrum, linear, nonlinear, time, steps):
    """Runge-Kutta's fourth order with the integrating factor exp(linear t)."""
    h = time / steps
    half, whole = np.exp(linear * h / 2), np.exp(linear * h)
    for _ in range(steps):
        k1 = nonlinear(spectrum)
        k2 = nonlinear(half * (spectrum + h / 2 * k1))
        k3 = nonlinear(half * spectrum + h / 2 * k2)
        k4 = nonlinear(whole * spectrum + h * half * k3)
        spectrum = whole * spectrum + h / 6 * (whole * k1 + 2 * half * (k2 + k3) + k4)
    return spectrum


def burgers(u, settings):
    n = u.shape[-1]
    nu = float(settings.get("viscosity", 0.01))
    k = np.fft.rfftfreq(n, 1 / n)
    keep = k < n / 3 + 1e-9

    def nonlinear(v):
        x = np.fft.irfft(keep * v, n)
        return keep * (-0.5j * 2 * np.pi * k * np.fft.rfft(x * x))
    steps = int(settings.get("steps", 40 * n))
    return np.fft.irfft(march(np.fft.rfft(u), -nu * (2 * np.pi * k) ** 2, nonlinear, 1.0, steps), n)


def navier_stokes(w, settings):
    """x is the first index; u = d psi / dy, v = -d psi / dx, -Laplace psi = w."""
    n = w.shape[-1]
    nu = float(settings.get("viscosity", 1e-3))
    k = np.fft.fftfreq(n, 1 / n)[:, None] * np.ones(n // 2 + 1)
    l = np.ones(n)[:, None] * np.fft.rfftfreq(n, 1 / n)
    square = (2 * np.pi) ** 2 * (k * k + l * l)
    inverse = np.where(square > 0, 1 / np.where(square > 0, square, 1), 0)
    keep = (np.abs(k) < n / 3 + 1e-9) & (l < n / 3 + 1e-9)
    x = np.arange(n)[:, None] / n + np.arange(n) / n
    force = np.fft.rfft2(0.1 * (np.sin(2 * np.pi * x) + np.cos(2 * np.pi * x)))
    dx, dy = 2j * np.pi * k, 2j * np.pi * l

    def nonlinear(v):
        v = keep * v
        psi = inverse * v
        back = [np.fft.irfft2(f, s=(n, n)) for f in (dy * psi, -dx * psi, dx * v, dy * v)]
        return force - keep * np.fft.rfft2(back[0] * back[2] + back[1] * back[3])
    steps = int(settings.get("steps", 800))
    return np.fft.irfft2(march(np.fft.rfft2(w), -nu * square, nonlinear, 1.0, steps), s=(n, n))


EQUATIONS = {"darcy": darcy, "poisson": poisson, "burgers": burgers, "navier-stokes": navier_stokes}


def errors(exact, answer):
    n = len(exact)
    return np.linalg.norm((answer - exact).reshape(n, -1), axis=1) / np.linalg.norm(exact.reshape(n, -1), axis=1)


def apply_plan(nigh, plan, inputs):
    with tempfile.TemporaryDirectory() as folder:
        there, back = os.path.join(folder, "in.npy"), os.path.join(folder, "out.npy")
        np.save(there, inputs)
        subprocess.run([nigh, "apply", plan, there, "-o", back], check=True)
        return np.load(back)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "receipt"])
    parser.add_argument("equation", choices=EQUATIONS)
    parser.add_argument("data")
    parser.add_argument("plan", nargs="?")
    parser.add_argument("--set", default="")
    parser.add_argument("--nigh", default="build/nigh")
    args = parser.parse_args()
    settings = dict(item.split("=") for item in args.set.split(",") if item)
    data = np.load(args.data)
    exact = np.concatenate([EQUATIONS[args.equation](part, settings) for part in np.array_split(data["inputs"], max(1, len(data["inputs"]) // 50))])
    if args.what == "check":
        e = errors(exact, data["outputs"])
        print(f"{args.equation}, {len(e)} samples of {exact.shape[1:]}: outputs of the file differ from answers computed here by {e.max():.3g} at most, {e.mean():.3g} in the mean")
        return 0
    e = errors(exact, apply_plan(args.nigh, args.plan, data["inputs"]))
    receipt = json.loads(subprocess.run([args.nigh, "receipt", args.plan, "--json"], check=True, capture_output=True, text=True).stdout)
    bound = receipt["mean"]["high"]
    mean = np.minimum(e, receipt["clip"]).mean()
    clipped = np.minimum(e, receipt["clip"])
    error = 1.64 * clipped.std() / np.sqrt(len(e))  # of this check itself, one-sided 95%
    holds = mean - error <= bound
    print(f"{args.equation}: mean error on {len(e)} fresh inputs {mean:.4g} (+-{error:.2g}), the receipt says at most {bound:.4g}: {'holds' if holds else 'DOES NOT HOLD'}; p95 {np.quantile(e, 0.95):.4g}, worst {e.max():.4g}")
    return 0 if holds else 1



if __name__ == "__main__":
    sys.exit(main())
