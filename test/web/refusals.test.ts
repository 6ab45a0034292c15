import { once } from 'node:events';
import { type Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { AppOptions } from '../../src/web/app.ts';
import { NO_WEB_CONFIG } from '../../src/web/config/webConfig.ts';
import { portOf, served } from './served.ts';

const CONFIG = { ...NO_WEB_CONFIG, headers: { 'X-XSS-Protection': '0', 'Referrer-Policy': '' } };

async function start(parts: Partial<AppOptions> = {}): Promise<number> {
  return portOf(await served({ config: () => CONFIG, ...parts }));
}

function open(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Everything that comes back for these bytes, until the connection is closed. */
async function send(port: number, bytes: string): Promise<string> {
  const socket = open(port);
  socket.write(bytes);
  return await text(socket);
}

async function status(port: number, path: string, agent?: Agent): Promise<number | undefined> {
  const sent = request({ host: '127.0.0.1', port, path, agent: agent ?? false }).end();
  const [response] = await once(sent, 'response');
  response.resume();
  return response.statusCode;
}

const CLOSE = 'Host: x\r\nConnection: close\r\n\r\n';

describe('what is refused', () => {
  it.each([
    ['bytes that are no HTTP', '\x16\x03\x01 hello\r\n\r\n', 400],
    ['a Host that is none', 'GET / HTTP/1.1\r\nHost: a b/\r\nConnection: close\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['two lengths', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n', 400],
    ['a zero byte in the path', `GET /met\0rics HTTP/1.1\r\n${CLOSE}`, 400],
    ['a backslash in the path', `GET /..\\metrics HTTP/1.1\r\n${CLOSE}`, 400],
    ['a target that is a host', `GET metrics:80 HTTP/1.1\r\n${CLOSE}`, 400],
    ['headers of a megabyte', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(1 << 20)}\r\n\r\n`, 431],
    ['a path of a megabyte', `GET /${'a'.repeat(1 << 20)} HTTP/1.1\r\n${CLOSE}`, 431],
    ['a body on GET', `GET /metrics HTTP/1.1\r\nContent-Length: 3\r\n${CLOSE}abc`, 413],
    ['a body without end', 'GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', 413],
    ['a body on POST', `POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n${CLOSE}`, 413],
    ['a wish for a proxy', 'CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    ['an expectation', `GET /metrics HTTP/1.1\r\nExpect: wonders\r\n${CLOSE}`, 417],
    ['a path to nothing', `GET //metrics HTTP/1.1\r\n${CLOSE}`, 404],
    ['an upgrade of a POST', `POST /metrics HTTP/1.1\r\nUpgrade: x\r\n${CLOSE}`, 405],
  ])('%s gets one answer with the security headers, and the end', async (_, bytes, expected) => {
    const answer = await send(await start(), bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${expected} `));
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    const headers = head.toLowerCase().split('\r\n');
    for (const line of [
      'connection: close',
      'content-type: text/plain; charset=utf-8',
      'x-content-type-options: nosniff',
      'x-frame-options: deny',
      "content-security-policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-xss-protection: 0',
    ]) {
      expect(headers).toContain(line);
    }
    expect(head.toLowerCase()).not.toContain('referrer-policy');
    expect(body).toMatch(new RegExp(`^${expected} [A-Za-z ]+\n$`));
  });

  it('behind an answer that has begun does not get into it', async () => {
    const port = await start({ render: async () => 'port_example 1\n'.repeat(1_000_000) });
    const socket = open(port);
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'readable');
    socket.write('nonsense\r\n\r\n');
    const received = await text(socket);
    expect(received).toContain('200 OK');
    expect(received).not.toContain('400');
  });
});

describe('a path', () => {
  it.each([
    ['/metrics', 200],
    ['/metrics?x=/../../etc/passwd', 200],
    ['/./metrics', 200],
    ['/x/../metrics', 200],
    ['/%2e%2e/metrics', 200],
    ['http://elsewhere.example/metrics', 200],
    ['/metrics/..', 200],
    ['//metrics', 404],
    ['/metrics/', 404],
    ['/metrics%00', 404],
    ['/metrics%2f', 404],
    ['/metrics/%2e%2e%2fetc', 404],
    ['/-/healthy/..', 404],
    ['/METRICS', 404],
    ['/%', 404],
    ['/%ff', 404],
    ['/metrics;x', 404],
    ['ftp://elsewhere.example/metrics', 400],
    ['*', 400],
  ])('%s is a %d', async (path, expected) => {
    const answer = await send(await start(), `GET ${path} HTTP/1.1\r\n${CLOSE}`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${expected} `));
  });
});

describe('requests at a time', () => {
  /** A server whose answers wait until they are let go. */
  async function holding(maxRequests: number) {
    let release = () => {};
    const held = new Promise<string>((resolve) => {
      release = () => resolve('port_example 1\n');
    });
    let rendering = 0;
    const render = () => {
      rendering++;
      return held;
    };
    const port = await start({ maxRequests, render });
    const begun = (count: number) => vi.waitFor(() => expect(rendering).toBe(count), { timeout: 20_000 });
    return { port, release, begun };
  }

  it('beyond the limit get a 503, and the health pages answer', async () => {
    const { port, release, begun } = await holding(2);
    const running = [status(port, '/metrics'), status(port, '/metrics')];
    await begun(2);
    expect(await send(port, `GET /metrics HTTP/1.1\r\n${CLOSE}`)).toMatch(
      /^HTTP\/1\.1 503 [\s\S]*\r\n\r\n503 Service Unavailable: limit of 2 concurrent requests reached\n$/,
    );
    for (const path of ['/-/healthy', '/-/ready']) expect(await status(port, path)).toBe(200);
    release();
    expect(await Promise.all(running)).toEqual([200, 200]);
    expect(await status(port, '/metrics')).toBe(200);
  });

  it('have no limit with 0', async () => {
    const { port, release, begun } = await holding(0);
    const running = Array.from({ length: 60 }, () => status(port, '/metrics'));
    await begun(60);
    release();
    expect(new Set(await Promise.all(running))).toEqual(new Set([200]));
  });

  it('are counted until the client has gone, also where it sent several at once', async () => {
    const { port, release, begun } = await holding(3);
    const impatient = open(port);
    impatient.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
    await begun(3);
    expect(await status(port, '/metrics')).toBe(503);
    impatient.destroy();
    release();
    await vi.waitFor(async () => expect(await status(port, '/metrics')).toBe(200), { timeout: 20_000 });
    // All three places are free again: as many answers can be under way on one connection.
    const patient = open(port);
    for (const last of ['Host: x\r\n\r\n', 'Host: x\r\n\r\n', CLOSE])
      patient.write(`GET /metrics HTTP/1.1\r\n${last}`);
    expect((await text(patient)).match(/200 OK/g)).toHaveLength(3);
  });

  it('of clients that do not read their answers take a place each', async () => {
    const port = await start({
      maxRequests: 2,
      render: async () => 'port_example 1\n'.repeat(2_000_000),
    });
    const deaf = [open(port), open(port)];
    for (const socket of deaf) socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(async () => expect(await status(port, '/')).toBe(503), { timeout: 20_000 });
    for (const socket of deaf) socket.destroy();
    await vi.waitFor(async () => expect(await status(port, '/')).toBe(200), { timeout: 20_000 });
  });

  it('are scrapes for a half of the places', async () => {
    const { port, release, begun } = await holding(4);
    const running = [status(port, '/metrics'), status(port, '/metrics')];
    await begun(2);
    expect(await status(port, '/')).toBe(503);
    running.push(status(port, '/metrics'), status(port, '/metrics'));
    await begun(4);
    release();
    expect(await Promise.all(running)).toEqual([200, 200, 200, 200]);
    expect(await status(port, '/')).toBe(200);
  });

  it('give a scrape the place of who is slow to read', async () => {
    const exposition = 'port_example 1\n'.repeat(2_000_000);
    const port = await start({ maxRequests: 2, render: async () => exposition });
    const deaf = [open(port), open(port)];
    for (const socket of deaf) socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(async () => expect(await status(port, '/')).toBe(503), { timeout: 20_000 });
    await vi.waitFor(async () => expect(await status(port, '/metrics')).toBe(200), { timeout: 10_000 });
  });
});

describe('open connections', () => {
  it('that do nothing leave room for others, and those idle longest are closed for it', async () => {
    const port = await start();
    const idle = Array.from({ length: 500 }, () => open(port));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    expect(await status(port, '/metrics')).toBe(200);
    const more = Array.from({ length: 50 }, () => open(port));
    for (const socket of idle) socket.resume();
    await vi.waitFor(() => expect(idle.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(38), {
      timeout: 20_000,
    });
    expect(await status(port, '/metrics')).toBe(200);
    expect(more.filter(({ closed }) => closed)).toEqual([]);
    for (const socket of idle) socket.destroy();
    await vi.waitFor(async () => expect(await status(port, '/metrics')).toBe(200), { timeout: 20_000 });
  });
});
