/*
 * JSON with messages: thin helpers over Jansson for plan files, receipts, caches and tokenizer files.
 *
 * A node is a JSON value that knows where it stands ("plan.json: settings.layers[3]"), so that every message names
 * file, key, value and what is allowed. Nodes borrow: the root from nj_parse or nj_load is freed by nj_free, the nodes
 * below it need nothing. Wrong content gives NIGH_FORMAT.
 *
 * JSON has no NaN and no infinity: they are written as the strings "nan", "inf" and "-inf" (nj_set_real) and read back
 * by nj_get_real when the range asked for includes them (nan: only by low = -INFINITY with high = INFINITY).
 */
#ifndef NIGH_CORE_JSON_H
#define NIGH_CORE_JSON_H
#include "nigh/core.h"

#include <jansson.h>

enum { NJ_DEPTH_MAX = 64, NJ_PATH_ROOM = 192 };

typedef struct nj {
    nigh_context *ctx;
    json_t *json;
    const char *file;        /* borrowed; shown in messages */
    char path[NJ_PATH_ROOM]; /* "" at the root; cut with ".." when too long */
} nj;

/*
 * Text (need not end in 0) to a tree. `file` names it in messages and must outlive the nodes. Refused: nesting above
 * NJ_DEPTH_MAX, a key twice in one object, text after the value, bad UTF-8, numbers beyond the range of double and int64.
 */
nigh_status nj_parse(nigh_context *ctx, const char *file, const char *text, size_t size, nj *root);

/* A whole file ("-": standard input) of at most cap bytes. */
nigh_status nj_load(nigh_context *ctx, const char *path, size_t cap, nj *root);
void nj_free(nj *root); /* a zeroed node is fine */

/* Sets "FILE: PATH.KEY TEXT" and returns status; key NULL: the node itself. */
nigh_status nj_fail(const nj *node, nigh_status status, const char *key, const char *format, ...) NIGH_PRINTF(4, 5);

/* The member exists (a null counts). */
bool nj_has(const nj *object, const char *key);

/* Members of an object, each required. Integers are accepted as reals; 3.0 is not an integer. */
nigh_status nj_get_real(const nj *object, const char *key, double low, double high, double *value);
nigh_status nj_get_int(const nj *object, const char *key, int64_t low, int64_t high, int64_t *value);
nigh_status nj_get_bool(const nj *object, const char *key, bool *value);
nigh_status nj_get_text(const nj *object, const char *key, const char **value); /* lives as long as the tree */
nigh_status nj_get_object(const nj *object, const char *key, nj *child);
nigh_status nj_get_array(const nj *object, const char *key, nj *child, size_t *count);

/* One of a list of names ending in NULL; *index says which. */
nigh_status nj_get_choice(const nj *object, const char *key, const char *const *names, int *index);

/* Element i of an array as a node of this type (JSON_OBJECT ...), or as a number. */
nigh_status nj_at(const nj *array, size_t i, json_type type, nj *child);
nigh_status nj_at_real(const nj *array, size_t i, double low, double high, double *value);
nigh_status nj_at_int(const nj *array, size_t i, int64_t low, int64_t high, int64_t *value);

/* NIGH_FORMAT naming the first member that is not in this list ending in NULL. */
nigh_status nj_only(const nj *object, const char *const *keys);

/* ---- building: a NULL from Jansson becomes NIGH_MEMORY here ---- */
nigh_status nj_set(nigh_context *ctx, json_t *object, const char *key, json_t *value); /* takes value over, also on failure */
nigh_status nj_set_real(nigh_context *ctx, json_t *object, const char *key, double value);
nigh_status nj_set_int(nigh_context *ctx, json_t *object, const char *key, int64_t value);
nigh_status nj_set_text(nigh_context *ctx, json_t *object, const char *key, const char *value); /* NIGH_INVALID: not UTF-8 */
nigh_status nj_set_bool(nigh_context *ctx, json_t *object, const char *key, bool value);
nigh_status nj_add_real(nigh_context *ctx, json_t *array, double value);

/* Appends the text; reals as %.17g (they read back to the same bits), keys in insertion order or sorted, in one line or indented by two. */
enum { NJ_SORTED = 1, NJ_INDENTED = 2 };
nigh_status nj_dump(nigh_context *ctx, const json_t *json, unsigned flags, nigh_buffer *text);
#endif
