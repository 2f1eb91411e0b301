/* Files as sequences of symbols. */
#include "cli/symbols.h"
#include "core/file.h"
#include "nigh/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const symbols_kind_names[SYMBOLS_KINDS] = {"auto", "bytes", "u16", "u32", "npy", "words", "lines"};

/* ---- words -------------------------------------------------------------------------------------------------------- */

typedef struct word {
    const char *text;
    size_t size;
    uint32_t number;
} word;

struct symbols_dictionary {
    nigh_context *ctx;
    word *places; /* [2^bits], open addressing; text NULL: free */
    int bits;
    uint32_t count;
};

nigh_status symbols_dictionary_new(nigh_context *ctx, symbols_dictionary **out)
{
    symbols_dictionary *d = nigh_alloc_zero(ctx, 1, sizeof *d);
    if (!d) return NIGH_MEMORY;
    *d = (symbols_dictionary){.ctx = ctx, .bits = 10, .places = nigh_alloc_zero(ctx, 1 << 10, sizeof(word))};
    if (!d->places) {
        nigh_free(ctx, d);
        return NIGH_MEMORY;
    }
    *out = d;
    return NIGH_OK;
}

void symbols_dictionary_free(symbols_dictionary *d)
{
    if (!d) return;
    nigh_free(d->ctx, d->places);
    nigh_free(d->ctx, d);
}

static word *place_of(const symbols_dictionary *d, const char *text, size_t size)
{
    uint64_t hash = 0xCBF29CE484222325u, mask = ((uint64_t)1 << d->bits) - 1;
    for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)text[i]) * 0x100000001B3u;
    for (uint64_t at = (hash ^ hash >> 32) & mask;; at = (at + 1) & mask) {
        word *w = &d->places[at];
        if (!w->text || (w->size == size && memcmp(w->text, text, size) == 0)) return w;
    }
}

static nigh_status number_of(symbols_dictionary *d, const char *text, size_t size, uint32_t *number)
{
    if ((uint64_t)d->count * 2 >= (uint64_t)1 << d->bits) {
        symbols_dictionary larger = {.ctx = d->ctx, .bits = d->bits + 2, .count = d->count};
        larger.places = nigh_alloc_zero(d->ctx, (size_t)1 << larger.bits, sizeof(word));
        if (!larger.places) return NIGH_MEMORY;
        for (uint64_t i = 0; i < (uint64_t)1 << d->bits; i++)
            if (d->places[i].text) *place_of(&larger, d->places[i].text, d->places[i].size) = d->places[i];
        nigh_free(d->ctx, d->places);
        *d = larger;
    }
    word *w = place_of(d, text, size);
    if (!w->text) *w = (word){text, size, d->count++};
    *number = w->number;
    return NIGH_OK;
}

static bool blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

/* Words between blanks, or lines without their ends (a last line may lack its own). */
static nigh_status split(nigh_context *ctx, const char *text, size_t size, bool lines, symbols_dictionary *dictionary, symbols_file *file)
{
    nigh_buffer numbers = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < size && !status;) {
        while (!lines && i < size && blank(text[i])) i++;
        size_t begin = i, end;
        while (i < size && (lines ? text[i] != '\n' : !blank(text[i]))) i++;
        end = i;
        if (lines && end > begin && text[end - 1] == '\r') end--;
        if (!lines && end == begin) break;
        i++;
        uint32_t number = 0;
        status = number_of(dictionary, text + begin, end - begin, &number);
        if (!status) status = nigh_buffer_add(&numbers, &number, sizeof number);
    }
    if (!status) { /* the text stays: the dictionary points into it */
        char *both = nigh_alloc(ctx, numbers.size + 64);
        if (!both) status = NIGH_MEMORY;
        else {
            if (numbers.size) memcpy(both, numbers.data, numbers.size);
            file->view = (nigh_symbols){NIGH_U32, (int64_t)(numbers.size / sizeof(uint32_t)), both};
            file->owned = both;
        }
    }
    nigh_buffer_free(&numbers);
    return status;
}

/* ---- bytes -------------------------------------------------------------------------------------------------------- */

static nigh_status view_of(nigh_context *ctx, const char *path, symbols_kind kind, const char *data, size_t size, symbols_dictionary *dictionary,
                           symbols_file *file)
{
    if (kind >= SYMBOLS_WORDS) return split(ctx, data, size, kind == SYMBOLS_LINES, dictionary, file);
    size_t width = kind == SYMBOLS_U16 ? 2 : kind == SYMBOLS_U32 ? 4 : 1;
    if (size % width)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' has %zu bytes; --symbols %s takes whole symbols of %zu bytes, and byte %zu begins one that is cut", path, size,
                         symbols_kind_names[kind], width, size / width * width);
    file->view = (nigh_symbols){kind == SYMBOLS_U16 ? NIGH_U16 : kind == SYMBOLS_U32 ? NIGH_U32 : NIGH_U8, (int64_t)(size / width), data};
    return NIGH_OK;
}

static bool map(const char *path, symbols_file *file)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0;
    if (good) {
        void *at = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        good = at != MAP_FAILED;
        if (good) file->mapped = at, file->bytes = (size_t)about.st_size;
    }
    if (fd >= 0) close(fd);
    return good;
}

static nigh_status open_npy(nigh_context *ctx, const char *path, symbols_file *file)
{
    nigh_array array;
    nigh_status status = nigh_npy_read(ctx, path, &array);
    if (status) return status;
    if (array.shape.ndim > 1) {
        status = nigh_fail(ctx, NIGH_FORMAT, "'%s' has %d dimensions; one is allowed", path, array.shape.ndim);
        nigh_array_free(ctx, &array);
        return status;
    }
    file->owned = array.data;
    file->view = (nigh_symbols){array.shape.dtype, nigh_shape_count(&array.shape), array.data};
    return NIGH_OK;
}

nigh_status symbols_open(nigh_context *ctx, const char *path, symbols_kind kind, symbols_dictionary *dictionary, symbols_file *out)
{
    symbols_file file = {0};
    size_t length = strlen(path);
    if (kind == SYMBOLS_AUTO) kind = length > 4 && strcmp(path + length - 4, ".npy") == 0 ? SYMBOLS_NPY : SYMBOLS_BYTES;
    nigh_status status = NIGH_OK;
    if (kind == SYMBOLS_NPY) status = open_npy(ctx, path, &file);
    else if (map(path, &file)) status = view_of(ctx, path, kind, file.mapped, file.bytes, dictionary, &file);
    else {
        char *data = NULL;
        size_t size = 0;
        status = nigh_file_read(ctx, path, (size_t)1 << 40, &data, &size);
        if (!status) status = view_of(ctx, path, kind, data, size, dictionary, &file);
        if (file.owned) file.mapped = data; /* words: bytes 0 says that it is no mapping */
        else file.owned = data;
    }
    if (status) symbols_close(ctx, &file);
    else *out = file;
    return status;
}

nigh_status symbols_of_text(nigh_context *ctx, const char *text, symbols_kind kind, symbols_dictionary *dictionary, symbols_file *out)
{
    symbols_file file = {0};
    if (kind == SYMBOLS_NPY) return nigh_fail(ctx, NIGH_INVALID, "--pattern-text is text; --symbols npy reads a file");
    nigh_status status = view_of(ctx, "--pattern-text", kind == SYMBOLS_AUTO ? SYMBOLS_BYTES : kind, text, strlen(text), dictionary, &file);
    if (status) symbols_close(ctx, &file);
    else *out = file;
    return status;
}

void symbols_close(nigh_context *ctx, symbols_file *file)
{
    if (file->bytes) munmap(file->mapped, file->bytes);
    else nigh_free(ctx, file->mapped);
    nigh_free(ctx, file->owned);
    *file = (symbols_file){0};
}
