/* Models from files and directories. Declared in lm/source.h. */
#include "lm/source.h"
#include "lm/huggingface.h"

#include <sys/stat.h>

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

nigh_status model_source_open(nigh_context *ctx, const char *path, nigh_gguf **file)
{
    return is_folder(path) ? hf_open(ctx, path, file) : nigh_gguf_open(ctx, path, file);
}

nigh_status model_source_tokenizer(nigh_context *ctx, const char *path, char **found)
{
    char *name = NULL;
    if (is_folder(path) && !(name = nigh_format(ctx, "%s/tokenizer.json", path))) return NIGH_MEMORY;
    *found = name;
    return NIGH_OK;
}
