#!/usr/bin/env python3
"""A ball thrown in wind: range, apex height and flight time.

  projectile.py SPEED ANGLE DRAG WIND [RATE]

SPEED in m/s, ANGLE in degrees above the ground, DRAG = density * area * coefficient / (2 * mass) in 1/m, WIND along the
throw in m/s at 10 m height (it grows with height by the 1/7 power law); RATE is the number of time steps in a second (default 400).
Drag is quadratic in the speed relative to the air, air thins with height. Classical Runge-Kutta of order four; the
landing is found by Hermite interpolation in the last step. The three numbers are printed.
"""
import math
import sys

G = 9.80665


def rates(vx, vy, y, drag, wind):
    air = wind * (max(y, 0.0) / 10.0) ** (1.0 / 7.0)
    rx = vx - air
    speed = math.sqrt(rx * rx + vy * vy)
    k = drag * math.exp(-y / 8500.0) * speed
    return -k * rx, -G - k * vy


def throw(speed, angle, drag, wind, dt):
    x, y = 0.0, 0.0
    vx, vy = speed * math.cos(math.radians(angle)), speed * math.sin(math.radians(angle))
    t, apex = 0.0, 0.0
    while t < 1000.0:
        ax1, ay1 = rates(vx, vy, y, drag, wind)
        ux2, uy2 = vx + dt / 2 * ax1, vy + dt / 2 * ay1
        ax2, ay2 = rates(ux2, uy2, y + dt / 2 * vy, drag, wind)
        ux3, uy3 = vx + dt / 2 * ax2, vy + dt / 2 * ay2
        ax3, ay3 = rates(ux3, uy3, y + dt / 2 * uy2, drag, wind)
        ux4, uy4 = vx + dt * ax3, vy + dt * ay3
        ax4, ay4 = rates(ux4, uy4, y + dt * uy3, drag, wind)
        nx = x + dt / 6 * (vx + 2 * ux2 + 2 * ux3 + ux4)
        ny = y + dt / 6 * (vy + 2 * uy2 + 2 * uy3 + uy4)
        nvx = vx + dt / 6 * (ax1 + 2 * ax2 + 2 * ax3 + ax4)
        nvy = vy + dt / 6 * (ay1 + 2 * ay2 + 2 * ay3 + ay4)
        if vy > 0.0 >= nvy:
            apex = hermite(y, vy, ny, nvy, dt, vy / (vy - nvy))
        if ny <= 0.0:
            return landing(x, y, vx, vy, nx, ny, nvx, nvy, dt, t, apex)
        x, y, vx, vy, t = nx, ny, nvx, nvy, t + dt
    raise SystemExit('projectile: no landing within 1000 s')


def hermite(a, da, b, db, h, s):
    return ((1 + 2 * s) * (1 - s) ** 2 * a + s * (1 - s) ** 2 * h * da + s * s * (3 - 2 * s) * b + s * s * (s - 1) * h * db)


def landing(x, y, vx, vy, nx, ny, nvx, nvy, dt, t, apex):
    low, high = 0.0, 1.0
    for _ in range(60):
        mid = (low + high) / 2
        if hermite(y, vy, ny, nvy, dt, mid) > 0.0:
            low = mid
        else:
            high = mid
    return hermite(x, vx, nx, nvx, dt, high), apex, t + high * dt


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit('usage: projectile.py SPEED ANGLE DRAG WIND [RATE]')
    speed, angle, drag, wind = map(float, sys.argv[1:5])
    rate = float(sys.argv[5]) if len(sys.argv) == 6 else 400.0
    if not (speed > 0 and 0 < angle < 90 and drag >= 0 and rate > 0):
        sys.exit('projectile: speed and rate above 0, drag of at least 0 and an angle between 0 and 90 are needed')
    print('%.12g %.12g %.12g' % throw(speed, angle, drag, wind, 1.0 / rate))


main()
