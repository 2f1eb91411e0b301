/* Writing ONNX: what onnx_write.c lends to those who write kinds of layers; onnx_write_fields.c: kinds on fields; onnx_write_more.c: kinds that are composed there. */
#ifndef NIGH_NN_ONNX_WRITE_H
#define NIGH_NN_ONNX_WRITE_H
#include "nn/onnx.h"

typedef struct onnx_writer {
    nigh_context *ctx;
    nigh_network *net;
    nigh_arena *arena;
    nigh_buffer nodes, tensors; /* fields of the graph */
    const nigh_shape *shape;    /* of each layer's result */
    const nigh_shape *other;    /* with another number of samples: what differs is open */
    const nigh_layer *layer;    /* that is being written */
    int index, serial, type;
    bool open;                  /* the first dimension may be any */
    bool *plain, *turned;       /* [parameters]: written as they are; as kernels, channels first */
    nigh_status status;
} onnx_writer;

typedef struct onnx_out_attribute {
    const char *name;
    int n;
    int64_t value[2 * NIGH_MAX_DIMS];
    bool number, real; /* n = 1: a number, not a list; real: `f` */
    double f;
    const char *text;  /* a text in place of all */
} onnx_out_attribute;

void onnx_put_node(onnx_writer *w, const char *op, int inputs, const char *const *input, const char *output, int attributes, const onnx_out_attribute *attribute);
void onnx_put_one(onnx_writer *w, const char *op, const char *x, const char *y);
void onnx_put_two(onnx_writer *w, const char *op, const char *a, const char *b, const char *y);

/* A fixed tensor; lists and numbers get names of their own. A name of the layer that no other has. */
void onnx_put_tensor(onnx_writer *w, const char *name, int type, int ndim, const int64_t *dim, const void *data, size_t bytes);
const char *onnx_integers(onnx_writer *w, int n, const int64_t *list);
const char *onnx_number(onnx_writer *w, double v);
const char *onnx_fresh(onnx_writer *w, const char *what);

/* Names and shapes of what the layer takes and gives; its weights, which are written then. */
const char *onnx_source(onnx_writer *w, int i);
const char *onnx_result(onnx_writer *w);
const nigh_shape *onnx_source_shape(const onnx_writer *w, int i);
const char *onnx_weight_name(onnx_writer *w, int i);

typedef struct onnx_field_writer {
    const char *kind; /* NULL ends the list */
    void (*write)(onnx_writer *w);
} onnx_field_writer;
extern const onnx_field_writer onnx_field_writers[], onnx_more_writers[];
#endif
