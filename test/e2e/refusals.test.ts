import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { SLOWNESS } from '../live/support/kernel.ts';
import { NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeOverBpf } from '../live/support/privilege.ts';
import { parseExposition } from '../support/exposition.ts';
import { descendantsOf } from './support/processes.ts';
import { Daemon } from './support/program.ts';

const REFUSING = fileURLToPath(new URL('../live/support/refusing.mjs', import.meta.url));
const SOON = { timeout: 10_000 * SLOWNESS, interval: 20 };

/** A namespace whose only port is taken, so that every connect() to that destination is refused. */
function exhausted(): NamedNamespace {
  const namespace = new NamedNamespace({ range: [50_000, 50_000] });
  namespace.inside((world) => world.connect('127.0.0.1', 8000));
  return namespace;
}

async function refuse({ name }: NamedNamespace, calls: number): Promise<void> {
  const args = ['netns', 'exec', name, process.execPath, REFUSING, '127.0.0.1', '8000', String(calls)];
  const { stdout } = await promisify(execFile)('ip', args);
  expect(JSON.parse(stdout)).toEqual({ refused: calls });
}

/** Values of a metric in this namespace, by the rest of their labels. */
async function valuesIn(daemon: Daemon, { name }: NamedNamespace, metric: string) {
  const series = parseExposition((await daemon.get('/metrics')).text);
  return Object.fromEntries(
    series
      .filter((one) => one.name === metric && one.labels['netns'] === name)
      .map(({ labels: { netns, ...rest }, value }) => [Object.values(rest).join(' '), value]),
  );
}

const samplerOf = ({ child }: Daemon) =>
  descendantsOf(child.pid).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('/sampler.js'),
  );

describeOverBpf('The daemon counts the calls that the kernel refuses', () => {
  const started = ({ name }: NamedNamespace) =>
    Daemon.started([`--namespaces=${name}`, '--sample.interval=100ms', '--sample.max-duty=1']);

  it('in every namespace, entered or not: to whom and where, in metrics, log and page', async () => {
    const namespace = exhausted();
    const daemon = await started(namespace);
    await daemon.logged(/msg="counting refused calls" calls="?tcp_connect/);
    await expect
      .poll(() => valuesIn(daemon, namespace, 'port_refusals_total'), SOON)
      .toMatchObject({ 'tcp connect': 0 });
    await refuse(namespace, 1);
    await expect
      .poll(() => valuesIn(daemon, namespace, 'port_refusals_total'), SOON)
      .toMatchObject({ 'tcp connect': 1 });
    await refuse(namespace, 100);
    await expect
      .poll(() => valuesIn(daemon, namespace, 'port_refusals_total'), SOON)
      .toMatchObject({ 'tcp connect': 101 });
    expect(await valuesIn(daemon, namespace, 'port_destination_refusals_total')).toEqual({
      '127.0.0.1 127.0.0.1 8000': 101,
    });
    expect(Object.values(await valuesIn(daemon, namespace, 'port_owner_refusals_total'))).toEqual([101]);
    expect(await valuesIn(daemon, namespace, 'port_connect_failures_total')).toEqual({ EADDRNOTAVAIL: 101 });
    // One line for the burst, though there were two. Node.js 24 calls its main thread, and so its process, MainThread.
    const lines = daemon.lines.filter((line) => line.includes('the kernel refused a port'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      new RegExp(
        `level=warn .*netns=${namespace.name} call=tcp_connect refused=1 process=(?:node|MainThread) pid=\\d+ owner=\\S+ from=127.0.0.1 to=127.0.0.1:8000`,
      ),
    );
    const page = (await daemon.get('/')).text;
    expect(page).toContain('id="refusals"');
    expect(page.indexOf('id="refusals"')).toBeLessThan(page.indexOf('id="verdict"'));
    await daemon.end();
  });

  it('goes on where it stopped when the sampler is killed', async () => {
    const namespace = exhausted();
    const daemon = await started(namespace);
    await daemon.logged(/msg="counting refused calls"/);
    await refuse(namespace, 7);
    await expect
      .poll(() => valuesIn(daemon, namespace, 'port_refusals_total'), SOON)
      .toMatchObject({ 'tcp connect': 7 });
    const sampler = samplerOf(daemon);
    if (sampler === undefined) throw new Error('no sampler');
    process.kill(sampler, 'SIGKILL');
    await daemon.logged(/msg="sampling stopped"/);
    expect(await valuesIn(daemon, namespace, 'port_refusals_total')).toEqual({});
    await expect
      .poll(() => valuesIn(daemon, namespace, 'port_refusals_total'), SOON)
      .toMatchObject({ 'tcp connect': 7 });
    await refuse(namespace, 5);
    await expect
      .poll(() => valuesIn(daemon, namespace, 'port_refusals_total'), SOON)
      .toMatchObject({ 'tcp connect': 12 });
    await daemon.end();
  });

  it('answers, and counts them all, while there are very many', async () => {
    const namespace = exhausted();
    const daemon = await started(namespace);
    await daemon.logged(/msg="counting refused calls"/);
    const calls = 300_000;
    const storm = refuse(namespace, calls);
    let answers = 0;
    for (let isOver = false; !isOver; answers++) {
      isOver = await Promise.race([storm.then(() => true), daemon.get('/metrics').then(() => false)]);
    }
    expect(answers).toBeGreaterThan(3);
    await expect
      .poll(() => valuesIn(daemon, namespace, 'port_refusals_total'), SOON)
      .toMatchObject({ 'tcp connect': calls });
    expect(await valuesIn(daemon, namespace, 'port_destination_refusals_total')).toEqual({
      '127.0.0.1 127.0.0.1 8000': calls,
    });
    await daemon.end();
  });

  it('not with --no-refusals, nor where another source is asked for', async () => {
    for (const flag of ['--no-refusals', '--sample.source=netlink']) {
      const namespace = exhausted();
      const daemon = await Daemon.started([flag, `--namespaces=${namespace.name}`]);
      expect(await valuesIn(daemon, namespace, 'port_ephemeral_ports')).not.toEqual({});
      expect(await valuesIn(daemon, namespace, 'port_refusals_total')).toEqual({});
      expect(daemon.lines.join('\n')).not.toContain('counting refused calls');
      await daemon.end();
    }
  });
});
