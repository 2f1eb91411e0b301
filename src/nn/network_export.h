/*
 * Exporting a network as C: the steps of an executor as text. network_export.c: the file and its arrays; network_export_steps.c: a function's worth of
 * loops for each step; network_export_code.c: the functions that they call.
 */
#ifndef NIGH_NN_NETWORK_EXPORT_H
#define NIGH_NN_NETWORK_EXPORT_H
#include "grad/executor.h"
#include "nigh/network.h"

enum { EXPORT_PANEL = 32 }; /* columns of a packed matrix that lie together */

/* A fixed array of the file: a weight as it is, or packed for products. */
typedef struct export_array {
    const void *data;       /* of the weight */
    int64_t offset;         /* elements */
    bool packed;
    int64_t count;          /* elements as they are, or batches of matrices [k, n] in panels */
    int64_t k, n, row, column;
    int batch_dims;
    int64_t batch[NIGH_MAX_DIMS], stride[NIGH_MAX_DIMS];
} export_array;

typedef struct export_writer {
    nigh_context *ctx;
    nigh_network *net;
    const nigh_executor *run;
    nigh_buffer *text;      /* the steps go to a text of their own: the arrays before them are known only afterwards */
    nigh_status status;     /* the first failure; nothing is written after it */
    nigh_dtype dtype;
    const char *name, *real, *suffix;
    int arrays, room;
    export_array *array;
    int64_t scratch;        /* elements: the executor's arena, then packed matrices */
    int64_t packing;        /* most elements of a matrix that is packed while running */
    int inputs, outputs;
    const nigh_node *input, *output;
} export_writer;

void export_print(export_writer *w, const char *format, ...) NIGH_PRINTF(2, 3);
void export_fail(export_writer *w, const char *format, ...) NIGH_PRINTF(2, 3);

/* Number of the array; -1 after a failure. Equal ones are one. */
int export_add_array(export_writer *w, const export_array *array);

/* A C literal of the network's type. */
const char *export_number(const export_writer *w, double x, char text[48]);

/* Where an operand begins, as a C expression. */
enum { EXPORT_PLACE = 160 };
const char *export_place(export_writer *w, const operand *o, char text[EXPORT_PLACE]);

/* The functions that steps call, with names of their own; and one step. */
void export_code(export_writer *w);
void export_convolution(export_writer *w, const exec_step *step); /* network_export_fields.c */
void export_pool(export_writer *w, const exec_step *step);

/* The numbers of an operand that are known now: a weight's or a constant's; NULL for results and inputs. */
const void *export_fixed(const export_writer *w, const operand *o);
void export_step(export_writer *w, const exec_step *step);
#endif
