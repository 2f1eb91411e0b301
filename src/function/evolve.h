/*
 * Straight-line programs of + - * / (and fma) found by evolution, from the empty program on: for every number of operations the
 * one with the least max weight |P(t) - value| ("AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical
 * Functions").
 *
 * The cost of a program is the number of its operations after constant parts are folded and what nothing uses is dropped; x x
 * counts one, an fma counts one, the argument and the constants nothing. Constants are real numbers that are fitted: by
 * Levenberg-Marquardt during the search, to the minimax of the structure (to a few percent) in quadruple precision in the archive.
 *
 * Other than in the paper: least squares instead of CMA-ES for the constants, selection with elitism, a normal form of programs (one
 * constant instead of two that add up), a new input may be a small random term, and a program is fitted again only a few times.
 *
 *     evolve *e;
 *     evolve_options o = evolve_options_default();
 *     status = evolve_new(ctx, &problem, &o, &e);
 *     while (!status && evolve_generations(e) < 20000) status = evolve_advance(e, 100);
 *     const evolve_program *best = evolve_best(e, 10);     (NULL: nothing with exactly 10 operations)
 *     evolve_free(e);
 */
#ifndef NIGH_FUNCTION_EVOLVE_H
#define NIGH_FUNCTION_EVOLVE_H
#include "function/code.h"
#include "function/remez.h"

enum {
    EVOLVE_MOST_OPS = 14,
    EVOLVE_MOST_CONSTANTS = 15,  /* of one program: an operation brings at most one that is not folded, an fma two */
    EVOLVE_CHECK_POINTS = 10001, /* where an archived program's error was measured; the ends are among them */
};

typedef struct evolve_options {
    bool divide, fma;      /* allowed beside + - * */
    int most_ops;          /* 1 .. EVOLVE_MOST_OPS */
    int parents, children; /* of one island and generation: 4 .. 256, 4 .. 1024 */
    int islands;           /* 1 .. 64 populations; they, not threads, are part of what is computed */
    double roundoff;       /* unit roundoff of the type that programs will run in: what roundings of the steps can add to the error counts as error; 0: none */
    uint64_t seed;
} evolve_options;

/* + - * /, 10 operations, 64 parents, 128 children, 4 islands, seed 1. */
evolve_options evolve_options_default(void);

/* A program with its constants. */
typedef struct evolve_program {
    int ops;            /* code.steps */
    function_code code; /* one step per counted operation (not fused, but for fma's that are counted as such); constants in double */
    nigh_f128 constant[EVOLVE_MOST_CONSTANTS]; /* code.constants of them, as fitted */
    nigh_f128 error;    /* max weight |P - value| with these constants at EVOLVE_CHECK_POINTS, in quadruple precision */
    double digits;      /* -log10(error) */
} evolve_program;

/* P(t) with the fitted constants in quadruple precision, without roundings to a type. */
nigh_f128 evolve_value(const evolve_program *program, nigh_f128 t);

typedef struct evolve evolve;

/*
 * Starts from the empty program. problem->at is copied from (it is called only here and in evolve_restore, at a few
 * thousand points, from this thread); problem->user need not live on. The value should not be 0 where the weight is that of a
 * relative error: hand in the factored form. Freed by evolve_free. NIGH_INVALID: options out of range, low >= high; NIGH_FAILED: a
 * value or weight that is not finite, or a weight that is not positive (its place is in the message). About 1 MB, and 1 MB for every island.
 */
nigh_status evolve_new(nigh_context *ctx, const remez_problem *problem, const evolve_options *options, evolve **out);
void evolve_free(evolve *e); /* NULL is fine */

/*
 * More generations of every island, on the context's threads. Never reads the clock: the state after n generations depends on problem,
 * options and n alone, however they were cut into calls and whatever the number of threads. Polls for cancellation;
 * NIGH_INTERRUPTED leaves a state from which advancing goes on. One generation of the default options takes some 5 to 10 ms of one core per island.
 */
nigh_status evolve_advance(evolve *e, int64_t generations);

int64_t evolve_generations(const evolve *e); /* done so far */
int64_t evolve_candidates(const evolve *e);  /* programs whose constants were fitted so far, all islands */

/* The best program of exactly `ops` operations that was found; NULL: none. Valid until e advances or ends. Free of poles
 * on the interval; with evolve_frontier, programs that a cheaper one beats are NULL, too, so that errors fall with ops. */
const evolve_program *evolve_best(const evolve *e, int ops);
const evolve_program *evolve_frontier(const evolve *e, int ops);

/* The state as bytes, and back: e must be new, with the same problem and options. NIGH_FORMAT: bytes that are cut, changed, of another
 * version, or of another problem or options. Going on gives the same bits as not having stopped. */
nigh_status evolve_checkpoint(const evolve *e, nigh_buffer *bytes);
nigh_status evolve_restore(evolve *e, const void *bytes, size_t size);

/*
 * The minimax constants of one structure, by the same fitter: *program gets code's steps with constants fitted from `starts` random
 * starts (0: from code's constants only), then polished in quadruple precision. held (may be NULL): [code->constants],
 * true for those that stay as they are in code (when constants are rounded one at a time, the others refitted). code has at most
 * EVOLVE_MOST_CONSTANTS constants and EVOLVE_MOST_OPS steps. NIGH_UNMET: no start gave a program that is finite and free of poles. starts: at most 1000000;
 * they are halved successively, about 1 ms for each. The polish takes 0.02 to 0.5 s.
 */
nigh_status evolve_fit(nigh_context *ctx, const remez_problem *problem, const function_code *code, const bool *held, int starts,
                       uint64_t seed, evolve_program *program);
#endif
