/*
 * Exporting a network as C: the steps of an executor as text. What depends on weights and constants alone is computed while writing, and stands in the file as
 * numbers. network_export.c: the file and its arrays; network_export_steps.c: nested loops, chains, products, which step is written how;
 * network_export_rows.c, _fields.c, _convolution.c, _fourier.c, _attention.c: the other steps; network_export_code*.c: the functions that they call.
 */
#ifndef NIGH_NN_NETWORK_EXPORT_H
#define NIGH_NN_NETWORK_EXPORT_H
#include "grad/executor.h"
#include "nigh/network.h"

enum { EXPORT_PANEL = 32, EXPORT_NARROW = 16 }; /* columns of a packed matrix that lie together; of one that has no more than NARROW */

/* A fixed array of the file: numbers as they are, or packed for products; indices are integers, complex numbers have their imaginary parts behind the real ones. */
typedef struct export_array {
    const void *data;
    nigh_dtype dtype;
    int64_t offset;         /* elements */
    bool packed;
    int64_t count;          /* elements as they are, or batches of matrices [k, n] in panels */
    int64_t k, n, row, column;
    int batch_dims;
    int64_t batch[NIGH_MAX_DIMS], stride[NIGH_MAX_DIMS];
} export_array;

/* Parts of the functions that steps call; those that nobody asks for are not written. */
typedef enum export_part { EXPORT_PRODUCTS = 1, EXPORT_ROWS = 2, EXPORT_WINDOWS = 4, EXPORT_POOLS = 8, EXPORT_GROUPS = 16, EXPORT_SINES = 32, EXPORT_FOURIER = 64, EXPORT_ATTENTION = 128, EXPORT_LATENT = 256 } export_part;

typedef struct export_writer {
    nigh_context *ctx;
    nigh_network *net;
    nigh_executor *run;
    nigh_arena *arena;      /* of numbers made while writing */
    const void **folded;    /* [storages]: what lies there now, when it is known already; else NULL */
    nigh_buffer *text;      /* the steps go to a text of their own: the arrays before them are known only afterwards */
    nigh_status status;     /* the first failure; nothing is written after it */
    nigh_dtype dtype;
    const char *name, *real, *suffix;
    unsigned parts;         /* of export_part */
    int at;                 /* number of the step that is being written */
    int arrays, room;
    export_array *array;
    int64_t results;        /* elements of the executor's arena that are used */
    int64_t extra;          /* most elements that a step needs behind them */
    int inputs, outputs;
    const nigh_node *input, *output;
} export_writer;

void export_print(export_writer *w, const char *format, ...) NIGH_PRINTF(2, 3);
void export_fail(export_writer *w, const char *format, ...) NIGH_PRINTF(2, 3);

/* static const long NAME[] of a block. */
void export_list(export_writer *w, const char *name, int n, const int64_t *list);

/* Asks for parts of the functions; and for memory of a step behind the results: its elements begin at "(s + NAME_RESULTS + offset)". */
void export_need(export_writer *w, unsigned parts);
void export_extra(export_writer *w, int64_t elements);

/* Number of the array; -1 after a failure. Equal ones are one. */
int export_add_array(export_writer *w, const export_array *array);

/* `count` numbers of the file's type, or integers, that the writer makes: zeros in the arena, NULL after a failure. export_own writes doubles as an array: its number. */
void *export_numbers(export_writer *w, nigh_dtype dtype, int64_t count);
int export_own(export_writer *w, int64_t count, const double *list);
int export_own_integers(export_writer *w, int64_t count, const int64_t *list);

/* A C literal of the network's type. */
const char *export_number(const export_writer *w, double x, char text[48]);

/*
 * Where an operand begins, as a C expression: of the network's type; of integers (inputs and what is known); of complex numbers, whose imaginary parts lie
 * *plane elements behind.
 */
enum { EXPORT_PLACE = 160 };
const char *export_place(export_writer *w, const operand *o, char text[EXPORT_PLACE]);
const char *export_index(export_writer *w, const operand *o, char text[EXPORT_PLACE]);
const char *export_complex(export_writer *w, const operand *o, char text[EXPORT_PLACE], int64_t *plane);

/* The numbers of an operand's storage that are known now: a weight's, a constant's, what was computed of them; NULL for results and inputs. */
const void *export_fixed(const export_writer *w, const operand *o);

/* Nested loops over several arrays: dimensions of 1 left out, neighbours one where all arrays allow it; strides of what is repeated are 0. */
enum { EXPORT_ARRAYS = TILE_SLOTS };
typedef struct export_nest {
    int arrays, ndim;
    int64_t dim[NIGH_MAX_DIMS], stride[EXPORT_ARRAYS][NIGH_MAX_DIMS];
} export_nest;
void export_nest_build(export_nest *to, const nigh_shape *space, int arrays, const operand *const *array);

/* Opens loops over i0, i1 ..; the last with a brace. "i0 * 64 + i1" for an array, "0" when it stands still. */
void export_open_loops(export_writer *w, const export_nest *n);
const char *export_index_text(const export_nest *n, int array, int to, char *text, size_t room);

/* Writes declarations of b, step, panel for a product with `array`, packed; size: elements of each batch. */
void export_packed(export_writer *w, const export_array *array, const char *place);
int64_t export_packed_size(int64_t k, int64_t n);
int64_t export_panel(int64_t n);

/* The functions that steps call, with names of their own; and one step. */
void export_code(export_writer *w);
void export_put(export_writer *w, const char *text); /* @ stands for the file's name, $ for the type */
extern const char export_code_windows[], export_code_pools[], export_code_groups[], export_code_fourier[], export_code_attention[], export_code_latent[];

typedef void export_step_fn(export_writer *w, const exec_step *step);
void export_step(export_writer *w, const exec_step *step);
export_step_fn export_reduce, export_rows, export_group_norm, export_normalise, export_gather;                      /* network_export_rows.c */
export_step_fn export_convolution, export_convolution_data;                                                         /* network_export_convolution.c */
export_step_fn export_pool, export_resample;                                                                        /* network_export_fields.c */
export_step_fn export_attention, export_latent;                                                                      /* network_export_attention.c */
export_step_fn export_fft, export_spectrum_resize;                                                                  /* network_export_fourier.c */
#endif
