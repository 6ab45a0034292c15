import { afterEach, describe, expect, it, vi } from 'vitest';
import { RecordedHistory } from '../../../src/status/history.ts';
import { statusOf } from '../../../src/status/status.ts';
import { createStatusPage } from '../../../src/web/page/statusPage.ts';
import { RICH_NAMESPACE, sampled } from '../../metrics/snapshots.ts';
import { ASSETS, SAMPLED_AT } from './pages.ts';

describe('a page asked for many times at once', () => {
  afterEach(() => void vi.useRealTimers());

  it('is made once for each namespace, and again a moment later', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const asked: (string | undefined)[] = [];
    const { render } = createStatusPage({
      ...{
        hostname: 'db-7',
        telemetryPath: '/metrics',
        version: '1',
        revision: 'a',
        peakWindowMs: 1,
        assets: ASSETS,
      },
      status: (wanted) => {
        asked.push(wanted);
        return statusOf(sampled(RICH_NAMESPACE), new RecordedHistory(), {
          nowMs: SAMPLED_AT,
          bootMs: 0,
          wanted,
        });
      },
    });
    for (const netns of [undefined, undefined, undefined, 'host', 'host', undefined]) render(netns);
    expect(asked).toEqual([undefined, 'host', undefined]);
    vi.advanceTimersByTime(250);
    render(undefined);
    expect(asked).toHaveLength(4);
  });
});
