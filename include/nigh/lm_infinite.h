/*
 * nigh/lm_infinite.h: texts far longer than a language model was trained on, in constant memory and time for each token, without training.
 *
 * A model with relative positions fails behind its trained length for two reasons that a mask takes away: distances it never saw make scores explode, and more
 * tokens than it ever saw flatten its attention; and the first tokens, which it leans on, must not be dropped. So each token sees the `sinks` first tokens and the
 * `window` last ones (a mask of the shape of a Lambda), and distances end at `limit`: first tokens farther than the window are seen as if they were `limit` away.
 * What is older than the window is not read at all: this is no long memory.
 *
 * The mechanism is the engine's (nigh_cache_stream in nigh/lm.h). Here are settings that fit a model, scores of the ends of long texts by this and by other ways, and
 * a plain form of the formula, that also shows the causes on a model at hand.
 *
 * Sources: Han et al., "LM-Infinite: Zero-shot extreme length generalization for large language models"; Xiao et al., "Efficient streaming language models with
 * attention sinks".
 */
#ifndef NIGH_LM_INFINITE_H
#define NIGH_LM_INFINITE_H
#include "nigh/lm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- settings --------------------------------------------------------------------------------------------------- */

typedef struct nigh_lm_infinite {
    int64_t sinks;  /* first tokens that are always seen: 0 to 4096 */
    int64_t window; /* last tokens that are seen: 1 to 2^24 */
    int64_t limit;  /* distance at which first tokens are seen that lie beyond the window: window to 2^30; 0: their own */
} nigh_lm_infinite;

NIGH_API nigh_lm_infinite nigh_lm_infinite_default(void); /* all -1: to be chosen */

/*
 * Fills in what is -1: sinks 4, window the model's trained length, limit the window. What should be known is said through the log: as warnings a window or limit
 * beyond the trained length, no sinks, and no limit; as notes that older text is not read, and that layers with a window of their own keep it.
 * NIGH_UNSUPPORTED: learned positions. NIGH_INVALID names the setting.
 */
NIGH_API nigh_status nigh_lm_infinite_choose(nigh_context *ctx, const nigh_lm_info *model, nigh_lm_infinite *settings);

/* The same, and an empty sequence streams with them from now on. */
NIGH_API nigh_status nigh_lm_infinite_start(nigh_context *ctx, nigh_cache *cache, int sequence, nigh_lm_infinite *settings);

/* ---- scores of the ends of texts -------------------------------------------------------------------------------- */

typedef enum nigh_long_method {
    NIGH_LONG_INFINITE,  /* as above, by the engine */
    NIGH_LONG_FULL,      /* everything is seen; memory grows with the text */
    NIGH_LONG_REINDEXED, /* StreamingLLM: the same mask, positions are places in the cache; by the plain form, slow */
    NIGH_LONG_TRUNCATED, /* for each token the last `window` ones alone are read anew: what a window can give at best, `window` times the work */
    NIGH_LONG_METHODS
} nigh_long_method;

/*
 * log p of the last `tail` of tokens [count] (1 <= tail < count), nats, to log_p [tail]: averages over whole texts hide what goes wrong at their ends. Settings
 * as nigh_lm_infinite_choose leaves them. Keys and values are kept in f32. Memory: INFINITE and REINDEXED sinks + window positions (REINDEXED: all), FULL all.
 */
NIGH_API nigh_status nigh_long_score(nigh_context *ctx, const nigh_lm *lm, nigh_long_method method, const nigh_lm_infinite *settings, const int32_t *tokens, int64_t count,
                                     int64_t tail, double *log_p);

/* ---- the formula, plainly --------------------------------------------------------------------------------------- */

/*
 * Attention as hooks of a pass (nigh/lm.h) that follow the formula key by key, in f32 with sums in double. One view serves one sequence from its first token on, whose rows
 * are chains, without drafts; it keeps all keys and values of all layers. Layers with a window of their own see it as ever. For checks, for baselines, and to look at a model.
 */
typedef struct nigh_lambda nigh_lambda;

typedef struct nigh_lambda_options {
    nigh_lm_infinite settings; /* as nigh_lm_infinite_choose leaves them; window 0: everything is seen, at its own distance */
    bool reindexed;            /* first tokens stand at their place in a cache of sinks + window tokens: limit is not used */
    bool profile;              /* keep nigh_lambda_bucket */
    /*
     * Looking again at what lies between first and last tokens: in layers from middle_layer on, the last row of a pass also sees, in each head, the `middle` such tokens
     * that score highest at distance middle_distance, with that score. 0: off.
     */
    int64_t middle, middle_layer, middle_distance;
} nigh_lambda_options;

NIGH_API nigh_status nigh_lambda_new(nigh_context *ctx, const nigh_lm *lm, const nigh_lambda_options *options, nigh_lambda **view);
NIGH_API void nigh_lambda_free(nigh_lambda *view); /* NULL is fine */
NIGH_API const nigh_lm_hooks *nigh_lambda_hooks(nigh_lambda *view);
/* NIGH_MEMORY, or NIGH_INVALID when rows came that it does not serve; the logits then mean nothing. */
NIGH_API nigh_status nigh_lambda_status(const nigh_lambda *view);

/* log p of tokens (the first without one: NAN) through a view, after what the sequence holds: hooks of nigh_lm_score. */
NIGH_API nigh_status nigh_lambda_score(nigh_lambda *view, nigh_cache *cache, int sequence, const int32_t *tokens, int64_t count, double *log_p);

/* What a layer's heads did with distances from..to-1, and its queries that saw from+1..to keys. Bucket 0 is the trained length, each next one twice as far. */
typedef struct nigh_lambda_bucket_row {
    int64_t from, to;
    double largest;  /* largest |score| at these distances (the distance that was used, not that in the text) */
    double share;    /* of attention that went there, mean over heads and queries that saw such keys */
    double entropy;  /* of attention, nats, mean over heads and queries that saw so many keys */
    int64_t pairs, queries; /* counted, heads apart */
} nigh_lambda_bucket_row;

enum { NIGH_LAMBDA_BUCKETS = 16 };
/* False without profile, or beyond the last layer or bucket. NAN where nothing was counted. */
NIGH_API bool nigh_lambda_bucket(const nigh_lambda *view, int layer, int bucket, nigh_lambda_bucket_row *row);

#ifdef __cplusplus
}
#endif
#endif
