import { openSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { AF_UNIX, loadLibc, SOCK_STREAM } from '../../src/kernel/libc.ts';
import * as posix from '../live/support/posix.ts';
import { served } from './served.ts';

/** An address of this process alone: whatever port a test takes there, nobody else has. */
const HERE = [127, 128 + ((process.pid >> 16) & 63), (process.pid >> 8) & 255, process.pid & 255].join('.');

function boundSocket(type: posix.Type, address: string, port = 0): number {
  const fd = posix.socketFor(address, type);
  posix.bind(fd, address, port);
  return fd;
}

function listeningSocket(address: string, port = 0): number {
  const fd = boundSocket('tcp', address, port);
  posix.listen(fd);
  return fd;
}

describe('a web server on descriptors that were handed over', () => {
  it('answers on each of them, and says where that is', async () => {
    const web = await served({}, [
      { fd: listeningSocket('127.0.0.1') },
      { fd: listeningSocket('127.0.0.2') },
    ]);
    expect(web.addresses.map(({ host }) => host)).toEqual(['127.0.0.1', '127.0.0.2']);
    for (const { host, port } of web.addresses) {
      expect(await (await fetch(`http://${host}:${port}/-/healthy`)).text()).toBe('healthy\n');
    }
  });

  it('answers whoever came before it', async () => {
    const fd = listeningSocket(HERE, 18_069);
    const early = fetch(`http://${HERE}:18069/-/healthy`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await served({}, [{ fd }]);
    expect((await early).status).toBe(200);
  });

  it.each<[string, () => number]>([
    ['a UDP socket', () => boundSocket('udp', '127.0.0.1')],
    ['a Unix socket', unixSocket],
    ['a connection', connection],
    ['a file', () => openSync('/dev/null', 'r')],
    ['nothing at all', () => 60_000],
  ])('refuses %s in one line, and lets go of the others', async (_, make) => {
    const fd = make();
    const good = listeningSocket(HERE, 18_070);
    const refused = served({}, [{ fd: good }, { fd }]);
    await expect(refused).rejects.toThrow(ExporterError);
    await expect(refused).rejects.toThrow(
      `listening on inherited file descriptor ${fd}: not a listening TCP socket: expected ListenStream=[ADDRESS:]PORT and Accept=no`,
    );
    await expect(fetch(`http://${HERE}:18070/-/healthy`)).rejects.toThrow('fetch failed');
  });
});

function unixSocket(): number {
  const libc = loadLibc();
  const fd = libc.socket(AF_UNIX, SOCK_STREAM, 0);
  // An abstract name that the kernel chooses (unix(7), autobind).
  libc.bind(fd, new Uint8Array(new Uint16Array([AF_UNIX]).buffer));
  return fd;
}

function connection(): number {
  const server = listeningSocket(HERE, 18_071);
  const client = posix.socketFor(HERE, 'tcp');
  onTestFinished(() => [server, client].forEach(posix.close));
  posix.connect(client, HERE, 18_071);
  return posix.accept(server);
}
