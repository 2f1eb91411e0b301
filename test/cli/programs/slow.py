"""slow.py SECONDS A [B]: takes its time, as real programs do."""
import math
import sys
import time

time.sleep(float(sys.argv[1]))
a = float(sys.argv[2])
b = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
print(math.exp(-a) * b, a + b)
