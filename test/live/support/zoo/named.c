/* What processes call themselves. All of these: port, comm. */
#include "zoo.h"

static void comm(char **given) {
  int fd = listener(atoi(given[0]));
  call_oneself(given[1]);
  ready(inode_of(fd));
}

/* As comm; at SIGUSR1 somebody with a higher pid takes over, the first holder ends and nobody reaps it. */
static void hand_over(int signal) {
  (void)signal;
  if (fork() != 0) _exit(0);
}

static void honest(char **given) {
  signal(SIGUSR1, hand_over);
  comm(given);
}

/* The third: the pid of an honest one, which gives its listener away. */
static void relieve(char **given) {
  must(kill(atoi(given[2]), SIGUSR1), "kill");
  ready(0);
}

/* Becomes a program that waits, with these arguments. */
static void become(char **arguments) {
  ready(0);
  char *nothing[] = {NULL};
  must(execve("/proc/self/exe", arguments, nothing), "execve");
}

static void without_arguments(char **given) {
  listener(atoi(given[0]));
  call_oneself(given[1]);
  become((char *[]){NULL});
}

/* A megabyte of arguments, all of them the name. */
static void many_arguments(char **given) {
  listener(atoi(given[0]));
  static char *arguments[9];
  for (int n = 0; n < 8; n++) {
    arguments[n] = calloc(128 * 1024, 1);
    memset(arguments[n], n == 0 ? '\n' : 0x80 + n, 128 * 1024 - 10);
  }
  become(arguments);
}

extern char **environ;

/* Its arguments have no terminator, or nothing but terminators (the port says which). */
static void overwritten_arguments(char **given) {
  int fd = listener(atoi(given[0]));
  call_oneself(given[1]);
  unsigned long start = 0, end = 0;
  /* Fields 48 and 49; the first behind the comm is 3. */
  char *field = stat_of(getpid());
  for (int n = 3; n < 48; n++) field = strchr(field + 1, ' ');
  sscanf(field, "%lu %lu", &start, &end);
  memset((void *)start, atoi(given[0]) % 2 ? 0 : 0xff, end - start);
  ready(inode_of(fd));
}

const struct animal named[] = {
    {"comm", comm},
    {"honest", honest},
    {"relieve", relieve},
    {"without-arguments", without_arguments},
    {"many-arguments", many_arguments},
    {"overwritten-arguments", overwritten_arguments},
    {NULL, NULL},
};
