/*
 * Checks derivatives of what is recorded on a tape, to any order, along random directions. A function of arrays is projected on fixed
 * random weights to a number s0; s1 is the derivative of s0 along a direction, s2 that of s1 along another ...; the recorded gradient of
 * each is held against differences of its values.
 */
#ifndef NIGH_TEST_DERIVATIVES_H
#define NIGH_TEST_DERIVATIVES_H
#include "nigh/grad.h"

/* Records the function of inputs x[n] and gives its result (any shape; complex results are taken apart by the checker). */
typedef nigh_node derivatives_fn(nigh_tape *tape, const nigh_node *x, void *user);

typedef struct derivatives_input {
    int ndim;
    int64_t dim[NIGH_MAX_DIMS];
    double low, high; /* uniform on this range; low == high == 0: on [-1, 1] */
    bool complex;
} derivatives_input;

/*
 * Fails the test with `name` when a derivative of order 1 .. order in f64 differs from differences by more than `tolerance` relative to its size (1e-7 is
 * reached by smooth operators), or the gradient in f32 from that in f64 by more than 1e-4 (f32_tolerance when positive).
 */
void check_derivatives(const char *name, derivatives_fn *record, void *user, int n, const derivatives_input *input, int order, double tolerance,
                       double f32_tolerance);
#endif
