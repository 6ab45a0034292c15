import { describe, expect, it } from 'vitest';
import { EMPTY_NAMESPACE, RICH_NAMESPACE, sampled, withResults } from '../../metrics/snapshots.ts';
import { destinationOf, natNamespace, tableOf } from '../../status/snat.ts';
import { page, textOf } from './pages.ts';

const titleOf = (html: string) => /<title>(.*)<\/title>/.exec(html)?.[1];
const verdictOf = (html: string) => textOf(/<p id="verdict".*?<\/p>/s.exec(html)?.[0] ?? '').trim();
const LOSING = destinationOf({ ratio: 0.62, refusalRatio: 0.25 });

describe('the section of the NAT', () => {
  it('is there only where connections are translated', async () => {
    const without = withResults(RICH_NAMESPACE, { snat: undefined });
    expect(await page(sampled(without))).not.toContain('id="nat');
    expect(await page(sampled(RICH_NAMESPACE))).toContain('<h2 id="nat">Ports behind the NAT</h2>');
  });

  it('tells each protocol, the table, and the destinations with their ports', async () => {
    const text = textOf(await page(sampled(RICH_NAMESPACE)));
    expect(text).toContain('TCP 2 destinations 50.0 % 500 0.8 % 75.0 %');
    expect(text).not.toContain('UDP 0 destinations');
    expect(text).toContain(
      'conntrack table 1\u202f200 of 262\u202f144 entries 0.5 % 260\u202f944 \u2013 \u2013',
    );
    expect(text).toContain(
      '192.0.2.1:443 from 198.51.100.1 50.0 % 500 0.8 % 300 150 50 held by 10.0.0.5 400, others 100',
    );
    expect(text).toContain('1 more destination, with fewer ports.');
  });

  it('names the command for the destination that refuses most, and the range that it cannot know', async () => {
    const [full, losing] = [
      destinationOf({ ratio: 1, refusalRatio: 0 }),
      destinationOf({ ratio: 0.6, refusalRatio: 0.2, remotePort: 8443 }),
    ];
    const noteOf = async (rangePorts: number) => {
      const namespace = natNamespace('router', [full, losing]);
      const { snat } = namespace.results;
      const html = await page(
        sampled({
          ...namespace,
          results: { ...namespace.results, ...(snat && { snat: { ...snat, rangePorts } }) },
        }),
      );
      return /run port-exporter snat .*?(?= Refused)/.exec(textOf(html))?.[0].trim();
    };
    expect(await noteOf(64_512)).toBe('run port-exporter snat 192.0.2.1:8443 --netns=router');
    expect(await noteOf(1000)).toBe(
      'run port-exporter snat 192.0.2.1:8443 --netns=router with the --snat.ports of this exporter',
    );
  });

  it('draws what the ports of a destination are', async () => {
    const html = await page(sampled(RICH_NAMESPACE));
    const [, section = ''] = html.split('id="nat-destinations-scroll"');
    const widths = [...section.matchAll(/<rect class="fill ([a-z-]+)" x="[^"]*" width="([^"]*)"/g)];
    expect(widths.slice(0, 3).map(([, fill, width]) => [fill, width])).toEqual([
      ['established', '30.00%'],
      ['time-wait', '15.00%'],
      ['other', '5.00%'],
    ]);
  });

  it('tells zones and UDP apart, and rounds no share of refused packets to nothing', async () => {
    const tiny = destinationOf({ ratio: 0.6, refusalRatio: 1e-9, protocol: 'udp', zone: 7 });
    const text = textOf(await page(sampled(natNamespace('host', [tiny]))));
    expect(text).toContain('192.0.2.1:443 udp from 198.51.100.1 , zone 7 60.0 % near 400 &lt; 0.1');
  });

  it('shows what strangers chose as text', async () => {
    const html = await page(
      sampled(natNamespace('<b>', [destinationOf({ ratio: 1, refusalRatio: 1, natAddress: '<i>x' })])),
    );
    expect(html).not.toMatch(/<b>|<i>/);
    expect(textOf(html)).toContain('&lt;i&gt;x');
  });
});

describe('a page while a NAT loses packets', () => {
  it('does not begin with calls that are ok, and says what applications see', async () => {
    const html = await page(sampled(EMPTY_NAMESPACE, natNamespace('router', [LOSING])));
    expect(verdictOf(html)).toBe(
      'packets vanish router TCP behind the NAT to 192.0.2.1:443 : up to 25.0 % of new packets vanish Some new connections from 198.51.100.1 find no port: connect() takes 1 s or 3 s, or times out.',
    );
    expect(html).toContain('class="verdict level-exhausted"');
    expect(html).toContain('<h2 class="shown"><bdi>router</bdi></h2>');
    expect(titleOf(html)).toBe('NAT: packets vanish · db-7 · port-exporter');
    expect(html).not.toContain('id="nat-alarm"');
  });

  it('says that nobody is told where UDP is lost', async () => {
    const html = await page(sampled(natNamespace('router', [{ ...LOSING, protocol: 'udp' }])));
    expect(verdictOf(html)).toContain(
      'UDP behind the NAT to 192.0.2.1:443 : up to 25.0 % of new packets vanish',
    );
    expect(verdictOf(html)).toContain('find no port: datagrams are lost, and no sender is told.');
  });

  it('says of one destination what limits keep it from naming', async () => {
    const { netns, results, ...rest } = natNamespace('router', [{ ...LOSING, refusalRatio: 1 }]);
    const { snat } = results;
    if (snat === undefined) throw new Error('no NAT');
    const cut = { ...snat, destinations: { total: 1, fullest: [] } };
    const html = await page(sampled({ ...rest, netns, results: { ...results, snat: cut } }));
    expect(verdictOf(html)).toContain(
      'TCP behind the NAT to one destination: up to 100.0 % of new packets vanish New connections find no port:',
    );
  });

  it('says so on a line of its own where calls fail too', async () => {
    const { tcp } = RICH_NAMESPACE.results;
    const failing = withResults(RICH_NAMESPACE, { tcp: { ...tcp, connect: { ratio: 1, available: 0 } } });
    const html = await page(sampled(failing, natNamespace('router', [LOSING])));
    expect(verdictOf(html)).toContain('The next connect() call');
    expect(textOf(html)).toContain(
      'Packets vanish: router TCP behind the NAT to 192.0.2.1:443 : up to 25.0 % of new packets vanish',
    );
    expect(html).toContain('<a href="./?netns=router#nat">');
  });

  it('names three of many others, and counts the rest', async () => {
    const routers = Array.from({ length: 5 }, (_, index) => natNamespace(`router-${index}`, [LOSING]));
    const [, alarm = ''] = (await page(sampled(...routers))).split('id="nat-alarm"');
    const text = textOf(alarm.split('</p>')[0] ?? '');
    expect(text).toMatch(/router-1 .* router-2 .* router-3 .* 1 more/);
  });

  it('marks the namespace among the others', async () => {
    const text = textOf(await page(sampled(EMPTY_NAMESPACE, natNamespace('router', [LOSING]))));
    expect(text).toMatch(/router full dump, 0s old kernel disagrees NAT: packets vanish 0\.0 %/);
  });
});

describe('a page while a NAT is near', () => {
  it('says how many ports are left and what comes then', async () => {
    const html = await page(sampled(natNamespace('router', [destinationOf({ ratio: 0.62 })])));
    expect(verdictOf(html)).toBe(
      'near router TCP behind the NAT to 192.0.2.1:443 : 62.0 % of the ports used 380 ports left from 198.51.100.1 . As they run out, packets vanish: connect() takes 1 s or 3 s, or times out.',
    );
    expect(titleOf(html)).toBe('NAT: near · db-7 · port-exporter');
  });
});

describe('a page while the table of connections is full', () => {
  it.each([true, false])('says so, whether there is a NAT (%s) or not', async (isNat) => {
    const namespace = natNamespace('router', [destinationOf({ ratio: 0.1 })], tableOf(5000, 5000));
    const html = await page(sampled(isNat ? namespace : withResultsOf(namespace)));
    expect(verdictOf(html)).toBe(
      'packets vanish router conntrack table full 5\u202f000 of 5\u202f000 entries: packets of new connections vanish, and connect() takes 1 s or 3 s, or times out.',
    );
    expect(html).toContain(`<h2 id="nat">${isNat ? 'Ports behind the NAT' : 'Connection tracking'}</h2>`);
  });

  it('says how many entries are left before', async () => {
    const html = await page(sampled(natNamespace('router', [], tableOf(4600, 5000))));
    expect(verdictOf(html)).toContain('near router conntrack table 92.0 % full 400 entries left.');
  });
});

function withResultsOf(namespace: ReturnType<typeof natNamespace>) {
  const { snat: _, ...results } = namespace.results;
  return { ...namespace, results };
}
