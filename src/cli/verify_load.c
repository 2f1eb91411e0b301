/* Networks from files. See verify.h. */
#include "cli/verify.h"

#include "nigh/onnx.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Safetensors begin with the length of a header that begins with "{". */
static bool is_safetensors(const char *path)
{
    unsigned char head[9] = {0};
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(head, 1, sizeof head, file) : 0;
    if (file) fclose(file);
    return got == sizeof head && head[8] == '{' && head[5] == 0 && head[6] == 0 && head[7] == 0;
}

nigh_status verify_load_network(nigh_context *ctx, const char *path, nigh_network **net)
{
    char *twin = NULL;
    if (access(path, R_OK) != 0) {
        twin = nigh_format(ctx, "%s.gz", path);
        if (!twin) return NIGH_MEMORY;
        if (access(twin, R_OK) == 0) path = twin;
    }
    nigh_status status = is_safetensors(path) ? nigh_network_load(ctx, path, net) : nigh_onnx_read(ctx, path, net);
    nigh_free(ctx, twin);
    return status;
}
