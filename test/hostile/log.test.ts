import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { itNeeding, missingNobody, NOBODY } from '../e2e/support/needs.ts';
import { newDirectory } from '../e2e/support/procfs.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { Logged, missingIn, Pipe } from './support/logged.ts';

/** A hundred lines a second and more. */
const TALKATIVE = ['--log.level=debug', '--sample.interval=1ms', '--sample.max-duty=1', '--no-canary'];
/** A process that ends gives its last words half a second. */
const END_MS = 1500 * SLOWNESS;

function open(path: string, flags = 'w'): number {
  const fd = openSync(path, flags);
  onTestFinished(() => closeSync(fd));
  return fd;
}

/** It serves, survives SIGHUP, and ends as it should. */
async function expectWell(logged: Logged): Promise<void> {
  logged.child.kill('SIGHUP');
  await logged.until(() => logged.isReady());
  const { code, tookMs } = await logged.end('SIGTERM');
  expect(code).toBe(0);
  expect(tookMs).toBeLessThan(END_MS);
}

describe('a log on', () => {
  it('a disk that is full: lines are dropped and counted', async () => {
    const logged = await Logged.started([], open('/dev/full'));
    expect(await logged.dropped()).toBeGreaterThan(2);
    await expectWell(logged);
  });

  it('a pipe that was closed: lines are dropped and counted', async () => {
    const pipe = new Pipe();
    pipe.closeReadEnd();
    const logged = await Logged.started([], pipe.writeEnd);
    expect(await logged.dropped()).toBeGreaterThan(2);
    await expectWell(logged);
  });

  it('a disk that is full for a while: lines come again, and one says how many are missing', async () => {
    const directory = newDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', directory]);
    onTestFinished(() => void execFileSync('umount', ['--lazy', directory]));
    const [log, filler] = [join(directory, 'log'), join(directory, 'filler')];
    writeFileSync(filler, Buffer.alloc(200 * 1024));
    const fd = openSync(log, 'a');
    const logged = await Logged.started(TALKATIVE, fd);
    closeSync(fd);
    await logged.until(async () => (await logged.dropped()) > 10);
    const full = statSync(log).size;
    rmSync(filler);
    await logged.until(async () => statSync(log).size > full + 4096);
    const dropped = await logged.dropped();
    const text = readFileSync(log, 'latin1');
    expect(text.match(/msg="log lines dropped"/g)).toHaveLength(1);
    expect(missingIn(text)).toBe(dropped);
    await expectWell(logged);
  });
});

describe('a log that nobody reads', () => {
  const stuck = (name: string, stderr: () => number | 'pipe', uid?: number): [string, Stuck] => [
    name,
    { stderr, ...(uid === undefined ? {} : { uid }) },
  ];
  interface Stuck {
    readonly stderr: () => number | 'pipe';
    readonly uid?: number;
  }
  const KINDS = [
    // Which it may not open again.
    stuck("another user's pipe", () => new Pipe(0o600).writeEnd, NOBODY),
    // What Node calls a pipe is a socket.
    stuck('a socket', () => 'pipe'),
  ];
  for (const [name, { stderr, uid }] of KINDS) {
    itNeeding(uid === undefined ? undefined : missingNobody, `${name}: the exporter goes on`, async () => {
      const settings = uid === undefined ? {} : { uid };
      const logged = await Logged.started(TALKATIVE, stderr(), settings);
      await logged.until(async () => (await logged.dropped()) > 10);
      await expectWell(logged);
    });
  }

  it('a pipe, for a while: what waited comes, and one line says how many are missing', async () => {
    const pipe = new Pipe();
    const logged = await Logged.started(TALKATIVE, pipe.writeEnd);
    await logged.until(async () => (await logged.dropped()) > 10);
    logged.child.kill('SIGHUP');
    expect(await logged.isReady()).toBe(true);
    let text = '';
    await logged.until(async () => {
      text += pipe.read();
      return /lines dropped" lines=\d+\n.*\n/.test(text);
    });
    const dropped = await logged.dropped();
    expect(text.match(/msg="log lines dropped"/g)).toHaveLength(1);
    expect(missingIn(text)).toBe(dropped);
    // What waited in memory, and in the pipe.
    expect(text.length).toBeGreaterThan((256 + 64) * 1024);
    const ended = logged.end('SIGTERM');
    const reading = setInterval(() => {
      text += pipe.read();
    }, 1);
    expect((await ended).code).toBe(0);
    clearInterval(reading);
    text += pipe.read();
    expect(missingIn(text)).toBe(dropped);
    expect(text).toMatch(/msg=stopping signal=SIGTERM\n$/);
  });

  it('a pipe that others filled: a command that fails ends as well', async () => {
    const { writeEnd } = new Pipe().filled();
    const { code, tookMs } = await Logged.run(['--nonsense'], writeEnd).end();
    expect(code).toBe(1);
    expect(tookMs).toBeLessThan(10_000 * SLOWNESS);
  });

  it('a pipe that others filled: the exporter ends when it is told to', async () => {
    const pipe = new Pipe();
    const logged = await Logged.started(TALKATIVE, pipe.writeEnd);
    // The pipe is full as soon as a few hundred lines are in it.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await expectWell(logged);
  });
});

it('a log that is read slowly loses nothing, nor its last words', async () => {
  const pipe = new Pipe();
  const logged = await Logged.started(TALKATIVE, pipe.writeEnd);
  let text = '';
  const startedAt = performance.now();
  await logged.until(async () => {
    // About as fast as it comes, and always behind.
    text += pipe.read(4096);
    return performance.now() - startedAt > 5000;
  });
  expect(await logged.dropped()).toBe(0);
  const ended = logged.end('SIGTERM');
  const reading = setInterval(() => {
    text += pipe.read();
  }, 10);
  expect((await ended).code).toBe(0);
  clearInterval(reading);
  text += pipe.read();
  expect(missingIn(text)).toBe(0);
  expect(text).toMatch(/msg=stopping signal=SIGTERM\n$/);
});
