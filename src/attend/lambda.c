/*
 * Attention with a Lambda-shaped mask and a limit on distances, as the formula says it: keys are kept as they are before rotation, and each score is
 * taken at the distance that the formula wants. Hooks of nigh/lm.h. Declared in nigh/lm_infinite.h.
 */
#include "nigh/lm_infinite.h"

#include <math.h>
#include <string.h>

#include "lm/rotary.h"
#include "lm/rows.h"

enum { ROWS = 64 }; /* of a pass of nigh_lambda_score */

/* One layer's keys and values [positions][kv_heads][head_size]. */
typedef struct lambda_layer {
    float *raw, *turned, *value;
} lambda_layer;

typedef struct lambda_count {
    double largest, share, entropy;
    int64_t pairs, shares, queries;
} lambda_count;

/* A key that a row and head sees. */
typedef struct lambda_seen {
    int64_t key, distance; /* the distance that was used */
    float score;
} lambda_seen;

struct nigh_lambda {
    nigh_context *ctx;
    const nigh_lm *lm;
    nigh_lambda_options options;
    nigh_lm_hooks hooks;
    nigh_status status;
    int64_t layers, heads, kv_heads, size; /* size: of a head */
    int64_t room;                          /* positions */
    lambda_layer *layer;
    float *query, *key, *value; /* of the rows of a pass, before rotation */
    int64_t rows;               /* that they have room for */
    float *far, *cosine, *sine; /* queries [heads][size] of the row at hand, as if it stood at `place`; a turn */
    int64_t place;              /* -1: none */
    lambda_seen *seen;
    lambda_count (*count)[NIGH_LAMBDA_BUCKETS]; /* [layers], with profile */
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static bool grow(nigh_lambda *v, float **block, int64_t count)
{
    float *more = nigh_resize(v->ctx, *block, (size_t)count * sizeof **block);
    if (!more) v->status = NIGH_MEMORY;
    else *block = more;
    return more;
}

static bool grow_positions(nigh_lambda *v, int64_t positions)
{
    if (positions <= v->room) return true;
    int64_t room = v->room ? v->room : 256, row = v->kv_heads * v->size;
    while (room < positions) room *= 2;
    for (int64_t l = 0; l < v->layers; l++)
        if (!grow(v, &v->layer[l].raw, room * row) || !grow(v, &v->layer[l].turned, room * row) || !grow(v, &v->layer[l].value, room * row)) return false;
    lambda_seen *seen = nigh_resize(v->ctx, v->seen, (size_t)(room + v->options.middle) * sizeof *seen);
    if (!seen) return v->status = NIGH_MEMORY, false;
    v->seen = seen;
    v->room = room;
    return true;
}

static bool grow_rows(nigh_lambda *v, int64_t rows)
{
    if (rows <= v->rows) return true;
    int64_t kv = v->kv_heads * v->size;
    if (!grow(v, &v->query, rows * v->heads * v->size) || !grow(v, &v->key, rows * kv) || !grow(v, &v->value, rows * kv)) return false;
    v->rows = rows;
    return true;
}

/* ---- what a row sees --------------------------------------------------------------------------------------------- */

static float dot(const float *a, const float *b, int64_t n) /* n: a multiple of 8 */
{
    float sum[8] = {0};
    for (int64_t i = 0; i < n; i += 8)
        for (int j = 0; j < 8; j++) sum[j] += a[i + j] * b[i + j];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* A row in attention: its place, its queries as the model turns them, and as they came. */
typedef struct lambda_row {
    int layer;
    int64_t position;
    const float *query, *raw; /* [heads][size] */
    float scale;
    bool last; /* of its pass */
} lambda_row;

/* Queries as if the row stood at this place, to v->far. */
static void turn_to(nigh_lambda *v, const lambda_row *r, int64_t place)
{
    if (v->place == place) return;
    v->place = place;
    const model_turn *turn = v->lm->layer[r->layer].turn;
    memcpy(v->far, r->raw, (size_t)(v->heads * v->size) * sizeof *v->far);
    rotary_row(turn, place, v->cosine, v->sine);
    rotary_turn(v->lm, turn, v->cosine, v->sine, v->heads, v->far);
}

static const float *head_of(const nigh_lambda *v, const float *rows, int64_t position, int64_t head)
{
    return rows + (position * v->kv_heads + head / (v->heads / v->kv_heads)) * v->size;
}

/* Where a first token is seen that lies beyond the window. */
static int64_t sink_distance(const nigh_lambda *v, int64_t position, int64_t key)
{
    const nigh_lm_infinite *s = &v->options.settings;
    int64_t distance = position - key;
    if (v->options.reindexed) return (position < s->sinks + s->window ? position : s->sinks + s->window - 1) - key;
    return s->limit ? s->limit : distance;
}

/* Score of one key at its own distance or at another one. */
static float score_at(nigh_lambda *v, const lambda_row *r, int64_t head, int64_t key, int64_t distance)
{
    const lambda_layer *layer = &v->layer[r->layer];
    if (distance == r->position - key) return r->scale * dot(r->query + head * v->size, head_of(v, layer->turned, key, head), v->size);
    turn_to(v, r, distance);
    return r->scale * dot(v->far + head * v->size, head_of(v, layer->raw, key, head), v->size);
}

static int64_t see_middle(nigh_lambda *v, const lambda_row *r, int64_t head, int64_t first, int64_t end, lambda_seen *seen)
{
    const lambda_layer *layer = &v->layer[r->layer];
    int64_t most = v->options.middle, count = 0, distance = v->options.middle_distance;
    turn_to(v, r, distance);
    for (int64_t key = first; key < end; key++) {
        float score = r->scale * dot(v->far + head * v->size, head_of(v, layer->raw, key, head), v->size);
        if (count == most && !(score > seen[count - 1].score)) continue;
        int64_t at = count < most ? count++ : count - 1;
        for (; at > 0 && seen[at - 1].score < score; at--) seen[at] = seen[at - 1];
        seen[at] = (lambda_seen){key, distance, score};
    }
    return count;
}

/* Fills v->seen; gives how many. */
static int64_t see_keys(nigh_lambda *v, const lambda_row *r, int64_t head)
{
    const nigh_lm_infinite *s = &v->options.settings;
    int64_t own = v->lm->layer[r->layer].window, window = own ? own : s->window, sinks = own ? 0 : s->sinks, count = 0;
    int64_t first = window && r->position >= window ? r->position - window + 1 : 0;
    if (!own && !s->window) sinks = 0;
    if (sinks > first) sinks = first;
    for (int64_t key = 0; key < sinks; key++) {
        int64_t distance = sink_distance(v, r->position, key);
        v->seen[count++] = (lambda_seen){key, distance, score_at(v, r, head, key, distance)};
    }
    for (int64_t key = first; key <= r->position; key++)
        v->seen[count++] = (lambda_seen){key, r->position - key, score_at(v, r, head, key, r->position - key)};
    if (v->options.middle && !own && r->last && r->layer >= v->options.middle_layer) count += see_middle(v, r, head, sinks, first, v->seen + count);
    return count;
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

static int bucket_of(const nigh_lambda *v, int64_t distance)
{
    int b = 0;
    for (int64_t end = v->lm->info.context; distance >= end && b < NIGH_LAMBDA_BUCKETS - 1; end *= 2) b++;
    return b;
}

/* weight[i] = exp(score - most), their sum, of what v->seen holds. */
static void count_row(nigh_lambda *v, int layer, int64_t count, double most, double sum)
{
    lambda_count *c = v->count[layer];
    double share[NIGH_LAMBDA_BUCKETS], entropy = 0;
    bool met[NIGH_LAMBDA_BUCKETS] = {false};
    memset(share, 0, sizeof share);
    for (int64_t i = 0; i < count; i++) {
        int b = bucket_of(v, v->seen[i].distance);
        double p = exp((double)v->seen[i].score - most) / sum;
        c[b].largest = fmax(c[b].largest, fabs((double)v->seen[i].score));
        c[b].pairs++;
        share[b] += p, met[b] = true;
        if (p > 0) entropy -= p * log(p);
    }
    for (int b = 0; b < NIGH_LAMBDA_BUCKETS; b++)
        if (met[b]) c[b].share += share[b], c[b].shares++;
    int b = bucket_of(v, count - 1);
    c[b].entropy += entropy, c[b].queries++;
}

bool nigh_lambda_bucket(const nigh_lambda *v, int layer, int bucket, nigh_lambda_bucket_row *row)
{
    if (!v->count || layer < 0 || layer >= v->layers || bucket < 0 || bucket >= NIGH_LAMBDA_BUCKETS) return false;
    const lambda_count *c = &v->count[layer][bucket];
    int64_t trained = v->lm->info.context;
    *row = (nigh_lambda_bucket_row){.from = bucket ? trained << (bucket - 1) : 0, .to = bucket < NIGH_LAMBDA_BUCKETS - 1 ? trained << bucket : INT64_MAX,
                                    .largest = c->pairs ? c->largest : NAN, .share = c->shares ? c->share / (double)c->shares : NAN,
                                    .entropy = c->queries ? c->entropy / (double)c->queries : NAN, .pairs = c->pairs, .queries = c->queries};
    return true;
}

/* ---- hooks ------------------------------------------------------------------------------------------------------- */

static void attend_row(nigh_lambda *v, const lambda_row *r, float *out)
{
    v->place = -1;
    for (int64_t head = 0; head < v->heads; head++, out += v->size) {
        int64_t count = see_keys(v, r, head);
        double most = -INFINITY, sum = 0, total[256] = {0};
        for (int64_t i = 0; i < count; i++) most = fmax(most, (double)v->seen[i].score);
        for (int64_t i = 0; i < count; i++) {
            double weight = exp((double)v->seen[i].score - most);
            const float *value = head_of(v, v->layer[r->layer].value, v->seen[i].key, head);
            sum += weight;
            for (int64_t j = 0; j < v->size; j++) total[j] += weight * (double)value[j];
        }
        for (int64_t j = 0; j < v->size; j++) out[j] = (float)(total[j] / sum);
        if (v->count) count_row(v, r->layer, count, most, sum);
    }
}

static void keep_rows(nigh_lambda *v, const nigh_lm_attention *call)
{
    int64_t row = v->kv_heads * v->size;
    const model_turn *turn = v->lm->layer[call->layer].turn;
    lambda_layer *layer = &v->layer[call->layer];
    for (int64_t t = 0; t < call->rows; t++) {
        int64_t at = call->position[t] * row;
        memcpy(layer->raw + at, v->key + t * row, (size_t)row * sizeof(float));
        memcpy(layer->turned + at, v->key + t * row, (size_t)row * sizeof(float));
        memcpy(layer->value + at, v->value + t * row, (size_t)row * sizeof(float));
        rotary_row(turn, call->position[t], v->cosine, v->sine);
        rotary_turn(v->lm, turn, v->cosine, v->sine, v->kv_heads, layer->turned + at);
    }
}

static bool serves(nigh_lambda *v, const nigh_lm_attention *call)
{
    for (int64_t t = 0; t < call->rows; t++)
        if (call->row[t].sequence != call->row[0].sequence || call->position[t] != call->position[0] + t) {
            v->status = nigh_fail(v->ctx, NIGH_INVALID, "row %lld of the pass: one sequence without drafts is allowed in a view", (long long)t);
            return false;
        }
    return grow_positions(v, call->position[call->rows - 1] + 1);
}

static bool attend(void *user, const nigh_lm_attention *call)
{
    nigh_lambda *v = user;
    if (v->status || !serves(v, call)) return false;
    int64_t width = v->heads * v->size;
    keep_rows(v, call);
    for (int64_t t = 0; t < call->rows; t++) {
        lambda_row r = {call->layer, call->position[t], call->query + t * width, v->query + t * width, call->scale, t == call->rows - 1};
        attend_row(v, &r, call->out + t * width);
    }
    return true;
}

static void see(void *user, nigh_lm_point point, int layer, int64_t rows, int64_t size, float *values)
{
    nigh_lambda *v = user;
    (void)layer;
    if (v->status || !grow_rows(v, rows)) return;
    float *to = point == NIGH_LM_QUERY ? v->query : point == NIGH_LM_KEY ? v->key : point == NIGH_LM_VALUE ? v->value : NULL;
    if (to) memcpy(to, values, (size_t)(rows * size) * sizeof *to);
}

/* ---- views ------------------------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const nigh_lm *lm, const nigh_lambda_options *o)
{
    const nigh_lm_infinite *s = &o->settings;
    if (!lm->info.rotary) return nigh_fail(ctx, NIGH_UNSUPPORTED, "architecture '%s' has learned positions; relative positions are needed", lm->info.architecture);
    if (s->window < 0 || s->sinks < 0 || s->limit < 0 || (s->limit && s->limit < s->window))
        return nigh_fail(ctx, NIGH_INVALID, "sinks %lld, window %lld, limit %lld: 0 or more, and a limit not below the window, are allowed", (long long)s->sinks, (long long)s->window,
                         (long long)s->limit);
    if (o->middle < 0 || o->middle > 4096 || o->middle_layer < 0 || o->middle_distance < 0)
        return nigh_fail(ctx, NIGH_INVALID, "middle %lld (0 to 4096), middle_layer %lld and middle_distance %lld (0 or more)", (long long)o->middle, (long long)o->middle_layer,
                         (long long)o->middle_distance);
    return NIGH_OK;
}

nigh_status nigh_lambda_new(nigh_context *ctx, const nigh_lm *lm, const nigh_lambda_options *options, nigh_lambda **view)
{
    nigh_status status = check(ctx, lm, options);
    if (status) return status;
    nigh_lambda *v = nigh_alloc_zero(ctx, 1, sizeof *v);
    if (!v) return NIGH_MEMORY;
    const nigh_lm_info *info = &lm->info;
    *v = (nigh_lambda){.ctx = ctx, .lm = lm, .options = *options, .hooks = {v, see, attend}, .layers = info->layers, .heads = info->heads, .kv_heads = info->kv_heads,
                       .size = info->head_size};
    v->layer = nigh_alloc_zero(ctx, (size_t)v->layers, sizeof *v->layer);
    v->far = nigh_alloc(ctx, (size_t)(v->heads * v->size) * sizeof *v->far);
    v->cosine = nigh_alloc(ctx, (size_t)v->size * sizeof *v->cosine);
    v->sine = nigh_alloc(ctx, (size_t)v->size * sizeof *v->sine);
    if (options->profile) v->count = nigh_alloc_zero(ctx, (size_t)v->layers, sizeof *v->count);
    if (!v->layer || !v->far || !v->cosine || !v->sine || (options->profile && !v->count)) {
        nigh_lambda_free(v);
        return NIGH_MEMORY;
    }
    *view = v;
    return NIGH_OK;
}

void nigh_lambda_free(nigh_lambda *v)
{
    if (!v) return;
    for (int64_t l = 0; v->layer && l < v->layers; l++) {
        nigh_free(v->ctx, v->layer[l].raw);
        nigh_free(v->ctx, v->layer[l].turned);
        nigh_free(v->ctx, v->layer[l].value);
    }
    void *const blocks[] = {v->layer, v->query, v->key, v->value, v->far, v->cosine, v->sine, v->seen, v->count};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(v->ctx, blocks[i]);
    nigh_free(v->ctx, v);
}

const nigh_lm_hooks *nigh_lambda_hooks(nigh_lambda *v) { return &v->hooks; }
nigh_status nigh_lambda_status(const nigh_lambda *v) { return v->status; }

/* ---- scores ------------------------------------------------------------------------------------------------------ */

nigh_status nigh_lambda_score(nigh_lambda *v, nigh_cache *cache, int sequence, const int32_t *tokens, int64_t count, double *log_p)
{
    int64_t vocabulary = v->lm->info.vocabulary;
    nigh_lm_row rows[ROWS];
    nigh_status status = NIGH_OK;
    float *logits = nigh_alloc(v->ctx, (size_t)(ROWS * vocabulary) * sizeof *logits);
    if (!logits) return NIGH_MEMORY;
    if (count > 0) log_p[0] = NAN;
    for (int64_t i = 0; i < count && !status; i += ROWS) {
        int64_t n = count - i < ROWS ? count - i : ROWS;
        for (int64_t t = 0; t < n; t++) rows[t] = (nigh_lm_row){tokens[i + t], sequence, (int32_t)t - 1, true};
        status = nigh_lm_run(cache, &(nigh_lm_pass){.rows = rows, .count = n, .logits = logits, .hooks = &v->hooks});
        if (!status) status = v->status;
        for (int64_t t = 0; t < n && !status; t++)
            if (i + t + 1 < count) log_p[i + t + 1] = logits[t * vocabulary + tokens[i + t + 1]] - rows_log_sum(vocabulary, logits + t * vocabulary, NULL);
    }
    nigh_free(v->ctx, logits);
    return status;
}
