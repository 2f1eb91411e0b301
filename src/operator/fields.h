/*
 * What methods for fields share: which problems are fields, a training whose units are steps, and plans that run a network.
 *
 * A sample is a field [L] or [L, C], [H, W] or [H, W, C], inputs and outputs on one grid. Of two dimensions the last one counts as channels when it is at most 4.
 */
#ifndef NIGH_OPERATOR_FIELDS_H
#define NIGH_OPERATOR_FIELDS_H
#include "nigh/fields.h"
#include "nigh/plan.h"
#include "nigh/train.h"
#include "plan/field_shape.h"

typedef nigh_field_shape field_shape;

/* What numbers are scaled by before a network sees them, and answers behind it: mean and deviation over the fit set. */
typedef enum field_scaling { FIELD_BY_CHANNEL, FIELD_BY_POINT, FIELD_RAW } field_scaling;

/* How a family trains. Zero is what is said in brackets. */
typedef struct field_recipe {
    const char *optimiser;      /* ["adamw"] */
    double decay;               /* of the weights, in the optimiser's own sense */
    nigh_schedule rate;         /* .base is the option rate; kind NULL: ["cosine" down to 0 behind a twentieth of the steps] */
    double clip;                /* largest norm of the gradient [any] */
    field_scaling in, out;
    bool residual;              /* the network learns answer - input: as many channels in as out */
    bool whole;                 /* a batch is not worked through in parts: statistics of it are of all its samples */
    bool h1;                    /* the loss is the relative distance in H1 [in L2] */
} field_recipe;

/* What a method of this family adds: its network and the work of one answer. */
typedef struct field_family {
    nigh_status (*check)(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape); /* NULL: always right */
    nigh_status (*build)(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_network **net);
    double (*flops)(const nigh_method *method, const nigh_settings *settings, const field_shape *shape);
    void (*recipe)(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, int64_t steps, int64_t epoch_steps, field_recipe *recipe); /* NULL: all as in brackets */
    nigh_status (*note)(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_arena *arena, char **note); /* what plans tell; NULL: nothing */
    bool any_grid;     /* its networks take other grids */
    const char *elsewhere; /* what to warn of there; NULL: they mean the same */
    /* The network for another grid, where it takes one of its own; needs any_grid. NULL: the network as it is. */
    nigh_status (*rewrite)(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const field_shape *shape, nigh_network *net, const int64_t *size, nigh_network **other);
} field_family;

/*
 * The numbers of a plan. What the network sees: (x - in_mean) / in_deviation; the answer: its result times out_deviation plus out_mean, plus the input if `residual`. Means
 * and deviations are those of channels, or of every point and channel (in_count, out_count numbers). An output that never changed has deviation 0: it is answered by its mean.
 */
typedef struct field_plan {
    field_shape shape;
    bool residual;
    int64_t in_count, out_count;
    nigh_network *net;
    nigh_tape *tape;
    nigh_executor *run;         /* of one sample, one thread */
    int input, output;          /* ends of run */
    double *in_mean, *in_deviation, *out_mean, *out_deviation;
} field_plan;

/* What a family says, with the rest filled in; and how many means and deviations that makes. */
void field_recipe_of(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, int64_t steps, int64_t epoch_steps, field_recipe *recipe);
void field_counts(const field_recipe *recipe, const field_shape *shape, int64_t *in, int64_t *out);

/* How inputs and outputs of these shapes are seen as fields; false: they are none. */
static inline bool field_shape_of(const nigh_shape *in, const nigh_shape *out, field_shape *shape) { return nigh_field_shape_of(in, out, shape); }

/*
 * The option that says how fields go on beyond their edge, for a method's table: FIELD_BOUNDARY. "auto" becomes what the problem's grid says when a fit starts (periodic:
 * periodic, else dirichlet), so that plans hold one of the others.
 */
#define FIELD_BOUNDARY                                                                                                                                              \
    {.name = "boundary", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "auto,dirichlet,periodic,neumann", .help = "how fields go on beyond their edge: by zeros, " \
                                                                                                                      "around, or reflected; auto goes by the problem"}
nigh_padding field_padding(const nigh_method *method, const nigh_settings *settings); /* zero, circular, reflect */

/*
 * The option that says where grid points lie: FIELD_GRID. "auto" becomes what the problem says when a fit starts; when it says nothing, periodic with periodic edges, else
 * cells.
 */
#define FIELD_GRID                                                                                                                                                  \
    {.name = "grid", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "auto,cell,node,periodic", .help = "where points lie, for answers on other grids: (i + 1/2) / n, " \
                                                                                                           "i / (n - 1) or i / n; auto goes by the problem"}
nigh_grid field_grid(const nigh_method *method, const nigh_settings *settings); /* before it is settled: cells */

/* Entries of the methods' tables; the options epochs, batch and rate must be there. Units are steps. */
nigh_status fields_supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings);
nigh_status fields_estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out);
nigh_status fields_start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **fit);
nigh_status fields_advance(nigh_context *ctx, void *fit, int64_t units, nigh_progress_point *point);
nigh_status fields_finish(nigh_context *ctx, void *fit, nigh_plan **plan);
nigh_status fields_checkpoint(nigh_context *ctx, void *fit, nigh_buffer *bytes);
nigh_status fields_restore(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, const void *bytes,
                           size_t size, void **fit);
void fields_abandon(nigh_context *ctx, void *fit);
nigh_status fields_load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan);

/* A plan with its state but for weights and moments, which are zero and one. Its counts and `residual` follow from the recipe. */
nigh_status field_plan_new(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const nigh_shape *in, const nigh_shape *out, nigh_plan **plan);

/* The executor of `net` for n fields on a grid of the network's dimensions, with one thread; the ends that are input and output. */
nigh_status field_executor(nigh_context *ctx, nigh_network *net, const field_shape *shape, nigh_tape **tape, nigh_executor **run, int *input, int *output);

/* One field through an executor: answers of [points, out] from [points, in]. workspace: field_workspace bytes, 64-byte aligned. */
size_t field_workspace(const nigh_executor *run, const field_shape *shape);
void field_answer(const field_plan *plan, const nigh_executor *run, const field_shape *shape, int input, int output, const double *in, double *out, void *workspace);

/* Operations of one answer: of the linear layers and the transforms (fno.c); of the convolutions (unet.c). */
double field_fno_flops(const nigh_fno_spec *spec, const field_shape *shape);
double field_unet_flops(const nigh_unet_spec *spec, const field_shape *shape);
#endif
