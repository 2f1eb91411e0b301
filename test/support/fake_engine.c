/* An engine without a model. Declared in fake_engine.h. */
#include "support.h"
#include "fake_engine.h"
#include "nigh/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void fake_logits(const fake_engine *f, const int32_t *text, int64_t count, float *logits)
{
    uint64_t h = 7;
    for (int64_t i = count > 3 ? count - 3 : 0; i < count; i++) h = nigh_seed_split(h, (uint64_t)text[i]);
    if (f->flat) h = nigh_seed_split(h, (uint64_t)count);
    for (int32_t i = 0; i < FAKE_VOCABULARY; i++) logits[i] = (float)(nigh_seed_split(h, (uint64_t)i) % 10007) / 2500.0f;
    for (int32_t i = 'a'; i <= 'p'; i++) logits[i] += 3;
    logits[256] = logits[257] = -1; /* begin and end */
    int64_t n = f->script_context;
    for (int64_t i = 0; i + n < f->script_count; i++)
        if (count >= n && memcmp(f->script + i, text + count - n, (size_t)n * sizeof *text) == 0) logits[f->script[i + n]] += 20;
}

static fake_sequence *get(fake_engine *f, int sequence)
{
    assert_true(sequence >= 0 && sequence < FAKE_SEQUENCES && f->sequence[sequence].used);
    return &f->sequence[sequence];
}

static nigh_status new_sequence(void *user, int *sequence)
{
    fake_engine *f = user;
    for (int i = 0; i < FAKE_SEQUENCES; i++)
        if (!f->sequence[i].used) {
            f->sequence[i].used = true, f->sequence[i].length = f->sequence[i].shared = 0;
            *sequence = i;
            return NIGH_OK;
        }
    return nigh_fail(f->ctx, NIGH_RESOURCE, "no sequence is left");
}

static nigh_status fork_sequence(void *user, int sequence, int64_t length, int *fork)
{
    fake_engine *f = user;
    fake_sequence *from = get(f, sequence);
    assert_true(length > 0 && length <= from->length);
    nigh_status status = new_sequence(user, fork);
    if (status) return status;
    f->sequence[*fork].length = f->sequence[*fork].shared = length;
    memcpy(f->sequence[*fork].token, from->token, (size_t)length * sizeof *from->token);
    f->forks++;
    return NIGH_OK;
}

static nigh_status cut_sequence(void *user, int sequence, int64_t length)
{
    fake_sequence *s = get(user, sequence);
    assert_true(length >= 0 && length <= s->length);
    s->length = length;
    return NIGH_OK;
}

static void drop_sequence(void *user, int sequence) { get(user, sequence)->used = false; }

static nigh_status stream_sequence(void *user, int sequence, int64_t sinks, int64_t window, int64_t limit)
{
    (void)sinks, (void)limit;
    assert_true(get(user, sequence)->length == 0 && window > 0);
    return NIGH_OK;
}

/* The text that row i ends. */
static int64_t text_of(fake_engine *f, const nigh_lm_row *rows, int64_t i, int32_t *text)
{
    int32_t up[1024];
    int64_t depth = 0;
    fake_sequence *s = get(f, rows[i].sequence);
    for (int64_t at = i; at >= 0; at = rows[at].parent) {
        assert_true(rows[at].sequence == rows[i].sequence && rows[at].parent < at && depth < 1024);
        up[depth++] = rows[at].token;
    }
    memcpy(text, s->token, (size_t)s->length * sizeof *text);
    for (int64_t k = 0; k < depth; k++) text[s->length + k] = up[depth - 1 - k];
    return s->length + depth;
}

static nigh_status check_room(fake_engine *f, const nigh_lm_pass *pass)
{
    int64_t held = pass->count;
    for (int i = 0; i < FAKE_SEQUENCES; i++) held += f->sequence[i].used ? f->sequence[i].length - f->sequence[i].shared : 0;
    return f->most && held > f->most ? nigh_fail(f->ctx, NIGH_RESOURCE, "the cache is full") : NIGH_OK;
}

static nigh_status run_pass(void *user, const nigh_lm_pass *pass)
{
    static int32_t text[8192];
    fake_engine *f = user;
    if (f->fail_run && --f->fail_run == 0) return nigh_fail(f->ctx, NIGH_MEMORY, "no memory for a pass");
    nigh_status status = check_room(f, pass);
    if (status) return status;
    assert_true(pass->count > 0);
    float *logits = pass->logits;
    for (int64_t i = 0; i < pass->count; i++) {
        if (!pass->rows[i].wanted) continue;
        fake_logits(f, text, text_of(f, pass->rows, i, text), logits);
        if (f->nan_at > 0 && (double)(nigh_seed_split(99, (uint64_t)(f->rows + i)) % 1000) < 1000 * f->nan_at) logits[5] = NAN;
        logits += FAKE_VOCABULARY;
    }
    f->runs++, f->rows += pass->count;
    if (pass->count > f->most_rows) f->most_rows = pass->count;
    f->row = realloc(f->row, (size_t)pass->count * sizeof *f->row);
    memcpy(f->row, pass->rows, (size_t)pass->count * sizeof *f->row);
    f->row_count = pass->drafts ? pass->count : 0;
    if (pass->drafts) return NIGH_OK;
    for (int64_t i = 0; i < pass->count; i++) { /* chains are kept */
        fake_sequence *s = get(f, pass->rows[i].sequence);
        bool first = i == 0 || pass->rows[i - 1].sequence != pass->rows[i].sequence;
        assert_int_equal(pass->rows[i].parent, first ? -1 : i - 1);
        assert_true(s->length < 4096);
        s->token[s->length++] = pass->rows[i].token;
        f->fed++;
    }
    return NIGH_OK;
}

static nigh_status accept_rows(void *user, int sequence, const int32_t *rows, int64_t count)
{
    fake_engine *f = user;
    fake_sequence *s = get(f, sequence);
    if (f->fail_accept && --f->fail_accept == 0) return nigh_fail(f->ctx, NIGH_MEMORY, "no memory to keep rows");
    for (int64_t i = 0; i < count; i++) {
        assert_true(rows[i] >= 0 && rows[i] < f->row_count && f->row[rows[i]].sequence == sequence);
        assert_int_equal(f->row[rows[i]].parent, i ? rows[i - 1] : -1);
        s->token[s->length++] = f->row[rows[i]].token;
        f->fed++;
    }
    return NIGH_OK;
}

static size_t bytes_used(void *user)
{
    const fake_engine *f = user;
    size_t bytes = 0;
    for (int i = 0; i < FAKE_SEQUENCES; i++) bytes += f->sequence[i].used ? 64 * (size_t)f->sequence[i].length : 0;
    return bytes;
}

void fake_engine_begin(fake_engine *f, generator_engine *engine)
{
    nigh_context *ctx = f->ctx ? f->ctx : test_context_new();
    *f = (fake_engine){.ctx = ctx};
    assert_ok(ctx, nigh_tokenizer_bytes(ctx, &f->tokenizer));
    f->sequence = calloc(FAKE_SEQUENCES, sizeof *f->sequence);
    *engine = (generator_engine){.user = f,
                                 .ctx = ctx,
                                 .tokenizer = f->tokenizer,
                                 .vocabulary = FAKE_VOCABULARY,
                                 .position_bytes = 64,
                                 .sequence = new_sequence,
                                 .fork = fork_sequence,
                                 .cut = cut_sequence,
                                 .drop = drop_sequence,
                                 .stream = stream_sequence,
                                 .run = run_pass,
                                 .accept = accept_rows,
                                 .bytes = bytes_used};
}

void fake_engine_end(fake_engine *f)
{
    for (int i = 0; i < FAKE_SEQUENCES; i++) assert_false(f->sequence[i].used);
    free(f->sequence);
    free(f->row);
    nigh_tokenizer_free(f->tokenizer);
    test_context_free(f->ctx);
}
