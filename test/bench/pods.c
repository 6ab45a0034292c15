/*
 * pods <count> [<cgroup>...]: makes that many network namespaces with a few sockets each, as the pods of a host are, says
 * "ready" and their inode numbers, and holds them until stdin closes. Each has a process of its own, five listeners, six connections of
 * which both ends are in it, a TIME_WAIT, and two UDP sockets. The first is in the first cgroup (its directory), and so on.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENERS 5
#define CONNECTIONS 6
#define FIRST_PORT 8000

static void be_pod(void);
static void enter(const char *cgroup);
static int socket_to(int type, int port);

static void die(const char *what) {
  fprintf(stderr, "pods: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  int count = argc >= 2 ? atoi(argv[1]) : 0;
  if (count < 1) {
    fprintf(stderr, "usage: pods <count> [<cgroup>...]\n");
    return 2;
  }
  int done[2];
  if (pipe(done) < 0) die("pipe");
  for (int pod = 0; pod < count; pod++) {
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(done[0]);
    if (pod + 2 < argc) enter(argv[pod + 2]);
    be_pod();
    struct stat own;
    if (stat("/proc/self/ns/net", &own) < 0) die("stat");
    if (write(done[1], &own.st_ino, sizeof own.st_ino) != sizeof own.st_ino) die("write");
    close(done[1]);
    for (;;) pause();
  }
  close(done[1]);
  printf("ready");
  for (int pod = 0; pod < count; pod++) {
    ino_t inode;
    if (read(done[0], &inode, sizeof inode) != sizeof inode) {
      fprintf(stderr, "pods: some could not be made\n");
      return 1;
    }
    printf(" %lu", (unsigned long)inode);
  }
  printf("\n");
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}

static void enter(const char *cgroup) {
  char path[4096];
  snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
  FILE *file = fopen(path, "w");
  if (file == NULL || fputs("0", file) < 0 || fclose(file) != 0) die(path);
}

static void be_pod(void) {
  if (unshare(CLONE_NEWNET) < 0) die("unshare");
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) die("raising lo");
  close(fd);

  int listeners[LISTENERS];
  for (int i = 0; i < LISTENERS; i++) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(FIRST_PORT + i)};
    listeners[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listeners[i], (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(listeners[i], 128) < 0) die("listen");
  }
  for (int i = 0; i <= CONNECTIONS; i++) {
    int near = socket_to(SOCK_STREAM, FIRST_PORT + i % LISTENERS);
    int far = accept(listeners[i % LISTENERS], NULL, NULL);
    if (far < 0) die("accept");
    if (i < CONNECTIONS) continue;
    close(near);
    close(far);
  }
  socket_to(SOCK_DGRAM, FIRST_PORT);
  socket_to(SOCK_DGRAM, FIRST_PORT);
}

static int socket_to(int type, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, type, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  return fd;
}
