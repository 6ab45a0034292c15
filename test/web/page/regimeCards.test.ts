import { describe, expect, it } from 'vitest';
import { RICH_NAMESPACE, sampled } from '../../metrics/snapshots.ts';
import { page, textOf } from './pages.ts';

describe('the card of a regime', () => {
  it('says of each regime how full it is, of which key, and what an application would see', async () => {
    const text = textOf(await page(sampled(RICH_NAMESPACE)));
    expect(text).toMatch(
      /TCP connect\(\) ok 5\.3 % 90 left of 95 10\.0\.0\.1 → 203\.0\.113\.1:443 then EADDRNOTAVAIL peak 50\.0 % in 1m/,
    );
    expect(text).toMatch(/TCP bind\(\) ok [\d.]+ % \d+ left of 95 on 10\.0\.0\.1 then EADDRINUSE/);
    expect(text).toMatch(/UDP connect\(\) ok [\d.]+ % \d+ left of 95 to any destination then EAGAIN/);
    expect(text).toMatch(/UDP bind\(\) ok [\d.]+ % \d+ left of 95 on [\d.]+ then EADDRINUSE/);
  });
});
