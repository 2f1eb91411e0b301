/*
 * Numbers for people: three digits, SI units, plain ASCII. Each prints into `out` (FIGURE_ROOM bytes) and returns it.
 * What is not finite reads "unbounded" (infinite) or "unknown" (not a number).
 */
#ifndef NIGH_PLAN_FIGURES_H
#define NIGH_PLAN_FIGURES_H

#include <stddef.h>
#include <stdint.h>

enum { FIGURE_ROOM = 48 };

/* `digits` significant digits: "0.0123", "8.13e-7", "12300". */
const char *nigh_figure_number(double value, int digits, char out[FIGURE_ROOM]);

/* "12.3 us", "4.56 ms", "3.1 s", "5.2 min", "11 h". */
const char *nigh_figure_seconds(double seconds, char out[FIGURE_ROOM]);

/* "840 B", "12.3 KiB", "1.5 MiB". */
const char *nigh_figure_bytes(double bytes, char out[FIGURE_ROOM]);

/* A share as a percentage: "1%", "0.333%", "99.58%". */
const char *nigh_figure_percent(double share, int digits, char out[FIGURE_ROOM]);

/* A number of things: "721", "12300", "822000", "4.26e9". */
const char *nigh_figure_count(double count, char out[FIGURE_ROOM]);

/* %.17g whatever the locale, with a sign kept on -0: what a JSON reader turns back into the same double. */
const char *nigh_figure_exact(double value, char out[FIGURE_ROOM]);

/* `value` with two significant digits: nearest (0), not smaller (+1) or not larger (-1). Applying it again changes nothing. */
double nigh_figure_two_digits(double value, int direction);

#endif
