import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createExposition } from '../../src/metrics/exposition.ts';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import { PROBES } from './probeStates.ts';
import { EMPTY_NAMESPACE, failing, RICH_NAMESPACE, sampled } from './snapshots.ts';

const isMissing = spawnSync('promtool', ['--version']).error !== undefined;

const STATES: [string, SamplingState][] = [
  ['a bit of everything', sampled(RICH_NAMESPACE)],
  ['no socket', sampled(EMPTY_NAMESPACE)],
  ['no TCP', sampled(failing(RICH_NAMESPACE, 'tcp'))],
  ['no sample', { kind: 'failed', reason: 'died', collectors: [{ netns: 'host', collector: 'tcp' }] }],
];

describe.skipIf(isMissing && process.env['CI'] !== 'true')('promtool check metrics (needs promtool)', () => {
  it.each(STATES)('is silent on %s', async (_, state) => {
    const text = await createExposition({ withProcess: false }).render(state, 'text');
    expect(check(text)).toEqual({ status: 0, said: '' });
  });

  it('is silent on probes', async () => {
    const exposition = createExposition({ withProcess: false, probes: () => PROBES });
    expect(check(await exposition.render(sampled(RICH_NAMESPACE), 'text'))).toEqual({ status: 0, said: '' });
  });

  it('is silent on the metrics of the process as well', async () => {
    const text = await createExposition({ withProcess: true }).render(sampled(RICH_NAMESPACE), 'text');
    expect(check(text)).toEqual({ status: 0, said: '' });
  });

  it('is not silent on everything', () => {
    expect(check('# TYPE port_total gauge\nport_total 1\n').said).toContain('port_total');
  });
});

function check(text: string): { status: number | null; said: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  return { status, said: stdout + stderr };
}
