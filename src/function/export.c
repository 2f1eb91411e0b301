/* C99 text of a fitted core: the steps of core_kernel.inc, one number at a time; see export.h. */
#include "function/export.h"
#include "function/code.h"

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

/*
 * The file may be compiled or included; included, everything in it is static. The pragma inside the functions stops other
 * compilers than gcc, which ignores it, from contracting; but no product is an operand of a sum here, so that there is nothing to contract.
 */
static nigh_status head(const writer *w)
{
    const char *n = w->name;
    return nigh_buffer_print(w->text,
                             "/*\n"
                             " * %s_one(x) is one value; %s(n, in, out) fills out[0 .. n-1], which must not overlap in. Compile this file, or include it (then both\n"
                             " * are static). It is fast where fma is an instruction (-O3 -march=native; on x86 -mfma), and right everywhere.\n"
                             " *\n"
                             " * Every operation below is rounded once, to nearest (the default mode; no other may be set), and subnormal numbers are\n"
                             " * kept: neither flush-to-zero nor denormals-are-zero may be on. No sum has a product as operand, fma is written where one is\n"
                             " * meant: whether the compiler contracts or not, it makes the same operations and so the same bits.\n"
                             " */\n"
                             "#ifndef %s_INCLUDED\n#define %s_INCLUDED\n"
                             "#include <float.h>\n#include <math.h>\n#include <stdint.h>\n#include <string.h>\n\n"
                             "#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)\n"
                             "#error \"compile without -ffast-math: it breaks the stated error\"\n#endif\n"
                             "#if FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2\n"
                             "#error \"float and double must be evaluated in their own precision\"\n#endif\n"
                             "#ifndef %s_API\n#if defined(__INCLUDE_LEVEL__) && __INCLUDE_LEVEL__ > 0\n#define %s_API static inline\n"
                             "#else\n#define %s_API\n#endif\n#endif\n\n",
                             n, n, n, n, n, n, n);
}

/* The casts between bits and numbers that this core needs. */
static nigh_status casts(const writer *w)
{
    bool needed = w->core->reduction != FUNCTION_NONE || w->core->form == FUNCTION_TABLE;
    nigh_status status = NIGH_OK;
    if (needed)
        status = nigh_buffer_print(w->text, "static inline %s %s_bits(%s x)\n{\n    %s u;\n    memcpy(&u, &x, sizeof u);\n    return u;\n}\n\n",
                                   w->word, w->name, w->real, w->word);
    if (status == NIGH_OK && needed)
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
    nigh_status status = nigh_buffer_print(w->text, "static const %s %s_table[%d] = {\n", w->real, w->name, w->core->upper * w->core->lower);
    for (int i = 0; i < w->core->upper && status == NIGH_OK; i++) {
        status = nigh_buffer_print(w->text, "    ");
        for (int k = 0; k < w->core->lower && status == NIGH_OK; k++)
            status = nigh_buffer_print(w->text, "%s%s", k ? ", " : "", literal(w, number(w->core, (int64_t)i * w->core->lower + k), a));
        if (status == NIGH_OK) status = nigh_buffer_print(w->text, ",\n");
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
        h[0] = 0;
        if (w->core->reduction == FUNCTION_ROOT) word(w, ((uint64_t)1 << (w->bits - 1)) - 1, h);
        return nigh_buffer_print(w->text, "    %s u0 = (%s_bits(x)%s%s) + %s, h = u0 >> %d;\n    %s t = %s_real((u0 & %s) + %s);\n", u, n, h[0] ? " & " : "", h,
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

/* The index is clamped as an integer: compilers split clamps of numbers into branches, and such loops are not vectorised. */
static nigh_status lookup(const writer *w)
{
    const function_core *core = w->core;
    const char *n = w->name;
    char a[48], b[48];
    double magic = ldexp(3, w->mantissa - 1);
    uint64_t magic_bits = ((uint64_t)(w->bias + w->mantissa) << w->mantissa) | (uint64_t)1 << (w->mantissa - 1);
    nigh_status status;
    if (core->affine)
        status = nigh_buffer_print(w->text, "    const %s u = %s(%s, %s, %s);\n", w->real, w->fma, core->square ? "t * t" : "t",
                                   literal(w, core->scale, a), literal(w, core->shift, b));
    else if (core->square)
        status = nigh_buffer_print(w->text, "    const %s u = %s(t, t, 0);\n", w->real, w->fma); /* no bare product: u goes into a difference */
    else
        status = nigh_buffer_print(w->text, "    const %s u = t;\n", w->real);
    if (status != NIGH_OK) return status;
    status = nigh_buffer_print(w->text,
                               "    int%d_t at = (int%d_t)(%s_bits(u + %s) - %s);\n    at = at > 0 ? at : 0;\n    at = at < %d ? at : %d;\n"
                               "    const %s part = u - (%s_real((%s)at + %s) - %s);\n    at *= %d;\n    %s value = %s_table[at + %d];\n",
                               w->bits, w->bits, n, literal(w, magic, a), word(w, magic_bits, b), core->upper - 1, core->upper - 1, w->real, n, w->word, b,
                               a, core->lower, w->real, n, core->lower - 1);
    for (int k = core->lower - 2; k >= 0 && status == NIGH_OK; k--)
        status = nigh_buffer_print(w->text, "    value = %s(value, part, %s_table[at + %d]);\n", w->fma, n, k);
    return status;
}

/* Whether reconstruction adds something to the core's value. */
static bool adds(const function_core *core)
{
    return core->reduction == FUNCTION_MIRROR || core->reduction == FUNCTION_RELU;
}

/* Operand `i` of a code as C: the argument, a constant, or the name of a step. */
static const char *operand(const writer *w, const function_code *code, int i, char out[48])
{
    if (i == 0) return "t";
    if (i <= code->constants) return literal(w, code->constant[i - 1], out);
    if (i == code->constants + code->steps) return "value";
    snprintf(out, 48, "v%d", i - code->constants);
    return out;
}

/* A product as fma(a, b, 0) has the same bits, up to the sign of a zero, and cannot be contracted with the sum that it goes into. */
static nigh_status step(const writer *w, const function_code *code, int i)
{
    static const char *const sign[CODE_FMA] = {" + ", " - ", " * ", " / "};
    const function_code_step *s = &code->step[i];
    char a[48], b[48], c[48], name[48];
    bool last = i == code->steps - 1, shield = last && s->op == CODE_MUL && adds(w->core) && !w->core->factor;
    const char *left = operand(w, code, s->a, a), *right = operand(w, code, s->b, b);
    nigh_status status = nigh_buffer_print(w->text, "    const %s %s = ", w->real, operand(w, code, 1 + code->constants + i, name));
    if (status != NIGH_OK) return status;
    if (shield) status = nigh_buffer_print(w->text, "%s(%s, %s, 0)", w->fma, left, right);
    else if (s->op < CODE_FMA) status = nigh_buffer_print(w->text, "%s%s%s", left, sign[s->op], right);
    else
        status = nigh_buffer_print(w->text, "%s(%s%s, %s, %s%s)", w->fma, s->op == CODE_FNMA ? "- " : "", left, right, s->op == CODE_FMS ? "- " : "",
                                   operand(w, code, s->c, c)); /* a blank, for constants have signs of their own */
    return status == NIGH_OK ? nigh_buffer_print(w->text, ";\n") : status;
}

/* The value before a factor: that goes into reconstruction, which may need it in an fma. */
static nigh_status form(const writer *w)
{
    function_core bare = *w->core;
    function_code code;
    char a[48];
    bare.factor = false;
    if (bare.form == FUNCTION_TABLE) return lookup(w);
    if (!function_core_code(&bare, &code)) return NIGH_UNSUPPORTED;
    if (code.steps == 0) return nigh_buffer_print(w->text, "    const %s value = %s;\n", w->real, literal(w, code.constant[code.constants - 1], a));
    nigh_status status = NIGH_OK;
    for (int i = 0; i < code.steps && status == NIGH_OK; i++) status = step(w, &code, i);
    return status;
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
    case FUNCTION_MIRROR: /* without branches: loops over it become vectors */
        if (w->core->factor) return nigh_buffer_print(w->text, "    const %s mirrored = %s(-t, value, 1);\n    return x < 0 ? y : mirrored;\n", w->real, f);
        return nigh_buffer_print(w->text, "    const %s mirrored = 1 - y;\n    return x < 0 ? y : mirrored;\n", w->real);
    default:
        return nigh_buffer_print(w->text, "    return y;\n");
    }
}

static const char pragma[] = "#if !defined(__GNUC__) || defined(__clang__)\n#pragma STDC FP_CONTRACT OFF\n#endif\n";

nigh_status function_core_export(nigh_context *ctx, const function_core *core, const char *name, nigh_buffer *text)
{
    bool f32 = core->type == NIGH_F32;
    writer w = {text, core, name, f32 ? "float" : "double", f32 ? "uint32_t" : "uint64_t", f32 ? "fmaf" : "fma", f32 ? "f" : "",
                f32 ? 23 : 52, f32 ? 127 : 1023, f32 ? 32 : 64};
    nigh_status (*const part[])(const writer *) = {reduce, form, rebuild};
    nigh_status status = head(&w);
    if (status == NIGH_OK) status = casts(&w);
    if (status == NIGH_OK) status = table(&w);
    if (status == NIGH_OK) status = nigh_buffer_print(text, "static inline %s %s_one(%s x)\n{\n%s", w.real, name, w.real, pragma);
    for (int i = 0; i < 3 && status == NIGH_OK; i++) status = part[i](&w);
    if (status != NIGH_OK) return status;
    return nigh_buffer_print(text,
                             "}\n\n%s_API void %s(long n, const %s *restrict in, %s *restrict out);\n\n"
                             "%s_API void %s(long n, const %s *restrict in, %s *restrict out)\n{\n"
                             "    for (long i = 0; i < n; i++) out[i] = %s_one(in[i]);\n}\n#endif\n",
                             name, name, w.real, w.real, name, name, w.real, w.real, name);
}
