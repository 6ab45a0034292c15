import { describe, expect, it } from 'vitest';
import { EMPTY_NAMESPACE, RICH_NAMESPACE, sampled, withResults } from '../../metrics/snapshots.ts';
import { page, textOf } from './pages.ts';

describe('destinations on the page', () => {
  it('has the whole command that explains the fullest destination, namespace included', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const [first] = tcp?.destinations.fullest ?? [];
    if (tcp === undefined || first === undefined) throw new Error('no destination');
    const destinations = { total: 1, fullest: [{ ...first, remoteAddress: '2001:db8::7', remotePort: 443 }] };
    const inPod = withResults(
      { ...RICH_NAMESPACE, netns: 'net:[4026532]' },
      { tcp: { ...tcp, destinations } },
    );
    const text = textOf(await page(sampled(inPod))).replaceAll('&#39;', "'");
    expect(text).toContain(" port-exporter explain '[2001:db8::7]:443' --netns='net:[4026532]' ");
    expect(textOf(await page(sampled(EMPTY_NAMESPACE)))).not.toContain('port-exporter explain');
  });

  it('names those who hold the ports of a destination, most first, and adds up the rest', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const owners = ['unattributed', 'web.service', 'batch.service', 'cron.service', 'ssh.service'].map(
      (owner, index) => ({
        ...{ owner, ports: 2000 - index, established: 0, timeWait: 0, closeWait: 0, other: 0 },
      }),
    );
    const fullest = tcp.destinations.fullest.map((destination) => ({ ...destination, owners }));
    const text = textOf(
      await page(
        sampled(withResults(RICH_NAMESPACE, { tcp: { ...tcp, destinations: { total: 1, fullest } } })),
      ),
    );
    expect(text).toContain(
      'held by unattributed 2\u202f000, web.service 1\u202f999, batch.service 1\u202f998, others 3\u202f993',
    );
  });

  it('groups the digits of counts and not those of ports', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const [first] = tcp.destinations.fullest;
    if (first === undefined) throw new Error('no destination');
    const large = { ...first, remotePort: 54_321, available: 12_345 };
    const text = textOf(
      await page(
        sampled(
          withResults(RICH_NAMESPACE, { tcp: { ...tcp, destinations: { total: 1, fullest: [large] } } }),
        ),
      ),
    );
    expect(text).toContain(':54321');
    expect(text).toContain('12\u202f345');
  });
});
