/* How many processes a keeper has below it, and how large they are: one pass over /proc/N/stat (proc(5)). */
#include "core/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct entry {
    long pid, parent, pages;
} entry;

static bool read_stat(int folder, const char *name, entry *e)
{
    char path[64], text[1024];
    if (snprintf(path, sizeof path, "%s/stat", name) >= (int)sizeof path) return false;
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0) return false;
    text[got] = 0;
    const char *behind = strrchr(text, ')'); /* the name in front may hold anything */
    e->pid = strtol(name, NULL, 10);
    /* fields 3, 4 and 24: state, parent, resident pages */
    return behind && sscanf(behind + 1, " %*c %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld",
                            &e->parent, &e->pages) == 2;
}

static int by_pid(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* The keeper above a process, or -1. */
static int keeper_of(const entry *e, const entry *table, size_t rows, const pid_t *keepers, int count)
{
    for (int depth = 0; e && depth < 1000; depth++) {
        for (int k = 0; k < count; k++)
            if (e->parent == keepers[k]) return k;
        if (e->parent <= 1) return -1;
        e = bsearch(&(entry){.pid = e->parent}, table, rows, sizeof *table, by_pid);
    }
    return -1;
}

bool process_measure(nigh_context *ctx, const pid_t *keepers, int count, tree_size *sizes)
{
    nigh_buffer table = {.ctx = ctx};
    DIR *folder = opendir("/proc");
    if (!folder) return false;
    bool fine = true;
    entry e;
    for (struct dirent *d; fine && (d = readdir(folder));)
        if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && read_stat(dirfd(folder), d->d_name, &e))
            fine = nigh_buffer_add(&table, &e, sizeof e) == NIGH_OK;
    closedir(folder);
    entry *rows = (entry *)table.data;
    size_t n = table.size / sizeof *rows;
    if (fine && n) qsort(rows, n, sizeof *rows, by_pid);
    memset(sizes, 0, (size_t)count * sizeof *sizes);
    int64_t page = sysconf(_SC_PAGESIZE);
    for (size_t i = 0; fine && i < n; i++) {
        int k = keeper_of(&rows[i], rows, n, keepers, count);
        if (k < 0) continue;
        sizes[k].processes++;
        if (rows[i].pages * page > sizes[k].largest_bytes) sizes[k].largest_bytes = rows[i].pages * page;
    }
    nigh_buffer_free(&table);
    return fine;
}
