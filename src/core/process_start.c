/*
 * From fork to exec: the keeper and the program. Nothing here allocates, locks or touches a context; between fork and
 * exec only system calls are made (async-signal-safe), since nigh may have other threads.
 *
 * nigh --clone--> keeper --vfork, exec--> program. The keeper waits for the program, ends what is left of it, reports and
 * exits; see nigh/process.h. It keeps all signals blocked and takes SIGCHLD, SIGTERM (end it politely) and SIGUSR2 (end it
 * now, also sent by the kernel when nigh dies) by sigtimedwait.
 */
#include "core/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPORT_FD = 3 };

/* ---- the program's side ---- */

_Noreturn static void give_up(launch_step step)
{
    launch_report report = {.step = step, .error = errno};
    ssize_t put = write(REPORT_FD, &report, sizeof report);
    _exit(put == sizeof report ? 127 : 126);
}

static int limit(int resource, rlim_t soft, rlim_t extra)
{
    struct rlimit old;
    if (getrlimit((__rlimit_resource_t)resource, &old) < 0) return -1;
    rlim_t hard = soft + extra;
    if (old.rlim_max != RLIM_INFINITY && hard > old.rlim_max) hard = old.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){soft < hard ? soft : hard, hard});
}

static int apply_limits(const nigh_limits *limits)
{
    if (limits->cpu_seconds > 0 && limit(RLIMIT_CPU, (rlim_t)ceil(limits->cpu_seconds), 1) < 0) return -1;
    if (limit(RLIMIT_FSIZE, (rlim_t)limits->file_bytes, 0) < 0 || limit(RLIMIT_CORE, 0, 0) < 0) return -1;
#ifdef NIGH_SANITIZED
    return 0; /* the shadow memory of a sanitized program counts as data: resident memory is watched all the same */
#else
    return limit(RLIMIT_DATA, (rlim_t)limits->memory_bytes, 0);
#endif
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t put = write(fd, text, strlen(text)); /* a refusal changes nothing that we promise */
    (void)put;
    close(fd);
}

static void reset_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++) sigaction(s, &plain, NULL); /* fails for those that cannot change */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn static void become(const launch *plan)
{
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    write_file("/proc/self/oom_score_adj", "500"); /* rather it than nigh */
    if (plan->folder && chdir(plan->folder) < 0) give_up(STEP_FOLDER);
    if (apply_limits(&plan->limits) < 0) give_up(STEP_LIMIT);
    reset_signals();
    if (!plan->limits.plain && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up(STEP_LIMIT);
    /* SPEC_ALLOW: a filter must not slow the program down, its time is measured */
    if (plan->filter && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, plan->filter) < 0 &&
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, plan->filter) < 0 && errno != EINVAL)
        give_up(STEP_LIMIT);
    execve(plan->path, plan->argv, plan->environment);
    give_up(STEP_EXEC);
}

/* ---- the keeper's side ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The four ends become 0, 1, 2 and 3, wherever they are now; all else is closed. */
static bool arrange(const launch *plan)
{
    const int ends[] = {plan->in, plan->out, plan->err, plan->report};
    int high[4];
    for (int i = 0; i < 4; i++)
        if ((high[i] = fcntl(ends[i], F_DUPFD, 10)) < 0) return false;
    for (int i = 0; i < 4; i++)
        if (dup2(high[i], i) < 0) return false;
    if (fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) < 0) return false;
    if (syscall(SYS_close_range, REPORT_FD + 1, ~0u, 0) == 0) return true;
    struct rlimit files;
    int last = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 65536 ? (int)files.rlim_cur : 65536;
    for (int fd = REPORT_FD + 1; fd < last; fd++) close(fd);
    return true;
}

/* Root in a container of its own still is root: leave it what concerns files and users only. */
static void drop_capabilities(void)
{
    static const unsigned long kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID};
    for (unsigned long capability = 0; capability <= 63; capability++) {
        bool keep = false;
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) keep |= kept[i] == capability;
        if (!keep && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno == EINVAL) break; /* beyond the last */
    }
}

static long number(const char *text)
{
    long n = 0;
    for (; *text >= '0' && *text <= '9'; text++) n = 10 * n + (*text - '0');
    return n;
}

/* Parent of a process by /proc/NAME/stat: the number after the state, which follows the last ')'. */
static long parent_of(const char *name)
{
    char path[64] = "/proc/", text[1024];
    size_t length = strlen(name);
    if (length > 20) return -1;
    memcpy(path + 6, name, length);
    memcpy(path + 6 + length, "/stat", 6);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    while (got > 0 && text[got - 1] != ')') got--;
    if (got <= 0) return -1;
    text[sizeof text - 1] = 0;
    return number(text + got + 3);
}

/* Kills every child of this process; the children of those come to us, their reaper, and fall next time. */
static void kill_children(void)
{
    struct entry { /* linux_dirent64 */
        uint64_t inode;
        int64_t offset;
        unsigned short size;
        unsigned char type;
        char name[];
    };
    _Alignas(8) char room[4096];
    int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long me = getpid(), got;
    if (fd < 0) return;
    while ((got = syscall(SYS_getdents64, fd, room, sizeof room)) > 0)
        for (long at = 0; at < got;) {
            const struct entry *e = (const struct entry *)(room + at);
            at += e->size;
            if (e->name[0] >= '1' && e->name[0] <= '9' && parent_of(e->name) == me) kill((pid_t)number(e->name), SIGKILL);
        }
    close(fd);
}

/* Until this process has no child. Gives up after some seconds on what the kernel will not let die. */
static void end_orphans(void)
{
    for (double end = now() + 5; now() < end;) {
        pid_t reaped;
        while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0) {}
        if (reaped < 0) return;
        kill_children();
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
}

/* Reaps the dead; true once the program is among them (not reaped yet, so that its group cannot be another's). */
static bool program_ended(pid_t program)
{
    siginfo_t info;
    while (true) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return false;
        if (info.si_pid == program) return true;
        waitpid(info.si_pid, NULL, WNOHANG);
    }
}

static void wait_for(pid_t program)
{
    sigset_t wake;
    sigemptyset(&wake);
    sigaddset(&wake, SIGCHLD);
    sigaddset(&wake, SIGTERM);
    sigaddset(&wake, SIGUSR2);
    double kill_at = INFINITY;
    while (!program_ended(program)) {
        int got = sigtimedwait(&wake, NULL, &(struct timespec){.tv_nsec = kill_at < INFINITY ? 10000000 : 500000000});
        if (got == SIGTERM && kill_at == INFINITY) {
            kill(-program, SIGTERM);
            kill(-program, SIGCONT);
            kill_at = now() + 0.2;
        }
        if (got == SIGUSR2 || now() >= kill_at) {
            kill(-program, SIGKILL);
            kill(program, SIGKILL);
        }
    }
}

static double cpu_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) + 1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void finish(const launch *plan, pid_t program, double start)
{
    launch_report report = {.step = STEP_RAN, .seconds = now() - start};
    struct rusage usage;
    kill(-program, SIGKILL); /* those of its group that are left */
    waitpid(program, &report.wait_status, 0);
    getrusage(RUSAGE_CHILDREN, &usage);
    report.cpu_seconds = cpu_of(&usage);
    report.peak_bytes = (int64_t)usage.ru_maxrss * 1024;
    getrusage(RUSAGE_SELF, &usage);
    report.keeper_bytes = (int64_t)usage.ru_maxrss * 1024;
    if (!plan->isolated) end_orphans();
    ssize_t put = write(REPORT_FD, &report, sizeof report);
    _exit(put == sizeof report ? 0 : 1);
}

/* True when nobody reads our report any more: nigh died before the kernel was asked to tell us. */
static bool abandoned(void)
{
    struct pollfd end = {.fd = REPORT_FD};
    return poll(&end, 1, 0) > 0 && end.revents & POLLERR;
}

_Noreturn static void keep(const launch *plan)
{
    signal(SIGCHLD, SIG_DFL); /* ignored, it would throw the exit status away */
    if (!arrange(plan)) _exit(1);
    if (plan->uid_map[0]) {
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", plan->uid_map);
        write_file("/proc/self/gid_map", plan->gid_map);
    }
    setsid();
    prctl(PR_SET_NAME, "nigh-keeper");
    prctl(PR_SET_PDEATHSIG, plan->isolated ? SIGKILL : SIGUSR2);
    if (abandoned()) _exit(1);
    if (!plan->isolated) prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!plan->limits.plain) drop_capabilities();
    double start = now();
    pid_t program = vfork();
    if (program == 0) become(plan);
    if (program < 0) give_up(STEP_FORK);
    for (int fd = 0; fd < REPORT_FD; fd++) close(fd);
    wait_for(program);
    finish(plan, program, start);
    _exit(1);
}

/* ---- nigh's side ---- */

/* Like fork, in new namespaces and without a signal at its end. The layout is the kernel's (clone_args, first version). */
static pid_t clone_process(uint64_t flags)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {.flags = flags};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static pid_t fork_keeper(launch *plan)
{
    uint64_t spaces = CLONE_NEWPID;
    if (!plan->limits.network && !plan->filter) spaces |= CLONE_NEWNET;
    plan->isolated = true;
    plan->uid_map[0] = plan->gid_map[0] = 0;
    pid_t pid = -1;
    if (!plan->limits.plain && geteuid() == 0) pid = clone_process(spaces);
    if (pid < 0 && !plan->limits.plain) {
        snprintf(plan->uid_map, sizeof plan->uid_map, "%ld %ld 1", (long)geteuid(), (long)geteuid());
        snprintf(plan->gid_map, sizeof plan->gid_map, "%ld %ld 1", (long)getegid(), (long)getegid());
        pid = clone_process(spaces | CLONE_NEWUSER);
    }
    if (pid >= 0) return pid;
    plan->isolated = false;
    plan->uid_map[0] = plan->gid_map[0] = 0;
    pid = clone_process(0);
    return pid < 0 && (errno == ENOSYS || errno == EPERM) ? fork() : pid;
}

pid_t process_launch(launch *plan)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* a handler of the caller's must not run in the child */
    pid_t pid = fork_keeper(plan);
    if (pid == 0) keep(plan);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return pid;
}
