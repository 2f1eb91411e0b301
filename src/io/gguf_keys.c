/* Keys of GGUF files: single values and lists, widened. Also the index of names. */
#include "io/gguf.h"
#include "io/stream.h"

#include <string.h>

const unsigned char gguf_type_bytes[GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
const char *const gguf_type_name[GGUF_TYPES] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "a boolean", "a string", "a list", "u64", "i64", "f64"};

/* ---- names ---- */

static uint64_t hash_of(const char *name) /* FNV-1a */
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

nigh_status gguf_index_new(nigh_context *ctx, int64_t expected, gguf_index *index) { return map_new(ctx, expected, &index->first); }

void gguf_index_free(gguf_index *index)
{
    if (!index->first.ctx) return;
    nigh_free(index->first.ctx, index->next);
    nigh_free(index->first.ctx, index->name);
    map_free(&index->first);
}

int64_t gguf_index_find(const gguf_index *index, const char *name)
{
    const uint64_t *first = index->first.ctx ? map_find(&index->first, hash_of(name)) : NULL;
    int64_t i = first ? (int64_t)*first - 1 : -1;
    while (i >= 0 && strcmp(index->name[i], name) != 0) i = index->next[i];
    return i;
}

nigh_status gguf_index_add(gguf_index *index, const char *name)
{
    nigh_context *ctx = index->first.ctx;
    if (index->count == index->room) {
        int64_t room = index->room ? 2 * index->room : 64;
        int64_t *next = nigh_resize(ctx, index->next, (size_t)room * sizeof *next);
        if (!next) return NIGH_MEMORY;
        index->next = next;
        const char **names = nigh_resize(ctx, index->name, (size_t)room * sizeof *names);
        if (!names) return NIGH_MEMORY;
        index->name = names;
        index->room = room;
    }
    uint64_t *first;
    bool added;
    nigh_status status = map_add(&index->first, hash_of(name), &first, &added);
    if (status) return status;
    index->next[index->count] = (int64_t)*first - 1;
    index->name[index->count] = name;
    *first = (uint64_t)++index->count;
    return NIGH_OK;
}

/* ---- values ---- */

uint64_t gguf_word(const unsigned char *at, int bytes)
{
    uint64_t u = 0;
    memcpy(&u, at, (size_t)bytes);
    return u;
}

bool gguf_whole(gguf_type type, const unsigned char *at, int64_t *value, bool *large)
{
    *large = false;
    switch (type) {
    case GGUF_U8: case GGUF_U16: case GGUF_U32: *value = (int64_t)gguf_word(at, gguf_type_bytes[type]); return true;
    case GGUF_I8: *value = (int8_t)*at; return true;
    case GGUF_I16: *value = (int16_t)gguf_word(at, 2); return true;
    case GGUF_I32: *value = (int32_t)gguf_word(at, 4); return true;
    case GGUF_I64: *value = (int64_t)gguf_word(at, 8); return true;
    case GGUF_U64:
        *large = gguf_word(at, 8) > INT64_MAX;
        *value = *large ? INT64_MAX : (int64_t)gguf_word(at, 8);
        return true;
    default: return false;
    }
}

double gguf_real(gguf_type type, const unsigned char *at)
{
    float single;
    double whole;
    memcpy(&single, at, sizeof single);
    if (type == GGUF_F32) return (double)single;
    memcpy(&whole, at, sizeof whole);
    return whole;
}

bool nigh_gguf_has(const nigh_gguf *file, const char *key) { return gguf_index_find(&file->key_index, key) >= 0; }
int64_t nigh_gguf_key_count(const nigh_gguf *file) { return file->key_index.count; }

static bool is_real(gguf_type type) { return type == GGUF_F32 || type == GGUF_F64; }

const char *nigh_gguf_key_at(const nigh_gguf *file, int64_t i, nigh_gguf_kind *kind)
{
    gguf_type t = file->keys[i].type;
    if (kind)
        *kind = t == GGUF_LIST ? NIGH_GGUF_ARRAY : t == GGUF_STRING ? NIGH_GGUF_TEXT : t == GGUF_BOOL ? NIGH_GGUF_BOOL : is_real(t) ? NIGH_GGUF_REAL : NIGH_GGUF_INTEGER;
    return file->keys[i].name;
}

/* *out NULL: absent, and that is allowed. */
static nigh_status look(const nigh_gguf *file, const char *key, bool required, gguf_key **out)
{
    int64_t i = gguf_index_find(&file->key_index, key);
    if (i < 0 && required) return nigh_fail(file->ctx, NIGH_FORMAT, "'%s' lacks the key '%s'", file->path, key);
    *out = i < 0 ? NULL : &file->keys[i];
    return NIGH_OK;
}

static nigh_status wrong(const nigh_gguf *file, const gguf_key *key, const char *wanted)
{
    bool list = key->type == GGUF_LIST;
    return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': key '%s' is %s%s; %s is allowed", file->path, key->name, list ? "a list of " : "",
                     list ? key->item == GGUF_STRING ? "strings" : gguf_type_name[key->item] : gguf_type_name[key->type], wanted);
}

nigh_status nigh_gguf_integer(const nigh_gguf *file, const char *name, bool required, int64_t low, int64_t high, int64_t *value)
{
    gguf_key *key = NULL;
    int64_t whole;
    bool large;
    nigh_status status = look(file, name, required, &key);
    if (status || !key) return status;
    if (!gguf_whole(key->type, file->bytes + key->at, &whole, &large)) return wrong(file, key, "a whole number");
    if (large || whole < low || whole > high)
        return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': key '%s' is %s%lld; %lld to %lld are allowed", file->path, name, large ? "above " : "", (long long)whole,
                         (long long)low, (long long)high);
    *value = whole;
    return NIGH_OK;
}

nigh_status nigh_gguf_real(const nigh_gguf *file, const char *name, bool required, double low, double high, double *value)
{
    gguf_key *key = NULL;
    int64_t whole;
    bool large;
    nigh_status status = look(file, name, required, &key);
    if (status || !key) return status;
    const unsigned char *at = file->bytes + key->at;
    double real;
    if (is_real(key->type)) real = gguf_real(key->type, at);
    else if (gguf_whole(key->type, at, &whole, &large)) real = large ? (double)gguf_word(at, 8) : (double)whole;
    else return wrong(file, key, "a number");
    if (!(real >= low && real <= high))
        return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': key '%s' is %g; %g to %g are allowed", file->path, name, real, low, high);
    *value = real;
    return NIGH_OK;
}

nigh_status nigh_gguf_bool(const nigh_gguf *file, const char *name, bool required, bool *value)
{
    gguf_key *key = NULL;
    nigh_status status = look(file, name, required, &key);
    if (status || !key) return status;
    if (key->type != GGUF_BOOL) return wrong(file, key, "a boolean");
    *value = file->bytes[key->at];
    return NIGH_OK;
}

nigh_status nigh_gguf_text(const nigh_gguf *file, const char *name, bool required, const char **text, size_t *size)
{
    gguf_key *key = NULL;
    nigh_status status = look(file, name, required, &key);
    if (status || !key) return status;
    if (key->type != GGUF_STRING) return wrong(file, key, "a string");
    *text = key->wide;
    if (size) *size = (size_t)key->count;
    return NIGH_OK;
}

/* ---- lists ---- */

/* Room for the elements of a list that is wanted for the first time; *fill NULL: it is there already, or there is no list. */
static nigh_status list_of(nigh_gguf *file, const char *name, bool required, size_t each, gguf_key **key, void **fill)
{
    *fill = NULL;
    nigh_status status = look(file, name, required, key);
    if (status || !*key) return status;
    if ((*key)->type != GGUF_LIST) return wrong(file, *key, "a list");
    if ((*key)->wide) return NIGH_OK;
    *fill = nigh_arena_alloc_zero(file->arena, (size_t)(*key)->count + 1, each);
    return *fill ? NIGH_OK : NIGH_MEMORY;
}

nigh_status nigh_gguf_integers(nigh_gguf *file, const char *name, bool required, const int64_t **values, int64_t *count)
{
    gguf_key *key = NULL;
    void *fill;
    int64_t whole;
    bool large = false;
    nigh_status status = list_of(file, name, required, sizeof whole, &key, &fill);
    if (status) return status;
    if (key && (key->item == GGUF_STRING || is_real(key->item))) return wrong(file, key, "a list of whole numbers");
    const unsigned char *at = key ? file->bytes + key->at : NULL;
    for (int64_t i = 0; fill && i < key->count; i++, at += gguf_type_bytes[key->item]) {
        if (key->item == GGUF_BOOL) whole = *at != 0;
        else gguf_whole(key->item, at, &whole, &large);
        if (large) return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': key '%s': element %lld is above %lld", file->path, name, (long long)i, (long long)INT64_MAX);
        ((int64_t *)fill)[i] = whole;
    }
    if (fill) key->wide = fill;
    *values = key ? key->wide : NULL;
    *count = key ? key->count : 0;
    return NIGH_OK;
}

nigh_status nigh_gguf_reals(nigh_gguf *file, const char *name, bool required, const float **values, int64_t *count)
{
    gguf_key *key = NULL;
    void *fill;
    nigh_status status = list_of(file, name, required, sizeof **values, &key, &fill);
    if (status) return status;
    if (key && !is_real(key->item)) return wrong(file, key, "a list of f32 or f64");
    const unsigned char *at = key ? file->bytes + key->at : NULL;
    for (int64_t i = 0; fill && i < key->count; i++, at += gguf_type_bytes[key->item]) ((float *)fill)[i] = (float)gguf_real(key->item, at);
    if (fill) key->wide = fill;
    *values = key ? key->wide : NULL;
    *count = key ? key->count : 0;
    return NIGH_OK;
}

nigh_status nigh_gguf_texts(nigh_gguf *file, const char *name, bool required, const nigh_gguf_string **texts, int64_t *count)
{
    gguf_key *key = NULL;
    void *fill;
    nigh_status status = list_of(file, name, required, sizeof **texts, &key, &fill);
    if (status) return status;
    if (key && key->item != GGUF_STRING) return wrong(file, key, "a list of strings");
    const unsigned char *at = key ? file->bytes + key->at : NULL;
    for (int64_t i = 0; fill && i < key->count; i++) {
        size_t size = (size_t)gguf_word(at, 8);
        ((nigh_gguf_string *)fill)[i] = (nigh_gguf_string){(const char *)at + 8, size};
        at += 8 + size;
    }
    if (fill) key->wide = fill;
    *texts = key ? key->wide : NULL;
    *count = key ? key->count : 0;
    return NIGH_OK;
}
