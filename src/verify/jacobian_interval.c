/* What linear bounds of Jacobians are measured against: interval arithmetic on the chain rule, and the product of norms. */
#include "verify/derivative.h"
#include "verify/jacobian_inside.h"
#include "core/round.h"

#include <math.h>
#include <string.h>

/* ---- intervals, as middle and radius ------------------------------------------------------------------- */

typedef struct discs {
    double **middle, **radius; /* [nodes] each [size] */
    double *wait;              /* [largest size] */
} discs;

static void free_discs(const jacobian *j, discs *d)
{
    for (int m = 0; m < j->graph->nodes; m++) {
        if (d->middle) nigh_free(j->ctx, d->middle[m]);
        if (d->radius) nigh_free(j->ctx, d->radius[m]);
    }
    nigh_free(j->ctx, d->middle);
    nigh_free(j->ctx, d->radius);
    nigh_free(j->ctx, d->wait);
}

static nigh_status new_discs(const jacobian *j, discs *d)
{
    size_t n = (size_t)j->graph->nodes, most = 1;
    *d = (discs){nigh_alloc_zero(j->ctx, n, sizeof(double *)), nigh_alloc_zero(j->ctx, n, sizeof(double *)), NULL};
    bool bad = !d->middle || !d->radius;
    for (size_t m = 0; m < n && !bad; m++) {
        size_t size = (size_t)j->graph->node[m].size;
        d->middle[m] = nigh_alloc(j->ctx, size * sizeof(double)), d->radius[m] = nigh_alloc(j->ctx, size * sizeof(double));
        bad = !d->middle[m] || !d->radius[m], most = size > most ? size : most;
    }
    if (!bad) bad = !(d->wait = nigh_alloc(j->ctx, most * sizeof(double)));
    if (bad) free_discs(j, d);
    return bad ? NIGH_MEMORY : NIGH_OK;
}

static void disc_of(double low, double high, double *middle, double *radius)
{
    *middle = 0.5 * (low + high);
    *radius = round_up(fmax(round_up(high - *middle), round_up(*middle - low)));
}

static void keep(int64_t n, const double *middle, const double *radius, double *low, double *high)
{
    for (int64_t e = 0; e < n; e++) {
        double l = round_down(middle[e] - radius[e]), h = round_up(middle[e] + radius[e]);
        low[e] = fmax(low[e], l), high[e] = fmin(high[e], h);
    }
}

static void disc_activation(jacobian_batch *batch, int a, int64_t domain, int64_t n, const discs *d, int m, int in)
{
    double *la = batch->a_low[a] + domain * n, *ua = batch->a_high[a] + domain * n;
    keep(n, d->middle[m], d->radius[m], la, ua);
    for (int64_t e = 0; e < n; e++) {
        double dl = batch->d_low[a][domain * n + e], du = batch->d_high[a][domain * n + e], middle, radius;
        double p[4] = {dl * la[e], dl * ua[e], du * la[e], du * ua[e]};
        disc_of(round_down(fmin(fmin(p[0], p[1]), fmin(p[2], p[3]))), round_up(fmax(fmax(p[0], p[1]), fmax(p[2], p[3]))), &middle, &radius);
        double sum = d->middle[in][e] + middle;
        d->radius[in][e] = round_up(round_up(d->radius[in][e] + radius) + fabs(sum) * 0x1p-52);
        d->middle[in][e] = sum;
    }
}

static void disc_affine(jacobian *j, int m, int in, const discs *d)
{
    int64_t size = j->graph->node[m].size, inputs = j->graph->node[in].size;
    double terms = tangent_terms(j->plain, m) + 4, gamma = round_gamma(terms + j->graph->node[m].slack, ROUND_UNIT);
    for (int64_t e = 0; e < size; e++) d->wait[e] = round_up(d->radius[m][e] + fabs(d->middle[m][e]) * gamma);
    double *through = j->coefficient[in];
    memset(through, 0, (size_t)inputs * sizeof(double));
    tangent_back(j->absolute, m, 1, d->wait, through, j->workspace[0]);
    tangent_back(j->plain, m, 1, d->middle[m], d->middle[in], j->workspace[0]);
    for (int64_t e = 0; e < inputs; e++)
        d->radius[in][e] = round_up(round_up(d->radius[in][e] + round_sum_up(through[e], terms)) + fabs(d->middle[in][e]) * 0x1p-50 + j->most[in][e] * gamma);
}

static void disc_sum(jacobian *j, int m, const discs *d)
{
    const bound_node *node = &j->graph->node[m];
    for (int i = 0; i < node->inputs; i++)
        for (int64_t e = 0; e < node->size; e++) {
            int in = node->input[i];
            d->middle[in][e] += node->scale[i] * d->middle[m][e];
            d->radius[in][e] = round_up(round_up(d->radius[in][e] + d->radius[m][e]) + fabs(d->middle[in][e]) * 0x1p-52);
        }
}

nigh_status jacobian_intervals(jacobian *j, jacobian_batch *batch)
{
    const bound_graph *g = j->graph;
    int64_t outputs = g->node[g->output].size, inputs = g->node[0].size;
    discs d;
    nigh_status status = new_discs(j, &d);
    for (int64_t i = 0; i < batch->domains && !status; i++) {
        for (int m = 0; m <= g->output; m++) {
            memset(d.middle[m], 0, (size_t)g->node[m].size * sizeof(double));
            memset(d.radius[m], 0, (size_t)g->node[m].size * sizeof(double));
        }
        memcpy(d.middle[g->output], batch->target + i * outputs, (size_t)outputs * sizeof(double));
        for (int m = g->output, a = g->activations - 1; m > 0; m--) {
            const bound_node *node = &g->node[m];
            while (a >= 0 && g->activation[a] > m) a--;
            if (!j->useful[m]) continue;
            if (node->kind == BOUND_ACTIVATION) disc_activation(batch, a, i, node->size, &d, m, node->input[0]);
            else if (node->kind == BOUND_SUM) disc_sum(j, m, &d);
            else disc_affine(j, m, node->input[0], &d);
        }
        keep(inputs, d.middle[0], d.radius[0], batch->low + i * inputs, batch->high + i * inputs);
    }
    if (!status) free_discs(j, &d);
    return status;
}

/* ---- product of norms ---------------------------------------------------------------------------------- */

/* At least the norm of the node's map: largest row sum, or the root of largest row sum times largest column sum (not below the spectral norm). */
static nigh_status norm_of(jacobian *j, jacobian_norm norm, int m, double *out)
{
    const bound_node *node = &j->graph->node[m];
    int64_t size = node->size, inputs = j->graph->node[node->input[0]].size, most = size > inputs ? size : inputs;
    double *one = nigh_alloc(j->ctx, (size_t)most * sizeof *one), *sum = nigh_alloc_zero(j->ctx, (size_t)most, sizeof *sum), rows = 0, columns = 0;
    if (!one || !sum) {
        nigh_free(j->ctx, one);
        nigh_free(j->ctx, sum);
        return NIGH_MEMORY;
    }
    for (int64_t e = 0; e < most; e++) one[e] = 1;
    tangent_forward(j->absolute, m, 1, one, sum, j->workspace[0]);
    for (int64_t e = 0; e < size; e++) rows = fmax(rows, sum[e]);
    memset(sum, 0, (size_t)most * sizeof *sum);
    tangent_back(j->absolute, m, 1, one, sum, j->workspace[0]);
    for (int64_t e = 0; e < inputs; e++) columns = fmax(columns, sum[e]);
    double terms = (double)most;
    *out = norm == JACOBIAN_ONE ? round_sum_up(rows, terms) : round_up(sqrt(round_up(round_sum_up(rows, terms) * round_sum_up(columns, terms))));
    nigh_free(j->ctx, one);
    nigh_free(j->ctx, sum);
    return NIGH_OK;
}

/* The target's own norm behind the last affine map: exact there instead of a product. */
static double last_norm(jacobian *j, jacobian_norm norm, const double *target, int *node)
{
    const bound_graph *g = j->graph;
    int m = g->output;
    int64_t n = g->node[m].size;
    double sum = 0, *through = NULL;
    bool affine = g->node[m].kind != BOUND_SUM && g->node[m].kind != BOUND_ACTIVATION && g->node[m].kind != BOUND_INPUT;
    *node = m;
    if (affine) {
        int in = g->node[m].input[0];
        double gamma = round_gamma(tangent_terms(j->plain, m) + g->node[m].slack + 4, ROUND_UNIT), *size = j->coefficient[m] + 2 * n;
        through = j->coefficient[in];
        memset(through, 0, (size_t)(2 * g->node[in].size) * sizeof(double));
        tangent_back(j->plain, m, 1, target, through, j->workspace[0]);
        for (int64_t e = 0; e < n; e++) size[e] = fabs(target[e]);
        tangent_back(j->absolute, m, 1, size, through + g->node[in].size, j->workspace[0]);
        n = g->node[in].size, *node = in;
        for (int64_t e = 0; e < n; e++) through[e] = round_up(fabs(through[e]) + round_up(gamma * through[n + e]));
    }
    for (int64_t e = 0; e < n; e++) {
        double v = fabs(through ? through[e] : target[e]);
        sum += norm == JACOBIAN_ONE ? v : v * v;
    }
    sum = round_sum_up(sum, (double)n + 2);
    return norm == JACOBIAN_ONE ? sum : round_up(sqrt(sum));
}

nigh_status jacobian_product(jacobian *j, jacobian_norm norm, const double *target, double *product)
{
    const bound_graph *g = j->graph;
    int end;
    double last = last_norm(j, norm, target, &end);
    double *constant = nigh_alloc_zero(j->ctx, (size_t)g->nodes, sizeof *constant);
    nigh_status status = constant ? NIGH_OK : NIGH_MEMORY;
    for (int m = 0; m <= end && !status; m++) {
        const bound_node *node = &g->node[m];
        double own = 1, sum = 0;
        if (node->kind == BOUND_INPUT) constant[m] = 1;
        if (node->kind == BOUND_INPUT || !j->useful[m]) continue;
        for (int i = 0; i < node->inputs; i++) sum = round_up(sum + constant[node->input[i]]);
        if (node->kind == BOUND_ACTIVATION) own = derivative_most(node->function, node->p);
        else if (node->kind != BOUND_SUM) status = norm_of(j, norm, m, &own);
        constant[m] = sum > 0 ? round_up(own * sum) : 0;
    }
    if (!status) *product = last > 0 && constant[end] > 0 ? round_up(last * constant[end]) : 0;
    nigh_free(j->ctx, constant);
    return status;
}
