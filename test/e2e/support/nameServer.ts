import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { newDirectory } from './procfs.ts';
import { type How, withMounts } from './program.ts';

/** IPv4 addresses of a name; none where there is no such name, and undefined for a server that does not answer. */
type Answer = (name: string) => readonly string[] | undefined;

/** A name server on 127.0.0.1 of the network namespace that this thread is in. It ends with the test. */
export class NameServer {
  /** Names that were asked for. */
  readonly asked: string[] = [];
  readonly #socket: Socket;

  private constructor(answer: Answer) {
    this.#socket = createSocket('udp4', (query, from) => {
      const name = nameIn(query);
      this.asked.push(name);
      const addresses = answer(name);
      if (addresses !== undefined) this.#socket.send(response(query, addresses), from.port, from.address);
    });
  }

  static async started(answer: Answer): Promise<NameServer> {
    const server = new NameServer(answer);
    server.#socket.bind(53, '127.0.0.1');
    await once(server.#socket, 'listening');
    onTestFinished(() => void server.#socket.close());
    return server;
  }
}

/** To run a program that asks this name server and knows these hosts, in a mount namespace of its own. */
export function withResolver(hosts = '127.0.0.1 localhost\n'): How & { launcher: readonly string[] } {
  const directory = newDirectory();
  const files = { 'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:5 attempts:2\n', hosts };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  writeFileSync(join(directory, 'nsswitch.conf'), 'hosts: files dns\nservices: files\n');
  const mounts = [...Object.keys(files), 'nsswitch.conf'].map(
    (name) => `mount --bind ${join(directory, name)} /etc/${name}`,
  );
  return { launcher: withMounts(...mounts) };
}

/** RFC 1035, 4.1: 12 bytes of header, then the name as labels with their lengths. */
function nameIn(query: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; query.readUInt8(at) > 0; at += 1 + query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query.readUInt8(at)));
  }
  return labels.join('.');
}

/** The question again, with an A record for each address where that was asked for; NXDOMAIN without addresses. */
function response(query: Buffer, addresses: readonly string[]): Buffer {
  const question = query.subarray(12, 12 + nameIn(query).length + 2 + 4);
  const type = question.readUInt16BE(question.length - 4);
  const records = (type === 1 ? addresses : []).map((address) =>
    // A pointer to the name in the question, type A, class IN, a minute to live, 4 bytes.
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)]),
  );
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(addresses.length === 0 ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}
