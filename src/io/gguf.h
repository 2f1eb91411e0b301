/* What the parts of GGUF share: an opened file, its keys, and an index of names. Numbers in files are little endian. */
#ifndef NIGH_IO_GGUF_H
#define NIGH_IO_GGUF_H
#include "core/map.h"
#include "nigh/gguf.h"

enum { GGUF_ALIGNMENT = 32, GGUF_MOST_NAME = 65535 };

/* Types of values, with the file's numbers. */
typedef enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_LIST, GGUF_U64, GGUF_I64, GGUF_F64, GGUF_TYPES
} gguf_type;
extern const unsigned char gguf_type_bytes[GGUF_TYPES]; /* 0 for what has no fixed size */
extern const char *const gguf_type_name[GGUF_TYPES];

/* Names to numbers 0, 1, ... in the order they are added; the names are the caller's and stay. */
typedef struct gguf_index {
    map first;     /* by hash: 1 + the number of the last name with it */
    int64_t *next; /* of the same hash, -1: none */
    const char **name;
    int64_t count, room;
} gguf_index;
nigh_status gguf_index_new(nigh_context *ctx, int64_t expected, gguf_index *index);
void gguf_index_free(gguf_index *index); /* a zeroed one is fine */
int64_t gguf_index_find(const gguf_index *index, const char *name); /* -1: absent */
nigh_status gguf_index_add(gguf_index *index, const char *name);    /* must be absent */

typedef struct gguf_key {
    const char *name;
    gguf_type type, item; /* item: of a list's elements */
    int64_t count;        /* of elements; of bytes of a string */
    uint64_t at;          /* byte of the file where the value (of a list: its first element) stands */
    const void *wide;     /* what nigh_gguf_integers and its like made of a list; the terminated copy of a string */
} gguf_key;

typedef struct gguf_mapping {
    struct gguf_mapping *next;
    unsigned char *bytes;
    size_t size;
} gguf_mapping;

struct nigh_gguf {
    nigh_context *ctx;
    nigh_arena *arena;
    char *path;
    const unsigned char *bytes;
    size_t size;
    gguf_mapping *mappings; /* of this file and of others that tensors stand in */
    void *owned;            /* bytes, when they are neither mapped nor the caller's */
    gguf_key *keys;
    nigh_gguf_tensor *tensors;
    int64_t tensor_room;
    gguf_index key_index, tensor_index;
};

/* What is made of other files: begins with the keys put into a writer (without tensors); then files are mapped, tensors that stand in them, or in the arena,
 * are added. name is copied. gguf_map gives the bytes of the file, which must be a regular one and not empty. */
nigh_status gguf_from_keys(nigh_context *ctx, nigh_gguf_writer *keys, const char *path, nigh_gguf **file);
nigh_status gguf_map(nigh_gguf *file, const char *path, const unsigned char **bytes, size_t *size);
nigh_status gguf_add(nigh_gguf *file, const nigh_gguf_tensor *tensor);

/* Whether the value is a whole number (booleans are not), and which, widened; *large: it is beyond int64 and *value is INT64_MAX. */
bool gguf_whole(gguf_type type, const unsigned char *at, int64_t *value, bool *large);
double gguf_real(gguf_type type, const unsigned char *at); /* of an f32 or f64 */
uint64_t gguf_word(const unsigned char *at, int bytes);
#endif
