/* One child from start to end, and the simple calls of nigh/process.h. Starting is in process_start.c, many runs in pool.c. */
#include "core/process.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const double grace_seconds = 1.5; /* for the keeper, which itself gives the program 0.2 */

/* ---- limits ---- */

static nigh_status limit_fill(nigh_context *ctx, const char *name, int64_t *value, int64_t usual)
{
    if (*value < 0) return nigh_fail(ctx, NIGH_INVALID, "limit %s is %lld; 0 (default) or more is allowed", name, (long long)*value);
    if (*value == 0) *value = usual;
    return NIGH_OK;
}

nigh_status limits_fill(nigh_context *ctx, const nigh_limits *given, nigh_limits *full)
{
    *full = given ? *given : (nigh_limits){0};
    if (!(full->seconds >= 0) || full->seconds > 1e9)
        return nigh_fail(ctx, NIGH_INVALID, "limit seconds is %g; 0 (default) to 1e9 is allowed", full->seconds);
    if (!(full->cpu_seconds >= 0) || full->cpu_seconds > 1e9)
        return nigh_fail(ctx, NIGH_INVALID, "limit cpu_seconds is %g; 0 (none) to 1e9 is allowed", full->cpu_seconds);
    if (full->processes < 0) return nigh_fail(ctx, NIGH_INVALID, "limit processes is %d; 0 (default) or more is allowed", full->processes);
    if (full->seconds == 0) full->seconds = 60;
    if (full->processes == 0) full->processes = 256;
    int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    nigh_status status = limit_fill(ctx, "memory_bytes", &full->memory_bytes, machine);
    if (!status) status = limit_fill(ctx, "file_bytes", &full->file_bytes, (int64_t)1 << 30);
    if (!status) status = limit_fill(ctx, "output_bytes", &full->output_bytes, (int64_t)16 << 20);
    return status;
}

/* ---- finding the program ---- */

static bool runnable(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

static nigh_status find_here(nigh_context *ctx, const char *name, char **path)
{
    struct stat info;
    if (stat(name, &info) < 0) return nigh_fail(ctx, NIGH_FAILED, "there is no program '%s': %s", name, strerror(errno));
    if (!S_ISREG(info.st_mode)) return nigh_fail(ctx, NIGH_FAILED, "'%s' is not a program but %s", name, S_ISDIR(info.st_mode) ? "a folder" : "a special file");
    if (access(name, X_OK) < 0) return nigh_fail(ctx, NIGH_FAILED, "'%s' cannot be executed: %s (chmod +x makes it executable)", name, strerror(errno));
    char *here = name[0] == '/' ? NULL : getcwd(NULL, 0);
    if (name[0] != '/' && !here) return nigh_fail(ctx, NIGH_IO, "the working directory cannot be told: %s", strerror(errno));
    *path = here ? nigh_format(ctx, "%s/%s", here, name) : nigh_strdup(ctx, name);
    free(here);
    return *path ? NIGH_OK : NIGH_MEMORY;
}

nigh_status program_find(nigh_context *ctx, const char *name, const char *search, char **path)
{
    if (!name[0]) return nigh_fail(ctx, NIGH_INVALID, "the name of the program is empty");
    if (strchr(name, '/')) return find_here(ctx, name, path);
    if (!search) search = getenv("PATH");
    if (!search || !search[0]) search = "/usr/local/bin:/usr/bin:/bin";
    for (const char *part = search; part; part = strchr(part, ':') ? strchr(part, ':') + 1 : NULL) {
        int length = (int)strcspn(part, ":");
        if (part[0] != '/') continue; /* relative parts of PATH are a trap once the folder changes */
        char *full = nigh_format(ctx, "%.*s/%s", length, part, name);
        if (!full) return NIGH_MEMORY;
        if (runnable(full)) {
            *path = full;
            return NIGH_OK;
        }
        nigh_free(ctx, full);
    }
    return nigh_fail(ctx, NIGH_FAILED, "there is no program '%s' in PATH (%.1000s)%s", name, search,
                     runnable(name) ? "; write './' in front for the one in this folder" : "");
}

/* ---- starting ---- */

static void close_end(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Standard input is a socket pair when there is input: writing to a program that has closed it then gives an error, no SIGPIPE. */
static int make_pipes(child *c, launch *plan)
{
    int ends[2];
    plan->in = plan->out = plan->err = plan->report = -1;
    if (c->input_left) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -1;
        c->in = ends[0], plan->in = ends[1];
        shutdown(c->in, SHUT_RD);
        fcntl(c->in, F_SETFL, O_NONBLOCK);
    } else if ((plan->in = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
        return -1;
    }
    int *mine[] = {&c->out.fd, &c->err.fd, &c->report}, *theirs[] = {&plan->out, &plan->err, &plan->report};
    for (int i = 0; i < 3; i++) {
        if (pipe2(ends, O_CLOEXEC) < 0) return -1;
        *mine[i] = ends[0], *theirs[i] = ends[1];
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

static const char *search_of(const char *const *environment)
{
    for (; environment && *environment; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0) return *environment + 5;
    return NULL;
}

/* PATH, HOME and LANG as three texts in one block behind their pointers. */
static char **small_environment(nigh_context *ctx)
{
    static const char *const names[] = {"PATH", "HOME", "LANG"};
    static const char *const usual[] = {"/usr/local/bin:/usr/bin:/bin", "/", "C.UTF-8"};
    const char *values[3];
    size_t bytes = 4 * sizeof(char *);
    for (int i = 0; i < 3; i++) {
        values[i] = getenv(names[i]);
        if (!values[i]) values[i] = usual[i];
        bytes += strlen(names[i]) + strlen(values[i]) + 2;
    }
    char **block = nigh_alloc(ctx, bytes);
    if (!block) return NULL;
    char *text = (char *)(block + 4);
    for (int i = 0; i < 3; i++) {
        block[i] = text;
        text += sprintf(text, "%s=%s", names[i], values[i]) + 1;
    }
    block[3] = NULL;
    return block;
}

static nigh_status child_fork(child *c, const nigh_task *task)
{
    nigh_context *ctx = c->ctx;
    launch plan = {.path = c->path, .argv = (char *const *)task->argv, .folder = task->folder, .limits = c->limits};
    char **made = task->environment ? NULL : small_environment(ctx);
    plan.environment = made ? made : (char *const *)task->environment;
    if (!plan.environment) return NIGH_MEMORY;
    if (!c->limits.plain) plan.filter = process_filter(c->limits.network);
    nigh_status status = NIGH_OK;
    if (make_pipes(c, &plan) < 0) {
        status = nigh_fail(ctx, NIGH_RESOURCE, "no pipe for '%s': %s", c->name, strerror(errno));
    } else {
        c->start = nigh_clock();
        c->keeper = process_launch(&plan);
        if (c->keeper < 0) status = nigh_fail(ctx, NIGH_RESOURCE, "no process for '%s': %s", c->name, strerror(errno));
        c->isolated = plan.isolated;
        c->deadline = c->start + c->limits.seconds;
    }
    nigh_free(ctx, made);
    close_end(&plan.in), close_end(&plan.out), close_end(&plan.err), close_end(&plan.report);
    return status;
}

static void child_free(child *c)
{
    close_end(&c->in), close_end(&c->report), close_end(&c->out.fd), close_end(&c->err.fd);
    nigh_buffer_free(&c->out.text);
    nigh_buffer_free(&c->err.text);
    nigh_free(c->ctx, c->path);
    c->path = NULL;
}

nigh_status child_start(nigh_context *ctx, const nigh_task *task, const nigh_limits *limits, child *out)
{
    child c = {.ctx = ctx, .limits = *limits, .in = -1, .report = -1, .keeper = -1, .input = task->input, .input_left = task->input_size};
    c.out = c.err = (stream){.fd = -1, .text = {.ctx = ctx}};
    if (!task->argv || !task->argv[0]) return nigh_fail(ctx, NIGH_INVALID, "the command is empty");
    c.name = task->argv[0];
    struct stat info;
    nigh_status status = program_find(ctx, c.name, search_of(task->environment), &c.path);
    if (!status && task->folder && (stat(task->folder, &info) < 0 || !S_ISDIR(info.st_mode)))
        status = nigh_fail(ctx, NIGH_IO, "the working directory '%s' for '%s' is no folder", task->folder, c.name);
    /* an empty text rather than NULL, also when nothing comes */
    if (!status) status = nigh_buffer_add(&c.out.text, "", 0);
    if (!status) status = nigh_buffer_add(&c.err.text, "", 0);
    if (!status) status = child_fork(&c, task);
    if (status)
        child_free(&c);
    else
        *out = c;
    return status;
}

/* ---- running ---- */

void child_want(const child *c, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = c->out.fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = c->err.fd, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = c->report, .events = POLLIN};
    fds[3] = (struct pollfd){.fd = c->in, .events = POLLOUT};
}

/* Reads what is there, at most some megabytes so that other children get their turn. */
static nigh_status drain(stream *s, int64_t cap)
{
    char room[65536];
    for (int turn = 0; turn < 32 && s->fd >= 0; turn++) {
        ssize_t got = read(s->fd, room, sizeof room);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) {
            close_end(&s->fd);
            break;
        }
        int64_t left = cap - (int64_t)s->text.size;
        if (got > left) s->cut = true;
        nigh_status status = nigh_buffer_add(&s->text, room, got < left ? (size_t)got : (size_t)left);
        if (status) return status;
    }
    return NIGH_OK;
}

static void feed(child *c)
{
    while (c->in >= 0 && c->input_left) {
        ssize_t put = send(c->in, c->input, c->input_left, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && errno == EAGAIN) return;
        if (put < 0) break; /* it does not read: its own affair */
        c->input += put;
        c->input_left -= (size_t)put;
    }
    close_end(&c->in);
}

/* Reads the report; true at its end, when the keeper is gone. Only the first report counts. */
static bool hear(child *c)
{
    launch_report more;
    while (true) {
        bool full = c->last_size == sizeof c->last;
        ssize_t got = read(c->report, full ? (char *)&more : (char *)&c->last + c->last_size, full ? sizeof more : sizeof c->last - c->last_size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return false;
        if (got <= 0) return true;
        if (!full) c->last_size += (size_t)got;
    }
}

static void stop(child *c, int sign)
{
    c->phase = CHILD_STOPPING;
    c->deadline = nigh_clock() + grace_seconds;
    kill(c->keeper, sign);
}

static void reap(child *c)
{
    while (waitpid(c->keeper, NULL, __WALL) < 0 && errno == EINTR) {}
    c->keeper = -1;
}

nigh_status child_step(child *c, const struct pollfd *fds)
{
    nigh_status status = NIGH_OK;
    if (fds[0].revents) status = drain(&c->out, c->limits.output_bytes);
    if (!status && fds[1].revents) status = drain(&c->err, c->limits.output_bytes);
    if (status) return status;
    if (fds[3].revents) feed(c);
    if (fds[2].revents && hear(c)) {
        reap(c); /* with it, all its descendants are dead: what stands in the pipes is all there will be */
        for (size_t before = SIZE_MAX; !status && before != c->out.text.size + c->err.text.size;) {
            before = c->out.text.size + c->err.text.size;
            status = drain(&c->out, c->limits.output_bytes);
            if (!status) status = drain(&c->err, c->limits.output_bytes);
        }
        c->phase = CHILD_ENDED;
    } else if (nigh_clock() >= c->deadline) {
        if (c->phase == CHILD_RUNS) c->timed_out = true;
        stop(c, c->phase == CHILD_RUNS ? SIGTERM : SIGKILL);
    }
    return status;
}

void child_judge(child *c, tree_size size)
{
    if (size.largest_bytes > c->sampled_bytes) c->sampled_bytes = size.largest_bytes;
    if (c->phase != CHILD_RUNS) return;
    c->too_many = size.processes > c->limits.processes;
    c->too_large = size.largest_bytes > c->limits.memory_bytes;
    /* A namespace dies with its keeper, at once; else the keeper has to do it. */
    if (c->too_many || c->too_large) stop(c, c->isolated ? SIGKILL : SIGUSR2);
}

/* ---- ending ---- */

static nigh_status start_failure(const child *c)
{
    nigh_context *ctx = c->ctx;
    const char *text = strerror(c->last.error);
    switch (c->last.step) {
    case STEP_FOLDER: return nigh_fail(ctx, NIGH_IO, "'%s' cannot run in its folder: %s", c->name, text);
    case STEP_LIMIT: return nigh_fail(ctx, NIGH_RESOURCE, "the limits for '%s' cannot be set: %s", c->name, text);
    case STEP_FORK: return nigh_fail(ctx, NIGH_RESOURCE, "no process for '%s': %s", c->name, text);
    default: break;
    }
    const char *advice = c->last.error == ENOEXEC  ? " (a script needs a first line such as #!/usr/bin/env python3)"
                         : c->last.error == ENOENT ? " (the interpreter it asks for is missing)"
                                                   : "";
    return nigh_fail(ctx, NIGH_FAILED, "'%s' (%s) cannot be executed: %s%s", c->name, c->path, text, advice);
}

nigh_status child_result(child *c, nigh_run *run)
{
    bool told = c->last_size == sizeof c->last;
    nigh_status status = told && c->last.step != STEP_RAN ? start_failure(c) : NIGH_OK;
    if (!status) {
        nigh_run r = {.exit_code = -1, .timed_out = c->timed_out, .too_many = c->too_many, .too_large = c->too_large, .isolated = c->isolated};
        r.output_cut = c->out.cut || c->err.cut;
        r.peak_bytes = c->sampled_bytes;
        r.seconds = told ? c->last.seconds : nigh_clock() - c->start;
        if (!told) {
            r.signal = SIGKILL; /* keeper and all, by us or for lack of memory by the kernel */
        } else {
            if (WIFEXITED(c->last.wait_status)) r.exit_code = WEXITSTATUS(c->last.wait_status);
            if (WIFSIGNALED(c->last.wait_status)) r.signal = WTERMSIG(c->last.wait_status);
            r.cpu_seconds = c->last.cpu_seconds;
            /* The kernel starts a program's peak at what it was forked from: below that the samples know better. */
            if (c->last.peak_bytes > c->last.keeper_bytes) r.peak_bytes = c->last.peak_bytes;
        }
        r.out = c->out.text.data, r.out_size = c->out.text.size;
        r.err = c->err.text.data, r.err_size = c->err.text.size;
        c->out.text.data = c->err.text.data = NULL;
        *run = r;
    }
    child_free(c);
    return status;
}

void child_destroy(child *c)
{
    if (c->keeper >= 0) {
        kill(c->keeper, c->isolated ? SIGKILL : SIGUSR2);
        for (int i = 0; !c->isolated && i < 6000; i++) { /* 6 s: the keeper tries for 5 */
            if (waitpid(c->keeper, NULL, __WALL | WNOHANG) != 0) goto gone;
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        kill(c->keeper, SIGKILL);
        reap(c);
    }
gone:
    child_free(c);
}

/* ---- simple calls ---- */

typedef struct single {
    nigh_task task;
    nigh_run *run;
} single;

static nigh_status make_single(void *user, int64_t i, nigh_task *task)
{
    (void)i;
    *task = ((single *)user)->task;
    return NIGH_OK;
}

static nigh_status take_single(void *user, int64_t i, nigh_run *run)
{
    (void)i;
    *((single *)user)->run = *run;
    run->out = run->err = NULL;
    return NIGH_OK;
}

nigh_status nigh_process_run(nigh_context *ctx, const char *const *argv, const char *folder, const char *const *environment,
                             const void *input, size_t input_size, const nigh_limits *limits, nigh_run *run)
{
    single one = {{argv, folder, environment, input, input_size}, run};
    return nigh_process_map(ctx, 1, make_single, take_single, &one, limits, 1);
}

void nigh_run_free(nigh_context *ctx, nigh_run *run)
{
    nigh_free(ctx, run->out);
    nigh_free(ctx, run->err);
    run->out = run->err = NULL;
}

/* The last line of what a program wrote that is not blank, at most 200 bytes of printable text. */
static void last_words(const nigh_run *run, char room[240])
{
    const char *text = run->err_size ? run->err : run->out;
    size_t end = run->err_size ? run->err_size : run->out_size;
    while (end && (unsigned char)text[end - 1] <= ' ') end--;
    size_t start = end;
    while (start && text[start - 1] != '\n' && end - start < 200) start--;
    size_t used = end > start ? (size_t)snprintf(room, 240, "; it last said: ") : 0;
    for (; start < end; start++) room[used++] = (unsigned char)text[start] < ' ' || text[start] == 127 ? ' ' : text[start];
    room[used] = 0;
}

nigh_status nigh_run_check(nigh_context *ctx, const char *program, const nigh_run *run)
{
    char words[240];
    last_words(run, words);
    if (run->timed_out) return nigh_fail(ctx, NIGH_RESOURCE, "'%s' was stopped after %.3g s, its limit%s", program, run->seconds, words);
    if (run->too_many) return nigh_fail(ctx, NIGH_RESOURCE, "'%s' was stopped: it started more processes than allowed%s", program, words);
    if (run->too_large)
        return nigh_fail(ctx, NIGH_RESOURCE, "'%s' was stopped: it held %.0f MB, more than allowed%s", program, (double)run->peak_bytes / 1e6, words);
    if (run->signal == SIGXCPU) return nigh_fail(ctx, NIGH_RESOURCE, "'%s' used up its CPU time (%.3g s)%s", program, run->cpu_seconds, words);
    if (run->signal == SIGXFSZ) return nigh_fail(ctx, NIGH_RESOURCE, "'%s' wrote a file larger than allowed%s", program, words);
    if (run->signal == SIGKILL) return nigh_fail(ctx, NIGH_FAILED, "'%s' was killed from outside, perhaps for lack of memory%s", program, words);
    if (run->signal) return nigh_fail(ctx, NIGH_FAILED, "'%s' crashed: %s (signal %d)%s", program, strsignal(run->signal), run->signal, words);
    if (run->exit_code) return nigh_fail(ctx, NIGH_FAILED, "'%s' failed with exit code %d%s", program, run->exit_code, words);
    return NIGH_OK;
}
