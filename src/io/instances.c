/* Lists of problems of the verification competitions, and points as they print them. Declared in nigh/property.h. */
#include "core/words.h"
#include "io/gzip.h"
#include "io/lines.h"
#include "nigh/property.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

nigh_status nigh_property_print_point(nigh_buffer *out, int64_t inputs, const double *x, int64_t outputs, const double *y)
{
    size_t before = out->size;
    nigh_status status = nigh_buffer_add(out, "(", 1);
    for (int64_t i = 0; i < inputs + outputs && !status; i++) {
        char number[32];
        number_text(i < inputs ? x[i] : y[i - inputs], false, number);
        status = nigh_buffer_print(out, "%s(%c_%lld %s)", i ? "\n" : "", i < inputs ? 'X' : 'Y', (long long)(i < inputs ? i : i - inputs), number);
    }
    if (!status) status = nigh_buffer_add(out, ")\n", 2);
    if (status) out->size = before;
    return status;
}

/* The field at l->at, to the next comma or the end of the line, without blanks round it. */
static nigh_status take_field(lines *l, nigh_arena *arena, const char *what, const char **field)
{
    lines_skip_blanks(l);
    const char *end = l->at;
    while (end < l->end && *end != ',' && *end != '\n' && *end != '\r') end++;
    const char *last = end;
    while (last > l->at && (last[-1] == ' ' || last[-1] == '\t')) last--;
    if (last == l->at || last - l->at > 4000 || memchr(l->at, 0, (size_t)(last - l->at))) return lines_refuse(l, NIGH_FORMAT, what);
    if (!(*field = nigh_arena_format(arena, "%.*s", (int)(last - l->at), l->at))) return NIGH_MEMORY;
    l->at = end;
    if (l->at == l->end || *l->at != ',') return lines_refuse(l, NIGH_FORMAT, "a comma is expected behind the name of a file");
    l->at++;
    return NIGH_OK;
}

static nigh_status find_file(lines *l, nigh_arena *arena, const char *folder, const char *field, const char **path)
{
    const char *plain = nigh_arena_format(arena, "%s%s", *field == '/' ? "" : folder, field), *packed;
    if (!plain || !(packed = nigh_arena_format(arena, "%s.gz", plain))) return NIGH_MEMORY;
    *path = access(plain, F_OK) ? packed : plain;
    if (access(*path, F_OK)) return nigh_fail(l->ctx, NIGH_INVALID, "'%s': line %lld: there is no file '%s', with or without .gz", l->name, (long long)l->line, plain);
    return NIGH_OK;
}

static nigh_status take_line(lines *l, nigh_arena *arena, const char *folder, nigh_instance *item)
{
    nigh_status status = take_field(l, arena, "the name of a network's file is expected", &item->network_text);
    if (!status) status = take_field(l, arena, "the name of a property's file is expected", &item->property_text);
    if (!status) lines_skip_blanks(l);
    if (!status) status = lines_number(l, "the seconds allowed (a number) are expected", &item->seconds);
    if (!status && !(item->seconds > 0 && item->seconds < 1e9)) status = lines_refuse(l, NIGH_FORMAT, "seconds above 0 are expected");
    if (!status) lines_skip_blanks(l);
    if (!status && !lines_at_end(l)) status = lines_refuse(l, NIGH_FORMAT, "the end of the line is expected");
    if (!status) status = find_file(l, arena, folder, item->network_text, &item->network);
    return status ? status : find_file(l, arena, folder, item->property_text, &item->property);
}

static nigh_status take_lines(nigh_context *ctx, const char *text, size_t size, const char *path, nigh_arena *arena, nigh_instances *made)
{
    lines l;
    nigh_instance *item = NULL;
    const char *slash = strrchr(path, '/');
    char *folder = nigh_arena_format(arena, "%.*s", slash ? (int)(slash - path) + 1 : 0, path);
    nigh_status status = folder ? lines_open(ctx, text, size, path, &l) : NIGH_MEMORY;
    if (status) return status;
    while (!status && lines_next(&l, "#")) {
        status = lines_grow(ctx, (void **)&item, sizeof *item, made->count);
        if (!status) status = take_line(&l, arena, folder, &item[made->count++]);
    }
    lines_close(&l);
    nigh_instance *kept = status ? NULL : nigh_arena_alloc(arena, (size_t)(made->count + 1) * sizeof *item);
    if (!status && !kept) status = NIGH_MEMORY;
    if (!status && made->count) memcpy(kept, item, (size_t)made->count * sizeof *item);
    nigh_free(ctx, item);
    made->item = kept;
    return status;
}

nigh_status nigh_instances_read(nigh_context *ctx, const char *path, nigh_instances *instances)
{
    nigh_buffer bytes = {.ctx = ctx}, room = {.ctx = ctx};
    nigh_arena *arena = NULL;
    nigh_instances made = {0};
    const char *text = NULL;
    size_t size = 0;
    nigh_status status = nigh_io_read_all(ctx, path, &bytes);
    if (!status) status = nigh_io_plain(ctx, bytes.data, bytes.size, nigh_io_source_name(path), 0, &room, &text, &size);
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (!status) status = take_lines(ctx, text, size, path, arena, &made);
    made.memory = arena;
    if (!status) *instances = made;
    else nigh_arena_free(arena);
    nigh_buffer_free(&bytes);
    nigh_buffer_free(&room);
    return status;
}

void nigh_instances_free(nigh_instances *instances)
{
    nigh_arena_free(instances->memory);
    *instances = (nigh_instances){0};
}
