/*
 * Claim of "Principled Approaches for Extending Neural Architectures to Function Spaces for Operator Learning".
 */
#include "common.h"

#include "nns_to_nos/elsewhere.h"

#include <math.h>
#include <stdlib.h>

static const char *const saboteurs[] = {"unscaled-kernels", "no-weights", "mean-kept", NULL};

static nigh_status run_claim(claim_run *run)
{
    static const char *const names[FORMS] = {"plain", "rewritten", "hats", "wrapper"};
    elsewhere_case c = {.name = "study", .equation = getenv("EQ"), .with = getenv("WITH") ? getenv("WITH") : "", .settings = getenv("SET"), .n = atoi(getenv("N")), .train = atoi(getenv("TRAIN")), .test = 32};
    double error[FORMS][GRIDS];
    for (int s = 0; s < atoi(getenv("SEEDS")); s++) {
        nigh_status status = elsewhere_measure(run, &c, s, error);
        if (status) return status;
        for (int f = 0; f < FORMS; f++)
            claim_note(run, "seed %d %-10s %.4f %.4f %.4f   ratios %.2f %.2f", s, names[f], error[f][0], error[f][1], error[f][2], error[f][1] / error[f][0], error[f][2] / error[f][0]);
    }
    claim_bar(run, "x", 0, CLAIM_AT_MOST, 1, NULL);
    return NIGH_OK;
}

const nigh_claim claim_nns_to_nos = {
    .slug = "nns-to-nos",
    .title = "Principled Approaches for Extending Neural Architectures to Function Spaces for Operator Learning",
    .run = run_claim,
    .saboteurs = saboteurs,
};
