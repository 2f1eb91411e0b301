/* What the claim of lm-infinite is measured on: a model, texts it was not trained on, and scores of their ends. */
#ifndef NIGH_CLAIMS_LM_INFINITE_PARTS_H
#define NIGH_CLAIMS_LM_INFINITE_PARTS_H
#include "../common.h"
#include "nigh/lm_infinite.h"

typedef struct subject {
    nigh_lm *lm;
    int32_t *tokens; /* not trained on */
    int64_t count;
    nigh_lm_infinite settings;
    int64_t texts, tail, longest; /* how many texts are looked at, how many tokens at the end of each; all end where texts of `longest` tokens do */
} subject;

/* A small model of bytes, trained here (quick) or kept in the store. */
nigh_status subject_own(claim_run *run, subject *s);
/* A model's file in the folder NIGH_MODELS with a real text; lm NULL when one of them is not there, which a note says. */
nigh_status subject_real(claim_run *run, const char *file, subject *s);
void subject_free(claim_run *run, subject *s);

/* log p of the tails of all texts of `length` tokens, [texts][tail]. */
nigh_status subject_scores(claim_run *run, const subject *s, nigh_long_method method, int64_t length, double *log_p);
/* Their mean, as nats per token; of the last `tail` tokens of each text. */
nigh_status subject_loss(claim_run *run, const subject *s, nigh_long_method method, int64_t length, double *nats);

nigh_status speed_bars(claim_run *run, const subject *s);
nigh_status real_bars(claim_run *run);
#endif
