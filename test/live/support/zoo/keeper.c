/*
 * Keeps animals: processes that do what any stranger could. Each line on stdin, `kind argument ...`, forks one, and is
 * answered by a line: `<pid> <number>`, or `failed <why>`. All live in a pid, mount and network namespace of their own and
 * end with its first process, at the end of stdin or when whoever started the keeper ends.
 */
#include "zoo.h"
#include <poll.h>

static int to_keeper = -1;

static void live(char *line) {
  char *words[64] = {strtok(line, " ")};
  for (int n = 0; words[n] != NULL && n < 62; n++) words[n + 1] = strtok(NULL, " ");
  const struct animal *tables[] = {named, living, holding, dwelling};
  for (int table = 0; table < 4; table++)
    for (const struct animal *a = tables[table]; a->kind != NULL; a++)
      if (strcmp(a->kind, words[0]) == 0) {
        a->live(words + 1);
        stay();
      }
  errno = 0;
  must(-1, words[0]);
}

static void answer(char *line) {
  int ends[2];
  must(pipe2(ends, O_CLOEXEC), "pipe");
  /* Out of the way of what the animals do with the lowest descriptors. */
  int end = must(fcntl(ends[1], F_DUPFD_CLOEXEC, 900), "F_DUPFD");
  close(ends[1]);
  pid_t pid = must(fork(), "fork");
  if (pid == 0) {
    close(ends[0]);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(2, 1);
    to_keeper = end;
    live(line);
  }
  close(end);
  char text[300] = "failed without a word";
  struct pollfd waiting = {.fd = ends[0], .events = POLLIN};
  if (poll(&waiting, 1, 20000) == 1) {
    ssize_t length = read(ends[0], text, sizeof text - 1);
    if (length > 0) text[length] = 0;
  }
  close(ends[0]);
  if (text[0] == 'f') printf("%s\n", text);
  else printf("%d %s\n", pid, text);
  fflush(stdout);
}

static void keep(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
  must(mount("proc", "/proc", "proc", 0, NULL), "mounting proc");
  must(mount("zoo", "/run", "tmpfs", 0, NULL), "mounting the grounds");
  must(mkdir(NETNS, 0755), NETNS);
  must(mkdir(GROUNDS, 0755), GROUNDS);
  must(chmod(GROUNDS, 01777), GROUNDS);
  raise_loopback();
  printf("%d\n", 0);
  fflush(stdout);
  static char line[400000];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    answer(line);
  }
}

int main(int count, char **arguments) {
  /* What some animals become. */
  if (count > 0 && strcmp(arguments[0], "shed") == 0) {
    usleep(3000);
    execl("/proc/self/exe", "shed", NULL);
  }
  if (count != 2 || strcmp(arguments[1], "keep") != 0) stay();
  must(unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET), "unshare");
  pid_t first = must(fork(), "fork");
  if (first == 0) {
    keep();
    _exit(0);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  printf("%d\n", first);
  fflush(stdout);
  while (waitpid(first, NULL, 0) < 0 && errno == EINTR) {
  }
  return 0;
}

void ready(long value) {
  dprintf(to_keeper, "%ld", value);
  close(to_keeper);
}

long must(long result, const char *what) {
  if (result >= 0) return result;
  dprintf(to_keeper < 0 ? 2 : to_keeper, "failed %s: %s", what, strerrorname_np(errno));
  _exit(1);
}

_Noreturn void stay(void) {
  for (;;) pause();
}
