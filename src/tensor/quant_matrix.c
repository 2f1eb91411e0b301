/* Matrices of quantised weights in panels, and their products shared out to a team. Declared in tensor/quant.h. */
#include "tensor/quant_layout.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

enum { FEW = 6, MANY_PANELS = 4 }; /* from so many rows of x on, kernels like so many panels at once */
enum { LARGE_PAGE = 1 << 21, TOUCH_AHEAD = 16 << 20, READ_BYTES = 1 << 20 };

typedef struct part {
    const quant_format *format;
    int64_t rows, first, panels, panel; /* first row; number of panels; panels of the parts before */
    size_t panel_bytes;
    char *memory;
} part;

struct quant_matrix {
    nigh_context *ctx;
    int64_t rows, cols, panels;
    size_t bytes;
    int count, threads;
    bool paired;
    char *memory; /* NULL: a store's */
    part parts[];
};

struct quant_store {
    nigh_context *ctx;
    char *memory, *next, *end, *touched; /* before touched pages are there */
    void (*read)(void *user, const void *first, size_t bytes);
    void *user;
};

/* ---- memory ------------------------------------------------------------------------------------------- */

nigh_status quant_store_new(nigh_context *ctx, size_t bytes, quant_store **out)
{
    const uintptr_t page = LARGE_PAGE;
    quant_store *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    s->ctx = ctx;
    s->memory = bytes > SIZE_MAX - page ? NULL : nigh_alloc(ctx, bytes + page);
    if (!s->memory) {
        nigh_free(ctx, s);
        return nigh_fail(ctx, NIGH_MEMORY, "out of memory: %zu bytes for a store of weights", bytes);
    }
    s->next = s->touched = (char *)(((uintptr_t)s->memory + page - 1) & ~(page - 1));
    s->end = s->memory + bytes + page;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    (void)madvise(s->next, (size_t)(s->end - s->next) & ~(size_t)4095, MADV_HUGEPAGE); /* where it is refused, pages are small */
#endif
    *out = s;
    return NIGH_OK;
}

void quant_store_on_read(quant_store *s, void (*read)(void *user, const void *first, size_t bytes), void *user)
{
    s->read = read, s->user = user;
}

typedef struct touching {
    char *first, *end;
    team_share share;
} touching;

static void touch_pages(void *user, team *t, int member)
{
    (void)t, (void)member;
    touching *job = user;
    int64_t pages = (job->end - job->first + LARGE_PAGE - 1) / LARGE_PAGE;
    for (int64_t i; (i = team_take(&job->share, 1, pages)) >= 0;) *(volatile char *)(job->first + i * LARGE_PAGE) = 0;
}

/* Large pages come zeroed by whoever writes to them first. Members that repack neighbouring panels would wait for one another: each touches its own pages ahead. */
static void touch_ahead(quant_store *s, size_t bytes, int threads)
{
    if (s->next + bytes <= s->touched) return;
    size_t left = (size_t)(s->end - s->touched), ahead = (size_t)(s->next - s->touched) + bytes;
    if (ahead < TOUCH_AHEAD) ahead = TOUCH_AHEAD;
    if (ahead > left) ahead = left;
    ahead = (ahead + LARGE_PAGE - 1) & ~(size_t)(LARGE_PAGE - 1);
    touching job = {.first = s->touched, .end = ahead < left ? s->touched + ahead : s->end};
    s->touched = job.end;
    team_run(threads, touch_pages, &job);
}

void quant_store_free(quant_store *s)
{
    if (!s) return;
    nigh_free(s->ctx, s->memory);
    nigh_free(s->ctx, s);
}

size_t quant_matrix_room(const quant_part *parts, int count, int64_t cols)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        const quant_format *f = quant_format_of(parts[i].type);
        if (!f) return 0;
        bytes += (size_t)((parts[i].rows + QUANT_PANEL - 1) / QUANT_PANEL) * quant_panel_bytes(f, cols);
    }
    return bytes;
}

/* ---- making ------------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const quant_part *parts, int count, int64_t cols, bool paired, int threads)
{
    if (count < 1) return nigh_fail(ctx, NIGH_INVALID, "quant: %d parts; 1 or more are needed", count);
    if (cols < 1 || cols > 1 << 24) return nigh_fail(ctx, NIGH_INVALID, "quant: %lld columns; 1 to 2^24 are allowed", (long long)cols);
    if (threads < 1 || threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "quant: threads is %d; 1 to 1024 is allowed", threads);
    for (int i = 0; i < count; i++) {
        const quant_format *f = quant_format_of(parts[i].type);
        if (!f) return nigh_fail(ctx, NIGH_INVALID, "quant: type %d of part %d is not known", (int)parts[i].type, i);
        if (cols % f->length)
            return nigh_fail(ctx, NIGH_INVALID, "quant: part %d has %lld columns; a multiple of %d is needed", i, (long long)cols, f->length);
        if (parts[i].rows < 1 || parts[i].rows > (int64_t)1 << 31)
            return nigh_fail(ctx, NIGH_INVALID, "quant: part %d has %lld rows; 1 to 2^31 are allowed", i, (long long)parts[i].rows);
    }
    if (paired && (count != 2 || parts[0].rows != parts[1].rows))
        return nigh_fail(ctx, NIGH_INVALID, "quant: a pair has two parts of the same number of rows, not %d parts", count);
    return NIGH_OK;
}

typedef struct repacking {
    quant_matrix *m;
    const quant_store *store; /* or NULL */
    const quant_part *parts;
    team_share share;
} repacking;

static void repack_panel(const part *p, const quant_part *source, int64_t cols, int64_t panel)
{
    const quant_format *f = p->format;
    char *to = p->memory + (size_t)panel * p->panel_bytes;
    const char *from = (const char *)source->blocks + (size_t)(panel * QUANT_PANEL) * quant_row_bytes(f, cols);
    memset(to, 0, p->panel_bytes);
    for (int lane = 0; lane < QUANT_PANEL && panel * QUANT_PANEL + lane < p->rows; lane++) quant_pack(f, from + (size_t)lane * quant_row_bytes(f, cols), cols, lane, to);
}

static const part *part_of(const quant_matrix *m, int64_t panel)
{
    const part *p = m->parts;
    while (panel >= p->panel + p->panels) p++;
    return p;
}

/* Some panels of one part; then the store's owner hears that these bytes were read. */
static void repack_run(const repacking *job, const part *p, int64_t first, int64_t count)
{
    const quant_part *source = job->parts + (p - job->m->parts);
    size_t row = quant_row_bytes(p->format, job->m->cols);
    int64_t last = (first + count) * QUANT_PANEL < p->rows ? (first + count) * QUANT_PANEL : p->rows;
    for (int64_t i = 0; i < count; i++) repack_panel(p, source, job->m->cols, first + i);
    if (job->store && job->store->read)
        job->store->read(job->store->user, (const char *)source->blocks + (size_t)(first * QUANT_PANEL) * row, (size_t)(last - first * QUANT_PANEL) * row);
}

static void repack(void *user, team *t, int member)
{
    (void)member;
    repacking *job = user;
    const quant_matrix *m = job->m;
    int64_t fair = m->panels / (8 * team_members(t)), most = (int64_t)((size_t)m->panels * READ_BYTES / (m->bytes + 1)), grain = fair < most ? fair : most;
    if (grain < 1) grain = 1;
    for (int64_t panel; (panel = team_take(&job->share, grain, m->panels)) >= 0;) {
        int64_t end = panel + grain < m->panels ? panel + grain : m->panels;
        while (panel < end) {
            const part *p = part_of(m, panel);
            int64_t within = p->panel + p->panels < end ? p->panel + p->panels : end;
            repack_run(job, p, panel - p->panel, within - panel);
            panel = within;
        }
    }
}

nigh_status quant_matrix_new(nigh_context *ctx, const quant_part *parts, int count, int64_t cols, bool paired, int threads, quant_matrix **out)
{
    return quant_matrix_new_in(ctx, NULL, parts, count, cols, paired, threads, out);
}

nigh_status quant_matrix_new_in(nigh_context *ctx, quant_store *store, const quant_part *parts, int count, int64_t cols, bool paired, int threads, quant_matrix **out)
{
    nigh_status status = check(ctx, parts, count, cols, paired, threads);
    if (status) return status;
    quant_matrix *m = nigh_alloc_zero(ctx, 1, sizeof *m + (size_t)count * sizeof *m->parts);
    if (!m) return NIGH_MEMORY;
    *m = (quant_matrix){.ctx = ctx, .cols = cols, .count = count, .threads = threads > 2 ? threads : 2, .paired = paired}; /* shares for two at least: more may compute than repacked */
    for (int i = 0; i < count; i++) {
        const quant_format *f = quant_format_of(parts[i].type);
        int64_t panels = (parts[i].rows + QUANT_PANEL - 1) / QUANT_PANEL;
        m->parts[i] = (part){.format = f, .rows = parts[i].rows, .first = m->rows, .panels = panels, .panel = m->panels, .panel_bytes = quant_panel_bytes(f, cols)};
        m->rows += parts[i].rows;
        m->panels += panels;
        m->bytes += (size_t)panels * m->parts[i].panel_bytes;
    }
    bool stored = store && (size_t)(store->end - store->next) >= m->bytes;
    char *at = stored ? store->next : nigh_alloc(ctx, m->bytes);
    if (!at) {
        nigh_free(ctx, m);
        return NIGH_MEMORY;
    }
    if (stored) {
        touch_ahead(store, m->bytes, threads);
        store->next += m->bytes;
    } else {
        m->memory = at;
    }
    for (int i = 0; i < count; i++) {
        m->parts[i].memory = at;
        at += (size_t)m->parts[i].panels * m->parts[i].panel_bytes;
    }
    repacking job = {.m = m, .store = store, .parts = parts};
    team_run(threads, repack, &job);
    *out = m;
    return NIGH_OK;
}

void quant_matrix_free(quant_matrix *m)
{
    if (!m) return;
    nigh_free(m->ctx, m->memory);
    nigh_free(m->ctx, m);
}

int64_t quant_matrix_rows(const quant_matrix *m) { return m->rows; }
int64_t quant_matrix_cols(const quant_matrix *m) { return m->cols; }
size_t quant_matrix_bytes(const quant_matrix *m) { return m->bytes; }

void quant_matrix_row(const quant_matrix *m, int64_t row, float *out)
{
    const part *p = m->parts;
    while (row >= p->first + p->rows) p++;
    const quant_format *f = p->format;
    int64_t within = row - p->first;
    int lane = (int)(within % QUANT_PANEL);
    const char *panel = p->memory + (size_t)(within / QUANT_PANEL) * p->panel_bytes;
    if (f->codes == QUANT_FLOATS) {
        for (int64_t k = 0; k < m->cols; k++) {
            uint16_t h;
            const char *at = panel + (k * QUANT_PANEL + lane) * f->bytes;
            if (f->bytes == 4)
                memcpy(out + k, at, 4);
            else
                memcpy(&h, at, 2), out[k] = f->type == NIGH_BLOCK_F16 ? half_from_f16(h) : half_from_bf16(h);
        }
        return;
    }
    for (int64_t b = 0; b < m->cols / QUANT_BLOCK; b++) {
        quant_raw raw;
        quant_raw_get(f, panel, lane, b, &raw);
        for (int i = 0; i < QUANT_BLOCK; i++) {
            int h = f->fine ? i / 16 : 0;
            float d = half_from_f16(raw.d) * (float)raw.scale[h], w = d * (float)quant_value(f, raw.code[i]);
            out[b * QUANT_BLOCK + i] = f->low ? w + half_from_f16(raw.m) * (float)raw.low[h] : w;
        }
    }
}

/* ---- products ----------------------------------------------------------------------------------------- */

/*
 * Takes a share of what is left, so that the first takes are long streams and the last ones small: no member waits for another's. `least` at once where
 * that many are left.
 */
static int64_t take(team_share *share, int members, int64_t least, int64_t count, int64_t *number)
{
    int64_t next = __atomic_load_n(&share->next, __ATOMIC_RELAXED), some;
    do {
        if (next >= count) return -1;
        some = members == 1 ? count - next : (count - next) / (2 * members) / least * least;
        if (some < least) some = least < count - next ? least : count - next;
    } while (!__atomic_compare_exchange_n(&share->next, &next, next + some, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *number = some;
    return next;
}

/* Panels first .. first + number - 1 of one part, whose first row is row `to` of y. */
static quant_task task_of(const quant_matrix *m, const part *p, int64_t first, int64_t number, int64_t to, const quant_rows *x, int64_t T, float *y, int64_t ldy)
{
    int64_t row = first * QUANT_PANEL, lanes = number * QUANT_PANEL;
    return (quant_task){.format = p->format, .panels = p->memory + (size_t)first * p->panel_bytes, .panel_bytes = p->panel_bytes, .cols = m->cols,
                        .lanes = lanes < p->rows - row ? lanes : p->rows - row, .T = T, .x = x, .y = y + to + row, .ldy = ldy};
}

void quant_run(const quant_matrix *m, const quant_rows *x, int64_t T, bool add, float *y, int64_t ldy, team_share *share)
{
    const quant_kernels *kernels = quant_kernels_now();
    for (int64_t panel, number; (panel = take(share, m->threads, T < FEW ? 1 : MANY_PANELS, m->panels, &number)) >= 0;)
        while (number > 0) {
            const part *p = part_of(m, panel);
            int64_t first = panel - p->panel, here = p->panels - first < number ? p->panels - first : number;
            quant_task task = task_of(m, p, first, here, p->first, x, T, y, ldy);
            task.end = add ? QUANT_ADD : QUANT_STORE;
            kernels->products(&task);
            panel += here;
            number -= here;
        }
}

void quant_run_gated(const quant_matrix *m, const quant_rows *x, int64_t T, quant_gate gate, float *y, int64_t ldy, team_share *share)
{
    const quant_kernels *kernels = quant_kernels_now();
    for (int64_t panel, number; (panel = take(share, m->threads, T < FEW ? 1 : MANY_PANELS, m->parts[0].panels, &number)) >= 0;)
        for (int i = 0; i < 2; i++) {
            quant_task task = task_of(m, m->parts + i, panel, number, 0, x, T, y, ldy);
            task.end = i ? QUANT_GATE : QUANT_STORE;
            task.gate = gate;
            kernels->products(&task);
        }
}

/* Whole panels of some rows of x, of which the rows asked for are picked. */
void quant_run_rows(const quant_matrix *m, const quant_rows *x, int64_t T, const int32_t *rows, int64_t count, float *y, int64_t ldy, team_share *share)
{
    enum { AT_ONCE = 16 };
    const quant_kernels *kernels = quant_kernels_now();
    for (int64_t first, number; (first = take(share, m->threads, 1, count, &number)) >= 0;)
        for (int64_t t = 0; t < T; t += AT_ONCE) {
            float sums[AT_ONCE * QUANT_PANEL];
            const part *p = m->parts;
            int64_t held = -1, some = T - t < AT_ONCE ? T - t : AT_ONCE;
            for (int64_t j = first; j < first + number; j++) {
                if (held < 0 || rows[j] < p->first || rows[j] >= p->first + p->rows || (rows[j] - p->first) / QUANT_PANEL != held) {
                    for (p = m->parts; rows[j] >= p->first + p->rows;) p++;
                    held = (rows[j] - p->first) / QUANT_PANEL;
                    quant_task task = task_of(m, p, held, 1, -held * QUANT_PANEL, x, some, sums, QUANT_PANEL);
                    task.row = t;
                    kernels->products(&task);
                }
                for (int64_t i = 0; i < some; i++) y[(t + i) * ldy + j] = sums[i * QUANT_PANEL + (rows[j] - p->first) % QUANT_PANEL];
            }
        }
}
