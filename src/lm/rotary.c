/* Rotary positions. Su et al., "RoFormer: enhanced transformer with rotary position embedding". Declared in lm/rotary.h. */
#include "lm/rotary.h"

#include "lm/rows.h"

#include <math.h>

void rotary_row(const model_turn *turn, int64_t p, float *c, float *s)
{
    for (int64_t i = 0; i < turn->count; i++) {
        double angle = (double)p * turn->frequency[i];
        c[i] = (float)cos(angle);
        s[i] = (float)sin(angle);
    }
}

void rotary_turn(const nigh_lm *lm, const model_turn *turn, const float *c, const float *s, int64_t heads, float *x)
{
    const rows_kernels *k = rows_kernels_now();
    for (int64_t h = 0; h < heads; h++, x += lm->info.head_size) {
        if (lm->kind->rotation == MODEL_ROTATE_PAIRS) k->rotate_pairs(turn->count, c, s, x);
        else k->rotate_halves(turn->count, c, s, x);
    }
}
