/*
 * An exact oracle for tiny networks: the largest margin of a group of rows over a box. Phases are decided one element after another, each side kept when a linear program says
 * that it can be; where all are, the network is affine and one more program gives the largest margin there. Linear programs in long double by the two-phase simplex method
 * with Bland's rule; nothing is shared with the library.
 */
#ifndef NIGH_TEST_PLAIN_SEARCH_H
#define NIGH_TEST_PLAIN_SEARCH_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { PLAIN_VARIABLES = 6, PLAIN_ROWS = 96, PLAIN_WIDTH = 16, PLAIN_LAYERS = 5 };

typedef long double plain;

/* A form over x: sum a_j x_j + b. */
typedef struct plain_form {
    plain a[PLAIN_VARIABLES], b;
} plain_form;

/* Pieces of a function of one variable: y = slope z + shift between the kinks. */
typedef struct plain_bend {
    int kinks;
    plain kink[2], slope[3], shift[3];
} plain_bend;

typedef struct plain_network {
    int layers;
    int64_t size[PLAIN_LAYERS + 1];
    const double *weight[PLAIN_LAYERS]; /* [size[i+1], size[i]] */
    const double *bias[PLAIN_LAYERS];
    plain_bend bend;
} plain_network;

/* ---- a linear program: maximise c x + t subject to forms >= 0, 0 <= x <= 1; x are places in the box ---- */

typedef struct plain_table {
    int rows, columns;                                              /* without the right-hand side, which is the last */
    plain at[PLAIN_ROWS + 1][2 * PLAIN_ROWS + 4]; /* row 0: reduced costs */
    int basic[PLAIN_ROWS + 1];
} plain_table;

static inline void plain_pivot(plain_table *t, int r, int c)
{
    plain by = t->at[r][c];
    for (int j = 0; j <= t->columns; j++) t->at[r][j] /= by;
    for (int i = 0; i <= t->rows; i++) {
        plain factor = t->at[i][c];
        if (i == r || factor == 0) continue;
        for (int j = 0; j <= t->columns; j++) t->at[i][j] -= factor * t->at[r][j];
    }
    t->basic[r] = c;
}

/* Minimises row 0 over columns below `open`. */
static inline void plain_simplex(plain_table *t, int open)
{
    for (int step = 0; step < 10000; step++) {
        int c = -1, r = -1;
        for (int j = 0; j < open && c < 0; j++)
            if (t->at[0][j] < -1e-15L) c = j;
        if (c < 0) return;
        plain best = INFINITY;
        for (int i = 1; i <= t->rows; i++) {
            if (t->at[i][c] <= 1e-15L) continue;
            plain ratio = t->at[i][t->columns] / t->at[i][c];
            if (ratio < best - 1e-17L || (ratio <= best + 1e-17L && r > 0 && t->basic[i] < t->basic[r])) best = ratio, r = i;
        }
        if (r < 0) return;
        plain_pivot(t, r, c);
    }
}

/* The largest c.x over {x in [0,1]^n: form >= 0}, -INFINITY when there is no such x; x may be NULL. */
static inline plain plain_largest(int n, const plain *c, plain constant, int forms, const plain_form *form, plain *x)
{
    static plain_table t;
    int rows = forms + n, first_artificial = n + rows, column = first_artificial;
    memset(&t, 0, sizeof t);
    t.rows = rows;
    t.columns = first_artificial + forms;
    for (int i = 1; i <= rows; i++) {
        plain *row = t.at[i];
        if (i > forms) { /* x_j + s = 1 */
            row[i - forms - 1] = row[n + i - 1] = row[t.columns] = 1;
            t.basic[i] = n + i - 1;
            continue;
        }
        /* sum a x + b - s = 0, s >= 0, as -a x + s = b when b >= 0, else a x - s + artificial = -b. */
        plain sign = form[i - 1].b >= 0 ? -1 : 1;
        for (int j = 0; j < n; j++) row[j] = sign * form[i - 1].a[j];
        row[n + i - 1] = -sign;
        row[t.columns] = fabsl(form[i - 1].b);
        t.basic[i] = n + i - 1;
        if (sign > 0) {
            row[column] = 1;
            t.basic[i] = column++;
            for (int j = 0; j <= t.columns; j++) t.at[0][j] -= j >= first_artificial && j < t.columns ? 0 : row[j];
        }
    }
    plain_simplex(&t, first_artificial);
    if (t.at[0][t.columns] < -1e-14L) return -INFINITY;
    for (int i = 1; i <= rows; i++) /* artificial ones that rest at 0 leave */
        for (int j = 0; t.basic[i] >= first_artificial && j < first_artificial; j++)
            if (fabsl(t.at[i][j]) > 1e-12L) plain_pivot(&t, i, j);
    for (int j = 0; j <= t.columns; j++) t.at[0][j] = j < n ? -c[j] : 0;
    for (int i = 1; i <= rows; i++) {
        plain factor = t.at[0][t.basic[i]];
        if (t.basic[i] < n)
            for (int j = 0; j <= t.columns; j++) t.at[0][j] -= factor * t.at[i][j];
    }
    plain_simplex(&t, first_artificial);
    if (x) memset(x, 0, (size_t)n * sizeof *x);
    for (int i = 1; x && i <= rows; i++)
        if (t.basic[i] < n) x[t.basic[i]] = t.at[i][t.columns];
    return constant + t.at[0][t.columns];
}

/* ---- phases ---- */

typedef struct plain_run {
    const plain_network *net;
    int n, rows, forms;
    const double *row, *level;
    plain_form form[PLAIN_ROWS];
    plain best, at[PLAIN_VARIABLES]; /* places */
    long regions;
} plain_run;

static inline void plain_layer(const plain_run *r, int layer, const plain_form *in, plain_form *out)
{
    const plain_network *net = r->net;
    for (int i = 0; i < net->size[layer + 1]; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].b = net->bias[layer] ? net->bias[layer][i] : 0;
        for (int k = 0; k < net->size[layer]; k++) {
            plain w = net->weight[layer][i * net->size[layer] + k];
            for (int j = 0; j < r->n; j++) out[i].a[j] += w * in[k].a[j];
            out[i].b += w * in[k].b;
        }
    }
}

/* All is affine: the largest t with row . y - level >= t; t = 1000 (2 u - 1) with a place u of its own. */
static inline void plain_end(plain_run *r, const plain_form *y)
{
    int forms = r->forms, n = r->n, outputs = (int)r->net->size[r->net->layers];
    for (int k = 0; k < r->rows; k++) {
        plain_form *f = &r->form[forms + k];
        memset(f, 0, sizeof *f);
        f->b = 1000 - (plain)r->level[k];
        f->a[n] = -2000;
        for (int o = 0; o < outputs; o++) {
            for (int j = 0; j < n; j++) f->a[j] += r->row[k * outputs + o] * y[o].a[j];
            f->b += r->row[k * outputs + o] * y[o].b;
        }
    }
    plain c[PLAIN_VARIABLES] = {0}, x[PLAIN_VARIABLES];
    c[n] = 2000;
    plain value = plain_largest(n + 1, c, -1000, forms + r->rows, r->form, x);
    r->regions++;
    if (value > r->best) {
        r->best = value;
        memcpy(r->at, x, (size_t)n * sizeof *x);
    }
}

static inline void plain_phase(plain_run *r, int layer, int element, const plain_form *z, plain_form *y)
{
    const plain_bend *bend = &r->net->bend;
    if (element == r->net->size[layer + 1]) {
        plain_form next[PLAIN_WIDTH], out[PLAIN_WIDTH];
        plain_layer(r, layer + 1, y, next);
        if (layer + 2 == r->net->layers) plain_end(r, next);
        else plain_phase(r, layer + 1, 0, next, out);
        return;
    }
    int forms = r->forms;
    const plain none[PLAIN_VARIABLES] = {0};
    for (int piece = 0; piece <= bend->kinks; piece++) {
        r->forms = forms;
        for (int side = 0; side < 2; side++) { /* z >= the kink before, z <= the kink after */
            int k = piece - 1 + side;
            if (k < 0 || k >= bend->kinks) continue;
            plain_form *f = &r->form[r->forms++];
            memset(f, 0, sizeof *f);
            for (int j = 0; j < r->n; j++) f->a[j] = side ? -z[element].a[j] : z[element].a[j];
            f->b = side ? bend->kink[k] - z[element].b : z[element].b - bend->kink[k];
        }
        if (plain_largest(r->n, none, 0, r->forms, r->form, NULL) == -INFINITY) continue;
        memset(&y[element], 0, sizeof y[element]);
        for (int j = 0; j < r->n; j++) y[element].a[j] = bend->slope[piece] * z[element].a[j];
        y[element].b = bend->slope[piece] * z[element].b + bend->shift[piece];
        plain_phase(r, layer, element + 1, z, y);
    }
    r->forms = forms;
}

/* max over the box of min over rows of (row . y - level), at x. */
static inline double plain_extremum(const plain_network *net, const double *low, const double *high, int rows, const double *row, const double *level, double *x)
{
    static plain_run r;
    plain_form input[PLAIN_WIDTH], z[PLAIN_WIDTH], y[PLAIN_WIDTH];
    memset(&r, 0, sizeof r);
    r.net = net;
    r.n = (int)net->size[0];
    r.rows = rows;
    r.row = row;
    r.level = level;
    r.best = -INFINITY;
    memset(input, 0, sizeof input);
    for (int j = 0; j < r.n; j++) {
        input[j].a[j] = (plain)high[j] - low[j];
        input[j].b = low[j];
    }
    plain_layer(&r, 0, input, z);
    plain_phase(&r, 0, 0, z, y);
    for (int j = 0; j < r.n; j++) x[j] = (double)(low[j] + r.at[j] * ((plain)high[j] - low[j]));
    return (double)r.best;
}
#endif
