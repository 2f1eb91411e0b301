/*
 * From programs that evolution found to cores that run: constants rounded to the type, the choice among the programs of an archive, and
 * the picture of the archive beside classical forms.
 */
#ifndef NIGH_FUNCTION_EVOLVED_H
#define NIGH_FUNCTION_EVOLVED_H
#include "function/approximation.h"
#include "function/evolve.h"

/* How an archive is judged. */
typedef struct evolved_choice {
    const function_domain *domain;
    const evolve *archive;
    int most_ops;   /* of the core, its square and factor included */
    bool timed;     /* the fastest of those below 1 ULP instead of the most accurate; f32 and measure ulp only */
    uint64_t seed;  /* of refits */
} evolved_choice;

/* A core whose code is from nigh_alloc. */
typedef struct evolved_core {
    function_core core;
    int ops;
    double error;   /* in the domain's measure: largest seen at probe inputs; of a timed choice: proved on every float */
    double seconds; /* per number, of the compiled kernel (interpreted without a compiler); 0: not timed */
} evolved_core;

/* Operations that the core spends on its square and its factor, beside those of a program in v. */
int evolved_extra_ops(const function_domain *domain);

/*
 * One program as a core: constants rounded one at a time, the others fitted again, then single steps while the kernel's error falls.
 * core->code is allocated (nigh_free). About 0.1 s a constant.
 */
nigh_status evolved_round(nigh_context *ctx, const evolved_choice *choice, const evolve_program *program, const function_probe *probe,
                          evolved_core *out);

/* The choice. NIGH_FAILED: nothing was found; timed: nothing below 1 ULP (the best is named). */
nigh_status evolved_choose(nigh_context *ctx, const evolved_choice *choice, evolved_core *out);

/* The archive and the minimax polynomials and rationals of as many operations, as a chart in `arena`. `fma`: it counts as one. */
nigh_status evolved_chart(nigh_context *ctx, const evolved_choice *choice, bool fma, nigh_arena *arena, const nigh_chart **chart);

/* "ops 7: 6.1 digits, 8: 7.0" (measure ulp: "ops 7: 12 ulp, 8: 1.5 ulp") added to text; only the frontier. */
nigh_status evolved_words(const evolved_choice *choice, nigh_buffer *text);
#endif
