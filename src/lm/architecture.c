/* The table of architectures, one row each: what files do not say. Declared in lm/model.h. */
#include "lm/model.h"

#include <string.h>

static const architecture table[] = {
    {.name = "llama", .norm = MODEL_RMS_NORM, .rotation = MODEL_ROTATE_PAIRS, .gated = true, .activation = QUANT_SILU},
    {.name = "qwen2", .norm = MODEL_RMS_NORM, .rotation = MODEL_ROTATE_HALVES, .gated = true, .activation = QUANT_SILU},
    {.name = "qwen3", .norm = MODEL_RMS_NORM, .rotation = MODEL_ROTATE_HALVES, .gated = true, .activation = QUANT_SILU},
    {.name = "gemma3", .norm = MODEL_RMS_NORM, .rotation = MODEL_ROTATE_HALVES, .gated = true, .activation = QUANT_GELU_TANH, .scaled_embedding = true,
     .global_every = 6, .local_base = 10000},
    {.name = "gpt2", .norm = MODEL_LAYER_NORM, .rotation = MODEL_ROTATE_NOT, .activation = QUANT_GELU_TANH, .fused_qkv = true},
};

const architecture *architecture_find(const char *name, const char **names)
{
    *names = "llama, qwen2, qwen3, gemma3, gpt2";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name)) return &table[i];
    return NULL;
}
