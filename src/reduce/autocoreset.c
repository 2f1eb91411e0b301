/*
 * autocoreset: a subset of rows by summarising the matrix of losses that models trained on earlier subsets have on all rows.
 * "AutoCoreset: An Automatic Practical Coreset Construction Framework": its loop, its samplers, its rule for the end; see nigh/autocoreset.h.
 *
 * The matrix itself is kept for exact sums alone. Importance sampling needs the lengths of its rows, which grow by one column at a time;
 * calibration and best-of-k need the rows of the subset, which are computed again from the models: m rows each, where all are n.
 */
#include "nigh/autocoreset.h"
#include "reduce/summary_vector.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double COMMON = 0.97; /* of the part of a squared length along the mean: what does not count */
enum { STARTS = 3, PATIENCE = 5, ROUNDS = 50, DRAWS = 100, BLOCK = 4096, LEAST_SHARE = 6, EXACT_NUMBERS = 1 << 27 };

typedef struct search {
    nigh_context *ctx;
    const nigh_loss *loss;
    const nigh_rows *rows;
    nigh_autocoreset_options o;
    int64_t n, parameters, columns, room;
    double weight; /* of all rows */
    summary_classes classes;
    double *value, *score;                      /* [n]: losses of one model; what rows are drawn by */
    double *length2, *sum;                      /* [n]: squared lengths of the matrix's rows; CALIBRATED: their sums, else NULL */
    double *exact;                              /* CARATHEODORY: columns of class 0, [room][count], then those of class 1 */
    double *model, *unit, *class_sum, *penalty; /* [room,parameters]; of each column: its sum of moduli, sums over classes [room,2] */
    double *block;                              /* [blocks][4] */
    double class_weight[2];
    nigh_autocoreset *out;
} search;

const char *nigh_autocoreset_kind_name(nigh_autocoreset_kind kind)
{
    static const char *const names[] = {"calibrated", "importance", "independent", "best-of", "caratheodory", "caratheodory-plain", "uniform"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : NULL;
}

void nigh_autocoreset_free(nigh_context *ctx, nigh_autocoreset *result)
{
    if (!result) return;
    nigh_subset_free(ctx, &result->subset);
    nigh_free(ctx, result->model);
    nigh_free(ctx, result->history);
    *result = (nigh_autocoreset){0};
}

static double row_weight(const search *s, int64_t i) { return s->rows->weight ? s->rows->weight[i] : 1; }

/* Rows of positive weight: the others count nowhere. */
static int64_t used(const search *s) { return s->classes.count[0] + s->classes.count[1]; }

static bool exact_kind(nigh_autocoreset_kind kind) { return kind == NIGH_AUTOCORESET_CARATHEODORY || kind == NIGH_AUTOCORESET_CARATHEODORY_PLAIN; }

/* ---- what is asked for -------------------------------------------------------------------------------------- */

static int64_t least_rows(const nigh_loss *loss, int64_t d)
{
    const nigh_loss_options *is = nigh_loss_is(loss);
    switch (is->kind) {
    case NIGH_LOSS_SQUARES:
    case NIGH_LOSS_LP:
    case NIGH_LOSS_HUBER:
    case NIGH_LOSS_RESIDUAL: return d + !is->no_intercept;
    case NIGH_LOSS_LOGISTIC:
    case NIGH_LOSS_HINGE: return 2;
    case NIGH_LOSS_KMEANS:
    case NIGH_LOSS_MIXTURE: return is->k;
    case NIGH_LOSS_CALLBACK: break;
    }
    return 1;
}

static nigh_status check_options(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, nigh_autocoreset_options *o)
{
    if (!nigh_autocoreset_kind_name(o->kind)) return nigh_fail(ctx, NIGH_INVALID, "kind is %d; %d to %d are allowed", (int)o->kind, NIGH_AUTOCORESET_CALIBRATED, NIGH_AUTOCORESET_UNIFORM);
    if (o->starts < 0 || o->starts > 1000) return nigh_fail(ctx, NIGH_INVALID, "starts is %d; 1 to 1000 are allowed, 0 means %d", o->starts, STARTS);
    if (o->patience < 0 || o->patience > 1000) return nigh_fail(ctx, NIGH_INVALID, "patience is %d; 1 to 1000 are allowed, 0 means %d", o->patience, PATIENCE);
    if (o->rounds < -1 || o->rounds > 1000) return nigh_fail(ctx, NIGH_INVALID, "rounds is %d; 1 to 1000 are allowed, 0 means %d, -1 none", o->rounds, ROUNDS);
    if (o->draws < 0 || o->draws > 100000) return nigh_fail(ctx, NIGH_INVALID, "draws is %d; 1 to 100000 are allowed, 0 means %d", o->draws, DRAWS);
    if (!(o->share >= 0 && o->share < 1)) return nigh_fail(ctx, NIGH_INVALID, "share is %g; a number between 0 and 1 is allowed, 0 means the default", o->share);
    if (!(o->tolerance >= 0 && o->tolerance < 1)) return nigh_fail(ctx, NIGH_INVALID, "tolerance is %g; a number between 0 and 1 is allowed, 0 means 1e-8", o->tolerance);
    int64_t least = least_rows(loss, rows->d);
    if (o->m < least)
        return nigh_fail(ctx, NIGH_INVALID, "m is %lld; a subset for %s needs at least %lld rows", (long long)o->m, nigh_loss_name(loss), (long long)least);
    if (!o->starts) o->starts = STARTS;
    if (!o->patience) o->patience = PATIENCE;
    if (!o->rounds) o->rounds = ROUNDS;
    if (!o->draws) o->draws = DRAWS;
    if (o->tolerance == 0) o->tolerance = 1e-8;
    if (o->rounds < 0) o->rounds = 0;
    return NIGH_OK;
}

/* ---- a column of the matrix --------------------------------------------------------------------------------- */

static nigh_status name_bad_value(const search *s)
{
    for (int64_t i = 0; i < s->n; i++)
        if (!isfinite(s->value[i]))
            return nigh_fail(s->ctx, NIGH_FAILED, "the loss of row %lld is %g under the model of training %lld; losses must be finite numbers", (long long)i, s->value[i], (long long)s->columns + 1);
    return nigh_fail(s->ctx, NIGH_FAILED, "the losses under the model of training %lld have no finite sum", (long long)s->columns + 1);
}

/* value becomes loss plus share of the penalty of one row; block sums: of all, of moduli, of class 1; blocks in fixed order, whatever the threads. */
static void sum_column(const search *s, double share, double *sum, double *modulus, double *ones)
{
    int64_t blocks = (s->n + BLOCK - 1) / BLOCK;
    const double *weight = s->rows->weight, *y = s->classes.classes > 1 ? s->rows->y : NULL;
    double *value = s->value;
#pragma omp parallel for schedule(static) num_threads(nigh_context_threads(s->ctx)) if (nigh_context_threads(s->ctx) > 1 && blocks > 8)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t end = (b + 1) * BLOCK < s->n ? (b + 1) * BLOCK : s->n;
        double all = 0, size = 0, one = 0;
        for (int64_t i = b * BLOCK; i < end; i++) {
            double v = value[i] + share, w = weight ? weight[i] * v : v;
            value[i] = v;
            all += w, size += fabs(w);
            if (y) one += y[i] > 0.5 ? w : 0;
        }
        s->block[4 * b] = all, s->block[4 * b + 1] = size, s->block[4 * b + 2] = one;
    }
    *sum = *modulus = *ones = 0;
    for (int64_t b = 0; b < blocks; b++) *sum += s->block[4 * b], *modulus += s->block[4 * b + 1], *ones += s->block[4 * b + 2];
}

/*
 * Scores of the matrix's rows with one column more; the largest entry of the column and its row. A score is the length of the row. Where sums will be made exact
 * afterwards, what a row has in common under all models matters less than how its loss differs between them: then of the squared length the part along the mean
 * counts little, but for rows of more than 1 / m of all losses, which must come.
 */
static void lengthen(const search *s, double unit, double *heaviest, int64_t *row)
{
    int64_t blocks = (s->n + BLOCK - 1) / BLOCK;
    const double *weight = s->rows->weight, *value = s->value;
    double *length2 = s->length2, *score = s->score, *total = s->sum, columns = (double)(s->columns + 1), common = COMMON / columns, heavy = columns / (double)s->o.m;
#pragma omp parallel for schedule(static) num_threads(nigh_context_threads(s->ctx)) if (nigh_context_threads(s->ctx) > 1 && blocks > 8)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t end = (b + 1) * BLOCK < s->n ? (b + 1) * BLOCK : s->n;
        double most = -1;
        for (int64_t i = b * BLOCK; i < end; i++) {
            double entry = fabs(value[i] * unit) * (weight ? weight[i] : 1);
            length2[i] += entry * entry;
            if (total) total[i] += entry;
            score[i] = sqrt(total && total[i] < heavy ? length2[i] - common * total[i] * total[i] : length2[i]);
            most = entry > most ? entry : most;
        }
        s->block[4 * b + 3] = most;
    }
    int64_t at = 0;
    for (int64_t b = 1; b < blocks; b++)
        if (s->block[4 * b + 3] > s->block[4 * at + 3]) at = b;
    *heaviest = s->block[4 * at + 3], *row = at * BLOCK;
    while (fabs(value[*row] * unit) * row_weight(s, *row) < *heaviest) ++*row;
}

static void keep_exact(const search *s, double unit)
{
    double *column = s->exact;
    for (int c = 0; c < s->classes.classes; c++) {
        int64_t count = s->classes.count[c];
        for (int64_t i = 0; i < count; i++) column[s->columns * count + i] = s->value[summary_row(&s->classes, c, i)] * unit;
        column += s->room * count;
    }
}

/* The model's losses on all rows as column number `columns`; its cost, and the largest share of it that one row has. */
static nigh_status add_column(search *s, const double *model, double *cost, double *heaviest, int64_t *row)
{
    nigh_status status = nigh_loss_values(s->ctx, s->loss, s->rows, model, s->value);
    if (status) return status;
    double sum, modulus, ones, penalty = nigh_loss_penalty(s->loss, s->rows->d, model);
    s->out->passes++;
    sum_column(s, penalty / s->weight, &sum, &modulus, &ones);
    if (!isfinite(modulus)) return name_bad_value(s);
    double unit = modulus > 0 ? 1 / modulus : 0;
    lengthen(s, unit, heaviest, row);
    if (s->exact) keep_exact(s, unit);
    memcpy(s->model + s->columns * s->parameters, model, (size_t)s->parameters * sizeof *model);
    s->unit[s->columns] = unit, s->penalty[s->columns] = penalty / s->weight;
    s->class_sum[2 * s->columns] = (sum - ones) * unit, s->class_sum[2 * s->columns + 1] = ones * unit;
    s->columns++;
    *cost = sum;
    return NIGH_OK;
}

/* ---- subsets ------------------------------------------------------------------------------------------------ */

static void uniform_budget(const search *s, int64_t budget[2])
{
    double share = s->o.share > 0 ? s->o.share : (double)s->classes.count[1] / (double)used(s);
    summary_budget(&s->classes, s->o.m, share, s->o.share > 0 ? 1 : s->o.m / LEAST_SHARE, budget);
}

static void score_budget(const search *s, int64_t budget[2])
{
    double sum[2] = {0, 0};
    if (s->o.share > 0 || s->classes.classes < 2) {
        uniform_budget(s, budget);
        return;
    }
    for (int c = 0; c < 2; c++)
        for (int64_t i = 0; i < s->classes.count[c]; i++) sum[c] += s->score[s->classes.member[c][i]];
    double all = sum[0] + sum[1];
    summary_budget(&s->classes, s->o.m, all > 0 ? sum[1] / all : 0.5, s->o.m / LEAST_SHARE, budget);
}

/* Entries of the matrix, per unit of weight, of the subset's rows: value[columns][count]. */
static nigh_status entries_of(const search *s, const nigh_subset *subset, double *value)
{
    nigh_rows part;
    void *block = NULL;
    nigh_status status = nigh_subset_take(s->ctx, s->rows, subset, &part, &block);
    for (int64_t k = 0; k < s->columns && !status; k++) {
        double *column = value + k * subset->count;
        status = nigh_loss_values(s->ctx, s->loss, &part, s->model + k * s->parameters, column);
        for (int64_t i = 0; i < subset->count && !status; i++) column[i] = (column[i] + s->penalty[k]) * s->unit[k];
    }
    nigh_free(s->ctx, block);
    return status;
}

/* Column numbers, those of the lowest costs first. */
static void by_cost(const search *s, int64_t *order)
{
    for (int64_t k = 0; k < s->columns; k++) {
        int64_t at = k;
        for (; at > 0 && s->out->history[order[at - 1]].cost > s->out->history[k].cost; at--) order[at] = order[at - 1];
        order[at] = k;
    }
}

/* The rows of one class: the sum of their weights and the sums of the columns become exact, those of the best models when there are too many columns. */
static nigh_status calibrate_class(const search *s, int c, nigh_subset *subset, const double *value, const int64_t *order, double *room)
{
    const double *y = s->classes.classes > 1 ? s->rows->y : NULL;
    int64_t count = 0, *at = (int64_t *)room;
    double *weight = room + subset->count, *part = weight + subset->count;
    for (int64_t i = 0; i < subset->count; i++)
        if ((!y || (y[subset->index[i]] > 0.5) == c) && subset->weight[i] > 0) at[count++] = i;
    int64_t t = count / 2 < s->columns + 1 ? count / 2 : s->columns + 1;
    if (t < 1) return NIGH_OK;
    double *target = part + t * count;
    for (int64_t i = 0; i < count; i++) weight[i] = subset->weight[at[i]], part[i] = 1;
    target[0] = s->class_weight[c];
    for (int64_t k = 1; k < t; k++) {
        const double *column = value + order[k - 1] * subset->count;
        for (int64_t i = 0; i < count; i++) part[k * count + i] = column[at[i]];
        target[k] = s->class_sum[2 * order[k - 1] + c];
    }
    nigh_status status = summary_calibrate(s->ctx, count, t, part, target, weight);
    for (int64_t i = 0; i < count && !status; i++) subset->weight[at[i]] = weight[i];
    return status;
}

static nigh_status calibrate(const search *s, nigh_subset *subset)
{
    int64_t t = s->columns, count = subset->count;
    double *value = nigh_alloc(s->ctx, (size_t)(t * count + count * (t + 3) + 2 * t + 2) * sizeof *value);
    if (!value) return NIGH_MEMORY;
    double *room = value + t * count;
    int64_t *order = (int64_t *)(room + count * (t + 3) + t + 1);
    by_cost(s, order);
    nigh_status status = entries_of(s, subset, value);
    for (int c = 0; c < s->classes.classes && !status; c++) status = calibrate_class(s, c, subset, value, order, room);
    nigh_free(s->ctx, value);
    return status;
}

/* Factors of the rows become weights. */
static void to_weights(const search *s, nigh_subset *subset)
{
    for (int64_t i = 0; i < subset->count; i++) subset->weight[i] *= row_weight(s, subset->index[i]);
}

static nigh_status best_of(const search *s, const int64_t budget[2], nigh_rng *rng, nigh_subset *out)
{
    double best = INFINITY, *value = NULL, *target = nigh_alloc(s->ctx, (size_t)s->columns * sizeof *target);
    nigh_status status = target ? NIGH_OK : NIGH_MEMORY;
    for (int64_t k = 0; k < s->columns && !status; k++) target[k] = s->class_sum[2 * k] + s->class_sum[2 * k + 1];
    nigh_subset kept = {0};
    for (int i = 0; i < s->o.draws && !status; i++) {
        nigh_subset draw = {0};
        status = nigh_poll(s->ctx);
        if (!status) status = summary_uniform(s->ctx, &s->classes, budget, rng, &draw);
        if (!status) to_weights(s, &draw);
        if (!status && !value && !(value = nigh_alloc(s->ctx, (size_t)(s->columns * draw.count) * sizeof *value))) status = NIGH_MEMORY;
        if (!status) status = entries_of(s, &draw, value);
        double distance = status ? INFINITY : summary_distance(draw.count, s->columns, value, target, draw.weight);
        if (distance < best) {
            nigh_subset worse = kept;
            best = distance, kept = draw, draw = worse;
        }
        nigh_subset_free(s->ctx, &draw);
    }
    nigh_free(s->ctx, value);
    nigh_free(s->ctx, target);
    if (status) nigh_subset_free(s->ctx, &kept);
    else *out = kept;
    return status;
}

/* Weights of all rows, most of them 0, as a subset. */
static nigh_status pack(const search *s, const double *weight, nigh_subset *out)
{
    int64_t count = 0;
    for (int64_t i = 0; i < s->n; i++) count += weight[i] > 0;
    nigh_subset p = {.index = nigh_alloc(s->ctx, (size_t)(count + 1) * sizeof *p.index), .weight = nigh_alloc(s->ctx, (size_t)(count + 1) * sizeof *p.weight)};
    if (!p.index || !p.weight) {
        nigh_subset_free(s->ctx, &p);
        return NIGH_MEMORY;
    }
    for (int64_t i = 0; i < s->n; i++)
        if (weight[i] > 0) p.index[p.count] = i, p.weight[p.count++] = weight[i];
    *out = p;
    return NIGH_OK;
}

static nigh_status exact(const search *s, const int64_t budget[2], nigh_rng *rng, nigh_subset *out)
{
    double *weight = s->value, *part = nigh_alloc(s->ctx, (size_t)s->n * sizeof *part), *column = s->exact;
    if (!part) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    memset(weight, 0, (size_t)s->n * sizeof *weight);
    for (int c = 0; c < s->classes.classes && !status; c++) {
        int64_t count = s->classes.count[c];
        for (int64_t i = 0; i < count; i++) part[i] = row_weight(s, summary_row(&s->classes, c, i));
        status = summary_caratheodory(s->ctx, count, s->columns, column, part, budget[c], s->o.kind == NIGH_AUTOCORESET_CARATHEODORY_PLAIN, rng);
        for (int64_t i = 0; i < count && !status; i++) weight[summary_row(&s->classes, c, i)] = part[i];
        column += s->room * count;
    }
    if (!status) status = pack(s, weight, out);
    nigh_free(s->ctx, part);
    return status;
}

/* Columns and the sum of weights must not be more than rows of any class. */
static bool room_for_exact(const search *s)
{
    int64_t budget[2];
    uniform_budget(s, budget);
    for (int c = 0; c < s->classes.classes; c++)
        if (budget[c] < s->columns + 1) return false;
    return s->columns < s->room;
}

/* One subset; `start`: without the matrix. */
static nigh_status choose(const search *s, bool start, nigh_rng *rng, nigh_autocoreset_round *round, nigh_subset *out)
{
    nigh_autocoreset_kind kind = start ? NIGH_AUTOCORESET_UNIFORM : s->o.kind;
    bool scored = kind == NIGH_AUTOCORESET_CALIBRATED || kind == NIGH_AUTOCORESET_IMPORTANCE || kind == NIGH_AUTOCORESET_INDEPENDENT;
    nigh_status status;
    if (scored) score_budget(s, round->budget);
    else uniform_budget(s, round->budget);
    if (exact_kind(kind)) return exact(s, round->budget, rng, out);
    if (kind == NIGH_AUTOCORESET_BEST_OF) return best_of(s, round->budget, rng, out);
    if (kind == NIGH_AUTOCORESET_UNIFORM) status = summary_uniform(s->ctx, &s->classes, round->budget, rng, out);
    else if (kind == NIGH_AUTOCORESET_INDEPENDENT) status = summary_independent(s->ctx, &s->classes, s->score, round->budget, rng, out);
    else status = summary_scores(s->ctx, &s->classes, s->score, round->budget, rng, out, &round->sure);
    if (!status) to_weights(s, out);
    if (!status && kind == NIGH_AUTOCORESET_CALIBRATED) {
        status = calibrate(s, out);
        if (status) nigh_subset_free(s->ctx, out);
    }
    return status;
}

/* ---- the loop ----------------------------------------------------------------------------------------------- */

static nigh_status train(const search *s, const nigh_subset *subset, double tolerance, double *model, nigh_loss_fit *fit)
{
    nigh_rows part;
    void *block = NULL;
    const double *start = s->out->trainings && nigh_loss_convex(s->loss) ? s->out->model : NULL;
    nigh_status status = nigh_subset_take(s->ctx, s->rows, subset, &part, &block);
    if (!status) status = nigh_loss_train(s->ctx, s->loss, &part, &(nigh_loss_fit_options){.start = start, .tolerance = tolerance}, model, fit);
    nigh_free(s->ctx, block);
    if (status) return nigh_within(s->ctx, status, "training %lld, on %lld rows", (long long)s->out->trainings + 1, (long long)subset->count);
    return NIGH_OK;
}

/* Trains on the subset (which is taken over or freed), evaluates on all rows, keeps what is best. */
static nigh_status try_subset(search *s, nigh_autocoreset_round *round, nigh_subset *subset)
{
    nigh_autocoreset *out = s->out;
    double *model = s->model + s->columns * s->parameters, heaviest = 0;
    int64_t row = 0;
    nigh_loss_fit fit = {0};
    nigh_status status = train(s, subset, s->o.tolerance, model, &fit);
    if (!status) status = add_column(s, model, &round->cost, &heaviest, &row);
    if (status) {
        nigh_subset_free(s->ctx, subset);
        return status;
    }
    round->rows = subset->count, round->subset_cost = fit.cost, round->train_passes = fit.passes;
    if (!out->trainings || round->cost < out->cost) {
        nigh_subset_free(s->ctx, &out->subset);
        out->subset = *subset, out->cost = round->cost, out->subset_cost = fit.cost, out->best = out->trainings;
        out->heaviest = heaviest, out->heaviest_row = row;
        memcpy(out->model, model, (size_t)s->parameters * sizeof *model);
    } else nigh_subset_free(s->ctx, subset);
    round->best = out->cost;
    out->history[out->trainings++] = *round;
    return NIGH_OK;
}

static nigh_status one_training(search *s, bool start)
{
    nigh_subset subset = {0};
    nigh_autocoreset_round round = {.columns = start ? 0 : s->columns};
    nigh_rng rng = nigh_rng_new(s->o.seed, (uint64_t)s->out->trainings);
    nigh_status status = nigh_poll(s->ctx);
    if (!status) status = choose(s, start, &rng, &round, &subset);
    if (!status) status = try_subset(s, &round, &subset);
    if (status) return status;
    char what[80];
    snprintf(what, sizeof what, "autocoreset\tcost %.6g", s->out->cost);
    nigh_progress(s->ctx, what, (double)s->out->trainings, (double)(s->o.starts + s->o.rounds));
    return NIGH_OK;
}

/* All rows of positive weight are the subset. */
static nigh_status take_all(search *s)
{
    nigh_subset all = {0};
    nigh_autocoreset_round round = {.sure = used(s), .budget = {s->classes.count[0], s->classes.count[1]}};
    for (int64_t i = 0; i < s->n; i++) s->value[i] = row_weight(s, i);
    nigh_status status = pack(s, s->value, &all);
    s->o.tolerance = fmin(s->o.tolerance, 1e-9);
    return status ? status : try_subset(s, &round, &all);
}

static nigh_status loop(search *s)
{
    nigh_status status = NIGH_OK;
    if (s->o.m >= used(s)) return take_all(s);
    double reference = -INFINITY; /* of the starts the worst, so that the first rounds are not stopped by a lucky start */
    for (int i = 0; i < s->o.starts && !status; i++) {
        status = one_training(s, true);
        if (!status) reference = fmax(reference, s->out->history[s->out->trainings - 1].cost);
    }
    for (int round = 0, stale = 0; round < s->o.rounds && stale < s->o.patience && !status; round++) {
        if (exact_kind(s->o.kind) && !room_for_exact(s)) break;
        status = one_training(s, false);
        double cost = status ? reference : s->out->history[s->out->trainings - 1].cost;
        stale = cost < reference ? 0 : stale + 1;
        reference = fmin(reference, cost);
    }
    return status;
}

static nigh_status search_new(search *s)
{
    size_t n = (size_t)s->n, blocks = (n + BLOCK - 1) / BLOCK, p = (size_t)s->parameters, room = (size_t)s->room;
    bool constant = s->o.kind == NIGH_AUTOCORESET_CALIBRATED || s->o.kind == NIGH_AUTOCORESET_IMPORTANCE;
    s->value = nigh_alloc(s->ctx, (4 * n + 4 * blocks + room * (p + 4)) * sizeof(double));
    if (!s->value) return NIGH_MEMORY;
    s->length2 = s->value + n, s->score = s->length2 + n, s->block = s->score + n, s->model = s->block + 4 * blocks;
    if (s->o.kind == NIGH_AUTOCORESET_CALIBRATED) s->sum = memset(s->model + room * (p + 4), 0, n * sizeof(double));
    s->unit = s->model + room * p, s->penalty = s->unit + room, s->class_sum = s->penalty + room;
    if (exact_kind(s->o.kind) && s->o.m < used(s) && !(s->exact = nigh_alloc(s->ctx, n * room * sizeof(double)))) return NIGH_MEMORY;
    for (int64_t i = 0; i < s->n; i++) { /* weights are a column, too: rows without loss so far are not out of reach */
        double w = row_weight(s, i) / s->weight;
        s->length2[i] = constant ? w * w : 0;
    }
    for (int c = 0; c < s->classes.classes; c++)
        for (int64_t i = 0; i < s->classes.count[c]; i++) s->class_weight[c] += row_weight(s, summary_row(&s->classes, c, i));
    return NIGH_OK;
}

/* Columns: trainings; of exact sums no more than they can use, and than a gibibyte holds. */
static int64_t columns_for(const nigh_autocoreset_options *o, int64_t n)
{
    int64_t all = (int64_t)o->starts + o->rounds, most = EXACT_NUMBERS / n;
    if (!exact_kind(o->kind) || all <= o->starts) return all;
    if (most > o->m) most = o->m;
    if (most <= o->starts) most = o->starts + 1;
    return all < most ? all : most;
}

static nigh_status run(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, nigh_autocoreset_options o, nigh_autocoreset *result)
{
    nigh_autocoreset out = {0};
    search s = {.ctx = ctx, .loss = loss, .rows = rows, .out = &out};
    nigh_status status = nigh_rows_check(ctx, rows, loss);
    if (!status) status = check_options(ctx, loss, rows, &o);
    if (status) return status;
    s.o = o, s.n = rows->n, s.weight = nigh_rows_weight(rows), s.parameters = out.parameters = nigh_loss_parameters(loss, rows->d);
    s.room = columns_for(&o, rows->n);
    out.model = nigh_alloc(ctx, (size_t)s.parameters * sizeof *out.model);
    out.history = nigh_alloc(ctx, (size_t)s.room * sizeof *out.history);
    if (!out.model || !out.history) status = NIGH_MEMORY;
    if (!status) status = summary_classes_new(ctx, rows->n, nigh_loss_has_classes(loss) ? rows->y : NULL, rows->weight, &s.classes);
    if (!status) status = search_new(&s);
    if (!status) status = loop(&s);
    nigh_free(ctx, s.exact);
    nigh_free(ctx, s.value);
    summary_classes_free(ctx, &s.classes);
    if (status) nigh_autocoreset_free(ctx, &out);
    else *result = out;
    return status;
}

nigh_status nigh_autocoreset_run(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const nigh_autocoreset_options *options, nigh_autocoreset *result)
{
    return run(ctx, loss, rows, *options, result);
}

nigh_status nigh_autocoreset_uniform(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const nigh_autocoreset_options *options, int trainings,
                                     nigh_autocoreset *result)
{
    nigh_autocoreset_options o = {.m = options->m, .kind = NIGH_AUTOCORESET_UNIFORM, .starts = trainings, .rounds = -1, .share = options->share, .tolerance = options->tolerance, .seed = options->seed};
    if (trainings < 1 || trainings > 1000) return nigh_fail(ctx, NIGH_INVALID, "trainings is %d; 1 to 1000 are allowed", trainings);
    return run(ctx, loss, rows, o, result);
}
