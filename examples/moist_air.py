#!/usr/bin/env python3
"""Moist air, as a table of pairs: moist_air.py ROWS [SEED] writes csv.

Inputs: dry-bulb temperature (deg C), relative humidity (1), pressure (kPa). Outputs: dew point and wet-bulb temperature
(deg C), enthalpy (kJ per kg of dry air). The saturation pressure follows Magnus; dew point and wet bulb are found by
Newton's method, the wet bulb from the balance of enthalpy at adiabatic saturation.
"""
import math
import random
import sys


def saturation(t):
    return 0.61094 * math.exp(17.625 * t / (t + 243.04))  # kPa


def saturation_slope(t):
    return saturation(t) * 17.625 * 243.04 / (t + 243.04) ** 2


def ratio(vapour, pressure):
    return 0.621945 * vapour / (pressure - vapour)


def enthalpy(t, w):
    return 1.006 * t + w * (2501.0 + 1.86 * t)


def dew_point(vapour):
    log = math.log(vapour / 0.61094)
    return 243.04 * log / (17.625 - log)


def wet_bulb(t, w, pressure):
    guess = t
    for _ in range(50):
        ws = ratio(saturation(guess), pressure)
        off = enthalpy(guess, ws) - enthalpy(t, w) - (ws - w) * 4.186 * guess
        slope = 0.621945 * pressure * saturation_slope(guess) / (pressure - saturation(guess)) ** 2
        change = off / (1.006 + 1.86 * ws + slope * (2501.0 + 1.86 * guess - 4.186 * guess) - (ws - w) * 4.186)
        guess -= change
        if abs(change) < 1e-12:
            break
    return guess


def main():
    rows, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    random.seed(seed)
    print('temperature,humidity,pressure,dew_point,wet_bulb,enthalpy')
    for _ in range(rows):
        t, humidity, pressure = random.uniform(5, 45), random.uniform(0.1, 0.95), random.uniform(80, 105)
        vapour = humidity * saturation(t)
        w = ratio(vapour, pressure)
        print('%.15g,%.15g,%.15g,%.15g,%.15g,%.15g'
              % (t, humidity, pressure, dew_point(vapour), wet_bulb(t, w, pressure), enthalpy(t, w)))


main()
