/*
 * Where a language model comes from: a GGUF file, or a directory as Hugging Face's programs write it, shown as if it were a GGUF file.
 *
 * In both cases the answer is an opened nigh_gguf: keys under GGUF names ("general.architecture", "llama.block_count"), tensors under GGUF names
 * ("blk.0.attn_q.weight") with shape[0] the length of a row. What a directory's tensors need to be like those of a file is done at opening, as the
 * reference converter does it: rows of q and k of llama models in pairs for rotation, norms of Gemma with 1 added, weights of GPT-2 transposed, one-
 * dimensional tensors as f32. All other weights point into the mapped safetensors files, as f32, f16 or bf16. Tied embeddings: no "output.weight".
 */
#ifndef NIGH_LM_SOURCE_H
#define NIGH_LM_SOURCE_H
#include "nigh/gguf.h"

/* path: a file or a directory. End it with nigh_gguf_close. Errors as nigh_gguf_open; for directories they name the file of the directory, key or tensor. */
nigh_status model_source_open(nigh_context *ctx, const char *path, nigh_gguf **file);

/* The tokenizer.json of a directory, in memory of the caller's (nigh_free); *found NULL when path is a file (the tokenizer stands in its keys). */
nigh_status model_source_tokenizer(nigh_context *ctx, const char *path, char **found);
#endif
