/* Real data sets by name, from the folder $NIGH_DATA. Declared in nigh/dataset.h. */
#include "core/words.h"
#include "io/gzip.h"
#include "io/stream.h"
#include "nigh/dataset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The path of a file of real data (nigh_free it), which is there. */
static nigh_status find_file(nigh_context *ctx, const char *file, const char *origin, char **path)
{
    const char *folder = getenv("NIGH_DATA");
    if (!folder || !*folder)
        return nigh_fail(ctx, NIGH_INVALID, "NIGH_DATA is not set; it names the folder of real data, in which %s (%s) is wanted", file, origin);
    char *full = nigh_format(ctx, "%s/%s", folder, file);
    if (!full) return NIGH_MEMORY;
    if (access(full, R_OK) == 0) return *path = full, NIGH_OK;
    nigh_status status = nigh_fail(ctx, NIGH_IO, "'%s': %s; it is %s", full, strerror(errno), origin);
    nigh_free(ctx, full);
    return status;
}

static nigh_status unknown(nigh_context *ctx, const char *what, const char *name, const char *const *names, int count)
{
    const char *best = NULL;
    for (int i = 0; i < count; i++) best = word_nearer(name, strlen(name), names[i], best);
    return nigh_fail(ctx, NIGH_INVALID, "there is no %s '%s'; '%s' is one", what, NIGH_IO_EXCERPT(name), best ? best : names[0]);
}

/* ---- tables and images ---- */

static const char digits_origin[] = "the test part of the UCI optical digits, as scikit-learn ships them (load_digits), label last";
static const char mnist_origin[] = "the MNIST test set (t10k), gzipped IDX";
static const char htru_origin[] = "the UCI data set HTRU2 as csv with a header, class last";

/* The table's last column as classes, the others times `factor` as x with this shape of a row. */
static nigh_status split_table(nigh_context *ctx, const nigh_table *t, const char *file, nigh_shape row, double factor, int64_t classes,
                               nigh_dataset *set)
{
    int64_t d = nigh_shape_count(&row);
    if (t->columns != d + 1)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' has %lld columns; %lld features and a class are expected", file, (long long)t->columns, (long long)d);
    nigh_shape shape = {.dtype = NIGH_F32, .ndim = row.ndim + 1, .dim = {t->rows}};
    memcpy(shape.dim + 1, row.dim, (size_t)row.ndim * sizeof *row.dim);
    nigh_status status = nigh_array_new(ctx, &shape, &set->x);
    if (!status) status = nigh_array_new(ctx, &(nigh_shape){NIGH_I32, 1, {t->rows}}, &set->y);
    for (int64_t i = 0; i < t->rows && !status; i++) {
        double label = t->values[i * (d + 1) + d];
        if (!(label >= 0) || label >= (double)classes || label != (double)(int32_t)label)
            return nigh_fail(ctx, NIGH_FORMAT, "'%s': row %lld has class %g; 0 to %lld are expected", file, (long long)i + 1, label, (long long)classes - 1);
        ((int32_t *)set->y.data)[i] = (int32_t)label;
        for (int64_t j = 0; j < d; j++) ((float *)set->x.data)[i * d + j] = (float)(t->values[i * (d + 1) + j] * factor);
    }
    set->classes = classes;
    return status;
}

static nigh_status load_table(nigh_context *ctx, const char *file, const char *origin, nigh_shape row, double factor, int64_t classes,
                              nigh_dataset *set)
{
    char *path = NULL;
    nigh_table table = {0};
    nigh_status status = find_file(ctx, file, origin, &path);
    if (!status) status = nigh_csv_read(ctx, path, NULL, &table);
    if (!status) status = split_table(ctx, &table, path, row, factor, classes, set);
    if (!status && table.names) {
        set->feature_names = nigh_alloc_zero(ctx, (size_t)table.columns - 1, sizeof *set->feature_names);
        if (!set->feature_names) status = NIGH_MEMORY;
        for (int64_t j = 0; j < table.columns - 1 && !status; j++) {
            set->feature_names[j] = table.names[j];
            table.names[j] = NULL;
        }
    }
    nigh_table_free(ctx, &table);
    nigh_free(ctx, path);
    return status;
}

static nigh_status load_digits(nigh_context *ctx, nigh_dataset *set)
{
    return load_table(ctx, "digits/digits.csv.gz", digits_origin, (nigh_shape){NIGH_F32, 3, {8, 8, 1}}, 1.0 / 16, 10, set);
}

static nigh_status load_htru(nigh_context *ctx, nigh_dataset *set)
{
    return load_table(ctx, "tables/HTRU_2.csv", htru_origin, (nigh_shape){NIGH_F32, 1, {8}}, 1, 2, set);
}

static nigh_status load_mnist(nigh_context *ctx, nigh_dataset *set)
{
    char *images = NULL, *labels = NULL;
    nigh_array x = {0}, y = {0};
    nigh_status status = find_file(ctx, "mnist/t10k-images-idx3-ubyte.gz", mnist_origin, &images);
    if (!status) status = find_file(ctx, "mnist/t10k-labels-idx1-ubyte.gz", mnist_origin, &labels);
    if (!status) status = nigh_idx_read(ctx, images, &x);
    if (!status) status = nigh_idx_read(ctx, labels, &y);
    int64_t n = x.shape.dim[0];
    if (!status && (x.shape.dtype != NIGH_U8 || x.shape.ndim != 3 || x.shape.dim[1] != 28 || x.shape.dim[2] != 28 || y.shape.dtype != NIGH_U8 ||
                    y.shape.ndim != 1 || y.shape.dim[0] != n))
        status = nigh_fail(ctx, NIGH_FORMAT, "'%s' and '%s': u8 [n, 28, 28] and u8 [n] are expected", images, labels);
    if (!status) status = nigh_array_new(ctx, &(nigh_shape){NIGH_F32, 4, {n, 28, 28, 1}}, &set->x);
    if (!status) status = nigh_array_new(ctx, &(nigh_shape){NIGH_I32, 1, {n}}, &set->y);
    for (int64_t i = 0; i < n && !status; i++) {
        uint8_t label = ((const uint8_t *)y.data)[i];
        if (label > 9) status = nigh_fail(ctx, NIGH_FORMAT, "'%s': label %lld is %d; 0 to 9 are expected", labels, (long long)i, label);
        ((int32_t *)set->y.data)[i] = label;
    }
    for (int64_t i = 0; i < 784 * n && !status; i++) ((float *)set->x.data)[i] = (float)((const uint8_t *)x.data)[i] / 255;
    set->classes = 10;
    nigh_array_free(ctx, &x);
    nigh_array_free(ctx, &y);
    nigh_free(ctx, images);
    nigh_free(ctx, labels);
    return status;
}

nigh_status nigh_dataset_load(nigh_context *ctx, const char *name, nigh_dataset *out)
{
    static const char *const names[] = {"digits", "mnist", "htru2"};
    static nigh_status (*const loaders[])(nigh_context *, nigh_dataset *) = {load_digits, load_mnist, load_htru};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        nigh_dataset set = {.ctx = ctx};
        nigh_status status = loaders[i](ctx, &set);
        if (!status && !(set.name = nigh_strdup(ctx, name))) status = NIGH_MEMORY;
        if (status)
            nigh_dataset_free(&set);
        else
            *out = set;
        return status;
    }
    return unknown(ctx, "data set", name, names, 3);
}

/* ---- graphs and texts ---- */

nigh_status nigh_graph_load(nigh_context *ctx, const char *name, nigh_edges *out)
{
    static const char *const names[] = {"ego-facebook"};
    if (strcmp(name, names[0]) != 0) return unknown(ctx, "graph", name, names, 1);
    char *path = NULL;
    nigh_status status = find_file(ctx, "graphs/ego_facebook.txt", "ego-Facebook of SNAP (the Stanford network collection), edges as text", &path);
    if (!status) status = nigh_snap_read(ctx, path, out);
    nigh_free(ctx, path);
    return status;
}

nigh_status nigh_text_load(nigh_context *ctx, const char *name, nigh_buffer *out)
{
    static const char *const names[] = {"tinyshakespeare"};
    if (strcmp(name, names[0]) != 0) return unknown(ctx, "text", name, names, 1);
    char *path = NULL;
    nigh_status status = find_file(ctx, "text/tinyshakespeare.txt", "input.txt of karpathy/char-rnn (data/tinyshakespeare)", &path);
    if (!status) status = nigh_io_read_all(ctx, path, out);
    nigh_free(ctx, path);
    return status;
}

/* ---- descriptions ---- */

typedef struct tsv {
    nigh_context *ctx;
    const char *name, *text;
    size_t size;
    nigh_texts t;
    char **section; /* [count], in the arena */
} tsv;

void nigh_texts_free(nigh_texts *texts)
{
    nigh_arena_free(texts->arena);
    *texts = (nigh_texts){0};
}

static char *copy_field(nigh_arena *arena, const char *from, size_t size)
{
    char *copy = nigh_arena_alloc(arena, size + 1);
    if (!copy) return NULL;
    memcpy(copy, from, size);
    copy[size] = 0;
    return copy;
}

/* "title TAB section TAB text" */
static nigh_status take_line(tsv *f, const char *line, size_t size, int64_t number)
{
    const char *tab = memchr(line, '\t', size), *end = line + size;
    const char *second = tab ? memchr(tab + 1, '\t', (size_t)(end - tab - 1)) : NULL;
    if (!second || memchr(second + 1, '\t', (size_t)(end - second - 1)))
        return nigh_fail(f->ctx, NIGH_FORMAT, "'%s': line %lld: three fields with tabs between are expected", f->name, (long long)number);
    if (memchr(line, 0, size) || !nigh_io_is_utf8(line, size))
        return nigh_fail(f->ctx, NIGH_FORMAT, "'%s': line %lld is not UTF-8 text", f->name, (long long)number);
    int64_t i = f->t.count++;
    f->t.title[i] = copy_field(f->t.arena, line, (size_t)(tab - line));
    f->section[i] = copy_field(f->t.arena, tab + 1, (size_t)(second - tab - 1));
    f->t.text[i] = copy_field(f->t.arena, second + 1, (size_t)(end - second - 1));
    return f->t.title[i] && f->section[i] && f->t.text[i] ? NIGH_OK : NIGH_MEMORY;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static nigh_status number_sections(tsv *f)
{
    nigh_texts *t = &f->t;
    char **sorted = nigh_arena_alloc_zero(t->arena, (size_t)t->count + 1, sizeof *sorted);
    if (!sorted) return NIGH_MEMORY;
    memcpy(sorted, f->section, (size_t)t->count * sizeof *sorted);
    if (t->count) qsort(sorted, (size_t)t->count, sizeof *sorted, by_text);
    for (int64_t i = 0; i < t->count; i++)
        if (i == 0 || strcmp(sorted[i], sorted[t->classes - 1]) != 0) sorted[t->classes++] = sorted[i];
    t->class_names = sorted;
    for (int64_t i = 0; i < t->count; i++) {
        char **at = bsearch(&f->section[i], sorted, (size_t)t->classes, sizeof *sorted, by_text);
        t->label[i] = (int32_t)(at - sorted);
    }
    return NIGH_OK;
}

static nigh_status take_lines(tsv *f)
{
    size_t lines = 1;
    for (size_t i = 0; i < f->size; i++) lines += f->text[i] == '\n';
    if (lines > INT32_MAX) return nigh_fail(f->ctx, NIGH_RESOURCE, "'%s' has %zu lines; 2^31 - 1 are allowed", f->name, lines);
    nigh_texts *t = &f->t;
    t->title = nigh_arena_alloc_zero(t->arena, lines, sizeof *t->title);
    t->text = nigh_arena_alloc_zero(t->arena, lines, sizeof *t->text);
    t->label = nigh_arena_alloc_zero(t->arena, lines, sizeof *t->label);
    f->section = nigh_arena_alloc_zero(t->arena, lines, sizeof *f->section);
    if (!t->title || !t->text || !t->label || !f->section) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    int64_t number = 1;
    for (size_t at = 0; at < f->size && !status; number++) {
        const char *line = f->text + at, *end = memchr(line, '\n', f->size - at);
        size_t size = end ? (size_t)(end - line) : f->size - at;
        at += size + 1;
        if (size && line[size - 1] == '\r') size--;
        if (size) status = take_line(f, line, size, number);
        if (!status && number % 4096 == 0) status = nigh_poll(f->ctx);
    }
    if (!status && t->count == 0) status = nigh_fail(f->ctx, NIGH_FORMAT, "'%s' has no lines", f->name);
    return status ? status : number_sections(f);
}

nigh_status nigh_texts_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_texts *out)
{
    nigh_buffer room = {.ctx = ctx};
    tsv f = {.ctx = ctx, .name = name};
    nigh_status status = nigh_io_plain(ctx, bytes, size, name, 0, &room, &f.text, &f.size);
    if (!status) status = nigh_arena_new(ctx, &f.t.arena);
    if (!status) status = take_lines(&f);
    nigh_buffer_free(&room);
    if (status)
        nigh_texts_free(&f.t);
    else
        *out = f.t;
    return status;
}

nigh_status nigh_texts_load(nigh_context *ctx, const char *name, nigh_texts *out)
{
    static const char *const names[] = {"debian-descriptions"};
    if (strcmp(name, names[0]) != 0) return unknown(ctx, "collection of texts", name, names, 1);
    char *path = NULL;
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = find_file(ctx, "text/debian-descriptions.tsv.gz", "names, sections and descriptions from Debian's package index, gzipped", &path);
    if (!status) status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_texts_parse(ctx, file.data, file.size, path, out);
    nigh_buffer_free(&file);
    nigh_free(ctx, path);
    return status;
}
