/*
 * Facility location as a submodular function. A chain keeps the best similarity of each client, a journal of what each added item changed,
 * and for each shorter length that was asked about a copy of the state then, made from the journal.
 */
#include "reduce/nearness.h"

#include <string.h>

typedef struct facility {
    nigh_context *ctx;
    nigh_facility spec;
    float **kept; /* [items] rows of similarities; NULL: not computed. No array at all when nothing is kept */
    int64_t rows_left;
    float *row; /* [clients] for what is not kept */
} facility;

typedef struct change {
    int64_t client;
    float old;
} change;

typedef struct snapshot {
    int64_t length;
    float *best;
} snapshot;

typedef struct place_chain {
    nigh_context *ctx;
    int64_t clients;
    float *best; /* [clients] */
    int64_t length, room, *mark; /* mark[length + 1] into journal */
    int64_t written, journal_room;
    change *journal;
    int64_t snapshots, snapshot_room;
    snapshot *snapshot; /* of increasing length, all below `length` */
} place_chain;

nigh_status nearness_check(nigh_context *ctx, const char *what, int64_t n, int64_t d, const double *x)
{
    for (int64_t i = 0; i < n * d; i++)
        if (!isfinite(x[i]))
            return nigh_fail(ctx, NIGH_INVALID, "%s %lld, number %lld is %g; finite ones are allowed", what, (long long)(i / d), (long long)(i % d), x[i]);
    return NIGH_OK;
}

/* ---- similarities ----------------------------------------------------------------------------------------------- */

static nigh_status similarities(facility *f, int64_t item, const float **out)
{
    const nigh_facility *s = &f->spec;
    if (s->similarity || (f->kept && f->kept[item])) {
        *out = s->similarity ? s->similarity + item * s->clients : f->kept[item];
        return NIGH_OK;
    }
    float *row = f->row;
    if (f->rows_left > 0) {
        row = f->kept[item] = nigh_alloc(f->ctx, (size_t)s->clients * sizeof *row);
        if (!row) return NIGH_MEMORY;
        f->rows_left--;
    }
    const double *client = s->client ? s->client : s->points;
    for (int64_t c = 0; c < s->clients; c++) row[c] = (float)nearness(s->near, square_distance(s->points + item * s->d, client + c * s->d, s->d), s->width);
    *out = row;
    return NIGH_OK;
}

/* Eight sums side by side: vectors, and the same bits wherever it is compiled. */
static double gain_over(int64_t clients, const float *row, const float *best, const double *weight)
{
    double sum[8] = {0};
    int64_t c = 0;
    for (; !weight && c + 8 <= clients; c += 8)
        for (int j = 0; j < 8; j++) sum[j] += row[c + j] > best[c + j] ? (double)row[c + j] - (double)best[c + j] : 0;
    for (; c < clients; c++)
        if (row[c] > best[c]) sum[c & 7] += (weight ? weight[c] : 1) * ((double)row[c] - (double)best[c]);
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* ---- chains ----------------------------------------------------------------------------------------------------- */

static void place_close(void *user, void *chain)
{
    place_chain *c = chain;
    (void)user;
    nigh_context *ctx = c->ctx;
    for (int64_t i = 0; i < c->snapshots; i++) nigh_free(ctx, c->snapshot[i].best);
    nigh_free(ctx, c->snapshot);
    nigh_free(ctx, c->best);
    nigh_free(ctx, c->mark);
    nigh_free(ctx, c->journal);
    nigh_free(ctx, c);
}

static nigh_status place_open(void *user, nigh_context *ctx, void **out)
{
    facility *f = user;
    place_chain *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    c->ctx = ctx;
    c->clients = f->spec.clients;
    c->best = nigh_alloc_zero(ctx, (size_t)c->clients, sizeof *c->best);
    c->room = 32;
    c->mark = nigh_alloc_zero(ctx, 33, sizeof *c->mark);
    if (!c->best || !c->mark) {
        place_close(user, c);
        return NIGH_MEMORY;
    }
    *out = c;
    return NIGH_OK;
}

/* The state when the chain had this length. */
static nigh_status state_at(place_chain *c, int64_t length, const float **best)
{
    int64_t at = c->snapshots;
    while (at > 0 && c->snapshot[at - 1].length > length) at--;
    if (length == c->length || (at > 0 && c->snapshot[at - 1].length == length)) {
        *best = length == c->length ? c->best : c->snapshot[at - 1].best;
        return NIGH_OK;
    }
    if (c->snapshots == c->snapshot_room) {
        int64_t room = c->snapshot_room ? 2 * c->snapshot_room : 16;
        snapshot *more = nigh_resize(c->ctx, c->snapshot, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        c->snapshot = more;
        c->snapshot_room = room;
    }
    float *made = nigh_alloc(c->ctx, (size_t)c->clients * sizeof *made);
    if (!made) return NIGH_MEMORY;
    bool later = at < c->snapshots; /* undo from the nearest state that is later */
    memcpy(made, later ? c->snapshot[at].best : c->best, (size_t)c->clients * sizeof *made);
    for (int64_t i = c->mark[later ? c->snapshot[at].length : c->length]; i-- > c->mark[length];) made[c->journal[i].client] = c->journal[i].old;
    memmove(c->snapshot + at + 1, c->snapshot + at, (size_t)(c->snapshots - at) * sizeof *c->snapshot);
    c->snapshot[at] = (snapshot){length, made};
    c->snapshots++;
    *best = made;
    return NIGH_OK;
}

static nigh_status place_gains(void *user, void *chain, int64_t length, int64_t count, const int64_t *item, double *gain)
{
    facility *f = user;
    place_chain *c = chain;
    const float *best, *row;
    nigh_status status = state_at(c, length, &best);
    for (int64_t i = 0; i < count && !status; i++) {
        status = similarities(f, item[i], &row);
        if (!status) gain[i] = gain_over(c->clients, row, best, f->spec.weight);
    }
    return status;
}

static nigh_status place_reserve(place_chain *c)
{
    if (c->length == c->room) {
        int64_t *mark = nigh_resize(c->ctx, c->mark, (size_t)(2 * c->room + 1) * sizeof *mark);
        if (!mark) return NIGH_MEMORY;
        c->mark = mark;
        c->room *= 2;
    }
    if (c->written + c->clients <= c->journal_room) return NIGH_OK;
    int64_t room = 2 * c->written + c->clients;
    change *journal = nigh_resize(c->ctx, c->journal, (size_t)room * sizeof *journal);
    if (!journal) return NIGH_MEMORY;
    c->journal = journal;
    c->journal_room = room;
    return NIGH_OK;
}

static nigh_status place_add(void *user, void *chain, int64_t item, double *gain)
{
    facility *f = user;
    place_chain *c = chain;
    const float *row;
    nigh_status status = place_reserve(c);
    if (!status) status = similarities(f, item, &row);
    if (status) return status;
    *gain = gain_over(c->clients, row, c->best, f->spec.weight);
    for (int64_t i = 0; i < c->clients; i++) {
        if (row[i] <= c->best[i]) continue;
        c->journal[c->written++] = (change){i, c->best[i]};
        c->best[i] = row[i];
    }
    c->mark[++c->length] = c->written;
    return NIGH_OK;
}

static void place_cut(void *user, void *chain, int64_t length)
{
    place_chain *c = chain;
    (void)user;
    if (length >= c->length) return;
    for (; c->written > c->mark[length]; c->written--) c->best[c->journal[c->written - 1].client] = c->journal[c->written - 1].old;
    while (c->snapshots > 0 && c->snapshot[c->snapshots - 1].length >= length) nigh_free(c->ctx, c->snapshot[--c->snapshots].best);
    c->length = length;
}

/* ---- the function ----------------------------------------------------------------------------------------------- */

static void facility_free(void *user)
{
    facility *f = user;
    if (!f) return;
    nigh_context *ctx = f->ctx;
    for (int64_t i = 0; f->kept && i < f->spec.items; i++) nigh_free(ctx, f->kept[i]);
    nigh_free(ctx, f->kept);
    nigh_free(ctx, f->row);
    nigh_free(ctx, f);
}

static nigh_status check_points(nigh_context *ctx, const nigh_facility *s)
{
    if (s->d < 1) return nigh_fail(ctx, NIGH_INVALID, "points of %lld numbers; 1 or more are allowed", (long long)s->d);
    if (!(s->width > 0) || !isfinite(s->width)) return nigh_fail(ctx, NIGH_INVALID, "width is %g; it must be positive", s->width);
    if ((unsigned)s->near > NIGH_NEAR_PARABOLA) return nigh_fail(ctx, NIGH_INVALID, "nearness %d; 0 to 2 is allowed", (int)s->near);
    nigh_status status = nearness_check(ctx, "point", s->items, s->d, s->points);
    return status || !s->client ? status : nearness_check(ctx, "client", s->clients, s->d, s->client);
}

static nigh_status check_spec(nigh_context *ctx, const nigh_facility *s)
{
    if (s->items < 1 || s->clients < 1)
        return nigh_fail(ctx, NIGH_INVALID, "%lld items and %lld clients; 1 or more are allowed", (long long)s->items, (long long)s->clients);
    for (int64_t c = 0; s->weight && c < s->clients; c++)
        if (!(s->weight[c] >= 0) || !isfinite(s->weight[c]))
            return nigh_fail(ctx, NIGH_INVALID, "weight %lld is %g; finite ones from 0 on are allowed", (long long)c, s->weight[c]);
    if ((s->similarity != NULL) == (s->points != NULL)) return nigh_fail(ctx, NIGH_INVALID, "either points or similarity must be given");
    if (s->points) return check_points(ctx, s);
    for (int64_t i = 0; i < s->items * s->clients; i++)
        if (!(s->similarity[i] >= 0) || !isfinite(s->similarity[i]))
            return nigh_fail(ctx, NIGH_INVALID, "the similarity of item %lld and client %lld is %g; finite ones from 0 on are allowed",
                             (long long)(i / s->clients), (long long)(i % s->clients), (double)s->similarity[i]);
    return NIGH_OK;
}

nigh_status nigh_submodular_facility(nigh_context *ctx, const nigh_facility *spec, nigh_submodular **out)
{
    nigh_facility s = *spec;
    if (s.points && !s.client) s.clients = s.items;
    nigh_status status = check_spec(ctx, &s);
    if (status) return status;
    facility *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    if (!f) return NIGH_MEMORY;
    f->ctx = ctx;
    f->spec = s;
    int64_t keep = s.keep_bytes ? s.keep_bytes : (int64_t)256 << 20;
    f->rows_left = s.similarity || keep < 0 ? 0 : keep / (s.clients * (int64_t)sizeof(float));
    if (s.points) f->row = nigh_alloc(ctx, (size_t)s.clients * sizeof *f->row);
    if (f->rows_left > 0) f->kept = nigh_alloc_zero(ctx, (size_t)s.items, sizeof *f->kept);
    if ((s.points && !f->row) || (f->rows_left > 0 && !f->kept)) status = NIGH_MEMORY;
    const nigh_submodular_calls calls = {.items = s.items, .open = place_open, .close = place_close, .gains = place_gains, .add = place_add, .cut = place_cut,
                                         .free_user = facility_free, .user = f};
    if (!status) status = nigh_submodular_new(ctx, &calls, out);
    if (status) facility_free(f);
    return status;
}
