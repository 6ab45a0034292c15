/* What the animals of the zoo have in common. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where animals keep their files: a tmpfs that ends with the zoo. */
#define GROUNDS "/run/zoo"
#define NETNS "/run/netns"
#define NOBODY 65534

struct animal {
  const char *kind;
  void (*live)(char **given);
};

/* Each a table that ends with a NULL. */
extern const struct animal named[], living[], holding[], dwelling[];

/* Tells the keeper that all is as it should be, and a number that the test may need; from whichever of its processes. */
void ready(long value);

/* To be called with whatever must not fail: the animal ends with a line that says why. */
long must(long result, const char *what);

_Noreturn void stay(void);

/* What `ps` shows, as hexadecimal digits. */
void call_oneself(const char *hex);

/* A TCP listener on 127.0.0.1; port 0 is the kernel's choice. */
int listener(int port);

/* So many connections to 127.0.0.1, which stay. */
void connections(int port, int count);

long inode_of(int fd);

/* Brings lo up in the network namespace that the caller is in. */
void raise_loopback(void);

/* What proc_pid_stat(5) says of a process behind its comm, which may hold any bytes. */
char *stat_of(int pid);

void write_file(const char *path, const char *text);

/* Bytes from hexadecimal digits, with a zero behind. They are never freed. */
char *bytes_of(const char *hex);

/* A new directory of the caller's own below the grounds, which it is in from now on. */
void own_ground(void);
