/* A predicate that is a program: started once, asked line by line. Declared in nigh/constraint.h. */
#include "core/process.h"
#include "lm/constraint.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const double answer_seconds = 10, end_seconds = 0.5;

typedef struct asked_program {
    nigh_context *ctx;
    char **argv;
    child c;
    bool running;
    nigh_buffer line;
} asked_program;

static void release(void *user)
{
    asked_program *p = user;
    if (p->running) child_destroy(&p->c);
    nigh_buffer_free(&p->line);
    nigh_free(p->ctx, p->argv);
    nigh_free(p->ctx, p);
}

/* What the program last wrote to its standard error, kept to its first 16 MiB; it must not wait for us to read. */
static void drain(asked_program *p)
{
    char room[4096];
    ssize_t got;
    while ((got = read(p->c.err.fd, room, sizeof room)) > 0)
        if (p->c.err.text.size < (size_t)p->c.limits.output_bytes && nigh_buffer_add(&p->c.err.text, room, (size_t)got)) return;
}

/* It closed its output: why it ended, when it did. */
static nigh_status ended(asked_program *p)
{
    nigh_status status = NIGH_OK;
    double until = nigh_clock() + end_seconds;
    p->c.deadline = until;
    while (!status && p->c.phase != CHILD_ENDED && nigh_clock() < until + 3) {
        struct pollfd fds[CHILD_FDS];
        child_want(&p->c, fds);
        poll(fds, CHILD_FDS, 20);
        status = child_step(&p->c, fds);
    }
    nigh_run run = {0};
    const char *name = p->argv[0];
    if (!status && p->c.phase == CHILD_ENDED) {
        status = child_result(&p->c, &run);
        p->running = false;
        if (!status) {
            run.timed_out = false;
            status = nigh_run_check(p->ctx, name, &run);
            nigh_run_free(p->ctx, &run);
        }
    }
    if (!status) status = nigh_fail(p->ctx, NIGH_FAILED, "'%s' ended before it answered", name);
    return nigh_within(p->ctx, status == NIGH_RESOURCE ? NIGH_FAILED : status, "the program of a constraint");
}

static nigh_status late(asked_program *p)
{
    return nigh_fail(p->ctx, NIGH_FAILED, "the program of a constraint: '%s' did not answer within %g s (one line \"1\" or \"0\" for each question, written out at once)", p->argv[0],
                     answer_seconds);
}

static nigh_status tell(asked_program *p, double until)
{
    const char *text = p->line.data;
    for (size_t left = p->line.size; left > 0;) {
        ssize_t put = send(p->c.in, text, left, MSG_NOSIGNAL);
        if (put > 0) {
            text += put, left -= (size_t)put;
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return ended(p);
        struct pollfd fds[2] = {{.fd = p->c.in, .events = POLLOUT}, {.fd = p->c.err.fd, .events = POLLIN}};
        poll(fds, 2, 100);
        drain(p);
        nigh_status status = nigh_poll(p->ctx);
        if (status) return status;
        if (nigh_clock() > until) return late(p);
    }
    return NIGH_OK;
}

static nigh_status hear(asked_program *p, double until, int *answer)
{
    char line[16];
    size_t size = 0;
    while (true) {
        ssize_t got = read(p->c.out.fd, line + size, 1);
        if (got == 1) {
            if (line[size] == '\n') break;
            if (line[size] != '\r' && ++size == sizeof line) break;
            continue;
        }
        if (got == 0) return ended(p);
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return ended(p);
        struct pollfd fds[2] = {{.fd = p->c.out.fd, .events = POLLIN}, {.fd = p->c.err.fd, .events = POLLIN}};
        poll(fds, 2, 100);
        if (fds[1].revents & POLLIN) drain(p);
        nigh_status status = nigh_poll(p->ctx);
        if (status) return status;
        if (nigh_clock() > until) return late(p);
    }
    if (size != 1 || (line[0] != '0' && line[0] != '1'))
        return nigh_fail(p->ctx, NIGH_INVALID, "the program of a constraint: '%s' answered '%.*s'; 1 and 0 are allowed", p->argv[0], (int)size, line);
    *answer = line[0] - '0';
    return NIGH_OK;
}

/* 1, 0, or minus a status. */
static int question(asked_program *p, char kind, const char *bytes, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    if (!p->running) return -(int)nigh_fail(p->ctx, NIGH_FAILED, "the program of a constraint: '%s' has ended", p->argv[0]);
    p->line.size = 0;
    nigh_status status = nigh_buffer_print(&p->line, "%c ", kind);
    for (size_t i = 0; !status && i < size; i++) status = nigh_buffer_add(&p->line, (char[]){hex[(uint8_t)bytes[i] >> 4], hex[bytes[i] & 15]}, 2);
    if (!status) status = nigh_buffer_add(&p->line, "\n", 1);
    double until = nigh_clock() + answer_seconds;
    int answer = -1;
    if (!status) status = tell(p, until);
    if (!status) status = hear(p, until, &answer);
    if (status && p->running) {
        child_destroy(&p->c);
        p->running = false;
    }
    return status ? -(int)status : answer;
}

static int prefix_ok(void *user, const char *bytes, size_t size) { return question(user, 'P', bytes, size); }
static int complete_ok(void *user, const char *bytes, size_t size) { return question(user, 'C', bytes, size); }

static nigh_status start(asked_program *p, const char *command)
{
    nigh_limits limits = {.output_bytes = 1 << 20, .seconds = 1e9};
    nigh_limits full;
    nigh_status status = nigh_process_split(p->ctx, command, &p->argv);
    if (!status) status = limits_fill(p->ctx, &limits, &full);
    nigh_task task = {.argv = (const char *const *)p->argv, .input = "", .input_size = 1};
    if (!status) status = child_start(p->ctx, &task, &full, &p->c);
    if (!status) p->running = true, p->c.input_left = 0;
    return status;
}

nigh_status nigh_constraint_program(nigh_context *ctx, const char *command, nigh_constraint **out)
{
    asked_program *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->ctx = ctx, p->line.ctx = ctx;
    nigh_status status = start(p, command);
    nigh_constraint *c = status ? NULL : nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!status && !c) status = NIGH_MEMORY;
    nigh_predicate predicate = {p, prefix_ok, complete_ok};
    if (!status) {
        c->ctx = ctx;
        status = prefixes_new(ctx, &predicate, release, &c->prefixes);
    }
    if (status) {
        nigh_free(ctx, c);
        release(p);
    } else {
        *out = c;
    }
    return status;
}
