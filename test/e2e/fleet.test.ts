import { expect, vi } from 'vitest';
import { capture } from '../bench/fleet/capture.ts';
import { amountsOf, expectedSeries } from '../bench/fleet/count.ts';
import { serve } from '../bench/fleet/serving.ts';
import { BPF_READS_TABLES, SLOWNESS } from '../live/support/kernel.ts';
import { describeInCgroups } from '../live/support/privilege.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { itNeeding, missingTool } from './support/needs.ts';

// The exporter takes some samples, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 * SLOWNESS });

/** Where connections are tracked, and where calls failed: the exporter is asked before it listens. */
const SOMETIMES = /^port_(?:conntrack_|connect_failures_|destination_connect_failures_)/;

/** process_* and nodejs_* */
const PROCESS_SERIES = 56;
const missing = missingTool('unshare') ?? (BPF_READS_TABLES ? undefined : 'BPF takes Linux 6.1');

describeInCgroups('a quiet host, as the page on fleets counts it', () => {
  itNeeding(
    missing,
    'has as many series as its tables have rows for, and moves on when simulated',
    async () => {
      const host = await capture('vm', '', new AbortController().signal);
      const amounts = amountsOf(host.text);
      expect(amounts).toMatchObject({ namespaces: 1, listeners: 11, destinations: 5 });
      const all = parseExposition(host.text).map(({ name }) => name);
      const own = all.filter((name) => name.startsWith('port_'));
      expect(own.filter((name) => !SOMETIMES.test(name)).length).toBe(
        expectedSeries(amounts) - PROCESS_SERIES,
      );
      // Some come with the first garbage collection of a kind.
      expect(all.length - own.length).toBeLessThanOrEqual(PROCESS_SERIES);
      expect(host.bytes.textGzip).toBeLessThan(host.bytes.text / 4);

      const fleet = await serve([host], 1);
      try {
        const scrape = async () => {
          const answer = await fetch(`http://127.0.0.1:${fleet.port}/host/0`);
          return (await answer.text()) as string;
        };
        const [first, second] = [await scrape(), await scrape()];
        expect(parseExposition(second).map(named)).toEqual(parseExposition(host.text).map(named));
        const grown = differences(first, second, /_total$/);
        expect(Math.min(...grown)).toBe(0);
        expect(Math.max(...grown)).toBeGreaterThan(0);
        expect(differences(first, second, /_range_first_port$/)).toEqual([0]);
      } finally {
        fleet.end();
      }
    },
  );
});

function named({ name, labels }: Series): string {
  return `${name}${JSON.stringify(labels)}`;
}

/** By how much each of these has changed from one scrape to the next. */
function differences(first: string, second: string, wanted: RegExp): number[] {
  const before = parseExposition(first);
  return parseExposition(second).flatMap(({ name, value }, nth) =>
    wanted.test(name) ? [value - (before[nth]?.value ?? Number.NaN)] : [],
  );
}
