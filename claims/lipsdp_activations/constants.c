/* Constants that are known by other means, and the constraints they rest on; see parts.h. */
#include "parts.h"

#include "nigh/linalg.h"
#include "nigh/random.h"

#include <math.h>
#include <string.h>

/* ---- enumeration ---------------------------------------------------------------------------------------------- */

/* W2 P W1 W1^T P^T W2^T of the pairs in `swapped`, from C = W2 and G = W1 W1^T. */
static void squared(int64_t outputs, int64_t units, const double *w, const double *gram, uint64_t swapped, double *half, double *out)
{
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t j = 0; j < units; j++) {
            double sum = 0;
            for (int64_t i = 0; i < units; i++) sum += w[o * units + (swapped >> (i / 2) & 1 ? i ^ 1 : i)] * gram[i * units + j];
            half[o * units + j] = sum;
        }
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t k = 0; k <= o; k++) {
            double sum = 0;
            for (int64_t j = 0; j < units; j++) sum += half[o * units + j] * w[k * units + (swapped >> (j / 2) & 1 ? j ^ 1 : j)];
            out[o * outputs + k] = out[k * outputs + o] = sum;
        }
}

nigh_status net_enumerate(const claim_net *net, double *largest)
{
    const nigh_lipschitz_layer *a = &net->layer[0], *b = &net->layer[1];
    int64_t units = a->units, outputs = b->units;
    double *gram = nigh_alloc(net->ctx, (size_t)(units * units + outputs * units + outputs * outputs + outputs) * sizeof *gram), best = 0;
    if (!gram) return NIGH_MEMORY;
    double *half = gram + units * units, *product = half + outputs * units, *value = product + outputs * outputs;
    for (int64_t i = 0; i < units; i++)
        for (int64_t j = 0; j < units; j++) {
            gram[i * units + j] = 0;
            for (int64_t k = 0; k < a->inputs; k++) gram[i * units + j] += a->weight[i * a->inputs + k] * a->weight[j * a->inputs + k];
        }
    nigh_status status = NIGH_OK;
    for (uint64_t swapped = 0; swapped < 1ULL << (units / 2) && !status; swapped++) {
        squared(outputs, units, b->weight, gram, swapped, half, product);
        status = nigh_eigen(net->ctx, NIGH_F64, outputs, product, value, NULL);
        for (int64_t i = 0; i < outputs; i++) best = fmax(best, value[i]);
    }
    nigh_free(net->ctx, gram);
    if (!status) *largest = sqrt(best);
    return status;
}

/* ---- two relus a pair ------------------------------------------------------------------------------------------- */

/* Units (a - b, b - a) for each pair; y = after relu(..) + skip x with max = b + relu(a - b), min = b - relu(b - a). */
nigh_status net_two_relus(const claim_net *net, claim_net *out)
{
    const nigh_lipschitz_layer *a = &net->layer[0];
    const int64_t n = a->units;
    double *at = nigh_alloc_zero(net->ctx, (size_t)(2 * n * a->inputs + n * n), sizeof *at);
    if (!at) return NIGH_MEMORY;
    double *weight = at, *skip = at + n * a->inputs, *after = skip + n * a->inputs;
    for (int64_t i = 0; i < n; i++) {
        double sign = i % 2 ? -1 : 1;
        int64_t first = i - i % 2;
        for (int64_t j = 0; j < a->inputs; j++) {
            weight[i * a->inputs + j] = sign * (a->weight[first * a->inputs + j] - a->weight[(first + 1) * a->inputs + j]);
            skip[i * a->inputs + j] = a->weight[(first + 1) * a->inputs + j];
        }
        after[i * n + i] = sign;
    }
    *out = *net;
    out->memory = at;
    out->layer[0] = (nigh_lipschitz_layer){.inputs = a->inputs, .units = n, .outputs = n, .weight = weight, .kind = NIGH_LIPSCHITZ_RELU, .after = after, .skip = skip};
    return NIGH_OK;
}

/* ---- quadratic constraints ---------------------------------------------------------------------------------------- */

enum { GROUP = 4 };

static void activation(nigh_lipschitz_kind kind, const double *v, const double *x, double *y)
{
    double side = 0;
    for (int i = 0; i < GROUP; i++) side += v[i] * x[i];
    for (int i = 0; i < GROUP; i++) y[i] = kind == NIGH_LIPSCHITZ_RELU ? fmax(x[i], 0) : kind == NIGH_LIPSCHITZ_HOUSEHOLDER && side <= 0 ? x[i] - 2 * side * v[i] : x[i];
    if (kind != NIGH_LIPSCHITZ_SORT) return;
    for (int i = 1; i < GROUP; i++)
        for (int j = i; j > 0 && y[j] > y[j - 1]; j--) {
            double swap = y[j];
            y[j] = y[j - 1], y[j - 1] = swap;
        }
}

/* a^T J b for J = 1 1^T (sorting) or I - v v^T. */
static double across(nigh_lipschitz_kind kind, const double *v, const double *a, const double *b)
{
    double sum_a = 0, sum_b = 0, product = 0, along_a = 0, along_b = 0;
    for (int i = 0; i < GROUP; i++) sum_a += a[i], sum_b += b[i], product += a[i] * b[i], along_a += v[i] * a[i], along_b += v[i] * b[i];
    return kind == NIGH_LIPSCHITZ_SORT ? sum_a * sum_b : product - along_a * along_b;
}

static double one_constraint(nigh_lipschitz_kind kind, nigh_rng *rng, const double *v, const double *dx, const double *dy)
{
    double value = 0, size = 1e-300, lambda = fabs(nigh_rng_normal(rng));
    if (kind == NIGH_LIPSCHITZ_RELU) {
        for (int i = 0; i < GROUP; i++, lambda = fabs(nigh_rng_normal(rng))) value += 2 * lambda * dy[i] * (dx[i] - dy[i]), size += lambda * (dx[i] * dx[i] + dy[i] * dy[i]);
        return value / size;
    }
    double gamma = nigh_rng_normal(rng), tau = nigh_rng_normal(rng), nu = nigh_rng_normal(rng);
    for (int i = 0; i < GROUP; i++) value += lambda * (dx[i] * dx[i] - dy[i] * dy[i]), size += lambda * (dx[i] * dx[i] + dy[i] * dy[i]);
    double xx = across(kind, v, dx, dx), xy = across(kind, v, dx, dy), yy = across(kind, v, dy, dy);
    value += (gamma - 2 * tau) * xx + 2 * (nu + tau) * xy - (gamma + 2 * nu) * yy;
    size += (fabs(gamma) + 2 * fabs(tau)) * fabs(xx) + 2 * (fabs(nu) + fabs(tau)) * fabs(xy) + (fabs(gamma) + 2 * fabs(nu)) * fabs(yy);
    return value / size;
}

double constraint_least(nigh_lipschitz_kind kind, int64_t pairs, bool wrong, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, (uint64_t)kind);
    double least = INFINITY;
    for (int64_t n = 0; n < pairs; n++) {
        double v[GROUP], x[2][GROUP], y[2][GROUP], dx[GROUP], dy[GROUP], length = 0;
        for (int i = 0; i < GROUP; i++) v[i] = nigh_rng_normal(&rng), length += v[i] * v[i], x[0][i] = nigh_rng_normal(&rng), x[1][i] = nigh_rng_normal(&rng);
        for (int i = 0; i < GROUP; i++) v[i] /= sqrt(length);
        for (int k = 0; k < 2; k++) {
            activation(kind, v, x[k], y[k]);
            if (wrong) y[k][0] = fabs(x[k][0]);
        }
        for (int i = 0; i < GROUP; i++) dx[i] = x[0][i] - x[1][i], dy[i] = y[0][i] - y[1][i];
        least = fmin(least, one_constraint(kind, &rng, v, dx, dy));
    }
    return least;
}
