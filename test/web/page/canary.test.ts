import { describe, expect, it } from 'vitest';
import type { Results } from '../../../src/snapshot/results.ts';
import { RICH_NAMESPACE, sampled, withResults } from '../../metrics/snapshots.ts';
import { page, textOf } from './pages.ts';

describe("the kernel's own word", () => {
  const [answer] = RICH_NAMESPACE.results.canary;
  if (answer === undefined) throw new Error('not asked');
  const agreeing = { ...answer, succeeded: true, seconds: 0.000_012, error: undefined, disagrees: false };
  const canaryOf = (...canary: Results['canary']) => sampled(withResults(RICH_NAMESPACE, { canary }));

  it('is one line of how long it took while it gives ports', async () => {
    const text = textOf(
      await page(canaryOf(agreeing, { ...agreeing, protocol: 'udp', family: 'ipv6', seconds: 0.0015 })),
    );
    expect(text).toContain(
      'Canary: the kernel gave a port on loopback: TCP IPv4 in 12\u202fµs UDP IPv6 in 1.5\u202fms Ports behind the NAT',
    );
    expect(text).not.toContain('disagree');
  });

  it('is a refusal with its errno, in the colour of exhaustion, and no contradiction where none is left', async () => {
    const refused = { ...agreeing, succeeded: false, error: 'EADDRINUSE', calculated: 0 };
    const html = await page(canaryOf(refused, { ...agreeing, family: 'ipv6' }));
    expect(textOf(html)).toMatch(
      /the kernel answered on loopback: TCP IPv4 refused: EADDRINUSE in 12\u202fµs TCP IPv6 gave a port in 12\u202fµs/,
    );
    expect(html).toContain('level-exhausted">refused: <code>EADDRINUSE</code>');
    expect(textOf(html)).not.toContain('disagree');
  });

  it('is said loudly, with the numbers, where it contradicts the calculation', async () => {
    const refused = { ...agreeing, succeeded: false, error: 'EADDRINUSE', calculated: 1234 };
    const given = { ...agreeing, family: 'ipv6', calculated: 0 } as const;
    const html = await page(
      canaryOf(
        { ...refused, disagrees: true, disagreements: 2 },
        { ...given, disagrees: true, disagreements: 1 },
      ),
    );
    expect(html).toContain('<div id="disagreement" class="problem" role="alert">');
    expect(textOf(html)).toMatch(
      /The kernel disagrees: TCP IPv4 refused a port on loopback with EADDRINUSE , although 1\u202f234 were calculated to be available; TCP IPv6 gave a port on loopback, although none was calculated to be available\./,
    );
    expect(textOf(html)).toContain('3 disagreements so far');
  });

  it('that contradicts is marked on other namespaces too', async () => {
    const other = withResults(
      { ...RICH_NAMESPACE, netns: 'pod' },
      { canary: [{ ...agreeing, disagrees: true }] },
    );
    const html = await page(sampled(withResults(RICH_NAMESPACE, { canary: [] }), other), {}, '/?netns=host');
    expect(html).not.toContain('id="disagreement"');
    expect(textOf(html)).toMatch(/pod full dump, 0s old kernel disagrees/);
  });

  it('is absent where the kernel was not asked, or has no address', async () => {
    const none = { ...agreeing, succeeded: undefined, seconds: undefined };
    for (const state of [canaryOf(), canaryOf(none)]) expect(await page(state)).not.toContain('id="canary"');
  });
});
