/* Map models as one C99 function; see model.h. The sums run in the order of apply, so that both differ by rounding only. */
#include "regress/export.h"
#include "regress/model.h"

#include <math.h>

enum { LINE = 4 };
static const double MOST_TEXT = 20e6; /* bytes of C */

nigh_status map_export_room(nigh_context *ctx, double numbers)
{
    if (numbers * 25 <= MOST_TEXT) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "as C this plan would be about %.0f MB of text; at most %.0f are written", numbers * 25e-6,
                     MOST_TEXT * 1e-6);
}

nigh_status map_export_doubles(nigh_buffer *text, const char *name, int64_t rows, int64_t cols, int64_t ld, const double *data)
{
    nigh_status status = nigh_buffer_print(text, "static const double %s[%lld] = {", name, (long long)(rows * cols));
    for (int64_t i = 0, k = 0; !status && i < rows; i++)
        for (int64_t j = 0; !status && j < cols; j++, k++)
            status = nigh_buffer_print(text, "%s%.17g", k == 0 ? "\n    " : k % LINE ? ", " : ",\n    ", data[i * ld + j]);
    return status ? status : nigh_buffer_print(text, "};\n");
}

nigh_status map_export_ints(nigh_buffer *text, const char *name, int64_t n, const int32_t *data)
{
    nigh_status status = nigh_buffer_print(text, "static const int %s[%lld] = {", name, (long long)n);
    for (int64_t i = 0; !status && i < n; i++) status = nigh_buffer_print(text, "%s%d", i == 0 ? "\n    " : i % 16 ? ", " : ",\n    ", data[i]);
    return status ? status : nigh_buffer_print(text, "};\n");
}

static nigh_status data(const map_model *m, nigh_buffer *text)
{
    int64_t r = map_padded(m->r), q = map_padded(m->q), points = map_padded(m->count);
    nigh_status status = nigh_buffer_print(text, "#include <math.h>\n");
    if (!status && m->r) status = map_export_doubles(text, "shift", 1, m->d, m->d, m->shift);
    if (!status && m->r) status = map_export_doubles(text, "stretch", 1, m->d, m->d, m->stretch);
    if (!status && m->project) status = map_export_doubles(text, "project", m->d, m->r, r, m->project);
    if (!status && m->project) status = map_export_doubles(text, "latent", 1, m->r, r, m->latent);
    if (!status) status = map_export_doubles(text, "bias", 1, m->q, q, m->bias);
    if (!status && m->tail) status = map_export_doubles(text, "tail", m->r, m->q, q, m->tail);
    if (!status && m->body == MAP_TERMS) status = map_export_ints(text, "parent", m->count, m->parent);
    if (!status && m->body == MAP_TERMS) status = map_export_ints(text, "factor", m->count, m->factor);
    if (!status && m->body == MAP_POINTS) status = map_export_doubles(text, "points", m->r, m->count, points, m->points);
    if (!status && m->body == MAP_FEATURES) status = map_export_doubles(text, "points", m->r, m->count, points, m->points);
    if (!status && m->body == MAP_FEATURES) status = map_export_doubles(text, "start", 1, m->count, points, m->start);
    if (!status && m->body != MAP_LINEAR) status = map_export_doubles(text, "weight", m->count, m->q, q, m->weight);
    if (!status && m->decode) status = map_export_doubles(text, "decode", m->q, m->m, map_padded(m->m), m->decode);
    if (!status && m->decode) status = map_export_doubles(text, "offset", 1, m->m, m->m, m->offset);
    return status;
}

static nigh_status encode(const map_model *m, nigh_buffer *text)
{
    if (!m->r) return nigh_buffer_print(text, "        (void)x;\n");
    if (!m->project)
        return nigh_buffer_print(text, "        for (j = 0; j < %lld; j++) z[j] = (x[j] - shift[j]) * stretch[j];\n", (long long)m->d);
    return nigh_buffer_print(text,
                             "        for (j = 0; j < %lld; j++) z[j] = latent[j];\n"
                             "        for (k = 0; k < %lld; k++) {\n"
                             "            const double s = (x[k] - shift[k]) * stretch[k];\n"
                             "            for (j = 0; j < %lld; j++) z[j] += s * project[k * %lld + j];\n"
                             "        }\n",
                             (long long)m->r, (long long)m->d, (long long)m->r, (long long)m->r);
}

static nigh_status terms(const map_model *m, nigh_buffer *text)
{
    long long q = m->q, order = m->degree + 1;
    nigh_status status = nigh_buffer_print(text, "        for (j = 0; j < %lld; j++) {\n            double *p = one + j * %lld;\n", (long long)m->r, order);
    if (!status && m->periodic)
        status = nigh_buffer_print(text,
                                   "            p[0] = 1, p[1] = cos(3.14159265358979323846 * z[j]), p[2] = sin(3.14159265358979323846 * z[j]);\n"
                                   "            for (k = 3; k < %d; k += 2) p[k] = p[k - 2] * p[1] - p[k - 1] * p[2], p[k + 1] = p[k - 2] * p[2] + p[k - 1] * p[1];\n",
                                   m->degree);
    else if (!status)
        status = nigh_buffer_print(text,
                                   "            p[0] = 1;\n"
                                   "            p[1] = z[j];\n"
                                   "            for (k = 1; k < %d; k++) p[k + 1] = (2.0 * k + 1) / (k + 1) * (p[1] * p[k]) - (double)k / (k + 1) * p[k - 1];\n",
                                   m->degree);
    if (status) return status;
    return nigh_buffer_print(text,
                             "        }\n"
                             "        for (k = 0; k < %lld; k++) {\n"
                             "            term[k] = parent[k] < 0 ? one[factor[k]] : one[factor[k]] * term[parent[k]];\n"
                             "            for (j = 0; j < %lld; j++) c[j] += term[k] * weight[k * %lld + j];\n"
                             "        }\n",
                             (long long)m->count, q, q);
}

static nigh_status points(const map_model *m, nigh_buffer *text)
{
    static const char *const value[MAP_RADIALS] = {
        [MAP_GAUSSIAN] = "v = exp(-0.5 * (d * scale));",
        [MAP_MATERN32] = "t = sqrt(3 * (d * scale)), v = (1 + t) * exp(-t);",
        [MAP_MATERN52] = "t = sqrt(5 * (d * scale)), v = (1 + t + t * t * (1.0 / 3)) * exp(-t);",
        [MAP_CUBIC] = "v = d * sqrt(d);",
        [MAP_THIN_PLATE] = "v = d > 0 ? 0.5 * (d * log(d)) : 0;",
    };
    bool matern = m->radial == MAP_MATERN32 || m->radial == MAP_MATERN52, scaled = matern || m->radial == MAP_GAUSSIAN;
    long long count = m->count, q = m->q;
    nigh_status status = NIGH_OK;
    if (scaled) status = nigh_buffer_print(text, "    const double scale = %.17g;\n", m->scale);
    if (status) return status;
    return nigh_buffer_print(text,
                             "        for (k = 0; k < %lld; k++) {\n"
                             "            double d = 0, v%s;\n"
                             "            for (j = 0; j < %lld; j++) d += (z[j] - points[j * %lld + k]) * (z[j] - points[j * %lld + k]);\n"
                             "            %s\n"
                             "            for (j = 0; j < %lld; j++) c[j] += v * weight[k * %lld + j];\n"
                             "        }\n",
                             count, matern ? ", t" : "", (long long)m->r, count, count, value[m->radial], q, q);
}

static nigh_status features(const map_model *m, nigh_buffer *text)
{
    static const char *const value[MAP_ACTIVATIONS] = {
        [MAP_SIGMOID] = "t = t < 0 ? exp(t) / (1 + exp(t)) : 1 / (1 + exp(-t));",
        [MAP_TANH] = "t = tanh(t);",
        [MAP_BELL] = "t = exp(-0.5 * (t * t));",
        [MAP_COSINE] = "t = cos(t);",
        [MAP_RELU] = "t = t > 0 ? t : 0;",
    };
    long long count = m->count, q = m->q;
    return nigh_buffer_print(text,
                             "        for (k = 0; k < %lld; k++) {\n"
                             "            double t = start[k];\n"
                             "            for (j = 0; j < %lld; j++) t += z[j] * points[j * %lld + k];\n"
                             "            %s\n"
                             "            for (j = 0; j < %lld; j++) c[j] += t * weight[k * %lld + j];\n"
                             "        }\n",
                             count, (long long)m->r, count, value[m->activation], q, q);
}

static nigh_status body(const map_model *m, nigh_buffer *text)
{
    long long q = m->q, wide = m->m;
    nigh_status status = nigh_buffer_print(text, "        for (j = 0; j < %lld; j++) c[j] = bias[j];\n", q);
    if (!status && m->tail)
        status = nigh_buffer_print(text,
                                   "        for (k = 0; k < %lld; k++)\n"
                                   "            for (j = 0; j < %lld; j++) c[j] += z[k] * tail[k * %lld + j];\n",
                                   (long long)m->r, q, q);
    if (!status && m->body == MAP_TERMS) status = terms(m, text);
    if (!status && m->body == MAP_POINTS) status = points(m, text);
    if (!status && m->body == MAP_FEATURES) status = features(m, text);
    if (status) return status;
    if (!m->decode) return nigh_buffer_print(text, "        for (j = 0; j < %lld; j++) y[j] = c[j];\n", wide);
    return nigh_buffer_print(text,
                             "        for (j = 0; j < %lld; j++) y[j] = offset[j];\n"
                             "        for (k = 0; k < %lld; k++)\n"
                             "            for (j = 0; j < %lld; j++) y[j] += c[k] * decode[k * %lld + j];\n",
                             wide, q, wide, wide);
}

nigh_status map_model_export(nigh_context *ctx, const map_model *m, const char *name, nigh_buffer *text)
{
    nigh_status status = map_export_room(ctx, map_model_bytes(m) / 8);
    if (!status) status = data(m, text);
    if (!status)
        status = nigh_buffer_print(text,
                                   "\n/* n inputs of %lld numbers each to n outputs of %lld. */\n"
                                   "void %s(long n, const double *in, double *out);\n"
                                   "void %s(long n, const double *in, double *out)\n"
                                   "{\n"
                                   "    long i, j%s;\n",
                                   (long long)m->d, (long long)m->m, name, name,
                                   m->project || m->tail || m->body != MAP_LINEAR || m->decode ? ", k" : "");
    if (!status && m->r) status = nigh_buffer_print(text, "    double z[%lld];\n", (long long)m->r);
    if (!status) status = nigh_buffer_print(text, "    double c[%lld];\n", (long long)m->q);
    if (!status && m->body == MAP_TERMS)
        status = nigh_buffer_print(text, "    double one[%lld], term[%lld];\n", (long long)(m->r * (m->degree + 1)), (long long)m->count);
    if (!status)
        status = nigh_buffer_print(text,
                                   "    for (i = 0; i < n; i++) {\n"
                                   "        const double *x = in + i * %lld;\n"
                                   "        double *y = out + i * %lld;\n",
                                   (long long)m->d, (long long)m->m);
    if (!status) status = encode(m, text);
    if (!status) status = body(m, text);
    return status ? status : nigh_buffer_print(text, "    }\n}\n");
}
