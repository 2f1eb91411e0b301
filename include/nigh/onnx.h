/*
 * nigh/onnx.h: networks from and to ONNX files (Open Neural Network Exchange, opset 7 to 21).
 */
#ifndef NIGH_ONNX_H
#define NIGH_ONNX_H
#include "nigh/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Reads: Abs Add AveragePool BatchNormalization Cast (between floats) Clip Concat Constant Conv ConvTranspose Cos Div Dropout Elu Equal Erf Exp Expand Flatten Floor Gather (rows of
 * a fixed table, or one fixed place) Gelu Gemm GlobalAveragePool Greater Identity LayerNormalization LeakyRelu Less Log LogSoftmax MatMul Max MaxPool Min Mul Neg Not Pad Pow
 * Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize (linear by half_pixel or align_corners, nearest by asymmetric and floor or align_corners and round_prefer_ceil) Round Sigmoid Sign Sin Slice Softmax Softplus Sqrt Squeeze Sub Tanh Transpose Unsqueeze
 * Where. Inputs and outputs keep the file's order of dimensions; images are turned to channels-last where convolutions begin and back where they end. A sum after
 * a product with a fixed matrix becomes the bias of a linear layer. Open dimensions of inputs become -1. f32 files give f32 networks, double ones f64; i64 and
 * i32 inputs become i32.
 *
 * Files may be hostile: all sizes are checked against the bytes that are there. A path that ends in ".gz" or a gzip file is unpacked (at most 4 GiB).
 * NIGH_FORMAT: not such a file; NIGH_UNSUPPORTED names the operator, and what of it is not read. Weights in other files are not read.
 */
NIGH_API nigh_status nigh_onnx_read(nigh_context *ctx, const char *path, nigh_network **net);
NIGH_API nigh_status nigh_onnx_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_network **net);

/*
 * Writes opset 18; layers on fields stand between transpositions to channels first and back. `shapes` [nigh_network_inputs]: with -1 in the first dimension for any number of samples. NIGH_UNSUPPORTED names a kind of layer that has no
 * form there. _format appends to `bytes`.
 */
NIGH_API nigh_status nigh_onnx_write(nigh_network *net, const nigh_shape *shapes, const char *path);
NIGH_API nigh_status nigh_onnx_format(nigh_network *net, const nigh_shape *shapes, nigh_buffer *bytes);

#ifdef __cplusplus
}
#endif
#endif
