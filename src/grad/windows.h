/* Attributes of convolutions, pools and resampling on the tape: whole numbers only, as they are compared as bytes. */
#ifndef NIGH_GRAD_WINDOWS_H
#define NIGH_GRAD_WINDOWS_H
#include "tensor/convolution.h"
#include "tensor/pool.h"
#include "tensor/resample.h"

#include "grad/tape.h"

/* The convolution that all three belong to. */
typedef struct convolution_attributes {
    int64_t dims, x[CONVOLUTION_DIMS + 2], w[CONVOLUTION_DIMS + 2];
    int64_t stride[CONVOLUTION_DIMS], dilation[CONVOLUTION_DIMS], low[CONVOLUTION_DIMS], high[CONVOLUTION_DIMS];
    int64_t padding, groups;
    int64_t bias;       /* F, D: there is a third input; W: there is a second output */
    int64_t transposed; /* the bias belongs to the Cin channels of x */
} convolution_attributes;

typedef struct pool_attributes {
    int64_t dims, x[POOL_DIMS + 2], window[POOL_DIMS], stride[POOL_DIMS], low[POOL_DIMS], high[POOL_DIMS], count_padding;
} pool_attributes;

typedef struct resample_attributes {
    int64_t dims, x[RESAMPLE_DIMS + 2], out[RESAMPLE_DIMS], linear, align_corners;
} resample_attributes;
#endif
