/*
 * A walk of some rows through all layers, on a team of threads. Every element is computed by one member in an order of its own, so that the bits of a row
 * depend neither on the other rows nor on the number of threads.
 *
 * Few rows: each member keeps the rows of the residual stream for itself and does the same norms as the others; that is cheaper than to wait for them. Many
 * rows, or hooks: rows are shared out and a barrier follows.
 */
#include "lm/pass.h"
#include "lm/rotary.h"
#include "lm/rows.h"
#include "nigh/vector.h"

#include <math.h>
#include <string.h>

enum { PRIVATE_ROWS = 2 };

/* What all members share. Arrays are [rows][...] floats. */
typedef struct work {
    nigh_cache *cache;
    const nigh_lm *lm;
    const nigh_lm_pass *pass;
    const int64_t *position;
    int64_t rows, wanted;
    bool alone, streams;     /* alone: few rows, every member for itself */
    float *x, *normed;       /* [width]: the residual stream, and what products read */
    float *given;            /* [width]: what products give to the stream */
    float *qkv, *raw, *far;  /* q above k above v; keys and queries that are not turned by their position */
    float *attention;        /* [heads][head_size] */
    float *hidden;           /* [hidden], also what hooks see */
    float *turns;            /* see turn_of */
    int64_t *limit;          /* [rows] of streaming sequences */
    int32_t *wanted_row;
    char *rounded, *rounded_attention, *rounded_hidden;
    bool answered;           /* the hook wrote attention */
    char *own;               /* own_bytes of each member: scratch of attention, then, at these places, what it keeps for itself */
    size_t own_bytes;
    struct {
        size_t x, normed, rounded, rounded_attention, rounded_hidden;
    } place;
} work;

typedef struct member {
    work *w;
    team *team;
    int index, count;
    team_share *share;
    const rows_kernels *k;
    float *x, *normed;      /* alone: this member's own */
    quant_rows in, attended, hidden; /* inputs of products: [width], [heads head_size], [hidden] */
    void *scratch;          /* of attention */
    int64_t first, last;    /* rows of this member */
} member;

static int64_t qkv_size(const nigh_lm_info *i) { return (i->heads + 2 * i->kv_heads) * i->head_size; }

static void meet(member *m) { m->share = team_barrier(m->team); }

/* After work on own rows: all of them are needed. */
static void settle(member *m)
{
    if (!m->w->alone) meet(m);
}

/* ---- hooks -------------------------------------------------------------------------------------------------- */

/* One member shows values to the hook, side by side. All members call it, after a barrier; they meet again at its end. */
static void see(member *m, nigh_lm_point point, int layer, int64_t size, int64_t ld, float *values)
{
    work *w = m->w;
    const nigh_lm_hooks *h = w->pass->hooks;
    if (!h || !h->see) return;
    if (m->index == 0) {
        for (int64_t t = 0; t < w->rows; t++) memcpy(w->hidden + t * size, values + t * ld, (size_t)size * sizeof(float));
        h->see(h->user, point, layer, w->rows, size, w->hidden);
        for (int64_t t = 0; t < w->rows; t++) memcpy(values + t * ld, w->hidden + t * size, (size_t)size * sizeof(float));
    }
    meet(m);
}

static bool attend_by_hook(member *m, int layer)
{
    work *w = m->w;
    const nigh_lm_info *i = &w->lm->info;
    const nigh_lm_hooks *h = w->pass->hooks;
    if (!h || !h->attend) return false;
    int64_t size = i->heads * i->head_size;
    if (m->index == 0) {
        for (int64_t t = 0; t < w->rows; t++) memcpy(w->hidden + t * size, w->qkv + t * qkv_size(i), (size_t)size * sizeof(float));
        nigh_lm_attention call = {w->cache, layer, w->rows, w->pass->rows, w->position, w->hidden, w->lm->scale, w->attention};
        w->answered = h->attend(h->user, &call);
    }
    meet(m);
    return w->answered;
}

/* ---- the stream --------------------------------------------------------------------------------------------- */

static void norm(const member *m, const float *x, const float *weight, const float *bias, float *y)
{
    const nigh_lm *lm = m->w->lm;
    if (lm->kind->norm == MODEL_RMS_NORM) m->k->rms_norm(lm->info.width, x, weight, lm->eps, y);
    else m->k->layer_norm(lm->info.width, x, weight, bias, lm->eps, y);
}

/* The stream takes up what a product gave (with its bias, and normed where the model does so). */
static void take_up(member *m, const float *bias, const float *post)
{
    const nigh_lm *lm = m->w->lm;
    int64_t width = lm->info.width;
    for (int64_t t = m->first; t < m->last; t++) {
        float *x = m->x + t * width, *y = m->normed + t * width;
        memcpy(y, m->w->given + t * width, (size_t)width * sizeof *y);
        if (bias) m->k->add(width, bias, y);
        if (post) m->k->rms_norm(width, y, post, lm->eps, y);
        m->k->add(width, y, x);
    }
}

/* norm(x), rounded, as the input of the next product. */
static void set_out(member *m, const float *weight, const float *bias)
{
    int64_t width = m->w->lm->info.width;
    for (int64_t t = m->first; t < m->last; t++) norm(m, m->x + t * width, weight, bias, m->normed + t * width);
    quant_rows_fill(&m->in, m->normed, width, m->first, m->last - m->first);
    settle(m);
}

static void round_in(member *m, quant_rows *rows, const float *x)
{
    quant_rows_fill(rows, x, rows->cols, m->first, m->last - m->first);
    settle(m);
}

static void embed(member *m)
{
    const work *w = m->w;
    const nigh_lm *lm = w->lm;
    int64_t width = lm->info.width;
    for (int64_t t = m->first; t < m->last; t++) {
        float *x = m->x + t * width, *y = m->normed + t * width;
        nigh_lm_embedding(lm, w->pass->rows[t].token, x);
        if (lm->embedding_scale != 1) m->k->scale(width, lm->embedding_scale, x);
        if (!lm->places) continue;
        size_t bytes = nigh_block_row_bytes(lm->places->type, width);
        nigh_block_decode(lm->places->type, (const char *)lm->places->data + (size_t)w->position[t] * bytes, width, y);
        m->k->add(width, y, x);
    }
}

/* ---- attention ---------------------------------------------------------------------------------------------- */

/* Cosines, then sines, of row t in layers of this turn: by its position, or by the limit of its sequence (far). */
static float *turn_of(const work *w, int64_t t, const model_turn *turn, bool far)
{
    int64_t table = turn - w->lm->turns, most = w->lm->info.head_size;
    return w->turns + (((far ? w->rows : 0) + t) * 2 + table) * most;
}

static void work_out_turns(const member *m)
{
    const work *w = m->w;
    for (int64_t t = w->rows * m->index / m->count; t < w->rows * (m->index + 1) / m->count; t++)
        for (int table = 0; table < 2; table++) {
            const model_turn *turn = &w->lm->turns[table];
            float *c = turn_of(w, t, turn, false);
            rotary_row(turn, w->position[t], c, c + turn->count);
            if (!w->streams) continue;
            c = turn_of(w, t, turn, true);
            rotary_row(turn, w->limit[t] > 0 ? w->limit[t] : w->position[t], c, c + turn->count);
        }
}

/* Heads of row t that share keys g: biases and norms. */
static void finish_heads(member *m, int layer, int64_t t, int64_t g)
{
    const nigh_lm *lm = m->w->lm;
    const model_layer *l = &lm->layer[layer];
    const nigh_lm_info *i = &lm->info;
    int64_t d = i->head_size, group = i->heads / i->kv_heads, first_q = g * group * d, first_k = (i->heads + g) * d, first_v = first_k + i->kv_heads * d;
    float *row = m->w->qkv + t * qkv_size(i), *q = row + first_q, *k = row + first_k;
    if (l->qkv_bias) {
        m->k->add(group * d, l->qkv_bias + first_q, q);
        m->k->add(d, l->qkv_bias + first_k, k);
        m->k->add(d, l->qkv_bias + first_v, row + first_v);
    }
    for (int64_t h = 0; l->query_norm && h < group; h++) m->k->rms_norm(d, q + h * d, l->query_norm, lm->eps, q + h * d);
    if (l->key_norm) m->k->rms_norm(d, k, l->key_norm, lm->eps, k);
}

static void turn_heads(member *m, int layer, int64_t t, int64_t g)
{
    const work *w = m->w;
    const nigh_lm *lm = w->lm;
    const nigh_lm_info *i = &lm->info;
    const model_turn *turn = lm->layer[layer].turn;
    int64_t d = i->head_size, group = i->heads / i->kv_heads;
    float *row = w->qkv + t * qkv_size(i), *q = row + g * group * d, *k = row + (i->heads + g) * d;
    if (w->streams) {
        memcpy(w->raw + (t * i->kv_heads + g) * d, k, (size_t)d * sizeof *k);
        float *far = w->far + t * qkv_size(i) + g * group * d, *c = turn_of(w, t, turn, true);
        memcpy(far, q, (size_t)(group * d) * sizeof *far);
        rotary_turn(lm, turn, c, c + turn->count, group, far);
    }
    if (turn->count) {
        const float *c = turn_of(w, t, turn, false);
        rotary_turn(lm, turn, c, c + turn->count, group, q);
        rotary_turn(lm, turn, c, c + turn->count, 1, k);
    }
}

static void store_heads(const member *m, int layer, int64_t t, int64_t count, int64_t g)
{
    const work *w = m->w;
    const nigh_lm_info *i = &w->lm->info;
    int64_t d = i->head_size, kv = i->kv_heads * d;
    const float *key = w->qkv + t * qkv_size(i) + (i->heads + g) * d;
    cache_numbers from = {.key = key, .value = key + kv, .raw = w->streams ? w->raw + t * kv + g * d : NULL, .ld = qkv_size(i), .ld_raw = kv};
    cache_store(w->cache->pages, layer, t, count, (int)g, &from);
}

/* Items: rows of the first kv head, then of the next. */
static void heads(member *m, int layer, bool finish, bool stored)
{
    int64_t rows = m->w->rows, items = rows * m->w->lm->info.kv_heads, grain = 1 + items / (4 * m->count);
    for (int64_t first; (first = team_take(m->share, grain, items)) >= 0;) {
        int64_t last = first + grain < items ? first + grain : items;
        for (int64_t i = first, end; i < last; i = end) {
            int64_t g = i / rows;
            end = (g + 1) * rows < last ? (g + 1) * rows : last;
            for (int64_t t = i % rows; t < end - g * rows; t++) {
                if (finish) finish_heads(m, layer, t, g);
                if (stored) turn_heads(m, layer, t, g);
            }
            if (stored) store_heads(m, layer, i % rows, end - i, g);
        }
    }
    meet(m);
}

static void attention(member *m, int layer)
{
    work *w = m->w;
    const nigh_lm_info *i = &w->lm->info;
    int64_t size = i->heads * i->head_size, kv = i->kv_heads * i->head_size;
    if (w->pass->hooks) {
        heads(m, layer, true, false);
        see(m, NIGH_LM_QUERY, layer, size, qkv_size(i), w->qkv);
        see(m, NIGH_LM_KEY, layer, kv, qkv_size(i), w->qkv + size);
        see(m, NIGH_LM_VALUE, layer, kv, qkv_size(i), w->qkv + size + kv);
    }
    heads(m, layer, !w->pass->hooks, true);
    if (!attend_by_hook(m, layer)) {
        cache_query call = {.query = w->qkv, .far = w->streams ? w->far : NULL, .ldq = qkv_size(i), .scale = w->lm->scale, .out = w->attention, .ldo = size};
        cache_attend(w->cache->pages, layer, &call, m->team, m->index, m->share, m->scratch);
    }
    meet(m);
    see(m, NIGH_LM_ATTENTION, layer, size, size, w->attention);
}

/* ---- layers ------------------------------------------------------------------------------------------------- */

static void activate(quant_gate f, int64_t n, float *x)
{
    enum { BLOCK = 256 };
    float room[BLOCK];
    for (; n > 0; n -= BLOCK, x += BLOCK) {
        int64_t count = n < BLOCK ? n : BLOCK;
        for (int64_t i = 0; i < count; i++)
            room[i] = f == QUANT_SILU ? -x[i] : f == QUANT_GELU ? x[i] * 0.70710678f : 0.79788456f * x[i] * (1 + 0.044715f * x[i] * x[i]);
        (f == QUANT_SILU ? nigh_exp_f32 : f == QUANT_GELU ? nigh_erf_f32 : nigh_tanh_f32)(count, room, room);
        for (int64_t i = 0; i < count; i++) x[i] = f == QUANT_SILU ? x[i] / (1 + room[i]) : 0.5f * x[i] * (1 + room[i]);
    }
}

static void expand(member *m, const model_layer *l)
{
    const work *w = m->w;
    const nigh_lm *lm = w->lm;
    int64_t n = lm->info.hidden;
    if (lm->kind->gated) quant_run_gated(l->up, &m->in, w->rows, lm->kind->activation, w->hidden, n, m->share);
    else quant_run(l->up, &m->in, w->rows, false, w->hidden, n, m->share);
    meet(m);
    if (lm->kind->gated) return;
    for (int64_t t = w->rows * m->index / m->count; t < w->rows * (m->index + 1) / m->count; t++) {
        if (l->up_bias) m->k->add(n, l->up_bias, w->hidden + t * n);
        activate(lm->kind->activation, n, w->hidden + t * n);
    }
    meet(m);
}

static void walk_layer(member *m, int layer)
{
    work *w = m->w;
    const nigh_lm_info *i = &w->lm->info;
    const model_layer *l = &w->lm->layer[layer];
    see(m, NIGH_LM_INPUT, layer, i->width, i->width, w->x);
    set_out(m, l->norm1, l->norm1_bias);
    quant_run(l->qkv, &m->in, w->rows, false, w->qkv, qkv_size(i), m->share);
    meet(m);
    attention(m, layer);
    round_in(m, &m->attended, w->attention);
    quant_run(l->out, &m->attended, w->rows, false, w->given, i->width, m->share);
    meet(m);
    take_up(m, l->out_bias, l->post1);
    set_out(m, l->norm2, l->norm2_bias);
    expand(m, l);
    round_in(m, &m->hidden, w->hidden);
    quant_run(l->down, &m->hidden, w->rows, false, w->given, i->width, m->share);
    meet(m);
    take_up(m, l->down_bias, l->post2);
    if (w->pass->hooks) {
        meet(m);
        see(m, NIGH_LM_OUTPUT, layer, i->width, i->width, w->x);
    }
}

/* Last norm, hidden states, logits of the rows that are wanted. */
static void finish(member *m)
{
    work *w = m->w;
    const nigh_lm *lm = w->lm;
    int64_t width = lm->info.width;
    if (w->pass->hidden)
        for (int64_t t = w->rows * m->index / m->count; t < w->rows * (m->index + 1) / m->count; t++)
            norm(m, (w->alone ? m->x : w->x) + t * width, lm->last_norm, lm->last_norm_bias, w->pass->hidden + t * width);
    if (!w->pass->logits || !w->wanted) return;
    meet(m);
    int64_t first = w->alone ? 0 : w->wanted * m->index / m->count, last = w->alone ? w->wanted : w->wanted * (m->index + 1) / m->count;
    for (int64_t j = first; j < last; j++) norm(m, m->x + w->wanted_row[j] * width, lm->last_norm, lm->last_norm_bias, m->normed + j * width);
    quant_rows_fill(&m->in, m->normed, width, first, last - first);
    settle(m);
    quant_run(lm->head, &m->in, w->wanted, false, w->pass->logits, lm->info.vocabulary, m->share);
}

static void walk(void *user, team *t, int index)
{
    work *w = user;
    char *own = w->own + (size_t)index * w->own_bytes;
    member m = {.w = w, .team = t, .index = index, .count = team_members(t), .k = rows_kernels_now(), .scratch = own};
    if (w->alone) {
        m.x = (float *)(own + w->place.x), m.normed = (float *)(own + w->place.normed);
        m.last = w->rows;
    } else {
        m.x = w->x, m.normed = w->normed;
        m.first = w->rows * index / m.count, m.last = w->rows * (index + 1) / m.count;
    }
    quant_rows_bind(&m.in, w->lm->info.width, w->rows, w->alone ? own + w->place.rounded : w->rounded);
    quant_rows_bind(&m.attended, w->lm->info.heads * w->lm->info.head_size, w->rows, w->alone ? own + w->place.rounded_attention : w->rounded_attention);
    quant_rows_bind(&m.hidden, w->lm->info.hidden, w->rows, w->alone ? own + w->place.rounded_hidden : w->rounded_hidden);

    embed(&m);
    work_out_turns(&m);
    meet(&m);
    for (int layer = 0; layer < w->lm->info.layers; layer++) walk_layer(&m, layer);
    finish(&m);
}

/* ---- memory --------------------------------------------------------------------------------------------------- */

/* Takes `bytes` from the end of *size, at a multiple of 64. */
static size_t take(size_t *size, size_t bytes)
{
    size_t at = *size;
    *size = at + ((bytes + 63) & ~(size_t)63);
    return at;
}

static size_t take_floats(size_t *size, int64_t rows, int64_t each) { return take(size, (size_t)rows * (size_t)each * sizeof(float)); }

/* Where things lie for a walk of `room` rows; gives the bytes of all. With base, points w's arrays there. */
static size_t lay_out(work *w, int64_t room, char *base)
{
    const nigh_lm_info *i = &w->lm->info;
    int64_t few = room < PRIVATE_ROWS ? room : PRIVATE_ROWS, size = i->heads * i->head_size, wide = i->hidden > size ? i->hidden : size;
    if (wide < i->width) wide = i->width;
    size_t all = 0, own = 0;
    take(&own, cache_attend_bytes(w->cache->pages, room));
    w->place.x = take_floats(&own, few, i->width);
    w->place.normed = take_floats(&own, few, i->width);
    w->place.rounded = take(&own, quant_rows_bytes(i->width, few));
    w->place.rounded_attention = take(&own, quant_rows_bytes(size, few));
    w->place.rounded_hidden = take(&own, quant_rows_bytes(i->hidden, few));
    w->own_bytes = own;
    size_t x = take_floats(&all, room, i->width), normed = take_floats(&all, room, i->width), given = take_floats(&all, room, i->width);
    size_t qkv = take_floats(&all, room, qkv_size(i)), far = take_floats(&all, room, qkv_size(i)), raw = take_floats(&all, room, i->kv_heads * i->head_size);
    size_t attended = take_floats(&all, room, size), hidden = take_floats(&all, room, wide), turns = take_floats(&all, 4 * room, i->head_size);
    size_t limit = take(&all, (size_t)room * sizeof(int64_t)), wanted = take(&all, (size_t)room * sizeof(int32_t));
    size_t rounded = take(&all, quant_rows_bytes(i->width, room)), rounded_attention = take(&all, quant_rows_bytes(size, room));
    size_t rounded_hidden = take(&all, quant_rows_bytes(i->hidden, room));
    size_t members = take(&all, own * (size_t)w->cache->threads);
    if (!base) return all;
    w->x = (float *)(base + x), w->normed = (float *)(base + normed), w->given = (float *)(base + given), w->qkv = (float *)(base + qkv);
    w->far = (float *)(base + far), w->raw = (float *)(base + raw), w->attention = (float *)(base + attended), w->hidden = (float *)(base + hidden);
    w->turns = (float *)(base + turns), w->limit = (int64_t *)(base + limit), w->wanted_row = (int32_t *)(base + wanted);
    w->rounded = base + rounded, w->rounded_attention = base + rounded_attention, w->rounded_hidden = base + rounded_hidden, w->own = base + members;
    return all;
}

nigh_status pass_walk(nigh_cache *c, const nigh_lm_pass *pass, const int64_t *position, bool streams)
{
    work w = {.cache = c, .lm = c->lm, .pass = pass, .position = position, .rows = pass->count, .streams = streams};
    w.alone = pass->count <= PRIVATE_ROWS && !pass->hooks;
    if (c->room < pass->count) {
        int64_t room = pass->count < 8 ? 8 : pass->count < 64 ? 64 : PASS_ROWS;
        nigh_free(c->ctx, c->memory);
        c->room = 0;
        c->memory = nigh_alloc(c->ctx, lay_out(&w, room, NULL));
        if (!c->memory) return NIGH_MEMORY;
        c->room = room;
    }
    lay_out(&w, c->room, c->memory);
    for (int64_t t = 0; t < pass->count; t++) {
        w.limit[t] = streams ? pages_limit(c->pages, pass->rows[t].sequence) : 0;
        if (pass->rows[t].wanted) w.wanted_row[w.wanted++] = (int32_t)t;
    }
    team_run(c->threads, walk, &w);
    return NIGH_OK;
}
