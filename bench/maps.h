/* Problems of kind "map" made of C functions of several variables, and files of pairs made from them. */
#ifndef NIGH_BENCH_MAPS_H
#define NIGH_BENCH_MAPS_H
#include "nigh/plan.h"

typedef struct bench_map {
    const char *name;
    int d, m;
    double low, high; /* box, the same in every dimension */
    void (*value)(const double *x, const double *p, double *y); /* p: eight parameters in [0, 1) drawn by the seed */
} bench_map;

/* Cheap ones (below a microsecond), then simulations of 10 to 300 microseconds; ended by a name of NULL. */
extern const bench_map bench_cheap_maps[], bench_simulations[];

/* Inputs uniform in the box. Measure NULL: relative-l2. Freed with nigh_problem_free. */
nigh_status bench_map_problem(nigh_context *ctx, const bench_map *map, uint64_t seed, const char *measure, nigh_problem **problem);

/* A file of `rows` pairs drawn from a problem of bench_map_problem. */
nigh_status bench_pairs_problem(nigh_context *ctx, const nigh_problem *source, uint64_t seed, int64_t rows, nigh_problem **problem);
#endif
