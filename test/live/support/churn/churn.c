/*
 * churn: makes and closes connections as fast as it can, in namespaces of its own, and namespaces too. For each line on
 * standard input it writes how many of both there were until now: "<connections> <namespaces>". It ends with standard input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORKERS 3

struct totals {
  uint64_t connections[WORKERS + 1];
  uint64_t namespaces;
};

static void must(int is_done, const char *what) {
  if (is_done) return;
  perror(what);
  exit(1);
}

static void enter_fresh_namespace(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd;
  must(unshare(CLONE_NEWNET) == 0, "churn: unshare()");
  fd = socket(AF_INET, SOCK_DGRAM, 0);
  must(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0, "churn: raising lo");
  close(fd);
}

static struct sockaddr_in local(int last, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + last);
  return address;
}

static int listener(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8001)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  must(bind(fd, (void *)&address, sizeof address) == 0 && listen(fd, 128) == 0, "churn: listen()");
  return fd;
}

/* One connection that is over at once: every fourth did bind() first, every 32nd stays in TIME_WAIT. */
static int connect_once(int server, uint64_t number) {
  struct sockaddr_in from = local(1, 0), to = local(1 + number % 50, 8001);
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  int near = socket(AF_INET, SOCK_STREAM, 0), far = -1;
  if (near >= 0 && (number % 4 != 0 || bind(near, (void *)&from, sizeof from) == 0) &&
      connect(near, (void *)&to, sizeof to) == 0)
    far = accept(server, 0, 0);
  if (near >= 0 && number % 32 != 31) setsockopt(near, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (near >= 0) close(near);
  if (far >= 0) close(far);
  return far >= 0;
}

static void connect_for_ever(uint64_t *connections) {
  int server;
  enter_fresh_namespace();
  server = listener();
  for (uint64_t number = 0;; number++) *connections += connect_once(server, number);
}

static void make_namespaces(struct totals *totals) {
  for (;;) {
    int held[20], server;
    enter_fresh_namespace();
    server = listener();
    for (int i = 0; i < 20; i++) {
      struct sockaddr_in to = local(1, 8001);
      held[i] = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(held[i], (void *)&to, sizeof to) == 0) totals->connections[WORKERS]++;
    }
    for (int i = 0; i < 20; i++) close(held[i]);
    close(server);
    totals->namespaces++;
    /* The kernel ends them later, and slower than they can be made. */
    usleep(5000);
  }
}

int main(void) {
  struct totals *totals =
      mmap(0, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(totals != MAP_FAILED, "churn: mmap()");
  for (int i = 0; i <= WORKERS; i++) {
    pid_t child = fork();
    must(child >= 0, "churn: fork()");
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (i < WORKERS) connect_for_ever(&totals->connections[i]);
    else make_namespaces(totals);
  }
  for (int byte; (byte = getchar()) != EOF;) {
    uint64_t connections = 0;
    if (byte != '\n') continue;
    for (int i = 0; i <= WORKERS; i++) connections += totals->connections[i];
    printf("%llu %llu\n", (unsigned long long)connections, (unsigned long long)totals->namespaces);
    fflush(stdout);
  }
  return 0;
}
