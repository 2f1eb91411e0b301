/* Gates of feed-forward layers: silu and both forms of gelu. Declared in tensor/quant_layout.h. */
#include "tensor/quant_layout.h"

#include <math.h>

/* exp of t in [-87, 88], 1.2 units in the last place: t = n log 2 + r, a polynomial of degree 6 in r. */
static float expo(float t)
{
    if (t != t) return t;
    t = t < -87 ? -87 : t > 88 ? 88 : t;
    float n = rintf(t * 0x1.715476p+0f), r = fmaf(n, -0x1.62e4p-1f, t);
    r = fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = fmaf(r, 0x1.6c16c2p-10f, 0x1.111112p-7f);
    p = fmaf(p, r, 0x1.555556p-5f);
    p = fmaf(p, r, 0x1.555556p-3f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.f);
    p = fmaf(p, r, 1.f);
    uint32_t bits;
    memcpy(&bits, &p, 4);
    bits += (uint32_t)(int32_t)n << 23;
    memcpy(&p, &bits, 4);
    return p;
}

void quant_gates(quant_gate gate, int64_t n, float *y)
{
    for (int64_t i = 0; i < n; i++) {
        float x = y[i], u = x;
        if (gate == QUANT_GELU) {
            y[i] = 0.5f * x * erfcf(x * -0x1.6a09e6p-1f);
            continue;
        }
        if (gate == QUANT_GELU_TANH) u = x * 0x1.988454p+0f * fmaf(x * x, 0x1.6e4e26p-5f, 1.f); /* 2 sqrt(2 / pi) (x + 0.044715 x^3) */
        y[i] = x / (1.f + expo(-u));
    }
}
