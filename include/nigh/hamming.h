/*
 * nigh/hamming.h: Hamming distances of a pattern to every place of a text.
 *
 *   text T[0..n-1], pattern P[0..m-1], symbols are integers of any type; H[i] = number of j with T[i+j] != P[j], for every shift i = 0 .. n-m
 *
 * in three kinds: exact; bounded ("H[i], or more than k"); within a factor 1 +- error of H[i], for all i at once with probability 1 - delta. No one
 * algorithm is the fastest for all sizes and alphabets: a planner with costs measured on this machine predicts them all and takes the cheapest.
 *
 *   variant      kind      time for one thread                     what it does
 *   direct       exact     n m / 120 ns (bytes, AVX-512)           compares one symbol of P with a vector of shifts at a time
 *   sliced       exact     n m / 600 ns, few symbols               the same on bit vectors "T = a", counters in bit planes
 *   transform    exact     n (symbols of P) log m                  matches = sum over a of the correlation of [T = a] with [P = a] (Fischer, Paterson)
 *   heavy-light  exact     n sqrt(m log m) at worst                transforms for frequent symbols, counts occurrence by occurrence for the others
 *                                                                  (Abrahamson, "Generalized string matching"; Kosaraju)
 *   early-exit   bounded   n k / 100 ns where text is not periodic compares until more than k differ
 *   pieces       bounded   n + candidates                          one of k + 1 pieces of P occurs exactly: a rolling hash finds candidates
 *   kangaroo     bounded   n k log m                               jumps over equal stretches by hashes of 122 bits (Landau, Vishkin); a
 *                                                                  collision, chance (m / 2^61)^2 a comparison, makes a distance too small
 *   sampled      within    n log(n) / error for distances near m   places of P drawn at random until a Chernoff bound holds; exact where none can
 *   hashed       within    n log(n) log(m) / error                 symbols hashed to 2 / error, largest of log2(n / delta) rounds: never above H
 *                                                                  (Kopelowitz, Porat, "A simple algorithm for approximating the text-to-pattern Hamming distance")
 *
 * The framework (exact by heavy and light symbols, bounded, approximate) is that of "Faster Algorithms for Text-to-Pattern Hamming Distances" (Chan, Jin,
 * Vassilevska Williams, Xu); its own O(n sqrt m) lemma is not used: it saves sqrt(log m) and costs more than that.
 */
#ifndef NIGH_HAMMING_H
#define NIGH_HAMMING_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A view of symbols: NIGH_U8 .. NIGH_U64, NIGH_I8 .. NIGH_I64, NIGH_BOOL. Text and pattern may differ in type; equal values match. */
typedef struct nigh_symbols {
    nigh_dtype dtype;
    int64_t count;
    const void *data;
} nigh_symbols;

typedef enum nigh_hamming_variant {
    NIGH_HAMMING_CHOOSE,
    NIGH_HAMMING_DIRECT, NIGH_HAMMING_SLICED, NIGH_HAMMING_TRANSFORM, NIGH_HAMMING_HEAVY_LIGHT, /* serve all kinds */
    NIGH_HAMMING_EARLY_EXIT, NIGH_HAMMING_PIECES, NIGH_HAMMING_KANGAROO,                        /* bounded */
    NIGH_HAMMING_SAMPLED, NIGH_HAMMING_HASHED,                                                  /* within a factor */
    NIGH_HAMMING_VARIANTS
} nigh_hamming_variant;

/* "heavy-light"; NULL beyond the last. And back: NIGH_HAMMING_VARIANTS when there is no such name. */
NIGH_API const char *nigh_hamming_variant_name(nigh_hamming_variant variant);
NIGH_API nigh_hamming_variant nigh_hamming_variant_named(const char *name);

/* nigh_hamming_options_default: exact, planner's choice. */
typedef struct nigh_hamming_options {
    int64_t at_most;  /* k: distances above it are reported as k + 1; -1: none; k >= m is exact */
    double error;     /* 0: exact; 0 < error < 1: every distance within a factor 1 +- error */
    double delta;     /* chance that one of all distances is not; 0 < delta < 1 */
    nigh_hamming_variant variant;
    uint64_t alphabet; /* symbols are 0 .. alphabet - 1, one outside is an error that names its place; 0: any */
    int64_t heavy;     /* how many symbols are transformed in heavy-light; -1: by cost */
    int bits;          /* of the transforms' numbers: 32, 64; 0: by the expected rounding error */
    double memory;     /* bytes for transforms of the pattern, beyond which they are made again for each block; default 2^29 */
} nigh_hamming_options;
NIGH_API nigh_hamming_options nigh_hamming_options_default(void);

/* What the planner expected of one variant. */
typedef struct nigh_hamming_prediction {
    nigh_hamming_variant variant;
    double seconds;     /* for all shifts with the context's threads, from measured costs; INFINITY: not for this problem */
    double rechecked;   /* the same from a slice that was run; NAN: not run */
    const char *reason; /* why not; NULL */
} nigh_hamming_prediction;

typedef struct nigh_hamming_report {
    nigh_hamming_variant variant;
    int64_t shifts;                                          /* n - m + 1; 0 where m > n */
    int64_t symbols;                                         /* distinct ones of the pattern */
    int64_t heavy;                                           /* of them transformed */
    int64_t block;                                           /* length of the transforms; 0: none */
    int bits;                                                /* of their numbers */
    int64_t rounds;                                          /* of hashed */
    double error, delta;                                     /* bound of the answers: relative error and the chance that it fails; 0: exact */
    double planning;                                         /* seconds spent choosing and preparing */
    double rounding;                                         /* largest distance of a transform's result from a whole number until now */
    int64_t fallbacks;                                       /* blocks that were counted again because of it */
    int64_t finished;                                        /* shifts of sampled that were counted exactly */
    nigh_hamming_prediction predicted[NIGH_HAMMING_VARIANTS]; /* [0] is unused */
} nigh_hamming_report;

/*
 * Prepares. Text and pattern stay the caller's and must outlive the object; a text may be a mapped file, it is read in blocks. NIGH_INVALID: an empty pattern or
 * one above 2^31 - 1, error outside [0, 1), delta outside (0, 1), at_most below -1, both at_most and error, a variant that does not
 * serve the kind, a symbol outside the alphabet; NIGH_UNSUPPORTED: a type that is no integer. Threads and seed are the context's. Cost: one pass over P, one over T (over 2^24
 * symbols: samples), and, where the work is above some ms, up to a tenth of the time predicted for trying the best variants on slices.
 */
typedef struct nigh_hamming nigh_hamming;
NIGH_API nigh_status nigh_hamming_new(nigh_context *ctx, const nigh_symbols *text, const nigh_symbols *pattern, const nigh_hamming_options *options,
                                      nigh_hamming **hamming);
NIGH_API void nigh_hamming_free(nigh_hamming *hamming); /* NULL is fine */

/*
 * Distances of shifts from .. from + count - 1 into out[count]; NIGH_INVALID unless 0 <= from, from + count <= shifts. The answers do not depend on how shifts are cut into
 * calls (long calls are faster) nor on threads and CPU level. Polls for cancellation. A transform's results are checked to be within 0.2 of whole
 * numbers; a block that is not is counted again in f64, then by `direct`. One call at a time per object.
 */
NIGH_API nigh_status nigh_hamming_run(nigh_hamming *hamming, int64_t from, int64_t count, uint32_t *out);

NIGH_API const nigh_hamming_report *nigh_hamming_report_of(const nigh_hamming *hamming);

/* All at once: new, run, free. out[n - m + 1], untouched where m > n; report NULL: not wanted. */
NIGH_API nigh_status nigh_hamming_distances(nigh_context *ctx, const nigh_symbols *text, const nigh_symbols *pattern, const nigh_hamming_options *options,
                                            uint32_t *out, nigh_hamming_report *report);

#ifdef __cplusplus
}
#endif
#endif
