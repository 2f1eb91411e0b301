/* Receipts and outcomes with realistic figures, for the tests of receipt, plots and report. */
#ifndef NIGH_TEST_PLAN_SAMPLE_H
#define NIGH_TEST_PLAN_SAMPLE_H
#include "nigh/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double sample_ratios[15] = {371.0, 368.2, 374.9, 370.5, 366.1, 379.3, 371.7, 372.2, 365.0, 377.4, 370.0, 369.1, 373.3, 375.8, 371.2};

static nigh_receipt sample_receipt(void)
{
    return (nigh_receipt){
        .problem = "./projectile {in} {out}", .identity = "5f3c9a", .kind = "map", .method = "pod-kernel", .settings = "rank=4 kernel=gauss",
        .measure = "relative-l2", .unit = "1", .source = "Kernel ridge regression on principal components",
        .error = 0.01, .statistic = NIGH_MEAN, .confidence = 0.95, .met = true, .label = NIGH_MEASURED,
        .words = "pod-kernel is the cheapest of 41 candidates that met a mean error of 0.01; it ties with nothing.",
        .tests = 300, .tests_from = "drawn anew (walk 1)", .reads = 0, .level = 0.05, .clip = 0.05,
        .mean = {0.00712, 0, 0.00834, 0.95, 300, "betting martingale"},
        .outliers = {0, 0, 0.00993, 0.95, 300, "Clopper-Pearson"},
        .p95 = {0.0151, 0, 0.0177, 0.95, 300, "order statistics"},
        .worst = 0.0312, .worst_share = 0.00994,
        .refinement = {8, 0.00213, 0.00431, NULL}, .grids = 3,
        .grid = {{{32, 32}, 16, 0.031, false}, {{64, 64}, 16, 0.0071, true}, {{128, 96}, 16, 0.0083, false}},
        .fit_seconds = 3.4, .exact_calls = 800, .exact_seconds = 4.56e-3, .plan_seconds = 12.3e-6,
        .beside_exact = {4.56e-3, 12.3e-6, 371.2, 368.2, 374.9, 15, 2, 2, false, sample_ratios},
        .beside_shortcut = {19.9e-6, 12.3e-6, 1.62, 1.57, 1.68, 15, 0, 2, false, NULL},
        .shortcut = "coarse n=64", .is_shortcut = false, .plan_bytes = 51234, .exact_bytes = 0,
        .nigh = "0.1.0", .cpu = "Example CPU @ 2.0 GHz", .cpu_level = "avx512", .libraries = "OpenBLAS 0.3.21, Jansson 2.14", .host = "host",
        .threads = 2, .seed = 18446744073709551615u,
    };
}

/* ---- whole outcomes: 0 a certified function, 1 a program with two shortcuts, 2 a file read 3 times, 3 one unmet ---- */

enum { SAMPLES = 4, SAMPLE_CANDIDATES = 22, SAMPLE_CURVE = 2000, SAMPLE_TESTS = 300 };

typedef struct sample {
    nigh_problem problem;
    nigh_outcome outcome;
    nigh_receipt receipt;
    nigh_candidate candidates[SAMPLE_CANDIDATES];
    nigh_envelope_row envelope[4];
    char labels[SAMPLE_CANDIDATES][64];
    double x[SAMPLE_CURVE], error[SAMPLE_CURVE], errors[SAMPLE_TESTS], ratios[30];
} sample;

static const nigh_method sample_methods[] = {
    {.name = "minimax"}, {.name = "chebyshev"}, {.name = "table"}, {.name = "taylor"},
    {.name = "pod-kernel"}, {.name = "pod-ridge"}, {.name = "nearest"}, {.name = "coarse", .flags = NIGH_METHOD_SHORTCUT},
};

/* A number in [0, 1) that looks random and is always the same. */
static double sample_noise(int i)
{
    double v = sin(12.9898 * i + 4.1) * 43758.5453;
    return v - floor(v);
}

static void sample_fill_candidates(sample *s, bool function, double target)
{
    for (int i = 0; i < SAMPLE_CANDIDATES; i++) {
        int family = i % 4, degree = 2 + i / 2;
        const nigh_method *m = &sample_methods[function ? family : 4 + family];
        snprintf(s->labels[i], sizeof s->labels[i], function ? "%s degree=%d" : family == 3 ? "%s n=%d" : "%s rank=%d", m->name,
                 family == 3 && !function ? 8 << (i / 4) : degree);
        double base = function ? 1e-8 : 1.2e-4, slow = family == 3 ? 6 : 1;
        nigh_candidate *c = &s->candidates[i];
        *c = (nigh_candidate){.method = m, .label = s->labels[i], .state = NIGH_CANDIDATE_MISSED, .link = -1,
                              .estimate = {.error = {target / 10, 10 * target}, .source = "formula"}};
        c->decides = target * pow(10, 2.2 - 0.42 * degree * (family == 2 ? 0.6 : 1) + sample_noise(i));
        c->screen_mean = 0.9 * c->decides, c->screen_error_se = 0.03 * c->decides, c->screen_p95 = 2 * c->decides, c->screen_worst = 4 * c->decides;
        c->apply_seconds = base * slow * (1 + 0.35 * degree + 0.4 * sample_noise(100 + i));
        c->fit_seconds = function ? 2e-3 * degree : 3 + 0.2 * degree;
        c->cost = c->fit_seconds + 1e6 * c->apply_seconds;
        if (c->decides <= target) c->state = NIGH_CANDIDATE_PASSED;
    }
    nigh_candidate *last = &s->candidates[SAMPLE_CANDIDATES - 1];
    *last = (nigh_candidate){.method = &sample_methods[3], .label = s->labels[SAMPLE_CANDIDATES - 1], .state = NIGH_CANDIDATE_UNSUPPORTED, .link = -1,
                             .why = (char *)"needs derivatives at the centre of the interval; <abs> has none there",
                             .decides = NAN, .estimate = {.error = {0, INFINITY}, .source = "none"}};
}

/* The passed ones in order of cost: the cheapest is chosen, the next two proved. */
static void sample_choose(sample *s, double target)
{
    nigh_outcome *o = &s->outcome;
    o->chosen = -1;
    for (int link = 0; link < 4; link++) {
        int best = -1;
        for (int i = 0; i < SAMPLE_CANDIDATES; i++)
            if (s->candidates[i].state == NIGH_CANDIDATE_PASSED && (best < 0 || s->candidates[i].cost < s->candidates[best].cost)) best = i;
        if (best < 0) return;
        s->candidates[best].link = 3 - link;
        s->candidates[best].timed = true;
        s->candidates[best].state = link == 0 ? NIGH_CANDIDATE_REFUSED : link == 1 ? NIGH_CANDIDATE_CHOSEN : NIGH_CANDIDATE_PROVED;
        if (link == 1) o->chosen = best, s->envelope[1] = (nigh_envelope_row){640, best};
        if (link == 2) s->envelope[2] = (nigh_envelope_row){2.5e7, best};
    }
    s->envelope[0] = (nigh_envelope_row){1, -1};
    o->rows = 3;
    (void)target;
}

static void sample_make(sample *s, int which)
{
    bool function = which == 0;
    double target = function ? 1e-6 : which == 3 ? 1e-9 : 0.01;
    static const char *const names[] = {"exp(-x*x)*cos(3*x) on [-4, 4], f32", "./projectile {in} {out}", "wing-pressure.npz", "tan(1/x) on [1e-3, 1], f64"};
    memset(s, 0, sizeof *s);
    s->problem = (nigh_problem){.size = sizeof s->problem, .kind = which == 0 || which == 3 ? "function" : "map", .name = names[which], .identity = "5f3c9a",
                                .in = {.ndim = 1, .dim = {3}}, .out = {.ndim = 1, .dim = {64}}};
    sample_fill_candidates(s, which == 0 || which == 3, target);
    nigh_outcome *o = &s->outcome;
    *o = (nigh_outcome){.count = SAMPLE_CANDIDATES, .candidates = s->candidates, .envelope = s->envelope, .chosen = -1, .receipt = &s->receipt,
                        .exact_seconds = function ? 2.3e-8 : 4.56e-3, .deciding_seconds = 21.4, .n_fit = 500, .n_screen = 200, .n_test = SAMPLE_TESTS};
    s->receipt = sample_receipt();
    nigh_receipt *r = &s->receipt;
    if (which == 0 || which == 2) r->refinement = (nigh_refinement){0}, r->grids = 0;
    if (which == 3) r->refinement = (nigh_refinement){.why = (char *)"8 refined runs would take some 240 s, and 30 s are given to them"}, r->grids = 0;
    r->problem = (char *)names[which], r->kind = (char *)s->problem.kind, r->error = target;
    if (which == 3) {
        for (int i = 0; i < SAMPLE_CANDIDATES - 1; i++) s->candidates[i].decides *= 50, s->candidates[i].state = NIGH_CANDIDATE_MISSED;
        r->met = false, r->beside_exact = r->beside_shortcut = (nigh_timing){0}, r->shortcut = NULL, r->fit_seconds = 0.2, r->mean.high = 8.1e-7;
        r->mean.estimate = 7.4e-7, r->p95 = (nigh_figure){1.1e-6, 0, 1.4e-6, 0.95, 300, "order statistics"}, r->worst = 4.2e-6, r->clip = 5e-9;
        r->measure = "absolute", r->words = "None of 22 candidates met a mean error of 1e-9: tan(1/x) oscillates without end near 0. The nearest is minimax degree=12.";
    } else {
        sample_choose(s, target);
    }
    for (int i = 0; i < 30; i++) s->ratios[i] = 371 * (1 + 0.03 * (sample_noise(i) - 0.5));
    for (int i = 0; i < SAMPLE_CURVE; i++) {
        s->x[i] = -4 + 8.0 * i / (SAMPLE_CURVE - 1);
        s->error[i] = 8.1e-7 * fabs(cos(9 * s->x[i])) * (0.8 + 0.2 * sample_noise(i));
    }
    for (int i = 0; i < SAMPLE_TESTS; i++) s->errors[i] = (which == 3 ? 1e-6 : 0.002) * pow(16, (double)i / SAMPLE_TESTS);
    if (function) {
        r->statistic = NIGH_WORST, r->label = NIGH_CERTIFIED, r->measure = "absolute", r->method = "minimax", r->settings = "degree=9";
        r->certificate = (nigh_certificate){8.127e-7, true, 1.2345678, 2164260864.0, "every f32 of the interval"};
        r->tests = 0, r->mean = r->outliers = r->p95 = (nigh_figure){0}, r->fit_seconds = 0.018, r->exact_calls = 4000;
        r->plan_seconds = 1.1e-9, r->exact_seconds = 2.3e-8, r->is_shortcut = true, r->beside_shortcut.pairs = 0;
        r->beside_exact = (nigh_timing){2.3e-8, 1.1e-9, 20.9, 20.4, 21.3, 15, 0, 1, false, NULL};
        r->words = "minimax degree=9 is the cheapest of 22 candidates whose worst error is proved to be at most 1e-6. Table interpolation needs 3 times as long.";
        o->curve_x = s->x, o->curve_error = s->error, o->curve_count = SAMPLE_CURVE;
    } else {
        o->histogram = s->errors;
    }
    if (which == 1) r->beside_exact.ratios = s->ratios, r->beside_shortcut.ratios = NULL;
    if (which == 2) {
        r->reads = 3, r->level = 0.05 / 12, r->tests_from = "test rows of the file", r->exact_seconds = 0, r->beside_exact = (nigh_timing){0};
        r->mean.confidence = r->outliers.confidence = r->p95.confidence = 1 - r->level, o->exact_seconds = 0;
        r->beside_shortcut.busy = true, r->beside_shortcut.low = 0.97;
        o->rows = 0;
    }
}
#endif
