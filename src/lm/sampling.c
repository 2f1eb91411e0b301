/*
 * From logits to a token. Steps that cut the law work on a list of the likeliest tokens, in order, that is made as long as it has to be: the largest numbers of
 * blocks of 256 logits say which blocks need to be looked at, and nothing is sorted but the list.
 */
#include "nigh/sampling.h"

#include "lm/sampling_kernels.h"
#include "nigh/random.h"
#include "tensor/select.h"

#include <math.h>
#include <string.h>

struct nigh_sampler {
    nigh_context *ctx;
    nigh_sampling set;
    int32_t n;
    int64_t blocks;
    const sampling_kernels *kernels;
    select_row *select;
    bool penalties, changes, cuts;
    int32_t *seen;         /* [n] times seen in the window, 0 between calls; NULL: no penalties */
    float *changed;        /* [n] logits after biases, penalties and mask */
    float *weight;         /* [n] of tokens, or of the list */
    float *most;           /* [blocks] */
    double *sum, *turn;    /* [blocks] */
    void *room;            /* of select */

    /* The list: ids, logits and weights, the likeliest first. */
    int64_t count;
    int64_t *order; /* [n] places in `gathered` */
    int32_t *id, *gathered;
    float *logit, *gathered_logit;
};

/* What a draw is made from. */
typedef struct law {
    const float *x; /* [n] */
    float max, inverse;
    bool listed;    /* weights are of the list, else of all tokens */
    int64_t count;
    double total;
} law;

nigh_sampling nigh_sampling_default(void)
{
    return (nigh_sampling){.top_p = 1, .typical = 1, .repeat_penalty = 1};
}

const sampling_kernels *sampling_kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return &sampling_avx512;
    if (level == NIGH_CPU_AVX2) return &sampling_avx2;
#endif
    (void)level;
    return &sampling_scalar;
}

static select_row *select_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return select_avx512[0];
    if (level == NIGH_CPU_AVX2) return select_avx2[0];
#endif
    (void)level;
    return select_scalar[0];
}

/* ---- settings --------------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const nigh_sampling *s, int32_t vocabulary)
{
    if (vocabulary < 1) return nigh_fail(ctx, NIGH_INVALID, "vocabulary is %d; 1 token or more is needed", vocabulary);
    if (!(s->temperature >= 0) || isinf(s->temperature)) return nigh_fail(ctx, NIGH_INVALID, "temperature is %g; 0 or more, finite, is allowed", s->temperature);
    if (s->top_k < 0) return nigh_fail(ctx, NIGH_INVALID, "top_k is %lld; 0 (all) or more is allowed", (long long)s->top_k);
    if (!(s->top_p > 0 && s->top_p <= 1)) return nigh_fail(ctx, NIGH_INVALID, "top_p is %g; above 0, up to 1 (all) is allowed", s->top_p);
    if (!(s->min_p >= 0 && s->min_p < 1)) return nigh_fail(ctx, NIGH_INVALID, "min_p is %g; 0 (all) or more, below 1, is allowed", s->min_p);
    if (!(s->typical > 0 && s->typical <= 1)) return nigh_fail(ctx, NIGH_INVALID, "typical is %g; above 0, up to 1 (all) is allowed", s->typical);
    if (!(s->repeat_penalty > 0) || isinf(s->repeat_penalty))
        return nigh_fail(ctx, NIGH_INVALID, "repeat_penalty is %g; above 0, finite, is allowed (1: none)", s->repeat_penalty);
    if (!isfinite(s->presence_penalty)) return nigh_fail(ctx, NIGH_INVALID, "presence_penalty is %g; finite numbers are allowed", s->presence_penalty);
    if (!isfinite(s->frequency_penalty)) return nigh_fail(ctx, NIGH_INVALID, "frequency_penalty is %g; finite numbers are allowed", s->frequency_penalty);
    if (s->penalty_window < 0) return nigh_fail(ctx, NIGH_INVALID, "penalty_window is %lld; 0 (all) or more is allowed", (long long)s->penalty_window);
    if (s->biases < 0 || (s->biases && !s->bias)) return nigh_fail(ctx, NIGH_INVALID, "biases is %lld; 0 or more, with a list, is allowed", (long long)s->biases);
    for (int64_t i = 0; i < s->biases; i++) {
        const nigh_logit_bias *b = s->bias + i;
        if (b->token < 0 || b->token >= vocabulary)
            return nigh_fail(ctx, NIGH_INVALID, "bias %lld is of token %d; 0 to %d are allowed", (long long)i, b->token, vocabulary - 1);
        if (!(b->add < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "bias of token %d is %g; finite numbers and -inf are allowed", b->token, (double)b->add);
    }
    return NIGH_OK;
}

static bool allocate(nigh_sampler *s)
{
    nigh_context *ctx = s->ctx;
    size_t n = (size_t)s->n, blocks = (size_t)s->blocks;
    bool draws = s->set.temperature > 0;
    s->most = nigh_alloc(ctx, blocks * sizeof *s->most);
    s->sum = nigh_alloc(ctx, blocks * sizeof *s->sum);
    s->changed = nigh_alloc(ctx, n * sizeof *s->changed);
    if (!s->most || !s->sum || !s->changed) return false;
    if (s->penalties && !(s->seen = nigh_alloc_zero(ctx, n, sizeof *s->seen))) return false;
    if (draws && !(s->weight = nigh_alloc(ctx, n * sizeof *s->weight))) return false;
    if (!draws || !s->cuts) return true;
    s->turn = nigh_alloc(ctx, blocks * sizeof *s->turn);
    s->order = nigh_alloc(ctx, n * sizeof *s->order);
    s->id = nigh_alloc(ctx, 2 * n * sizeof *s->id);
    s->logit = nigh_alloc(ctx, 2 * n * sizeof *s->logit);
    s->room = nigh_alloc(ctx, (n + 7) * sizeof(float) + 2 * n * 16 + 128);
    if (!s->turn || !s->order || !s->id || !s->logit || !s->room) return false;
    s->gathered = s->id + n;
    s->gathered_logit = s->logit + n;
    return true;
}

nigh_status nigh_sampler_new(nigh_context *ctx, const nigh_sampling *settings, int32_t vocabulary, nigh_sampler **sampler)
{
    nigh_status status = check(ctx, settings, vocabulary);
    if (status) return status;
    nigh_sampler *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (nigh_sampler){.ctx = ctx, .set = *settings, .n = vocabulary, .blocks = sampling_blocks(vocabulary), .kernels = sampling_kernels_at(nigh_cpu())};
    s->select = select_at(nigh_cpu());
    s->set.bias = NULL;
    s->penalties = settings->repeat_penalty != 1 || settings->presence_penalty != 0 || settings->frequency_penalty != 0;
    s->cuts = (settings->top_k > 0 && settings->top_k < vocabulary) || settings->top_p < 1 || settings->typical < 1;
    nigh_logit_bias *bias = settings->biases ? nigh_alloc(ctx, (size_t)settings->biases * sizeof *bias) : NULL;
    s->set.bias = bias;
    if ((settings->biases && !bias) || !allocate(s)) return nigh_sampler_free(s), NIGH_MEMORY;
    if (bias) memcpy(bias, settings->bias, (size_t)settings->biases * sizeof *bias);
    *sampler = s;
    return NIGH_OK;
}

void nigh_sampler_free(nigh_sampler *s)
{
    if (!s) return;
    void *const blocks[] = {(void *)s->set.bias, s->seen, s->changed, s->weight, s->most, s->sum, s->turn, s->room, s->order, s->id, s->logit};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(s->ctx, blocks[i]);
    nigh_free(s->ctx, s);
}

/* ---- biases, penalties, mask ------------------------------------------------------------------------------ */

static void penalise(const nigh_sampler *s, int64_t count, const int32_t *history)
{
    for (int64_t i = 0; i < count; i++) s->seen[history[i]]++;
    for (int64_t i = 0; i < count; i++) {
        int32_t token = history[i];
        if (!s->seen[token]) continue;
        double x = (double)s->changed[token], times = s->seen[token];
        x = x > 0 ? x / s->set.repeat_penalty : x * s->set.repeat_penalty;
        s->changed[token] = (float)(x - s->set.presence_penalty - times * s->set.frequency_penalty);
        s->seen[token] = 0;
    }
}

static void forbid(const nigh_sampler *s, const uint64_t *allowed)
{
    for (int32_t first = 0; first < s->n; first += 64) {
        uint64_t word = allowed[first / 64];
        int32_t end = s->n - first < 64 ? s->n - first : 64;
        if (word == ~(uint64_t)0) continue;
        for (int32_t i = 0; i < end; i++) s->changed[first + i] = word >> i & 1 ? s->changed[first + i] : -INFINITY;
    }
}

static nigh_status refuse(const nigh_sampler *s, const float *x)
{
    for (int32_t i = 0; i < s->n; i++)
        if (!(x[i] < INFINITY))
            return nigh_fail(s->ctx, NIGH_INVALID, "logit %d is %s; finite numbers and -inf are allowed", i, isnan(x[i]) ? "NaN" : "inf");
    return nigh_fail(s->ctx, NIGH_INVALID, "no token is left: all %d logits are -inf", s->n);
}

static float largest(const nigh_sampler *s)
{
    float max = -INFINITY;
    for (int64_t b = 0; b < s->blocks; b++) max = s->most[b] > max ? s->most[b] : max;
    return max;
}

/* The logits that count, and the largest of them and of the ones given. */
static nigh_status prepare(nigh_sampler *s, const float *logits, const int32_t *history, int64_t position, const uint64_t *allowed, law *out, float *raw_max)
{
    if (position < 0 || (position > 0 && s->penalties && !history))
        return nigh_fail(s->ctx, NIGH_INVALID, "position is %lld; 0 or more is allowed, with a history for penalties", (long long)position);
    int64_t window = s->set.penalty_window && s->set.penalty_window < position ? s->set.penalty_window : position, skip = position - window;
    for (int64_t i = skip; s->penalties && i < position; i++)
        if (history[i] < 0 || history[i] >= s->n)
            return nigh_fail(s->ctx, NIGH_INVALID, "history[%lld] is %d; 0 to %d are allowed", (long long)i, history[i], s->n - 1);
    bool clean = s->kernels->scan(s->n, logits, s->most);
    float max = *raw_max = largest(s);
    if (!clean || max == INFINITY) return refuse(s, logits);
    out->x = logits;
    if ((s->penalties && window) || s->set.biases || allowed) {
        memcpy(s->changed, logits, (size_t)s->n * sizeof *logits);
        for (int64_t i = 0; i < s->set.biases; i++) s->changed[s->set.bias[i].token] += s->set.bias[i].add;
        if (s->penalties) penalise(s, window, history + skip);
        if (allowed) forbid(s, allowed);
        out->x = s->changed;
        clean = s->kernels->scan(s->n, s->changed, s->most);
        max = largest(s);
    }
    if (!clean || !isfinite(max)) return refuse(s, out->x);
    out->max = max;
    return NIGH_OK;
}

/* ---- the list --------------------------------------------------------------------------------------------- */

static double added(int64_t count, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += x[i];
    return sum;
}

/* Weights of the tokens in the list. */
static void weigh_list(nigh_sampler *s, const law *l)
{
    s->kernels->weigh(s->count, s->logit, l->max, l->inverse, 0, s->weight, s->sum, NULL);
}

/* The `want` likeliest tokens that may come up at all, fewer when there are fewer; among equals the lowest ids. */
static void take(nigh_sampler *s, const law *l, int64_t want)
{
    float least = -INFINITY;
    int64_t found = 0;
    if (want <= s->blocks) s->select(s->blocks, want, true, true, s->most, &least, NULL, s->room);
    for (int64_t b = 0; b < s->blocks; b++) {
        if (s->most[b] < least || s->most[b] == -INFINITY) continue;
        int64_t first = b * SAMPLING_BLOCK, end = first + SAMPLING_BLOCK < s->n ? first + SAMPLING_BLOCK : s->n;
        for (int64_t i = first; i < end; i++) {
            s->gathered[found] = (int32_t)i;
            s->gathered_logit[found] = l->x[i];
            found += l->x[i] >= least && l->x[i] > -INFINITY;
        }
    }
    s->count = want < found ? want : found;
    s->select(found, s->count, true, false, s->gathered_logit, s->logit, s->order, s->room);
    for (int64_t i = 0; i < s->count; i++) s->id[i] = s->gathered[s->order[i]];
    weigh_list(s, l);
}

/* How many of the list (its weights, in order) reach `mass`; -1: all together do not. */
static int64_t reaching(const nigh_sampler *s, double mass)
{
    double sum = 0;
    for (int64_t i = 0; i < s->count; i++)
        if ((sum += (double)s->weight[i]) >= mass) return i + 1;
    return -1;
}

static void list_all(nigh_sampler *s, const law *l)
{
    s->count = 0;
    for (int32_t i = 0; i < s->n; i++)
        if (l->x[i] > -INFINITY) s->id[s->count] = i, s->logit[s->count++] = l->x[i];
}

/* Keeps those whose -log p is nearest to the entropy, up to a probability of `typical`; then the likeliest first. A list that holds all is in order of ids. */
static void keep_typical(nigh_sampler *s, const law *l)
{
    int64_t blocks = sampling_blocks(s->count), before = s->count, most = before, grown = 0;
    s->kernels->weigh(s->count, s->logit, l->max, l->inverse, 0, s->weight, s->sum, s->turn);
    double total = added(blocks, s->sum), mean = added(blocks, s->turn) / total, sum = 0; /* -log p - entropy = mean - z */
    float *distance = s->gathered_logit, middle = (float)mean;
    for (int64_t i = 0; i < before; i++) distance[i] = fabsf((s->logit[i] - l->max) * l->inverse - middle);
    for (int64_t want = 64; !grown; want *= 8) {
        most = want < before ? want : before;
        s->select(before, most, false, false, distance, NULL, s->order, s->room);
        sum = 0;
        for (int64_t i = 0; i < most && !grown; i++)
            if ((sum += (double)s->weight[s->order[i]]) >= s->set.typical * total) grown = i + 1;
        if (most == before && !grown) grown = before;
    }
    for (int64_t i = 0; i < grown; i++) s->gathered[i] = s->id[s->order[i]];
    /* By logit, among equals by id: ids in order first. */
    uint64_t *bits = memset(s->room, 0, ((size_t)s->n + 63) / 64 * 8);
    for (int64_t i = 0; i < grown; i++) bits[s->gathered[i] / 64] |= (uint64_t)1 << s->gathered[i] % 64;
    int64_t found = 0;
    for (int32_t i = 0; i < s->n; i++)
        if (bits[i / 64] >> i % 64 & 1) s->gathered[found] = i, s->gathered_logit[found++] = l->x[i];
    s->count = grown;
    s->select(grown, grown, true, false, s->gathered_logit, s->logit, s->order, s->room);
    for (int64_t i = 0; i < grown; i++) s->id[i] = s->gathered[s->order[i]];
    weigh_list(s, l);
}

/* ---- the law ---------------------------------------------------------------------------------------------- */

/* top-p over all tokens: a list that grows until it is enough. */
static void keep_probable(nigh_sampler *s, const law *l)
{
    s->kernels->weigh(s->n, l->x, l->max, l->inverse, 0, NULL, s->sum, NULL);
    double mass = s->set.top_p * added(s->blocks, s->sum);
    for (int64_t want = 32;; want *= 16) {
        take(s, l, want < s->n ? want : s->n);
        int64_t kept = reaching(s, mass);
        if (kept > 0) s->count = kept;
        if (kept > 0 || want >= s->n) return;
    }
}

static void make_law(nigh_sampler *s, law *l)
{
    const nigh_sampling *set = &s->set;
    bool top = set->top_k > 0 && set->top_k < s->n;
    l->inverse = (float)fmin(1 / set->temperature, 1e30);
    l->listed = s->cuts;
    if (!l->listed) {
        s->kernels->weigh(s->n, l->x, l->max, l->inverse, (float)set->min_p, s->weight, s->sum, NULL);
        l->count = s->n;
        l->total = added(s->blocks, s->sum);
        return;
    }
    if (top) take(s, l, set->top_k);
    if (set->typical < 1) {
        if (!top) list_all(s, l);
        keep_typical(s, l);
    }
    if (set->top_p < 1 && !top && set->typical == 1) keep_probable(s, l);
    else if (set->top_p < 1) {
        int64_t kept = reaching(s, set->top_p * added(sampling_blocks(s->count), s->sum));
        if (kept > 0) s->count = kept;
    }
    float least = (float)set->min_p * s->weight[0];
    while (s->count > 1 && s->weight[s->count - 1] < least) s->count--;
    while (s->count > 1 && s->weight[s->count - 1] == 0) s->count--;
    l->total = 0;
    for (int64_t i = 0; i < s->count; i++) l->total += (double)s->weight[i];
    l->count = s->count;
}

/* The place of the weights where their sum passes u; the last that is not 0 when rounding leaves it short. */
static int64_t walk(int64_t count, const float *weight, double u)
{
    int64_t last = 0;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        if (weight[i] <= 0) continue;
        last = i;
        if ((sum += (double)weight[i]) > u) break;
    }
    return last;
}

static int32_t draw(const nigh_sampler *s, const law *l, double u)
{
    u *= l->total;
    if (l->listed) return s->id[walk(l->count, s->weight, u)];
    double before = 0;
    int64_t at = 0;
    for (int64_t b = 0; b < s->blocks; b++) {
        if (s->sum[b] <= 0) continue;
        at = b;
        if (before + s->sum[b] > u) break;
        before += s->sum[b];
    }
    int64_t first = at * SAMPLING_BLOCK, count = s->n - first < SAMPLING_BLOCK ? s->n - first : SAMPLING_BLOCK;
    return (int32_t)(first + walk(count, s->weight + first, u - before));
}

static int32_t best_token(const nigh_sampler *s, const law *l)
{
    int64_t b = 0;
    while (s->most[b] != l->max) b++;
    int32_t i = (int32_t)(b * SAMPLING_BLOCK);
    while (l->x[i] != l->max) i++;
    return i;
}

nigh_status nigh_sampler_pick(nigh_sampler *s, const float *logits, const int32_t *history, int64_t position, const uint64_t *allowed, uint64_t stream, int32_t *token,
                              double *log_p)
{
    law l;
    float max;
    nigh_status status = prepare(s, logits, history, position, allowed, &l, &max);
    if (status) return status;
    int32_t picked;
    double total = 0;
    if (s->set.temperature == 0) {
        picked = best_token(s, &l);
    } else {
        make_law(s, &l);
        nigh_rng rng = nigh_rng_new(s->set.seed, stream);
        nigh_rng_seek(&rng, 2 * (uint64_t)position);
        picked = draw(s, &l, nigh_rng_f64(&rng));
        if (!l.listed && l.x == logits && l.inverse == 1 && s->set.min_p == 0) total = l.total;
    }
    if (log_p) {
        if (total == 0) s->kernels->weigh(s->n, logits, max, 1, 0, NULL, s->sum, NULL), total = added(s->blocks, s->sum);
        *log_p = (double)logits[picked] - (double)max - log(total);
    }
    *token = picked;
    return NIGH_OK;
}

nigh_status nigh_sampler_law(nigh_sampler *s, const float *logits, const int32_t *history, int64_t position, const uint64_t *allowed, double *p)
{
    law l;
    float max;
    nigh_status status = prepare(s, logits, history, position, allowed, &l, &max);
    if (status) return status;
    if (s->set.temperature > 0) make_law(s, &l);
    for (int32_t i = 0; i < s->n; i++) p[i] = s->set.temperature > 0 && !l.listed ? (double)s->weight[i] / l.total : 0;
    if (s->set.temperature == 0) p[best_token(s, &l)] = 1;
    else
        for (int64_t i = 0; l.listed && i < l.count; i++) p[s->id[i]] = (double)s->weight[i] / l.total;
    return NIGH_OK;
}
