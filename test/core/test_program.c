/* A user's program as a function from files to files: places, private folders, outputs, many runs. */
#include "support.h"

#include "nigh/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *base;

static int setup(void **state)
{
    base = test_folder_new();
    setenv("TMPDIR", base, 1);
    return chdir(NIGH_SOURCE_DIR "/test/core/programs");
}

/* No private folder is left, whatever the test did. */
static int teardown(void **state)
{
    int entries = -2;
    DIR *folder = opendir(base);
    while (folder && readdir(folder)) entries++;
    if (folder) closedir(folder);
    unsetenv("TMPDIR");
    test_folder_remove(base);
    return entries;
}

static nigh_program *program_new(nigh_context *ctx, const char *command)
{
    nigh_program *program = NULL;
    assert_ok(ctx, nigh_program_new(ctx, command, &program));
    assert_string_equal(nigh_program_command(program), command);
    return program;
}

static void python(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_program *program = program_new(ctx, "python3 square.py {in} {out.txt} {factor}"); /* relative to here, run elsewhere */
    assert_string_equal(nigh_program_place(program, 0), "in");
    assert_string_equal(nigh_program_place(program, 1), "out.txt");
    assert_string_equal(nigh_program_place(program, 2), "factor");
    assert_null(nigh_program_place(program, 3));
    assert_null(nigh_program_place(program, -1));
    assert_true(nigh_program_has(program, "out.txt") && !nigh_program_has(program, "out"));
    nigh_slot slots[] = {
        {.place = "in", .kind = NIGH_SLOT_INPUT, .bytes = "1\n2\n3\n", .size = 6},
        {.place = "out.txt", .kind = NIGH_SLOT_OUTPUT},
        {.place = "factor", .kind = NIGH_SLOT_TEXT, .text = "10"},
    };
    nigh_run run;
    assert_ok(ctx, nigh_program_run(ctx, program, slots, 3, NULL, 0, &run));
    assert_string_equal(slots[1].bytes, "10.0\n40.0\n90.0\n");
    assert_int_equal(slots[1].size, 15);
    assert_string_equal(run.out, "squared 3\n");
    nigh_run_free(ctx, &run);
    nigh_free(ctx, slots[1].bytes);
    slots[1].bytes = NULL;
    assert_fails(ctx, nigh_program_run(ctx, program, slots, 3, NULL, 14, NULL), NIGH_RESOURCE, "15 bytes; at most 14");
    slots[0].bytes = "one\n", slots[0].size = 4;
    assert_fails(ctx, nigh_program_run(ctx, program, slots, 3, NULL, 0, NULL), NIGH_FAILED, "could not convert string to float");
    assert_null(slots[1].bytes);
    assert_fails(ctx, nigh_program_run(ctx, program, slots, 2, NULL, 0, NULL), NIGH_INVALID, "nothing is given for {factor}");
    slots[2].text = NULL;
    assert_fails(ctx, nigh_program_run(ctx, program, slots, 3, NULL, 0, NULL), NIGH_INVALID, "slot {factor} has no text");
    slots[2].place = "in";
    slots[2].text = "";
    assert_fails(ctx, nigh_program_run(ctx, program, slots, 3, NULL, 0, NULL), NIGH_INVALID, "two slots {in}");
    nigh_program_free(program);
    test_context_free(ctx);
}

static void shells(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_slot out = {.place = "out", .kind = NIGH_SLOT_OUTPUT};
    nigh_program *program = program_new(ctx, "sh -c 'printf \"{{%s}}\" \"$1\" > out; pwd' x '{n} $HOME'"); /* a slot without a place */
    nigh_slot slots[] = {out, {.place = "n", .kind = NIGH_SLOT_TEXT, .text = "a b;c"}};
    nigh_run run;
    assert_ok(ctx, nigh_program_run(ctx, program, slots, 2, NULL, 0, &run));
    assert_string_equal(slots[0].bytes, "{a b;c $HOME}");
    assert_int_equal(strncmp(run.out, base, strlen(base)), 0);
    nigh_run_free(ctx, &run);
    nigh_free(ctx, slots[0].bytes);
    nigh_program_free(program);
    static const struct {
        const char *command, *part;
        nigh_status status;
    } bad[] = {
        {"true {out}", "ended well but wrote no out", NIGH_FAILED},
        {"false {out}", "failed with exit code 1", NIGH_FAILED},
        {"sh -c 'echo half > out; echo oh dear >&2; exit 3'", "exit code 3; it last said: oh dear", NIGH_FAILED},
        {"sh -c 'ln -s /etc/passwd out'", "not as a regular file", NIGH_FAILED},
        {"mkfifo {out}", "not as a regular file", NIGH_FAILED},
        {"sh -c 'sleep 50' x {out}", "stopped after", NIGH_RESOURCE},
        {"sh -c 'head -c 200000 /dev/zero > out'", "", NIGH_RESOURCE},
        {"sh -c 'mkdir -p a/b; chmod 0 a; kill -SEGV $$'", "crashed", NIGH_FAILED},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        program = program_new(ctx, bad[i].command);
        nigh_slot slot = out;
        assert_fails(ctx, nigh_program_run(ctx, program, &slot, 1, &(nigh_limits){.seconds = 2}, 100000, NULL), bad[i].status, bad[i].part);
        assert_null(slot.bytes);
        nigh_program_free(program);
    }
    test_context_free(ctx);
}

static void bad_commands(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_program *program = NULL;
    assert_fails(ctx, nigh_program_new(ctx, "", &program), NIGH_INVALID, "empty");
    assert_fails(ctx, nigh_program_new(ctx, "python3 'x", &program), NIGH_INVALID, "never closed");
    assert_fails(ctx, nigh_program_new(ctx, "no-such-solver {in}", &program), NIGH_FAILED, "no program 'no-such-solver'");
    assert_fails(ctx, nigh_program_new(ctx, "./square.nothing {in}", &program), NIGH_FAILED, "./square.nothing");
    assert_fails(ctx, nigh_program_new(ctx, "{in} x", &program), NIGH_INVALID, "cannot be a place");
    assert_fails(ctx, nigh_program_new(ctx, "true {in", &program), NIGH_INVALID, "position 1");
    assert_fails(ctx, nigh_program_new(ctx, "true a}", &program), NIGH_INVALID, "position 2");
    assert_fails(ctx, nigh_program_new(ctx, "true {}", &program), NIGH_INVALID, "written twice");
    assert_fails(ctx, nigh_program_new(ctx, "true {a/b}", &program), NIGH_INVALID, "position 1");
    assert_null(program);
    program = program_new(ctx, "true {..}");
    nigh_slot slot = {.place = "..", .kind = NIGH_SLOT_OUTPUT};
    assert_fails(ctx, nigh_program_run(ctx, program, &slot, 1, NULL, 0, NULL), NIGH_INVALID, "{..} cannot be the name of a file");
    assert_fails(ctx, nigh_program_run(ctx, program, &slot, 1, NULL, -1, NULL), NIGH_INVALID, "output_cap is -1");
    nigh_program_free(program);
    test_context_free(ctx);
}

typedef struct many {
    nigh_context *ctx;
    char text[100][16];
    int64_t next, cancel_at;
} many;

static nigh_status fill(void *user, int64_t i, nigh_slot *slots)
{
    many *m = user;
    snprintf(m->text[i], sizeof m->text[i], "%d", (int)(i * i));
    slots[0] = (nigh_slot){.place = "in", .kind = NIGH_SLOT_INPUT, .bytes = m->text[i], .size = strlen(m->text[i])};
    slots[1] = (nigh_slot){.place = "out", .kind = NIGH_SLOT_OUTPUT};
    return NIGH_OK;
}

static nigh_status take(void *user, int64_t i, nigh_status status, nigh_slot *slots, nigh_run *run)
{
    many *m = user;
    assert_int_equal(i, m->next++);
    assert_int_equal(status, NIGH_OK);
    assert_string_equal(slots[1].bytes, m->text[i]);
    if (i == m->cancel_at) nigh_context_cancel(m->ctx);
    return NIGH_OK;
}

static void many_runs(void **state)
{
    for (int cancel = 0; cancel < 2; cancel++) {
        nigh_context *ctx = test_context_new();
        nigh_program *program = program_new(ctx, "cp {in} {out}");
        many m = {.ctx = ctx, .cancel_at = cancel ? 20 : -1};
        nigh_status status = nigh_program_map(ctx, program, 100, 2, fill, take, &m, NULL, 0, 3);
        assert_int_equal(status, cancel ? NIGH_INTERRUPTED : NIGH_OK);
        assert_true(cancel ? m.next < 100 : m.next == 100);
        nigh_program_free(program);
        test_context_free(ctx);
    }
}

static void no_memory(void **state)
{
    for (long k = 1; k < 300; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_program *program = NULL;
        nigh_slot slots[] = {{.place = "in", .kind = NIGH_SLOT_INPUT, .bytes = "abc", .size = 3}, {.place = "out", .kind = NIGH_SLOT_OUTPUT}};
        nigh_status status = nigh_program_new(ctx, "cp {in} {out}", &program);
        if (!status) status = nigh_program_run(ctx, program, slots, 2, NULL, 0, NULL);
        if (!status) assert_string_equal(slots[1].bytes, "abc");
        nigh_free(ctx, slots[1].bytes);
        nigh_program_free(program);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status) return;
        assert_int_equal(status, NIGH_MEMORY);
    }
    fail_msg("never enough memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(python, setup, teardown),       cmocka_unit_test_setup_teardown(shells, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_commands, setup, teardown), cmocka_unit_test_setup_teardown(many_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
