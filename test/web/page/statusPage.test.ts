import { afterEach, describe, expect, it, vi } from 'vitest';
import { RecordedHistory } from '../../../src/status/history.ts';
import { isSampled, statusOf } from '../../../src/status/status.ts';
import { createStatusPage } from '../../../src/web/page/statusPage.ts';
import { RICH_NAMESPACE, sampled } from '../../metrics/snapshots.ts';
import { ASSETS, SAMPLED_AT } from './pages.ts';

/** A page that says which ones it was asked to make. */
function counted() {
  const asked: (string | undefined)[] = [];
  const state = sampled(RICH_NAMESPACE);
  const { render } = createStatusPage({
    ...{ hostname: 'db-7', telemetryPath: '/metrics', version: '1', revision: 'a', peakWindowMs: 1 },
    assets: ASSETS,
    knows: (netns) => isSampled(state, netns),
    status: (wanted) => {
      asked.push(wanted);
      return statusOf(state, new RecordedHistory(), { nowMs: SAMPLED_AT, bootMs: 0, wanted });
    },
  });
  return { asked, render };
}

describe('a page asked for many times at once', () => {
  afterEach(() => void vi.useRealTimers());

  it('is made once for each namespace, and again a moment later', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { asked, render } = counted();
    for (const netns of [undefined, undefined, undefined, 'host', 'host', undefined]) await render(netns, '');
    expect(asked).toEqual([undefined, 'host']);
    vi.advanceTimersByTime(250);
    await render(undefined, '');
    expect(asked).toHaveLength(3);
  });

  it('is one for all namespaces that are not known, each of which it names as text', async () => {
    const { asked, render } = counted();
    const names = ['gone', '<b>$&', ''];
    const pages = await Promise.all(names.map((netns) => render(netns, '')));
    expect(asked).toHaveLength(1);
    for (const [index, text] of ['gone', '&lt;b&gt;$&amp;', ''].entries()) {
      expect(pages[index]?.text).toContain(`<strong><bdi>${text}</bdi></strong> is not in the last sample`);
    }
  });
});
