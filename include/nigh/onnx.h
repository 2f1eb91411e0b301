/*
 * nigh/onnx.h: networks from and to ONNX files (Open Neural Network Exchange, opset 7 to 25).
 */
#ifndef NIGH_ONNX_H
#define NIGH_ONNX_H
#include "nigh/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Reads these operators. Elements: Abs Add And Cast Ceil Celu Clip Cos Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity LeakyRelu Less LessOrEqual
 * Log Max Mean Min Mish Mod Mul Neg Not Or Pow (by one fixed number) PRelu Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor.
 * Products: Einsum (of two terms, each letter once a term) Gemm MatMul. Places: Concat CumSum DepthToSpace Expand Flatten Gather (fixed places along any axis; rows of a fixed table)
 * Pad (constant, reflect, edge, wrap; below 0 too) Reshape Resize and Upsample (nearest, linear, cubic; all ways to place but tf_crop_and_resize; not antialias) Slice SpaceToDepth Split Squeeze
 * Tile Transpose Trilu Unsqueeze. Rows: GroupNormalization InstanceNormalization LayerNormalization LogSoftmax LpNormalization LRN MeanVarianceNormalization ReduceL1 .. ReduceSumSquare (all ten)
 * Softmax. Images of 1 to 3 dimensions: AveragePool BatchNormalization Conv ConvTranspose GlobalAveragePool GlobalMaxPool MaxPool (auto_pad, ceil_mode, dilations, groups, output_padding,
 * output_shape, count_include_pad). Fixed: Constant ConstantOfShape Range Shape Size, and any of the above on fixed tensors, which is worked out in f64 when the file is read.
 *
 * Attention is what it is made of. Weights of convolutions and norms, axes, sizes and places must be fixed once all that is fixed has been worked out. Operators without a
 * layer of their kind become several. Truth values and whole numbers that are computed are 0, 1 .. of the network's type; infinities of fixed tensors (masks) become the largest number of
 * the type. Inputs and outputs keep the file's order of dimensions; images are turned to channels-last where convolutions begin and back where they end. A sum after a
 * product with a fixed matrix becomes the bias of a linear layer; x sigmoid(x) and the forms of gelu by erf and tanh that are spread over several operators become one layer each, numbers
 * that agree with the exact ones to 1e-6 (those of f32) taken for them, when nothing else reads what lies between. Open dimensions of inputs become -1; sizes that files compute from an
 * open first dimension stay open, other open ones are not followed. f32 files give f32 networks, double ones f64; i64 and i32 inputs become i32.
 *
 * Files may be hostile: the format is read without recursion (messages in one another to a fixed depth, others skipped), all sizes and counts are checked against the bytes that are there
 * and against 16384 nodes and tensors before memory is asked for, and at most 2^25 numbers more than four times those of the file are made of fixed ones. A path that
 * ends in ".gz" or a gzip file is unpacked (at most 4 GiB). Cost: the file's size, and nodes times names.
 * NIGH_FORMAT: not such a file, or shapes that do not fit; NIGH_UNSUPPORTED: what is not read. Both name the node and its operator. Weights in other files are not read.
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
