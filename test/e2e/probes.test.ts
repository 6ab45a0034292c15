import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { describeLive } from '../live/support/privilege.ts';
import { untilRefused } from '../live/support/world.ts';
import { parseExposition } from '../support/exposition.ts';
import { NameServer, withResolver } from './support/nameServer.ts';
import { BOTH, expectOneLine } from './support/oneLine.ts';
import { newDirectory } from './support/procfs.ts';
import { Daemon, run } from './support/program.ts';

const LATER = { timeout: 20_000 * SLOWNESS, interval: 20 };

/** Serves where no test is in its way: outside the small range of the world. */
const SERVE = '--web.listen-address=127.0.0.1:10069';

/** A probe file with these lines, in a directory of its own. */
function probeFile(...lines: string[]): string {
  const file = join(newDirectory(), 'probes.yml');
  writeFileSync(file, lines.join('\n'));
  return file;
}

function probed(name: string, target: string, more = ''): string {
  return `- {name: ${name}, target: "${target}", interval: 1s${more}}`;
}

/** What the exporter says of each target: ok, or why not. */
async function told(daemon: Daemon): Promise<Record<string, string>> {
  const all = parseExposition((await daemon.get('/metrics')).text);
  const outcome: Record<string, string> = {};
  for (const { name, labels, value } of all) {
    if (name === 'port_probe_success' && value === 1) outcome[labels['target'] ?? ''] = 'ok';
    if (name === 'port_probe_error_info') outcome[labels['target'] ?? ''] = labels['reason'] ?? '';
  }
  return outcome;
}

async function expectTold(daemon: Daemon, expected: Record<string, string>): Promise<void> {
  await vi.waitFor(async () => expect(await told(daemon)).toEqual(expected), LATER);
}

function linesOf(daemon: Daemon, pattern: RegExp): string[] {
  return daemon.lines.filter((line) => pattern.test(line));
}

describeLive('the daemon probes', () => {
  it('what flags and a file name, and tells what came of it', async () => {
    const world = newWorld();
    await NameServer.started((name) => (name === 'db.example' ? ['127.0.0.5'] : []));
    world.listen('127.0.0.5', 8001);
    world.listen('::1', 443);
    world.listen('127.0.0.6', 8001, { backlog: 0 });
    times(2, () => world.knock('127.0.0.6', 8001));
    const file = probeFile(
      probed('name', 'tcp://db.example:8001'),
      probed('ipv6', 'tcp://[::1]:443'),
      probed('refused', 'tcp://[::1]:8002'),
      probed('silent', 'tcp://127.0.0.6:8001', ', timeout: 200ms'),
      probed('typo', 'tcp://nosuch.example:80'),
      probed('far', 'tcp://192.0.2.1:80'),
      probed('elsewhere', 'tcp://127.0.0.5:8001', ', source: 192.0.2.7'),
    );
    const daemon = await Daemon.started(
      [SERVE, '--probe=tcp://127.0.0.5:8001', `--probe.file=${file}`],
      withResolver(),
    );
    await expectTold(daemon, {
      ...{ name: 'ok', ipv6: 'ok', refused: 'refused', silent: 'timeout', typo: 'name_not_found' },
      ...{ far: 'unreachable', elsewhere: 'no_source_address', 'tcp://127.0.0.5:8001': 'ok' },
    });
    const all = parseExposition((await daemon.get('/metrics')).text);
    const phases = (target: string) =>
      all
        .filter(({ name, labels }) => name === 'port_probe_duration_seconds' && labels['target'] === target)
        .map(({ labels }) => labels['phase']);
    expect(phases('name')).toEqual(['resolve', 'connect']);
    expect(phases('ipv6')).toEqual(['connect']);
    expect(phases('typo')).toEqual(['resolve']);
    const value = (wanted: string) => all.find(({ name }) => name === wanted)?.value;
    expect([value('port_probe_targets'), value('port_probe_file_last_reload_successful')]).toEqual([8, 1]);
    const open = await daemon.get('/metrics', { accept: 'application/openmetrics-text; version=1.0.0' });
    expect(open.text).toContain('port_probe_success{target="name"} 1');
  });

  it('what has no local port any more, and does again: seen from the other side it was up all the time', async () => {
    const world = newWorld({ range: [40_000, 40_049] });
    world.listen('127.0.0.1', 8001);
    const file = probeFile(
      probed('here', 'tcp://127.0.0.1:8001'),
      probed('from-elsewhere', 'tcp://127.0.0.1:8001', ', source: 127.0.0.9'),
      probed('other', 'tcp://127.0.0.1:8002'),
    );
    world.listen('127.0.0.1', 8002);
    const daemon = await Daemon.started([SERVE, '--sample.interval=200ms', `--probe.file=${file}`]);
    const well = { here: 'ok', 'from-elsewhere': 'ok', other: 'ok' };
    await expectTold(daemon, well);
    const held: number[] = [];
    untilRefused(() => held.push(world.connect('127.0.0.1')));
    await expectTold(daemon, { ...well, here: 'no_local_port' });
    // The calculation says the same of it.
    await vi.waitFor(async () => {
      const all = parseExposition((await daemon.get('/metrics')).text);
      const left = all.find(
        ({ name, labels }) =>
          name === 'port_destination_available_ports' &&
          `${labels['local_address']} ${labels['remote_port']}` === '127.0.0.1 8001',
      );
      expect(left?.value).toBe(0);
    }, LATER);
    for (const fd of held.splice(0)) world.abort(fd);
    await expectTold(daemon, well);
    const said = linesOf(daemon, /msg="probe (failed|recovered)"/);
    expect(said.map((line) => /level=.*/.exec(line)?.[0])).toEqual([
      'level=warn msg="probe failed" target=here endpoint=127.0.0.1:8001 address=127.0.0.1 reason=no_local_port error=EADDRNOTAVAIL',
      'level=info msg="probe recovered" target=here endpoint=127.0.0.1:8001',
    ]);
  });

  it('what its file says now: a bad one is one line, and the last good one stays', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001);
    const [a, b] = [probed('a', 'tcp://127.0.0.1:8001'), probed('b', 'tcp://127.0.0.1:8001')];
    const file = probeFile(a, b);
    const daemon = await Daemon.started([SERVE, `--probe.file=${file}`]);
    await expectTold(daemon, { a: 'ok', b: 'ok' });
    writeFileSync(file, `${a}\n${b.replace('1s', '1sec')}`);
    await daemon.logged(/level=error/);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(await told(daemon)).toEqual({ a: 'ok', b: 'ok' });
    const good = 'port_probe_file_last_reload_successful';
    expect((await daemon.get('/metrics')).text).toContain(`\n${good} 0\n`);
    expect(linesOf(daemon, /level=error/).map((line) => /msg=.*/.exec(line)?.[0])).toEqual([
      `msg="failed to reload probe file, keeping the previous one" error="${file}:2: interval: ` +
        'invalid duration \\"1sec\\": expected one like 500ms, 15s or 1h30m"',
    ]);
    writeFileSync(file, b);
    await daemon.logged(/msg="probe file reloaded" .*targets=1/);
    expect(await told(daemon)).toEqual({ b: 'ok' });
    expect((await daemon.get('/metrics')).text).toContain(`\n${good} 1\n`);
  });

  it('a thousand targets at once: so many at a time, a few lines, and all are told', async () => {
    const world = newWorld({ range: [20_000, 29_999] });
    const server = createServer((socket) => socket.on('error', () => {})).listen(8001, '127.0.0.1');
    onTestFinished(() => void server.close());
    world.listen('127.0.0.2', 8001, { backlog: 0 });
    times(2, () => world.knock('127.0.0.2', 8001));
    const lines = Array.from({ length: 1000 }, (_, index) =>
      // A third each: well, refused, and without an answer for as long as it may take.
      probed(`t${index}`, `tcp://127.0.0.${[1, 3, 2][index % 3]}:8001`, ', timeout: 300ms'),
    );
    const daemon = await Daemon.started([
      SERVE,
      '--sample.interval=200ms',
      `--probe.file=${probeFile(...lines)}`,
    ]);
    let waiting = 0;
    await vi.waitFor(async () => {
      waiting = Math.max(waiting, silentAttempts());
      expect(Object.keys(await told(daemon))).toHaveLength(1000);
    }, LATER);
    const outcomes = Object.values(await told(daemon));
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(334);
    expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(333);
    expect(outcomes.filter((outcome) => outcome === 'timeout')).toHaveLength(333);
    for (let count = 0; count < 50; count++) {
      waiting = Math.max(waiting, silentAttempts());
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(waiting).toBeGreaterThan(10);
    // 64 at a time; the table is not read in one moment, so that one which ends meanwhile and the next may both be seen.
    expect(waiting).toBeLessThan(96);
    await daemon.logged(/msg="further probes changed"/);
    const said = linesOf(daemon, /msg="(probe failed|further probes changed)"/);
    expect(said.length).toBeLessThan(100);
    await expectUnharmed(daemon);
  });

  it('names that a hanging resolver does not tell, beside addresses and names of /etc/hosts', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001);
    const server = await NameServer.started(() => undefined);
    const lines = Array.from({ length: 1000 }, (_, index) =>
      probed(`t${index}`, `tcp://name${index}.example:80`, ', timeout: 300ms'),
    );
    const file = probeFile(probed('address', 'tcp://127.0.0.1:8001'), ...lines);
    const daemon = await Daemon.started(
      [SERVE, '--sample.interval=200ms', `--probe.file=${file}`],
      withResolver(),
    );
    await vi.waitFor(async () => {
      const outcomes = await told(daemon);
      expect(Object.keys(outcomes)).toHaveLength(1001);
      expect(outcomes['address']).toBe('ok');
      expect(new Set(Object.values(outcomes))).toEqual(new Set(['ok', 'timeout']));
    }, LATER);
    // Two lookups at a time, of 10 s each.
    expect(new Set(server.asked).size).toBeLessThanOrEqual(2 + 2 * Math.ceil((20 * SLOWNESS) / 10));
    await expectUnharmed(daemon);
    expect(linesOf(daemon, /msg="probe failed"/).length).toBeLessThan(100);
  });
});

/** Connections on their way to the one that does not answer. */
function silentAttempts(): number {
  const table = readFileSync('/proc/thread-self/net/tcp', 'utf8');
  // 127.0.0.2:8001 as the kernel of a little-endian machine writes it; 02 is SYN_SENT. One is the test's own.
  return table.split('\n').filter((line) => / 0200007F:1F41 02 /.test(line)).length - 1;
}

/** Scrapes answer quickly, zipped too, and the samples go on. */
async function expectUnharmed(daemon: Daemon): Promise<void> {
  const took: number[] = [];
  for (let count = 0; count < 40; count++) {
    const startedAt = performance.now();
    const { status, body } = await daemon.get('/metrics', { 'accept-encoding': 'gzip' });
    expect(status).toBe(200);
    expect(gunzipSync(body).toString()).toContain('port_probe_targets');
    took.push(performance.now() - startedAt);
  }
  const median = took.toSorted((a, b) => a - b)[20];
  expect(median).toBeLessThan(500 * SLOWNESS);
  const sampledAt = async () =>
    Number(
      /^port_exporter_sample_timestamp_seconds (.*)$/m.exec((await daemon.get('/metrics')).text)?.[1] ?? 0,
    );
  const before = await sampledAt();
  await vi.waitFor(async () => expect(await sampledAt()).toBeGreaterThan(before), LATER);
  expect(await daemon.get('/-/ready')).toMatchObject({ status: 200 });
}

describe('targets that are none are one line', () => {
  it.each(BOTH.map((args) => [args]))('of a flag: %j', async (args) => {
    expectOneLine(
      await run([...args, '--probe=db:5432']),
      '--probe: invalid value "db:5432": expected tcp://HOST:PORT or tcp://[IPV6]:PORT',
    );
  });

  it.each(BOTH.map((args) => [args]))('of a file: %j', async (args) => {
    const file = probeFile('# ours', '- name: db', '  target: tcp://db:5432', '  interval: often');
    expectOneLine(
      await run([...args, `--probe.file=${file}`]),
      `${file}:4: interval: invalid duration "often": expected one like 500ms, 15s or 1h30m`,
    );
    expectOneLine(
      await run([...args, '--probe.file=/nowhere/probes.yml']),
      '/nowhere/probes.yml: no such file or directory (ENOENT)',
    );
    const [flag, taken] = ['--probe=tcp://db:1', probeFile('- {name: "tcp://db:1", target: "tcp://db:2"}')];
    expectOneLine(
      await run([...args, flag, `--probe.file=${taken}`]),
      `${taken}:1: name: duplicate name "tcp://db:1"`,
    );
  });
});

describe('--once', () => {
  it('probes each target once', async () => {
    const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const { code, stdout } = await run(['--once', `--probe=tcp://127.0.0.1:${port}`]);
    expect(code).toBe(0);
    expect(stdout).toContain(`\nport_probe_success{target="tcp://127.0.0.1:${port}"} 1\n`);
  });
});
