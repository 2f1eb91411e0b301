/*
 * Claim of "Efficiently Computing Local Lipschitz Constants of Neural Networks via Bound Propagation": linear bounds of the backward graph hold, are much tighter than those that
 * went before, and grow exact by splitting.
 *
 *   1  no gradient found in a box is above the bound, and none outside the intervals; both derivatives count where an argument only touches 0
 *   2  without an unknown derivative the bound is the norm
 *   3  one output row, means over networks: the bound beside constants in place of lines (RecurJac), intervals, the product of norms, on the same arguments; random and trained networks
 *   4  fully split the bound is that of all 2^u patterns; what time closes of the gap, with derivatives kept and with arguments bounded anew
 *   5  784-256-256-10 and 784-256-256-256-256-10 trained on digits: one input, one class
 */
#include "local_lipschitz/parts.h"

#include "nigh/dataset.h"
#include "nigh/onnx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"flipped-lower-line", "zero-is-stable", "sampled-as-proof", "constants", "unchained", "half-a-margin", NULL};

static void flipped(double dl, double du, double la, double ua, double line[4])
{
    jacobian_hull(dl, du, la, ua, line);
    line[3] = -line[3];
}

static lip_way way_of(const claim_run *run, nigh_bound_kind forward)
{
    lip_way way = {.forward = forward, .lines = jacobian_hull, .chain = !claim_sabotaged(run, "unchained"), .zero_is_stable = claim_sabotaged(run, "zero-is-stable")};
    if (claim_sabotaged(run, "flipped-lower-line")) way.lines = flipped;
    if (claim_sabotaged(run, "constants")) way.lines = jacobian_constants, way.chain = false;
    return way;
}

static void draw_box(nigh_rng *rng, int64_t n, double eps, double *low, double *high)
{
    for (int64_t e = 0; e < n; e++) {
        double x = nigh_rng_f64(rng);
        low[e] = x - eps, high[e] = x + eps;
    }
}

/* ---- 1: soundness --------------------------------------------------------------------------------------- */

typedef struct trial {
    const claim_run *run;
    uint64_t seed;
    int64_t samples, ascents;
    double ratio;  /* bound over the largest norm found */
    double inside; /* least distance of gradients to the ends of their intervals, over the bound */
} trial;

static nigh_status check_points(nigh_context *ctx, sampler *s, const bound_graph *g, const double *low, const double *high, const double *row, uint64_t seed, const lip_bound *b, double *inside)
{
    enum { POINTS = 256 };
    double *x = nigh_alloc(ctx, 2 * POINTS * (size_t)g->inputs * sizeof *x), norm[POINTS];
    if (!x) return NIGH_MEMORY;
    double *gradient = x + POINTS * g->inputs;
    nigh_rng rng = nigh_rng_new(seed, 9);
    for (int64_t i = 0; i < POINTS * g->inputs; i++) x[i] = low[i % g->inputs] + nigh_rng_f64(&rng) * (high[i % g->inputs] - low[i % g->inputs]);
    sampler_norms(s, JACOBIAN_ONE, false, row, POINTS, x, norm, gradient);
    for (int64_t i = 0; i < POINTS * g->inputs; i++) {
        int64_t e = i % g->inputs;
        *inside = fmin(*inside, fmin(gradient[i] - b->low[e], b->high[e] - gradient[i]) / b->bound);
    }
    nigh_free(ctx, x);
    return NIGH_OK;
}

static nigh_status sound_task(nigh_context *ctx, int index, void *user)
{
    trial *t = (trial *)user + index;
    nigh_rng rng = nigh_rng_new(t->seed, (uint64_t)index);
    int hidden = 2 + (int)nigh_rng_below(&rng, 2);
    int64_t size[5] = {2 + (int64_t)nigh_rng_below(&rng, 15)};
    for (int i = 1; i <= hidden; i++) size[i] = 8 + (int64_t)nigh_rng_below(&rng, 25);
    size[hidden + 1] = 3;
    double low[LIP_INPUTS], high[LIP_INPUTS], at[LIP_INPUTS], row[3] = {1, 0, 0}, found = 0;
    if (index % 2) row[1] = -1;
    bound_graph *g = NULL;
    sampler *s = NULL;
    lip_bound b;
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status) status = lip_chain(ctx, &rng, hidden + 1, size, &g);
    draw_box(&rng, size[0], pow(10, -2 + 1.5 * nigh_rng_f64(&rng)), low, high);
    lip_way way = way_of(t->run, index % 4 < 2 ? NIGH_BOUND_CROWN : NIGH_BOUND_INTERVAL);
    if (!status && claim_sabotaged(t->run, "half-a-margin")) row[1] = 0; /* the bound of y0 for that of y0 - y1 */
    if (!status) status = lip_bound_of(ctx, g, low, high, row, &way, &b);
    if (index % 2) row[1] = -1;
    if (!status) status = sampler_new(ctx, g, 1, &s);
    if (!status && claim_sabotaged(t->run, "sampled-as-proof")) status = sampler_best(s, JACOBIAN_ONE, low, high, row, 200, 0, t->seed + 1, &b.bound, at);
    if (!status) status = sampler_best(s, JACOBIAN_ONE, low, high, row, t->samples, t->ascents, t->seed, &found, at);
    if (!status) status = check_points(ctx, s, g, low, high, row, t->seed + (uint64_t)index, &b, &t->inside);
    t->ratio = b.bound / found;
    sampler_free(s);
    bound_graph_free(g);
    return status;
}

/* y = 3 relu(x + 10) - 2 relu(x) on [0, 1]: the derivative is 1, and 3 from the left at 0. */
static nigh_status touch(claim_run *run, double *ratio)
{
    const double first[] = {1, 1}, shift[] = {10, 0}, second[] = {3, -2}, low = 0, high = 1, row = 1;
    const double *weight[] = {first, second}, *bias[] = {shift, NULL};
    bound_graph *g = NULL;
    lip_bound b;
    lip_way way = way_of(run, NIGH_BOUND_CROWN);
    nigh_status status = bound_graph_chain(run->ctx, 2, (int64_t[]){1, 2, 1}, weight, bias, BOUND_RELU, &g);
    if (!status) status = lip_bound_of(run->ctx, g, &low, &high, &row, &way, &b);
    bound_graph_free(g);
    if (!status) *ratio = b.bound / 3;
    return status;
}

static nigh_status sound_bars(claim_run *run)
{
    enum { MOST = 300 };
    static trial t[MOST];
    int count = run->quick ? 60 : MOST, violations = 0;
    double ratio = INFINITY, inside = INFINITY, log_sum = 0, kink = 0;
    for (int i = 0; i < count; i++) t[i] = (trial){.run = run, .seed = claim_seed(run), .samples = run->quick ? 1000 : 20000, .ascents = run->quick ? 3 : 50, .inside = INFINITY};
    nigh_status status = claim_progress(run, "bounds beside gradients", 0, 0);
    if (!status) status = claim_tasks(run, count, sound_task, t);
    if (!status) status = touch(run, &kink);
    if (status) return status;
    for (int i = 0; i < count; i++) {
        violations += !(t[i].ratio >= 1 - 1e-12) || t[i].inside < -1e-12;
        ratio = fmin(ratio, t[i].ratio), inside = fmin(inside, t[i].inside), log_sum += log(t[i].ratio);
    }
    claim_bar(run, "networks with a gradient above the bound or outside the intervals", violations, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "a kink on the box's edge: bound over Clarke's norm", kink, CLAIM_AT_LEAST, 1, NULL);
    claim_note(run, "%d networks, %d points and %d climbs each: bound over the steepest found, least %.6f, geometric mean %.3f", count, (int)t[0].samples, (int)t[0].ascents, ratio, exp(log_sum / count));
    return NIGH_OK;
}

/* ---- 2: exact cases ------------------------------------------------------------------------------------- */

static nigh_status exact_bars(claim_run *run)
{
    double worst[2] = {0, 0};
    for (int i = 0; i < 40; i++) {
        nigh_rng rng = nigh_rng_new(claim_seed(run), 1000 + (uint64_t)i);
        int64_t deep[] = {8, 24, 24, 24, 4}, flat[] = {8, 4};
        double low[8], high[8], row[4] = {1, -1, 0, 0}, norm;
        bound_graph *g = NULL;
        sampler *s = NULL;
        lip_bound b = {0};
        lip_way way = way_of(run, NIGH_BOUND_CROWN);
        nigh_status status = i % 2 ? lip_chain(run->ctx, &rng, 4, deep, &g) : lip_chain(run->ctx, &rng, 1, flat, &g);
        draw_box(&rng, 8, i % 2 ? 1e-11 : 5, low, high);
        if (!status) status = lip_bound_of(run->ctx, g, low, high, row, &way, &b);
        if (!status) status = sampler_new(run->ctx, g, 1, &s);
        if (!status) sampler_norms(s, JACOBIAN_ONE, false, row, 1, low, &norm, NULL);
        sampler_free(s);
        bound_graph_free(g);
        if (status) return status;
        double error = b.unknown || b.bound < norm * (1 - 1e-15) ? INFINITY : b.bound / norm - 1;
        worst[i % 2] = fmax(worst[i % 2], error);
    }
    claim_bar(run, "no unknown derivative: bound over the norm at the centre, less 1", worst[1], CLAIM_AT_MOST, 1e-9, NULL);
    claim_bar(run, "no activation, a box of half-width 5: the same", worst[0], CLAIM_AT_MOST, 1e-9, NULL);
    return NIGH_OK;
}

/* ---- 3: tightness --------------------------------------------------------------------------------------- */

enum { LINES, CONSTANTS, INTERVALS, SUMS, PRODUCT, CROWN, CROWN_CONSTANTS, CROWN_INTERVALS, SAMPLED, UNKNOWN, FIGURES };

typedef struct shape {
    int layers;
    int64_t size[6];
    double recurjac, interval;
} shape;

static const shape shapes[3] = {{3, {16, 32, 32, 10}, 0.80, 0.55}, {4, {16, 32, 32, 32, 10}, 0.60, 0.30}, {5, {16, 24, 24, 24, 24, 10}, 0.40, 0.25}};

typedef struct tight {
    const claim_run *run;
    const shape *shape;
    uint64_t seed;
    double eps;
    const bound_graph *graph; /* trained; NULL: drawn */
    const float *centre;      /* with graph */
    double figure[FIGURES];
} tight;

static nigh_status all_figures(nigh_context *ctx, const tight *t, const bound_graph *g, const double *low, const double *high, double *figure)
{
    double row[LIP_OUTPUTS] = {1}, at[LIP_INPUTS];
    lip_bound b;
    sampler *s = NULL;
    jacobian *j = NULL;
    nigh_status status = NIGH_OK;
    for (int k = 0; k < 6 && !status; k++) {
        static const int name[6] = {LINES, CONSTANTS, INTERVALS, CROWN, CROWN_CONSTANTS, CROWN_INTERVALS};
        nigh_bound_kind forward = k < 3 ? NIGH_BOUND_INTERVAL : NIGH_BOUND_CROWN;
        lip_way way = k % 3 == 0 ? way_of(t->run, forward) : (lip_way){.forward = forward, .lines = k % 3 == 1 ? jacobian_constants : NULL};
        status = lip_bound_of(ctx, g, low, high, row, &way, &b);
        figure[name[k]] = b.bound;
        if (k == 0) figure[SUMS] = b.sum, figure[UNKNOWN] = (double)b.unknown;
    }
    if (!status) status = jacobian_new(ctx, g, 1, &j);
    if (!status) status = jacobian_product(j, JACOBIAN_ONE, row, &figure[PRODUCT]);
    if (!status) status = sampler_new(ctx, g, 1, &s);
    if (!status) status = sampler_best(s, JACOBIAN_ONE, low, high, row, 500, 4, t->seed, &figure[SAMPLED], at);
    sampler_free(s);
    jacobian_free(j);
    return status;
}

static nigh_status tight_task(nigh_context *ctx, int index, void *user)
{
    tight *t = (tight *)user + index;
    nigh_rng rng = nigh_rng_new(t->seed, 2000 + (uint64_t)index);
    double low[LIP_INPUTS], high[LIP_INPUTS];
    bound_graph *g = NULL;
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status && !t->graph) status = lip_chain(ctx, &rng, t->shape->layers, t->shape->size, &g);
    draw_box(&rng, LIP_INPUTS, t->eps, low, high);
    for (int e = 0; e < LIP_INPUTS && t->centre; e++) low[e] = t->centre[e] - t->eps, high[e] = t->centre[e] + t->eps;
    if (!status) status = all_figures(ctx, t, g ? g : t->graph, low, high, t->figure);
    bound_graph_free(g);
    return status;
}

static void tight_means(const tight *t, int count, double mean[FIGURES])
{
    memset(mean, 0, FIGURES * sizeof *mean);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < FIGURES; k++) mean[k] += t[i].figure[k] / count;
}

static void tight_bars(claim_run *run, const char *what, const shape *s, const double m[FIGURES])
{
    char name[160];
    int hidden = s->layers - 1;
    snprintf(name, sizeof name, "%s, %d hidden layers: mean bound over RecurJac's", what, hidden);
    claim_bar(run, name, m[LINES] / m[CONSTANTS], CLAIM_AT_MOST, s->recurjac, NULL);
    snprintf(name, sizeof name, "%s, %d hidden layers: mean bound over intervals'", what, hidden);
    claim_bar(run, name, m[LINES] / m[INTERVALS], CLAIM_AT_MOST, s->interval, NULL);
    snprintf(name, sizeof name, "%s, %d hidden layers: mean bound over the product of norms", what, hidden);
    claim_bar(run, name, m[LINES] / m[PRODUCT], CLAIM_AT_MOST, 0.1, NULL);
    snprintf(name, sizeof name, "%s, %d hidden layers: |J| chained over the sum of intervals", what, hidden);
    claim_bar(run, name, m[LINES] / m[SUMS], CLAIM_AT_MOST, hidden == 2 ? 0.95 : 1, NULL);
    snprintf(name, sizeof name, "%s, %d hidden layers: largest of CROWN's arguments over interval ones (ours, RecurJac, intervals)", what, hidden);
    claim_bar(run, name, fmax(m[CROWN] / m[LINES], fmax(m[CROWN_CONSTANTS] / m[CONSTANTS], m[CROWN_INTERVALS] / m[INTERVALS])), CLAIM_AT_MOST, 1, NULL);
    claim_note(run, "%s, %d hidden layers, %.0f unknown derivatives: %.4g; RecurJac %.4g, intervals %.4g, product %.4g, steepest found %.4g; arguments by CROWN: %.4g, %.4g, %.4g", what, hidden,
               m[UNKNOWN], m[LINES], m[CONSTANTS], m[INTERVALS], m[PRODUCT], m[SAMPLED], m[CROWN], m[CROWN_CONSTANTS], m[CROWN_INTERVALS]);
}

static nigh_status random_tight(claim_run *run)
{
    enum { MOST = 50 };
    tight t[MOST];
    double m[FIGURES];
    int count = run->quick ? 20 : MOST;
    nigh_status status = NIGH_OK;
    for (int k = 0; k < (run->quick ? 1 : 3) && !status; k++) {
        for (int i = 0; i < count; i++) t[i] = (tight){.run = run, .shape = &shapes[k], .seed = claim_seed(run), .eps = 0.05};
        if ((status = claim_progress(run, "random networks", k, 3))) break;
        status = claim_tasks(run, count, tight_task, t);
        tight_means(t, count, m);
        if (!status) tight_bars(run, "random, half-width 0.05", &shapes[k], m);
    }
    if (status || run->quick) return status;
    for (int i = 0; i < count; i++) t[i] = (tight){.run = run, .shape = &shapes[0], .seed = claim_seed(run) + 1, .eps = 0.1};
    status = claim_tasks(run, count, tight_task, t);
    tight_means(t, count, m);
    if (!status) claim_bar(run, "random, half-width 0.1, 2 hidden layers: |J| chained over the sum of intervals", m[LINES] / m[SUMS], CLAIM_AT_MOST, 0.95, NULL);
    return status;
}

static nigh_status trained_tight(claim_run *run)
{
    enum { INPUTS_TRIED = 50 };
    nigh_array x, label;
    tight t[INPUTS_TRIED];
    double m[FIGURES], accuracy;
    nigh_status status = lip_clusters(run->ctx, claim_seed(run), &x, &label);
    if (status) return status;
    for (int k = 0; k < 2 && !status; k++) {
        nigh_network *net = NULL;
        bound_graph *g = NULL;
        status = claim_progress(run, "training on clusters", k, 2);
        if (!status) status = lip_train(run->ctx, shapes[k].layers, shapes[k].size, &x, &label, 25, claim_seed(run) + (uint64_t)k, &net, &accuracy);
        if (!status) status = lipschitz_lower(run->ctx, net, &g);
        for (int i = 0; i < INPUTS_TRIED && !status; i++)
            t[i] = (tight){.run = run, .shape = &shapes[k], .seed = claim_seed(run), .eps = 0.05, .graph = g, .centre = (const float *)x.data + 100 * i * LIP_INPUTS};
        if (!status) status = claim_tasks(run, INPUTS_TRIED, tight_task, t);
        tight_means(t, INPUTS_TRIED, m);
        if (!status) tight_bars(run, "trained, half-width 0.05", &shapes[k], m);
        if (!status) claim_note(run, "trained on clusters, %d hidden layers: %.1f%% of its own rows right", shapes[k].layers - 1, 100 * accuracy);
        bound_graph_free(g);
        nigh_network_free(net);
    }
    nigh_array_free(run->ctx, &x);
    nigh_array_free(run->ctx, &label);
    return status;
}

/* ---- 4: splitting --------------------------------------------------------------------------------------- */

static nigh_status split_of(claim_run *run, const bound_graph *g, const double *low, const double *high, double seconds, bool rerun, int64_t domains, nigh_local_lipschitz_result *out)
{
    double row[LIP_OUTPUTS] = {1};
    nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
    o.seconds = seconds, o.rerun = rerun, o.gap = 1e-9, o.samples = 200, o.ascents = 4, o.most_domains = domains, o.seed = claim_seed(run);
    return lipschitz_graph(run->ctx, g, low, high, 1, row, &o, out);
}

static nigh_status enumeration_bar(claim_run *run)
{
    int wanted = run->quick ? 6 : 30, done = 0;
    double worst = 0;
    nigh_status status = NIGH_OK;
    for (int i = 0; done < wanted && i < 1000 && !status; i++) {
        nigh_rng rng = nigh_rng_new(claim_seed(run), 4000 + (uint64_t)i);
        double low[LIP_INPUTS], high[LIP_INPUTS], row[LIP_OUTPUTS] = {1}, exact;
        int unknown;
        bound_graph *g = NULL;
        nigh_local_lipschitz_result r;
        status = lip_chain(run->ctx, &rng, 3, shapes[0].size, &g);
        draw_box(&rng, LIP_INPUTS, 0.02, low, high);
        if (!status) status = lip_enumerate(run->ctx, g, low, high, row, run->quick ? 10 : 14, &unknown, &exact);
        if (!status && unknown >= 5 && unknown <= (run->quick ? 10 : 14)) {
            status = split_of(run, g, low, high, 60, false, 0, &r);
            if (!status) {
                double bound = claim_sabotaged(run, "unchained") ? r.unsplit : r.bound;
                worst = fmax(worst, r.converged ? fabs(bound / exact - 1) : INFINITY), done++;
                nigh_local_lipschitz_free(run->ctx, 1, &r);
            }
        }
        bound_graph_free(g);
    }
    if (!status) claim_bar(run, "fully split over all 2^u patterns: largest relative difference", done == wanted ? worst : INFINITY, CLAIM_AT_MOST, 1e-6, NULL);
    return status;
}

/* The share of the gap to the best pattern found, which is not above the one to the exact value. */
static nigh_status gap_bars(claim_run *run)
{
    int wanted = run->quick ? 2 : 6, done = 0;
    double closed = 0, least = 1, anew = 0, found = 0;
    nigh_status status = NIGH_OK;
    for (int i = 0; done < wanted && i < 1000 && !status; i++) {
        nigh_rng rng = nigh_rng_new(claim_seed(run), 5000 + (uint64_t)i);
        double low[LIP_INPUTS], high[LIP_INPUTS], row[LIP_OUTPUTS] = {1};
        bound_graph *g = NULL;
        nigh_local_lipschitz_result r[2];
        lip_bound b = {0};
        lip_way way = {.forward = NIGH_BOUND_CROWN, .lines = jacobian_hull};
        status = lip_chain(run->ctx, &rng, 3, (int64_t[]){16, 48, 48, 10}, &g);
        draw_box(&rng, LIP_INPUTS, 0.09, low, high);
        if (!status) status = lip_bound_of(run->ctx, g, low, high, row, &way, &b);
        if (!status && b.unknown >= 30 && b.unknown <= 60) {
            if (!(status = claim_progress(run, "splitting", done, wanted))) status = split_of(run, g, low, high, run->quick ? 100 : 10, false, run->quick ? 60 : 0, &r[0]);
            if (!status && (status = split_of(run, g, low, high, run->quick ? 100 : 10, true, run->quick ? 60 : 0, &r[1]))) nigh_local_lipschitz_free(run->ctx, 1, &r[0]);
            if (!status) {
                double share = (r[0].unsplit - r[0].bound) / (r[0].unsplit - r[0].pattern);
                least = fmin(least, share), closed += share / wanted, anew += r[1].bound / r[0].pattern / wanted, found += r[1].bound / r[1].sampled / wanted, done++;
                nigh_local_lipschitz_free(run->ctx, 1, &r[0]), nigh_local_lipschitz_free(run->ctx, 1, &r[1]);
            }
        }
        bound_graph_free(g);
    }
    if (status) return status;
    claim_bar(run, run->quick ? "30 to 60 unknown derivatives, 60 domains waiting: least share of the gap closed" : "30 to 60 unknown derivatives, 10 s: least share of the gap closed",
              done == wanted ? least : 0, CLAIM_AT_LEAST, run->quick ? 0.1 : 0.4, NULL);
    claim_note(run, "%d networks: %.3f of the gap closed in the mean; with arguments bounded anew the bound is %.3f of the best pattern and %.3f times the steepest found", done, closed, anew, found);
    return NIGH_OK;
}

/* ---- 5: scale ------------------------------------------------------------------------------------------- */

static nigh_status one_input(claim_run *run, const char *name, nigh_network *net, const float *image, int class)
{
    enum { PIXELS = 784 };
    double *low = nigh_alloc(run->ctx, 2 * PIXELS * sizeof *low), *high = low + PIXELS, row[10] = {0};
    if (!low) return NIGH_MEMORY;
    char bar[120];
    nigh_local_lipschitz_result r[2];
    nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
    o.samples = 0;
    row[class] = 1;
    for (int e = 0; e < PIXELS; e++) low[e] = fmax(image[e] - 0.03, 0), high[e] = fmin(image[e] + 0.03, 1);
    double began = nigh_clock();
    nigh_status status = nigh_local_lipschitz(run->ctx, net, low, high, 1, row, &o, &r[0]);
    double seconds = nigh_clock() - began;
    o = nigh_local_lipschitz_defaults(), o.seconds = 10;
    if (!status && (status = nigh_local_lipschitz(run->ctx, net, low, high, 1, row, &o, &r[1]))) nigh_local_lipschitz_free(run->ctx, 1, &r[0]);
    if (!status) {
        snprintf(bar, sizeof bar, "%s, half-width 0.03, one class: seconds", name);
        claim_bar(run, bar, seconds, CLAIM_AT_MOST, 5, NULL);
        snprintf(bar, sizeof bar, "%s: bound over the product of norms", name);
        claim_bar(run, bar, r[0].bound / r[0].product, CLAIM_AT_MOST, 0.1, NULL);
        snprintf(bar, sizeof bar, "%s: bound over the steepest found", name);
        claim_bar(run, bar, r[1].bound / r[1].sampled, CLAIM_AT_LEAST, 1, NULL);
        claim_note(run, "%s: %.5g in %.3f s, %.5g after 10 s of splits (%lld domains); steepest found %.5g; product of norms %.5g; %lld of %lld derivatives unknown", name, r[0].bound, seconds,
                   r[1].bound, (long long)r[1].domains, r[1].sampled, r[0].product, (long long)r[0].unstable, (long long)r[0].activations);
        nigh_local_lipschitz_free(run->ctx, 1, &r[0]), nigh_local_lipschitz_free(run->ctx, 1, &r[1]);
    }
    nigh_free(run->ctx, low);
    return status;
}

static nigh_status scale_bars(claim_run *run)
{
    const char *folder = getenv("NIGH_DATA");
    if (!folder) {
        claim_note(run, "NIGH_DATA is not set: networks on digits were left out");
        return NIGH_OK;
    }
    char path[512];
    double accuracy = 0;
    nigh_dataset set = {.ctx = run->ctx};
    nigh_network *net = NULL, *deep = NULL;
    snprintf(path, sizeof path, "%s/mnist_fc/onnx/mnist-net_256x2.onnx.gz", folder);
    nigh_status status = nigh_dataset_load(run->ctx, "mnist", &set);
    if (status) return status;
    set.x.shape = (nigh_shape){NIGH_F32, 2, {set.x.shape.dim[0], 784}};
    int64_t at = (int64_t)(claim_seed(run) % 1000);
    const float *image = (const float *)set.x.data + 784 * at;
    int class = ((const int32_t *)set.y.data)[at];
    status = nigh_onnx_read(run->ctx, path, &net);
    if (!status) status = one_input(run, "mnist 256x2", net, image, class);
    if (!status) status = claim_progress(run, "training 256x4", 0, 0);
    if (!status) status = lip_train(run->ctx, 5, (int64_t[]){784, 256, 256, 256, 256, 10}, &set.x, &set.y, 6, claim_seed(run), &deep, &accuracy);
    if (!status) claim_note(run, "256x4 trained on the 10,000 test images: %.2f%% of them right", 100 * accuracy);
    if (!status) status = one_input(run, "mnist 256x4", deep, image, class);
    nigh_network_free(net);
    nigh_network_free(deep);
    nigh_dataset_free(&set);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = sound_bars(run);
    if (!status) status = exact_bars(run);
    if (!status) status = random_tight(run);
    if (!status && !run->quick) status = trained_tight(run);
    if (!status) status = enumeration_bar(run);
    if (!status) status = gap_bars(run);
    if (!status && !run->quick) status = scale_bars(run);
    return status;
}

extern const nigh_claim claim_local_lipschitz;
const nigh_claim claim_local_lipschitz = {.slug = "local-lipschitz", .title = "Efficiently Computing Local Lipschitz Constants of Neural Networks via Bound Propagation",
                                          .run = run_claim, .saboteurs = saboteurs};
