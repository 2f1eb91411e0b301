/*
 * The one form that all smooth map plans take; the methods differ in how they find its numbers.
 *
 *   x -> s = (x - shift) stretch -> z = latent + s project      (or z = s when there is no projection)
 *     -> c = bias + z tail + features(z) weight                 (features: Legendre terms, functions of distance, activations
 *                                                                of z points + start, none)
 *     -> y = offset + c decode                                  (or y = c when there is no decoding)
 *
 * Widths r (of z), q (of c), m (of y) and the number of points are padded with zeros to MAP_PAD in every array.
 */
#ifndef NIGH_REGRESS_MODEL_H
#define NIGH_REGRESS_MODEL_H
#include "nigh/plan.h"
#include "regress/kernels.h"

typedef enum map_body { MAP_LINEAR, MAP_TERMS, MAP_POINTS, MAP_FEATURES, MAP_BODIES } map_body;

typedef struct map_model {
    map_body body;
    map_radial radial;          /* MAP_POINTS */
    map_activation activation;  /* MAP_FEATURES */
    int degree;                 /* MAP_TERMS: last function of one variable */
    bool periodic;              /* MAP_TERMS of 1, cos(pi z), sin(pi z), cos(2 pi z) ... instead of Legendre polynomials; degree even */
    int64_t d, r, q, m, count;  /* count: of terms, points or features */
    double scale;               /* of the radial function */
    double limit;               /* largest residual |s|^2 - |projection of s|^2 of the fit set, widened; < 0: none */
    double *shift, *stretch;    /* [d] */
    double *project;            /* [d,r] or NULL (r = d) */
    double *latent, *unscale;   /* [r]: start of z; 1 / length of the column of project */
    int32_t *parent, *factor;   /* [count] */
    double *points;             /* [r,count]; MAP_FEATURES: the hidden weights */
    double *start;              /* [count], MAP_FEATURES: minus the hidden offsets */
    double *weight;             /* [count,q] */
    double *bias, *tail;        /* [q]; [r,q] or NULL */
    double *decode, *offset;    /* [q,m], [m]; both NULL when q = m */
} map_model;

/* Zeroed arrays of the sizes stated in *model (d .. count, body), with those that `project`, `tail`, `decode` ask for. */
nigh_status map_model_alloc(nigh_arena *arena, map_model *model, bool project, bool tail, bool decode);

/* Folds decoding into the weights when that makes apply cheaper. */
nigh_status map_model_fold(nigh_context *ctx, nigh_arena *arena, map_model *model);

double map_model_flops(const map_model *model); /* per sample */
double map_model_bytes(const map_model *model);
size_t map_model_workspace(const map_model *model);

/* Values out[rows,part] of the hidden units from .. from + part - 1 of a MAP_FEATURES model; from, part multiples of MAP_PAD. */
void map_model_hidden(const map_model *model, int64_t rows, const double *z, int64_t ldz, int64_t from, int64_t part, double *out);

void map_model_apply(const map_model *model, int64_t n, const double *in, double *out, void *workspace);
bool map_model_outside(const map_model *model, int64_t n, const double *in, void *workspace);

/* Residual |s|^2 - |projection|^2 of one input (>= 0). */
void map_model_residuals(const map_model *model, int64_t n, const double *in, double *residual, void *workspace);

nigh_status map_model_save(const map_model *model, nigh_planfile *file);
nigh_status map_model_load(nigh_context *ctx, nigh_planfile *file, nigh_arena *arena, map_model *model);
nigh_status map_model_export(nigh_context *ctx, const map_model *model, const char *name, nigh_buffer *text);

/* Every array of a model, for those who copy, count, save and load them. */
typedef struct map_array {
    const char *name;
    void **data;
    nigh_dtype dtype;
    int64_t rows, cols; /* as stored, padded */
} map_array;
enum { MAP_ARRAYS = 13 };
int map_model_arrays(map_model *model, map_array out[MAP_ARRAYS]); /* how many the model's body can have */
#endif
