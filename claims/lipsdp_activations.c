/*
 * Claim of "Novel quadratic constraints for extending LipSDP beyond slope-restricted activations": proved Lipschitz constants of networks with MaxMin, GroupSort and Householder
 * activations that are far below the product of norms and close to the truth.
 *
 *   1  the quadratic constraints hold at random pairs with random multipliers, free in sign; with a wrong activation they do not
 *   2  MaxMin between identities has constant 1; with each pair written as two relus the bound is sqrt(2)
 *   3  one hidden layer: between the exact constant (all ways of swapping pairs) and 1.1 times that, and below the product of norms. Training aligns the layers of so small a
 *      network: the exact constant itself is 0.97 of the product, so that no bound can be much below
 *   4  depth: below the product of norms, the more the deeper; relus as another solver has them. Thresholds of the ratios to products were set on seeds 1 to 3
 *   5  the infinity-norm: between sampled gradients and half of the product of norms
 */
#include "lipsdp_activations/parts.h"

#include <math.h>
#include <string.h>

static const char *const saboteurs[] = {"unproved", "wrong-activation", "product-passed-off", "two-relus", NULL};

/* The bound as the saboteurs would have it. */
static nigh_status bound_of(claim_run *run, const claim_net *net, nigh_lipschitz_options options, nigh_lipschitz_result *r)
{
    claim_net other = {0};
    bool two = claim_sabotaged(run, "two-relus") && net->layers == 2 && net->layer[0].kind == NIGH_LIPSCHITZ_SORT;
    nigh_status status = two ? net_two_relus(net, &other) : NIGH_OK;
    if (!status) status = nigh_lipschitz_layers(run->ctx, net->layers, two ? other.layer : net->layer, &options, r);
    if (two) weights_free(&other);
    if (status) return status;
    if (claim_sabotaged(run, "unproved")) r->bound = 0.9 * r->lower; /* a point outside the program, not looked at again */
    if (claim_sabotaged(run, "product-passed-off")) r->bound = r->naive;
    return NIGH_OK;
}

/* ---- 1, 2 ---------------------------------------------------------------------------------------------------- */

static nigh_status constraints(claim_run *run)
{
    const nigh_lipschitz_kind kinds[] = {NIGH_LIPSCHITZ_RELU, NIGH_LIPSCHITZ_SORT, NIGH_LIPSCHITZ_HOUSEHOLDER};
    double least = INFINITY, caught = -INFINITY;
    for (int i = 0; i < 3; i++) {
        least = fmin(least, constraint_least(kinds[i], 100000, claim_sabotaged(run, "wrong-activation"), claim_seed(run)));
        caught = fmax(caught, constraint_least(kinds[i], 100000, true, claim_seed(run)));
    }
    claim_bar(run, "1: least value of the constraints at 1e5 pairs, relative, all activations", least, CLAIM_AT_LEAST, -1e-9, NULL);
    claim_bar(run, "1: the same with |x| for one unit: the activation that shows it least", caught, CLAIM_AT_MOST, -0.01, NULL);
    return NIGH_OK;
}

static nigh_status identities(claim_run *run)
{
    enum { N = 8 };
    const int64_t size[] = {N, N, N};
    claim_net net = {0}, relus = {0};
    nigh_lipschitz_result one = {0}, two = {0};
    nigh_lipschitz_options options = {.gap = 1e-8, .samples = -1};
    nigh_status status = net_plain(run->ctx, 3, size, NIGH_LIPSCHITZ_SORT, &net);
    for (int k = 0; k < 2 && !status; k++)
        for (int64_t i = 0; i < N * N; i++) ((double *)net.layer[k].weight)[i] = i % (N + 1) == 0;
    if (!status) status = net_two_relus(&net, &relus);
    if (!status) status = bound_of(run, &net, options, &one);
    if (!status) status = nigh_lipschitz_layers(run->ctx, 2, relus.layer, &options, &two);
    if (!status) {
        claim_bar(run, "2: identity, MaxMin, identity: bound less 1", fabs(one.bound - 1), CLAIM_AT_MOST, 1e-6, NULL);
        claim_bar_within(run, "2: the same with two relus a pair, over sqrt(2)", two.bound / sqrt(2), 0.9999, 1.0001, NULL);
    }
    nigh_lipschitz_result_free(run->ctx, &one);
    nigh_lipschitz_result_free(run->ctx, &two);
    weights_free(&net);
    weights_free(&relus);
    return status;
}

/* ---- 3 ------------------------------------------------------------------------------------------------------- */

typedef struct worst {
    double below, over_mean, product, product_mean, sampled; /* bound / exact least and mean; bound / product largest, mean; bound / sampled least */
} worst;

static nigh_status one_layer_net(claim_run *run, int i, worst *w)
{
    int64_t pairs = run->quick ? 8 : 8 + i % 3;
    claim_net_spec spec = {.sizes = 3, .size = {64, 2 * pairs, 10}, .max_min = true, .samples = run->quick ? 1000 : 4000, .epochs = run->quick ? 10 : 20,
                           .seed = nigh_seed_split(claim_seed(run), (uint64_t)i)};
    claim_net net = {0};
    nigh_lipschitz_result r = {0};
    double exact = 0, kept[5];
    char key[32];
    snprintf(key, sizeof key, "one%d", i);
    nigh_status status = NIGH_OK;
    if (!claim_recall(run, key, 5, kept)) {
        status = net_train(run->ctx, &spec, &net);
        if (!status) status = net_enumerate(&net, &exact);
        if (!status) status = bound_of(run, &net, (nigh_lipschitz_options){.gap = 1e-4, .seed = spec.seed}, &r);
        const double values[5] = {r.bound, exact, r.naive, r.sampled, net.accuracy};
        memcpy(kept, values, sizeof kept);
        if (!status) status = claim_keep(run, key, 5, kept);
        nigh_lipschitz_result_free(run->ctx, &r);
        weights_free(&net);
    }
    if (status) return status;
    w->below = fmin(w->below, kept[0] / kept[1]), w->over_mean += kept[0] / kept[1], w->product = fmax(w->product, kept[0] / kept[2]), w->product_mean += kept[0] / kept[2];
    w->sampled = fmin(w->sampled, kept[0] / kept[3]);
    if (i < 3) claim_note(run, "64-%lld-10 MaxMin: bound %.4f, exact %.4f, sampled %.4f, product %.4f; accuracy %.3f", (long long)spec.size[1], kept[0], kept[1], kept[3], kept[2], kept[4]);
    return NIGH_OK;
}

static nigh_status one_layer(claim_run *run)
{
    int nets = run->quick ? 3 : 20;
    worst w = {.below = INFINITY, .sampled = INFINITY};
    nigh_status status = NIGH_OK;
    for (int i = 0; i < nets && !status; i++) {
        status = claim_progress(run, "one hidden layer", i, nets);
        if (!status) status = one_layer_net(run, i, &w);
    }
    if (status) return status;
    claim_bar(run, "3: bound over the exact constant, the least of all networks", w.below, CLAIM_AT_LEAST, 1, NULL);
    claim_bar(run, "3: the same, mean", w.over_mean / nets, CLAIM_AT_MOST, 1.1, NULL);
    claim_bar(run, "3: bound over the product of norms, mean", w.product_mean / nets, CLAIM_AT_MOST, 0.99, NULL);
    claim_bar(run, "3: the same, the largest", w.product, CLAIM_AT_MOST, 1, NULL);
    claim_bar(run, "3: bound over what sampling finds, the least", w.sampled, CLAIM_AT_LEAST, 1, NULL);
    return NIGH_OK;
}

/* ---- 4, 5 ---------------------------------------------------------------------------------------------------- */

typedef struct question {
    const char *key, *name;
    claim_net_spec spec;
    nigh_lipschitz_norm norm;
    int samples;
    double most; /* of bound / product */
} question;

static nigh_status ask(claim_run *run, const question *q)
{
    double kept[4];
    nigh_status status = claim_progress(run, q->name, 0, 1);
    if (!status && !claim_recall(run, q->key, 4, kept)) {
        claim_net net = {0};
        nigh_lipschitz_result r = {0};
        status = net_train(run->ctx, &q->spec, &net);
        if (!status) status = bound_of(run, &net, (nigh_lipschitz_options){.norm = q->norm, .samples = q->samples, .seed = q->spec.seed}, &r);
        const double values[4] = {r.bound, r.naive, r.sampled, net.accuracy};
        memcpy(kept, values, sizeof kept);
        if (!status) status = claim_keep(run, q->key, 4, kept);
        nigh_lipschitz_result_free(run->ctx, &r);
        weights_free(&net);
    }
    if (status) return status;
    char name[160];
    snprintf(name, sizeof name, "%s: bound over the product of norms", q->name);
    claim_bar(run, name, kept[0] / kept[1], CLAIM_AT_MOST, q->most, NULL);
    snprintf(name, sizeof name, "%s: bound over what sampling finds", q->name);
    claim_bar(run, name, kept[0] / kept[2], CLAIM_AT_LEAST, 1, NULL);
    claim_note(run, "%s: bound %.4g, sampled %.4g, product %.4g; accuracy %.3f", q->name, kept[0], kept[2], kept[1], kept[3]);
    return NIGH_OK;
}

static nigh_status depth(claim_run *run)
{
    const int64_t samples = run->quick ? 800 : 8000, epochs = run->quick ? 4 : 6;
    const question full[] = {{"deep3", "4: 784-64-64-64-10 MaxMin", {.sizes = 5, .size = {784, 64, 64, 64, 10}, .max_min = true, .mnist = true}, NIGH_LIPSCHITZ_L2, 32, 0.75},
                             {"deep8", "4: 784, eight times 64, 10, MaxMin", {.sizes = 10, .size = {784, 64, 64, 64, 64, 64, 64, 64, 64, 10}, .max_min = true, .mnist = true}, NIGH_LIPSCHITZ_L2, 32, 0.5},
                             {"inf1", "5: 64-32-1 MaxMin, infinity-norm", {.sizes = 3, .size = {64, 32, 1}, .max_min = true, .scalar = true}, NIGH_LIPSCHITZ_INF, 7700, 0.5},
                             {"inf2", "5: 64-32-32-1 MaxMin, infinity-norm", {.sizes = 4, .size = {64, 32, 32, 1}, .max_min = true, .scalar = true}, NIGH_LIPSCHITZ_INF, 7700, 0.5},
                             {"inf3", "5: 64-32-32-1 relu, infinity-norm", {.sizes = 4, .size = {64, 32, 32, 1}, .scalar = true}, NIGH_LIPSCHITZ_INF, 7700, 0.5}};
    const question few[] = {{"deep3", "4: 64-32-32-32-10 MaxMin", {.sizes = 5, .size = {64, 32, 32, 32, 10}, .max_min = true}, NIGH_LIPSCHITZ_L2, 8, 0.8},
                            {"inf2", "5: 64-16-16-1 MaxMin, infinity-norm", {.sizes = 4, .size = {64, 16, 16, 1}, .max_min = true, .scalar = true}, NIGH_LIPSCHITZ_INF, 200, 0.5}};
    nigh_status status = NIGH_OK;
    for (int i = 0; i < (run->quick ? 2 : 5) && !status; i++) {
        question q = run->quick ? few[i] : full[i];
        q.spec.samples = q.spec.scalar && !run->quick ? 4000 : samples, q.spec.epochs = epochs, q.spec.seed = nigh_seed_split(claim_seed(run), (uint64_t)(100 + i));
        status = ask(run, &q);
    }
    return status;
}

/* Networks that any program can make again, and what cvxpy with clarabel says of them (bench/lipsdp_beside.py --reference). */
static nigh_status beside(claim_run *run)
{
    static const struct {
        int sizes;
        int64_t size[5];
        double bound;
    } nets[] = {{3, {20, 20, 5}, 3.138149321}, {4, {16, 24, 16, 4}, 10.071759662}, {5, {12, 16, 16, 16, 3}, 22.528574842}};
    double most = 0;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 3 && !status; i++) {
        claim_net net = {0};
        nigh_lipschitz_result r = {0};
        status = net_plain(run->ctx, nets[i].sizes, nets[i].size, NIGH_LIPSCHITZ_RELU, &net);
        if (!status) status = bound_of(run, &net, (nigh_lipschitz_options){.gap = 1e-5, .samples = -1}, &r);
        if (!status) most = fmax(most, fabs(r.bound / nets[i].bound - 1));
        nigh_lipschitz_result_free(run->ctx, &r);
        weights_free(&net);
    }
    if (!status) claim_bar(run, "4: relu networks: bound over that of cvxpy with clarabel, less 1", most, CLAIM_AT_MOST, 1e-3, NULL);
    return status;
}

/* 256 units in one layer: the program's order is 512. */
static nigh_status timed(claim_run *run)
{
    const int64_t size[] = {256, 256, 10};
    claim_net net = {0};
    nigh_lipschitz_result r = {0};
    nigh_status status = net_plain(run->ctx, 3, size, NIGH_LIPSCHITZ_RELU, &net);
    double began = nigh_clock_cpu();
    if (!status) status = bound_of(run, &net, (nigh_lipschitz_options){.samples = -1}, &r);
    if (!status) claim_bar(run, "256 relus in one layer: CPU seconds of all threads", nigh_clock_cpu() - began, CLAIM_AT_MOST, 5, NULL);
    nigh_lipschitz_result_free(run->ctx, &r);
    weights_free(&net);
    return status;
}

static nigh_status run(claim_run *run)
{
    nigh_status status = constraints(run);
    if (!status) status = identities(run);
    if (!status) status = one_layer(run);
    if (!status) status = depth(run);
    if (!status) status = beside(run);
    if (!status && !run->quick) status = timed(run);
    return status;
}

const nigh_claim claim_lipsdp_activations = {.slug = "lipsdp-activations", .title = "Novel Quadratic Constraints for Extending LipSDP beyond Slope-Restricted Activations", .run = run, .saboteurs = saboteurs};
