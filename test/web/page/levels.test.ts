import { describe, expect, it } from 'vitest';
import type { NamespaceSnapshot } from '../../../src/snapshot/snapshot.ts';
import { RecordedHistory } from '../../../src/status/history.ts';
import { estimatedAt, RICH_NAMESPACE, sampled, withResults } from '../../metrics/snapshots.ts';
import { page, textOf } from './pages.ts';

describe('a level on the page', () => {
  it.each([
    [0.49, 'ok'],
    [0.5, 'half used'],
    [0.8, 'near'],
    [0.95, 'imminent'],
    [1, 'exhausted'],
  ])('at %s says in words, pattern and colour that this is %s', async (ratio, word) => {
    const { tcp } = RICH_NAMESPACE.results;
    const available = Math.round((1 - ratio) * 95);
    const html = await page(
      sampled(
        withResults(RICH_NAMESPACE, { tcp: { ...tcp, capacity: available, connect: { ratio, available } } }),
      ),
    );
    const level = word === 'half used' ? 'half' : word;
    expect(textOf(html)).toContain(`TCP connect() ${word} `);
    expect(html).toMatch(new RegExp(`<rect class="fill ${level}" x="0.00%" width="${ratio * 100}.00%"`));
    expect(html.includes(`fill="url(#fill-${level})"`)).toBe(word !== 'ok');
    if (word === 'ok') return;
    expect(/<title>(.*)<\/title>/.exec(html)?.[1]).toMatch(
      new RegExp(`^[\\d.]+ % ${word} · db-7 · port-exporter$`),
    );
  });

  it('says that estimates are estimates', async () => {
    const regime = { ratio: 0.04, available: 91 };
    const listeners = { counts: { ipv4: 0, ipv6: 0 }, total: 0, fullest: [] };
    const text = textOf(
      await page(sampled(estimatedAt(RICH_NAMESPACE, { tcp: regime, udp: regime, listeners }))),
    );
    expect(text).toContain('TCP connect() estimated ≤ 4.0 % ≥ 91 left of 95 worst destination unknown');
    expect(text).toContain('TCP connect() at most 4.0 % At least 91 more connect() calls succeed');
    expect(text).toMatch(/host estimated, 0s old/);
  });

  it('never says of an estimate, now or within the hour, what is said of a fact', async () => {
    const regime = { ratio: 1, available: 0 };
    const listeners = { counts: { ipv4: 0, ipv6: 0 }, total: 0, fullest: [] };
    const estimated: NamespaceSnapshot = {
      ...estimatedAt(RICH_NAMESPACE, { tcp: regime, udp: regime, listeners }),
      peaks: [{ protocol: 'tcp', scope: 'connect', ratio: 1 }],
      listeners: [],
    };
    const history = new RecordedHistory();
    history.record({ namespaces: [estimated, { ...estimated, netns: 'gone' }], intervalSeconds: 5 }, 0);
    history.record({ namespaces: [estimated], intervalSeconds: 5 }, 0);
    const html = await page(sampled(estimated), { history });
    const alarming = /<[^<>]*(?:level-|class="fill |#fill-)(?:near|imminent|exhausted)\b[^<>]*>[^<>]*/g;
    expect(html.match(alarming)).toBeNull();
    const text = textOf(html);
    expect(text).not.toContain('exhausted');
    expect(text).toContain('peak ≤ 100.0 % in');
    expect(text).toMatch(/gone at most 100\.0 %, estimated, \S+ ago/);
    // Of now, and of the hour.
    expect(text).toMatch(/host estimated, 0s old ≤ 100\.0 % ≤ 100\.0 %/);
  });
});
