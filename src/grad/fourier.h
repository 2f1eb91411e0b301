/* The operator behind Fourier transforms on the tape: a transform times a factor, and with weights its adjoint. */
#ifndef NIGH_GRAD_FOURIER_H
#define NIGH_GRAD_FOURIER_H
#include "grad/tape.h"
#include "nigh/operators_fields.h"

typedef enum fourier_kind {
    FOURIER_COMPLEX, /* complex numbers, either way */
    FOURIER_FORTH,   /* real numbers to the half spectrum */
    FOURIER_BACK     /* the half spectrum to real numbers */
} fourier_kind;

typedef struct fourier_attributes {
    int64_t kind, inverse, axes; /* bits of the transformed dimensions */
    int64_t n;                   /* numbers along the last of them */
    int64_t weighted;            /* FORTH: frequencies other than 0 and n / 2 count twice, the adjoint of BACK; BACK: half, the adjoint of FORTH */
    double scale;
} fourier_attributes;

/* A coefficient array of n points along `axis` becomes one of m. */
typedef struct resize_attributes {
    int64_t axis, n, m, half, adjoint;
} resize_attributes;

/* Coefficient i of those that pass: from where, to where, times what. Several may go to one place. */
typedef struct spectrum_pass {
    int64_t from, to;
    double factor;
} spectrum_pass;

int64_t spectrum_passing(const resize_attributes *attributes);
spectrum_pass spectrum_passing_at(const resize_attributes *attributes, int64_t i);

/* Records it; x and the attributes are right. */
nigh_node fourier_record(nigh_tape *tape, nigh_node x, const fourier_attributes *attributes);
#endif
