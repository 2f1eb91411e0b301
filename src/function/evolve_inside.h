/* The inside of evolve.h: genomes, fits, islands. */
#ifndef NIGH_FUNCTION_EVOLVE_INSIDE_H
#define NIGH_FUNCTION_EVOLVE_INSIDE_H
#include "function/evolve.h"
#include "grad/levenberg_marquardt.h"
#include "nigh/random.h"

enum {
    EVOLVE_NODES = 64,    /* rows of a fit: Chebyshev points; vectors of 8 */
    EVOLVE_DENSE = 2048,  /* where poles are looked for */
    EVOLVE_CURVE = 1025,  /* where extrema are looked for in quadruple precision */
    EVOLVE_VALUES = 1 + EVOLVE_MOST_CONSTANTS + EVOLVE_MOST_OPS,
    EVOLVE_PROBES = 4,    /* arguments of the hash */
    EVOLVE_EPOCH = 32,    /* generations between migrations */
    EVOLVE_SEEN = 1 << 16 /* places of an island's memory of what it has fitted */
};

/* ---- genomes (evolve_genome.c) --------------------------------------------------------------------------- */

/* A program as in code.h (argument, constants, steps; the last value is the result), always pruned, without constant parts, constants
 * in the order in which the result reaches them. Without steps it is the argument, or its only constant. */
typedef struct evolve_genome {
    uint8_t constants, steps;
    function_code_step step[EVOLVE_MOST_OPS];
    double constant[EVOLVE_MOST_CONSTANTS];
} evolve_genome;

bool evolve_genome_valid(const evolve_genome *g, const evolve_options *options);

/* One hash for all genomes that are the same function of argument and constants at fixed arguments and constants. */
uint64_t evolve_genome_hash(const evolve_genome *g);

/* One change at random; false (g as it was) when it does not fit the options. fresh: constants that have no value to
 * inherit are set. */
bool evolve_mutate(evolve_genome *g, const evolve_options *options, nigh_rng *rng, bool fresh[EVOLVE_MOST_CONSTANTS]);

/* Of random sign, its size log-uniform on 1e-4 .. 1e6. */
double evolve_random_constant(nigh_rng *rng);

/* ---- fits in double (evolve_fit.c, evolve_fit.inc) --------------------------------------------------------- */

/* What is approximated, tabulated. `at` is never called in the search. */
typedef struct evolve_target {
    double t[EVOLVE_NODES], value[EVOLVE_NODES], weight[EVOLVE_NODES] __attribute__((aligned(64)));
    double dense[EVOLVE_DENSE] __attribute__((aligned(64))); /* increasing, both ends */
    nigh_f128 node[EVOLVE_NODES][3];                         /* t, value, weight */
    nigh_f128 curve[EVOLVE_CURVE][3], check[EVOLVE_CHECK_POINTS][3];
} evolve_target;

typedef double evolve_column[EVOLVE_NODES] __attribute__((aligned(64)));

/* Scratch of one thread. */
typedef struct evolve_room {
    evolve_column value[EVOLVE_VALUES], adjoint[EVOLVE_VALUES];
    double lm[GRAD_LM_ROOM(EVOLVE_NODES, EVOLVE_MOST_CONSTANTS)] __attribute__((aligned(64)));
    evolve_column power, scale; /* of the residuals' p-norm */
    const evolve_genome *genome;
    const evolve_target *target;
    const bool *held;
    int cubes;
    double unit;
} evolve_room;

/*
 * fit: constants (start, then result) by at most `evaluations` of the residuals; least squares of residual^(3^cubes). worst: the largest
 * weighted error at the nodes, infinite when it is not finite or a divisor changes its sign between them. pole: of a divisor
 * on the dense grid.
 */
typedef struct evolve_kernels {
    void (*fit)(evolve_room *room, const evolve_genome *g, double *constant, int cubes, int evaluations, double tolerance);
    double (*worst)(evolve_room *room, const evolve_genome *g, const double *constant);
    bool (*pole)(evolve_room *room, const evolve_genome *g, const double *constant);
} evolve_kernels;
extern const evolve_kernels evolve_kernels_scalar, evolve_kernels_avx2, evolve_kernels_avx512;
const evolve_kernels *evolve_kernels_now(void);

nigh_status evolve_target_new(nigh_context *ctx, const remez_problem *problem, evolve_target **out);

/* Fits g's constants from its own (fresh ones at random) and from random ones, the hopeless given up early; returns the largest error at
 * the nodes. good: below it a fit is carried on to the p-norm's end. */
double evolve_fit_genome(evolve_room *room, const evolve_target *target, evolve_genome *g, const bool *fresh, double good, nigh_rng *rng);

/* ---- the minimax of a structure (evolve_polish.c) ------------------------------------------------------------ */

/* Scratch: about 100 kB. */
typedef struct evolve_polisher evolve_polisher;
size_t evolve_polisher_size(void);

/* From constants that fit to the minimax in quadruple precision, checked; false: a pole or not finite. */
bool evolve_polish(evolve_polisher *room, const evolve_target *target, const evolve_genome *g, const bool *held, const nigh_f128 *start,
                   evolve_program *out);

/* The largest sum over the steps, at the nodes, of weight |step's value x derivative of the result to it|: times the type's unit roundoff it
 * bounds, to first order, what roundings do to the weighted error (evolve_rounding.c). */
double evolve_growth(const evolve_genome *g, const evolve_target *target);

/* ---- islands (evolve_island.c) ----------------------------------------------------------------------------- */

typedef struct evolve_member {
    evolve_genome genome;
    uint64_t hash;
    double error; /* largest at the nodes, infinite for none */
    int rank;
    double crowding;
} evolve_member;

enum { EVOLVE_MOST_PARENTS = 256, EVOLVE_MOST_CHILDREN = 1024 };

typedef struct evolve_island {
    nigh_rng rng;
    int64_t generation, candidates, progress; /* progress: generation of the last one */
    int64_t began;                           /* generation of the last restart */
    int members;
    evolve_member *member;                    /* [parents + children] */
    evolve_program best[EVOLVE_MOST_OPS + 1]; /* of this life; ops 0: none */
    evolve_genome elite[EVOLVE_MOST_OPS + 1]; /* genomes of best */
    uint64_t *seen;                           /* [EVOLVE_SEEN]: hash, its low 4 bits count */
    evolve_room *room;
    evolve_polisher *polisher;
} evolve_island;

/* The empty program and nothing else; generation goes on. */
void evolve_island_begin(evolve_island *island);
void evolve_island_generation(evolve_island *island, const evolve_target *target, const evolve_options *options);
void evolve_island_welcome(evolve_island *island, const evolve_genome *g, const evolve_program *p);

struct evolve {
    nigh_context *ctx;
    evolve_options options;
    evolve_target *target;
    evolve_island *island;
    evolve_program best[EVOLVE_MOST_OPS + 1];
    int64_t generation;
};
#endif
