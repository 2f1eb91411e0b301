/* The functions that exported steps call. Declared in nn/network_export.h. */
#include "nn/network_export.h"

#include <string.h>

/* Writes a text in which @ stands for the file's name and $ for the type. */
static void put(export_writer *w, const char *text)
{
    for (size_t n; *text && !w->status; text += n) {
        n = strcspn(text, "@$");
        if (n) w->status = nigh_buffer_add(w->text, text, n);
        else export_print(w, "%s", *text == '@' ? w->name : w->real), n = 1;
    }
}

static const char vectors[] =
    "#if defined(__GNUC__)\n#define @_FN static inline __attribute__((unused))\n#else\n#define @_FN static\n#endif\n"
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
    "@_FN float @_bits_to(int32_t i)\n{\n    float f;\n    memcpy(&f, &i, sizeof f);\n    return f;\n}\n\n"
    "@_FN int32_t @_bits_of(float f)\n{\n    int32_t i;\n    memcpy(&i, &f, sizeof i);\n    return i;\n}\n\n"
    "@_FN float @_exp(float x)\n{\n    float c = x < -104.f ? -104.f : x;\n    c = c > 89.f ? 89.f : c;\n"
    "    float s = c * 0x1.715476p0f + 0x1.8p23f, n = s - 0x1.8p23f;\n    int32_t k = @_bits_of(s) - 0x4b400000, h = k >> 1;\n"
    "    float r = (c - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;\n"
    "    float p = 1.f + r * (1.f + r * (.5f + r * (0x1.555556p-3f + r * (0x1.555556p-5f + r * (0x1.111112p-7f + r * (0x1.6c16c2p-10f + r * 0x1.a01a02p-13f))))));\n"
    "    return p * @_bits_to((h + 127) << 23) * @_bits_to((k - h + 127) << 23);\n}\n\n"
    "/* log(1 + u) for 0 <= u <= 1: 2 atanh(u / (2 + u)). */\n"
    "@_FN float @_log1p_unit(float u)\n{\n    float t = u / (2 + u), q = t * t;\n"
    "    return 2 * t * (1 + q * (0x1.555556p-2f + q * (0x1.99999ap-3f + q * (0x1.24924ap-3f + q * (0x1.c71c72p-4f + q * (0x1.745d18p-4f + q * 0x1.3b13b2p-4f))))));\n}\n\n"
    "/* A continued fraction near 0. */\n"
    "@_FN float @_tanh(float x)\n{\n    float q = x * x, near = x * (945.f + q * (105.f + q)) / (945.f + q * (420.f + q * 15.f));\n"
    "    float far = 1 - 2 / (@_exp(2 * fabsf(x)) + 1);\n    return q < .25f ? near : x < 0 ? -far : far;\n}\n\n"
    "/* \"Handbook of Mathematical Functions\", 7.1.26: within 1.5e-7; its series near 0. */\n"
    "@_FN float @_erf(float x)\n{\n    float a = fabsf(x), t = 1 / (1 + 0.3275911f * a), q = x * x;\n"
    "    float far = 1 - t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) * @_exp(-q);\n"
    "    float near = x * (1.128379167f - q * (0.376126389f - q * (0.112837917f - q * (0.026866171f - q * 0.005223978f))));\n"
    "    return a < .3f ? near : x < 0 ? -far : far;\n}\n\n"
    "@_FN float @_gelu(float x) { return .5f * x * (1 + @_erf(x * 0x1.6a09e6p-1f)); }\n\n"
    "@_FN float @_softplus(float x) { return (x > 0 ? x : 0) + @_log1p_unit(@_exp(-fabsf(x))); }\n\n";

static const char math_double[] =
    "@_FN double @_exp(double x) { return exp(x); }\n@_FN double @_tanh(double x) { return tanh(x); }\n"
    "@_FN double @_erf(double x) { return erf(x); }\n@_FN double @_gelu(double x) { return x / 2 * (1 + erf(x * 0x1.6a09e667f3bcdp-1)); }\n"
    "@_FN double @_softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }\n\n";

/* R rows by two vectors; for one row, k in four parts, so that sums do not wait for each other. */
static void put_rows(export_writer *w, int rows)
{
    export_print(w, "%s_FN void %s_rows%d(long k, const %s *a, long ar, long ac, const %s *b, long step, const %s *start, %s *c, long cr)\n{\n", w->name, w->name, rows, w->real,
                 w->real, w->real, w->real);
    export_print(w, "    const %s_v first = %s_load(start), second = %s_load(start + %s_L);\n", w->name, w->name, w->name, w->name);
    for (int r = 0; r < rows; r++) export_print(w, "    %s_v p%d = first, q%d = second;\n", w->name, r, r);
    export_print(w, "    for (long i = 0; i < k; i++, a += ac, b += step) {\n        const %s_v u = %s_load(b), v = %s_load(b + %s_L);\n", w->name, w->name, w->name, w->name);
    for (int r = 0; r < rows; r++) export_print(w, "        p%d += a[%d * ar] * u, q%d += a[%d * ar] * v;\n", r, r, r, r);
    export_print(w, "    }\n");
    for (int r = 0; r < rows; r++) export_print(w, "    %s_store(c + %d * cr, p%d), %s_store(c + %d * cr + %s_L, q%d);\n", w->name, r, r, w->name, r, w->name, r);
    export_print(w, "}\n\n");
}

static const char one_row[] =
    "@_FN void @_rows1(long k, const $ *a, long ar, long ac, const $ *b, long step, const $ *start, $ *c, long cr)\n{\n"
    "    @_v p0 = @_load(start), q0 = @_load(start + @_L), p1 = p0 - p0, q1 = p1, p2 = p1, q2 = p1, p3 = p1, q3 = p1;\n    long i = 0;\n    (void)ar, (void)cr;\n"
    "    for (; i + 4 <= k; i += 4, a += 4 * ac, b += 4 * step) {\n"
    "        p0 += a[0] * @_load(b), q0 += a[0] * @_load(b + @_L);\n"
    "        p1 += a[ac] * @_load(b + step), q1 += a[ac] * @_load(b + step + @_L);\n"
    "        p2 += a[2 * ac] * @_load(b + 2 * step), q2 += a[2 * ac] * @_load(b + 2 * step + @_L);\n"
    "        p3 += a[3 * ac] * @_load(b + 3 * step), q3 += a[3 * ac] * @_load(b + 3 * step + @_L);\n    }\n"
    "    for (; i < k; i++, a += ac, b += step) p0 += a[0] * @_load(b), q0 += a[0] * @_load(b + @_L);\n"
    "    @_store(c, (p0 + p1) + (p2 + p3)), @_store(c + @_L, (q0 + q1) + (q2 + q3));\n}\n\n";

static const char product[] =
    "/* c [m, n] = a b + bias; b in panels of 32 columns, `panel` apart, whose rows are `step` apart. */\n"
    "@_FN void @_block(long rows, long k, const $ *a, long ar, long ac, const $ *b, long step, const $ *start, $ *c, long cr)\n{\n"
    "    if (rows == 8) @_rows8(k, a, ar, ac, b, step, start, c, cr);\n    else if (rows == 4) @_rows4(k, a, ar, ac, b, step, start, c, cr);\n"
    "    else @_rows1(k, a, ar, ac, b, step, start, c, cr);\n}\n\n"
    "@_FN void @_product(long m, long n, long k, const $ *a, long ar, long ac, const $ *b, long step, long panel, const $ *bias, $ *c, long cr)\n{\n"
    "    for (long j = 0; j < n; j += 32, b += panel) {\n        $ start[32], edge[8 * 32];\n"
    "        for (long l = 0; l < 32; l++) start[l] = bias && j + l < n ? bias[j + l] : 0;\n"
    "        for (long h = 0; h < 32 && j + h < n; h += 2 * @_L) {\n            long cols = n - j - h < 2 * @_L ? n - j - h : 2 * @_L;\n"
    "            for (long i = 0, rows; i < m; i += rows) {\n                rows = m - i >= 8 && @_L * sizeof($) == 64 ? 8 : m - i >= 4 ? 4 : 1;\n"
    "                if (cols == 2 * @_L) {\n                    @_block(rows, k, a + i * ar, ar, ac, b + h, step, start + h, c + i * cr + j + h, cr);\n"
    "                    continue;\n                }\n"
    "                @_block(rows, k, a + i * ar, ar, ac, b + h, step, start + h, edge, 32);\n"
    "                for (long r = 0; r < rows; r++)\n                    for (long l = 0; l < cols; l++) c[(i + r) * cr + j + h + l] = edge[r * 32 + l];\n"
    "            }\n        }\n    }\n}\n\n"
    "@_FN void @_pack(long k, long n, const $ *b, long row, long column, $ *to)\n{\n    for (long j = 0; j < n; j += 32)\n        for (long i = 0; i < k; i++, to += 32)\n"
    "            for (long l = 0; l < 32; l++) to[l] = j + l < n ? b[i * row + (j + l) * column] : 0;\n}\n\n";

static const char rows_code[] =
    "/* 0: sum, 1: largest, 2: smallest of [outer, n, inner] along n. */\n"
    "@_FN void @_reduce(int which, long outer, long n, long inner, const $ *x, $ *y)\n{\n"
    "    for (long o = 0; o < outer; o++, x += n * inner, y += inner) {\n        if (inner == 1 && which == 0) {\n            $ part[16] = {0}, sum = 0;\n            long i = 0;\n"
    "            for (; i + 16 <= n; i += 16)\n                for (int l = 0; l < 16; l++) part[l] += x[i + l];\n            for (; i < n; i++) sum += x[i];\n"
    "            for (int l = 0; l < 16; l++) sum += part[l];\n            y[0] = sum;\n            continue;\n        }\n"
    "        for (long j = 0; j < inner; j++) y[j] = which == 0 ? 0 : x[j];\n        for (long i = 0; i < n; i++)\n            for (long j = 0; j < inner; j++) {\n"
    "                $ v = x[i * inner + j];\n                y[j] = which == 0 ? y[j] + v : (which == 1 ? v > y[j] : v < y[j]) || v != v ? v : y[j];\n            }\n    }\n}\n\n"
    "@_FN void @_softmax(long rows, long n, const $ *x, $ *y)\n{\n    for (long r = 0; r < rows; r++, x += n, y += n) {\n        $ top = x[0], sum = 0;\n"
    "        for (long i = 1; i < n; i++) top = x[i] > top ? x[i] : top;\n        for (long i = 0; i < n; i++) y[i] = @_exp(x[i] - top);\n"
    "        for (long i = 0; i < n; i++) sum += y[i];\n        for (long i = 0; i < n; i++) y[i] /= sum;\n    }\n}\n\n"
    "@_FN void @_log_softmax(long rows, long n, const $ *x, $ *y)\n{\n    for (long r = 0; r < rows; r++, x += n, y += n) {\n        $ top = x[0], sum = 0;\n"
    "        for (long i = 1; i < n; i++) top = x[i] > top ? x[i] : top;\n        for (long i = 0; i < n; i++) sum += @_exp(x[i] - top);\n"
    "        sum = ($)log(sum) + top;\n        for (long i = 0; i < n; i++) y[i] = x[i] - sum;\n    }\n}\n\n"
    "@_FN void @_norm(long rows, long n, const $ *x, const $ *gamma, const $ *beta, $ eps, int rms, $ *y)\n{\n    for (long r = 0; r < rows; r++, x += n, y += n) {\n"
    "        $ mean = 0, square = 0;\n        if (!rms)\n            for (long i = 0; i < n; i++) mean += x[i];\n        mean /= ($)n;\n"
    "        for (long i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean);\n        square = 1 / ($)sqrt(square / ($)n + eps);\n"
    "        for (long i = 0; i < n; i++) y[i] = (x[i] - mean) * square * (gamma ? gamma[i] : 1) + (beta ? beta[i] : 0);\n    }\n}\n\n";

static const char windows[] =
    "/* g: sizes in, out, of the window; stride, dilation, padding before; how it is padded, channels, channels that are read. */\n"
    "@_FN long @_inside(long p, long n, long padding)\n{\n    if (p >= 0 && p < n) return p;\n"
    "    return padding == 0 ? -1 : padding == 1 ? (p % n + n) % n : p < 0 ? -p : 2 * n - 2 - p;\n}\n\n"
    "@_FN void @_patches(const long *g, const $ *x, long o0, long o1, $ *to)\n{\n    const long channels = g[19], per = g[20];\n"
    "    for (long o2 = 0; o2 < g[5]; o2++)\n        for (long k0 = 0; k0 < g[6]; k0++)\n            for (long k1 = 0; k1 < g[7]; k1++)\n"
    "                for (long k2 = 0; k2 < g[8]; k2++, to += per) {\n                    long p0 = @_inside(o0 * g[9] + k0 * g[12] - g[15], g[0], g[18]);\n"
    "                    long p1 = @_inside(o1 * g[10] + k1 * g[13] - g[16], g[1], g[18]), p2 = @_inside(o2 * g[11] + k2 * g[14] - g[17], g[2], g[18]);\n"
    "                    if (p0 < 0 || p1 < 0 || p2 < 0) memset(to, 0, (size_t)per * sizeof *to);\n"
    "                    else memcpy(to, x + ((p0 * g[1] + p1) * g[2] + p2) * channels, (size_t)per * sizeof *to);\n                }\n}\n\n"
    "/* 0: largest, 1: mean of what lies inside, 2: sum over the window's size. */\n"
    "@_FN void @_pool(int which, const long *g, const $ *x, $ *y)\n{\n    const long channels = g[19];\n    for (long o0 = 0; o0 < g[3]; o0++)\n"
    "        for (long o1 = 0; o1 < g[4]; o1++)\n            for (long o2 = 0; o2 < g[5]; o2++, y += channels) {\n                $ count = 0;\n"
    "                for (long c = 0; c < channels; c++) y[c] = which ? 0 : -($)INFINITY;\n                for (long k0 = 0; k0 < g[6]; k0++)\n"
    "                    for (long k1 = 0; k1 < g[7]; k1++)\n                        for (long k2 = 0; k2 < g[8]; k2++) {\n"
    "                            long p0 = @_inside(o0 * g[9] + k0 - g[15], g[0], 0), p1 = @_inside(o1 * g[10] + k1 - g[16], g[1], 0);\n"
    "                            long p2 = @_inside(o2 * g[11] + k2 - g[17], g[2], 0);\n                            if (p0 < 0 || p1 < 0 || p2 < 0) continue;\n"
    "                            const $ *from = x + ((p0 * g[1] + p1) * g[2] + p2) * channels;\n                            count += 1;\n"
    "                            for (long c = 0; c < channels; c++) y[c] = which ? y[c] + from[c] : from[c] > y[c] || from[c] != from[c] ? from[c] : y[c];\n"
    "                        }\n                if (which == 2) count = ($)(g[6] * g[7] * g[8]);\n                for (long c = 0; which && c < channels; c++) y[c] /= count;\n"
    "            }\n}\n\n";

void export_code(export_writer *w)
{
    put(w, vectors);
    put(w, w->dtype == NIGH_F32 ? math_single : math_double);
    put(w, one_row);
    put_rows(w, 4);
    put_rows(w, 8);
    put(w, product);
    put(w, rows_code);
    put(w, windows);
}
