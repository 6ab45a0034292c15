/*
 * scrape: an HTTP client that takes as little of the machine as it can from the server it times. A line
 * "<count> <port> <path>" on stdin fetches http://127.0.0.1:<port><path> that often over one kept-alive connection and is
 * answered with one line of JSON: {"milliseconds": [...], "samplesSeen": n}, or a string that says what failed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_REQUESTS 1000000
#define SAMPLE_TIMESTAMP "\nport_exporter_sample_timestamp_seconds"

static char answer[8 * 1024 * 1024];
static char failure[256];
static double milliseconds[MAX_REQUESTS];
/* Different samples since the start, told apart by their time stamp. */
static int samples_seen;

static int scrape(int count, int port, const char *path);
static int open_connection(int port);
static int fetch(int fd, const char *request);
static int is_complete(size_t length);
static void note_sample(void);
static int fail(const char *format, ...);
static double now(void);

int main(void) {
  char line[512], path[256];
  int count, port;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%d %d %255s", &count, &port, path) != 3 || count < 1 || count > MAX_REQUESTS) return 2;
    if (scrape(count, port, path) < 0) {
      printf("\"%s\"\n", failure);
    } else {
      printf("{\"milliseconds\":[%.3f", milliseconds[0]);
      for (int i = 1; i < count; i++) printf(",%.3f", milliseconds[i]);
      printf("],\"samplesSeen\":%d}\n", samples_seen);
    }
    fflush(stdout);
  }
  return 0;
}

static int scrape(int count, int port, const char *path) {
  char request[512];
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/plain\r\n\r\n", path, port);
  int fd = open_connection(port);
  int result = fd < 0 ? -1 : 0;
  for (int i = 0; i < count && result == 0; i++) {
    double start = now();
    result = fetch(fd, request);
    milliseconds[i] = (now() - start) * 1000;
    if (result == 0) note_sample();
  }
  if (fd >= 0) close(fd);
  return result;
}

static int open_connection(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return fail("socket: %s", strerror(errno));
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
  fail("connect to port %d: %s", port, strerror(errno));
  close(fd);
  return -1;
}

static int fetch(int fd, const char *request) {
  if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) return fail("send: %s", strerror(errno));
  for (size_t length = 0; !is_complete(length);) {
    if (length == sizeof answer - 1) return fail("answer of more than %zu bytes", length);
    ssize_t received = recv(fd, answer + length, sizeof answer - 1 - length, 0);
    if (received <= 0) return fail("recv: %s", received < 0 ? strerror(errno) : "connection closed");
    length += received;
    answer[length] = 0;
  }
  if (strncmp(answer, "HTTP/1.1 200", 12) != 0) return fail("%.12s", answer);
  return 0;
}

static int is_complete(size_t length) {
  char *end = length > 0 ? strstr(answer, "\r\n\r\n") : NULL;
  if (end == NULL) return 0;
  size_t head = end + 4 - answer;
  *end = 0;
  const char *field = strcasestr(answer, "\r\nContent-Length:");
  *end = '\r';
  if (field != NULL) return length - head >= strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
  static const char last_chunk[] = "0\r\n\r\n";
  return length - head >= sizeof last_chunk - 1 && strcmp(answer + length - (sizeof last_chunk - 1), last_chunk) == 0;
}

static void note_sample(void) {
  static char last[128];
  const char *line = strstr(answer, SAMPLE_TIMESTAMP);
  if (line == NULL) return;
  size_t length = strcspn(line + 1, "\r\n") + 1;
  if (length >= sizeof last || strncmp(line, last, length) == 0) return;
  memcpy(last, line, length);
  last[length] = 0;
  samples_seen++;
}

static int fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(failure, sizeof failure, format, values);
  va_end(values);
  return -1;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}
