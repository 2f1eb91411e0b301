/* Data sets: copies of rows, hash, splits, duplicates. Declared in nigh/dataset.h. */
#include "nigh/dataset.h"

#include "nigh/random.h"

#include <stdlib.h>
#include <string.h>

static void names_free(nigh_context *ctx, char **names, int64_t count)
{
    for (int64_t i = 0; names && i < count; i++) nigh_free(ctx, names[i]);
    nigh_free(ctx, names);
}

void nigh_dataset_free(nigh_dataset *set)
{
    if (!set) return;
    nigh_context *ctx = set->ctx;
    names_free(ctx, set->feature_names, nigh_dataset_features(set));
    names_free(ctx, set->class_names, set->classes);
    nigh_free(ctx, set->name);
    nigh_array_free(ctx, &set->x);
    nigh_array_free(ctx, &set->y);
    *set = (nigh_dataset){.ctx = ctx};
}

int64_t nigh_dataset_rows(const nigh_dataset *set) { return set->x.shape.ndim ? set->x.shape.dim[0] : 0; }

static int64_t row_count(const nigh_array *array)
{
    int64_t n = 1;
    for (int i = 1; i < array->shape.ndim; i++) n *= array->shape.dim[i];
    return n;
}

int64_t nigh_dataset_features(const nigh_dataset *set) { return set->x.shape.ndim ? row_count(&set->x) : 0; }

static size_t row_bytes(const nigh_array *array) { return (size_t)row_count(array) * nigh_dtype_size(array->shape.dtype); }

static nigh_status names_copy(nigh_context *ctx, char *const *names, int64_t count, char ***out)
{
    if (!names) return NIGH_OK;
    *out = nigh_alloc_zero(ctx, (size_t)count, sizeof **out);
    if (!*out) return NIGH_MEMORY;
    for (int64_t i = 0; i < count; i++)
        if (!((*out)[i] = nigh_strdup(ctx, names[i]))) return NIGH_MEMORY;
    return NIGH_OK;
}

static nigh_status rows_copy(nigh_context *ctx, const nigh_array *from, const int64_t *index, int64_t count, nigh_array *out)
{
    if (!from->data) return NIGH_OK;
    nigh_shape shape = from->shape;
    shape.dim[0] = count;
    nigh_status status = nigh_array_new(ctx, &shape, out);
    size_t size = row_bytes(from);
    for (int64_t i = 0; i < count && !status && size; i++)
        memcpy((char *)out->data + (size_t)i * size, (const char *)from->data + (size_t)index[i] * size, size);
    return status;
}

nigh_status nigh_dataset_take(nigh_context *ctx, const nigh_dataset *set, const int64_t *index, int64_t count, nigh_dataset *out)
{
    int64_t rows = nigh_dataset_rows(set);
    if (count < 0) return nigh_fail(ctx, NIGH_INVALID, "count is %lld; 0 or more rows can be taken", (long long)count);
    for (int64_t i = 0; i < count; i++)
        if (index[i] < 0 || index[i] >= rows)
            return nigh_fail(ctx, NIGH_INVALID, "index[%lld] is row %lld; 0 to %lld are allowed", (long long)i, (long long)index[i], (long long)rows - 1);
    nigh_dataset made = {.ctx = ctx, .classes = set->classes};
    nigh_status status = rows_copy(ctx, &set->x, index, count, &made.x);
    if (!status) status = rows_copy(ctx, &set->y, index, count, &made.y);
    if (!status && set->name && !(made.name = nigh_strdup(ctx, set->name))) status = NIGH_MEMORY;
    if (!status) status = names_copy(ctx, set->feature_names, nigh_dataset_features(set), &made.feature_names);
    if (!status) status = names_copy(ctx, set->class_names, set->classes, &made.class_names);
    if (status)
        nigh_dataset_free(&made);
    else
        *out = made;
    return status;
}

static void hash_array(nigh_sha256 *hash, const nigh_array *array)
{
    if (!array->data) return nigh_sha256_text(hash, "none");
    nigh_sha256_text(hash, nigh_dtype_name(array->shape.dtype));
    nigh_sha256_add(hash, &(int64_t){array->shape.ndim}, sizeof(int64_t));
    nigh_sha256_add(hash, array->shape.dim, (size_t)array->shape.ndim * sizeof(int64_t));
    nigh_sha256_add(hash, array->data, (size_t)nigh_shape_count(&array->shape) * nigh_dtype_size(array->shape.dtype));
}

void nigh_dataset_hash(const nigh_dataset *set, char out[65])
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, "nigh data set");
    nigh_sha256_add(&hash, &set->classes, sizeof set->classes);
    hash_array(&hash, &set->x);
    hash_array(&hash, &set->y);
    nigh_sha256_hex(&hash, out);
}

/* ---- splitting ---- */

static nigh_status check_split(nigh_context *ctx, const nigh_dataset *set, const nigh_split_options *o)
{
    int64_t rows = nigh_dataset_rows(set);
    if (o->train < 0 || o->validation < 0 || o->test < 0 || o->train > rows || o->validation > rows - o->train ||
        o->test > rows - o->train - o->validation)
        return nigh_fail(ctx, NIGH_INVALID, "a split into %lld, %lld and %lld rows; each must be 0 or more, together at most the %lld that there are",
                         (long long)o->train, (long long)o->validation, (long long)o->test, (long long)rows);
    if (!o->stratified) return NIGH_OK;
    if (set->classes < 1 || !set->y.data || set->y.shape.dtype != NIGH_I32)
        return nigh_fail(ctx, NIGH_INVALID, "a stratified split needs classes; this data set has none");
    for (int64_t i = 0; i < rows; i++) {
        int32_t label = ((const int32_t *)set->y.data)[i];
        if (label < 0 || label >= set->classes)
            return nigh_fail(ctx, NIGH_INVALID, "row %lld has class %d; 0 to %lld are allowed", (long long)i, (int)label, (long long)set->classes - 1);
    }
    return NIGH_OK;
}

typedef struct keyed {
    double key;
    int64_t place; /* in the random order: breaks ties */
    int64_t row;
} keyed;

static int by_key(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/*
 * Systematic order: row number r (of n, in random order) of a class gets the key (r + 1/2) / n; sorted by key, every stretch of the
 * order holds the classes in proportion.
 */
static nigh_status spread_classes(nigh_context *ctx, const nigh_dataset *set, int64_t *order)
{
    int64_t rows = nigh_dataset_rows(set);
    const int32_t *label = set->y.data;
    keyed *keys = nigh_alloc_zero(ctx, (size_t)rows, sizeof *keys);
    int64_t *total = nigh_alloc_zero(ctx, 2 * (size_t)set->classes, sizeof *total), *seen = total ? total + set->classes : NULL;
    nigh_status status = keys && total ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < rows && !status; i++) total[label[i]]++;
    for (int64_t i = 0; i < rows && !status; i++) {
        int32_t c = label[order[i]];
        keys[i] = (keyed){((double)seen[c]++ + 0.5) / (double)total[c], i, order[i]};
    }
    if (!status && rows) qsort(keys, (size_t)rows, sizeof *keys, by_key);
    for (int64_t i = 0; i < rows && !status; i++) order[i] = keys[i].row;
    nigh_free(ctx, keys);
    nigh_free(ctx, total);
    return status;
}

static void shuffle(nigh_rng *rng, int64_t *index, int64_t count)
{
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)nigh_rng_below(rng, (uint64_t)i + 1), kept = index[i];
        index[i] = index[j];
        index[j] = kept;
    }
}

nigh_status nigh_dataset_split(nigh_context *ctx, const nigh_dataset *set, const nigh_split_options *options, nigh_split *out)
{
    nigh_status status = check_split(ctx, set, options);
    if (status) return status;
    int64_t rows = nigh_dataset_rows(set);
    int64_t *order = nigh_alloc_zero(ctx, (size_t)rows + 1, sizeof *order);
    if (!order) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(options->seed, 0x5d1175);
    status = nigh_rng_permutation(ctx, &rng, rows, order);
    if (!status && options->stratified) status = spread_classes(ctx, set, order);
    if (status) return nigh_free(ctx, order), status;
    nigh_split split = {options->train, options->validation, options->test, order, order + options->train,
                        order + options->train + options->validation};
    shuffle(&rng, split.train, split.train_count);
    shuffle(&rng, split.validation, split.validation_count);
    shuffle(&rng, split.test, split.test_count);
    *out = split;
    return NIGH_OK;
}

void nigh_split_free(nigh_context *ctx, nigh_split *split)
{
    nigh_free(ctx, split->train);
    *split = (nigh_split){0};
}

/* ---- duplicates ---- */

typedef struct hashed {
    uint64_t hash;
    int64_t row;
    int part; /* 0 train, 1 validation, 2 test */
    const unsigned char *bytes;
    size_t size;
} hashed;

static uint64_t hash_row(const unsigned char *p, size_t size)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ size, word;
    for (size_t i = 0; i < size; i += 8) {
        word = 0;
        memcpy(&word, p + i, size - i < 8 ? size - i : 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static int by_content(const void *a, const void *b)
{
    const hashed *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    int order = memcmp(x->bytes, y->bytes, x->size);
    if (order) return order;
    if (x->part != y->part) return x->part - y->part;
    return (x->row > y->row) - (x->row < y->row);
}

static void count_group(const nigh_dataset *set, const hashed *group, int64_t size, nigh_duplicates *d)
{
    size_t label_bytes = set->y.data ? row_bytes(&set->y) : 0;
    const char *y = set->y.data;
    for (int64_t i = 1; i < size; i++) {
        const hashed *g = &group[i];
        d->inside += g->part == g[-1].part;
        if (g->part == group[0].part) continue;
        d->across++;
        int64_t low = g->row < group[0].row ? g->row : group[0].row, high = g->row + group[0].row - low;
        if (d->first >= 0 && (d->first < low || (d->first == low && d->second < high))) continue;
        d->first = low;
        d->second = high;
    }
    bool conflict = false;
    for (int64_t i = 1; i < size && label_bytes; i++)
        conflict |= memcmp(y + (size_t)group[i].row * label_bytes, y + (size_t)group[0].row * label_bytes, label_bytes) != 0;
    if (conflict) d->conflicting += size;
}

nigh_status nigh_dataset_duplicates(nigh_context *ctx, const nigh_dataset *set, const nigh_split *split, nigh_duplicates *out)
{
    const int64_t *parts[3] = {split->train, split->validation, split->test};
    const int64_t counts[3] = {split->train_count, split->validation_count, split->test_count};
    int64_t n = 0, rows = nigh_dataset_rows(set), total = counts[0] + counts[1] + counts[2];
    size_t size = row_bytes(&set->x);
    nigh_duplicates found = {.first = -1, .second = -1};
    hashed *all = nigh_alloc_zero(ctx, (size_t)total, sizeof *all);
    if (!all) return NIGH_MEMORY;
    for (int part = 0; part < 3; part++)
        for (int64_t i = 0; i < counts[part]; i++) {
            int64_t row = parts[part][i];
            if (row < 0 || row >= rows) {
                nigh_free(ctx, all);
                return nigh_fail(ctx, NIGH_INVALID, "the split names row %lld; 0 to %lld are allowed", (long long)row, (long long)rows - 1);
            }
            const unsigned char *bytes = (const unsigned char *)set->x.data + (size_t)row * size;
            all[n++] = (hashed){hash_row(bytes, size), row, part, bytes, size};
        }
    if (n) qsort(all, (size_t)n, sizeof *all, by_content);
    for (int64_t start = 0, end; start < n; start = end) {
        for (end = start + 1; end < n && all[end].hash == all[start].hash && memcmp(all[end].bytes, all[start].bytes, size) == 0;) end++;
        count_group(set, all + start, end - start, &found);
    }
    nigh_free(ctx, all);
    *out = found;
    return NIGH_OK;
}
