import { describe, expect, it } from 'vitest';
import type { PortState, ScannedPort } from '../../src/scan/scan.ts';
import { compareWithListeners } from '../../src/scan/scanDifferences.ts';
import type { DescribedListener } from '../../src/snapshot/describedListener.ts';

const ERRORS = { open: undefined, closed: 'ECONNREFUSED', filtered: 'ETIMEDOUT' };

function scanned(state: PortState): ScannedPort {
  return { port: 80, state, error: ERRORS[state] };
}

function listener(address: string, more: Partial<DescribedListener> = {}): DescribedListener {
  return {
    ...{ protocol: 'tcp', address, port: 80, family: address.includes(':') ? 6 : 4, ipv6Only: false },
    ...{ acceptQueue: 0, acceptQueueLimit: 511, dropped: 0, connections: 0, inEphemeralRange: false },
    ...{ service: 'http', process: '', pid: undefined, user: '', owner: '' },
    ...more,
  };
}

/** What one port comes to with these listeners, there all the time. */
function difference(
  state: PortState,
  address: string,
  before: readonly DescribedListener[],
  after = before,
): string | undefined {
  return compareWithListeners([scanned(state)], address, before, after)[0]?.difference;
}

describe('a port that does not answer', () => {
  it.each(['closed', 'filtered'] as const)('is unreachable where somebody listens: %s', (state) => {
    for (const [address, listens] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.0.0.1', '0.0.0.0'],
      ['127.0.0.1', '::'],
      ['::ffff:127.0.0.1', '0.0.0.0'],
      ['::1', '::'],
      ['fe80::1%eth0', 'fe80::1'],
    ] as const) {
      expect(difference(state, address, [listener(listens)]), `${address} ${listens}`).toBe('unreachable');
    }
  });

  it('is no difference where who listens is bound elsewhere, to another port, or speaks UDP', () => {
    expect(difference('closed', '127.0.0.1', [listener('192.0.2.1'), listener('::1')])).toBeUndefined();
    expect(difference('closed', '::1', [listener('0.0.0.0'), listener('2001:db8::1')])).toBeUndefined();
    expect(difference('closed', '127.0.0.1', [listener('0.0.0.0', { port: 81 })])).toBeUndefined();
    expect(difference('closed', '127.0.0.1', [listener('0.0.0.0', { protocol: 'udp' })])).toBeUndefined();
  });

  it('is told apart where who listens takes IPv6 only', () => {
    const only = listener('::', { ipv6Only: true });
    expect(difference('closed', '127.0.0.1', [only])).toBe('ipv6Only');
    expect(difference('closed', '127.0.0.1', [only, listener('0.0.0.0')])).toBe('unreachable');
    expect(difference('closed', '::1', [only])).toBe('unreachable');
  });

  it('is no difference where who listens came or went meanwhile', () => {
    expect(difference('closed', '127.0.0.1', [], [listener('0.0.0.0')])).toBeUndefined();
    expect(difference('closed', '127.0.0.1', [listener('0.0.0.0')], [])).toBeUndefined();
  });
});

describe('a port that answers', () => {
  it('is nobody here where nobody listens on its address', () => {
    for (const elsewhere of [[], [listener('192.0.2.1')], [listener('::', { ipv6Only: true })]]) {
      expect(difference('open', '127.0.0.1', elsewhere)).toBe('noListener');
    }
    expect(difference('open', '::1', [listener('0.0.0.0')])).toBe('noListener');
  });

  it('is no difference where somebody does, or did a moment ago', () => {
    expect(difference('open', '127.0.0.1', [listener('::')])).toBeUndefined();
    expect(difference('open', '127.0.0.1', [], [listener('0.0.0.0')])).toBeUndefined();
    expect(difference('open', '127.0.0.1', [listener('0.0.0.0')], [])).toBeUndefined();
  });

  it('has the listener that the kernel would choose', () => {
    const all = [listener('127.0.0.1'), listener('0.0.0.0'), listener('::')];
    for (const listeners of [all, all.toReversed()]) {
      const [port] = compareWithListeners([scanned('open')], '127.0.0.1', listeners, listeners);
      expect(port?.listener?.address).toBe('127.0.0.1');
    }
    const wildcards = all.slice(1).toReversed();
    const [port] = compareWithListeners([scanned('open')], '127.0.0.1', wildcards, wildcards);
    expect(port?.listener?.address).toBe('0.0.0.0');
  });
});
