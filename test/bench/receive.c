/*
 * receive <runs> [tracked]: asks the kernel for exactly the dumps a sample asks for, on one netlink socket, and does
 * nothing with them but count: the least any reader of these dumps can take. Prints "<sockets> <seconds>" for each run.
 * With "tracked" the dump is that of tracked connections, and they are what is counted.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STATE_LISTEN (1u << 10)
/* States 1 to 13; 13 is a socket that is only bound. */
#define ALL_STATES 0x3ffeu
#define WITH_SKMEMINFO (1u << (INET_DIAG_SKMEMINFO - 1))

static int fd;

static long tcp(unsigned states, unsigned extensions);
static long udp(int family);
static long tracked(void);
static long dump(int type, const void *body, size_t length);
static double now(void);

static void die(const char *what) {
  fprintf(stderr, "receive: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  int runs = argc >= 2 ? atoi(argv[1]) : 0;
  int is_tracked = argc == 3 && strcmp(argv[2], "tracked") == 0;
  if (runs < 1 || argc > 2 + is_tracked) {
    fprintf(stderr, "usage: receive <runs> [tracked]\n");
    return 2;
  }
  fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, is_tracked ? NETLINK_NETFILTER : NETLINK_SOCK_DIAG);
  if (fd < 0) die("netlink socket");
  for (int run = 0; run < runs; run++) {
    double start = now();
    if (is_tracked) {
      long entries = tracked();
      printf("%ld %.6f\n", entries, now() - start);
      continue;
    }
    long sockets = tcp(STATE_LISTEN, WITH_SKMEMINFO);
    sockets += tcp(ALL_STATES & ~STATE_LISTEN, 0);
    sockets += udp(AF_INET) + udp(AF_INET6);
    printf("%ld %.6f\n", sockets, now() - start);
  }
  return 0;
}

/* The legacy request: both families in one walk of the table. */
static long tcp(unsigned states, unsigned extensions) {
  struct inet_diag_req request = {.idiag_family = AF_INET, .idiag_ext = extensions, .idiag_states = states};
  return dump(TCPDIAG_GETSOCK, &request, sizeof request);
}

static long udp(int family) {
  struct inet_diag_req_v2 request = {.sdiag_family = family,
                                     .sdiag_protocol = IPPROTO_UDP,
                                     .idiag_ext = WITH_SKMEMINFO,
                                     .idiag_states = ALL_STATES};
  return dump(SOCK_DIAG_BY_FAMILY, &request, sizeof request);
}

static long tracked(void) {
  struct nfgenmsg request = {0};
  return dump(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, &request, sizeof request);
}

static long dump(int type, const void *body, size_t length) {
  char request[NLMSG_SPACE(sizeof(struct inet_diag_req_v2))] = {0};
  struct nlmsghdr *header = (struct nlmsghdr *)request;
  header->nlmsg_len = NLMSG_LENGTH(length);
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  memcpy(NLMSG_DATA(header), body, length);
  if (send(fd, request, header->nlmsg_len, 0) < 0) die("send");

  static _Alignas(8) char buffer[64 * 1024];
  long messages = 0;
  for (;;) {
    ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received < 0) die("recv");
    int left = received;
    for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return messages;
      if (message->nlmsg_type == NLMSG_ERROR) {
        errno = -((struct nlmsgerr *)NLMSG_DATA(message))->error;
        die("dump");
      }
      messages++;
    }
  }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}
