/* Fourier neural operators as C99; see fno_export.h. The steps are those of grad/spectral.c. */
#include "operator/fno_export.h"

#include "grad/spectral.h"

#include <math.h>

static const double MOST_TEXT = 20e6; /* bytes of C */
enum { BYTES_OF_NUMBER = 16, LINE = 8, PART = 64 };

/*
 * Products keep 4 x 32 sums in registers. The error function is a rational function fitted to 1.5e-8 on [-3.9, 3.9], which compilers turn into vectors
 * as they do not with erff.
 */
static const char *const helpers =
    "#include <math.h>\n"
    "#include <stdlib.h>\n"
    "#include <string.h>\n"
    "#ifdef FP_FAST_FMAF\n"
    "#define FNO_ADD(a, b, c) fmaf(a, b, c)\n"
    "#else\n"
    "#define FNO_ADD(a, b, c) ((a) * (b) + (c))\n"
    "#endif\n"
    "\n"
    "/* c [m, n] = a [m, k] b [k, n] + bias [n] (NULL: none); rows lie lda, ldb, ldc apart */\n"
    "static void fno_product(long m, long n, long k, const float *a, long lda, const float *b, long ldb, const float *bias, float *c, long ldc)\n"
    "{\n"
    "    long i, j, l, p, v;\n"
    "    for (j = 0; j < n; j += 32)\n"
    "        for (i = 0; i < m; i += 4) {\n"
    "            const long rows = m - i < 4 ? m - i : 4, width = n - j < 32 ? n - j : 32;\n"
    "            float s0[32], s1[32], s2[32], s3[32], *const s[4] = {s0, s1, s2, s3};\n"
    "            const float *a0 = a + i * lda, *a1 = rows > 1 ? a0 + lda : a0, *a2 = rows > 2 ? a1 + lda : a0, *a3 = rows > 3 ? a2 + lda : a0;\n"
    "            for (v = 0; v < 32; v++) s0[v] = s1[v] = s2[v] = s3[v] = bias && v < width ? bias[j + v] : 0;\n"
    "            if (width == 32)\n"
    "                for (l = 0; l < k; l++) {\n"
    "                    const float *const r = b + l * ldb + j, x0 = a0[l], x1 = a1[l], x2 = a2[l], x3 = a3[l];\n"
    "                    for (v = 0; v < 32; v++) {\n"
    "                        s0[v] = FNO_ADD(x0, r[v], s0[v]);\n"
    "                        s1[v] = FNO_ADD(x1, r[v], s1[v]);\n"
    "                        s2[v] = FNO_ADD(x2, r[v], s2[v]);\n"
    "                        s3[v] = FNO_ADD(x3, r[v], s3[v]);\n"
    "                    }\n"
    "                }\n"
    "            else\n"
    "                for (l = 0; l < k; l++) {\n"
    "                    const float *const r = b + l * ldb + j, x0 = a0[l], x1 = a1[l], x2 = a2[l], x3 = a3[l];\n"
    "                    for (v = 0; v < width; v++) {\n"
    "                        s0[v] = FNO_ADD(x0, r[v], s0[v]);\n"
    "                        s1[v] = FNO_ADD(x1, r[v], s1[v]);\n"
    "                        s2[v] = FNO_ADD(x2, r[v], s2[v]);\n"
    "                        s3[v] = FNO_ADD(x3, r[v], s3[v]);\n"
    "                    }\n"
    "                }\n"
    "            for (p = 0; p < rows; p++) memcpy(c + (i + p) * ldc + j, s[p], (size_t)width * sizeof(float));\n"
    "        }\n"
    "}\n"
    "\n"
    "static void fno_gelu(long n, float *x)\n"
    "{\n"
    "    long i;\n"
    "    for (i = 0; i < n; i++) {\n"
    "        const float z = x[i] * 0.707106781f, y = z > 3.9f ? 3.9f : z < -3.9f ? -3.9f : z, t = y * y;\n"
    "        const float p = ((((2.0504483e-06f * t + 0.00028744826f) * t + 0.00383650046f) * t + 0.0529657714f) * t + 0.191932306f) * t + 1.12837899f;\n"
    "        const float q = ((((3.82309045e-05f * t + 0.00118164206f) * t + 0.0151084568f) * t + 0.114754602f) * t + 0.503427386f) * t + 1.0f;\n"
    "        x[i] = 0.5f * x[i] * (1.0f + y * p / q);\n"
    "    }\n"
    "}\n"
    "\n"
    "/* two linear layers with gelu between, 64 points at a time */\n"
    "static void fno_mlp(long points, long in, long hidden, long out, const float *x, const float *w0, const float *b0, const float *w1, const float *b1, float *work, float *y)\n"
    "{\n"
    "    long p;\n"
    "    for (p = 0; p < points; p += 64) {\n"
    "        const long part = points - p < 64 ? points - p : 64;\n"
    "        fno_product(part, hidden, in, x + p * in, in, w0, hidden, b0, work, hidden);\n"
    "        fno_gelu(part * hidden, work);\n"
    "        fno_product(part, out, hidden, work, hidden, w1, out, b1, y + p * out, out);\n"
    "    }\n"
    "}\n"
    "\n";

static const char *const spectral_1d =
    "static void fno_spectral(const float *x, const float *weight, float *work, float *z)\n"
    "{\n"
    "    enum { W = %lld, C = %lld, L = %lld };\n"
    "    float *a = work, *u = a + 2 * L * C;\n"
    "    long l;\n"
    "    fno_product(2 * L, C, W, fno_forward_last, W, x, C, NULL, a, C);\n"
    "    for (l = 0; l < L; l++) fno_product(2, 2 * C, C, a + l * C, L * C, weight + l * 2 * C * C, 2 * C, NULL, u + 4 * l * C, 2 * C);\n"
    "    fno_product(W, C, 4 * L, fno_back_last, 4 * L, u, C, NULL, z, C);\n"
    "}\n\n";

static const char *const spectral_2d =
    "static void fno_spectral(const float *x, const float *weight, float *work, float *z)\n"
    "{\n"
    "    enum { H = %lld, W = %lld, C = %lld, L = %lld, K = %lld };\n"
    "    float *a = work, *y = a + 2 * H * L * C, *u = y + 2 * K * L * C, *v = u + 4 * K * L * C, *part = v + 2 * H * L * C;\n"
    "    long h, k, l, s;\n"
    "    for (h = 0; h < H; h++) fno_product(2 * L, C, W, fno_forward_last, W, x + h * W * C, C, NULL, a + h * 2 * L * C, C);\n"
    "    fno_product(2 * K, L * C, 2 * H, fno_forward_first, 2 * H, a, L * C, NULL, y, L * C);\n"
    "    for (l = 0; l < L; l++)\n"
    "        for (k = 0; k < K; k++) {\n"
    "            fno_product(2, 2 * C, C, y + 2 * k * L * C + l * C, L * C, weight + (l * K + k) * 2 * C * C, 2 * C, NULL, part, 2 * C);\n"
    "            for (s = 0; s < 4; s++) memcpy(u + ((4 * k + s) * L + l) * C, part + s * C, C * sizeof(float));\n"
    "        }\n"
    "    fno_product(2 * H, L * C, 4 * K, fno_back_first, 4 * K, u, L * C, NULL, v, L * C);\n"
    "    for (h = 0; h < H; h++) fno_product(W, C, 2 * L, fno_back_last, 2 * L, v + h * 2 * L * C, C, NULL, z + h * W * C, C);\n"
    "}\n\n";

/* ---- numbers ------------------------------------------------------------------------------------------ */

static nigh_status put_number(nigh_buffer *text, int64_t i, double v)
{
    const char *before = i == 0 ? "\n    " : i % LINE ? ", " : ",\n    ";
    return v == (double)(long)v && fabs(v) < 1e6 ? nigh_buffer_print(text, "%s%ld", before, (long)v) : nigh_buffer_print(text, "%s%.9gf", before, v);
}

static nigh_status put_floats(nigh_buffer *text, const char *name, int64_t n, const float *data)
{
    nigh_status status = nigh_buffer_print(text, "static const float fno_");
    for (const char *p = name; *p && !status; p++) status = nigh_buffer_print(text, "%c", *p == '.' ? '_' : *p);
    if (!status) status = nigh_buffer_print(text, "[%lld] = {", (long long)n);
    for (int64_t i = 0; i < n && !status; i++) status = put_number(text, i, data[i]);
    return status ? status : nigh_buffer_print(text, "};\n");
}

static nigh_status put_doubles(nigh_buffer *text, const char *name, int64_t n, const double *data)
{
    nigh_status status = nigh_buffer_print(text, "static const double fno_%s[%lld] = {", name, (long long)n);
    for (int64_t i = 0; i < n && !status; i++) status = nigh_buffer_print(text, "%s%.17g", i ? ", " : "", data[i]);
    return status ? status : nigh_buffer_print(text, "};\n");
}

static nigh_status put_table(nigh_context *ctx, nigh_buffer *text, const char *name, spectral_kind kind, int64_t n, int64_t low, int64_t modes)
{
    spectral_table t;
    nigh_status status = spectral_table_new(ctx, kind, n, low, modes, &t);
    if (!status) status = nigh_buffer_print(text, "static const float fno_%s[%lld] = {", name, (long long)(t.rows * t.columns));
    else return status;
    for (int64_t i = 0; i < t.rows * t.columns && !status; i++) status = put_number(text, i, (float)t.value[i]);
    nigh_free(ctx, t.value);
    return status ? status : nigh_buffer_print(text, "};\n");
}

static nigh_status put_data(nigh_context *ctx, const field_plan *plan, const nigh_fno_spec *s, nigh_buffer *text)
{
    nigh_parameters *set = nigh_network_parameters(plan->net);
    int64_t size = plan->shape.size[s->dims - 1], last = s->modes[s->dims - 1] / 2 + 1, low = -(s->modes[0] / 2);
    nigh_status status = put_doubles(text, "in_mean", s->in, plan->in_mean);
    if (!status) status = put_doubles(text, "in_deviation", s->in, plan->in_deviation);
    if (!status) status = put_doubles(text, "out_mean", s->out, plan->out_mean);
    if (!status) status = put_doubles(text, "out_deviation", s->out, plan->out_deviation);
    for (int i = 0; i < nigh_parameters_count(set) && !status; i++) {
        const nigh_parameter *p = nigh_parameters_at(set, i);
        status = put_floats(text, p->name, nigh_shape_count(&p->shape), nigh_parameters_data(set, i));
    }
    if (!status) status = put_table(ctx, text, "forward_last", SPECTRAL_FORWARD_LAST, size, 0, last);
    if (!status) status = put_table(ctx, text, "back_last", s->dims == 2 ? SPECTRAL_BACK_LAST : SPECTRAL_BACK_ONLY, size, 0, last);
    if (s->dims == 1 || status) return status;
    status = put_table(ctx, text, "forward_first", SPECTRAL_FORWARD_FIRST, plan->shape.size[0], low, s->modes[0]);
    return status ? status : put_table(ctx, text, "back_first", SPECTRAL_BACK_FIRST, plan->shape.size[0], low, s->modes[0]);
}

/* ---- the function ------------------------------------------------------------------------------------- */

typedef struct sizes {
    long long points, c, hidden, lift, project, width, spectral; /* floats of a hidden part, and of the spectral steps */
} sizes;

static sizes sizes_of(const field_plan *plan, const nigh_fno_spec *s)
{
    const nigh_parameters *set = nigh_network_parameters(plan->net);
    sizes z = {.points = plan->shape.points, .c = s->width};
    nigh_parameters *p = (nigh_parameters *)set;
    z.lift = nigh_parameters_at(p, nigh_parameters_find(set, "lifting.0.bias"))->shape.dim[0];
    z.project = nigh_parameters_at(p, nigh_parameters_find(set, "projection.0.bias"))->shape.dim[0];
    z.hidden = nigh_parameters_at(p, nigh_parameters_find(set, "blocks.0.mlp.0.bias"))->shape.dim[0];
    z.width = z.lift > z.project ? z.lift : z.project;
    if (z.hidden > z.width) z.width = z.hidden;
    long long last = s->modes[s->dims - 1] / 2 + 1, h = plan->shape.size[0];
    z.spectral = s->dims == 1 ? 6 * last * z.c : (4 * h + 6 * s->modes[0]) * last * z.c + 4 * z.c;
    return z;
}

static nigh_status put_input(const field_plan *plan, const nigh_fno_spec *s, nigh_buffer *text)
{
    long long in = s->in, width = s->in + s->dims;
    nigh_status status = nigh_buffer_print(text,
                                           "        for (i = 0; i < P; i++) {\n"
                                           "            for (j = 0; j < %lld; j++) wide[i * %lld + j] = (float)((in[(s * P + i) * %lld + j] - fno_in_mean[j]) / fno_in_deviation[j]);\n",
                                           in, width, in);
    if (status) return status;
    if (s->dims == 1) return nigh_buffer_print(text, "            wide[i * %lld + %lld] = (float)((double)i / P);\n        }\n", width, in);
    long long h = plan->shape.size[0], w = plan->shape.size[1];
    return nigh_buffer_print(text,
                             "            wide[i * %lld + %lld] = (float)((double)(i / %lld) / %lld);\n"
                             "            wide[i * %lld + %lld] = (float)((double)(i %% %lld) / %lld);\n        }\n",
                             width, in, w, h, width, in + 1, w, w);
}

static nigh_status put_block(const nigh_fno_spec *s, const sizes *z, int b, nigh_buffer *text)
{
    bool last = b == s->layers - 1;
    const char *gelu = last ? "" : "        fno_gelu(P * C, next);\n", *again = last ? "" : "        fno_gelu(P * C, x);\n";
    return nigh_buffer_print(text,
                             "        fno_spectral(x, fno_blocks_%d_spectral_weight, work, next);\n"
                             "        fno_product(P, C, C, x, C, fno_blocks_%d_skip_weight, C, fno_blocks_%d_spectral_bias, wide, C);\n"
                             "        for (i = 0; i < P * C; i++) next[i] += wide[i];\n%s"
                             "        fno_mlp(P, C, %lld, C, next, fno_blocks_%d_mlp_0_weight, fno_blocks_%d_mlp_0_bias, fno_blocks_%d_mlp_1_weight, fno_blocks_%d_mlp_1_bias, work, wide);\n"
                             "        for (i = 0; i < P; i++)\n"
                             "            for (j = 0; j < C; j++) x[i * C + j] = wide[i * C + j] + fno_blocks_%d_gate_weight[j] * x[i * C + j];\n%s",
                             b, b, b, gelu, z->hidden, b, b, b, b, b, again);
}

static nigh_status put_function(const field_plan *plan, const nigh_fno_spec *s, const char *name, nigh_buffer *text)
{
    sizes z = sizes_of(plan, s);
    long long wide = s->in + s->dims > z.c ? s->in + s->dims : z.c, work = PART * z.width > z.spectral ? PART * z.width : z.spectral;
    if (s->out > wide) wide = s->out;
    nigh_status status = nigh_buffer_print(text,
                                           "void %s(long n, const double *in, double *out);\n"
                                           "void %s(long n, const double *in, double *out)\n"
                                           "{\n"
                                           "    enum { P = %lld, C = %lld };\n"
                                           "    float *x = malloc(((size_t)P * (2 * C + %lld) + %lld) * sizeof *x), *next = x + P * C, *wide = next + P * C, *work = wide + P * %lld;\n"
                                           "    long s, i, j;\n"
                                           "    if (!x)\n"
                                           "        for (i = 0; i < n * P * %lld; i++) out[i] = NAN;\n"
                                           "    for (s = 0; x && s < n; s++) {\n",
                                           name, name, z.points, z.c, wide, work, wide, (long long)s->out);
    if (!status) status = put_input(plan, s, text);
    if (!status)
        status = nigh_buffer_print(text, "        fno_mlp(P, %lld, %lld, C, wide, fno_lifting_0_weight, fno_lifting_0_bias, fno_lifting_1_weight, fno_lifting_1_bias, work, x);\n",
                                   (long long)(s->in + s->dims), z.lift);
    for (int b = 0; b < s->layers && !status; b++) status = put_block(s, &z, b, text);
    if (status) return status;
    return nigh_buffer_print(text,
                             "        fno_mlp(P, C, %lld, %lld, x, fno_projection_0_weight, fno_projection_0_bias, fno_projection_1_weight, fno_projection_1_bias, work, wide);\n"
                             "        for (i = 0; i < P; i++)\n"
                             "            for (j = 0; j < %lld; j++) out[(s * P + i) * %lld + j] = (double)wide[i * %lld + j] * fno_out_deviation[j] + fno_out_mean[j];\n"
                             "    }\n"
                             "    free(x);\n"
                             "}\n",
                             z.project, (long long)s->out, (long long)s->out, (long long)s->out, (long long)s->out);
}

nigh_status fno_export(nigh_context *ctx, const field_plan *plan, const nigh_fno_spec *s, const char *name, nigh_buffer *text)
{
    double numbers = (double)nigh_parameters_numbers(nigh_network_parameters(plan->net));
    if (numbers * BYTES_OF_NUMBER > MOST_TEXT)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "as C this plan would be about %.0f MB of text; at most %.0f are written", numbers * BYTES_OF_NUMBER * 1e-6, MOST_TEXT * 1e-6);
    long long w = plan->shape.size[s->dims - 1], c = s->width, last = s->modes[s->dims - 1] / 2 + 1;
    nigh_status status = nigh_buffer_print(text, "%s", helpers);
    if (!status) status = put_data(ctx, plan, s, text);
    if (!status)
        status = s->dims == 1 ? nigh_buffer_print(text, spectral_1d, w, c, last)
                              : nigh_buffer_print(text, spectral_2d, (long long)plan->shape.size[0], w, c, last, (long long)s->modes[0]);
    return status ? status : put_function(plan, s, name, text);
}
