/**
 * A process for tests that need another one than their own. Each line on stdin, `["call", argument, ...]`, is answered
 * by one line of JSON: what the call returned. A call that fails ends the process.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';

const calls = {
  /** Before any socket: each belongs for ever to the cgroup that it was made in. */
  enterCgroup(directory) {
    writeFileSync(`${directory}/cgroup.procs`, String(process.pid));
  },
  /** What `ps` calls it: up to 15 bytes, any of them. */
  rename(base64) {
    writeFileSync('/proc/self/comm', Buffer.from(base64, 'base64'));
  },
  becomeUser(uid) {
    process.setgroups([]);
    process.setgid(uid);
    process.setuid(uid);
  },
  async listen(host, port, ipv6Only) {
    const server = net.createServer((connection) => connection.on('error', () => {}));
    await once(server.listen({ host, port, ipv6Only }), 'listening');
  },
  async bindUdp(address, port) {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await once(socket.bind({ address, port }), 'listening');
  },
  async connect(host, port, count) {
    const sockets = Array.from({ length: count }, () => net.connect({ host, port }));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [call, ...args] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify((await calls[call](...args)) ?? null)}\n`);
}
