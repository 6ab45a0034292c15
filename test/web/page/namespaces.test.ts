import { describe, expect, it } from 'vitest';
import { RICH_NAMESPACE, sampled } from '../../metrics/snapshots.ts';
import { page, textOf } from './pages.ts';

describe('namespaces on the page', () => {
  const many = Array.from({ length: 40 }, (_, index) => ({ ...RICH_NAMESPACE, netns: `pod-${index}` }));

  it('are all reachable, however many', async () => {
    const html = await page(sampled(RICH_NAMESPACE, ...many));
    for (const { netns } of [RICH_NAMESPACE, ...many]) expect(html).toContain(`href="./?netns=${netns}"`);
    expect(textOf(html)).toContain('29 more, less exhausted');
  });

  it('are shown in full when asked for', async () => {
    const html = await page(sampled(RICH_NAMESPACE, ...many), {}, '/?netns=pod-39');
    expect(html).toContain('<h2 class="shown"><bdi>pod-39</bdi></h2>');
    expect(html).toMatch(/href="\.\/\?netns=pod-39" aria-current="true"/);
  });

  it('that are not there are said to be gone', async () => {
    const html = await page(sampled(RICH_NAMESPACE), {}, '/?netns=%3Cb%3E');
    expect(textOf(html)).toContain('&lt;b&gt; is not in the last sample');
    expect(html).not.toContain('<b>');
    expect(textOf(html)).toContain('Network namespaces');
  });

  it('have names that survive their link', async () => {
    const netns = 'a&b=c d/\ud800"#?';
    const html = await page(sampled({ ...RICH_NAMESPACE, netns }));
    const [, href = ''] =
      /<tr role="row" id="[^"]*"><th role="rowheader" scope="row"><a id="[^"]*" href="([^"]*)"/.exec(html) ??
      [];
    const asked = new URL(href.replaceAll('&amp;', '&'), 'http://exporter/').searchParams.get('netns');
    expect(asked).toBe(netns.replace('\ud800', '\ufffd'));
  });
});
