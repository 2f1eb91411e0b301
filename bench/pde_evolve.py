"""
An independent check of nigh's equations in time, from their statement alone: NumPy transforms, classical Runge-Kutta with tiny steps, every product of the equation as it is written.

    nigh sample navier-stokes --grid 64 --n 8 -o data.npz;  python3 pde_evolve.py navier-stokes data.npz [VISCOSITY]
    nigh sample burgers --grid 256 --n 8 -o data.npz;       python3 pde_evolve.py burgers data.npz [VISCOSITY]

Prints the largest relative difference between the outputs in the file and its own, and the seconds of a solve at the largest step that reaches 1e-6.
"""
import sys
import time

import numpy as np


def navier_stokes(w, viscosity, steps):
    """w_t + u w_x + v w_y = nu Laplace w + 0.1 (sin 2 pi (x + y) + cos 2 pi (x + y)), one unit of time; first index is x."""
    n = w.shape[0]
    k = np.fft.fftfreq(n, 1 / n)
    kx, ky = np.meshgrid(2j * np.pi * k, 2j * np.pi * k, indexing="ij")
    keep = (np.abs(kx) <= 2 * np.pi * ((n - 1) // 3) + 0.1) & (np.abs(ky) <= 2 * np.pi * ((n - 1) // 3) + 0.1)
    laplace = (kx**2 + ky**2).real
    inverse = np.where(laplace == 0, 0, -1 / np.where(laplace == 0, 1, laplace))
    x, y = np.meshgrid(np.arange(n) / n, np.arange(n) / n, indexing="ij")
    force = np.fft.fft2(0.1 * (np.sin(2 * np.pi * (x + y)) + np.cos(2 * np.pi * (x + y))))

    def back(z):
        return np.fft.ifft2(z).real

    def slope(z):
        psi = inverse * z
        transport = back(ky * psi) * back(kx * z) - back(kx * psi) * back(ky * z)
        return keep * (force - np.fft.fft2(transport)) + viscosity * laplace * z

    return back(runge_kutta(slope, keep * np.fft.fft2(w), steps))


def burgers(u, viscosity, steps):
    """u_t + u u_x = nu u_xx, one unit of time; the viscous part by its exact factor."""
    n = len(u)
    k = 2j * np.pi * np.fft.rfftfreq(n, 1 / n)
    keep = np.abs(k) <= 2 * np.pi * ((n - 1) // 3) + 0.1
    h = 1 / steps
    half = np.exp(0.5 * h * viscosity * (k**2).real)

    def slope(z):
        return -0.5 * keep * k * np.fft.rfft(np.fft.irfft(z, n) ** 2)

    z = keep * np.fft.rfft(u)
    for _ in range(steps):
        a = slope(z)
        b = slope(half * (z + 0.5 * h * a))
        c = slope(half * z + 0.5 * h * b)
        d = slope(half**2 * z + h * half * c)
        z = half**2 * z + h / 6 * (half**2 * a + 2 * half * (b + c) + d)
    return np.fft.irfft(z, n)


def runge_kutta(slope, z, steps):
    h = 1 / steps
    for _ in range(steps):
        a = slope(z)
        b = slope(z + 0.5 * h * a)
        c = slope(z + 0.5 * h * b)
        d = slope(z + h * c)
        z = z + h / 6 * (a + 2 * b + 2 * c + d)
    return z


def main():
    name, file = sys.argv[1], sys.argv[2]
    solve = {"navier-stokes": navier_stokes, "burgers": burgers}[name]
    viscosity = float(sys.argv[3]) if len(sys.argv) > 3 else {"navier-stokes": 1e-3, "burgers": 0.01}[name]
    data = np.load(file)
    inputs, outputs = data["inputs"].astype(float), data["outputs"].astype(float)
    tiny = 1024 if name == "navier-stokes" else 4096
    exact = [solve(x, viscosity, tiny) for x in inputs]
    distance = [np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in zip(exact, outputs)]
    print(f"{name} viscosity {viscosity:g}: {len(inputs)} samples of {inputs.shape[1:]}, largest relative difference {max(distance):.3g}")
    steps = 4
    while True:
        begin = time.perf_counter()
        with np.errstate(all="ignore"):
            answer = [solve(x, viscosity, steps) for x in inputs]
        seconds = (time.perf_counter() - begin) / len(inputs)
        error = max(np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in zip(exact, answer))
        if error < 1e-6 or steps >= tiny:
            break
        steps *= 2
    print(f"NumPy: {steps} steps, error {error:.2g}, {1e3 * seconds:.3g} ms a solve")


main()
