/* What processes hold. All of these: port, comm. */
#include "zoo.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>

static void many_descriptors(char **given) {
  call_oneself(given[1]);
  for (int n = 0; n < 4000; n++) must(open("/dev/null", O_RDONLY), "open");
  for (int n = 0; n < 1000; n++) must(socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
  ready(inode_of(listener(atoi(given[0]))));
}

/* One of each kind that is no listener; the name is that of some. */
static void odd_descriptors(char **given) {
  call_oneself(given[1]);
  own_ground();
  const char *name = bytes_of(given[1]);
  int fifo[2], epoll = must(epoll_create1(0), "epoll");
  must(pipe(fifo), "pipe");
  must(epoll_ctl(epoll, EPOLL_CTL_ADD, fifo[0], &(struct epoll_event){.events = EPOLLIN}), "EPOLL_CTL_ADD");
  must(mkfifo("fifo", 0600), "mkfifo");
  must(open("fifo", O_RDWR), "fifo");
  must(symlink("nowhere", "link"), "symlink");
  must(open("link", O_PATH | O_NOFOLLOW), "link");
  must(memfd_create(name, 0), "memfd");
  must(eventfd(0, 0), "eventfd");
  must(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd");
  sigset_t none;
  sigemptyset(&none);
  must(signalfd(-1, &none, 0), "signalfd");
  must(inotify_add_watch(must(inotify_init(), "inotify"), ".", IN_ALL_EVENTS), "inotify");
  must(syscall(SYS_pidfd_open, getpid(), 0), "pidfd");
  for (const char **path = (const char *[]){"/proc/self/fd", "/proc/self/fdinfo", "/proc/self/ns/net", "/proc/self/mountinfo",
                                            "/dev/zero", "/", NULL};
       *path != NULL; path++)
    must(open(*path, O_RDONLY), *path);
  for (const int *family = (const int[]){AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, 0}; *family != 0; family++)
    must(socket(*family, SOCK_DGRAM, 0), "socket");
  ready(inode_of(listener(atoi(given[0]))));
}

/*
 * Claims somebody's listener, of which it knows the inode (the third argument), by the names of files: where it is the
 * root directory that they are in, below a mount that is there no more, of a memfd, deleted, and as links.
 */
static void claims(char **given) {
  call_oneself(given[1]);
  own_ground();
  char claim[60], directory[70], deleted[70], link[70], bound[70];
  snprintf(claim, sizeof claim, "socket:[%s]", given[2]);
  must(mount("claims", ".", "tmpfs", 0, NULL), "tmpfs");
  char ground[4000];
  must(getcwd(ground, sizeof ground) == NULL ? -1 : 0, "getcwd");
  must(chdir(ground), "chdir");
  must(open(claim, O_CREAT | O_RDWR, 0600), "claim");
  must(memfd_create(claim, 0), "memfd");
  snprintf(deleted, sizeof deleted, "%s.", claim);
  must(open(deleted, O_CREAT | O_RDWR, 0600), "deleted");
  must(unlink(deleted), "unlink");
  snprintf(directory, sizeof directory, "%s..", claim);
  must(mkdir(directory, 0700), "mkdir");
  must(open(directory, O_RDONLY), "directory");
  snprintf(link, sizeof link, "%s...", claim);
  must(symlink(claim, link), "symlink");
  must(open(link, O_RDONLY), "link");
  must(open(link, O_PATH | O_NOFOLLOW), "O_PATH");
  snprintf(bound, sizeof bound, "%s....", claim);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, bound);
  must(bind(must(socket(AF_UNIX, SOCK_STREAM, 0), "socket"), (struct sockaddr *)&address, sizeof address), "bind");
  must(umount2(ground, MNT_DETACH), "MNT_DETACH");
  must(chroot("."), "chroot");
  must(open(claim, O_RDONLY), "claim in a root of its own");
  ready(0);
}

/* The listener is on its way to somebody who does not take it. */
static void in_flight(char **given) {
  call_oneself(given[1]);
  int ends[2], fd = listener(atoi(given[0]));
  must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), "socketpair");
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof fd)];
  } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)}};
  memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
  struct iovec data = {.iov_base = "", .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  must(sendmsg(ends[0], &message, 0), "sendmsg");
  long inode = inode_of(fd);
  close(fd);
  ready(inode);
}

/* A hundred sockets listen on the one port. */
static void reuse(char **given) {
  call_oneself(given[1]);
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  int first = listener(atoi(given[0]));
  must(getsockname(first, (struct sockaddr *)&address, &length), "getsockname");
  close(first);
  for (int n = 0; n < 100; n++) {
    int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)), "SO_REUSEPORT");
    must(bind(fd, (struct sockaddr *)&address, length), "bind");
    must(listen(fd, n), "listen");
  }
  ready(0);
}

/* Opens and closes descriptors all the time, its listener among them. */
static void restless(char **given) {
  call_oneself(given[1]);
  ready(0);
  for (int held[64] = {0}, n = 0;; n = (n + 1) % 64) {
    if (held[n] > 0) close(held[n]);
    held[n] = n == 0 ? listener(atoi(given[0])) : open("/dev/null", O_RDONLY);
    usleep(200);
  }
}

const struct animal holding[] = {
    {"many-descriptors", many_descriptors},
    {"odd-descriptors", odd_descriptors},
    {"claims", claims},
    {"in-flight", in_flight},
    {"reuse", reuse},
    {"restless", restless},
    {NULL, NULL},
};
