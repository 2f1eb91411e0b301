/* Cosines and sines of the rows of a pass. */
#ifndef NIGH_LM_ROTARY_H
#define NIGH_LM_ROTARY_H
#include "lm/model.h"

/* c, s [count of the turn] of position p: angles in double, so that positions of 1e9 turn as exactly as small ones. */
void rotary_row(const model_turn *turn, int64_t p, float *c, float *s);

/* Turns `heads` vectors of head_size numbers each, one after the other. */
void rotary_turn(const nigh_lm *lm, const model_turn *turn, const float *c, const float *s, int64_t heads, float *x);
#endif
