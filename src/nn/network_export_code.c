/* The functions that exported steps call. Declared in nn/network_export.h. */
#include "nn/network_export.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void export_put(export_writer *w, const char *text)
{
    for (size_t n; *text && !w->status; text += n) {
        n = strcspn(text, "@$");
        if (n) w->status = nigh_buffer_add(w->text, text, n);
        else export_print(w, "%s", *text == '@' ? w->name : w->real), n = 1;
    }
}

static const char vectors_code[] =
    "#if defined(__GNUC__)\n#define @_FN static inline __attribute__((unused))\n#define @_IN static inline __attribute__((unused, always_inline))\n#define @_OUT static __attribute__((unused, noinline))\n"
    "#else\n#define @_FN static\n#define @_IN static\n#define @_OUT static\n#endif\n"
    "#if defined(__GNUC__) && !defined(__clang__)\n#define @_NOALIAS _Pragma(\"GCC ivdep\")\n#else\n#define @_NOALIAS\n#endif\n\n"
    "/* Vectors of @_L numbers; without GNU C they are of one. */\n"
    "#if defined(__GNUC__) && defined(__AVX512F__)\n#define @_L (64 / (int)sizeof($))\n#elif defined(__GNUC__) && defined(__AVX__)\n"
    "#define @_L (32 / (int)sizeof($))\n#elif defined(__GNUC__)\n#define @_L (16 / (int)sizeof($))\n#else\n#define @_L 1\n#endif\n"
    "#if defined(__GNUC__) && defined(__AVX512F__)\ntypedef $ @_v __attribute__((vector_size(64)));\n#elif defined(__GNUC__) && defined(__AVX__)\n"
    "typedef $ @_v __attribute__((vector_size(32)));\n#elif defined(__GNUC__)\ntypedef $ @_v __attribute__((vector_size(16)));\n#else\ntypedef $ @_v;\n#endif\n\n"
    "@_FN @_v @_load(const $ *p)\n{\n    @_v v;\n    memcpy(&v, p, sizeof v);\n    return v;\n}\n\n"
    "@_FN void @_store($ *p, @_v v) { memcpy(p, &v, sizeof v); }\n\n";

/* 2^n exp(r): |r| <= log(2) / 2, Taylor series to r^7. The two halves of n keep subnormal and huge results right. */
static const char math_single[] =
    "@_IN float @_bits_to(int32_t i)\n{\n    float f;\n    memcpy(&f, &i, sizeof f);\n    return f;\n}\n\n"
    "@_IN int32_t @_bits_of(float f)\n{\n    int32_t i;\n    memcpy(&i, &f, sizeof i);\n    return i;\n}\n\n"
    "@_IN float @_exp(float x)\n{\n    float c = x < -104.f ? -104.f : x;\n    c = c > 89.f ? 89.f : c;\n"
    "    float s = c * 0x1.715476p0f + 0x1.8p23f, n = s - 0x1.8p23f;\n    int32_t k = @_bits_of(s) - 0x4b400000, h = k >> 1;\n"
    "    float r = (c - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;\n"
    "    float p = 1.f + r * (1.f + r * (.5f + r * (0x1.555556p-3f + r * (0x1.555556p-5f + r * (0x1.111112p-7f + r * (0x1.6c16c2p-10f + r * 0x1.a01a02p-13f))))));\n"
    "    return p * @_bits_to((h + 127) << 23) * @_bits_to((k - h + 127) << 23);\n}\n\n"
    "/* log(1 + u) for 0 <= u <= 1: 2 atanh(u / (2 + u)). */\n"
    "@_IN float @_log1p_unit(float u)\n{\n    float t = u / (2 + u), q = t * t;\n"
    "    return 2 * t * (1 + q * (0x1.555556p-2f + q * (0x1.99999ap-3f + q * (0x1.24924ap-3f + q * (0x1.c71c72p-4f + q * (0x1.745d18p-4f + q * 0x1.3b13b2p-4f))))));\n}\n\n"
    "/* A continued fraction near 0. */\n"
    "@_IN float @_tanh(float x)\n{\n    float q = x * x, near = x * (945.f + q * (105.f + q)) / (945.f + q * (420.f + q * 15.f));\n"
    "    float far = 1 - 2 / (@_exp(2 * fabsf(x)) + 1);\n    return q < .25f ? near : x < 0 ? -far : far;\n}\n\n"
    "/* \"Handbook of Mathematical Functions\", 7.1.26: within 1.5e-7; its series near 0. */\n"
    "@_IN float @_erf(float x)\n{\n    float a = fabsf(x), t = 1 / (1 + 0.3275911f * a), q = x * x;\n"
    "    float far = 1 - t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) * @_exp(-q);\n"
    "    float near = x * (1.128379167f - q * (0.376126389f - q * (0.112837917f - q * (0.026866171f - q * 0.005223978f))));\n"
    "    return a < .3f ? near : x < 0 ? -far : far;\n}\n\n"
    "@_IN float @_gelu(float x) { return .5f * x * (1 + @_erf(x * 0x1.6a09e6p-1f)); }\n\n"
    "@_IN float @_softplus(float x) { return (x > 0 ? x : 0) + @_log1p_unit(@_exp(-fabsf(x))); }\n\n";

/*
 * sin(pi / 2 (n + r)), |r| <= 1/2: n and r by doubles, whose product with 2 / pi is right to 2^-22 of r up to |x| = 2^30; Taylor series of the sine to r^9 and of
 * the cosine to r^10.
 */
static const char sines_single[] =
    "@_IN float @_quarter(float x, int32_t turn)\n{\n    double y = (double)x * 0x1.45f306dc9c883p-1, s = y + 0x1.8p52, n = s - 0x1.8p52;\n    int64_t bits;\n    memcpy(&bits, &s, sizeof bits);\n"
    "    float r = (float)((y - n) * 0x1.921fb54442d18p0), q = r * r;\n    int32_t k = (int32_t)bits + turn;\n"
    "    float odd = r * (1.f + q * (-0x1.555556p-3f + q * (0x1.111112p-7f + q * (-0x1.a01a02p-13f + q * 0x1.71de3ap-19f))));\n"
    "    float even = 1.f + q * (-.5f + q * (0x1.555556p-5f + q * (-0x1.6c16c2p-10f + q * (0x1.a01a02p-16f - q * 0x1.27e4fcp-22f))));\n"
    "    float v = k & 1 ? even : odd;\n    return k & 2 ? -v : v;\n}\n\n"
    "@_IN float @_sin(float x) { return @_quarter(x, 0); }\n@_IN float @_cos(float x) { return @_quarter(x, 1); }\n\n";

static const char sines_double[] = "@_IN double @_sin(double x) { return sin(x); }\n@_IN double @_cos(double x) { return cos(x); }\n\n";

static const char math_double[] =
    "@_IN double @_exp(double x) { return exp(x); }\n@_IN double @_tanh(double x) { return tanh(x); }\n"
    "@_IN double @_erf(double x) { return erf(x); }\n@_IN double @_gelu(double x) { return x / 2 * (1 + erf(x * 0x1.6a09e667f3bcdp-1)); }\n"
    "@_IN double @_softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }\n\n";

static void put_line(export_writer *w, const char *format, ...) NIGH_PRINTF(2, 3);
static void put_line(export_writer *w, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    export_put(w, line);
}

/* Not inlined, so that registers are theirs alone. R rows by one vector or two, of sums over segments of a: what a convolution reads of each row of its input. */
static void put_rows(export_writer *w, int rows, int vectors)
{
    put_line(w, "@_OUT void @_rows%dx%d(long segments, const long *segment, long k, const $ *a, long ar, long ac, const $ *b, long step, const $ *start, $ *c, long cr)\n{\n", rows,
             vectors);
    put_line(w, "    @_v p0 = @_load(start)%s", vectors == 2 ? ", q0 = @_load(start + @_L)" : "");
    for (int r = 1; r < rows; r++) put_line(w, vectors == 2 ? ", p%d = p0, q%d = q0" : ", p%d = p0", r, r);
    put_line(w, ";\n    for (long s = 0; s < segments; s++) {\n        const $ *from = a + segment[s];\n        for (long i = 0; i < k; i++, from += ac, b += step) {\n");
    put_line(w, "            const @_v u = @_load(b)%s;\n", vectors == 2 ? ", v = @_load(b + @_L)" : "");
    for (int r = 0; r < rows; r++) {
        put_line(w, "            p%d += from[%d * ar] * u", r, r);
        put_line(w, vectors == 2 ? ", q%d += from[%d * ar] * v;\n" : ";\n", r, r);
    }
    put_line(w, "        }\n    }\n");
    for (int r = 0; r < rows; r++) {
        put_line(w, "    @_store(c + %d * cr, p%d)", r, r);
        put_line(w, vectors == 2 ? ", @_store(c + %d * cr + @_L, q%d);\n" : ";\n", r, r);
    }
    put_line(w, "}\n\n");
}

/* One row: k in four parts, so that sums do not wait for each other. */
static const char one_row[] =
    "@_OUT void @_rows1x2(long segments, const long *segment, long k, const $ *a, long ar, long ac, const $ *b, long step, const $ *start, $ *c, long cr)\n{\n"
    "    @_v p0 = @_load(start), q0 = @_load(start + @_L), p1 = p0 - p0, q1 = p1, p2 = p1, q2 = p1, p3 = p1, q3 = p1;\n    (void)ar, (void)cr;\n"
    "    for (long s = 0; s < segments; s++) {\n        const $ *from = a + segment[s];\n        long i = 0;\n"
    "        for (; i + 4 <= k; i += 4, from += 4 * ac, b += 4 * step) {\n"
    "            p0 += from[0] * @_load(b), q0 += from[0] * @_load(b + @_L);\n"
    "            p1 += from[ac] * @_load(b + step), q1 += from[ac] * @_load(b + step + @_L);\n"
    "            p2 += from[2 * ac] * @_load(b + 2 * step), q2 += from[2 * ac] * @_load(b + 2 * step + @_L);\n"
    "            p3 += from[3 * ac] * @_load(b + 3 * step), q3 += from[3 * ac] * @_load(b + 3 * step + @_L);\n        }\n"
    "        for (; i < k; i++, from += ac, b += step) p0 += from[0] * @_load(b), q0 += from[0] * @_load(b + @_L);\n    }\n"
    "    @_store(c, (p0 + p1) + (p2 + p3)), @_store(c + @_L, (q0 + q1) + (q2 + q3));\n}\n\n"
    "@_OUT void @_rows1x1(long segments, const long *segment, long k, const $ *a, long ar, long ac, const $ *b, long step, const $ *start, $ *c, long cr)\n{\n"
    "    @_v p0 = @_load(start), p1 = p0 - p0, p2 = p1, p3 = p1;\n    (void)ar, (void)cr;\n"
    "    for (long s = 0; s < segments; s++) {\n        const $ *from = a + segment[s];\n        long i = 0;\n"
    "        for (; i + 4 <= k; i += 4, from += 4 * ac, b += 4 * step) {\n"
    "            p0 += from[0] * @_load(b), p1 += from[ac] * @_load(b + step);\n"
    "            p2 += from[2 * ac] * @_load(b + 2 * step), p3 += from[3 * ac] * @_load(b + 3 * step);\n        }\n"
    "        for (; i < k; i++, from += ac, b += step) p0 += from[0] * @_load(b);\n    }\n"
    "    @_store(c, (p0 + p1) + (p2 + p3));\n}\n\n";

static const char product[] =
    "/* c [m, n] = bias + the sum over segments of a and k of a b; b in panels, `panel` apart, whose rows are `step` apart. */\n"
    "@_FN void @_segments(long m, long n, long segments, const long *segment, long k, const $ *a, long ar, long ac, const $ *b, long step, long panel, const $ *bias, $ *c, long cr)\n{\n"
    "    for (long j = 0; j < n; j += 32, b += panel) {\n        $ start[32], edge[8 * 32];\n"
    "        for (long l = 0; l < 32; l++) start[l] = bias && j + l < n ? bias[j + l] : 0;\n"
    "        for (long h = 0; h < 32 && j + h < n; h += 2 * @_L) {\n            long cols = n - j - h < 2 * @_L ? n - j - h : 2 * @_L;\n"
    "            int one = cols <= @_L, whole = cols == (one ? @_L : 2 * @_L);\n"
    "            for (long i = 0, rows; i < m; i += rows) {\n                rows = m - i >= 8 && (one || @_L * sizeof($) == 64) ? 8 : m - i >= 4 ? 4 : 1;\n"
    "                const $ *from = a + i * ar;\n                $ *to = whole ? c + i * cr + j + h : edge;\n                long apart = whole ? cr : 32;\n"
    "                if (one && rows == 8) @_rows8x1(segments, segment, k, from, ar, ac, b + h, step, start + h, to, apart);\n"
    "                else if (rows == 8) @_rows8x2(segments, segment, k, from, ar, ac, b + h, step, start + h, to, apart);\n"
    "                else if (one && rows == 4) @_rows4x1(segments, segment, k, from, ar, ac, b + h, step, start + h, to, apart);\n"
    "                else if (rows == 4) @_rows4x2(segments, segment, k, from, ar, ac, b + h, step, start + h, to, apart);\n"
    "                else if (one) @_rows1x1(segments, segment, k, from, ar, ac, b + h, step, start + h, to, apart);\n"
    "                else @_rows1x2(segments, segment, k, from, ar, ac, b + h, step, start + h, to, apart);\n"
    "                for (long r = 0; r < rows && !whole; r++)\n                    for (long l = 0; l < cols; l++) c[(i + r) * cr + j + h + l] = edge[r * 32 + l];\n"
    "            }\n        }\n    }\n}\n\n"
    "@_FN void @_product(long m, long n, long k, const $ *a, long ar, long ac, const $ *b, long step, long panel, const $ *bias, $ *c, long cr)\n{\n"
    "    const long all[1] = {0};\n    @_segments(m, n, 1, all, k, a, ar, ac, b, step, panel, bias, c, cr);\n}\n\n"
    "@_FN void @_pack(long k, long n, const $ *b, long row, long column, $ *to)\n{\n    const long width = n <= 16 ? 16 : 32;\n    for (long j = 0; j < n; j += width)\n"
    "        for (long i = 0; i < k; i++, to += width)\n            for (long l = 0; l < width; l++) to[l] = j + l < n ? b[i * row + (j + l) * column] : 0;\n}\n\n";

/* Sums in vectors; the largest in four parts: the order of its comparisons is no compiler's to change. */
static const char parts_code[] =
    "/* exp(x - top), apart from its callers, where compilers see that it is a loop for vectors. x may be y. */\n"
    "@_OUT void @_exps(long n, const $ *x, $ top, $ *y)\n{\n    if (x == y)\n        for (long i = 0; i < n; i++) y[i] = @_exp(y[i] - top);\n"
    "    else\n        for (long i = 0; i < n; i++) y[i] = @_exp(x[i] - top);\n}\n\n"
    "@_FN $ @_total(@_v v)\n{\n    $ part[@_L], sum = 0;\n    @_store(part, v);\n    for (int l = 0; l < @_L; l++) sum += part[l];\n    return sum;\n}\n\n"
    "@_FN $ @_sum(long n, const $ *x)\n{\n    const $ none[@_L] = {0};\n    @_v a = @_load(none), b = a;\n    const long whole = n / (2 * @_L) * 2 * @_L;\n    $ sum = 0;\n"
    "    for (long i = 0; i < whole; i += 2 * @_L) a += @_load(x + i), b += @_load(x + i + @_L);\n    for (long i = whole; i < n; i++) sum += x[i];\n    return sum + @_total(a + b);\n}\n\n"
    "@_FN $ @_spread(long n, const $ *x, $ mean)\n{\n    const $ none[@_L] = {0};\n    @_v a = @_load(none), b = a;\n    const long whole = n / (2 * @_L) * 2 * @_L;\n    $ sum = 0;\n"
    "    for (long i = 0; i < whole; i += 2 * @_L) {\n        const @_v u = @_load(x + i) - mean, v = @_load(x + i + @_L) - mean;\n        a += u * u, b += v * v;\n    }\n"
    "    for (long i = whole; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);\n    return sum + @_total(a + b);\n}\n\n"
    "@_FN $ @_top(long n, const $ *x)\n{\n    $ a = x[0], b = a, c = a, d = a;\n    const long whole = n / 4 * 4;\n    for (long i = 0; i < whole; i += 4) {\n"
    "        a = x[i] > a ? x[i] : a, b = x[i + 1] > b ? x[i + 1] : b;\n        c = x[i + 2] > c ? x[i + 2] : c, d = x[i + 3] > d ? x[i + 3] : d;\n    }\n"
    "    for (long i = whole; i < n; i++) a = x[i] > a ? x[i] : a;\n    a = b > a ? b : a, c = d > c ? d : c;\n    return c > a ? c : a;\n}\n\n";

static const char rows_code[] =
    "/* 0: sum, 1: largest, 2: smallest of [outer, n, inner] along n. */\n"
    "@_FN void @_reduce(int which, long outer, long n, long inner, const $ *x, $ *y)\n{\n"
    "    for (long o = 0; o < outer; o++, x += n * inner, y += inner) {\n        if (inner == 1 && which == 0) {\n            y[0] = @_sum(n, x);\n            continue;\n        }\n"
    "        for (long j = 0; j < inner; j++) y[j] = which == 0 ? 0 : x[j];\n        for (long i = 0; i < n; i++)\n            for (long j = 0; j < inner; j++) {\n"
    "                $ v = x[i * inner + j];\n                y[j] = which == 0 ? y[j] + v : (which == 1 ? v > y[j] : v < y[j]) || v != v ? v : y[j];\n            }\n    }\n}\n\n"
    "@_FN void @_softmax(long rows, long n, const $ *x, $ *y)\n{\n    for (long r = 0; r < rows; r++, x += n, y += n) {\n        $ top = @_top(n, x);\n"
    "        @_exps(n, x, top, y);\n        $ share = 1 / @_sum(n, y);\n        for (long i = 0; i < n; i++) y[i] *= share;\n    }\n}\n\n"
    "@_FN void @_log_softmax(long rows, long n, const $ *x, $ *y)\n{\n    for (long r = 0; r < rows; r++, x += n, y += n) {\n        $ top = @_top(n, x), sum = 0;\n"
    "        for (long i = 0; i < n; i++) sum += @_exp(x[i] - top);\n"
    "        sum = ($)log(sum) + top;\n        for (long i = 0; i < n; i++) y[i] = x[i] - sum;\n    }\n}\n\n"
    "@_FN void @_norm(long rows, long n, const $ *x, const $ *gamma, const $ *beta, $ eps, int rms, $ *y)\n{\n    for (long r = 0; r < rows; r++, x += n, y += n) {\n"
    "        $ mean = rms ? 0 : @_sum(n, x) / ($)n, scale = 1 / ($)sqrt(@_spread(n, x, mean) / ($)n + eps);\n"
    "        @_NOALIAS\n        for (long i = 0; i < n; i++) y[i] = (x[i] - mean) * scale * (gamma ? gamma[i] : 1) + (beta ? beta[i] : 0);\n    }\n}\n\n"
    "/* Rows by their length, which counts as eps where it is less. */\n"
    "@_FN void @_normalise(long rows, long n, const $ *x, $ eps, $ *y)\n{\n    for (long r = 0; r < rows; r++, x += n, y += n) {\n        $ length = ($)sqrt(@_spread(n, x, 0));\n"
    "        if (length < eps) length = eps;\n        for (long i = 0; i < n; i++) y[i] = x[i] / length;\n    }\n}\n\n"
    "/* Rows of x [rows, width] by number; zeros for numbers that there are none of. */\n"
    "@_FN void @_gather(long n, long rows, long width, const $ *x, const int32_t *index, $ *y)\n{\n    for (long i = 0; i < n; i++, y += width) {\n"
    "        if (index[i] < 0 || index[i] >= rows) memset(y, 0, (size_t)width * sizeof *y);\n        else memcpy(y, x + index[i] * width, (size_t)width * sizeof *y);\n    }\n}\n\n";

void export_code(export_writer *w)
{
    static const struct { unsigned part; const char *text; } parts[] = {{EXPORT_ROWS, rows_code}, {EXPORT_GROUPS, export_code_groups}, {EXPORT_WINDOWS, export_code_windows},
        {EXPORT_POOLS, export_code_pools}, {EXPORT_FOURIER, export_code_fourier}, {EXPORT_ATTENTION, export_code_attention}, {EXPORT_LATENT, export_code_latent}};
    bool single = w->dtype == NIGH_F32;
    export_put(w, vectors_code);
    export_put(w, single ? math_single : math_double);
    if (w->parts & (EXPORT_ROWS | EXPORT_ATTENTION | EXPORT_LATENT)) export_put(w, parts_code);
    if (w->parts & EXPORT_SINES) export_put(w, single ? sines_single : sines_double);
    if (w->parts & EXPORT_PRODUCTS) {
        export_put(w, one_row);
        for (int i = 0; i < 4; i++) put_rows(w, i < 2 ? 4 : 8, i % 2 + 1);
        export_put(w, product);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (w->parts & parts[i].part) export_put(w, parts[i].text);
}
