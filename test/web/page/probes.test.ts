import { describe, expect, it } from 'vitest';
import type { SamplingState } from '../../../src/snapshot/samplingState.ts';
import { PROBES } from '../../metrics/probeStates.ts';
import { RICH_NAMESPACE, sampled } from '../../metrics/snapshots.ts';
import { page, SAMPLED_AT, textOf } from './pages.ts';

describe('probes on the page', () => {
  it('are absent where nobody asked for any', async () => {
    const none = { results: { targets: 0, probed: [] }, fileIsGood: undefined };
    for (const probes of [undefined, none, { ...none, fileIsGood: true }]) {
      expect(await page(sampled(RICH_NAMESPACE), probes && { probes })).not.toMatch(/probes/i);
    }
  });

  it('say of each target, those that failed first, what came of it, how long it took and when', async () => {
    const text = textOf(await page(sampled(RICH_NAMESPACE), { probes: PROBES, nowMs: SAMPLED_AT + 7000 }));
    expect(text).toMatch(
      /Target Result Resolve Connect gateway &quot;ü&quot; \S+ no local port left – 0\u202fµs 7s ago EADDRNOTAVAIL : the target was not contacted typo \S+ name not found 125\u202fms – 7s ago ENOTFOUND db \S+ ok 250\u202fms 500\u202fms 7s ago/,
    );
    expect(text).toContain('1 target not probed yet.');
    expect(text).toContain('bad file failed to reload --probe.file, keeping the previous targets.');
  });

  it('that fail are named where the page begins, and none where none does', async () => {
    const html = await page(sampled(RICH_NAMESPACE), { probes: PROBES });
    const text = textOf(html);
    expect(text).toMatch(
      /2 of 3 probes fail gateway &quot;ü&quot; : no local port left typo : name not found/,
    );
    expect(html.indexOf('id="probes-alarm"')).toBeLessThan(html.indexOf('id="regimes"'));
    const probed = PROBES.results.probed.slice(0, 1);
    const fine = { ...PROBES, results: { targets: 1, probed } };
    expect(await page(sampled(RICH_NAMESPACE), { probes: fine })).not.toContain('probes-alarm');
  });

  it('are there without a sample', async () => {
    const failed: SamplingState = { kind: 'failed', reason: 'the sampler hangs', collectors: [] };
    expect(textOf(await page(failed, { probes: PROBES }))).toMatch(/No data\..*Probes Target Result/);
  });

  it('are a table, a list and a number, however many there are', async () => {
    const [one] = PROBES.results.probed;
    if (one === undefined) throw new Error('none');
    const probed = Array.from({ length: 1000 }, (_, index) => ({
      ...one,
      target: { ...one.target, name: `t${index}` },
    }));
    const html = await page(sampled(RICH_NAMESPACE), {
      probes: { ...PROBES, results: { targets: 1000, probed } },
    });
    expect(textOf(html)).toContain('100 more t10 ok');
    expect(textOf(html)).toContain('890 more targets, with no worse results.');
    expect(html.length).toBeLessThan(60_000);
  });
});
