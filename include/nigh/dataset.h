/*
 * nigh/dataset.h: features with labels, how they are split, scaled and checked; real data sets by name; digits drawn by nigh.
 *
 * Real data is not part of nigh: loaders look below the folder $NIGH_DATA and say which file is missing and where it is from.
 */
#ifndef NIGH_DATASET_H
#define NIGH_DATASET_H

#include "nigh/io.h"

#ifdef __cplusplus
extern "C" {
#endif

/* End it with nigh_dataset_free. All parts belong to it (nigh_alloc and nigh_array_new). Zero-initialised with ctx set it is empty. */
typedef struct nigh_dataset {
    nigh_context *ctx;
    char *name;
    nigh_array x;         /* [rows, ...], f32 or f64                                                                     */
    nigh_array y;         /* i32 [rows], classes 0 .. classes-1; or f32, f64 [rows, ...] targets; data NULL: none         */
    int64_t classes;      /* 0: targets or none                                                                          */
    char **feature_names; /* one for each feature of a row, or NULL                                                      */
    char **class_names;   /* [classes], or NULL                                                                          */
} nigh_dataset;

NIGH_API void nigh_dataset_free(nigh_dataset *set);                    /* what it holds; it is empty afterwards; NULL is fine */
NIGH_API int64_t nigh_dataset_rows(const nigh_dataset *set);           /* x.shape.dim[0] */
NIGH_API int64_t nigh_dataset_features(const nigh_dataset *set);       /* numbers in a row of x */

/* A copy of `count` rows in the order of `index` (repeats are allowed). NIGH_INVALID for one out of range. */
NIGH_API nigh_status nigh_dataset_take(nigh_context *ctx, const nigh_dataset *set, const int64_t *index, int64_t count,
                                       nigh_dataset *out);

/* SHA-256 of element types, shapes, bytes of x and y and the number of classes, in hex; names do not count. */
NIGH_API void nigh_dataset_hash(const nigh_dataset *set, char out[65]);

/* ---- splitting ------------------------------------------------------------------------------------------------- */

typedef struct nigh_split_options {
    int64_t train, validation, test; /* rows of each; >= 0, at most all rows together; rows left over are in none */
    uint64_t seed;
    bool stratified; /* classes in every part in proportion: a class of share p is off by less than 2 + classes p / 2 rows */
} nigh_split_options;

/* Row numbers, in random order within each part; disjoint. */
typedef struct nigh_split {
    int64_t train_count, validation_count, test_count;
    int64_t *train, *validation, *test; /* one block, that of train: nigh_split_free */
} nigh_split;

/* NIGH_INVALID: sizes out of range, or stratified without classes. O(rows log rows). Same seed, same split. */
NIGH_API nigh_status nigh_dataset_split(nigh_context *ctx, const nigh_dataset *set, const nigh_split_options *options, nigh_split *out);
NIGH_API void nigh_split_free(nigh_context *ctx, nigh_split *split);

/* Rows of x that are equal byte for byte. */
typedef struct nigh_duplicates {
    int64_t inside;      /* rows that equal an earlier row of their own part                                       */
    int64_t across;      /* rows of validation and test that equal a row of a part before them (train, validation) */
    int64_t conflicting; /* rows that equal another row which has a different label                                */
    int64_t first, second; /* the equal pair across parts of lowest row number; -1 when there is none              */
} nigh_duplicates;

/* Found by a 64-bit hash of each row and verified by the bytes. O(size of x + rows log rows). */
NIGH_API nigh_status nigh_dataset_duplicates(nigh_context *ctx, const nigh_dataset *set, const nigh_split *split, nigh_duplicates *out);

/* ---- scaling --------------------------------------------------------------------------------------------------- */

typedef enum nigh_scaler_kind { NIGH_SCALE_STANDARD, NIGH_SCALE_RANGE } nigh_scaler_kind;

/* scaled = (x - offset) / scale. STANDARD: mean and standard deviation (n in the denominator). RANGE: least value and range, so
 * that what was fitted lies in [0, 1]. A constant feature has scale 1. Plain data: keep it beside a model. */
typedef struct nigh_scaler {
    int64_t features;
    double *offset, *scale; /* [features], one block, that of offset: nigh_scaler_free */
} nigh_scaler;

/* From rows `index` [count] only (NULL: all): give the training rows, or the test rows leak. x: f32 or f64 [rows, ...], finite.
 * Two passes in double. NIGH_INVALID: other types, no rows, a value that is not finite (the message says where). */
NIGH_API nigh_status nigh_scaler_fit(nigh_context *ctx, nigh_scaler_kind kind, const nigh_array *x, const int64_t *index, int64_t count,
                                     nigh_scaler *out);
NIGH_API void nigh_scaler_free(nigh_context *ctx, nigh_scaler *scaler);

/* In place; computed in double and rounded to x's type. NIGH_INVALID when x is not f32 or f64 or has other features. */
NIGH_API nigh_status nigh_scaler_apply(nigh_context *ctx, const nigh_scaler *scaler, nigh_array *x);
NIGH_API nigh_status nigh_scaler_inverse(nigh_context *ctx, const nigh_scaler *scaler, nigh_array *x);

/* ---- real data ------------------------------------------------------------------------------------------------- */

/*
 * By name, from $NIGH_DATA:
 *   "digits"  digits/digits.csv.gz: 1,797 handwritten digits, x f32 [n, 8, 8, 1] in [0, 1] (sixteenths)
 *   "mnist"   mnist/t10k-*-ubyte.gz: the 10,000 test images of MNIST, x f32 [n, 28, 28, 1] in [0, 1]; split them 8000/2000
 *   "htru2"   tables/HTRU_2.csv: 17,898 candidates for pulsars, x f32 [n, 8], class 1 is a pulsar
 * NIGH_INVALID: another name, or NIGH_DATA is not set. NIGH_IO: the file is missing; the message names it and its origin.
 * NIGH_FORMAT: it is not what it should be.
 */
NIGH_API nigh_status nigh_dataset_load(nigh_context *ctx, const char *name, nigh_dataset *out);

/* "ego-facebook": graphs/ego_facebook.txt, 88,234 undirected edges of 4,039 nodes, each edge once. Errors as above. */
NIGH_API nigh_status nigh_graph_load(nigh_context *ctx, const char *name, nigh_edges *out);

/* "tinyshakespeare": text/tinyshakespeare.txt, 1.1 MB; its bytes in `out` (zeroed with ctx set). */
NIGH_API nigh_status nigh_text_load(nigh_context *ctx, const char *name, nigh_buffer *out);

/* Short texts with classes; all in one arena, ended by nigh_texts_free. */
typedef struct nigh_texts {
    nigh_arena *arena;
    int64_t count, classes;
    char **title, **text; /* [count], UTF-8 */
    int32_t *label;       /* [count] */
    char **class_names;   /* [classes], sorted */
} nigh_texts;

/* "debian-descriptions": text/debian-descriptions.tsv.gz: name, section (the class), one-line description of packages. */
NIGH_API nigh_status nigh_texts_load(nigh_context *ctx, const char *name, nigh_texts *out);
NIGH_API nigh_status nigh_texts_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_texts *out);
NIGH_API void nigh_texts_free(nigh_texts *texts);

/* ---- drawn digits ---------------------------------------------------------------------------------------------- */

typedef struct nigh_digits_options {
    int side;          /* pixels: 8 to 64; 0: 28                                                                        */
    double distortion; /* 0: the plain glyph, 1: moderate; up to 4. Rotation of sd 0.12 rad, scales of sd 10%, shear of sd 0.12,
                          shift of sd 4% of the side, every control point moved by sd 2%, all times this               */
    double noise;      /* sd of what is added to every pixel before clipping to [0, 1]; 0 to 2                          */
} nigh_digits_options;

/*
 * n images of the digits 0 .. 9 as strokes of a pen (options NULL: side 28, distortion 1, noise 0.1): x f32 [n, side, side, 1], 0 paper, 1 ink, anti-aliased; row i has class i % 10
 * and is a function of seed, i and the options alone. Some digits have two forms. Strokes are 7% to 12% of the side wide.
 * NIGH_INVALID: options out of range, n < 0. Cost: some 0.1 to 0.3 ms an image of 28 x 28, a tenth of it for 8 x 8.
 */
NIGH_API nigh_status nigh_digits_draw(nigh_context *ctx, uint64_t seed, int64_t n, const nigh_digits_options *options,
                                      nigh_dataset *out);

#ifdef __cplusplus
}
#endif
#endif
