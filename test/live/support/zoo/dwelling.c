/* Where processes are: cgroups, namespaces, mounts, roots. All of these: port, comm. */
#include "zoo.h"
#include <arpa/inet.h>
#include <sys/un.h>
#include <sys/resource.h>

/* Then: a directory of cgroup v2, the name of one to make in it, how many such in each other; whether it is removed. */
static void cgroup(char **given) {
  call_oneself(given[1]);
  const char *name = bytes_of(given[3]);
  int root = must(open(given[2], O_DIRECTORY), given[2]), at = root, parent = root;
  for (int depth = 0; depth < atoi(given[4]); depth++) {
    parent = at;
    if (mkdirat(at, name, 0755) < 0 && errno != EEXIST) must(-1, "mkdir of a cgroup");
    at = must(openat(at, name, O_DIRECTORY), "a cgroup");
  }
  int processes = must(openat(at, "cgroup.procs", O_WRONLY), "cgroup.procs");
  must(write(processes, "0", 1), "entering a cgroup");
  int fd = listener(atoi(given[0]));
  connections(atoi(given[0]), 3);
  if (atoi(given[5])) {
    must(write(must(openat(root, "cgroup.procs", O_WRONLY), "cgroup.procs"), "0", 1), "leaving a cgroup");
    must(unlinkat(parent, name, AT_REMOVEDIR), "removing a cgroup");
  }
  ready(inode_of(fd));
}

static void enter_own_namespace(void) {
  must(setresgid(NOBODY, NOBODY, NOBODY), "setresgid");
  must(setresuid(NOBODY, NOBODY, NOBODY), "setresuid");
  must(prctl(PR_SET_DUMPABLE, 1), "PR_SET_DUMPABLE");
  must(unshare(CLONE_NEWUSER | CLONE_NEWNET), "CLONE_NEWUSER");
  write_file("/proc/self/uid_map", "0 65534 1");
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/gid_map", "0 65534 1");
}

/* The longest list there is. A write() takes one page of it at most, and adds to those before. */
static void reserve_every_other_port(void) {
  int fd = must(open("/proc/sys/net/ipv4/ip_local_reserved_ports", O_WRONLY), "reserved ports");
  for (int port = 1; port < 65536;) {
    char text[4000] = "";
    int length = 0;
    for (; port < 65536 && length < 3900; port += 2) length += sprintf(text + length, "%s%d", length ? "," : "", port);
    must(write(fd, text, length), "reserved ports");
  }
  close(fd);
}

/* A user's own user and network namespace. Then: port range, reserved ports, whether lo is up; connections. */
static void own_namespace(char **given) {
  call_oneself(given[1]);
  enter_own_namespace();
  if (given[4][0] != '0') raise_loopback();
  int fd = listener(atoi(given[0]));
  if (given[4][0] != '0') connections(atoi(given[0]), atoi(given[5]));
  write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  write_file("/proc/sys/net/ipv4/ip_local_port_range", bytes_of(given[2]));
  if (given[3][0] == '-') reserve_every_other_port();
  else write_file("/proc/sys/net/ipv4/ip_local_reserved_ports", bytes_of(given[3]));
  ready(inode_of(fd));
}

static void ip(char *command, char *name, char *option, char *value) {
  pid_t child = must(fork(), "fork");
  if (child == 0) execlp("ip", "ip", "link", command, "dev", name, option, value, NULL);
  int status = 0;
  waitpid(child, &status, 0);
  errno = 0;
  must(status == 0 ? 0 : -1, "ip");
}

/* Sockets bound to devices, the last of which is gone. Then: the beginning of their names, how many. */
static void devices(char **given) {
  call_oneself(given[1]);
  enter_own_namespace();
  raise_loopback();
  char name[16];
  for (int n = 0; n < atoi(given[3]); n++) {
    snprintf(name, sizeof name, "%s%d", bytes_of(given[2]), n);
    ip("add", name, "type", "veth");
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
      int fd = must(socket(AF_INET, type, 0), "socket");
      must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name)), "SO_BINDTODEVICE");
      struct sockaddr_in wildcard = {.sin_family = AF_INET, .sin_port = htons(atoi(given[0]))};
      must(bind(fd, (struct sockaddr *)&wildcard, sizeof wildcard), "bind");
      if (type == SOCK_STREAM) must(listen(fd, 1), "listen");
    }
  }
  ip("delete", name, NULL, NULL);
  ready(0);
}

/* Changes the sysctls of its network namespace all the time. */
static void unsteady(char **given) {
  call_oneself(given[1]);
  must(unshare(CLONE_NEWNET), "CLONE_NEWNET");
  raise_loopback();
  write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  ready(inode_of(listener(atoi(given[0]))));
  for (int n = 1;; n++) {
    char range[40];
    snprintf(range, sizeof range, "%d %d", 1 + n % 30000, 65535 - n % 35000);
    write_file("/proc/sys/net/ipv4/ip_local_port_range", range);
    write_file("/proc/sys/net/ipv4/ip_local_reserved_ports", n % 3 ? "1-65535" : n % 2 ? "1,3,5,40000-50000" : "\n");
    write_file("/proc/sys/net/ipv4/tcp_tw_reuse", n % 2 ? "0" : "2");
    usleep(500);
  }
}

/* Nothing but a descriptor keeps this network namespace alive. */
static void pinned(char **given) {
  call_oneself(given[1]);
  int home = must(open("/proc/self/ns/net", O_RDONLY), "ns/net");
  must(unshare(CLONE_NEWNET), "CLONE_NEWNET");
  listener(atoi(given[0]));
  must(open("/proc/self/ns/net", O_RDONLY), "ns/net");
  must(setns(home, CLONE_NEWNET), "setns");
  ready(0);
}

/* A path in /run/netns. Names are bytes, and never `.` or `..`. */
static char *netns_path(const char *hex) {
  char *path = malloc(400);
  snprintf(path, 400, NETNS "/%s", bytes_of(hex));
  return path;
}

static void plain(const char *path) { close(must(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644), "a plain file")); }

/* A name for a network namespace that nothing else keeps. Then: the name. */
static void named_namespace(char **given) {
  pid_t inside = must(fork(), "fork");
  if (inside == 0) {
    must(unshare(CLONE_NEWNET), "CLONE_NEWNET");
    raise_loopback();
    const char *path = netns_path(given[2]);
    plain(path);
    must(mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL), "a name");
    ready(0);
    _exit(0);
  }
  waitpid(inside, NULL, 0);
}

/* What in /run/netns is not a network namespace. Then: the name, what it is. */
static void named_otherwise(char **given) {
  const char *path = netns_path(given[2]), *what = given[3];
  if (strcmp(what, "fifo") == 0) must(mkfifo(path, 0644), what);
  else if (strcmp(what, "directory") == 0) must(mkdir(path, 0755), what);
  else if (strcmp(what, "file") == 0) plain(path);
  else if (strcmp(what, "dangling") == 0) must(symlink("/nowhere", path), what);
  else if (strcmp(what, "loop") == 0) must(symlink(path, path), what);
  else if (strcmp(what, "zero") == 0) must(symlink("/dev/zero", path), what);
  else if (strcmp(what, "too-long") == 0) {
    char target[4000];
    memset(target, 'd', sizeof target);
    target[3999] = 0;
    must(symlink(target, path), what);
  } else if (strcmp(what, "socket") == 0) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = GROUNDS "/socket"};
    unlink(address.sun_path);
    must(bind(must(socket(AF_UNIX, SOCK_STREAM, 0), "socket"), (struct sockaddr *)&address, sizeof address), what);
    must(rename(address.sun_path, path), what);
  } else {
    /* A namespace of another kind. */
    char source[60];
    snprintf(source, sizeof source, "/proc/self/ns/%s", what);
    plain(path);
    must(mount(source, path, NULL, MS_BIND, NULL), what);
  }
  ready(0);
}

/* A name that is a network namespace at one moment and something else at the next. Then: the name. */
static void flickering(char **given) {
  const char *path = netns_path(given[2]);
  call_oneself(given[1]);
  own_ground();
  must(mkfifo("fifo", 0644), "mkfifo");
  char here[100], targets[4][160];
  getcwd(here, sizeof here);
  snprintf(targets[0], 160, "/proc/%d/ns/net", getpid());
  snprintf(targets[1], 160, "%s/fifo", here);
  snprintf(targets[2], 160, "%s/next", here); /* Itself. */
  snprintf(targets[3], 160, "/proc/%d/ns/uts", getpid());
  must(unshare(CLONE_NEWNET), "CLONE_NEWNET");
  ready(0);
  for (int n = 0;; n++) {
    char next[160];
    snprintf(next, sizeof next, "%s/next", here);
    symlink(targets[n % 4], next);
    rename(next, path);
    usleep(n % 7 * 10);
  }
}

/* Thousands of mounts, with hostile names that look like other lines of mountinfo. Then: the name, how many. */
static void mounts(char **given) {
  call_oneself(given[1]);
  own_ground();
  must(unshare(CLONE_NEWNS), "CLONE_NEWNS");
  must(mkdir(bytes_of(given[2]), 0755), "mkdir");
  for (int n = 0; n < atoi(given[3]); n++)
    must(mount("x - cgroup2 cgroup2 rw\n1 1 0:1 / /sys rw - cgroup2 cgroup2 rw", bytes_of(given[2]), "tmpfs", 0, NULL), "mount");
  ready(inode_of(listener(atoi(given[0]))));
}

/* The same in the mount namespace that the exporter is in. */
static void mounts_here(char **given) {
  own_ground();
  must(mkdir(bytes_of(given[2]), 0755), "mkdir");
  for (int n = 0; n < atoi(given[3]); n++)
    must(mount("x - cgroup2 cgroup2 rw\n1 1 0:1 / /sys rw - cgroup2 cgroup2 rw", bytes_of(given[2]), "tmpfs", 0, NULL), "mount");
  ready(0);
}

/* Nothing is in its root but a false /etc and a proc of its own pid namespace, in which it is the first. */
static void container(char **given) {
  own_ground();
  must(mkdir("proc", 0755), "mkdir");
  must(mkdir("etc", 0755), "mkdir");
  must(mkfifo("etc/passwd", 0644), "mkfifo");
  must(mkdir("etc/services", 0755), "mkdir");
  must(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP), "unshare");
  if (must(fork(), "fork") > 0) stay();
  must(mount("proc", "proc", "proc", 0, "hidepid=2"), "proc");
  must(chroot("."), "chroot");
  call_oneself(given[1]);
  ready(inode_of(listener(atoi(given[0]))));
}

/* A file of /etc as the exporter sees it. Then: its name, what it is. */
static void false_file(char **given) {
  char path[100], etc[100];
  const char *what = given[3];
  snprintf(etc, sizeof etc, "/etc/%s", given[2]);
  snprintf(path, sizeof path, GROUNDS "/%s-%s", given[2], what);
  if (strcmp(what, "zero") == 0) strcpy(path, "/dev/zero");
  else if (strcmp(what, "fifo") == 0) must(mkfifo(path, 0644), what);
  else {
    int fd = must(open(path, O_CREAT | O_RDWR, 0644), path);
    if (strcmp(what, "sparse") == 0) must(ftruncate(fd, 1L << 30), what);
    else {
      static char filling[1 << 20];
      for (size_t n = 0; n < sizeof filling; n++) filling[n] = strcmp(what, "newlines") == 0 ? '\n' : "x:x:1:\n\xff"[n % 8];
      for (int n = 0; n < 40; n++) must(write(fd, filling, sizeof filling), what);
    }
  }
  must(mount(path, etc, NULL, MS_BIND, NULL), etc);
  ready(0);
}

const struct animal dwelling[] = {
    {"cgroup", cgroup},
    {"own-namespace", own_namespace},
    {"devices", devices},
    {"unsteady", unsteady},
    {"pinned", pinned},
    {"named-namespace", named_namespace},
    {"named-otherwise", named_otherwise},
    {"flickering", flickering},
    {"mounts", mounts},
    {"mounts-here", mounts_here},
    {"container", container},
    {"false-file", false_file},
    {NULL, NULL},
};
