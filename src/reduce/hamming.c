/* nigh/hamming.h: checks, parts of the work on threads, falling back where a transform was not exact enough. */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <string.h>

enum { SMALL_GRAIN = 1 << 14, GRAIN = 1 << 18, PARTS_A_THREAD = 8 };
static const double rounding_limit = 0.2;

static const char *const names[NIGH_HAMMING_VARIANTS] = {"choose",     "direct", "sliced",   "transform", "heavy-light",
                                                         "early-exit", "pieces", "kangaroo", "sampled",   "hashed"};

const char *nigh_hamming_variant_name(nigh_hamming_variant variant)
{
    return (unsigned)variant < NIGH_HAMMING_VARIANTS ? names[variant] : NULL;
}

nigh_hamming_variant nigh_hamming_variant_named(const char *name)
{
    int v = 0;
    while (v < NIGH_HAMMING_VARIANTS && strcmp(name, names[v]) != 0) v++;
    return (nigh_hamming_variant)v;
}

nigh_hamming_options nigh_hamming_options_default(void)
{
    return (nigh_hamming_options){.at_most = -1, .delta = 0.01, .heavy = -1, .memory = 0x1p29};
}

/* ---- checks ------------------------------------------------------------------------------------------------------- */

static nigh_status check_kind(nigh_context *ctx, const nigh_hamming_options *o)
{
    bool bounded = o->at_most >= 0, within = o->error > 0;
    nigh_hamming_variant v = o->variant;
    if (bounded && within) return nigh_fail(ctx, NIGH_INVALID, "hamming: at_most is %lld and error %g; one of both is allowed", (long long)o->at_most, o->error);
    if ((unsigned)v >= NIGH_HAMMING_VARIANTS)
        return nigh_fail(ctx, NIGH_INVALID, "hamming: variant is %d; 0 to %d is allowed", (int)v, NIGH_HAMMING_VARIANTS - 1);
    if (v >= NIGH_HAMMING_EARLY_EXIT && v <= NIGH_HAMMING_KANGAROO && !bounded)
        return nigh_fail(ctx, NIGH_INVALID, "hamming: variant %s needs at_most", names[v]);
    if (v >= NIGH_HAMMING_SAMPLED && !within) return nigh_fail(ctx, NIGH_INVALID, "hamming: variant %s needs an error above 0", names[v]);
    return NIGH_OK;
}

static nigh_status check(nigh_context *ctx, const nigh_symbols *text, const nigh_symbols *pattern, const nigh_hamming_options *o)
{
    if (pattern->count < 1 || pattern->count > INT32_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "hamming: the pattern has %lld symbols; 1 to 2147483647 is allowed", (long long)pattern->count);
    if (text->count < 0 || text->count > (int64_t)1 << 46)
        return nigh_fail(ctx, NIGH_INVALID, "hamming: the text has %lld symbols; 0 to 2^46 is allowed", (long long)text->count);
    if (!(o->error >= 0 && o->error < 1)) return nigh_fail(ctx, NIGH_INVALID, "hamming: error is %g; 0 (exact) or above, and below 1, is allowed", o->error);
    if (!(o->delta > 0 && o->delta < 1)) return nigh_fail(ctx, NIGH_INVALID, "hamming: delta is %g; between 0 and 1 is allowed", o->delta);
    if (o->at_most < -1) return nigh_fail(ctx, NIGH_INVALID, "hamming: at_most is %lld; -1 (none) or above is allowed", (long long)o->at_most);
    if (o->bits != 0 && o->bits != 32 && o->bits != 64) return nigh_fail(ctx, NIGH_INVALID, "hamming: bits is %d; 0, 32 and 64 are allowed", o->bits);
    if (!(o->memory >= 0)) return nigh_fail(ctx, NIGH_INVALID, "hamming: memory is %g; 0 bytes or more is allowed", o->memory);
    return check_kind(ctx, o);
}

/* ---- preparing ---------------------------------------------------------------------------------------------------- */

nigh_status hamming_prepare(nigh_hamming *h, nigh_hamming_variant variant)
{
    hamming_release(h);
    h->report.variant = variant;
    switch (variant) {
    case NIGH_HAMMING_SLICED: return hamming_sliced_new(h);
    case NIGH_HAMMING_TRANSFORM:
    case NIGH_HAMMING_HEAVY_LIGHT: return hamming_heavy_new(h, &h->setting[variant]);
    case NIGH_HAMMING_EARLY_EXIT:
    case NIGH_HAMMING_PIECES:
    case NIGH_HAMMING_KANGAROO: return hamming_bounded_new(h);
    case NIGH_HAMMING_SAMPLED: return hamming_sampled_new(h);
    case NIGH_HAMMING_HASHED: return hamming_hashed_new(h);
    default: return NIGH_OK;
    }
}

void hamming_release(nigh_hamming *h)
{
    hamming_heavy_free(h);
    hamming_sliced_free(h);
    hamming_bounded_free(h);
    hamming_sampled_free(h);
    hamming_hashed_free(h);
    h->report.heavy = h->report.block = h->report.rounds = h->report.bits = 0;
    h->report.error = h->report.delta = 0;
}

nigh_status nigh_hamming_new(nigh_context *ctx, const nigh_symbols *text, const nigh_symbols *pattern, const nigh_hamming_options *options,
                             nigh_hamming **out)
{
    double began = nigh_clock();
    nigh_status status = check(ctx, text, pattern, options);
    if (status) return status;
    nigh_hamming *h = nigh_alloc_zero(ctx, 1, sizeof *h);
    if (!h) return NIGH_MEMORY;
    h->ctx = ctx;
    h->text = *text;
    h->given = *pattern;
    h->options = *options;
    h->m = pattern->count;
    if (h->options.at_most >= h->m) { /* nothing is above it */
        h->options.at_most = -1;
        if (options->variant >= NIGH_HAMMING_EARLY_EXIT) h->options.variant = NIGH_HAMMING_CHOOSE;
    }
    h->threads = nigh_context_threads(ctx);
    h->kernels = hamming_kernels_at(nigh_cpu());
    h->report.shifts = text->count >= h->m ? text->count - h->m + 1 : 0;
    status = hamming_ranks_new(ctx, text, pattern, options->alphabet, &h->ranks);
    if (!status) {
        h->report.symbols = h->ranks.distinct;
        status = hamming_choose(h);
    }
    if (status) {
        nigh_hamming_free(h);
        return status;
    }
    h->report.planning = nigh_clock() - began;
    *out = h;
    return NIGH_OK;
}

void nigh_hamming_free(nigh_hamming *h)
{
    if (!h) return;
    hamming_release(h);
    nigh_free(h->ctx, h->heavy);
    hamming_ranks_free(h->ctx, &h->ranks, &h->given);
    nigh_free(h->ctx, h);
}

const nigh_hamming_report *nigh_hamming_report_of(const nigh_hamming *h)
{
    return &h->report;
}

/* ---- running ------------------------------------------------------------------------------------------------------ */

/* Shifts of one part: what surrounds them is mapped, hashed or searched too, so that parts are long beside the pattern where that costs. */
int64_t hamming_grain(const nigh_hamming *h, int64_t count)
{
    int64_t grain = h->ranks.same ? SMALL_GRAIN : 4 * h->m > SMALL_GRAIN ? 4 * h->m : SMALL_GRAIN, share = (count + h->threads - 1) / h->threads;
    nigh_hamming_variant v = h->report.variant;
    if (h->light || v == NIGH_HAMMING_PIECES || v == NIGH_HAMMING_KANGAROO) grain = 4 * h->m > GRAIN ? 4 * h->m : GRAIN;
    if (h->engine.symbols) return 2 * h->engine.outs;
    return grain < share ? grain : share > 0 ? share : 1;
}

static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t workspace_bytes(const nigh_hamming *h, int64_t grain)
{
    size_t window = (size_t)(grain + h->m), bytes = h->ranks.same ? 0 : rounded(window * (size_t)h->ranks.width);
    if (h->report.variant == NIGH_HAMMING_KANGAROO) bytes += 2 * (window + 1) * sizeof(uint64_t);
    if (h->slices) bytes += hamming_sliced_bytes(h);
    return bytes + hamming_heavy_bytes(h) + 64;
}

static void run_part(hamming_part *part, int64_t from, char *workspace)
{
    nigh_hamming *h = part->h;
    part->workspace = workspace;
    if (h->ranks.same)
        part->t = (const char *)h->text.data + from;
    else {
        hamming_map(&h->ranks, &h->text, from, part->count + h->m - 1, workspace);
        part->t = workspace;
        part->workspace += rounded((size_t)(part->count + h->m) * (size_t)h->ranks.width);
    }
    switch (h->report.variant) {
    case NIGH_HAMMING_EARLY_EXIT: hamming_early_exit(part); return;
    case NIGH_HAMMING_PIECES: hamming_by_pieces(part); return;
    case NIGH_HAMMING_KANGAROO: hamming_kangaroo(part); return;
    case NIGH_HAMMING_SAMPLED: hamming_sampled(part); return;
    default: break;
    }
    memset(part->out, 0, (size_t)part->count * sizeof *part->out);
    if (h->report.variant == NIGH_HAMMING_DIRECT) hamming_direct(h, part->t, part->count, part->out);
    else if (h->report.variant == NIGH_HAMMING_SLICED) hamming_sliced(part);
    else hamming_heavy(part);
    if (h->second.symbols && !(part->rounding <= rounding_limit)) {
        part->fallbacks++;
        memset(part->out, 0, (size_t)part->count * sizeof *part->out);
        hamming_direct(h, part->t, part->count, part->out);
    }
    h->kernels->finish(part->count, (uint32_t)h->m, h->options.at_most >= 0 ? (uint32_t)h->options.at_most + 1 : UINT32_MAX, part->out);
}

typedef struct batch {
    hamming_part *parts; /* [count] */
    int64_t count, from, grain, shifts;
    uint32_t *out;
    char *workspace;
    size_t bytes;
} batch;

static void run_thread(nigh_hamming *h, const batch *b, int thread, int threads, bool again)
{
    for (int64_t p = thread; p < b->count; p += threads) {
        hamming_part *part = &b->parts[p];
        int64_t skip = p * b->grain;
        if (again && part->rounding <= rounding_limit) continue;
        *part = (hamming_part){.h = h, .count = b->shifts - skip < b->grain ? b->shifts - skip : b->grain, .out = b->out + skip, .fallbacks = again};
        run_part(part, b->from + skip, b->workspace + (size_t)thread * b->bytes);
    }
}

static void run_batch(nigh_hamming *h, const batch *b, bool again)
{
    int threads = b->count < h->threads ? (int)b->count : h->threads;
    if (threads == 1) {
        run_thread(h, b, 0, 1, again);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int thread = 0; thread < threads; thread++) run_thread(h, b, thread, threads, again);
}

/* Transforms in f64 for what f32 was not exact enough for; from now on for everything. */
static nigh_status run_again(nigh_hamming *h, batch *b)
{
    if (h->second.symbols) return NIGH_OK; /* the parts themselves went on to count directly */
    const hamming_setting *s = &h->setting[h->report.variant];
    nigh_status status = hamming_engine_new(h, 64, s->block, s->heavy, h->heavy, s->rest, &h->second);
    if (status) return status;
    size_t bytes = workspace_bytes(h, b->grain);
    char *workspace = nigh_alloc(h->ctx, bytes * (size_t)h->threads);
    if (!workspace) return NIGH_MEMORY;
    nigh_free(h->ctx, b->workspace);
    b->workspace = workspace;
    b->bytes = bytes;
    h->report.bits = 64;
    run_batch(h, b, true);
    return NIGH_OK;
}

nigh_status hamming_run_shifts(nigh_hamming *h, int64_t from, int64_t count, uint32_t *out)
{
    if (h->report.variant == NIGH_HAMMING_HASHED) return hamming_hashed_run(h, from, count, out);
    if (count == 0) return NIGH_OK;
    batch b = {.grain = hamming_grain(h, count)};
    int64_t most = (int64_t)PARTS_A_THREAD * h->threads;
    b.bytes = workspace_bytes(h, b.grain);
    b.workspace = nigh_alloc(h->ctx, b.bytes * (size_t)h->threads);
    b.parts = nigh_alloc_zero(h->ctx, (size_t)most, sizeof *b.parts);
    nigh_status status = b.workspace && b.parts ? NIGH_OK : NIGH_MEMORY;
    for (int64_t done = 0; done < count && !status; done += most * b.grain) {
        int64_t some = count - done < most * b.grain ? count - done : most * b.grain;
        b.from = from + done, b.out = out + done, b.shifts = some;
        b.count = (some + b.grain - 1) / b.grain;
        run_batch(h, &b, false);
        bool good = true;
        for (int64_t p = 0; p < b.count; p++) good &= b.parts[p].rounding <= rounding_limit;
        if (!good) status = run_again(h, &b);
        for (int64_t p = 0; p < b.count; p++) {
            if (b.parts[p].rounding > h->report.rounding) h->report.rounding = b.parts[p].rounding;
            h->report.fallbacks += b.parts[p].fallbacks;
            h->report.finished += b.parts[p].finished;
        }
        if (!status) status = nigh_poll(h->ctx);
    }
    nigh_free(h->ctx, b.workspace);
    nigh_free(h->ctx, b.parts);
    return status;
}

nigh_status nigh_hamming_run(nigh_hamming *h, int64_t from, int64_t count, uint32_t *out)
{
    if (from < 0 || count < 0 || from > h->report.shifts || count > h->report.shifts - from)
        return nigh_fail(h->ctx, NIGH_INVALID, "hamming: shifts %lld to %lld; there are %lld, from 0", (long long)from, (long long)(from + count) - 1,
                         (long long)h->report.shifts);
    return hamming_run_shifts(h, from, count, out);
}

nigh_status nigh_hamming_distances(nigh_context *ctx, const nigh_symbols *text, const nigh_symbols *pattern, const nigh_hamming_options *options,
                                   uint32_t *out, nigh_hamming_report *report)
{
    nigh_hamming *h = NULL;
    nigh_status status = nigh_hamming_new(ctx, text, pattern, options, &h);
    if (!status) status = nigh_hamming_run(h, 0, h->report.shifts, out);
    if (!status && report) *report = h->report;
    nigh_hamming_free(h);
    return status;
}
