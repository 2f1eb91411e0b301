/*
 * Inside of the linear bounds: rows walk back from a node to the input in tiles.
 *
 * What holds at every moment of a walk: over the domain, the functional asked for is at least  sum over nodes with a row of a_k . v_k  + constant - rest, where constant and
 * the coefficients are the numbers computed and rest is an upper bound of everything that rounding took. A node's row is handed on to its inputs:
 *
 *   affine node v = W x + b:   a W goes to x; what comes to v brings a . b to the constant and |a| . r to the rest (r of bounds_inside.h) when it comes;
 *   activation v = f(z):       a_j s_j goes to z with s_j the slope of the lower line where a_j > 0, of the upper where a_j < 0; the shifts go to the constant.
 *
 * The two are one pass where an activation reads an affine node: shift + slope b and the rest of both are prepared for each domain and element.
 */
#ifndef NIGH_VERIFY_CROWN_INSIDE_H
#define NIGH_VERIFY_CROWN_INSIDE_H
#include "verify/bounds_inside.h"

#include <string.h>


enum {
    CROWN_TILE = 64,             /* rows that walk together at most: matrix products are at their full speed */
    CROWN_LEAST = 8,             /* and at least, however wide a node is */
    CROWN_SLOT = 1 << 18,        /* numbers of one node's rows in a tile, when CROWN_LEAST rows fit */
    CROWN_PLACES = 64,           /* rows of products of convolutions, */
    CROWN_PLACES_FEW = 8,        /* and of the last ones */
    CROWN_DIRECT = 4,            /* channels of a group from which on convolutions backwards are summed up place by place; fewer leave vectors too empty */
    CROWN_CHUNK_BYTES = 1 << 20, /* of lines prepared at once for each thread, */
    CROWN_MOST_BYTES = 1 << 26,  /* or for CROWN_TILE domains within so many */
    CROWN_COLUMNS = 7,           /* vectors of a line */
    CROWN_MORE = 16              /* and of derivatives */
};

typedef struct crown_ascent crown_ascent;

#define CROWN_SMALL 1e-9 /* rests of rounding up to this are left as the root box has them */

/* A node as a field [height, width, channels]; [1, 1, size] where no convolution says otherwise. */
typedef struct crown_field {
    int64_t height, width, channels;
} crown_field;

/* The part of a field in which a tile's rows have coefficients other than 0: rows are stored as [y1 - y0, x1 - x0, channels]. y1 = 0: nothing. */
typedef struct crown_frame {
    int64_t y0, y1, x0, x1;
} crown_frame;

/* Vectors [n] of one activation on one domain: [0] for negative coefficients, [1] for positive ones. rest is NULL in fast bounds, beta where nothing is split. */
typedef struct crown_line {
    const double *slope[2], *shift[2], *rest[2];
    const double *beta;
} crown_line;

/* What reaches a place of a convolution's input from one of its result: coefficients and weights of these channels. */
typedef struct crown_tap {
    const double *a, *weight;
    const int32_t *list;
    int32_t count;
} crown_tap;

/* Room for a convolution backwards: [places of the result, channels out of a group], [places], [kernel]. */
typedef struct crown_room {
    int32_t *list, *count;
    crown_tap *tap;
} crown_room;

/* Element-wise passes over rows a[rows, n] of one domain; constant and rest are [rows] and added to. */
typedef struct crown_kernels {
    /* out = a slope (+ beta), constant += a shift, rest += |a| rest. out may be a. */
    void (*through)(int64_t rows, int64_t n, const double *a, double *out, const crown_line *line, double *constant, double *rest);
    /* constant += a . bias (NULL: 0), rest += |a| . r (NULL: 0). */
    void (*take)(int64_t rows, int64_t n, const double *a, const double *bias, const double *r, double *constant, double *rest);
    /* least[i] = sum_j min(a_j low_j, a_j high_j), size[i] = the same sum of magnitudes. */
    void (*corner)(int64_t rows, int64_t n, const double *a, const double *low, const double *high, double *least, double *size);
    void (*add)(int64_t n, double scale, const double *a, double *to); /* to += scale a */
    /*
     * One line of an activation whose argument is z = (W x + bias): the shift becomes slope bias + shift (bias NULL: 0), and `rest` (NULL: not wanted) what |a| is to be multiplied
     * with: the argument's own rest r (NULL: 0), the rounding `step` of a slope and of adding it to what is there, the additions (gamma) of a shift to the constant.
     */
    void (*fuse)(int64_t n, const double *slope, double *shift, const double *bias, const double *r, const double *low, const double *high, double step, double gamma, double *rest);
    /* Lower lines of relus for slopes that have moved, with shift and rest as `fuse` makes them; upper lines stay. */
    void (*tilt)(int64_t n, const double *free, const double *low, const double *high, const double *bias, const double *r, double step, double gamma, double *slope, double *shift,
                 double *rest);
    /* One step of Adam (Kingma and Ba, "Adam: a method for stochastic optimization") within [low, high]; c1, c2: what its means are to be multiplied with. */
    void (*adam)(int64_t n, double c1, double c2, double rate, double low, double high, double *now, const double *up, double *first, double *second);
    /*
     * Places [first, first + count) of rows of frame `in` of a convolution's result: what each gives to its window, a[count][kernel, channels of a group], is added to rows of
     * frame `to` of its input; `out` points at the group's first channel.
     */
    void (*gather)(const bound_window *w, int64_t first, int64_t count, const crown_frame *in, double *a, const crown_frame *to, const double *out); /* its transpose: a is set */
    /*
     * Forwards through the lines that the signs of a chose: out = slope (z - bias) + shift (bias NULL: 0). up += sum over rows of weight max(a, 0) z (NULL: not wanted),
     * at += sum over rows of weight z (NULL: not wanted).
     */
    void (*ahead)(int64_t rows, int64_t n, const double *a, const double *z, const double *bias, const crown_line *line, const double *weight, double *out, double *up, double *at);
    void (*scatter)(const bound_window *w, int64_t first, int64_t count, const crown_frame *in, const double *a, const crown_frame *to, double *out);
    /* Rows of frame `in` of a convolution's result times its matrix: out, of frame `to` of its input, is set. */
    void (*spread)(const bound_window *w, int64_t rows, const crown_frame *in, const double *a, const double *weight, const crown_frame *to, double *out, const crown_room *room);
} crown_kernels;
extern const crown_kernels crown_scalar, crown_avx2, crown_avx512;

/* Lines of an activation for the domains of a chunk: six arrays [domains, size]. */
typedef struct crown_lines {
    double *slope[2], *shift[2], *rest[2], *beta;
    int32_t *list; /* room for a list */
} crown_lines;

/* What a thread works with. */
typedef struct crown_scratch {
    double **row;               /* [nodes] the slot that holds a node's rows; NULL: none */
    double **free;              /* slots that hold nothing */
    int frees;
    crown_frame *frame;         /* [nodes] */
    double *column[CROWN_COLUMNS]; /* [widest] parts of vectors */
    crown_room room;            /* for convolutions place by place */
    double *places;             /* products of convolutions of few channels before they are added up */
    double **kept, **value;     /* for ascents: [nodes] rows that came to activations and the input; values of nodes from the least corner forwards */
    double *spare;              /* a slot for them */
    double *more[CROWN_MORE];   /* [widest] */
    double weight[CROWN_TILE];
    void *workspace;
    double constant[CROWN_TILE], rest[CROWN_TILE], least[CROWN_TILE], size[CROWN_TILE];
    double taken[CROWN_TILE];   /* coefficients that go through lines of halves, */
    int64_t place[CROWN_TILE];  /* and where they stood; -1: none */
    int64_t domain[CROWN_TILE]; /* of each row, within the chunk */
    int64_t rows;
} crown_scratch;

/* Rows [first, first + rows) of a job; the place of their start. */
typedef struct crown_tile {
    int64_t first, rows;
    crown_frame frame;
} crown_tile;

/* What is prepared of one node. */
typedef struct crown_node {
    crown_field field;
    int last;                   /* the last node that reads it; -1: none */
    double *rest;               /* bounds' rest with the additions of biases to constants; NULL: none */
    bool may_list;              /* columns of dead elements can be left out of this activation and its argument */
    int32_t *list;              /* of an activation and its argument: the elements whose coefficients matter, of all domains of the batch; NULL: all */
    int64_t listed;             /* how many */
    bool stale;                 /* lists around it have changed */
    double *turned;             /* DENSE: what products forwards read, the transpose of what those backwards do */
    bool turns;                 /* it is that of the weights at hand */
    double *weight;             /* CONVOLUTION: [groups][channels out of a group][kernel, channels of a group]; DENSE: what lists leave of its matrix, NULL: all */
    int64_t weight_room;
    matmul *forward[CROWN_TILE + 1]; /* as the next one, forwards */
    matmul *product[CROWN_TILE + 1]; /* DENSE: of so many rows; CONVOLUTION of few channels: of CROWN_PLACES and CROWN_PLACES_FEW; made when first needed */
    int64_t inner, outer;       /* DENSE: for these sizes */
} crown_node;

typedef struct crown {
    const crown_kernels *kernels;
    nigh_arena *arena;
    int threads, team;           /* at most; of the job at hand */
    int64_t slot;                /* numbers */
    crown_node *node;            /* [nodes] */
    size_t workspace;            /* bytes */
    bool ascends;                /* forward products are wanted */
    double gamma, tiny;          /* of the constants' additions; of all underflow */
    bool blown;                  /* rests over the root box are no longer small: they are made anew from what a batch's intervals say */
    double **low, **high, **magnitude, **raw; /* [nodes] for that; NULL else */
    crown_scratch *scratch;      /* [threads] */
    /* Of the chunk at hand. */
    crown_lines *lines;          /* [activations] */
    int64_t room;                /* domains it can hold */
    double *beta_constant, *beta_rest; /* [room] what multipliers bring to each row */
    crown_tile *tile;            /* [tiles_room] */
    int64_t tiles, tiles_room;
    /* Rows that start at single elements, of the chunk. */
    int64_t *unit_domain, *unit_element;
    int8_t *unit_sign;
    double *unit_bound;
} crown;

/*
 * Rows of one start. They belong to items, each with lines of its own: domains [first, first + items) of the batch, or, when `id` is there, those that are still at work among items
 * that an optimisation numbers.
 */
typedef struct crown_job {
    bounds *b;
    crown *c;
    const bounds_batch *batch;
    int64_t first, domains;  /* the chunk: how many items */
    int start;
    int64_t rows;            /* of all items */
    const bounds_rows *want; /* NULL: units */
    bool beta;               /* multipliers count */
    int64_t side;            /* of the blocks of places whose units follow each other */
    const crown_ascent *ascent; /* NULL: plain bounds */
} crown_job;

/* What an optimisation keeps for its items; numbers of item i at [i]. */
struct crown_ascent {
    const int64_t *id;       /* [job's domains] the item at each place */
    const int64_t *domain;   /* [items] in the batch */
    double **slope, **beta;  /* [activations] each [items, size]; NULL: not moved */
    double **slope_up, **beta_up; /* derivatives by them */
    double *bound;           /* [items, rows of each] */
    int64_t each;
    const double *level;     /* [each]; NULL: none */
    int64_t *prepared;       /* [items] at each place: the item whose lines stand there, -1: none */
    int64_t unit;            /* units: item 0 is this one of the chunk's */
};

static inline int64_t crown_item(const crown_job *job, int64_t place) { return job->ascent ? job->ascent->id[place] : place; }
static inline int64_t crown_domain(const crown_job *job, int64_t place) { return job->ascent ? job->ascent->domain[job->ascent->id[place]] : job->first + place; }

/* The first j >= from with a split among n signs, n: none. Splits are few: eight signs are looked at together. */
static inline int64_t crown_next_split(const int8_t *split, int64_t from, int64_t n)
{
    for (uint64_t word; from + 8 <= n; from += 8) {
        memcpy(&word, split + from, sizeof word);
        if (word) break;
    }
    while (from < n && !split[from]) from++;
    return from;
}

/* b->crown with all that does not depend on rows. */
nigh_status crown_ready(bounds *b);

/* Where rests are not small: rests from the hull of all boxes and intervals of the batch. */
void crown_refresh(const crown_job *job);

/* Lines of activation a for all domains of the chunk; `slopes`: the batch's are used where it has some. */
void crown_prepare(const crown_job *job, int a, bool slopes);

/* What multipliers of activations before the start bring to every row of a domain. */
void crown_prepare_beta(const crown_job *job);

/* Both for all activations up to the start, with the batch's or the ascent's slopes, item by item. */
void crown_prepare_items(const crown_job *job);

/* Both ends of every element of the chunk whose function is not one line become rows of the job. */
void crown_units(crown_job *job, int a);

/* All rows of the job on all threads: unit_bound, or what `want` wants. */
nigh_status crown_run(const crown_job *job);

/* Walks a tile back to the input. */
void crown_walk(const crown_job *job, const crown_tile *tile, crown_scratch *s);

/* Affine maps backwards: out, in the frame or list of the input, = a W. `crown_product`: makes what node k needs for so many rows. */
nigh_status crown_weights(bounds *b, crown *c); /* once: weights of convolutions as products want them */
nigh_status crown_product(bounds *b, crown *c, int k, int64_t rows);
void crown_affine(const crown *c, const bound_graph *g, int k, const double *a, const crown_frame *to, double *out, crown_scratch *s);
void crown_unit(const crown *c, const bound_graph *g, int k, int64_t element, double sign, const crown_frame *to, double *out); /* sign times row `element` of W */

void crown_forward(const crown *c, const bound_graph *g, int k, const double *x, double *out, crown_scratch *s); /* x W^T + b, frames of the node and its input */

/* Ascents: crown_ascent.c. After a walk that kept its rows: derivatives of the tile's bounds. */
nigh_status crown_ascent_ready(bounds *b); /* memory for them */
void crown_climb(const crown_job *job, const crown_tile *tile, crown_scratch *s);

/* Fields, frames and lists: crown_frames.c. */
void crown_fields(const bound_graph *g, crown *c); /* once */
crown_frame crown_full(const crown *c, int k);
crown_frame crown_need(const crown *c, const bound_graph *g, int k, const crown_frame *f); /* the part of its input that part f of affine node k reads */
int64_t crown_width(const crown *c, int k, const crown_frame *f);                         /* numbers of a row */
void crown_spread(const crown_job *job, const crown_frame *start, crown_frame *frame); /* frames of all nodes */
const double *crown_collect(const crown *c, int k, const crown_frame *f, const double *all, double *part); /* of a vector [size]; `all` itself where nothing is left out */
void crown_embed(const crown *c, const crown_kernels *kernels, int k, int64_t rows, const crown_frame *from, const double *a, const crown_frame *to, double *sum); /* sum += a */
void crown_lists(const crown_job *job); /* all that a job of wanted rows can use */

/* Optimised bounds of units of activation a, into unit_bound. */
nigh_status crown_tighten_units(const crown_job *units, int a, const bounds_optimise_options *options);

/* Sets the list of activation a from the batch's intervals; `all`: none. */
void crown_list(const crown_job *job, int a, bool all);
#endif
