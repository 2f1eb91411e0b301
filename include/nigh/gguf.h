/*
 * nigh/gguf.h: GGUF files (versions 2 and 3, little endian): keys and tensors of a language model.
 *
 * A file is mapped, not read: tensors point into the mapping and cost memory only as they are touched. Files may be hostile: every offset, size, count and
 * text is checked before it is used; tensors must lie inside the file, aligned, and must not overlap.
 * Errors: NIGH_IO, NIGH_FORMAT (names file, key or tensor, byte, what stands there and what is allowed), NIGH_UNSUPPORTED (version, type of a tensor).
 */
#ifndef NIGH_GGUF_H
#define NIGH_GGUF_H
#include "nigh/quant.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_gguf_kind { NIGH_GGUF_INTEGER, NIGH_GGUF_REAL, NIGH_GGUF_BOOL, NIGH_GGUF_TEXT, NIGH_GGUF_ARRAY } nigh_gguf_kind;

typedef struct nigh_gguf nigh_gguf;

/* shape[0] is the length of a row (the dimension that lies densest), shape[1] the number of rows, as in the file; ndim 1 to 4. */
typedef struct nigh_gguf_tensor {
    const char *name;
    nigh_block_type type;
    int ndim;
    int64_t shape[4];
    const void *data; /* in the mapping */
    size_t bytes;
} nigh_gguf_tensor;

NIGH_API nigh_status nigh_gguf_open(nigh_context *ctx, const char *path, nigh_gguf **file);
NIGH_API nigh_status nigh_gguf_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_gguf **file); /* bytes must outlive file */
NIGH_API void nigh_gguf_close(nigh_gguf *file); /* NULL is fine */
NIGH_API const char *nigh_gguf_path(const nigh_gguf *file);

/* ---- tensors ---- */
NIGH_API int64_t nigh_gguf_tensor_count(const nigh_gguf *file);
NIGH_API const nigh_gguf_tensor *nigh_gguf_tensor_at(const nigh_gguf *file, int64_t i);
NIGH_API const nigh_gguf_tensor *nigh_gguf_find(const nigh_gguf *file, const char *name); /* NULL: absent; O(1) */

/* Gives back the pages that lie wholly inside the tensor (they come again from the file when touched). */
NIGH_API void nigh_gguf_release(const nigh_gguf *file, const nigh_gguf_tensor *tensor);

/* ---- keys. The functions that get give NIGH_FORMAT when the key is there with another type or out of range. ---- */
NIGH_API bool nigh_gguf_has(const nigh_gguf *file, const char *key);
NIGH_API int64_t nigh_gguf_key_count(const nigh_gguf *file);
NIGH_API const char *nigh_gguf_key_at(const nigh_gguf *file, int64_t i, nigh_gguf_kind *kind);
/* Absent: *value stays as it was (set the default before); `required` makes that NIGH_FORMAT. */
NIGH_API nigh_status nigh_gguf_integer(const nigh_gguf *file, const char *key, bool required, int64_t low, int64_t high, int64_t *value);
NIGH_API nigh_status nigh_gguf_real(const nigh_gguf *file, const char *key, bool required, double low, double high, double *value);
NIGH_API nigh_status nigh_gguf_bool(const nigh_gguf *file, const char *key, bool required, bool *value);
/* Texts are not 0-terminated in the file: *text points to a terminated copy that the file owns; *size may be NULL (a text may hold zeros). */
NIGH_API nigh_status nigh_gguf_text(const nigh_gguf *file, const char *key, bool required, const char **text, size_t *size);

/* Arrays. *count = 0 and NULL when absent and not required. Integers and reals are widened into memory that the file owns. */
NIGH_API nigh_status nigh_gguf_integers(nigh_gguf *file, const char *key, bool required, const int64_t **values, int64_t *count);
NIGH_API nigh_status nigh_gguf_reals(nigh_gguf *file, const char *key, bool required, const float **values, int64_t *count);
typedef struct nigh_gguf_string {
    const char *bytes; /* in the mapping, not terminated */
    size_t size;
} nigh_gguf_string;
NIGH_API nigh_status nigh_gguf_texts(nigh_gguf *file, const char *key, bool required, const nigh_gguf_string **texts, int64_t *count);

/* ---- writing: version 3. Keys and tensors in the order given; data is copied to the file at nigh_gguf_write_end. ---- */
typedef struct nigh_gguf_writer nigh_gguf_writer;
NIGH_API nigh_status nigh_gguf_writer_new(nigh_context *ctx, nigh_gguf_writer **writer);
NIGH_API void nigh_gguf_writer_free(nigh_gguf_writer *writer); /* NULL is fine */
NIGH_API nigh_status nigh_gguf_put_integer(nigh_gguf_writer *w, const char *key, int64_t value); /* u32 where it fits, else i32 or i64 */
NIGH_API nigh_status nigh_gguf_put_real(nigh_gguf_writer *w, const char *key, double value);     /* f32 */
NIGH_API nigh_status nigh_gguf_put_bool(nigh_gguf_writer *w, const char *key, bool value);
NIGH_API nigh_status nigh_gguf_put_text(nigh_gguf_writer *w, const char *key, const char *text);
NIGH_API nigh_status nigh_gguf_put_texts(nigh_gguf_writer *w, const char *key, const nigh_gguf_string *texts, int64_t count);
NIGH_API nigh_status nigh_gguf_put_integers(nigh_gguf_writer *w, const char *key, const int32_t *values, int64_t count);
NIGH_API nigh_status nigh_gguf_put_reals(nigh_gguf_writer *w, const char *key, const float *values, int64_t count);
/* `data` is copied (blocks of `type`, shape as in nigh_gguf_tensor). */
NIGH_API nigh_status nigh_gguf_put_tensor(nigh_gguf_writer *w, const char *name, nigh_block_type type, int ndim, const int64_t *shape, const void *data);
NIGH_API nigh_status nigh_gguf_write(nigh_gguf_writer *w, const char *path);           /* appears whole or not at all */
NIGH_API nigh_status nigh_gguf_format(nigh_gguf_writer *w, nigh_buffer *out);          /* the same bytes into memory */

#ifdef __cplusplus
}
#endif
#endif
