/* The system-call filter of user programs, compiled by libseccomp to BPF once per process. See nigh/process.h. */
#include "core/process.h"

#ifdef NIGH_HAVE_SECCOMP
#include <errno.h>
#include <linux/filter.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const int forbidden[] = {
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(kcmp),
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
    SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
    SCMP_SYS(name_to_handle_at), SCMP_SYS(open_by_handle_at), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(quotactl),
    SCMP_SYS(reboot), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(acct), SCMP_SYS(syslog), SCMP_SYS(vhangup), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
    SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(unshare), SCMP_SYS(setns),
};

enum { FILTER_MAX = 1024 };
static struct sock_filter code[2][FILTER_MAX];
static struct sock_fprog programs[2];

/* A rule on the first argument of a call. For SCMP_CMP_MASKED_EQ `a` is the mask and `b` the value. */
static bool add(scmp_filter_ctx filter, int error, int call, enum scmp_compare how, uint64_t a, uint64_t b)
{
    struct scmp_arg_cmp first = {.arg = 0, .op = how, .datum_a = a, .datum_b = b};
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)error), call, 1, &first) >= 0;
}

static bool add_rules(scmp_filter_ctx filter, bool network)
{
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0) < 0) return false;
    /* clone3 keeps its flags in memory, where no filter sees them: libc then takes clone. kill(-1) would reach nigh. */
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) >= 0 &&
           add(filter, EPERM, SCMP_SYS(clone), SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER) &&
           add(filter, EPERM, SCMP_SYS(kill), SCMP_CMP_MASKED_EQ, 0xffffffffu, 0xffffffffu) &&
           (network || add(filter, EACCES, SCMP_SYS(socket), SCMP_CMP_NE, AF_UNIX, 0));
}

static void compile(bool network)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int fd = memfd_create("nigh-filter", MFD_CLOEXEC);
    if (filter && fd >= 0 && add_rules(filter, network) && seccomp_export_bpf(filter, fd) == 0) {
        ssize_t size = pread(fd, code[network], sizeof code[network], 0);
        if (size > 0 && (size_t)size < sizeof code[network])
            programs[network] = (struct sock_fprog){(unsigned short)((size_t)size / sizeof code[0][0]), code[network]};
    }
    if (fd >= 0) close(fd);
    if (filter) seccomp_release(filter);
}

static void compile_both(void)
{
    compile(false);
    compile(true);
}

const void *process_filter(bool network)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, compile_both);
    return programs[network].len ? &programs[network] : NULL;
}
#else
const void *process_filter(bool network) { return NULL; }
#endif
