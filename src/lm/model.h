/* Inside of a loaded model: what a pass reads. Filled by model.c from the table of architecture.c. */
#ifndef NIGH_LM_MODEL_H
#define NIGH_LM_MODEL_H
#include "lm/source.h"
#include "nigh/lm.h"
#include "tensor/quant.h"

typedef enum model_norm { MODEL_RMS_NORM, MODEL_LAYER_NORM } model_norm;
typedef enum model_rotation { MODEL_ROTATE_NOT, MODEL_ROTATE_PAIRS, MODEL_ROTATE_HALVES } model_rotation;

/* One row of the table of architectures: everything that the files do not say. */
typedef struct architecture {
    const char *name; /* general.architecture, and the prefix of its keys */
    model_norm norm;
    model_rotation rotation;
    bool gated;              /* down(f(gate x) * up x), else down(f(up x)) */
    quant_gate activation;   /* f */
    bool fused_qkv;          /* one tensor attn_qkv */
    bool scaled_embedding;   /* times sqrt(width) */
    int64_t global_every;    /* every so manieth layer sees everything, the others look back `attention.sliding_window`; 0: all see everything */
    double local_base;       /* of the rotation in the others */
} architecture;

/* NULL: unknown; `names` is then what to say is allowed. */
const architecture *architecture_find(const char *name, const char **names);

/* How angles grow with position: angle i at position p is p * frequency[i], i < count <= head_size / 2. */
typedef struct model_turn {
    int64_t count;
    double *frequency;
} model_turn;

typedef struct model_layer {
    float *norm1, *norm1_bias, *norm2, *norm2_bias; /* before attention and before the two-layer network */
    float *post1, *post2;                           /* norms of what they give; or NULL */
    float *query_norm, *key_norm;                   /* [head_size] or NULL */
    quant_matrix *qkv, *out, *up, *down;            /* up: with its gate above it when gated */
    float *qkv_bias, *out_bias, *up_bias, *down_bias; /* or NULL */
    int64_t window;                                 /* 0: everything */
    const model_turn *turn;
} model_layer;

struct nigh_lm {
    nigh_context *ctx;
    nigh_lm_info info;
    const architecture *kind;
    nigh_tokenizer *tokenizer;
    nigh_gguf *file; /* stays open: rows of the embedding are read from it */
    const nigh_gguf_tensor *embedding, *places; /* places: learned positions or NULL */
    float eps, scale, embedding_scale;
    model_turn turns[2]; /* of layers that see everything; of the others */
    model_layer *layer;
    float *last_norm, *last_norm_bias;
    quant_matrix *head;
    quant_store *store; /* of all matrices */
    nigh_arena *arena; /* names, norms, biases, tables */
};
#endif
