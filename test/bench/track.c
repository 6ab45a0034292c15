/*
 * track <count>: makes that many entries in the connection tracking of the network namespace it runs in, says
 * "ready <entries>", and holds them until stdin closes; they end with the namespace. No packet is sent.
 *
 * The mixture is that of a gateway behind one address: TCP of many clients, of which a quarter goes to one destination and
 * a quarter to another, and the rest to many with ten connections each; six of ten are established, the others in TIME_WAIT.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_PORT 1024
/* A quarter of the entries must fit into the ports of one destination. */
#define MOST 4 * (65536 - FIRST_PORT)
#define PER_SMALL_DESTINATION 10
#define TIMEOUT_SECONDS 86400
#define BATCH 100
#define MESSAGE_BYTES 512

static const uint32_t NAT_ADDRESS = 0xc6336401; /* 198.51.100.1 */
static const uint32_t LARGE_DESTINATIONS = 0xcb007101; /* 203.0.113.1 and 2 */
static const uint32_t SMALL_DESTINATIONS = 0x0b000001; /* 11.0.0.1 and on */
static const uint32_t CLIENTS = 0x0a000001; /* 10.0.0.1 and on */

static int fd;
static _Alignas(8) char batch[BATCH * MESSAGE_BYTES];
static size_t filled;

static void add(long nth, long count, int is_last);
static void tuple(int type, uint32_t source, int source_port, uint32_t destination, int destination_port);
static size_t open_nest(int type);
static void close_nest(size_t at);
static void put(int type, const void *value, size_t length);
static void put32(int type, uint32_t value);
static void put16(int type, uint16_t value);
static void put8(int type, uint8_t value);
static void send_batch(void);

static void die(const char *what) {
  fprintf(stderr, "track: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  long count = argc == 2 ? atol(argv[1]) : 0;
  if (count < 4 || count > MOST) {
    fprintf(stderr, "usage: track <count>, of 4 to %d\n", MOST);
    return 2;
  }
  fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) die("netlink socket");
  for (long nth = 0; nth < count; nth++) {
    int is_last = nth % BATCH == BATCH - 1 || nth == count - 1;
    add(nth, count, is_last);
    if (is_last) send_batch();
  }
  printf("ready %ld\n", count);
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}

static void add(long nth, long count, int is_last) {
  long quarter = count / 4;
  uint32_t destination;
  int port;
  if (nth < 2 * quarter) {
    destination = LARGE_DESTINATIONS + nth / quarter;
    port = FIRST_PORT + nth % quarter;
  } else {
    long rest = nth - 2 * quarter;
    destination = SMALL_DESTINATIONS + rest / PER_SMALL_DESTINATION;
    port = FIRST_PORT + (rest * 7919) % (65536 - FIRST_PORT);
  }
  uint32_t client = CLIENTS + nth % 5000;

  size_t start = filled;
  struct nlmsghdr *header = (struct nlmsghdr *)(batch + start);
  memset(batch + start, 0, NLMSG_LENGTH(sizeof(struct nfgenmsg)));
  header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | (is_last ? NLM_F_ACK : 0);
  ((struct nfgenmsg *)NLMSG_DATA(header))->nfgen_family = AF_INET;
  filled += NLMSG_LENGTH(sizeof(struct nfgenmsg));

  tuple(CTA_TUPLE_ORIG, client, port, destination, 443);
  tuple(CTA_TUPLE_REPLY, destination, 443, client, port);
  put32(CTA_STATUS, IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED);
  put32(CTA_TIMEOUT, TIMEOUT_SECONDS);
  size_t info = open_nest(CTA_PROTOINFO);
  size_t tcp = open_nest(CTA_PROTOINFO_TCP);
  put8(CTA_PROTOINFO_TCP_STATE, nth % 10 < 6 ? TCP_CONNTRACK_ESTABLISHED : TCP_CONNTRACK_TIME_WAIT);
  close_nest(tcp);
  close_nest(info);
  size_t nat = open_nest(CTA_NAT_SRC);
  put32(CTA_NAT_V4_MINIP, NAT_ADDRESS);
  put32(CTA_NAT_V4_MAXIP, NAT_ADDRESS);
  size_t ports = open_nest(CTA_NAT_PROTO);
  put16(CTA_PROTONAT_PORT_MIN, port);
  put16(CTA_PROTONAT_PORT_MAX, port);
  close_nest(ports);
  close_nest(nat);
  header->nlmsg_len = filled - start;
}

static void tuple(int type, uint32_t source, int source_port, uint32_t destination, int destination_port) {
  size_t whole = open_nest(type);
  size_t addresses = open_nest(CTA_TUPLE_IP);
  put32(CTA_IP_V4_SRC, source);
  put32(CTA_IP_V4_DST, destination);
  close_nest(addresses);
  size_t protocol = open_nest(CTA_TUPLE_PROTO);
  put8(CTA_PROTO_NUM, IPPROTO_TCP);
  put16(CTA_PROTO_SRC_PORT, source_port);
  put16(CTA_PROTO_DST_PORT, destination_port);
  close_nest(protocol);
  close_nest(whole);
}

static size_t open_nest(int type) {
  size_t at = filled;
  put(type | NLA_F_NESTED, NULL, 0);
  return at;
}

static void close_nest(size_t at) { ((struct nlattr *)(batch + at))->nla_len = filled - at; }

static void put(int type, const void *value, size_t length) {
  struct nlattr *attribute = (struct nlattr *)(batch + filled);
  memset(attribute, 0, NLA_HDRLEN + NLA_ALIGN(length));
  attribute->nla_len = NLA_HDRLEN + length;
  attribute->nla_type = type;
  if (length > 0) memcpy((char *)attribute + NLA_HDRLEN, value, length);
  filled += NLA_HDRLEN + NLA_ALIGN(length);
}

/* All of them in network order. */
static void put32(int type, uint32_t value) {
  value = htonl(value);
  put(type, &value, sizeof value);
}

static void put16(int type, uint16_t value) {
  value = htons(value);
  put(type, &value, sizeof value);
}

static void put8(int type, uint8_t value) { put(type, &value, sizeof value); }

/* What is refused is answered before the last one is acknowledged. */
static void send_batch(void) {
  if (send(fd, batch, filled, 0) < 0) die("send");
  filled = 0;
  char answer[4096];
  if (recv(fd, answer, sizeof answer, 0) < 0) die("recv");
  errno = -((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)answer))->error;
  if (errno != 0) die("making an entry");
}
