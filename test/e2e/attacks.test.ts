import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { hashSync } from 'bcrypt';
import { describe, expect, it, vi } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { parseExposition } from '../support/exposition.ts';
import { itNeeding } from './support/needs.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon } from './support/program.ts';
import { load, missingWrk } from './support/wrk.ts';

const noWrk = await missingWrk();
const RIGHT = basic('prometheus:right');
const INTERVAL_MS = 200;
const SAMPLING = [`--sample.interval=${INTERVAL_MS}ms`, '--sample.max-duty=1'];

/** One that asks for a password whose check takes a while. */
function guarded(): Promise<Daemon> {
  const file = join(newDirectory(), 'web.yml');
  writeFileSync(file, `basic_auth_users:\n  prometheus: ${hashSync('right', 10)}\n`);
  return Daemon.started([...SAMPLING, `--web.config.file=${file}`]);
}

function basic(credentials: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** Follows the samples as a scraper sees them, from now until it is asked. */
function watchSamples(daemon: Daemon, headers: Readonly<Record<string, string>> = {}) {
  const seen: number[] = [];
  const statuses = new Set<number | undefined>();
  let watching = true;
  const watched = (async () => {
    while (watching) {
      const { status, text: body } = await daemon.get('/metrics', headers);
      statuses.add(status);
      const timestamp = parseExposition(status === 200 ? body : '').find(
        ({ name }) => name === 'port_exporter_sample_timestamp_seconds',
      )?.value;
      if (timestamp !== undefined && timestamp !== seen.at(-1)) seen.push(timestamp);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS / 4));
    }
  })();
  return async () => {
    watching = false;
    await watched;
    const gaps = seen.slice(1).map((timestamp, index) => timestamp - (seen[index] ?? 0));
    return { samples: seen.length, longestGapSeconds: Math.max(...gaps), statuses: [...statuses] };
  };
}

/** On time: none was left out for long, though this machine may be busy with other things. */
function expectOnTime(
  { samples, longestGapSeconds }: { samples: number; longestGapSeconds: number },
  ms: number,
) {
  expect(samples).toBeGreaterThan((ms / INTERVAL_MS) * 0.4);
  expect(longestGapSeconds).toBeLessThan(2 * SLOWNESS);
}

/** Memory of its own that it holds, in megabytes. */
function residentMb({ child }: Daemon): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

function open(daemon: Daemon): Socket {
  const socket = connect({ host: '127.0.0.1', port: daemon.port });
  socket.on('error', () => {});
  return socket;
}

/** What came before the end, also where that is a reset. */
async function answerOn(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString();
}

describe('a thousand scrapes a second', () => {
  itNeeding(noWrk, 'for ten seconds: samples stay on time, memory flat, all are answered', async () => {
    const daemon = await Daemon.started(SAMPLING);
    const url = `http://127.0.0.1:${daemon.port}/metrics`;
    // The heap takes its size under load.
    await load(url, { seconds: 3, connections: 24, pauseMs: 12 });
    const before = residentMb(daemon);
    const samples = watchSamples(daemon);
    const result = await load(url, { seconds: 10, connections: 24, pauseMs: 12 });
    const watched = await samples();
    const after = residentMb(daemon);
    console.log(
      `${(result.requests / result.seconds).toFixed()} scrapes/s, median ${result.medianMs.toFixed(1)} ms, ` +
        `p99 ${result.p99Ms.toFixed(1)} ms, ${watched.samples} samples, longest gap ` +
        `${watched.longestGapSeconds.toFixed(2)} s, resident ${before.toFixed()} → ${after.toFixed()} MB`,
    );
    expect(Object.keys(result.statuses)).toEqual(['200']);
    expect(result.errors).toEqual({ connect: 0, read: 0, write: 0, timeout: 0 });
    expect(result.requests).toBeGreaterThan(1_000);
    expectOnTime(watched, 10_000);
    expect(after - before).toBeLessThan(30);
  });

  itNeeding(noWrk, 'as fast as they can, zipped, more than may at a time: 200 or 503', async () => {
    const daemon = await Daemon.started([...SAMPLING, '--web.max-requests=10']);
    const samples = watchSamples(daemon);
    const result = await load(`http://127.0.0.1:${daemon.port}/metrics`, {
      seconds: 3,
      connections: 100,
      pauseMs: 0,
      headers: { 'Accept-Encoding': 'gzip' },
    });
    const watched = await samples();
    for (const status of Object.keys(result.statuses)) expect(['200', '503']).toContain(status);
    expect(result.statuses['200']).toBeGreaterThan(0);
    for (const status of watched.statuses) expect([200, 503]).toContain(status);
    expect(watched.samples).toBeGreaterThan(0);
    expect((await daemon.get('/metrics')).status).toBe(200);
  });
});

describe('passwords', () => {
  it('that are wrong, in a flood, keep nobody out who has the right one', async () => {
    const daemon = await guarded();
    expect((await daemon.get('/metrics', RIGHT)).status).toBe(200);
    const samples = watchSamples(daemon, RIGHT);
    const statuses = new Map<number | undefined, number>();
    const until = Date.now() + 4_000;
    const flood = async (name: number) => {
      for (let count = 0; Date.now() < until; count++) {
        const { status } = await daemon.get('/metrics', basic(`prometheus:wrong ${name} ${count}`));
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await Promise.all(Array.from({ length: 30 }, (_, name) => flood(name)));
    const watched = await samples();
    expect([...statuses.keys()].toSorted()).toEqual([401, 503]);
    expect(watched.statuses).toEqual([200]);
    expectOnTime(watched, 4_000);
  });

  it('that are missing, broken or huge are refused, and the next right one is let in', async () => {
    const daemon = await guarded();
    const status = async (authorization: string) => (await daemon.get('/metrics', { authorization })).status;
    expect((await daemon.get('/metrics')).status).toBe(401);
    for (const authorization of ['Basic', 'Basic !', 'Bearer x', `Basic ${'A'.repeat(10_000)}`]) {
      expect(await status(authorization)).toBe(401);
    }
    expect(await status(`Basic ${'A'.repeat(100_000)}`)).toBe(431);
    expect((await daemon.get('/metrics', RIGHT)).status).toBe(200);
  });
});

describe('clients that are slow', () => {
  it('with their headers get a 408 and the end, while others are served', async () => {
    const daemon = await Daemon.started(SAMPLING);
    const samples = watchSamples(daemon);
    const slow = Array.from({ length: 50 }, () => open(daemon));
    const answers = slow.map((socket) => answerOn(socket));
    const letters = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write('a');
    }, 200);
    for (const socket of slow) socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nX: ');
    const startedAt = Date.now();
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      expect(answer).toContain('X-Content-Type-Options: nosniff\r\n');
    }
    clearInterval(letters);
    expect(Date.now() - startedAt).toBeLessThan(20_000 * SLOWNESS);
    const watched = await samples();
    expect(watched.statuses).toEqual([200]);
    expectOnTime(watched, 10_000);
  });

  it('200 that are idle hurt nobody, and are closed', async () => {
    const daemon = await Daemon.started(SAMPLING);
    const samples = watchSamples(daemon);
    const idle = Array.from({ length: 200 }, () => open(daemon));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    for (const path of ['/', '/metrics', '/-/healthy', '/-/ready']) {
      expect((await daemon.get(path)).status).toBe(200);
    }
    const startedAt = Date.now();
    for (const socket of idle) socket.resume();
    await vi.waitFor(() => expect(idle.every(({ closed }) => closed)).toBe(true), {
      timeout: 25_000 * SLOWNESS,
      interval: 100,
    });
    expectOnTime(await samples(), Date.now() - startedAt);
  });
});

describe('requests that are too large or not meant well', () => {
  it('get a 4xx each, and the exporter goes on', async () => {
    const daemon = await Daemon.started(SAMPLING);
    const before = residentMb(daemon);
    const close = 'Host: x\r\nConnection: close\r\n\r\n';
    for (const request of [
      `GET /${'a'.repeat(1 << 20)} HTTP/1.1\r\n${close}`,
      `GET / HTTP/1.1\r\nX: ${'a'.repeat(1 << 20)}\r\n${close}`,
      `GET / HTTP/1.1\r\n${'X: a\r\n'.repeat(100_000)}${close}`,
      `GET /metrics HTTP/1.1\r\nContent-Length: 1073741824\r\n${close}`,
      `POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${close}`,
      `GET //metrics HTTP/1.1\r\n${close}`,
      `GET /metrics%00 HTTP/1.1\r\n${close}`,
      `GET /metrics\0 HTTP/1.1\r\n${close}`,
      `GET /..%2f..%2fetc/passwd HTTP/1.1\r\n${close}`,
      `GET /../../etc/passwd HTTP/1.1\r\n${close}`,
      `GET /-/ready/%2e%2e/%2e%2e/etc HTTP/1.1\r\n${close}`,
      `DELETE /metrics HTTP/1.1\r\n${close}`,
      `CONNECT metrics:80 HTTP/1.1\r\n${close}`,
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
      `GET / HTTP/9.9\r\n${close}`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ]) {
      const socket = open(daemon);
      socket.write(request);
      const answer = await answerOn(socket);
      // Who is still sending when the end comes may not see the answer any more.
      if (request.length < 100_000 || answer !== '') expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
    expect((await daemon.get('/metrics')).status).toBe(200);
    expect(residentMb(daemon) - before).toBeLessThan(60);
    expect(
      daemon.lines.filter((line) => /level=(warn|error)/.test(line) && /web|request/.test(line)),
    ).toEqual([]);
  });

  it('bodies that do not end are not read for long', async () => {
    const daemon = await Daemon.started([]);
    const socket = open(daemon);
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const sending = setInterval(() => socket.writable && socket.write(chunk), 5);
    socket.resume();
    await closed;
    clearInterval(sending);
    expect((await daemon.get('/-/healthy')).status).toBe(200);
  });
});
