/* Items for `nigh reduce select`: lines of sets, a graph, points. */
#include "cli/reduce_items.h"
#include "core/file.h"
#include "io/gzip.h"
#include "nigh/random.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words to numbers ------------------------------------------------------------------------------------------- */

/* Words numbered in the order in which they first come. */
typedef struct words {
    nigh_context *ctx;
    int64_t count, room, slots, *slot;
    char **word;
} words;

static uint64_t hash_of(const char *word)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *word; word++) h = (h ^ (unsigned char)*word) * 1099511628211u;
    return h ^ h >> 32;
}

/* The slot of the word, or the free one where it belongs. */
static int64_t slot_of(int64_t slots, const int64_t *slot, char *const *word, const char *wanted)
{
    int64_t at = (int64_t)(hash_of(wanted) & (uint64_t)(slots - 1));
    while (slot[at] >= 0 && strcmp(word[slot[at]], wanted) != 0) at = (at + 1) & (slots - 1);
    return at;
}

static nigh_status words_grow(words *w)
{
    if (w->count < w->room) return NIGH_OK;
    int64_t room = w->room ? 2 * w->room : 512, slots = 2 * room;
    char **word = nigh_resize(w->ctx, w->word, (size_t)room * sizeof *word);
    if (word) w->word = word;
    int64_t *slot = nigh_alloc(w->ctx, (size_t)slots * sizeof *slot);
    if (!word || !slot) {
        nigh_free(w->ctx, slot);
        return NIGH_MEMORY;
    }
    for (int64_t i = 0; i < slots; i++) slot[i] = -1;
    for (int64_t i = 0; i < w->count; i++) slot[slot_of(slots, slot, word, word[i])] = i;
    nigh_free(w->ctx, w->slot);
    w->slot = slot;
    w->slots = slots;
    w->room = room;
    return NIGH_OK;
}

/* Its number; a new one is *added. */
static nigh_status words_add(words *w, char *word, int64_t *number, bool *added)
{
    nigh_status status = words_grow(w);
    if (status) return status;
    int64_t at = slot_of(w->slots, w->slot, w->word, word);
    *added = w->slot[at] < 0;
    if (*added) {
        w->word[w->count] = word;
        w->slot[at] = w->count++;
    }
    *number = w->slot[at];
    return NIGH_OK;
}

static void words_end(words *w)
{
    nigh_free(w->ctx, w->word);
    nigh_free(w->ctx, w->slot);
}

/* ---- sets: "name element element ..." --------------------------------------------------------------------------- */

typedef struct growing {
    nigh_context *ctx;
    int64_t count, room, *at;
} growing;

static nigh_status grow(growing *g, int64_t value)
{
    if (g->count == g->room) {
        int64_t room = g->room ? 2 * g->room : 1024;
        int64_t *at = nigh_resize(g->ctx, g->at, (size_t)room * sizeof *at);
        if (!at) return NIGH_MEMORY;
        g->at = at;
        g->room = room;
    }
    g->at[g->count++] = value;
    return NIGH_OK;
}

typedef struct sets {
    words items, elements;
    growing start, element;
} sets;

static nigh_status take_line(sets *s, const char *path, char *line, long long number)
{
    char *rest = NULL;
    int64_t id;
    bool added;
    char *word = strtok_r(line, " \t\r,;", &rest);
    if (!word || *word == '#') return NIGH_OK;
    nigh_status status = words_add(&s->items, word, &id, &added);
    if (!status && !added) return nigh_fail(s->items.ctx, NIGH_FORMAT, "'%s' line %lld: item '%s' has a line already", path, number, word);
    if (!status) status = grow(&s->start, s->element.count);
    while (!status && (word = strtok_r(NULL, " \t\r,;", &rest))) {
        status = words_add(&s->elements, word, &id, &added);
        if (!status) status = grow(&s->element, id);
    }
    return status;
}

static nigh_status take_lines(sets *s, const char *path, char *text, size_t size)
{
    nigh_status status = NIGH_OK;
    long long number = 1;
    char *zero = memchr(text, 0, size);
    if (zero) return nigh_fail(s->items.ctx, NIGH_FORMAT, "'%s': byte %lld is 0; lines 'NAME ELEMENT ...' are allowed", path, (long long)(zero - text));
    for (char *line = text, *end; line < text + size && !status; line = end + 1, number++) {
        end = memchr(line, '\n', (size_t)(text + size - line));
        if (!end) end = text + size;
        *end = 0;
        status = take_line(s, path, line, number);
    }
    return status;
}

/* The file's bytes, unpacked when they are gzipped; they may be written to and end in a 0. */
static nigh_status read_text(nigh_context *ctx, const char *path, char **text, size_t *size)
{
    nigh_status status = nigh_file_read(ctx, path, (size_t)4 << 30, text, size);
    if (status || !nigh_io_is_gzip(*text, *size)) return status;
    nigh_buffer plain = {.ctx = ctx};
    status = nigh_io_gunzip(ctx, *text, *size, path, (uint64_t)4 << 30, &plain);
    if (!status) status = nigh_buffer_add(&plain, "", 0);
    nigh_free(ctx, *text);
    *text = plain.data;
    *size = plain.size;
    return status;
}

static nigh_status open_sets(items *it, const items_words *w)
{
    char *text = NULL;
    size_t size = 0;
    nigh_context *ctx = it->ctx;
    nigh_status status = read_text(ctx, it->path, &text, &size);
    it->text = text;
    if (status) return status;
    sets s = {{.ctx = ctx}, {.ctx = ctx}, {.ctx = ctx}, {.ctx = ctx}};
    status = take_lines(&s, it->path, text, size);
    if (!status && !s.items.count) status = nigh_fail(ctx, NIGH_FORMAT, "'%s' has no items; lines 'NAME ELEMENT ELEMENT ...' are allowed", it->path);
    if (!status) status = grow(&s.start, s.element.count);
    if (!status) status = grow(&s.element, 0);
    const nigh_coverage spec = {.items = s.items.count, .elements = s.elements.count ? s.elements.count : 1, .start = s.start.at, .element = s.element.at,
                                .times = w->times};
    if (!status) status = nigh_submodular_coverage(ctx, &spec, &it->f);
    snprintf(it->what, sizeof it->what, "coverage of %lld elements%s", (long long)s.elements.count, w->times > 1 ? ", counted repeatedly" : "");
    it->count = s.items.count;
    it->name = s.items.word;
    it->slot = s.items.slot;
    it->slots = s.items.slots;
    nigh_free(ctx, s.start.at);
    nigh_free(ctx, s.element.at);
    words_end(&s.elements);
    return status;
}

/* ---- graphs and points ------------------------------------------------------------------------------------------ */

static nigh_status open_graph(items *it, const items_words *w)
{
    nigh_edges edges = {0};
    nigh_status status = w->times > 1 ? nigh_fail(it->ctx, NIGH_INVALID, "--times is for files of sets, not for graphs") : NIGH_OK;
    if (!status) status = nigh_snap_read(it->ctx, it->path, &edges);
    if (!status) status = nigh_edges_compact(it->ctx, &edges, &it->count, &it->old);
    if (!status) status = nigh_submodular_graph(it->ctx, it->count, edges.count, edges.from, edges.to, !w->directed, &it->f);
    snprintf(it->what, sizeof it->what, "nodes reached, %s graph of %lld edges", w->directed ? "directed" : "undirected", (long long)edges.count);
    nigh_edges_free(it->ctx, &edges);
    return status;
}

static nigh_status read_points(nigh_context *ctx, const char *path, int64_t *n, int64_t *d, double **out)
{
    nigh_array array;
    nigh_status status = nigh_array_read(ctx, path, &array);
    if (status) return status;
    int64_t count = nigh_shape_count(&array.shape);
    double *x = NULL;
    if (array.shape.ndim < 1 || array.shape.ndim > 2 || count < 1)
        status = nigh_fail(ctx, NIGH_INVALID, "'%s' has %d dimensions and %lld numbers; points as rows are allowed", path, array.shape.ndim, (long long)count);
    else if (!(x = nigh_alloc(ctx, (size_t)count * sizeof *x))) status = NIGH_MEMORY;
    else status = nigh_array_to_f64(ctx, &array, x);
    if (status) {
        nigh_free(ctx, x);
    } else {
        *n = array.shape.dim[0];
        *d = array.shape.ndim == 2 ? array.shape.dim[1] : 1;
        *out = x;
    }
    nigh_array_free(ctx, &array);
    return status;
}

/* Half the root mean squared distance of random pairs. */
static double usual_width(const items *it, int64_t d)
{
    nigh_rng rng = nigh_rng_new(nigh_context_seed(it->ctx), 1);
    double sum = 0;
    for (int pair = 0; pair < 500; pair++) {
        const double *a = it->points + d * (int64_t)nigh_rng_below(&rng, (uint64_t)it->count), *b = it->points + d * (int64_t)nigh_rng_below(&rng, (uint64_t)it->count);
        for (int64_t j = 0; j < d; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    }
    return sum > 0 ? 0.5 * sqrt(sum / 500) : 1;
}

static nigh_status find_near(nigh_context *ctx, const char *word, nigh_nearness *near)
{
    static const char *const names[] = {"gaussian", "cone", "parabola"};
    for (int i = 0; i < 3; i++)
        if (strcmp(word, names[i]) == 0) {
            *near = (nigh_nearness)i;
            return NIGH_OK;
        }
    return nigh_fail(ctx, NIGH_INVALID, "--near is '%s'; gaussian, cone, parabola are allowed", word);
}

/* Who is served: a file, all points, or some of them when they are many. */
static nigh_status find_clients(items *it, const items_words *w, int64_t d, int64_t *count)
{
    enum { MOST = 2000 };
    int64_t columns = d, *row = NULL;
    nigh_status status = NIGH_OK;
    if (w->clients) {
        status = read_points(it->ctx, w->clients, count, &columns, &it->clients);
        if (!status && columns != d)
            status = nigh_fail(it->ctx, NIGH_INVALID, "'%s' has %lld columns, '%s' has %lld", w->clients, (long long)columns, it->path, (long long)d);
        return status;
    }
    *count = it->count;
    if (it->count <= MOST) return NIGH_OK;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(it->ctx), 2);
    *count = MOST;
    it->clients = nigh_alloc(it->ctx, (size_t)(MOST * d) * sizeof *it->clients);
    row = nigh_alloc(it->ctx, MOST * sizeof *row);
    status = it->clients && row ? nigh_rng_choose(it->ctx, &rng, it->count, MOST, row) : NIGH_MEMORY;
    for (int64_t i = 0; i < MOST && !status; i++) memcpy(it->clients + i * d, it->points + row[i] * d, (size_t)d * sizeof(double));
    nigh_free(it->ctx, row);
    return status;
}

static nigh_status open_points(items *it, const items_words *w, bool facility)
{
    int64_t d, clients = 0;
    nigh_nearness near = NIGH_NEAR_GAUSSIAN;
    nigh_status status = find_near(it->ctx, w->near, &near);
    if (!status) status = read_points(it->ctx, it->path, &it->count, &d, &it->points);
    if (status) return status;
    double width = w->width > 0 ? w->width : usual_width(it, d);
    if (facility) {
        status = find_clients(it, w, d, &clients);
        const nigh_facility spec = {.items = it->count, .clients = clients, .d = d, .points = it->points, .client = it->clients, .near = near, .width = width};
        snprintf(it->what, sizeof it->what, "facility location for %lld clients, %s of width %.6g", (long long)clients, w->near, width);
        return status ? status : nigh_submodular_facility(it->ctx, &spec, &it->f);
    }
    const nigh_logdet spec = {.items = it->count, .d = d, .points = it->points, .near = near, .width = width, .noise = w->noise};
    snprintf(it->what, sizeof it->what, "log-determinant, %s of width %.6g, noise %g", w->near, width, w->noise);
    return nigh_submodular_logdet(it->ctx, &spec, &it->f);
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

/* Single values tell one set of items from another well enough; they are computed once and not counted. */
static nigh_status fingerprint(items *it)
{
    nigh_sha256 hash;
    nigh_chain *chain = NULL;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, it->what);
    nigh_status status = nigh_chain_new(it->f, &chain);
    for (int64_t i = 0; i < it->count && !status; i++) {
        char room[24];
        double gain = 0;
        if (i % (1 + it->count / 1000) == 0) status = nigh_chain_gains(chain, 0, 1, &i, &gain);
        nigh_sha256_text(&hash, items_name(it, i, room));
        nigh_sha256_add(&hash, &gain, sizeof gain);
    }
    nigh_chain_free(chain);
    nigh_sha256_hex(&hash, it->hash);
    return status;
}

nigh_status items_open(nigh_context *ctx, const items_words *w, const char *path, items *out)
{
    items it = {.ctx = ctx, .path = path};
    bool coverage = strcmp(w->function, "coverage") == 0, facility = strcmp(w->function, "facility") == 0;
    nigh_status status = NIGH_OK;
    if (!coverage && !facility && strcmp(w->function, "logdet") != 0)
        status = nigh_fail(ctx, NIGH_INVALID, "--function is '%s'; coverage, facility, logdet are allowed", w->function);
    else if (!coverage && (w->graph || w->directed || w->times > 1)) status = nigh_fail(ctx, NIGH_INVALID, "--graph, --directed and --times are for --function coverage");
    else if (w->directed && !w->graph) status = nigh_fail(ctx, NIGH_INVALID, "--directed is for --graph");
    else if (!coverage) status = open_points(&it, w, facility);
    else status = w->graph ? open_graph(&it, w) : open_sets(&it, w);
    if (!status) status = fingerprint(&it);
    if (status) items_close(&it);
    else *out = it;
    return status;
}

void items_close(items *it)
{
    nigh_submodular_free(it->f);
    nigh_free(it->ctx, it->text);
    nigh_free(it->ctx, it->name);
    nigh_free(it->ctx, it->slot);
    nigh_free(it->ctx, it->old);
    nigh_free(it->ctx, it->points);
    nigh_free(it->ctx, it->clients);
}

int64_t items_find(const items *it, const char *word)
{
    char *end;
    if (it->name) return it->slot[slot_of(it->slots, it->slot, it->name, word)];
    errno = 0;
    long long number = strtoll(word, &end, 10);
    if (end == word || *end || errno) return -1;
    if (!it->old) return number >= 0 && number < it->count ? number : -1;
    int64_t low = 0, high = it->count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (it->old[middle] < number) low = middle + 1;
        else high = middle;
    }
    return low < it->count && it->old[low] == number ? low : -1;
}

const char *items_name(const items *it, int64_t item, char room[24])
{
    if (it->name) return it->name[item];
    snprintf(room, 24, "%lld", (long long)(it->old ? it->old[item] : item));
    return room;
}
