/* See program_text.h. */
#include "regress/program_text.h"

#include "core/file.h"
#include "nigh/io.h"
#include "nigh/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

nigh_status program_text_write(nigh_context *ctx, const char *place, const nigh_shape *shape, const double *x, nigh_buffer *bytes)
{
    int64_t d = nigh_shape_count(shape);
    if (strcmp(place, "in.npy") == 0) return nigh_npy_format(ctx, &(nigh_array){*shape, (void *)x}, bytes);
    char between = strcmp(place, "in.csv") == 0 ? ',' : '\n';
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < d && !status; i++) status = nigh_buffer_print(bytes, "%.17g%c", x[i], i + 1 < d ? between : '\n');
    return status;
}

static nigh_status read_npy(nigh_context *ctx, const char *bytes, size_t size, double **values, int64_t *count)
{
    nigh_array array;
    nigh_status status = nigh_npy_parse(ctx, bytes, size, "out.npy", &array);
    if (status) return status == NIGH_FORMAT ? NIGH_FAILED : status;
    *count = nigh_shape_count(&array.shape);
    *values = nigh_alloc(ctx, (size_t)(*count ? *count : 1) * sizeof **values);
    status = *values ? nigh_array_to_f64(ctx, &array, *values) : NIGH_MEMORY;
    if (status) nigh_free(ctx, *values);
    nigh_array_free(ctx, &array);
    return status;
}

static bool is_between(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ',' || c == ';'; }

nigh_status program_text_read(nigh_context *ctx, const char *place, const char *bytes, size_t size, double **values, int64_t *count)
{
    if (place && strcmp(place, "out.npy") == 0) return read_npy(ctx, bytes, size, values, count);
    size_t room = 0;
    for (size_t i = 0; i < size; i++) room += !is_between(bytes[i]) && (i == 0 || is_between(bytes[i - 1]));
    double *numbers = nigh_alloc(ctx, (room + 1) * sizeof *numbers);
    if (!numbers) return NIGH_MEMORY;
    int64_t n = 0;
    for (size_t i = 0; i < size;) {
        if (is_between(bytes[i])) {
            i++;
            continue;
        }
        size_t word = 0;
        while (i + word < size && !is_between(bytes[i + word])) word++;
        char text[64], *end = text;
        if (word < sizeof text) {
            memcpy(text, bytes + i, word);
            text[word] = 0;
            numbers[n++] = strtod(text, &end);
        }
        if (word >= sizeof text || *end || end == text) {
            for (size_t k = 0; k < sizeof text - 1 && k < word; k++) text[k] = bytes[i + k] >= 32 && bytes[i + k] < 127 ? bytes[i + k] : '?';
            text[word < 40 ? word : 40] = 0;
            nigh_free(ctx, numbers);
            return nigh_fail(ctx, NIGH_FAILED, "word %lld of %s is '%s', which is no number", (long long)n, place ? "the output file" : "its standard output", text);
        }
        i += word;
    }
    *values = numbers;
    *count = n;
    return NIGH_OK;
}

nigh_status program_text_content(nigh_context *ctx, const char *command, char hex[65])
{
    char **argv = NULL;
    nigh_status status = nigh_process_split(ctx, command, &argv);
    if (status) return status;
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    for (int i = 0; argv[i] && !status; i++) {
        struct stat info;
        nigh_sha256_text(&hash, argv[i]);
        if (stat(argv[i], &info) != 0 || !S_ISREG(info.st_mode)) continue;
        char *bytes;
        size_t size;
        status = nigh_file_read(ctx, argv[i], (size_t)1 << 30, &bytes, &size);
        if (status) break;
        nigh_sha256_add(&hash, &size, sizeof size);
        nigh_sha256_add(&hash, bytes, size);
        nigh_free(ctx, bytes);
    }
    nigh_sha256_hex(&hash, hex);
    nigh_free(ctx, argv);
    return status;
}
