#!/usr/bin/env python3
"""Rows of a csv file from disk: nigh's stream beside pyarrow.csv, in turns, so that all see the same machine.

    python bench/csv_beside.py build/bench/row_stream [rounds=5 rows=1e7 digits=8,17 threads=2 m=10000 folder=/tmp keep=0]

For each number of digits a file of rows x 20 is generated. A round has nigh parse it (row_stream "parse") and pass over it (parse, reservoir of m rows, fit: "pass"),
and pyarrow read it by open_csv and read_csv with the same threads and their default blocks; each is a process of its own that stays. Printed: MB/s (median and best), and as medians over
the rounds pyarrow's faster way by nigh's parsing (nigh's speed is so many times pyarrow's) and parsing by the whole pass, by wall and by CPU seconds.
"""
import os
import statistics
import subprocess
import sys

PEER = """
import sys, time, resource
import pyarrow as pa, pyarrow.csv as csv
pa.set_cpu_count(int(sys.argv[2]))
pa.set_io_thread_count(int(sys.argv[2]))
for line in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    rows = csv.read_csv(sys.argv[1]).num_rows if line.strip() == "read_csv" else sum(b.num_rows for b in csv.open_csv(sys.argv[1]))
    print(time.perf_counter() - wall, time.process_time() - cpu, 0, rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, flush=True)
"""

program = sys.argv[1]
options = dict(a.split("=", 1) for a in sys.argv[2:])
rounds, rows, threads, m = (int(float(options.get(k, v))) for k, v in (("rounds", 5), ("rows", 1e7), ("threads", 2), ("m", 10000)))


def measure(path):
    size = os.path.getsize(path)
    start = lambda command: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    nigh, peer = start([program, path, str(threads), str(m)]), start([sys.executable, "-c", PEER, path, str(threads)])
    turns = [("parse", nigh), ("open_csv", peer), ("pass", nigh), ("read_csv", peer)]
    wall, cpu, peak = {k: [] for k, _ in turns}, {k: [] for k, _ in turns}, {}
    for i in range(rounds + 1):
        for name, process in turns:
            process.stdin.write(name + "\n")
            process.stdin.flush()
            seconds, busy, _, count, megabytes = map(float, process.stdout.readline().split())
            assert count == rows, (name, count)
            peak[name] = megabytes
            if i:  # the first round fills the cache of the disk
                wall[name].append(seconds)
                cpu[name].append(busy)
    for process in (nigh, peer):
        process.stdin.close()
        process.wait()
    for name, _ in turns:
        print(f"  {name:9} {size / statistics.median(wall[name]) / 1e6:7.0f} MB/s (best {size / min(wall[name]) / 1e6:7.0f})  "
              f"{statistics.median(wall[name]):7.2f} s  CPU {statistics.median(cpu[name]):7.2f} s  peak {peak[name]:7.0f} MB")
    for what, t in (("wall", wall), ("CPU", cpu)):
        faster = [min(a, b) for a, b in zip(t["open_csv"], t["read_csv"])]
        ratio = statistics.median(a / b for a, b in zip(faster, t["parse"]))
        share = statistics.median(a / b for a, b in zip(t["parse"], t["pass"]))
        print(f"  {what}: parsing runs at {ratio:.2f} times pyarrow's faster way; the whole pass at {share:.2f} times parsing")


for digits in options.get("digits", "8,17").split(","):
    path = os.path.join(options.get("folder", "/tmp"), f"rows-{rows}-{digits}.csv")
    if not os.path.exists(path):
        subprocess.run([program, "generate", path, str(rows), digits], check=True)
    print(f"{rows} x 20 of {digits} digits, {os.path.getsize(path) / 1e6:.0f} MB, {threads} threads")
    measure(path)
    if not int(options.get("keep", 0)):
        os.remove(path)
