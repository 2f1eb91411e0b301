/* What the files of nigh/hamming.h share: symbols as ranks, the variants on a stretch of shifts, their costs. */
#ifndef NIGH_REDUCE_HAMMING_INSIDE_H
#define NIGH_REDUCE_HAMMING_INSIDE_H
#include "nigh/fft.h"
#include "nigh/hamming.h"
#include "nigh/random.h"
#include "reduce/hamming_kernels.h"

/* ---- symbols ---------------------------------------------------------------------------------------------------- */

/* Ranks 0 .. symbols-1 of the pattern's values, all others are `symbols`. Bytes among bytes stay what they are. */
typedef struct hamming_ranks {
    bool same;          /* values are ranks */
    int width;          /* bytes of a rank: 1, 2, 4 */
    int64_t symbols;    /* ranks in use; `same`: 256 */
    uint32_t *table;    /* [limit] rank of small values; NULL: hash */
    uint64_t limit;
    uint64_t *keys;     /* open addressing, 2^bits places */
    uint32_t *ranks;
    int bits;
    int64_t *in_text, *in_pattern; /* [symbols + 1] how often; the text's may come from samples */
    int64_t distinct;   /* with in_pattern > 0 */
    void *pattern;      /* [m] ranks; `same`: the caller's */
} hamming_ranks;

uint64_t hamming_value(nigh_dtype dtype, const void *data, int64_t i); /* sign-extended */
nigh_status hamming_ranks_new(nigh_context *ctx, const nigh_symbols *text, const nigh_symbols *pattern, uint64_t alphabet, hamming_ranks *ranks);
void hamming_ranks_free(nigh_context *ctx, hamming_ranks *ranks, const nigh_symbols *pattern);
void hamming_map(const hamming_ranks *ranks, const nigh_symbols *symbols, int64_t from, int64_t count, void *out);

/* ---- transforms ------------------------------------------------------------------------------------------------- */

/* Counts matches of the listed symbols; P is cut into pieces no longer than 2^22, and blocks of text are taken two at a time (real and imaginary part). */
typedef struct hamming_engine {
    int bits;
    int64_t n, length, outs;  /* of a transform, of a piece, shifts of one block: n - length + 1 */
    int64_t pieces, symbols;
    const uint32_t *symbol;   /* [symbols], the caller's */
    bool rest;                /* symbol[symbols - 1] is counted as "all that is no other": see hamming_transform.c */
    const int64_t *last;      /* [pieces] how often it is in each piece */
    nigh_fft *forward;        /* backwards by conjugates */
    void *spectra;            /* [pieces, symbols, n/2 + 1] complex; NULL: made when needed */
    int64_t *owned_last;
} hamming_engine;

/* ---- the object ------------------------------------------------------------------------------------------------- */

typedef struct hamming_costs { /* ns, one thread */
    double pair[3], one[3]; /* direct: a comparison, by width of symbols; one alignment: a symbol */
    double sliced;          /* a comparison on bit vectors */
    double add;             /* light: an addition */
    double point[2][3];     /* transform in f32, f64: a point of 2^12, 2^15, 2^18, with filling and multiplying */
} hamming_costs;

typedef struct hamming_samples hamming_samples;
typedef struct hamming_pieces hamming_pieces;
typedef struct hamming_hashed hamming_hashed;
typedef struct hamming_slices hamming_slices;

enum { HAMMING_SHORT = 1 << 16 };

/* What transform and heavy-light would run with. */
typedef struct hamming_setting {
    int64_t heavy, block;
    int bits;
    bool rest;
} hamming_setting;

struct nigh_hamming {
    nigh_context *ctx;
    nigh_symbols text, given;
    nigh_hamming_options options;
    const hamming_kernels *kernels;
    hamming_ranks ranks;
    int64_t m;
    int threads;
    nigh_hamming_report report;
    hamming_setting setting[NIGH_HAMMING_VARIANTS];

    uint32_t *heavy;               /* symbols of the pattern, those with the most matches first */
    hamming_engine engine, second; /* second: f64, made when f32 was not exact enough */
    int64_t light, cuts, cut;      /* occurrences of light symbols; stretches of the pattern and how long they are */
    int32_t *start;                /* [cuts, symbols + 2] of the light symbols' occurrences: start[a] to start[a + 1] */
    int32_t *place;                /* [light] */
    uint16_t *back;                /* [light] cut - 1 less how far the place is into its stretch; NULL: stretches are longer than HAMMING_SHORT */
    hamming_samples *samples;
    hamming_pieces *pieces;
    hamming_hashed *hashed;
    hamming_slices *slices;
    int64_t stretch;               /* early exit: how much of the pattern is compared first */
    uint64_t base[2];              /* of kangaroo's hashes */
    uint64_t *power, *prefix;      /* [2, m + 1], of P */
};

/* One stretch of shifts: t has count + m - 1 ranks; out[count]. */
typedef struct hamming_part {
    nigh_hamming *h;
    const char *t;
    int64_t count;
    uint32_t *out;
    char *workspace; /* hamming_workspace bytes */
    double rounding;
    int64_t fallbacks, finished;
} hamming_part;

/* out = matches for the exact variants, answers for the others. */
void hamming_direct(const nigh_hamming *h, const char *t, int64_t count, uint32_t *matches);
nigh_status hamming_heavy_new(nigh_hamming *h, const hamming_setting *setting);
void hamming_heavy_free(nigh_hamming *h);
size_t hamming_heavy_bytes(const nigh_hamming *h);
void hamming_heavy(hamming_part *part);

nigh_status hamming_engine_new(nigh_hamming *h, int bits, int64_t n, int64_t symbols, const uint32_t *symbol, bool rest, hamming_engine *engine);
void hamming_engine_free(nigh_context *ctx, hamming_engine *engine);
size_t hamming_engine_bytes(const hamming_engine *engine);
double hamming_engine_noise(const nigh_hamming *h, int bits, int64_t n, int64_t symbols, const uint32_t *symbol);
/* Adds to matches of at most 2 outs shifts; returns the largest distance from a whole number. */
double hamming_engine_run(const nigh_hamming *h, const hamming_engine *engine, const char *t, int64_t count, char *workspace, uint32_t *matches);

bool hamming_sliced_serves(const nigh_hamming *h);
nigh_status hamming_sliced_new(nigh_hamming *h);
void hamming_sliced_free(nigh_hamming *h);
size_t hamming_sliced_bytes(const nigh_hamming *h);
void hamming_sliced(hamming_part *part);

nigh_status hamming_bounded_new(nigh_hamming *h);
void hamming_bounded_free(nigh_hamming *h);
void hamming_early_exit(hamming_part *part);
void hamming_by_pieces(hamming_part *part);
void hamming_kangaroo(hamming_part *part); /* workspace: 16 bytes for each symbol of text and one more */

nigh_status hamming_sampled_new(nigh_hamming *h);
void hamming_sampled_free(nigh_hamming *h);
void hamming_sampled(hamming_part *part);
/* In place: a shift's share of mismatches -> samples that it takes, m where it is counted exactly. */
void hamming_sampled_need(const nigh_hamming *h, int64_t count, double *need);
nigh_status hamming_hashed_new(nigh_hamming *h);
void hamming_hashed_free(nigh_hamming *h);
nigh_status hamming_hashed_run(nigh_hamming *h, int64_t from, int64_t count, uint32_t *out);

const hamming_costs *hamming_costs_get(nigh_context *ctx); /* NULL: no memory */
/* Predicts all, and sets report.variant. */
nigh_status hamming_choose(nigh_hamming *h);

/* Makes what the variant needs; undone by hamming_release. */
nigh_status hamming_prepare(nigh_hamming *h, nigh_hamming_variant variant);
void hamming_release(nigh_hamming *h);
nigh_status hamming_run_shifts(nigh_hamming *h, int64_t from, int64_t count, uint32_t *out);
int64_t hamming_grain(const nigh_hamming *h, int64_t count);

static inline int hamming_level(int width) { return width >> 1; } /* 1, 2, 4 -> 0, 1, 2 */
#endif
