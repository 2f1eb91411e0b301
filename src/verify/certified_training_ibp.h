/* The inside of certified training: boxes that go through the layers of a network on a tape. */
#ifndef NIGH_VERIFY_CERTIFIED_TRAINING_IBP_H
#define NIGH_VERIFY_CERTIFIED_TRAINING_IBP_H
#include "nigh/certified_training.h"

typedef enum box_relu {
    BOX_RELU_ENDS,  /* max(., 0) of both ends */
    BOX_RELU_LOCAL, /* the state at the centre */
    BOX_RELU_OPEN   /* left out */
} box_relu;

/* A result: centre and radius, or ends, or both; radius NIGH_NONE (and no ends): the centre is all there is. */
typedef struct box {
    nigh_node centre, radius, low, high;
} box;

/* How boxes walk. */
typedef struct box_walk {
    nigh_network *network;
    nigh_tape *tape;
    const nigh_node *parameters, *statistics;
    nigh_context *ctx;
    nigh_node (*magnitude)(nigh_tape *tape, nigh_node weight); /* nigh_tape_abs */
    box_relu relu;
    double tolerance;
    int norms;              /* batch norms met */
    nigh_node input_radius; /* mean of the first radius: a number */
    nigh_node tightness, balance;
    int relus;
} box_walk;

/* All layers up to `last`, whose box comes out. */
nigh_status box_walk_to(box_walk *walk, box input, int last, box *out);

/* nigh_record_boxes with another |.| in the place of the absolute value of weights. */
nigh_status box_record(nigh_box_recording *recording, nigh_node (*magnitude)(nigh_tape *tape, nigh_node weight));

/* Centre and radius of f_j - f_label [N, K] (0 at the label) from the box [N, in] in front of the last layer; false: that is not of rows. */
bool box_margins(nigh_tape *tape, nigh_node (*magnitude)(nigh_tape *tape, nigh_node weight), const box *in, nigh_node weight, nigh_node bias, nigh_node labels, box *out);

/* f32 network of one input, samples f32 within the range, labels (NULL: none) i32 below its number of outputs, which comes out. */
nigh_status box_check_samples(nigh_context *ctx, nigh_network *network, const nigh_array *x, const nigh_array *labels, double low, double high, int64_t *classes);

/* The last layer when it is linear and its input has rows; else NIGH_INVALID. */
nigh_status box_last_linear(nigh_network *network, int *layer);
#endif
