/*
 * Directories as Hugging Face's programs write them, as GGUF files: config.json becomes keys, tensors of *.safetensors get GGUF's names and order of rows.
 * model_type llama, mistral, qwen2, qwen3, gemma3_text, gpt2. Settings that change what a model computes and are not known here are NIGH_UNSUPPORTED by name.
 */
#ifndef NIGH_LM_HUGGINGFACE_H
#define NIGH_LM_HUGGINGFACE_H
#include "core/json.h"
#include "nigh/gguf.h"

/* What a tensor's rows need. */
typedef enum hf_change {
    HF_AS_IS,
    HF_PAIRED_Q,    /* rows of each head: two halves become pairs, as GGUF's llama files rotate neighbours */
    HF_PAIRED_K,
    HF_PLUS_ONE,    /* norms that are stored less 1 */
    HF_TRANSPOSED,  /* [in, out] */
} hf_change;

typedef struct hf_name {
    const char *theirs, *ours; /* without ".weight", ".bias"; ours NULL: not needed */
    hf_change change;
} hf_name;

struct hf_model;

typedef struct hf_family {
    const char *model_type, *architecture, *layer; /* "layers." or "h.": what stands before the number of a layer */
    const hf_name *in_layer, *outside;             /* ends with theirs NULL */
    nigh_status (*keys)(nigh_gguf_writer *w, const nj *config, struct hf_model *model);
} hf_family;

typedef struct hf_model {
    nigh_context *ctx;
    const hf_family *family;
    int64_t layers, heads, kv_heads, head_size;
    bool tied, said; /* said: config.json says whether embeddings are tied */
    int rope_factors; /* numbers in: */
    float rope_factor[512]; /* of Llama 3, by which frequencies are divided */
} hf_model;

extern const hf_family hf_families[]; /* ends with model_type NULL */

/* huggingface_config.c: fills *model and puts keys. generation NULL: there is no generation_config.json. */
nigh_status hf_config(const nj *config, const nj *generation, const char *name, nigh_gguf_writer *keys, hf_model *model);

/* huggingface.c: a tensor of a safetensors file, into file. label: the safetensors file, for messages. */
nigh_status hf_take(const hf_model *model, nigh_gguf *file, const char *label, const char *name, const nigh_shape *shape, const void *data);
/* After the last one: output.weight when it is needed, rope_freqs.weight. */
nigh_status hf_finish(const hf_model *model, nigh_gguf *file);

/* All of it. */
nigh_status hf_open(nigh_context *ctx, const char *folder, nigh_gguf **file);
#endif
