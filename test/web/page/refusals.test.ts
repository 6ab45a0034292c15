import { describe, expect, it } from 'vitest';
import type { SamplingState } from '../../../src/snapshot/samplingState.ts';
import { CONNECT, QUIET, refusalsAfter, STORM } from '../../metrics/refusalStates.ts';
import { RICH_NAMESPACE, sampled } from '../../metrics/snapshots.ts';
import { page, SAMPLED_AT, textOf } from './pages.ts';

const REFUSALS = refusalsAfter([STORM], SAMPLED_AT);
const show = (seen: Parameters<typeof page>[1], state: SamplingState = sampled(RICH_NAMESPACE)) =>
  page(state, { refusals: REFUSALS, nowMs: SAMPLED_AT + 3000, epochMs: 1_700_000_003_000, ...seen });

describe('calls that the kernel refused', () => {
  it('stand above everything else, with what the applications get', async () => {
    const html = await show({});
    expect(textOf(html)).toMatch(
      /Calls failed in the last 15m: 5 TCP connect\(\) calls in host failed with EADDRNOTAVAIL , the last 3s ago\./,
    );
    expect(html.indexOf('id="refusals"')).toBeLessThan(html.indexOf('id="verdict"'));
    expect(html).toMatch(/<title>5 calls failed · /);
  });

  it('name the process, its owner, and both ends', async () => {
    expect(textOf(await show({}))).toContain(
      'curl (pid 4711, web.service ) from 10.0.0.5 to 10.0.0.9:5432 in host , 3s ago',
    );
  });

  it('stand there for 15 minutes after the last one', async () => {
    const minute = 60_000;
    const shownAfter = (minutes: number) =>
      show({ nowMs: SAMPLED_AT + minutes * minute, epochMs: 1_700_000_000_000 + minutes * minute });
    expect(await shownAfter(15)).toContain('id="refusals"');
    expect(await shownAfter(15.1)).not.toContain('id="refusals"');
  });

  it('are there without a sample', async () => {
    const failed: SamplingState = { kind: 'failed', reason: 'the sampler hangs', collectors: [] };
    expect(textOf(await show({}, failed))).toContain('Calls failed');
  });

  it('are absent where there were none, and where nobody counts them', async () => {
    for (const refusals of [refusalsAfter([QUIET], SAMPLED_AT), undefined]) {
      const html = await page(sampled(RICH_NAMESPACE), refusals && { refusals });
      expect(html).not.toContain('id="refusals"');
      expect(html).not.toContain('failed ·');
    }
  });

  it('are few lines, however many namespaces and processes there are', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `ns${index}`);
    const [event] = STORM.events;
    if (event === undefined) throw new Error('none');
    const refusals = refusalsAfter(
      [
        {
          ...QUIET,
          refused: names.map((netns) => ({ ...CONNECT, netns, count: 1 })),
          events: names.map((netns) => ({ ...event, netns })),
        },
      ],
      SAMPLED_AT,
    );
    const html = await show({ refusals });
    expect(textOf(html)).toContain('997 more kinds of calls');
    expect(html.split('(pid 4711')).toHaveLength(6);
  });

  it('are of strangers, who choose their names', async () => {
    const [event] = STORM.events;
    if (event === undefined) throw new Error('none');
    const refusals = refusalsAfter(
      [{ ...STORM, events: [{ ...event, process: '<script>', owner: '"><img>' }] }],
      SAMPLED_AT,
    );
    const html = await show({ refusals });
    expect(html).toContain('&lt;script&gt;');
    expect(html).not.toContain('<img>');
  });
});
