/* Whole files, atomic files, journals, locks, folders, the run cache. */
#include "support.h"

#include "core/cache.h"
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <dirent.h>
#include <unistd.h>

static char *folder;

static const char *in(const char *name)
{
    static char room[4][4200];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(room[turn], sizeof room[turn], "%s/%s", folder, name);
    return room[turn];
}

static int entries_of(const char *path)
{
    int n = -2;
    DIR *d = opendir(path);
    if (!d) return -1;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static int setup(void **state) { return folder = test_folder_new(), 0; }
static int teardown(void **state) { return test_folder_remove(folder), 0; }

static void expect_text(nigh_context *ctx, const char *path, const char *text)
{
    char *data;
    size_t size;
    assert_ok(ctx, nigh_file_read(ctx, path, 1 << 20, &data, &size));
    assert_int_equal(size, strlen(text));
    assert_string_equal(data, text);
    nigh_free(ctx, data);
}

static void write_and_read(void **state)
{
    nigh_context *ctx = test_context_new();
    char *data, *large = malloc(300000);
    size_t size;
    for (int i = 0; i < 300000; i++) large[i] = (char)(i * 2654435761u >> 9);
    static const size_t sizes[] = {0, 1, 4095, 4096, 65535, 65536, 65537, 300000};
    for (int i = 0; i < 8; i++) {
        assert_ok(ctx, nigh_file_write(ctx, in("a"), large, sizes[i]));
        assert_ok(ctx, nigh_file_read(ctx, in("a"), sizes[i], &data, &size));
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(data, large, size);
        assert_int_equal(data[size], 0);
        nigh_free(ctx, data);
        if (sizes[i]) assert_fails(ctx, nigh_file_read(ctx, in("a"), sizes[i] - 1, &data, &size), NIGH_RESOURCE, "bytes");
    }
    nigh_output *output; /* in odd pieces */
    assert_ok(ctx, nigh_output_open(ctx, in("a"), &output));
    for (size_t at = 0, step = 1; at < 300000; at += step, step = step * 3 + 1) {
        if (step > 300000 - at) step = 300000 - at;
        assert_ok(ctx, nigh_output_add(output, large + at, step));
    }
    assert_ok(ctx, nigh_output_commit(output));
    assert_ok(ctx, nigh_file_read(ctx, in("a"), 1 << 20, &data, &size));
    assert_int_equal(size, 300000);
    assert_memory_equal(data, large, size);
    nigh_free(ctx, data);
    free(large);
    assert_int_equal(entries_of(folder), 1);
    assert_fails(ctx, nigh_file_read(ctx, in("none"), 10, &data, &size), NIGH_IO, "none': No such file");
    assert_fails(ctx, nigh_file_read(ctx, folder, 10, &data, &size), NIGH_IO, "Is a directory");
    assert_fails(ctx, nigh_file_read(ctx, "/dev/zero", 100000, &data, &size), NIGH_RESOURCE, "100000 bytes");
    test_context_free(ctx);
}

static void old_files_survive(void **state)
{
    nigh_context *ctx = test_context_new();
    struct stat info;
    assert_ok(ctx, nigh_file_write(ctx, in("old"), "old", 3));
    assert_int_equal(chmod(in("old"), 0640), 0);
    nigh_output *output;
    assert_ok(ctx, nigh_output_open(ctx, in("old"), &output));
    assert_ok(ctx, nigh_output_add(output, "new", 3));
    expect_text(ctx, in("old"), "old");
    nigh_output_abandon(output);
    expect_text(ctx, in("old"), "old");
    assert_int_equal(entries_of(folder), 1);
    assert_int_equal(symlink("old", in("link")), 0); /* a link stays a link */
    assert_ok(ctx, nigh_file_write(ctx, in("link"), "new", 3));
    assert_int_equal(lstat(in("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    expect_text(ctx, in("old"), "new");
    assert_int_equal(stat(in("old"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_ok(ctx, nigh_file_write(ctx, "/dev/null", "x", 1));
    assert_fails(ctx, nigh_file_write(ctx, "/dev/full", "x", 1), NIGH_RESOURCE, "'/dev/full': No space left");
    assert_fails(ctx, nigh_file_write(ctx, in("no/such"), "x", 1), NIGH_IO, "No such file");
    assert_fails(ctx, nigh_file_write(ctx, folder, "x", 1), NIGH_IO, "Is a directory");
    /* a limit on file sizes stands in for a full disk */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, limit.rlim_max});
    char *large = calloc(1, 300000);
    nigh_status status = nigh_file_write(ctx, in("old"), large, 300000);
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, handler);
    free(large);
    assert_int_equal(status, NIGH_RESOURCE);
    expect_text(ctx, in("old"), "new");
    assert_int_equal(entries_of(folder), 2);
    test_context_free(ctx);
}

/* ---- journals ---- */

typedef struct seen {
    int count, sum;
    nigh_status answer;
} seen;

static nigh_status count_record(void *user, const void *bytes, size_t size)
{
    seen *s = user;
    s->count++;
    for (size_t i = 0; i < size; i++) s->sum += ((const unsigned char *)bytes)[i];
    return s->answer;
}

static void journals(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_journal *journal, *second;
    seen s = {0};
    assert_ok(ctx, nigh_journal_open(ctx, in("j"), count_record, &s, &journal));
    assert_int_equal(s.count, 0);
    assert_ok(ctx, nigh_journal_add(journal, "abc", 3));
    assert_ok(ctx, nigh_journal_add(journal, "", 0));
    assert_ok(ctx, nigh_journal_add(journal, "defg", 4));
    assert_fails(ctx, nigh_journal_open(ctx, in("j"), NULL, NULL, &second), NIGH_RESOURCE, "in use");
    nigh_journal_close(journal);
    char *whole;
    size_t size;
    assert_ok(ctx, nigh_file_read(ctx, in("j"), 1000, &whole, &size));
    assert_int_equal(size, 8 + 11 + 8 + 12);
    /* cut at every byte: the records that are whole are found, and a new one follows them */
    for (size_t cut = 0; cut <= size; cut++) {
        assert_ok(ctx, nigh_file_write(ctx, in("j"), whole, cut));
        s = (seen){0};
        assert_ok(ctx, nigh_journal_open(ctx, in("j"), count_record, &s, &journal));
        int expected = cut < 19 ? 0 : cut < 27 ? 1 : cut < 39 ? 2 : 3;
        assert_int_equal(s.count, expected);
        assert_ok(ctx, nigh_journal_add(journal, "\x01", 1));
        nigh_journal_close(journal);
        s = (seen){0};
        assert_ok(ctx, nigh_journal_open(ctx, in("j"), count_record, &s, &journal));
        assert_int_equal(s.count, expected + 1);
        nigh_journal_close(journal);
    }
    /* any damaged byte behind the magic ends the reading at its record */
    for (size_t at = 0; at < size; at++) {
        whole[at] ^= 0x40;
        assert_ok(ctx, nigh_file_write(ctx, in("j"), whole, size));
        whole[at] ^= 0x40;
        s = (seen){0};
        if (at < 8) {
            assert_fails(ctx, nigh_journal_open(ctx, in("j"), count_record, &s, &journal), NIGH_FORMAT, "no journal");
            continue;
        }
        assert_ok(ctx, nigh_journal_open(ctx, in("j"), count_record, &s, &journal));
        assert_int_equal(s.count, at < 19 ? 0 : at < 27 ? 1 : 2);
        nigh_journal_close(journal);
    }
    assert_ok(ctx, nigh_file_write(ctx, in("j"), whole, size));
    s = (seen){.answer = NIGH_FORMAT};
    nigh_fail(ctx, NIGH_FORMAT, "not mine");
    assert_fails(ctx, nigh_journal_open(ctx, in("j"), count_record, &s, &journal), NIGH_FORMAT, "not mine");
    nigh_free(ctx, whole);
    test_context_free(ctx);
}

static void locks(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_lock *lock, *second;
    assert_ok(ctx, nigh_lock_take(ctx, in("lock"), 0, &lock));
    assert_fails(ctx, nigh_lock_take(ctx, in("lock"), 0.03, &second), NIGH_RESOURCE, "locked by another");
    nigh_lock_release(lock);
    assert_ok(ctx, nigh_lock_take(ctx, in("lock"), 0, &second));
    nigh_context_cancel(ctx);
    assert_fails(ctx, nigh_lock_take(ctx, in("lock"), 100, &lock), NIGH_INTERRUPTED, "interrupted");
    nigh_lock_release(second);
    nigh_lock_release(NULL);
    test_context_free(ctx);
}

static void folders(void **state)
{
    nigh_context *ctx = test_context_new();
    char *path;
    setenv("XDG_CACHE_HOME", in("xdg"), 1);
    assert_ok(ctx, nigh_folder_user(ctx, NIGH_PLACE_CACHE, "a/b", &path));
    assert_string_equal(path, in("xdg/nigh/a/b"));
    assert_int_equal(entries_of(path), 0);
    nigh_free(ctx, path);
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", in("home"), 1);
    assert_ok(ctx, nigh_folder_user(ctx, NIGH_PLACE_CACHE, NULL, &path));
    assert_string_equal(path, in("home/.cache/nigh"));
    nigh_free(ctx, path);
    assert_ok(ctx, nigh_folder_user(ctx, NIGH_PLACE_STATE, NULL, &path));
    assert_string_equal(path, in("home/.local/state/nigh"));
    nigh_free(ctx, path);
    assert_ok(ctx, nigh_file_write(ctx, in("file"), "", 0));
    assert_fails(ctx, nigh_folder_make(ctx, in("file/below")), NIGH_IO, "Not a directory");

    setenv("TMPDIR", folder, 1);
    nigh_folder temp;
    struct stat info;
    assert_ok(ctx, nigh_folder_temp(ctx, &temp));
    assert_memory_equal(temp.path, in("nigh-"), strlen(in("nigh-")));
    assert_int_equal(stat(temp.path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    /* a tree with 300 levels, a folder without rights, a link to what must stay */
    char room[8192];
    int at = open(temp.path, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 300; i++) {
        mkdirat(at, "deep", 0700);
        close(openat(at, "file", O_CREAT | O_WRONLY, 0600));
        int below = openat(at, "deep", O_RDONLY | O_DIRECTORY);
        close(at);
        at = below;
    }
    close(at);
    snprintf(room, sizeof room, "%s/closed", temp.path);
    mkdir(room, 0700);
    snprintf(room, sizeof room, "%s/closed/file", temp.path);
    close(open(room, O_CREAT | O_WRONLY, 0400));
    snprintf(room, sizeof room, "%s/closed", temp.path);
    chmod(room, 0);
    snprintf(room, sizeof room, "%s/link", temp.path);
    assert_int_equal(symlink(in("home"), room), 0);
    snprintf(room, sizeof room, "%s", temp.path);
    nigh_folder_remove(ctx, &temp);
    assert_null(temp.path);
    assert_int_equal(stat(room, &info), -1);
    assert_int_equal(stat(in("home"), &info), 0);
    nigh_folder_remove(ctx, &temp);
    setenv("TMPDIR", in("nowhere"), 1);
    assert_fails(ctx, nigh_folder_temp(ctx, &temp), NIGH_IO, "nowhere");
    unsetenv("TMPDIR");
    test_context_free(ctx);
}

/* ---- the cache ---- */

static void key_of(int i, char key[65])
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_add(&hash, &i, sizeof i);
    nigh_sha256_hex(&hash, key);
}

static int warnings;
static void count_warning(void *user, nigh_log_level level, const char *text) { warnings += level == NIGH_LOG_WARNING; }

static void cache(void **state)
{
    nigh_context *ctx = test_context_new();
    disk_cache *c;
    char key[65], path[4300], *data;
    size_t size;
    int64_t count, bytes;
    assert_ok(ctx, disk_cache_open(ctx, in("cache"), 100000, &c));
    key_of(1, key);
    assert_ok(ctx, disk_cache_get(c, key, &data, &size));
    assert_null(data);
    disk_cache_put(c, key, "hello", 5);
    assert_ok(ctx, disk_cache_get(c, key, &data, &size));
    assert_int_equal(size, 5);
    assert_string_equal(data, "hello");
    nigh_free(ctx, data);
    disk_cache_put(c, key, "", 0);
    assert_ok(ctx, disk_cache_get(c, key, &data, &size));
    assert_non_null(data);
    assert_int_equal(size, 0);
    nigh_free(ctx, data);
    disk_cache_put(c, "../../../etc/passwd", "x", 1); /* no key */
    /* each damaged byte, each cut: missing and removed */
    disk_cache_put(c, key, "hello", 5);
    snprintf(path, sizeof path, "%s/%.2s/%s", in("cache"), key, key + 2);
    for (int at = 0; at < 77; at++)
        for (int cut = 0; cut < 2; cut++) {
            disk_cache_put(c, key, "hello", 5);
            int fd = open(path, O_RDWR);
            char byte;
            assert_int_equal(pread(fd, &byte, 1, at), 1);
            byte ^= 1;
            if (cut)
                assert_int_equal(ftruncate(fd, at), 0);
            else
                assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            close(fd);
            assert_ok(ctx, disk_cache_get(c, key, &data, &size));
            assert_null(data);
            assert_int_equal(access(path, F_OK), -1);
        }
    /* the cap holds, and what was used last stays */
    char blob[1000] = {0};
    for (int i = 0; i < 300; i++) {
        key_of(i, key);
        disk_cache_put(c, key, blob, sizeof blob);
        disk_cache_size(c, &count, &bytes);
        assert_true(bytes <= 100000);
        key_of(0, key);
        assert_ok(ctx, disk_cache_get(c, key, &data, &size));
        assert_non_null(data);
        nigh_free(ctx, data);
        usleep(i < 100 ? 100 : 0);
    }
    assert_true(count > 50);
    disk_cache_close(c);
    /* a folder that cannot take it: one warning, no failure */
    assert_ok(ctx, nigh_file_write(ctx, in("plain"), "", 0));
    assert_ok(ctx, disk_cache_open(ctx, in("other"), 0, &c));
    for (int i = 0; i < 256; i++) {
        char pair[16];
        snprintf(pair, sizeof pair, "other/%02x", i);
        assert_ok(ctx, nigh_file_write(ctx, in(pair), "", 0));
    }
    nigh_context_set_log(ctx, count_warning, NULL);
    for (int i = 0; i < 5; i++) {
        key_of(i, key);
        disk_cache_put(c, key, "x", 1);
    }
    assert_int_equal(warnings, 1);
    disk_cache_close(c);
    assert_fails(ctx, disk_cache_open(ctx, in("plain"), 0, &c), NIGH_IO, "plain");
    test_context_free(ctx);
}

static void no_memory(void **state)
{
    for (long k = 1; k < 300; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        char *data = NULL, key[65];
        size_t size;
        disk_cache *c = NULL;
        nigh_journal *journal = NULL;
        nigh_lock *lock = NULL;
        nigh_folder temp = {NULL, -1};
        seen s = {0};
        key_of(1, key);
        unlink(in("mj")); /* else it grows, and what is needed with it */
        nigh_status status = nigh_file_write(ctx, in("m"), "text", 4);
        if (!status) status = nigh_file_read(ctx, in("m"), 10, &data, &size);
        nigh_free(ctx, data);
        if (!status) status = nigh_journal_open(ctx, in("mj"), count_record, &s, &journal);
        if (!status) status = nigh_journal_add(journal, "abc", 3);
        if (!status) status = nigh_lock_take(ctx, in("ml"), 0, &lock);
        if (!status) status = nigh_folder_temp(ctx, &temp);
        if (!status) status = disk_cache_open(ctx, in("mc"), 0, &c);
        if (!status) disk_cache_put(c, key, "abc", 3);
        data = NULL;
        if (!status) status = disk_cache_get(c, key, &data, &size);
        nigh_free(ctx, data);
        disk_cache_close(c);
        nigh_folder_remove(ctx, &temp);
        nigh_lock_release(lock);
        nigh_journal_close(journal);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status && allocator.count < k) return;
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
    }
    fail_msg("never enough memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(old_files_survive, setup, teardown),
        cmocka_unit_test_setup_teardown(journals, setup, teardown),
        cmocka_unit_test_setup_teardown(locks, setup, teardown),
        cmocka_unit_test_setup_teardown(folders, setup, teardown),
        cmocka_unit_test_setup_teardown(cache, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
