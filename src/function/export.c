/* C99 text of a fitted core: the steps of core_kernel.inc, one number at a time; see export.h. */
#include "function/export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct writer {
    nigh_buffer *text;
    const function_core *core;
    const char *name;
    const char *real, *word, *fma, *suffix; /* "float", "uint32_t", "fmaf", "f" */
    int mantissa, bias, bits;
} writer;

static const char *literal(const writer *w, double x, char out[48])
{
    snprintf(out, 48, "%a%s", x, w->suffix);
    for (char *c = out; *c; c++)
        if (*c == ',') *c = '.'; /* the locale's point */
    return out;
}

static nigh_status head(const writer *w)
{
    return nigh_buffer_print(w->text,
                             "#include <float.h>\n#include <math.h>\n#include <stdint.h>\n#include <string.h>\n\n"
                             "/* The steps below are exact IEEE operations, rounding to nearest (the default mode). */\n"
                             "#if defined(__FAST_MATH__)\n#error \"compile without -ffast-math: it breaks the stated error\"\n#endif\n"
                             "#if FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2\n"
                             "#error \"float and double must be evaluated in their own precision\"\n#endif\n\n");
}

/* The casts between bits and numbers that this core needs. */
static nigh_status casts(const writer *w)
{
    bool reduced = w->core->reduction != FUNCTION_NONE;
    nigh_status status = NIGH_OK;
    if (reduced || w->core->form == FUNCTION_TABLE)
        status = nigh_buffer_print(w->text, "static inline %s %s_bits(%s x)\n{\n    %s u;\n    memcpy(&u, &x, sizeof u);\n    return u;\n}\n\n",
                                   w->word, w->name, w->real, w->word);
    if (status == NIGH_OK && reduced)
        status = nigh_buffer_print(w->text, "static inline %s %s_real(%s u)\n{\n    %s x;\n    memcpy(&x, &u, sizeof x);\n    return x;\n}\n\n",
                                   w->real, w->name, w->word, w->real);
    return status;
}

static double number(const function_core *core, int64_t i)
{
    return core->type == NIGH_F32 ? (double)((const float *)core->data)[i] : ((const double *)core->data)[i];
}

static nigh_status table(const writer *w)
{
    char a[48];
    if (w->core->form != FUNCTION_TABLE) return NIGH_OK;
    nigh_status status = nigh_buffer_print(w->text, "static const %s %s_table[%d][%d] = {\n", w->real, w->name, w->core->upper, w->core->lower);
    for (int i = 0; i < w->core->upper && status == NIGH_OK; i++) {
        status = nigh_buffer_print(w->text, "    {");
        for (int k = 0; k < w->core->lower && status == NIGH_OK; k++)
            status = nigh_buffer_print(w->text, "%s%s", k ? ", " : "", literal(w, number(w->core, (int64_t)i * w->core->lower + k), a));
        if (status == NIGH_OK) status = nigh_buffer_print(w->text, "},\n");
    }
    return status == NIGH_OK ? nigh_buffer_print(w->text, "};\n\n") : status;
}

/* A word as hexadecimal literal. */
static const char *word(const writer *w, uint64_t u, char out[48])
{
    snprintf(out, 48, w->bits == 32 ? "UINT32_C(0x%llx)" : "UINT64_C(0x%llx)", (unsigned long long)u);
    return out;
}

static nigh_status reduce(const writer *w)
{
    const double *c = w->core->constant;
    const char *r = w->real, *u = w->word, *f = w->fma, *n = w->name;
    uint64_t one = (uint64_t)w->bias << w->mantissa, half_root = w->bits == 32 ? UINT64_C(0x3f3504f3) : UINT64_C(0x3fe6a09e667f3bcc);
    double magic = ldexp(3, w->mantissa - 1);
    char a[48], b[48], d[48], e[48], g[48], h[48];
    switch (w->core->reduction) {
    case FUNCTION_SCALED:
        return nigh_buffer_print(w->text, "    %s s = %s(x, %s, %s), k = s - %s;\n    %s t = %s(k, %s, %s(k, %s, x));\n", r, f, literal(w, c[0], a),
                                 literal(w, magic, b), b, r, f, literal(w, c[2], d), f, literal(w, c[1], e));
    case FUNCTION_BINADE:
        return nigh_buffer_print(w->text,
                                 "    %s u0 = %s_bits(x) + %s;\n    %s k = %s_real((u0 >> %d) + %s) - %s;\n"
                                 "    %s t = %s_real((u0 & %s) + %s) - 1;\n",
                                 u, n, word(w, one - half_root, a), r, n, w->mantissa,
                                 word(w, (uint64_t)(w->bias + w->mantissa) << w->mantissa, b), literal(w, ldexp(1, w->mantissa) + w->bias, d), r,
                                 n, word(w, ((uint64_t)1 << w->mantissa) - 1, e), word(w, half_root, g));
    case FUNCTION_TURNS:
        return nigh_buffer_print(w->text,
                                 "    %s s = %s(x, %s, %s) + %s, k = (s - %s) - %s;\n"
                                 "    %s t = %s(k, %s, %s(k, %s, %s(k, %s, x)));\n",
                                 r, f, literal(w, c[0], a), literal(w, c[4], b), literal(w, magic, d), d, b, r, f, literal(w, c[3], e), f,
                                 literal(w, c[2], g), f, literal(w, c[1], h));
    case FUNCTION_ROOT:
    case FUNCTION_INVERSE_ROOT:
        return nigh_buffer_print(w->text, "    %s u0 = %s_bits(x) + %s, h = u0 >> %d;\n    %s t = %s_real((u0 & %s) + %s);\n", u, n,
                                 word(w, (uint64_t)2 << w->mantissa, a), w->mantissa + 1, r, n, word(w, ((uint64_t)2 << w->mantissa) - 1, b),
                                 word(w, (uint64_t)(w->bias - 1) << w->mantissa, d));
    case FUNCTION_ODD:
    case FUNCTION_MIRROR:
    case FUNCTION_RELU:
        return nigh_buffer_print(w->text, "    %s m = %s_real(%s_bits(x) & %s), t = %s < m ? %s : m;\n", r, n, n,
                                 word(w, ((uint64_t)1 << (w->bits - 1)) - 1, a), literal(w, c[0], b), b);
    default:
        return nigh_buffer_print(w->text, "    %s t = x;\n", r);
    }
}

static nigh_status horner(const writer *w, const char *sum, int first, int count)
{
    char a[48];
    nigh_status status = nigh_buffer_print(w->text, "    %s %s = %s;\n", w->real, sum, literal(w, number(w->core, first + count - 1), a));
    for (int k = count - 2; k >= 0 && status == NIGH_OK; k--)
        status = nigh_buffer_print(w->text, "    %s = %s(%s, u, %s);\n", sum, w->fma, sum, literal(w, number(w->core, first + k), a));
    return status;
}

static nigh_status lookup(const writer *w)
{
    char a[48], b[48];
    double magic = ldexp(3, w->mantissa - 1);
    uint64_t magic_bits = ((uint64_t)(w->bias + w->mantissa) << w->mantissa) | (uint64_t)1 << (w->mantissa - 1);
    nigh_status status = nigh_buffer_print(w->text,
                                           "    %s c = u > 0 ? u : 0;\n    c = c < %d ? c : %d;\n    %s j = c + %s, part = u - (j - %s);\n"
                                           "    const %s *piece = %s_table[%s_bits(j) - %s];\n    %s value = piece[%d];\n",
                                           w->real, w->core->upper - 1, w->core->upper - 1, w->real, literal(w, magic, a), a, w->real, w->name,
                                           w->name, word(w, magic_bits, b), w->real, w->core->lower - 1);
    for (int k = w->core->lower - 2; k >= 0 && status == NIGH_OK; k--)
        status = nigh_buffer_print(w->text, "    value = %s(value, part, piece[%d]);\n", w->fma, k);
    return status;
}

static nigh_status form(const writer *w)
{
    const function_core *core = w->core;
    const char *v = core->square ? "t * t" : "t";
    char a[48], b[48];
    nigh_status status;
    if (core->affine)
        status = nigh_buffer_print(w->text, "    %s u = %s(%s, %s, %s);\n", w->real, w->fma, v, literal(w, core->scale, a), literal(w, core->shift, b));
    else
        status = nigh_buffer_print(w->text, "    %s u = %s;\n", w->real, v);
    if (status != NIGH_OK) return status;
    if (core->form == FUNCTION_TABLE) return lookup(w);
    if (core->upper == 1 && core->lower <= 1) status = nigh_buffer_print(w->text, "    (void)u;\n");
    if (status == NIGH_OK) status = horner(w, "value", 0, core->upper);
    if (status != NIGH_OK || core->form != FUNCTION_RATIONAL) return status;
    status = horner(w, "below", core->upper, core->lower);
    return status == NIGH_OK ? nigh_buffer_print(w->text, "    value = value / below;\n") : status;
}

static nigh_status rebuild(const writer *w)
{
    const double *c = w->core->constant;
    const char *n = w->name, *f = w->fma, *u = w->word;
    char a[48], b[48], d[48];
    uint64_t sign = (uint64_t)1 << (w->bits - 1);
    uint64_t magic_bits = ((uint64_t)(w->bias + w->mantissa) << w->mantissa) | (uint64_t)1 << (w->mantissa - 1);
    if (w->core->reduction == FUNCTION_RELU) {
        nigh_status status = nigh_buffer_print(w->text, "    %s base = x > 0 ? x : 0;\n", w->real);
        if (status != NIGH_OK) return status;
        if (w->core->factor) return nigh_buffer_print(w->text, "    return %s(t, value, base);\n", f);
        return nigh_buffer_print(w->text, "    return base + value;\n");
    }
    nigh_status status = nigh_buffer_print(w->text, "    %s y = %s;\n", w->real, w->core->factor ? "t * value" : "value");
    if (status != NIGH_OK) return status;
    switch (w->core->reduction) {
    case FUNCTION_SCALED:
        return nigh_buffer_print(w->text,
                                 "    %s i = %s_bits(s) - %s + 4096, h = i >> 1;\n"
                                 "    return y * %s_real((h + %s) << %d) * %s_real((i - h + %s) << %d);\n",
                                 u, n, word(w, magic_bits, a), n, word(w, w->bits == 32 ? (uint32_t)(w->bias - 2048) : (uint64_t)(w->bias - 2048), b),
                                 w->mantissa, n, b, w->mantissa);
    case FUNCTION_BINADE:
        return nigh_buffer_print(w->text, "    y = %s(k, %s, %s(k, %s, y));\n    return x == x ? y : x;\n", f, literal(w, c[0], a), f,
                                 literal(w, c[1], b));
    case FUNCTION_TURNS:
        return nigh_buffer_print(w->text, "    return %s_real(%s_bits(y) ^ (%s_bits(s) << %d) ^ %s);\n", n, n, n, w->bits - 1,
                                 word(w, c[5] != 0 ? sign : 0, a));
    case FUNCTION_ROOT:
        return nigh_buffer_print(w->text, "    return x == x ? y * %s_real((h + %s) << %d) : x;\n", n,
                                 word(w, (uint64_t)(w->bias - (w->bias + 1) / 2), d), w->mantissa);
    case FUNCTION_INVERSE_ROOT:
        return nigh_buffer_print(w->text, "    return x == x ? y * %s_real((%s - h) << %d) : x;\n", n,
                                 word(w, (uint64_t)(w->bias + (w->bias + 1) / 2), d), w->mantissa);
    case FUNCTION_ODD:
        return nigh_buffer_print(w->text, "    return %s_real(%s_bits(y) ^ (%s_bits(x) & %s));\n", n, n, n, word(w, sign, a));
    case FUNCTION_MIRROR:
        return nigh_buffer_print(w->text, "    return x < 0 ? y : 1 - y;\n");
    default:
        return nigh_buffer_print(w->text, "    return y;\n");
    }
}

nigh_status function_core_export(nigh_context *ctx, const function_core *core, const char *name, nigh_buffer *text)
{
    bool f32 = core->type == NIGH_F32;
    writer w = {text, core, name, f32 ? "float" : "double", f32 ? "uint32_t" : "uint64_t", f32 ? "fmaf" : "fma", f32 ? "f" : "",
                f32 ? 23 : 52, f32 ? 127 : 1023, f32 ? 32 : 64};
    nigh_status (*const part[])(const writer *) = {reduce, form, rebuild};
    nigh_status status = head(&w);
    if (status == NIGH_OK) status = casts(&w);
    if (status == NIGH_OK) status = table(&w);
    if (status == NIGH_OK) status = nigh_buffer_print(text, "static inline %s %s_one(%s x)\n{\n", w.real, name, w.real);
    for (int i = 0; i < 3 && status == NIGH_OK; i++) status = part[i](&w);
    if (status != NIGH_OK) return status;
    return nigh_buffer_print(text,
                             "}\n\nvoid %s(long n, const %s *in, %s *out);\n\nvoid %s(long n, const %s *in, %s *out)\n{\n"
                             "    for (long i = 0; i < n; i++) out[i] = %s_one(in[i]);\n}\n",
                             name, w.real, w.real, name, w.real, w.real, name);
}
