/* How processes live and die. All of these: port, comm. */
#include "zoo.h"
#include <pthread.h>
#include <sys/ptrace.h>

static void zombies(char **given) {
  call_oneself(given[1]);
  for (int n = 0; n < 200; n++)
    if (must(fork(), "fork") == 0) _exit(0);
  ready(inode_of(listener(atoi(given[0]))));
}

/* Hundreds a second, each of which listens on the same port for a moment, half of them under the same pid. */
static void mayflies(char **given) {
  call_oneself(given[1]);
  ready(0);
  for (int n = 0;; n++) {
    int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    if (n % 2) dprintf(last, "%d", getpid() + 1000);
    close(last);
    pid_t pid = fork();
    if (pid == 0) {
      int fd = socket(AF_INET, SOCK_STREAM, 0);
      if (fd >= 0) listener(atoi(given[0]));
      usleep(n % 3 * 1000);
      _exit(0);
    }
    if (pid > 0) waitpid(pid, NULL, 0);
    usleep(1500);
  }
}

/* Each in a network namespace of its own, which ends with it. */
static void mayfly_namespaces(char **given) {
  call_oneself(given[1]);
  ready(0);
  for (;;) {
    if (fork() == 0) {
      if (unshare(CLONE_NEWNET) == 0) raise_loopback(), listener(atoi(given[0]));
      usleep(30000);
      _exit(0);
    }
    wait(NULL);
    usleep(70000);
  }
}

/* Becomes the same program again and again: see main(). */
static void shedding(char **given) {
  ready(inode_of(listener(atoi(given[0]))));
  must(execl("/proc/self/exe", "shed", NULL), "execl");
}

static void stopped(char **given) {
  call_oneself(given[1]);
  ready(inode_of(listener(atoi(given[0]))));
  raise(SIGSTOP);
}

/* Its process shows no descriptors and no namespaces, and is a zombie by its state. */
static void *live_on(void *inode) {
  while (stat_of(getpid())[1] != 'Z') usleep(1000);
  ready((long)inode);
  stay();
}

static void headless(char **given) {
  call_oneself(given[1]);
  long inode = inode_of(listener(atoi(given[0])));
  pthread_t thread;
  must(-pthread_create(&thread, NULL, live_on, (void *)inode), "pthread_create");
  syscall(SYS_exit, 0);
}

/* The listener is in the descriptor table of another thread alone. */
static void *keep_for_itself(void *port) {
  must(unshare(CLONE_FILES), "CLONE_FILES");
  ready(inode_of(listener((long)port)));
  stay();
}

static void own_table(char **given) {
  call_oneself(given[1]);
  pthread_t thread;
  must(-pthread_create(&thread, NULL, keep_for_itself, (void *)(long)atoi(given[0])), "pthread_create");
}

/* Another thread is in a network namespace of its own. */
static void *move_out(void *port) {
  must(unshare(CLONE_NEWNET), "CLONE_NEWNET");
  raise_loopback();
  ready(inode_of(listener((long)port)));
  stay();
}

static void elsewhere(char **given) {
  call_oneself(given[1]);
  pthread_t thread;
  must(-pthread_create(&thread, NULL, move_out, (void *)(long)atoi(given[0])), "pthread_create");
}

static void vforked(char **given) {
  call_oneself(given[1]);
  long inode = inode_of(listener(atoi(given[0])));
  if (vfork() == 0) {
    ready(inode);
    for (;;) pause();
  }
}

static void undumpable(char **given) {
  call_oneself(given[1]);
  int fd = listener(atoi(given[0]));
  must(setresuid(NOBODY, NOBODY, NOBODY), "setresuid");
  must(prctl(PR_SET_DUMPABLE, 0), "PR_SET_DUMPABLE");
  ready(inode_of(fd));
}

/* A user that no file names. */
static void nameless_user(char **given) {
  call_oneself(given[1]);
  int fd = listener(atoi(given[0]));
  must(setresuid(4000000000u - atoi(given[0]), 4000000000u, 4000000000u), "setresuid");
  ready(inode_of(fd));
}

static void traced(char **given) {
  pid_t child = must(fork(), "fork");
  if (child == 0) {
    call_oneself(given[1]);
    listener(atoi(given[0]));
    must(ptrace(PTRACE_TRACEME, 0, NULL, NULL), "PTRACE_TRACEME");
    raise(SIGTRAP);
    stay();
  }
  must(waitpid(child, NULL, WUNTRACED), "waitpid");
  ready(0);
}

/* Five hundred processes hold the one listener. */
static void crowd(char **given) {
  call_oneself(given[1]);
  int fd = listener(atoi(given[0]));
  for (int n = 0; n < 500; n++)
    if (must(fork(), "fork") == 0) stay();
  ready(inode_of(fd));
}

const struct animal living[] = {
    {"zombies", zombies},
    {"mayflies", mayflies},
    {"mayfly-namespaces", mayfly_namespaces},
    {"shedding", shedding},
    {"stopped", stopped},
    {"headless", headless},
    {"own-table", own_table},
    {"elsewhere", elsewhere},
    {"vforked", vforked},
    {"undumpable", undumpable},
    {"nameless-user", nameless_user},
    {"traced", traced},
    {"crowd", crowd},
    {NULL, NULL},
};
