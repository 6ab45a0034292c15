#include "zoo.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

void call_oneself(const char *hex) { must(prctl(PR_SET_NAME, bytes_of(hex)), "PR_SET_NAME"); }

static struct sockaddr_in at(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int listener(int port) {
  int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
  struct sockaddr_in address = at(port);
  must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), "SO_REUSEADDR");
  must(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
  must(listen(fd, 1000), "listen");
  return fd;
}

void connections(int port, int count) {
  struct sockaddr_in address = at(port);
  for (int n = 0; n < count; n++)
    must(connect(must(socket(AF_INET, SOCK_STREAM, 0), "socket"), (struct sockaddr *)&address, sizeof address),
         "connect");
}

long inode_of(int fd) {
  struct stat stats;
  must(fstat(fd, &stats), "fstat");
  return stats.st_ino;
}

void raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
  must(ioctl(fd, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
  close(fd);
}

char *stat_of(int pid) {
  static char text[4096];
  snprintf(text, sizeof text, "/proc/%d/stat", pid);
  int fd = must(open(text, O_RDONLY), text);
  text[must(read(fd, text, sizeof text - 1), "stat")] = 0;
  close(fd);
  return strrchr(text, ')') + 1;
}

void write_file(const char *path, const char *text) {
  int fd = must(open(path, O_WRONLY | O_CREAT, 0644), path);
  must(write(fd, text, strlen(text)), path);
  close(fd);
}

char *bytes_of(const char *hex) {
  size_t length = strlen(hex) / 2;
  char *bytes = calloc(length + 1, 1);
  for (size_t n = 0; n < length; n++) sscanf(hex + 2 * n, "%2hhx", (unsigned char *)&bytes[n]);
  return bytes;
}

void own_ground(void) {
  char path[100];
  snprintf(path, sizeof path, GROUNDS "/%d", getpid());
  must(mkdir(path, 0777), path);
  must(chdir(path), path);
}
