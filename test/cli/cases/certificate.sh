# shellcheck shell=bash
# A plan of two variables with the error proved over its whole box, from the question to the exported code.
run 0 nigh plan 'sin(x)*exp(y)' --box 0:3,-1:1 --error 1e-3 --measure absolute --statistic worst -o map.nigh
out '^MET +worst error [0-9.e-]+ <= 0.001 \[certified\]$'
out 'every point of the box: Taylor expansions over cells'
run 0 nigh receipt map.nigh --recheck
out '^worst +at most [0-9.e-]+ \[certified\]'
run 0 nigh export map.nigh -o map.c
check grep -q 'certified' map.c
check cc -O2 -o map_test -x c - -lm <<'C'
#include "map.c"
#include <math.h>
#include <stdio.h>
int main(void)
{
    double worst = 0;
    for (int i = 0; i <= 300; i++)
        for (int j = 0; j <= 300; j++) {
            double x[2] = {0.01 * i, -1 + j / 150.0}, y;
            map(1, x, &y);
            worst = fmax(worst, fabs(y - sin(x[0]) * exp(x[1])));
        }
    return !(worst <= 1e-3);
}
C
check ./map_test
run 1 nigh plan 'sin(x)*exp(y)' --box 0:3,-1:1 --error 1e-3 --measure relative --statistic worst --methods polynomial-ridge
err 'no method met the error'
