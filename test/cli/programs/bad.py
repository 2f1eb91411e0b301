"""bad.py HOW X: a program that misbehaves in one of many ways, for every X or from some X on."""
import os
import signal
import sys
import time

how, x = sys.argv[1], float(sys.argv[2])
if how == 'crash':
    os.kill(os.getpid(), signal.SIGSEGV)
elif how == 'fail':
    print('the reason why', file=sys.stderr)
    sys.exit(7)
elif how == 'hang':
    time.sleep(1000)
elif how == 'deaf':
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)
elif how == 'garbage':
    sys.stdout.buffer.write(b'1.5 \xff\x00\x1b[31m purple ')
elif how == 'nothing':
    pass
elif how == 'nan':
    print('1 nan')
elif how == 'width':
    print('1 2' if x > 0.5 else '1 2 3')
elif how == 'fork':
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)
elif how == 'flood':
    while True:
        sys.stdout.write('1 ' * 100000)
elif how == 'memory':
    kept = []
    while True:
        kept.append(bytearray(b'x' * (64 << 20)))
elif how == 'orphan':
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    print('broken pieces')
