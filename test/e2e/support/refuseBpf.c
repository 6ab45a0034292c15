/* refuseBpf <errno> <program> [arguments]: runs it where the kernel refuses bpf(2) with that number, as sandboxes do. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (action))

int main(int argc, char **argv) {
  unsigned error = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
  struct sock_filter filter[] = {
      LOAD(nr),
      SKIP_UNLESS(SYS_bpf, 1),
      ANSWER(SECCOMP_RET_ERRNO | error),
      ANSWER(SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  if (argc < 3) return 2;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
    perror("refuseBpf: seccomp");
    return 1;
  }
  execv(argv[2], argv + 2);
  perror("refuseBpf: exec");
  return 1;
}
