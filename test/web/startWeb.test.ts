import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import { formatListenAddress, type ListenAddress } from '../../src/web/listenAddress.ts';
import type { Web } from '../../src/web/startWeb.ts';
import { freePort } from '../e2e/support/prometheus.ts';
import { served } from './served.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);
const { CI } = process.env;
const itWithIPv6 = it.skipIf(!hasIPv6 && CI !== 'true');
const LOOPBACK = { host: '127.0.0.1', port: 0 };
const EXPOSITION = 'port_example 1\n'.repeat(5_000);

function start(addresses: readonly ListenAddress[], render = async () => EXPOSITION): Promise<Web> {
  return served({ render }, addresses);
}

function onlyAddress({ addresses }: Web): ListenAddress & { readonly host: string } {
  const [address] = addresses;
  if (address?.host === undefined) throw new Error('no address');
  return { host: address.host, port: address.port };
}

async function occupiedPort(): Promise<number> {
  const server = createServer().listen(LOOPBACK);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return portOf(server);
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return address.port;
}

/** An ExporterError with this message, whichever its subclass. */
function oneLine(message: string) {
  return expect.toSatisfy((thrown) => thrown instanceof ExporterError && thrown.message === message);
}

async function openSocket(web: Web): Promise<Socket> {
  const socket = connect(onlyAddress(web));
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function millisecondsToClose(web: Web): Promise<number> {
  const start = performance.now();
  await web.close();
  return performance.now() - start;
}

describe('a started web server', () => {
  itWithIPv6('answers on every address it was given, and says which they are', async () => {
    const web = await start([LOOPBACK, { host: '::1', port: 0 }]);
    expect(web.addresses.map(({ host }) => host)).toEqual(['127.0.0.1', '::1']);
    for (const address of web.addresses) {
      const response = await fetch(`http://${formatListenAddress(address)}/metrics`);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(EXPOSITION);
    }
  });

  itWithIPv6('answers on both families where no host is named', async () => {
    const web = await start([{ port: 0 }]);
    const { host, port } = onlyAddress(web);
    expect(host).toBe('::');
    for (const loopback of ['127.0.0.1', '[::1]']) {
      expect((await fetch(`http://${loopback}:${port}/-/healthy`)).status).toBe(200);
    }
  });

  it('takes a name', async () => {
    const web = await start([{ host: 'localhost', port: 0 }]);
    expect(['127.0.0.1', '::1']).toContain(onlyAddress(web).host);
  });

  it('sends zipped bytes with their length', async () => {
    const socket = await openSocket(await start([LOOPBACK]));
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n');
    const chunks: Buffer[] = await socket.toArray();
    const answer = Buffer.concat(chunks);
    const split = answer.indexOf('\r\n\r\n');
    const head = answer.subarray(0, split).toString().toLowerCase();
    const body = answer.subarray(split + 4);
    expect(head).toContain(`content-length: ${body.length}`);
    expect(head).not.toContain('transfer-encoding');
    expect(gunzipSync(body).toString()).toBe(EXPOSITION);
  });

  it('sends HEAD the length and no bytes', async () => {
    const socket = await openSocket(await start([LOOPBACK]));
    socket.write('HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const answer = await text(socket);
    expect(answer.toLowerCase()).toContain(`content-length: ${EXPOSITION.length}\r\n`);
    expect(answer.endsWith('\r\n\r\n')).toBe(true);
  });

  it('answers an HTTP/1.0 probe without a Host header', async () => {
    const socket = await openSocket(await start([LOOPBACK]));
    socket.write('GET /-/healthy HTTP/1.0\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nhealthy\n$/);
  });

  it.each([
    ['bytes that are not HTTP', '\x16\x03\x01 hello\r\n\r\n'],
    ['a Host that is none', 'GET / HTTP/1.1\r\nHost: a b/\r\nConnection: close\r\n\r\n'],
    ['a path that is none', 'GET foo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ])('answers %s with a 400', async (_, request) => {
    const socket = await openSocket(await start([LOOPBACK]));
    socket.write(request);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  });
});

describe('listening', () => {
  it('on an address in use fails in one line, and the addresses before it are free again', async () => {
    const port = await occupiedPort();
    const before = await freePort();
    const started = start([
      { host: '127.0.0.1', port: before },
      { host: '127.0.0.1', port },
    ]);
    await expect(started).rejects.toEqual(
      oneLine(`listening on 127.0.0.1:${port}: address already in use (EADDRINUSE)`),
    );
    const again = createServer().listen({ host: '127.0.0.1', port: before });
    onTestFinished(() => void again.close());
    await once(again, 'listening');
  });

  it('without a host names the port alone when it fails', async () => {
    const { port } = onlyAddress(await start([{ port: 0 }]));
    await expect(start([{ port }])).rejects.toThrow(`listening on :${port}: address already in use (`);
  });

  it('on an address of another machine fails in one line', async () => {
    await expect(start([{ host: '192.0.2.1', port: 0 }])).rejects.toEqual(
      oneLine('listening on 192.0.2.1:0: address not available (EADDRNOTAVAIL)'),
    );
  });

  it('on a name nobody knows fails in one line', async () => {
    await expect(start([{ host: 'nowhere.invalid', port: 0 }])).rejects.toThrow(
      /^listening on nowhere\.invalid:0: .+ \(EAI_\w+\)$/,
    );
  });
});

describe('closing', () => {
  it('is quick with idle keep-alive connections', async () => {
    const web = await start([LOOPBACK]);
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => void agent.destroy());
    const request = get({ ...onlyAddress(web), path: '/metrics', agent });
    const [response] = await once(request, 'response');
    await text(response);
    expect(await millisecondsToClose(web)).toBeLessThan(200);
  });

  it('lets a running request end, and then does not wait for its connection', async () => {
    let finish = (_: string) => {};
    const rendering = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const web = await start([LOOPBACK], () => rendering);
    const answer = fetch(`http://${formatListenAddress(onlyAddress(web))}/metrics`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closing = millisecondsToClose(web);
    finish('late 1\n');
    expect(await (await answer).text()).toBe('late 1\n');
    expect(await closing).toBeLessThan(400);
  });

  it('ends within a second even when a request never does and another is half sent', async () => {
    const web = await start([LOOPBACK], () => new Promise(() => {}));
    const half = await openSocket(web);
    half.write('GET /metrics HTTP/1.1\r\nHo');
    const running = await openSocket(web);
    running.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await millisecondsToClose(web)).toBeLessThan(1_000);
  });

  it('can be asked for twice', async () => {
    const web = await start([LOOPBACK]);
    await Promise.all([web.close(), web.close()]);
  });

  it('leaves nobody listening', async () => {
    const web = await start([LOOPBACK]);
    await web.close();
    await expect(fetch(`http://${formatListenAddress(onlyAddress(web))}/`)).rejects.toThrow();
  });
});
