import { describe, expect, it } from 'vitest';
import { RICH_NAMESPACE, sampled, withResults } from '../../metrics/snapshots.ts';
import { page, textOf } from './pages.ts';

describe('the verdict', () => {
  it('says what the next call meets once nothing is left', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const text = textOf(
      await page(
        sampled(
          withResults(RICH_NAMESPACE, { tcp: { ...tcp, capacity: 0, connect: { ratio: 1, available: 0 } } }),
        ),
      ),
    );
    expect(text).toContain('TCP connect() 100.0 % The next connect() call fails with EADDRNOTAVAIL .');
  });

  it('says so where some ports may be blocked or not', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const connect = { ratio: 0.6, available: 38, availableAtLeast: 12 };
    const uncertain = { uncertain: 26, capacity: 38, capacityAtLeast: 12 };
    const text = textOf(
      await page(sampled(withResults(RICH_NAMESPACE, { tcp: { ...tcp, ...uncertain, connect } }))),
    );
    expect(text).toContain(
      'Between 12 and 38 more connect() calls succeed, then EADDRNOTAVAIL : some ports may be blocked.',
    );
    expect(text).toContain('\u2265 12 left of 95');
    expect(text).toContain('26 may be blocked');
    expect(text).toContain('12 available to a new destination');
  });
});
