/*
 * Many csv rows at once. The text is cut into parts at line ends. A line end within quotes is no such place, but then a field of the part
 * before it does not end, so that this part fails, and rows are read one after another from its begin: they are right, or it is found what to say.
 */
#include "io/csv_text.h"

#include <string.h>

const csv_kernels *csv_kernels_get(void)
{
    switch (nigh_cpu()) {
    case NIGH_CPU_AVX512: return &csv_kernels_avx512;
    case NIGH_CPU_AVX2: return &csv_kernels_avx2;
    default: return &csv_kernels_scalar;
    }
}

/* Behind the first line end at or after `at`. */
static const char *line_after(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at == '\n') return at + 1;
        if (*at == '\r') return at + 1 + (at + 1 < end && at[1] == '\n');
    }
    return end;
}

void csv_wave_cut(csv_wave *w, const csv_text *r, const char *end, size_t part_bytes, int threads)
{
    const csv_kernels *kernels = csv_kernels_get();
    const char *at = r->at;
    w->count = 0;
    for (; at < end && w->count < CSV_PARTS; w->count++) {
        csv_part *p = &w->part[w->count];
        *p = (csv_part){.begin = at};
        p->end = at = (size_t)(end - at) <= part_bytes ? end : line_after(at + part_bytes - 1, end);
    }
    threads = threads < w->count ? threads : w->count;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int i = 0; i < w->count; i++) {
        csv_part *p = &w->part[i];
        bool open = p->end[-1] != '\n' && p->end[-1] != '\r';
        size_t lines = (size_t)kernels->count_lines(p->begin, p->end, r->end) + open, bytes = (size_t)(p->end - p->begin) + open;
        if (__builtin_mul_overflow(lines, (size_t)r->columns, &p->room) || p->room > bytes) p->room = bytes;
    }
    w->room = 0;
    for (int i = 0; i < w->count; i++) {
        w->part[i].offset = w->room;
        w->room += w->part[i].room;
    }
    w->room += (size_t)r->columns;
}

/* Rows that begin before `stop`, one after another, the plain ones by the kernel. */
static nigh_status read_rows(csv_text *r, const csv_plain *plain, const char *stop, double *out, size_t room, int64_t *rows)
{
    const csv_kernels *kernels = csv_kernels_get();
    const size_t columns = (size_t)r->columns;
    size_t left = room / columns;
    nigh_status status = NIGH_OK;
    *rows = 0;
    for (;;) {
        int64_t some;
        r->at = kernels->plain_rows(plain, r->at, stop, (int64_t)left, out, &some);
        r->line += some;
        *rows += some;
        left -= (size_t)some;
        out += (size_t)some * columns;
        if (r->at >= stop || !csv_next_line(r) || r->at >= stop) return NIGH_OK;
        if (left == 0) return NIGH_FORMAT; /* only a line that is too short can come to this, and only in a part: the wave has room for it */
        status = csv_row(r, out);
        if (status) return status;
        csv_line_end(r);
        ++*rows;
        left--;
        out += columns;
    }
}

static void read_part(csv_part *p, const csv_text *like, const csv_plain *plain, double *values)
{
    csv_text r = *like;
    r.ctx = NULL;
    r.at = p->begin;
    r.end = p->end;
    r.line = 0;
    p->odd = read_rows(&r, plain, r.end, values + p->offset, p->room, &p->rows) != NIGH_OK;
    p->lines = r.line;
}

nigh_status csv_wave_read(csv_wave *w, csv_text *r, const char *low, int threads, double *values, int64_t *rows)
{
    const csv_plain plain = {low, r->end, r->separator, r->columns, r->c};
    const char *end = w->count ? w->part[w->count - 1].end : r->at;
    threads = threads < w->count ? threads : w->count;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) if (threads > 1)
    for (int i = 0; i < w->count; i++) read_part(&w->part[i], r, &plain, values);
    size_t used = 0, columns = (size_t)r->columns;
    int64_t count = 0;
    for (int i = 0; i < w->count; i++) {
        csv_part *p = &w->part[i];
        p->line = r->line;
        p->even = p->lines + (p->end[-1] != '\n' && p->end[-1] != '\r') == p->rows;
        if (p->odd) {
            r->at = p->begin;
            nigh_status status = read_rows(r, &plain, end, values + used, w->room - used, &p->rows);
            *rows = count + p->rows;
            p->end = r->at;
            p->even = false;
            w->count = i + 1;
            return status;
        }
        size_t size = (size_t)p->rows * columns;
        if (p->offset != used) memmove(values + used, values + p->offset, size * sizeof *values);
        used += size;
        count += p->rows;
        r->line += p->lines;
    }
    r->at = end;
    *rows = count;
    return NIGH_OK;
}

int64_t csv_wave_line(const csv_wave *w, const csv_text *r, int64_t row)
{
    const csv_part *p = w->part;
    while (row >= p->rows) row -= p++->rows;
    if (p->even) return p->line + row;
    csv_text look = *r;
    look.at = p->begin;
    look.end = p->end;
    look.line = p->line;
    look.ctx = NULL;
    while (csv_next_line(&look) && row-- > 0) csv_skip_row(&look);
    return look.line;
}
