"""resolution.py N A B: the midpoint rule with N points; its error falls with N squared."""
import math
import sys

n, a, b = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
print(sum(math.exp(a * (i + 0.5) / n) for i in range(n)) / n, sum(math.sin(b * (i + 0.5) / n) for i in range(n)) / n)
