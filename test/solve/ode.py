"""Prints the figures of test_ode.c that come from SciPy: python3 ode.py"""
import numpy as np
from scipy.integrate import solve_ivp

def pendulum(t, y):
    return [y[1], -np.sin(y[0]) - 0.1 * y[1] + 0.2 * np.cos(t)]

times = [0, 0.3, 1.7, 4.0, 10.0]
pair = solve_ivp(pendulum, (0, 10), [1.2, -0.4], method="RK45", rtol=1e-6, atol=1e-9, t_eval=times)
best = solve_ivp(pendulum, (0, 10), [1.2, -0.4], method="DOP853", rtol=1e-13, atol=1e-15, t_eval=times)
steps = solve_ivp(pendulum, (0, 10), [1.2, -0.4], method="RK45", rtol=1e-6, atol=1e-9)
print("calls", steps.nfev, "steps", len(steps.t) - 1)
for name, s in (("RK45", pair), ("DOP853", best)):
    print(name)
    for row in s.y.T:
        print("    {%.17g, %.17g}," % tuple(row))
