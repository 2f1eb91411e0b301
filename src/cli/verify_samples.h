/* Labelled samples and networks of classes for `nigh verify train` and `nigh verify tightness`. */
#ifndef NIGH_CLI_VERIFY_SAMPLES_H
#define NIGH_CLI_VERIFY_SAMPLES_H
#include "nigh/certified_training.h"
#include "nigh/dataset.h"

/* Two parts of a data set; zeroed, they are empty. */
typedef struct verify_samples {
    nigh_dataset train, test;
    int64_t classes;
} verify_samples;

/* "mnist", "digits" ($NIGH_DATA), "glyphs" or "glyphs:N" (drawn), or an npz file with x [n, ...] and y [n], or x_train, y_train, x_test, y_test. Without a test part a fifth is taken
 * at random, always the same. f32; classes as many as labels. */
nigh_status verify_samples_load(nigh_context *ctx, const char *word, verify_samples *samples);
void verify_samples_free(verify_samples *samples);

/* At most `most` samples, from the first on. */
void verify_samples_cut(nigh_dataset *set, int64_t most);

/* onnx (.gz), or nigh's own file. A first dimension of 1 becomes open: a network for one sample is one for many. */
nigh_status verify_network_read(nigh_context *ctx, const char *path, nigh_network **net);

/* Samples reshaped to the network's input: as they are, flattened, or with channels first. */
nigh_status verify_samples_fit(nigh_context *ctx, nigh_network *net, const char *path, nigh_dataset *set);

/* Networks by words, widths times `times`: mlp:256,256 and conv:16,32 (stride 2) or conv:16,32+100. */
nigh_status verify_network_build(nigh_context *ctx, const char *words, const nigh_shape *x, int64_t classes, double times, nigh_network **net);
#endif
