/*
 * An engine without a model for tests of generators: the logits after a text are a fixed function of its last tokens. It keeps the tokens of each
 * sequence, checks what it is asked against the contract of nigh/lm.h, and fails on demand.
 */
#ifndef NIGH_TEST_FAKE_ENGINE_H
#define NIGH_TEST_FAKE_ENGINE_H
#include "generate/generator.h"

enum { FAKE_SEQUENCES = 64, FAKE_VOCABULARY = 258 };

typedef struct fake_sequence {
    bool used;
    int64_t length, shared;
    int32_t token[4096];
} fake_sequence;

typedef struct fake_engine {
    nigh_context *ctx;
    nigh_tokenizer *tokenizer;
    fake_sequence *sequence; /* [FAKE_SEQUENCES] */
    int64_t most;            /* tokens of all sequences, 0: no bound */
    int fail_run, fail_accept; /* so many calls from now; 0: never */
    double nan_at;             /* share of logit rows that are NaN once; 0 */
    const int32_t *script;     /* text that the model likes to go on with, or NULL */
    int64_t script_count, script_context; /* after so many tokens of it */
    bool flat;                 /* the text wanders: little repeats itself */
    int64_t runs, rows, most_rows, fed, forks;
    /* of the last pass with drafts */
    nigh_lm_row *row;
    int64_t row_count;
} fake_engine;

void fake_engine_begin(fake_engine *f, generator_engine *engine);
void fake_engine_end(fake_engine *f); /* fails the test when sequences are left */
/* The logits after a text, [FAKE_VOCABULARY]. */
void fake_logits(const fake_engine *f, const int32_t *text, int64_t count, float *logits);
#endif
