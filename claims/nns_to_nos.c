/*
 * Claim of "Principled Approaches for Extending Neural Architectures to Function Spaces for Operator Learning": networks of fields whose layers are read as discretised functions
 * answer on grids that they were not trained on, where plain ones fail.
 *
 *   1  trained on n points, asked on 2 n and 4 n: the plain convolutional network, the rewritten one, a Fourier neural operator
 *   2  orders of consistency: kernels of hats in a disc, plain kernels, difference kernels beside the derivative
 *   3  attention with quadrature weights on random points beside attention without
 *   4  at the trained grid a rewritten network is the network
 *   5  spectral layers on band-limited inputs
 *
 * Quick: Burgers' equation. Full: the vorticity of a flow, two units of time later. The wrapper, resampling to the trained grid and back, stands beside all of 1.
 */
#include "common.h"

#include "nns_to_nos/elsewhere.h"

#include <math.h>
#include <stdio.h>

static const char *const saboteurs[] = {"unscaled-kernels", "no-weights", "mean-kept", NULL};

static const elsewhere_case quick[] = {
    {"conv", "burgers", "viscosity=0.02,time=0.3", "network=conv,width=12,depth=3,epochs=40,batch=16,rate=0.005", 32, 128, 24},
    {"fno", "burgers", "viscosity=0.02,time=0.3", "network=fno,width=12,depth=3,modes=12,epochs=30,batch=16,rate=0.005", 32, 128, 24},
};
static const elsewhere_case full[] = {
    {"conv", "navier-stokes", "time=2", "network=conv,width=16,depth=3,epochs=20,batch=8,rate=0.003", 32, 256, 32},
    {"fno", "navier-stokes", "time=2", "network=fno,width=16,depth=3,modes=12,epochs=8,batch=8,rate=0.003", 32, 256, 32},
    {"attention", "navier-stokes", "time=2", "network=attention,width=48,depth=3,epochs=12,batch=8,rate=0.003", 32, 256, 32},
};
enum { CONV, FNO, ATTENTION, SEEDS = 3 };

static void note_errors(claim_run *run, const elsewhere_case *c, int seed, double error[FORMS][GRIDS])
{
    static const char *const names[FORMS] = {"as it is", "rewritten", "hat kernels", "wrapper"};
    for (int f = 0; f < FORMS; f++)
        claim_note(run, "%s, seed %d, %s: error on %d, %d, %d points %.4f %.4f %.4f", c->name, seed, names[f], (int)c->n, (int)(2 * c->n), (int)(4 * c->n), error[f][0], error[f][1], error[f][2]);
}

/* The larger, or smaller, of both finer grids' errors over the trained grid's. */
static double growth(double error[FORMS][GRIDS], elsewhere_form form, bool largest)
{
    double a = error[form][1] / error[ELSEWHERE_PLAIN][0], b = error[form][2] / error[ELSEWHERE_PLAIN][0];
    return largest ? fmax(a, b) : fmin(a, b);
}

static nigh_status grid_bars(claim_run *run)
{
    const elsewhere_case *cases = run->quick ? quick : full;
    int networks = run->quick ? 2 : 3, seeds = run->quick ? 1 : SEEDS;
    double worst = 0, plain = INFINITY, rewritten = 0, spectral = 0, hats = 0, patches = 0;
    for (int s = 0; s < seeds; s++)
        for (int k = 0; k < networks; k++) {
            double error[FORMS][GRIDS];
            if (k == ATTENTION && s) continue; /* one is enough to see */
            nigh_status status = claim_progress(run, cases[k].name, s * networks + k, seeds * networks);
            if (!status) status = elsewhere_measure(run, &cases[k], s, error);
            if (status) return status;
            note_errors(run, &cases[k], s, error);
            worst = fmax(worst, error[ELSEWHERE_PLAIN][0]);
            if (k == FNO) spectral = fmax(spectral, growth(error, ELSEWHERE_REWRITTEN, true));
            if (k == ATTENTION) patches = growth(error, ELSEWHERE_REWRITTEN, true);
            if (k != CONV) continue;
            plain = fmin(plain, growth(error, ELSEWHERE_PLAIN, false)), rewritten = fmax(rewritten, growth(error, ELSEWHERE_REWRITTEN, true));
            for (int g = 1; g < GRIDS; g++) hats = fmax(hats, error[ELSEWHERE_HATS][g] / error[ELSEWHERE_PLAIN][g]);
        }
    claim_bar(run, "1: largest error on the trained grid", worst, CLAIM_AT_MOST, 0.15, "what follows is about networks that learnt");
    claim_bar(run, "1: conv as it is on 2 n and 4 n: error over that on n, least", plain, CLAIM_AT_LEAST, 3, NULL);
    claim_bar(run, "1: conv rewritten: the same, largest", rewritten, CLAIM_AT_MOST, 1.5, NULL);
    claim_bar(run, "1: conv with hat kernels: error over that of conv as it is, largest", hats, CLAIM_AT_MOST, 1.0 / 3, NULL);
    claim_bar(run, "1: fno: error on 2 n and 4 n over that on n, largest", spectral, CLAIM_AT_MOST, 1.2, NULL);
    if (!run->quick) claim_bar(run, "1: attention rewritten: the same", patches, CLAIM_AT_MOST, 1.5, NULL);
    return NIGH_OK;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = grid_bars(run);
    return status ? status : exact_bars(run);
}

const nigh_claim claim_nns_to_nos = {
    .slug = "nns-to-nos",
    .title = "Principled Approaches for Extending Neural Architectures to Function Spaces for Operator Learning",
    .run = run_claim,
    .saboteurs = saboteurs,
};
