"""A program as users have them: numbers as arguments, numbers on standard output."""
import math
import sys

a, b = float(sys.argv[1]), float(sys.argv[2])
print(a * b + 1, math.sin(a) + b)
