/*
 * population <sockets> <listeners>: fills the network namespace it runs in with that many TCP sockets (both ends of
 * loopback connections counted), or with that many listeners and nothing else where <sockets> is 0; says
 * "ready <TCP sockets>", and holds them until stdin closes.
 *
 * One process may not have enough descriptors, so children ("shards") hold the connections, both ends of each. The
 * mixture is that of a busy host: few listeners, destinations of very different size (the first past the half of the
 * port range, where connect() changes parity), several local addresses, native and mapped IPv6, half-closed ones,
 * bound-only sockets, some bound before connect(), a few TIME_WAIT that are renewed as they run out, and UDP.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two shards share a destination: 19 000 connections stay below the 28 232 ports of the default range. */
#define CONNECTIONS_PER_SHARD 9500
#define SHARDS_PER_DESTINATION 2
/* Kept free in each shard: the standard streams, inherited listeners, and uneven accept() between two shards. */
#define SPARE_DESCRIPTORS 900
#define BACKLOG 4096

#define MAX_DESTINATIONS 200

/* Below the default port range, so that they take nothing from it, and above the ports of the programs measured. */
#define FIRST_LISTENER 20000
#define MAX_LISTENERS 12000
#define LISTENING_PROCESSES 16

typedef struct {
  int ipv4;   /* 127.0.0.(1+n) port 8000+n */
  int native; /* [::1] port 8000+n, IPv6 only */
  int dual;   /* [::] port 9000+n, reached over IPv4: the accepted ends are mapped */
} Destination;

static Destination destinations[MAX_DESTINATIONS];
static int has_ipv6;

static int hold_listeners(int listeners);
static struct sockaddr_in ipv4(uint32_t address, int port);
static struct sockaddr_in6 ipv6(struct in6_addr address, int port);
static int listener(int family, const void *address, socklen_t length, int v6only);
static void raise_loopback(void);
static int descriptor_limit(void);
static void listen_all(int count);
static void fill_shard(int shard, int connections);
static int add_bound(int count);
static int add_bound_and_connected(int count);
static void add_udp(int count);
static void make_time_wait(void);

static void die(const char *what) {
  fprintf(stderr, "population: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  int sockets = argc == 3 ? atoi(argv[1]) : 0;
  int listeners = argc == 3 ? atoi(argv[2]) : 0;
  if (sockets == 0 && listeners > 0 && listeners <= MAX_LISTENERS) return hold_listeners(listeners);
  if (sockets < 2 || listeners != 0) {
    fprintf(stderr, "usage: population <sockets, at least 2> 0 | population 0 <listeners, at most %d>\n", MAX_LISTENERS);
    return 2;
  }
  int per_shard = (descriptor_limit() - SPARE_DESCRIPTORS) / 2;
  if (per_shard > CONNECTIONS_PER_SHARD) per_shard = CONNECTIONS_PER_SHARD;
  int connections = (sockets + 1) / 2;
  int shards = per_shard > 0 ? (connections + per_shard - 1) / per_shard : MAX_DESTINATIONS * SHARDS_PER_DESTINATION + 1;
  int count = (shards + SHARDS_PER_DESTINATION - 1) / SHARDS_PER_DESTINATION;
  if (count > MAX_DESTINATIONS) {
    fprintf(stderr, "population: %d descriptors per process are too few for %d sockets\n", descriptor_limit(), sockets);
    return 1;
  }

  raise_loopback();
  listen_all(count);

  int done[2];
  if (pipe(done) < 0) die("pipe");
  pid_t children[MAX_DESTINATIONS * SHARDS_PER_DESTINATION];
  for (int shard = 0; shard < shards; shard++) {
    int mine = connections / shards + (shard < connections % shards);
    children[shard] = fork();
    if (children[shard] < 0) die("fork");
    if (children[shard] > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(STDIN_FILENO);
    close(done[0]);
    fill_shard(shard, mine);
    if (write(done[1], "", 1) != 1) die("write");
    close(done[1]);
    for (;;) pause();
  }
  close(done[1]);

  int ready = 0;
  for (char byte; read(done[0], &byte, 1) == 1;) ready++;
  int total = 2 * connections + count * (has_ipv6 ? 3 : 1);
  if (ready == shards) {
    total += add_bound(sockets / 10000);
    total += add_bound_and_connected(sockets / 20000);
    add_udp(sockets / 800 + 10);
    printf("ready %d\n", total);
    fflush(stdout);
    /* One TIME_WAIT lives 60 s: this pace keeps 15 for every 10 000 sockets. */
    int pause_ms = 40000000 / sockets;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
      char ignored[256];
      if (poll(&input, 1, pause_ms) == 0) make_time_wait();
      else if (read(STDIN_FILENO, ignored, sizeof ignored) <= 0) break;
    }
  }
  for (int shard = 0; shard < shards; shard++) kill(children[shard], SIGKILL);
  while (wait(NULL) > 0) continue;
  return ready == shards ? 0 : 1;
}

/* As a host with many services has them: in several processes, of both families, on wildcards and on addresses. */
static int hold_listeners(int listeners) {
  raise_loopback();
  descriptor_limit();
  int done[2];
  if (pipe(done) < 0) die("pipe");
  pid_t children[LISTENING_PROCESSES];
  for (int process = 0; process < LISTENING_PROCESSES; process++) {
    children[process] = fork();
    if (children[process] < 0) die("fork");
    if (children[process] > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(STDIN_FILENO);
    close(done[0]);
    for (int i = process; i < listeners; i += LISTENING_PROCESSES) {
      struct sockaddr_in any = ipv4(INADDR_ANY, FIRST_LISTENER + i);
      struct sockaddr_in one = ipv4(0x7f000001u + i, FIRST_LISTENER + i);
      struct sockaddr_in6 any6 = ipv6(in6addr_any, FIRST_LISTENER + i);
      if (i % 3 == 0) listener(AF_INET, &any, sizeof any, 0);
      else if (i % 3 == 1) listener(AF_INET, &one, sizeof one, 0);
      else listener(AF_INET6, &any6, sizeof any6, 0);
    }
    if (write(done[1], "", 1) != 1) die("write");
    close(done[1]);
    for (;;) pause();
  }
  close(done[1]);
  int ready = 0;
  for (char byte; read(done[0], &byte, 1) == 1;) ready++;
  if (ready == LISTENING_PROCESSES) {
    printf("ready %d\n", listeners);
    fflush(stdout);
    for (char ignored[256]; read(STDIN_FILENO, ignored, sizeof ignored) > 0;) continue;
  }
  for (int process = 0; process < LISTENING_PROCESSES; process++) kill(children[process], SIGKILL);
  while (wait(NULL) > 0) continue;
  return ready == LISTENING_PROCESSES ? 0 : 1;
}

static void raise_loopback(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) die("socket");
  struct ifreq request = {.ifr_name = "lo"};
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) die("raise lo");
  close(fd);
}

static int descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) die("setrlimit");
  return limit.rlim_max > 1000000 ? 1000000 : (int)limit.rlim_max;
}

static struct sockaddr_in ipv4(uint32_t address, int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
}

static struct sockaddr_in6 ipv6(struct in6_addr address, int port) {
  return (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = address};
}

static struct sockaddr_in6 mapped(uint32_t address, int port) {
  struct sockaddr_in6 to = ipv6(in6addr_any, port);
  to.sin6_addr.s6_addr[10] = to.sin6_addr.s6_addr[11] = 0xff;
  uint32_t word = htonl(address);
  memcpy(&to.sin6_addr.s6_addr[12], &word, 4);
  return to;
}

static uint32_t destination_address(int n) { return 0x7f000001u + n; }

/* An abortive close leaves nothing behind when the holder ends. Accepted sockets inherit it from their listener. */
static void close_abruptly(int fd, int abruptly) {
  struct linger linger = {.l_onoff = abruptly, .l_linger = 0};
  if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0) die("SO_LINGER");
}

static int tcp_socket(int family) {
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) die("socket");
  close_abruptly(fd, 1);
  return fd;
}

static int listener(int family, const void *address, socklen_t length, int v6only) {
  int fd = tcp_socket(family);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
  if (bind(fd, address, length) < 0 || listen(fd, BACKLOG) < 0) die("listen");
  return fd;
}

static void listen_all(int count) {
  int probe = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 loopback = ipv6(in6addr_loopback, 0);
  has_ipv6 = probe >= 0 && bind(probe, (struct sockaddr *)&loopback, sizeof loopback) == 0;
  if (probe >= 0) close(probe);
  for (int n = 0; n < count; n++) {
    struct sockaddr_in plain = ipv4(destination_address(n), 8000 + n);
    struct sockaddr_in6 native = ipv6(in6addr_loopback, 8000 + n);
    struct sockaddr_in6 dual = ipv6(in6addr_any, 9000 + n);
    destinations[n].ipv4 = listener(AF_INET, &plain, sizeof plain, 0);
    if (!has_ipv6) continue;
    destinations[n].native = listener(AF_INET6, &native, sizeof native, 1);
    destinations[n].dual = listener(AF_INET6, &dual, sizeof dual, 0);
  }
}

static void connect_to(int fd, const void *address, socklen_t length) {
  if (connect(fd, address, length) < 0) die("connect");
}

static int accept_one(int from) {
  int fd = accept(from, NULL, NULL);
  if (fd < 0) die("accept");
  return fd;
}

/* The port stays open until connect() picks it: the usual way to choose a local address only. */
static void choose_local_address(int fd, uint32_t address) {
  int on = 1;
  struct sockaddr_in local = ipv4(address, 0);
  if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0) die("IP_BIND_ADDRESS_NO_PORT");
  if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0) die("bind");
}

/* Connects and accepts in turns, so that no backlog overflows; which shard of a destination accepts does not matter. */
static void fill_shard(int shard, int connections) {
  int n = shard / SHARDS_PER_DESTINATION;
  struct sockaddr_in plain = ipv4(destination_address(n), 8000 + n);
  struct sockaddr_in6 as_mapped = mapped(destination_address(n), 8000 + n);
  struct sockaddr_in6 native = ipv6(in6addr_loopback, 8000 + n);
  struct sockaddr_in dual = ipv4(destination_address(n), 9000 + n);
  for (int i = 0; i < connections; i++) {
    int kind = has_ipv6 ? i % 50 : 3;
    int fd = tcp_socket(kind < 2 ? AF_INET6 : AF_INET);
    int from = destinations[n].ipv4;
    if (kind == 0) {
      connect_to(fd, &native, sizeof native);
      from = destinations[n].native;
    } else if (kind == 1) {
      connect_to(fd, &as_mapped, sizeof as_mapped);
    } else if (kind == 2) {
      connect_to(fd, &dual, sizeof dual);
      from = destinations[n].dual;
    } else {
      if (n > 0 && i % 4 > 0) choose_local_address(fd, 0x7f010000u + i % 4);
      connect_to(fd, &plain, sizeof plain);
    }
    accept_one(from);
    if (i % 100 == 10) shutdown(fd, SHUT_WR);
  }
}

static int add_bound(int count) {
  struct sockaddr_in local = ipv4(0x7f020001u, 0);
  for (int i = 0; i < count; i++) {
    if (bind(tcp_socket(AF_INET), (struct sockaddr *)&local, sizeof local) < 0) die("bind");
  }
  return count;
}

static int add_bound_and_connected(int count) {
  struct sockaddr_in local = ipv4(0x7f020002u, 0);
  struct sockaddr_in to = ipv4(destination_address(0), 8000);
  for (int i = 0; i < count; i++) {
    int fd = tcp_socket(AF_INET);
    if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0) die("bind");
    connect_to(fd, &to, sizeof to);
    accept_one(destinations[0].ipv4);
  }
  return 2 * count;
}

static void add_udp(int count) {
  struct sockaddr_in any = ipv4(INADDR_ANY, 0), to = ipv4(INADDR_LOOPBACK, 53);
  struct sockaddr_in6 any6 = ipv6(in6addr_any, 0), to6 = ipv6(in6addr_loopback, 53);
  for (int i = 0; i < count; i++) {
    int family = has_ipv6 && i % 2 ? AF_INET6 : AF_INET;
    int fd = socket(family, SOCK_DGRAM, 0);
    if (fd < 0) die("socket");
    int failed = i % 4 < 2 ? (family == AF_INET ? bind(fd, (struct sockaddr *)&any, sizeof any)
                                                : bind(fd, (struct sockaddr *)&any6, sizeof any6))
                           : (family == AF_INET ? connect(fd, (struct sockaddr *)&to, sizeof to)
                                                : connect(fd, (struct sockaddr *)&to6, sizeof to6));
    if (failed) die("UDP socket");
  }
}

/* Whoever closes first keeps the TIME_WAIT. */
static void make_time_wait(void) {
  struct sockaddr_in to = ipv4(destination_address(0), 8000);
  int fd = tcp_socket(AF_INET);
  connect_to(fd, &to, sizeof to);
  int accepted = accept_one(destinations[0].ipv4);
  close_abruptly(fd, 0);
  close_abruptly(accepted, 0);
  close(fd);
  close(accepted);
}
