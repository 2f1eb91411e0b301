/* Programs under limits: how they end, that nothing of them is left, that nothing leaks. The programs are this test itself,
 * started with a word that says how to behave, and python or sh where those are meant. */
#include "support.h"

#include "core/process.h"

#include <errno.h>
#include <math.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char self[4096], mark[32]; /* this program; what the command lines of its runs hold, and no other test's */

/* ---- what the started programs do ---- */

static void nap(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - floor(seconds)))};
    while (nanosleep(&t, &t) < 0 && errno == EINTR) {}
}

/* Children that leave the session, ignore SIGTERM and would sleep on; the mark makes them findable by their arguments. */
static int tree(int children)
{
    for (int i = 0; i < children; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            setsid();
            signal(SIGTERM, SIG_IGN);
            if (i % 2 && fork() > 0) _exit(0); /* a daemon */
            nap(100);
            _exit(0);
        }
        if (pid < 0) break;
    }
    printf("started\n");
    fflush(stdout);
    return 0;
}

static int hog(void)
{
    for (int i = 0; i < 4000; i++) { /* up to 4 GB */
        size_t size = 1 << 20;
        char *block = malloc(size);
        if (!block) return 9;
        memset(block, 1, size);
        if (i % 32 == 0) nap(0.002);
    }
    return 0;
}

/* The leak check traces its own process, which the filter forbids: it is for the tests, not for what they start. */
static bool started;
NIGH_API int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return started; }

static int program(int argc, char **argv)
{
    started = true;
    const char *what = argv[1];
    double x = argc > 2 ? atof(argv[2]) : 0;
    if (!strcmp(what, "exit")) return (int)x;
    if (!strcmp(what, "signal")) return raise((int)x);
    if (!strcmp(what, "segv")) return raise(SIGSEGV);
    if (!strcmp(what, "abort")) abort();
    if (!strcmp(what, "sleep")) return nap(x), 0;
    if (!strcmp(what, "spin")) for (;;) {}
    if (!strcmp(what, "tree")) return tree((int)x);
    if (!strcmp(what, "tree-hang")) return tree((int)x), signal(SIGTERM, SIG_IGN), nap(100), 0;
    if (!strcmp(what, "hog")) return hog();
    if (!strcmp(what, "cat")) {
        char room[5000];
        for (ssize_t got; (got = read(0, room, sizeof room)) > 0;)
            if (write(1, room, (size_t)got) != got) return 1;
        return 0;
    }
    if (!strcmp(what, "flood")) {
        char room[4096];
        memset(room, 'x', sizeof room);
        for (int i = 0; i < 2000; i++)
            if (write(i & 1 ? 1 : 2, room, sizeof room) < 0) return 1;
        return 7;
    }
    if (!strcmp(what, "garbage")) {
        for (int i = 0; i < 1000; i++) putchar(i * 7 & 255);
        return 0;
    }
    if (!strcmp(what, "file")) {
        char room[4096] = {0};
        FILE *f = fopen("large", "w");
        for (int i = 0; f && i < 1000; i++) fwrite(room, 1, sizeof room, f);
        return 0;
    }
    if (!strcmp(what, "fds")) {
        for (int fd = 0; fd < 1000; fd++)
            if (fcntl(fd, F_GETFD) >= 0) printf("%d ", fd);
        return 0;
    }
    if (!strcmp(what, "where")) {
        char room[4096];
        return puts(getcwd(room, sizeof room)), 0;
    }
    if (!strcmp(what, "rights")) {
        int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_UNIX, SOCK_STREAM, 0);
        long traced = syscall(SYS_ptrace, 0, 0, 0, 0), keyed = syscall(SYS_keyctl, 0, -3, 0);
        printf("inet %d unix %d ptrace %d keyctl %d\n", s >= 0, u >= 0, traced >= 0, keyed >= 0);
        return 0;
    }
    return 99;
}

/* ---- what is left ---- */

/* Processes that run this program with an argument like the mark. */
static int left_over(const char *part)
{
    int found = 0;
    DIR *folder = opendir("/proc");
    assert_non_null(folder);
    for (struct dirent *d; (d = readdir(folder));) {
        char path[300], text[1024];
        snprintf(path, sizeof path, "/proc/%s/cmdline", d->d_name);
        int fd = d->d_name[0] >= '1' && d->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
        if (fd < 0) continue;
        ssize_t got = read(fd, text, sizeof text - 1);
        close(fd);
        found += got > 0 && memmem(text, (size_t)got, part, strlen(part)) != NULL;
    }
    closedir(folder);
    return found;
}

static int open_files(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}

static int children(void)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);
    return pid >= 0;
}

static nigh_status run_limited(nigh_context *ctx, const char *what, const char *value, const nigh_limits *limits, nigh_run *run)
{
    const char *argv[] = {self, what, value, mark, NULL};
    return nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, limits, run);
}

static nigh_status run(nigh_context *ctx, const char *what, const char *value, nigh_run *r) { return run_limited(ctx, what, value, NULL, r); }

/* ---- tests ---- */

static void ends(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_run r;
    static const int codes[] = {0, 1, 7, 255};
    for (int plain = 0; plain < 2; plain++) {
        nigh_limits limits = {.plain = plain};
        for (int i = 0; i < 4; i++) {
            char text[16];
            snprintf(text, sizeof text, "%d", codes[i]);
            assert_ok(ctx, run_limited(ctx, "exit", text, &limits, &r));
            assert_int_equal(r.exit_code, codes[i]);
            assert_int_equal(r.signal, 0);
            assert_false(r.timed_out || r.output_cut || r.too_many || r.too_large);
            assert_true(r.seconds > 0 && r.seconds < 60 && r.cpu_seconds >= 0);
            if (plain) assert_false(r.isolated);
            assert_int_equal(nigh_run_check(ctx, "p", &r), codes[i] ? NIGH_FAILED : NIGH_OK);
            nigh_run_free(ctx, &r);
        }
        static const int signals[] = {SIGTERM, SIGKILL, SIGUSR1, SIGINT};
        for (int i = 0; i < 4; i++) {
            char text[16];
            snprintf(text, sizeof text, "%d", signals[i]);
            assert_ok(ctx, run_limited(ctx, "signal", text, &limits, &r));
            assert_int_equal(r.signal, signals[i]);
            assert_int_equal(r.exit_code, -1);
            nigh_run_free(ctx, &r);
        }
#ifndef NIGH_SANITIZED /* a sanitizer turns both into an exit code */
        assert_ok(ctx, run_limited(ctx, "segv", NULL, &limits, &r));
        assert_int_equal(r.signal, SIGSEGV);
        assert_fails(ctx, nigh_run_check(ctx, "./solver", &r), NIGH_FAILED, "'./solver' crashed: Segmentation fault");
        nigh_run_free(ctx, &r);
        assert_ok(ctx, run_limited(ctx, "abort", NULL, &limits, &r));
        assert_int_equal(r.signal, SIGABRT);
        nigh_run_free(ctx, &r);
#endif
    }
    assert_false(children());
    test_context_free(ctx);
}

static void streams(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_run r;
    size_t size = 3000000;
    char *input = malloc(size);
    for (size_t i = 0; i < size; i++) input[i] = (char)(i * 2654435761u >> 11);
    const char *argv[] = {self, "cat", NULL};
    assert_ok(ctx, nigh_process_run(ctx, argv, NULL, NULL, input, size, NULL, &r));
    assert_int_equal(r.exit_code, 0);
    assert_int_equal(r.out_size, size);
    assert_memory_equal(r.out, input, size);
    assert_int_equal(r.err_size, 0);
    assert_string_equal(r.err, "");
    nigh_run_free(ctx, &r);
    /* a program that reads nothing of it */
    argv[1] = "exit";
    assert_ok(ctx, nigh_process_run(ctx, argv, NULL, NULL, input, size, NULL, &r));
    assert_int_equal(r.exit_code, 0);
    nigh_run_free(ctx, &r);
    free(input);
    /* 4 MB on each stream, 10000 bytes kept */
    assert_ok(ctx, run_limited(ctx, "flood", NULL, &(nigh_limits){.output_bytes = 10000}, &r));
    assert_int_equal(r.exit_code, 7);
    assert_true(r.output_cut);
    assert_int_equal(r.out_size, 10000);
    assert_int_equal(r.err_size, 10000);
    assert_int_equal(r.out[9999], 'x');
    assert_int_equal(r.out[10000], 0);
    nigh_run_free(ctx, &r);
    assert_ok(ctx, run_limited(ctx, "flood", NULL, NULL, &r));
    assert_false(r.output_cut);
    assert_int_equal(r.out_size, 4096000);
    nigh_run_free(ctx, &r);
    assert_ok(ctx, run(ctx, "garbage", NULL, &r));
    assert_int_equal(r.out_size, 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal((unsigned char)r.out[i], i * 7 & 255);
    nigh_run_free(ctx, &r);
    test_context_free(ctx);
}

static void surroundings(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_run r;
    char *folder = test_folder_new();
    int extra = open("/dev/null", O_RDONLY), high = fcntl(extra, F_DUPFD, 500); /* inheritable */
    assert_ok(ctx, run(ctx, "fds", NULL, &r));
    assert_string_equal(r.out, "0 1 2 ");
    nigh_run_free(ctx, &r);
    close(extra);
    close(high);
    const char *argv[] = {self, "where", NULL};
    assert_ok(ctx, nigh_process_run(ctx, argv, folder, NULL, NULL, 0, NULL, &r));
    assert_memory_equal(r.out, folder, strlen(folder));
    nigh_run_free(ctx, &r);
    setenv("NIGH_SECRET", "1", 1);
    const char *environment[] = {"env", NULL};
    assert_ok(ctx, nigh_process_run(ctx, environment, NULL, NULL, NULL, 0, NULL, &r));
    assert_null(strstr(r.out, "SECRET"));
    assert_non_null(strstr(r.out, "PATH="));
    nigh_run_free(ctx, &r);
    const char *given[] = {"A=1", "B=two words", NULL};
    assert_ok(ctx, nigh_process_run(ctx, environment, NULL, given, NULL, 0, NULL, &r));
    assert_string_equal(r.out, "A=1\nB=two words\n");
    nigh_run_free(ctx, &r);
#ifdef NIGH_HAVE_SECCOMP
    assert_ok(ctx, run(ctx, "rights", NULL, &r));
    assert_string_equal(r.out, "inet 0 unix 1 ptrace 0 keyctl 0\n");
    nigh_run_free(ctx, &r);
    assert_ok(ctx, run_limited(ctx, "rights", NULL, &(nigh_limits){.network = true}, &r));
    assert_string_equal(r.out, "inet 1 unix 1 ptrace 0 keyctl 0\n");
    nigh_run_free(ctx, &r);
#endif
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* A program whose children left the session and ignore SIGTERM: stopped by time, by its own end, in both modes. */
static void trees(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_run r;
    for (int plain = 0; plain < 2; plain++) {
        nigh_limits limits = {.plain = plain, .seconds = 0.5};
        assert_ok(ctx, run_limited(ctx, "tree-hang", "6", &limits, &r));
        assert_true(r.timed_out);
        assert_int_equal(r.signal, SIGKILL);
        assert_string_equal(r.out, "started\n");
        assert_fails(ctx, nigh_run_check(ctx, "p", &r), NIGH_RESOURCE, "stopped after 0.");
        nigh_run_free(ctx, &r);
        assert_int_equal(left_over(mark), 0);
        limits.seconds = 30;
        assert_ok(ctx, run_limited(ctx, "tree", "6", &limits, &r));
        assert_false(r.timed_out);
        assert_int_equal(r.exit_code, 0);
        nigh_run_free(ctx, &r);
        assert_int_equal(left_over(mark), 0);
    }
    /* SIGTERM is given its chance */
    assert_ok(ctx, run_limited(ctx, "sleep", "100", &(nigh_limits){.seconds = 0.1}, &r));
    assert_true(r.timed_out);
    assert_int_equal(r.signal, SIGTERM);
    nigh_run_free(ctx, &r);
    test_context_free(ctx);
}

static void bomb(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_run r;
    for (int plain = 0; plain < 2; plain++) {
        nigh_limits limits = {.plain = plain, .processes = 20, .seconds = 30};
        assert_ok(ctx, run_limited(ctx, "tree-hang", "200", &limits, &r));
        assert_true(r.too_many);
        assert_false(r.timed_out);
        assert_fails(ctx, nigh_run_check(ctx, "p", &r), NIGH_RESOURCE, "more processes than allowed");
        nigh_run_free(ctx, &r);
        assert_int_equal(left_over(mark), 0);
    }
    assert_false(children());
    test_context_free(ctx);
}

static void resources(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_run r;
    assert_ok(ctx, run_limited(ctx, "hog", NULL, &(nigh_limits){.memory_bytes = 256 << 20}, &r));
    assert_true(r.too_large || r.exit_code == 9); /* the sampler was faster, or malloc said no */
    assert_true(r.peak_bytes < (int64_t)2 << 30);
    nigh_run_free(ctx, &r);
    assert_ok(ctx, run_limited(ctx, "spin", NULL, &(nigh_limits){.cpu_seconds = 0.5}, &r));
    assert_int_equal(r.signal, SIGXCPU);
    assert_true(r.cpu_seconds > 0.5);
    assert_fails(ctx, nigh_run_check(ctx, "p", &r), NIGH_RESOURCE, "CPU time");
    nigh_run_free(ctx, &r);
    char *folder = test_folder_new();
    const char *argv[] = {self, "file", NULL};
    assert_ok(ctx, nigh_process_run(ctx, argv, folder, NULL, NULL, 0, &(nigh_limits){.file_bytes = 100000}, &r));
    assert_int_equal(r.signal, SIGXFSZ);
    nigh_run_free(ctx, &r);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void *cancel_soon(void *ctx)
{
    nap(0.3);
    nigh_context_cancel(ctx);
    return NULL;
}

static void cancelled(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        nigh_context *ctx = test_context_new();
        nigh_run r;
        pthread_t thread;
        nigh_limits limits = {.plain = plain};
        pthread_create(&thread, NULL, cancel_soon, ctx);
        assert_fails(ctx, run_limited(ctx, "tree-hang", "8", &limits, &r), NIGH_INTERRUPTED, "interrupted");
        pthread_join(thread, NULL);
        assert_int_equal(left_over(mark), 0);
        assert_false(children());
        test_context_free(ctx);
    }
}

/* nigh is killed with -9 while a program with a stubborn tree runs: nothing of it stays. */
static void killed_host(void **state)
{
    for (int plain = 0; plain < 2; plain++) {
        pid_t host = fork();
        assert_true(host >= 0);
        if (host == 0) {
            nigh_context *ctx;
            nigh_run r;
            if (nigh_context_new(&ctx)) _exit(1);
            run_limited(ctx, "tree-hang", "5", &(nigh_limits){.plain = plain}, &r);
            _exit(0);
        }
        for (int i = 0; i < 500 && left_over(mark) < 6; i++) nap(0.01);
        assert_true(left_over(mark) >= 6);
        kill(host, SIGKILL);
        waitpid(host, NULL, 0);
        for (int i = 0; i < 500 && left_over(mark); i++) nap(0.01);
        assert_int_equal(left_over(mark), 0);
    }
}

static void missing(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_run r = {.exit_code = 42};
    char *folder = test_folder_new(), path[4200];
    const char *argv[] = {"no-such-program-here", NULL};
    assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, NULL, &r), NIGH_FAILED, "no program 'no-such-program-here' in PATH (");
    argv[0] = "/nowhere/at/all";
    assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, NULL, &r), NIGH_FAILED, "'/nowhere/at/all': No such file");
    argv[0] = folder;
    assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, NULL, &r), NIGH_FAILED, "a folder");
    argv[0] = NULL;
    assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, NULL, &r), NIGH_INVALID, "empty");
    snprintf(path, sizeof path, "%s/script", folder);
    argv[0] = path;
    FILE *f = fopen(path, "w");
    fputs("echo no first line\n", f);
    fclose(f);
    if (access(path, X_OK) < 0)
        assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, NULL, &r), NIGH_FAILED, "chmod +x");
    chmod(path, 0755);
    const char *preload = getenv("LD_PRELOAD"); /* valgrind starts such scripts by a shell, as no kernel does */
    if (!preload || !strstr(preload, "vgpreload")) {
        assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, NULL, &r), NIGH_FAILED, "needs a first line");
        f = fopen(path, "w");
        fputs("#!/no/interpreter\n", f);
        fclose(f);
        assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, NULL, &r), NIGH_FAILED, "interpreter");
    }
    argv[0] = self;
    assert_fails(ctx, nigh_process_run(ctx, argv, "/nowhere", NULL, NULL, 0, NULL, &r), NIGH_IO, "'/nowhere'");
    assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, &(nigh_limits){.seconds = -1}, &r), NIGH_INVALID, "seconds is -1");
    assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, &(nigh_limits){.seconds = NAN}, &r), NIGH_INVALID, "seconds");
    assert_fails(ctx, nigh_process_run(ctx, argv, NULL, NULL, NULL, 0, &(nigh_limits){.memory_bytes = -5}, &r), NIGH_INVALID, "memory_bytes is -5");
    assert_int_equal(r.exit_code, 42);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void nothing_leaks(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_run r;
    assert_ok(ctx, run(ctx, "exit", "0", &r)); /* compiles the filter */
    nigh_run_free(ctx, &r);
    int before = open_files();
    const char *bad[] = {"/dev/null/x", NULL};
    for (int i = 0; i < 200; i++) {
        if (i % 4 == 3) {
            assert_int_equal(nigh_process_run(ctx, bad, NULL, NULL, "x", 1, NULL, &r), NIGH_FAILED);
            continue;
        }
        assert_ok(ctx, run_limited(ctx, i % 4 == 2 ? "garbage" : "exit", "3", &(nigh_limits){.plain = i & 1}, &r));
        nigh_run_free(ctx, &r);
    }
    assert_int_equal(open_files(), before);
    assert_false(children());
    test_context_free(ctx);
}

static void split(void **state)
{
    nigh_context *ctx = test_context_new();
    char **argv;
    assert_ok(ctx, nigh_process_split(ctx, "  ./solver 'a b'\"c\"\\ d  {in}\t\"x\\\"y\\z\" '' $HOME;ls ", &argv));
    assert_string_equal(argv[0], "./solver");
    assert_string_equal(argv[1], "a bc d");
    assert_string_equal(argv[2], "{in}");
    assert_string_equal(argv[3], "x\"y\\z");
    assert_string_equal(argv[4], "");
    assert_string_equal(argv[5], "$HOME;ls");
    assert_null(argv[6]);
    nigh_free(ctx, argv);
    assert_fails(ctx, nigh_process_split(ctx, "a 'b c", &argv), NIGH_INVALID, "' at position 3");
    assert_fails(ctx, nigh_process_split(ctx, "a \"b 'c' ", &argv), NIGH_INVALID, "\" at position 3");
    assert_fails(ctx, nigh_process_split(ctx, "a b\\", &argv), NIGH_INVALID, "backslash");
    assert_fails(ctx, nigh_process_split(ctx, " \t", &argv), NIGH_INVALID, "empty");
    for (int n = 1; n < 40; n++) { /* one-letter words fill the block to its end */
        char text[80];
        for (int i = 0; i < n; i++) text[2 * i] = 'a', text[2 * i + 1] = ' ';
        text[2 * n - 1] = 0;
        assert_ok(ctx, nigh_process_split(ctx, text, &argv));
        for (int i = 0; i < n; i++) assert_string_equal(argv[i], "a");
        assert_null(argv[n]);
        nigh_free(ctx, argv);
    }
    test_context_free(ctx);
}

/* ---- many ---- */

typedef struct many {
    char text[64][16];
    const char *argv[64][4];
    int64_t next, fail_make, fail_take;
    nigh_context *ctx;
} many;

static nigh_status many_make(void *user, int64_t i, nigh_task *task)
{
    many *m = user;
    if (i == m->fail_make) return nigh_fail(m->ctx, NIGH_FORMAT, "made to fail");
    snprintf(m->text[i], sizeof m->text[i], "%d", (int)(i * 37 % 256));
    /* later ones end earlier */
    m->argv[i][0] = self, m->argv[i][1] = i == 0 ? "sleep" : "exit", m->argv[i][2] = i == 0 ? "0.3" : m->text[i];
    task->argv = m->argv[i];
    return NIGH_OK;
}

static nigh_status many_take(void *user, int64_t i, nigh_run *r)
{
    many *m = user;
    assert_int_equal(i, m->next++);
    assert_int_equal(r->exit_code, i * 37 % 256);
    if (i == m->fail_take) return nigh_fail(m->ctx, NIGH_UNMET, "enough");
    return NIGH_OK;
}

static void maps(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int workers = 0; workers < 10; workers += 3) {
        many m = {.fail_make = -1, .fail_take = -1, .ctx = ctx};
        assert_ok(ctx, nigh_process_map(ctx, 64, many_make, many_take, &m, NULL, workers));
        assert_int_equal(m.next, 64);
    }
    many m = {.fail_make = 20, .fail_take = -1, .ctx = ctx};
    assert_fails(ctx, nigh_process_map(ctx, 64, many_make, many_take, &m, NULL, 4), NIGH_FORMAT, "made to fail");
    m = (many){.fail_make = -1, .fail_take = 10, .ctx = ctx};
    assert_fails(ctx, nigh_process_map(ctx, 64, many_make, many_take, &m, NULL, 4), NIGH_UNMET, "enough");
    assert_ok(ctx, nigh_process_map(ctx, 0, many_make, many_take, &m, NULL, 4));
    assert_fails(ctx, nigh_process_map(ctx, 1, many_make, many_take, &m, NULL, 5000), NIGH_INVALID, "workers is 5000");
    assert_false(children());
    test_context_free(ctx);
}

static void no_memory(void **state)
{
    int files = open_files();
    for (long k = 1; k < 200; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_run r;
        const char *argv[] = {self, "cat", NULL};
        nigh_status status = nigh_process_run(ctx, argv, "/", NULL, "hello", 5, NULL, &r);
        if (!status) {
            assert_string_equal(r.out, "hello");
            nigh_run_free(ctx, &r);
        } else {
            assert_int_equal(status, NIGH_MEMORY);
        }
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status) break;
        assert_true(k < 199);
    }
    assert_int_equal(open_files(), files);
    assert_false(children());
}

int main(int argc, char **argv)
{
    if (argc > 1) return program(argc, argv);
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size <= 0) return 1;
    snprintf(mark, sizeof mark, "mark-of-%ld", (long)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),      cmocka_unit_test(streams), cmocka_unit_test(surroundings), cmocka_unit_test(trees),
        cmocka_unit_test(bomb),      cmocka_unit_test(resources), cmocka_unit_test(cancelled),  cmocka_unit_test(killed_host),
        cmocka_unit_test(missing),   cmocka_unit_test(nothing_leaks), cmocka_unit_test(split),  cmocka_unit_test(maps),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
