import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { COLLECTORS } from '../../src/sampling/collectors/list.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { parseExposition } from '../support/exposition.ts';
import type { Answer } from './support/http.ts';
import { fixtureText, newDirectory, newProcfs } from './support/procfs.ts';
import { Daemon, livingIn } from './support/program.ts';

const PRELOAD = new URL('./support/failingSampler.mjs', import.meta.url).href;
const QUICK = '--sample.interval=100ms';
/** How long a sampler may be silent, and some. */
const PATIENCE = { timeout: 20_000 * SLOWNESS, interval: 50 };
/** One that computes gets thrice its time where other programs take the processor. */
const BUSY = { timeout: 40_000 * SLOWNESS, interval: 50 };

/** `/-/ready` once it answers so. */
function readyAnswers(daemon: Daemon, status: number, reason: RegExp, patience = PATIENCE): Promise<Answer> {
  return vi.waitFor(async () => {
    const answer = await daemon.get('/-/ready');
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(reason);
    return answer;
  }, patience);
}

async function metrics(daemon: Daemon) {
  const all = parseExposition((await daemon.get('/metrics')).text);
  const exported = all.filter(({ name }) => name.startsWith('port_'));
  return {
    names: new Set(exported.map(({ name }) => name)),
    success: Object.fromEntries(
      exported
        .filter(({ name }) => name === 'port_exporter_sample_success')
        .map(({ labels, value }) => [labels['collector'], value]),
    ),
  };
}

/** Of the own namespace alone, where no other is looked for. */
function everyCollector(success: number): Record<string, number> {
  return Object.fromEntries(
    [...COLLECTORS.map(({ name }) => name), 'processes'].map((name) => [name, success]),
  );
}

/** No numbers, old or zero, of what is not sampled. */
async function expectNothingSampled(daemon: Daemon): Promise<void> {
  const { names, success } = await metrics(daemon);
  expect([...names].sort()).toEqual([
    'port_exporter_build_info',
    'port_exporter_log_lines_dropped_total',
    'port_exporter_sample_success',
    'port_exporter_sampler_cpu_seconds_total',
    'port_exporter_sampler_open_fds',
    'port_exporter_sampler_resident_memory_bytes',
    'port_exporter_sampler_restarts_total',
    'port_probe_targets',
  ]);
  expect(success).toEqual(everyCollector(0));
}

async function expectAllSampled(daemon: Daemon): Promise<void> {
  const { names, success } = await metrics(daemon);
  expect(names).toContain('port_exhaustion_ratio');
  expect(success).toEqual(everyCollector(1));
}

async function expectCleanEnd(daemon: Daemon): Promise<void> {
  const { tookMs, ...ended } = await daemon.end();
  expect(ended).toEqual({ code: 0, signal: null });
  expect(tookMs).toBeLessThan(1000 * SLOWNESS);
  expect(daemon.lines.join('\n')).not.toMatch(/^ {4}at /m);
}

// Two of them wait for the whole patience of the program.
describe.concurrent('a sampler that', () => {
  it.each([
    ['throws', 'throw', 'the sampler died: a defect of two lines'],
    ['ends', 'exit', 'the sampler exited with code 3'],
    ['computes for ever', 'loop', 'the sampler hangs: no message for \\w+'],
  ])('%s is replaced, and until then nothing is shown', async (_, way, reason) => {
    const trigger = join(newDirectory(), 'fail');
    const daemon = await Daemon.started([QUICK], {
      nodeFlags: ['--import', PRELOAD],
      env: { FAIL_WITH: way, FAIL_WHEN: trigger },
    });
    await expectAllSampled(daemon);
    writeFileSync(trigger, '');
    await readyAnswers(daemon, 503, new RegExp(`^${reason}\n$`), way === 'loop' ? BUSY : PATIENCE);
    await expectNothingSampled(daemon);
    expect(await daemon.get('/-/healthy')).toMatchObject({ status: 200 });
    await readyAnswers(daemon, 200, /^the last sample is \w+ old\n$/);
    await expectAllSampled(daemon);
    const errors = daemon.lines.filter((line) => line.includes('level=error'));
    expect(errors).toEqual([
      expect.stringMatching(new RegExp(`msg="sampling stopped" reason="${reason}" retry_in=1s$`)),
    ]);
    await expectCleanEnd(daemon);
  });

  it('hangs in a system call is replaced, and does not keep the program from ending', async () => {
    const procfs = newProcfs();
    const daemon = await Daemon.started([QUICK, '--sample.source=procfs', `--path.procfs=${procfs}`]);
    const range = join(procfs, 'sys/net/ipv4/ip_local_port_range');
    const [waiting, healthy] = [`${range}.waiting`, `${range}.healthy`];
    // open(2) of a FIFO waits for somebody who writes into it.
    execFileSync('mkfifo', [waiting]);
    writeFileSync(healthy, readFileSync(range));
    renameSync(waiting, range);
    await readyAnswers(daemon, 503, /^the last sample is \w+ old\n$/);
    await readyAnswers(daemon, 503, /^the sampler hangs: no message for \w+\n$/);
    await expectNothingSampled(daemon);
    renameSync(healthy, range);
    await readyAnswers(daemon, 200, /^the last sample is \w+ old\n$/);
    await expectAllSampled(daemon);
    await expectCleanEnd(daemon);
  });
});

it('a table that breaks leaves that protocol out, says why, and comes back', async () => {
  const procfs = newProcfs();
  const daemon = await Daemon.started([QUICK, '--sample.source=procfs', `--path.procfs=${procfs}`]);
  const whole = fixtureText('net/tcp');
  writeFileSync(join(procfs, 'net/tcp'), whole.slice(0, -80));
  await readyAnswers(
    daemon,
    503,
    /^collector tcp of host failed: \S+\/net\/tcp line 59: expected a newline, /,
  );
  const { names, success } = await metrics(daemon);
  expect(success).toEqual({ ...everyCollector(1), tcp: 0 });
  expect(names).not.toContain('port_destinations');
  expect(names).toContain('port_ephemeral_ports');
  expect(names).toContain('port_exhaustion_ratio');
  writeFileSync(join(procfs, 'net/tcp'), whole);
  await readyAnswers(daemon, 200, /^the last sample is \w+ old\n$/);
  await expectAllSampled(daemon);
  const told = daemon.lines.filter((line) => /collector (failed|recovered)/.test(line));
  expect(told.at(-1)).toMatch(/level=info msg="collector recovered" netns=host collector=tcp$/);
  await expectCleanEnd(daemon);
});

it('a defect that nothing catches is one line, and the end of all of it', async () => {
  const defect =
    "if (/main.js$/.test(process.argv[1])) setTimeout(() => { throw new Error('of\\ntwo lines') }, 1500)";
  const daemon = new Daemon(['--web.listen-address=127.0.0.1:0', QUICK], {
    nodeFlags: ['--import', `data:text/javascript,${encodeURIComponent(defect)}`],
  });
  await vi.waitFor(() => expect(daemon.child.exitCode).toBe(1), PATIENCE);
  expect(daemon.lines.at(-1)).toBe(
    'port-exporter: internal error: of two lines; set PORT_EXPORTER_LOG_LEVEL=debug for the stack trace and report it',
  );
  await vi.waitFor(() => expect(livingIn(daemon.child.pid)).toEqual([]), PATIENCE);
});
