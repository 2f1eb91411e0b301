"""Squares the numbers of a text file, one a line: square.py IN OUT [factor]."""
import os
import sys

with open(sys.argv[1]) as f:
    numbers = [float(line) for line in f]
factor = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
open("scratch", "w").close()
os.makedirs("more/below")
with open(sys.argv[2], "w") as f:
    for x in numbers:
        print(factor * x * x, file=f)
print("squared", len(numbers))
