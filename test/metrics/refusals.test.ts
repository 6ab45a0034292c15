import { describe, expect, it } from 'vitest';
import { createExposition } from '../../src/metrics/exposition.ts';
import type { SamplingState } from '../../src/snapshot/samplingState.ts';
import { NO_REFUSALS, type RefusalState } from '../../src/status/refusalLedger.ts';
import { parseExposition } from '../support/exposition.ts';
import { BIND, CONNECT, QUIET, refusalsAfter, STORM } from './refusalStates.ts';
import { RICH_NAMESPACE, sampled } from './snapshots.ts';

const FAILED: SamplingState = { kind: 'failed', reason: 'the sampler hangs', collectors: [] };

async function exposed(refusals: RefusalState, state: SamplingState = sampled(RICH_NAMESPACE)) {
  const exposition = createExposition({ withProcess: false, refusals: () => refusals });
  const series = parseExposition(await exposition.render(state, 'text'));
  return (name: string) =>
    series
      .filter((one) => one.name === name)
      .map(({ labels, value }) => [Object.values(labels).join(' '), value]);
}

describe('refused calls', () => {
  it('are 0 in every sampled namespace where they are counted and there were none', async () => {
    const values = await exposed(refusalsAfter([{ ...QUIET, counted: [CONNECT, BIND] }]));
    expect(values('port_refusals_total')).toEqual([
      ['host tcp connect', 0],
      ['host tcp bind', 0],
    ]);
    expect(values('port_retry_refusals_total')).toEqual([['host', 0]]);
    expect(values('port_exporter_excluded_refusals_total')).toEqual([['', 0]]);
    expect(values('port_connect_failures_total')).toEqual([]);
  });

  it('are absent where they are not', async () => {
    const values = await exposed(NO_REFUSALS);
    for (const name of [
      'port_refusals_total',
      'port_retry_refusals_total',
      'port_exporter_evicted_series_total',
    ])
      expect(values(name)).toEqual([]);
  });

  it('of a kind that is counted no more are absent, and so are those of a sampler that ended', async () => {
    const values = await exposed(refusalsAfter([STORM, { ...QUIET, counted: [BIND] }]));
    expect(values('port_refusals_total')).toEqual([['host tcp bind', 0]]);
    expect(values('port_retry_refusals_total')).toEqual([]);
    const none = await exposed(refusalsAfter([STORM, { ...QUIET, counted: [] }]));
    expect(none('port_destination_refusals_total')).toEqual([]);
  });

  it('are told by namespace, destination and owner', async () => {
    const values = await exposed(refusalsAfter([STORM]));
    expect(values('port_refusals_total')).toEqual([['host tcp connect', 4]]);
    expect(values('port_retry_refusals_total')).toEqual([['host', 1]]);
    expect(values('port_connect_failures_total')).toEqual([
      ['host EADDRNOTAVAIL', 5],
      ['host ECONNREFUSED', 2],
    ]);
    expect(values('port_destination_refusals_total')).toEqual([['host 10.0.0.5 10.0.0.9 5432', 5]]);
    expect(values('port_destination_connect_failures_total')).toEqual([
      ['host 10.0.0.5 10.0.0.9 5432 ECONNREFUSED', 2],
    ]);
    expect(values('port_owner_refusals_total')).toEqual([['host web.service', 5]]);
    expect(values('port_exporter_excluded_refusals_total')).toEqual([['', 3]]);
  });

  it('of a namespace that is not in the sample are told too, and without a sample', async () => {
    const elsewhere = { ...STORM, refused: [{ ...CONNECT, netns: 'net:[7]', count: 9 }] };
    const values = await exposed(refusalsAfter([elsewhere]));
    expect(values('port_refusals_total')).toEqual([
      ['net:[7] tcp connect', 9],
      ['host tcp connect', 0],
    ]);
    const without = await exposed(refusalsAfter([elsewhere]), FAILED);
    expect(without('port_refusals_total')).toEqual([['net:[7] tcp connect', 9]]);
  });

  it('appear in the next exposition of the same sample', async () => {
    let refusals = refusalsAfter([QUIET]);
    const exposition = createExposition({ withProcess: false, refusals: () => refusals });
    const state = sampled(RICH_NAMESPACE);
    for (const format of ['text', 'openmetrics'] as const)
      expect(await exposition.render(state, format)).toContain('scope="connect"} 0');
    refusals = refusalsAfter([QUIET, STORM]);
    for (const format of ['text', 'openmetrics'] as const)
      expect(await exposition.render(state, format)).toContain(
        'port_refusals_total{netns="host",protocol="tcp",scope="connect"} 4',
      );
  });
});
