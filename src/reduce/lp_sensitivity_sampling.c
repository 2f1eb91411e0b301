/*
 * "Sharper Bounds for l_p Sensitivity Sampling", Woodruff and Yasuda 2023: few weighted rows that keep |A x|_p^p for all x; scores, the size by theory, the
 * sample, its measured distortion. See nigh/sensitivity.h.
 */
#include "nigh/sensitivity.h"

#include "reduce/powers.h"
#include "tensor/dense.h"

#include <math.h>
#include <string.h>

/* ---- names and sizes ---- */

const char *nigh_lp_scheme_name(nigh_lp_scheme scheme)
{
    static const char *const names[NIGH_LP_SCHEMES] = {"auto", "uniform", "leverage", "root-leverage", "lewis", "sensitivity", "augmented", "mixture"};
    return scheme >= 0 && scheme < NIGH_LP_SCHEMES ? names[scheme] : "";
}

const char *nigh_lp_scheme_theorem(nigh_lp_scheme scheme, double p)
{
    bool low = p <= 2;
    switch (scheme) {
    case NIGH_LP_LEVERAGE: return p == 2 ? "d log d / error^2 rows by leverage (Drineas, Mahoney and Muthukrishnan 2006)" : "";
    case NIGH_LP_ROOT_LEVERAGE: return low ? "d / error^2 rows up to logarithms by recursive root leverage (Woodruff and Yasuda 2023)" : "";
    case NIGH_LP_LEWIS:
        return low ? "d log d / error^2 rows by Lewis weights (Cohen and Peng 2015)" : "d^(p/2) rows up to logarithms and powers of the error by Lewis weights (Cohen and Peng 2015)";
    case NIGH_LP_SENSITIVITY:
        return low ? "the smaller of S^(2/p) (Woodruff and Yasuda 2023) and d^(1-p/2) S (Chen and Derezinski 2021) rows over error^2, up to logarithms"
                   : "S^(2-2/p) rows up to logarithms and powers of the error by sensitivities (Woodruff and Yasuda 2023)";
    case NIGH_LP_AUGMENTED: return low ? "(S + d) / error^2 rows up to logarithms by sensitivity and leverage (Munteanu and Omlor 2024)" : "";
    case NIGH_LP_MIXTURE:
        return low ? "(S + d) / error^2 rows up to logarithms by sensitivity and leverage (Munteanu and Omlor 2024)"
                   : "d^(2/p) S^(2-4/p) rows up to logarithms and powers of the error by sensitivity and leverage (Woodruff and Yasuda 2023)";
    default: return "";
    }
}

double nigh_lp_size(nigh_lp_scheme scheme, double p, int64_t d, double total, double error, double delta, double constant)
{
    double rank = (double)d, unit = constant * log(fmax(rank, 2) / delta) / (error * error);
    bool low = p <= 2;
    switch (scheme) {
    case NIGH_LP_LEVERAGE: return p == 2 ? unit * rank : INFINITY;
    case NIGH_LP_ROOT_LEVERAGE: return low ? unit * rank : INFINITY;
    case NIGH_LP_LEWIS: return unit * (low ? rank : pow(rank, p / 2));
    case NIGH_LP_SENSITIVITY: return unit * (low ? fmin(pow(total, 2 / p), pow(rank, 1 - p / 2) * total) : pow(total, 2 - 2 / p));
    case NIGH_LP_AUGMENTED: return low ? unit * (total + rank) : INFINITY;
    case NIGH_LP_MIXTURE: return unit * (low ? total + rank : pow(rank, 2 / p) * pow(total, 2 - 4 / p));
    default: return INFINITY;
    }
}

/* ---- independent draws ---- */

nigh_status nigh_subset_independent(nigh_context *ctx, const nigh_rows *rows, const double *score, double multiple, nigh_rng *rng, nigh_subset *out, double *expected)
{
    double sum = 0, top = 0;
    int64_t best = 0, count = 0;
    if (!(multiple > 0) || !isfinite(multiple)) return nigh_fail(ctx, NIGH_INVALID, "multiple is %g; above 0 is allowed", multiple);
    for (int64_t i = 0; i < rows->n; i++) {
        if (!(score[i] >= 0) || !isfinite(score[i])) return nigh_fail(ctx, NIGH_INVALID, "score[%lld] is %g; finite and not below 0 is allowed", (long long)i, score[i]);
        sum += fmin(1, multiple * score[i]);
        if (score[i] > top) top = score[i], best = i;
    }
    if (!(top > 0)) return nigh_fail(ctx, NIGH_INVALID, "all scores are 0");
    int64_t room = (int64_t)(sum + 8 * sqrt(sum) + 64);
    if (room > rows->n) room = rows->n;
    nigh_subset s = {.index = nigh_alloc(ctx, (size_t)room * sizeof *s.index), .weight = dense_doubles(ctx, room)};
    nigh_status status = s.index && s.weight ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < rows->n && !status; i++) {
        double q = fmin(1, multiple * score[i]);
        if (!(nigh_rng_f64(rng) < q)) continue;
        if (count == room) { /* eight standard deviations above the mean */
            room = rows->n;
            int64_t *index = nigh_resize(ctx, s.index, (size_t)room * sizeof *index);
            if (index) s.index = index;
            double *weight = index ? nigh_resize(ctx, s.weight, (size_t)room * sizeof *weight) : NULL;
            if (weight) s.weight = weight;
            if (!weight) status = NIGH_MEMORY;
        }
        if (!status) s.index[count] = i, s.weight[count++] = (rows->weight ? rows->weight[i] : 1) / q;
    }
    if (!status && count == 0) s.index[0] = best, s.weight[0] = (rows->weight ? rows->weight[best] : 1) / fmin(1, multiple * top), count = 1;
    s.count = count;
    if (status) {
        nigh_subset_free(ctx, &s);
        return status;
    }
    *out = s;
    if (expected) *expected = sum;
    return NIGH_OK;
}

/* M with sum of min(1, M score_i) = rows, or as near as the rows with a score allow. */
static double multiple_for(int64_t n, const double *score, double rows)
{
    double sum = 0, multiple = 0, positive = 0;
    for (int64_t i = 0; i < n; i++) sum += score[i], positive += score[i] > 0;
    if (rows >= positive) return 1e300;
    multiple = rows / sum;
    for (int round = 0; round < 60; round++) {
        double full = 0, rest = 0;
        for (int64_t i = 0; i < n; i++)
            if (multiple * score[i] >= 1) full++;
            else rest += score[i];
        double next = rest > 0 && rows > full ? (rows - full) / rest : multiple;
        if (!(next > multiple * (1 + 1e-9))) break;
        multiple = next;
    }
    return multiple;
}

/* ---- scores of a scheme ---- */

typedef struct job {
    const nigh_rows *rows;
    nigh_lp_options o;
    nigh_lp_report report;
    double *score, *tau, *sigma; /* [n] */
    nigh_gauge *gauge;
    double predicted;
} job;

static nigh_status check_options(nigh_context *ctx, const nigh_lp_options *given, nigh_lp_options *o)
{
    *o = given ? *given : (nigh_lp_options){0};
    if (o->p == 0) o->p = 1;
    if (o->error == 0) o->error = 0.2;
    if (o->delta == 0) o->delta = 0.05;
    if (o->constant == 0) o->constant = 1;
    if (o->begin == 0) o->begin = 0.125;
    if (o->narrow == 0) o->narrow = 2;
    if (o->exact == 0) o->exact = 2000;
    nigh_status status = power_check(ctx, o->p);
    if (status) return status;
    if (!(o->error > 0 && o->error < 1)) return nigh_fail(ctx, NIGH_INVALID, "error is %g; between 0 and 1 is allowed", o->error);
    if (!(o->delta > 0 && o->delta < 1)) return nigh_fail(ctx, NIGH_INVALID, "delta is %g; between 0 and 1 is allowed", o->delta);
    if (!(o->constant > 0) || !isfinite(o->constant)) return nigh_fail(ctx, NIGH_INVALID, "constant is %g; above 0 is allowed", o->constant);
    if (!(o->begin > 0 && o->begin <= 1)) return nigh_fail(ctx, NIGH_INVALID, "begin is %g; above 0 to 1 is allowed", o->begin);
    if (o->scheme < 0 || o->scheme >= NIGH_LP_SCHEMES) return nigh_fail(ctx, NIGH_INVALID, "scheme %d; 0 to %d is allowed", (int)o->scheme, NIGH_LP_SCHEMES - 1);
    if (o->scheme == NIGH_LP_ROOT_LEVERAGE && o->p > 2) return nigh_fail(ctx, NIGH_INVALID, "root leverage with p = %g; 1 to 2 is allowed", o->p);
    return NIGH_OK;
}

/* Leverages; sensitivities or bounds of them where the scheme or the prediction wants them. */
static nigh_status find_scores(nigh_context *ctx, job *j)
{
    const nigh_lp_options *o = &j->o;
    int64_t n = j->rows->n;
    nigh_lp_scheme scheme = o->scheme;
    bool cheap = scheme == NIGH_LP_UNIFORM || scheme == NIGH_LP_LEVERAGE || scheme == NIGH_LP_ROOT_LEVERAGE || scheme == NIGH_LP_LEWIS;
    row_matrix a;
    nigh_status status = row_matrix_new(ctx, j->rows, o->columns, o->p, &a);
    if (status) return status;
    if (cheap || o->p == 2) {
        status = leverage_of(ctx, &a.source, j->tau, &j->report.found);
        if (!status) memcpy(j->sigma, j->tau, (size_t)n * sizeof *j->sigma);
        j->report.total = o->p == 2 ? (double)j->report.found.rank : NAN, j->report.total_exact = o->p == 2;
    } else {
        status = sensitivity_bounds_of(ctx, &a.source, o->p, j->sigma, j->tau, &(int64_t){0}, &j->report.found);
        if (!status && n <= o->exact) status = nigh_sensitivities(ctx, j->rows, o->columns, o->p, n, NULL, 1e-4, NULL, j->sigma);
        if (status) goto done;
        j->report.total_exact = n <= o->exact, j->report.total = 0;
        for (int64_t i = 0; i < n; i++) j->report.total += j->sigma[i];
        scores_count(n, j->tau, &j->report.found);
    }
    if (!status && scheme == NIGH_LP_LEWIS) status = lewis_of(ctx, &a.source, o->p, 15, 1e-2, j->score, &(nigh_scores){0});
done:
    row_matrix_free(ctx, &a);
    return status;
}

static void choose_scheme(job *j)
{
    const nigh_lp_options *o = &j->o;
    nigh_lp_report *r = &j->report;
    int64_t rank = r->found.rank;
    for (int s = 0; s < NIGH_LP_SCHEMES; s++) {
        double size = nigh_lp_size((nigh_lp_scheme)s, o->p, rank, r->total, o->error, o->delta, o->constant);
        r->predicted[s] = isnan(size) ? INFINITY : size;
    }
    r->scheme = o->scheme;
    if (r->scheme == NIGH_LP_AUTO)
        r->scheme = o->p == 2 ? NIGH_LP_LEVERAGE : o->p < 2 ? NIGH_LP_AUGMENTED : r->predicted[NIGH_LP_LEWIS] < r->predicted[NIGH_LP_MIXTURE] ? NIGH_LP_LEWIS : NIGH_LP_MIXTURE;
    r->theorem = nigh_lp_scheme_theorem(r->scheme, o->p);
    /* Without a theorem: what Lewis weights need. */
    j->predicted = r->predicted[0] = isinf(r->predicted[r->scheme]) ? r->predicted[NIGH_LP_LEWIS] : r->predicted[r->scheme];
}

static nigh_status make_scores(nigh_context *ctx, job *j)
{
    int64_t n = j->rows->n;
    double rank = (double)j->report.found.rank, total = j->report.total, p = j->o.p;
    nigh_lp_scheme scheme = j->report.scheme;
    if (scheme == NIGH_LP_LEWIS && j->o.scheme == NIGH_LP_AUTO) {
        row_matrix a;
        nigh_status status = row_matrix_new(ctx, j->rows, j->o.columns, p, &a);
        if (status) return status;
        status = lewis_of(ctx, &a.source, p, 15, 1e-2, j->score, &(nigh_scores){0});
        row_matrix_free(ctx, &a);
        return status;
    }
    for (int64_t i = 0; i < n; i++) {
        double tau = j->tau[i], sigma = j->sigma[i];
        switch (scheme) {
        case NIGH_LP_UNIFORM: j->score[i] = tau > 0 ? 1 : 0; break;
        case NIGH_LP_LEVERAGE: j->score[i] = tau; break;
        case NIGH_LP_ROOT_LEVERAGE: j->score[i] = row_power(tau, p / 2); break;
        case NIGH_LP_SENSITIVITY: j->score[i] = sigma; break;
        case NIGH_LP_AUGMENTED: j->score[i] = sigma + tau; break;
        case NIGH_LP_MIXTURE: j->score[i] = sigma / total + tau / rank; break;
        default: break; /* Lewis weights are there */
        }
    }
    return NIGH_OK;
}

/* ---- samples ---- */

/* One level of root leverage below `subset`, which becomes smaller, unless that gains less than a fifth. */
static nigh_status next_level(nigh_context *ctx, job *j, double multiple, nigh_rng *rng, nigh_subset *subset, bool *done)
{
    nigh_rows rows;
    void *block = NULL;
    nigh_subset kept = {0};
    double *score = dense_doubles(ctx, subset->count), sum = 0;
    nigh_status status = score ? nigh_subset_take(ctx, j->rows, subset, &rows, &block) : NIGH_MEMORY;
    if (!status) status = nigh_leverage(ctx, &rows, j->o.columns, j->o.p, score, NULL);
    for (int64_t i = 0; i < subset->count && !status; i++) sum += fmin(1, multiple * score[i]);
    *done = !status && sum > 0.8 * (double)subset->count;
    if (!status && !*done) status = nigh_subset_independent(ctx, &rows, score, multiple, rng, &kept, &j->report.expected);
    for (int64_t i = 0; i < kept.count; i++) kept.index[i] = subset->index[kept.index[i]];
    if (!status && !*done) {
        nigh_subset_free(ctx, subset);
        *subset = kept;
    }
    nigh_free(ctx, block);
    nigh_free(ctx, score);
    return status;
}

static nigh_status draw(nigh_context *ctx, job *j, double rows, int number, nigh_subset *out)
{
    nigh_rng rng = nigh_rng_new(nigh_seed_split(j->o.seed, 7), (uint64_t)number);
    bool root = j->report.scheme == NIGH_LP_ROOT_LEVERAGE, done = !root;
    double multiple = root ? pow(rows / (double)j->report.found.rank, j->o.p / 2) : multiple_for(j->rows->n, j->score, rows);
    nigh_status status = nigh_subset_independent(ctx, j->rows, j->score, multiple, &rng, out, &j->report.expected);
    j->report.multiple = multiple, j->report.levels = 1;
    if (!status) j->report.level_rows[0] = out->count;
    while (!status && !done && j->report.levels < 4) {
        status = next_level(ctx, j, multiple, &rng, out, &done);
        if (!status && !done) j->report.level_rows[j->report.levels++] = out->count;
    }
    if (status) nigh_subset_free(ctx, out);
    return status;
}

static nigh_status all_rows(nigh_context *ctx, job *j, nigh_subset *out)
{
    int64_t n = j->rows->n, count = 0;
    nigh_subset s = {.index = nigh_alloc(ctx, (size_t)n * sizeof *s.index), .weight = dense_doubles(ctx, n)};
    if (!s.index || !s.weight) {
        nigh_subset_free(ctx, &s);
        return NIGH_MEMORY;
    }
    for (int64_t i = 0; i < n; i++)
        if (j->tau[i] > 0) s.index[count] = i, s.weight[count++] = j->rows->weight ? j->rows->weight[i] : 1;
    s.count = count;
    *out = s;
    j->report.all = j->report.met = true, j->report.expected = (double)count, j->report.multiple = INFINITY;
    j->report.distortion = (nigh_distortion){.low = 1, .high = 1, .proved = 0, .where = "random"};
    return NIGH_OK;
}

/* A sample of so many rows and its distortion; it takes the place of `best` when it is within the error. */
static nigh_status attempt(nigh_context *ctx, job *j, double rows, nigh_subset *best, nigh_lp_report *kept, bool *met)
{
    nigh_subset sample = {0};
    nigh_status status = draw(ctx, j, rows, j->report.measured, &sample);
    if (!status) status = nigh_gauge_measure(ctx, j->gauge, &sample, &j->report.distortion);
    j->report.measured++;
    nigh_progress(ctx, "rows measured", (double)j->report.measured, 0);
    *met = !status && j->report.distortion.largest <= j->o.error;
    if (*met) {
        nigh_subset_free(ctx, best);
        *best = sample, *kept = j->report;
        kept->met = true;
    } else {
        nigh_subset_free(ctx, &sample);
    }
    return status;
}

static nigh_status search(nigh_context *ctx, job *j, nigh_subset *out)
{
    nigh_lp_report kept = {0};
    nigh_subset best = {0};
    double rows = fmax(j->predicted * j->o.begin, (double)j->report.found.rank), low = rows / 2;
    bool met = false;
    nigh_status status = nigh_gauge_new(ctx, j->rows, j->o.columns, j->o.p, &j->o.gauge, &j->gauge);
    while (!status && !met && rows < 0.9 * (double)j->rows->n) {
        status = attempt(ctx, j, rows, &best, &kept, &met);
        if (!met) low = rows, rows *= 2;
    }
    if (!status && !met) return all_rows(ctx, j, out);
    for (int i = 0; i < j->o.narrow && !status; i++) {
        double middle = sqrt(low * rows);
        status = attempt(ctx, j, middle, &best, &kept, &met);
        if (met) rows = middle;
        else low = middle;
    }
    if (status) {
        nigh_subset_free(ctx, &best);
        return status;
    }
    kept.measured = j->report.measured;
    j->report = kept, *out = best;
    return NIGH_OK;
}

nigh_status nigh_lp_sensitivity_sampling(nigh_context *ctx, const nigh_rows *rows, const nigh_lp_options *options, nigh_subset *subset, nigh_lp_report *report)
{
    job j = {.rows = rows};
    nigh_subset out = {0};
    nigh_status status = check_options(ctx, options, &j.o);
    if (status) return status;
    status = nigh_rows_check(ctx, rows, NULL);
    if (status) return status;
    j.score = dense_doubles(ctx, rows->n), j.tau = dense_doubles(ctx, rows->n), j.sigma = dense_doubles(ctx, rows->n);
    status = j.score && j.tau && j.sigma ? find_scores(ctx, &j) : NIGH_MEMORY;
    if (!status && j.report.found.rank == 0) status = nigh_fail(ctx, NIGH_INVALID, "all rows are zero or have weight 0: there is nothing to keep");
    if (status) goto done;
    choose_scheme(&j);
    if (j.predicted >= (double)(rows->n - j.report.found.zero_rows)) {
        status = all_rows(ctx, &j, &out);
    } else {
        status = make_scores(ctx, &j);
        if (!status && j.o.unmeasured) {
            status = draw(ctx, &j, j.predicted, 0, &out);
            j.report.distortion = (nigh_distortion){.low = NAN, .high = NAN, .largest = NAN, .random = NAN, .proved = INFINITY, .where = ""};
        } else if (!status) {
            status = search(ctx, &j, &out);
        }
    }
    if (!status) *subset = out;
    if (!status && report) *report = j.report;
done:
    nigh_gauge_free(j.gauge);
    nigh_free(ctx, j.score);
    nigh_free(ctx, j.tau);
    nigh_free(ctx, j.sigma);
    return status;
}
