/* Rows shared out: which start, in what order, in which tiles, on which thread. Declared in verify/crown_inside.h. */
#include "verify/crown_inside.h"
#include "verify/relax.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum { ROWS_OF_BLOCK = 48 }; /* rows that a block of a field is to have */

static int this_thread(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* ---- rows that start at elements ----------------------------------------------------------------------- */

static bool wanted(const crown_job *job, int a, int64_t i, int64_t j)
{
    const bound_node *node = &job->b->graph->node[job->b->graph->activation[a]];
    int64_t at = (job->first + i) * node->size + j;
    double low = job->batch->pre_low[a][at], high = job->batch->pre_high[a][at];
    return low <= high && !relax_linear(node->function, node->p, low, high);
}

static void add_units(crown_job *job, int64_t i, int64_t j)
{
    crown *c = job->c;
    for (int sign = 1; sign >= -1; sign -= 2, job->rows++) {
        c->unit_domain[job->rows] = i;
        c->unit_element[job->rows] = j;
        c->unit_sign[job->rows] = (int8_t)sign;
    }
}

/* Side of the square of places whose rows walk together: few rows a place ask for more of them, at the cost of larger windows. */
static int64_t block_side(const crown_job *job, int a)
{
    const crown_field *f = &job->c->node[job->start].field;
    int64_t n = f->height * f->width * f->channels, count = 0, side = 1;
    if (f->height * f->width == 1) return 1;
    for (int64_t i = 0; i < job->domains; i++)
        for (int64_t j = 0; j < n; j++) count += 2 * wanted(job, a, i, j);
    while (side < 16 && (side + 1) * (side + 1) * count <= ROWS_OF_BLOCK * job->domains * f->height * f->width) side++;
    return side;
}

void crown_units(crown_job *job, int a)
{
    const crown_field *f = &job->c->node[job->start].field;
    int64_t side = block_side(job, a);
    job->rows = 0;
    job->side = side;
    for (int64_t i = 0; i < job->domains; i++)
        for (int64_t by = 0; by < f->height; by += side)
            for (int64_t bx = 0; bx < f->width; bx += side)
                for (int64_t y = by; y < by + side && y < f->height; y++)
                    for (int64_t x = bx; x < bx + side && x < f->width; x++)
                        for (int64_t k = 0; k < f->channels; k++)
                            if (wanted(job, a, i, (y * f->width + x) * f->channels + k)) add_units(job, i, (y * f->width + x) * f->channels + k);
}

/* ---- tiles --------------------------------------------------------------------------------------------- */

static nigh_status add_tile(const crown_job *job, int64_t first, int64_t rows, const crown_frame *frame)
{
    crown *c = job->c;
    if (c->tiles == c->tiles_room) {
        crown_tile *more = nigh_resize(job->b->ctx, c->tile, (size_t)(2 * c->tiles_room + 16) * sizeof *more);
        if (!more) return NIGH_MEMORY;
        c->tile = more;
        c->tiles_room = 2 * c->tiles_room + 16;
    }
    c->tile[c->tiles++] = (crown_tile){first, rows, *frame};
    return NIGH_OK;
}

/* Rows whose numbers fit the slots when the start has this frame. */
static int64_t most_rows(const crown_job *job, const crown_frame *start)
{
    crown *c = job->c;
    crown_frame *frame = c->scratch[0].frame;
    int64_t most = 1;
    crown_spread(job, start, frame);
    for (int k = 0; k <= job->start; k++) {
        int64_t n = frame[k].y1 ? crown_width(c, k, &frame[k]) : 0;
        if (n > most) most = n;
    }
    return c->slot / most < CROWN_TILE ? c->slot / most : CROWN_TILE;
}

/* Equal parts, as many as threads share evenly. */
static nigh_status cut(const crown_job *job, int64_t first, int64_t rows, const crown_frame *frame, bool even)
{
    int64_t most = most_rows(job, frame), parts = (rows + most - 1) / most, threads = job->c->threads;
    if (even) parts = (parts + threads - 1) / threads * threads;
    int64_t tile = (rows + parts - 1) / parts, each = job->ascent ? job->ascent->each : 1;
    if (each <= most) tile = (tile + each - 1) / each * each; /* an item's rows stay together */
    if (tile > most && each <= most) tile -= each;
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < rows && !status; i += tile) status = add_tile(job, first + i, rows - i < tile ? rows - i : tile, frame);
    return status;
}

/* Runs of rows whose elements lie in one block. */
static nigh_status cut_blocks(const crown_job *job)
{
    const crown *c = job->c;
    const crown_field *f = &c->node[job->start].field;
    nigh_status status = NIGH_OK;
    for (int64_t i = 0, end; i < job->rows && !status; i = end) {
        crown_frame frame = {0};
        int64_t by = -1, bx = -1;
        for (end = i; end < job->rows; end++) {
            int64_t place = c->unit_element[(job->ascent ? job->ascent->unit : 0) + crown_item(job, end)] / f->channels, y = place / f->width, x = place % f->width;
            if (end == i) by = y / job->side, bx = x / job->side, frame = (crown_frame){y, y + 1, x, x + 1};
            if (y / job->side != by || x / job->side != bx) break;
            if (y < frame.y0) frame.y0 = y;
            if (x < frame.x0) frame.x0 = x;
            if (y >= frame.y1) frame.y1 = y + 1;
            if (x >= frame.x1) frame.x1 = x + 1;
        }
        status = cut(job, i, end - i, &frame, false);
    }
    return status;
}

nigh_status crown_run(const crown_job *job)
{
    crown *c = job->c;
    if (!job->rows) return NIGH_OK;
    const crown_field *f = &c->node[job->start].field;
    crown_frame all = crown_full(c, job->start);
    c->tiles = 0;
    nigh_status status = job->want || f->height * f->width == 1 ? cut(job, 0, job->rows, &all, true) : cut_blocks(job);
    bool seen[CROWN_TILE + 1] = {false};
    for (int64_t t = 0; t < c->tiles && !status; t++) {
        if (seen[c->tile[t].rows]) continue;
        seen[c->tile[t].rows] = true;
        for (int k = 1; k <= job->start && !status; k++) status = crown_product(job->b, c, k, c->tile[t].rows);
    }
    if (status) return status;
    c->team = c->tiles < c->threads ? (int)c->tiles : c->threads;
    if (job->ascent && job->ascent->each > c->tile[0].rows) c->team = 1; /* derivatives of an item come from several tiles */
#pragma omp parallel for schedule(dynamic, 1) num_threads(c->team) if (c->team > 1)
    for (int64_t t = 0; t < c->tiles; t++) crown_walk(job, &c->tile[t], &c->scratch[this_thread()]);
    return NIGH_OK;
}
