import { execFileSync } from 'node:child_process';
import { describe, expect, it, vi } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { SLOWNESS } from '../live/support/kernel.ts';
import { NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeLive } from '../live/support/privilege.ts';
import type { World } from '../live/support/world.ts';
import { expectHarmless, terminal } from '../reports/reports.ts';
import { firewall, incoming, missingFirewall, redirecting } from './support/firewall.ts';
import { itNeeding, missingTool } from './support/needs.ts';
import { nmap } from './support/nmap.ts';
import { expectOneLine } from './support/oneLine.ts';
import { type Ended, type How, run } from './support/program.ts';

// All ports, or silence that is waited for, on a machine that has more to do.
vi.setConfig({ testTimeout: 180_000 * SLOWNESS });

interface Scanned {
  readonly address: string;
  readonly isThisHost: boolean;
  readonly seconds: number;
  readonly interrupted: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly ports: readonly {
    readonly port: number;
    readonly state: string;
    readonly error?: string;
    readonly service?: string;
    readonly difference?: string;
    readonly listener?: { readonly address: string };
  }[];
}

/** What a program reads from `scan --json`. */
async function scan(args: readonly string[], how: How = {}): Promise<Scanned> {
  const { code, stdout, stderr } = await run(['scan', ...args, '--json'], how);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** `22 open`, and what differs from the listener table. */
function told({ ports }: Scanned): string[] {
  return ports
    .filter(({ state, difference }) => state !== 'closed' || difference !== undefined)
    .map(({ port, state, difference }) => [port, state, difference].filter(Boolean).join(' '));
}

/** Answers do not wait for a firewall's silence, and a busy machine's do not take as long. */
const PATIENCE = ['--timeout=2s'];

const missingNmap = missingFirewall ?? missingTool('nmap');
const missingTerminal = missingTool('bash') ?? missingTool('script');

describeLive('scan, in a network namespace with a firewall', () => {
  /** On every address. */
  function listen(world: World, ...ports: number[]): void {
    for (const port of ports) world.listen('::', port);
  }

  /** Every way in which a port can be kept from who asks. */
  function obstruct(world: World): void {
    // Else the kernel keeps some rejections to itself, now from one scanner, now from the other (icmp(7)).
    world.sysctl('net.ipv4.icmp_ratelimit', '0');
    world.sysctl('net.ipv6.icmp.ratelimit', '0');
    firewall(
      incoming(
        'tcp dport 8003 drop',
        'tcp dport 8004 reject with tcp reset',
        'tcp dport 8005 reject with icmpx type port-unreachable',
        'tcp dport 8006 reject with icmpx type admin-prohibited',
        'tcp dport 8007 reject with icmpx type host-unreachable',
        'tcp dport 8008 reject with icmpx type no-route',
      ),
      redirecting('tcp dport 8009 redirect to :22'),
    );
    for (const family of ['-4', '-6']) {
      const rule = (...words: string[]) => execFileSync('ip', [family, 'rule', ...words]);
      // What comes from here goes by the local table first: rules must stand above it.
      rule('add', 'pref', '10', 'lookup', 'local');
      rule('del', 'pref', '0', 'lookup', 'local');
      rule('add', 'pref', '1', 'ipproto', 'tcp', 'dport', '8010', 'prohibit');
      rule('add', 'pref', '1', 'ipproto', 'tcp', 'dport', '8011', 'unreachable');
      rule('add', 'pref', '1', 'ipproto', 'tcp', 'dport', '8012', 'blackhole');
    }
  }

  describe.each(['127.0.0.1', '::1'])('of %s', (address) => {
    itNeeding(missingNmap, 'equals nmap -sT: states and names', async () => {
      const world = newWorld();
      listen(world, 22, 80, 5432, 8001, 8003, 8004, 8005, 8006, 8010);
      obstruct(world);
      const ports = '20-25,80,443,5432,8000-8013';
      const [{ ports: ours }, theirs] = [
        await scan([address, '--ports', ports, ...PATIENCE]),
        nmap(address, ports),
      ];
      expect(ours.map(({ port, state, service }) => ({ port, state, service }))).toEqual(theirs);
      expect(theirs.filter(({ state }) => state === 'open').map(({ port }) => port)).toEqual([
        ...[22, 80, 5432, 8001, 8009],
      ]);
      expect(theirs.filter(({ state }) => state === 'filtered').map(({ port }) => port)).toEqual([
        ...[8003, 8006, 8007, 8008, 8010, 8011, 8012],
      ]);
      expect(theirs.find(({ port }) => port === 5432)?.service).toBe('postgresql');
    });

    itNeeding(missingFirewall, 'tells what listens but is unreachable, and what answers', async () => {
      const world = newWorld();
      listen(world, 22, 8001, 8003, 8004, 8006);
      obstruct(world);
      const found = await scan([address, '--ports=1-8999', ...PATIENCE]);
      expect(found.isThisHost).toBe(true);
      expect(told(found)).toEqual([
        ...['22 open', '8001 open', '8003 filtered unreachable', '8004 closed unreachable'],
        ...['8006 filtered unreachable', '8007 filtered', '8008 filtered', '8009 open noListener'],
        ...['8010 filtered', '8011 filtered', '8012 filtered'],
      ]);
    });
  });

  itNeeding(missingFirewall, 'shows a person what nobody would expect, and counts the rest', async () => {
    const world = newWorld();
    listen(world, 22, 8003);
    world.listen('::', 8013, { v6only: true });
    world.listen('127.0.0.9', 8014);
    firewall(incoming('tcp dport { 8003, 9001-9100 } drop'), redirecting('tcp dport 8009 redirect to :22'));
    const { code, stdout, stderr } = await run(['scan', '--ports=1-1024,8000-8999', '--timeout=2s']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [heading, unshown, gap, titles, ...rows] = stdout.trimEnd().split('\n');
    expect(heading).toMatch(/^localhost \(127\.0\.0\.1\), this host: 2024 ports in \d+\.\d s$/);
    expect([unshown, gap]).toEqual(['Not shown: 2020 closed', '']);
    expect(titles?.split(/ +/)).toEqual(['PORT', 'STATE', 'SERVICE', 'LISTENER', 'OWNER', 'NOTE']);
    expect(rows).toEqual([
      expect.stringMatching(/^ +22 +open +ssh +:: .* -$/),
      expect.stringMatching(/^8003 +filtered .* :: .* listens but is unreachable: no answer$/),
      expect.stringMatching(
        /^8009 +open .* answers without a listener here: NAT or another network namespace$/,
      ),
      expect.stringMatching(/^8013 +closed .* :: .* listens but is unreachable: IPv6 only$/),
    ]);
    const many = await run(['scan', '--ports=9001-9100', '--timeout=300ms']);
    expect(many.stdout).toMatch(/^.*\nNot shown: 100 filtered\n$/);
  });

  itNeeding(missingFirewall, 'tells what another namespace answers for an address of this one', async () => {
    const elsewhere = new NamedNamespace();
    const world = newWorld();
    execFileSync('ip', ['link', 'add', 'near', 'type', 'veth', 'peer', 'far', 'netns', elsewhere.name]);
    execFileSync('ip', ['address', 'add', '192.0.2.1/24', 'dev', 'near']);
    execFileSync('ip', ['link', 'set', 'near', 'up']);
    execFileSync('ip', ['-n', elsewhere.name, 'address', 'add', '192.0.2.2/24', 'dev', 'far']);
    execFileSync('ip', ['-n', elsewhere.name, 'link', 'set', 'far', 'up']);
    elsewhere.inside((other) => other.listen('0.0.0.0', 5432));
    world.listen('192.0.2.1', 22);
    firewall(redirecting('ip daddr 192.0.2.1 tcp dport 8009 dnat ip to 192.0.2.2:5432'));
    const ports = ['--ports=22,5432,8009', ...PATIENCE];
    const own = await scan(['192.0.2.1', ...ports]);
    expect([own.isThisHost, told(own)]).toEqual([true, ['22 open', '8009 open noListener']]);
    const other = await scan(['192.0.2.2', ...ports]);
    expect([other.isThisHost, told(other)]).toEqual([false, ['5432 open']]);
  });

  it('tells a listener whose accept queue is full', async () => {
    const world = newWorld();
    world.listen('127.0.0.1', 8001, { backlog: 0 });
    times(2, () => world.knock('127.0.0.1', 8001));
    const { stdout } = await run(['scan', '--ports=8001', '--timeout=300ms']);
    expect(stdout).toContain('listens but is unreachable: accept queue full (1/0)');
  });

  itNeeding(missingTool('nmap'), 'all ports, leaving nothing behind', async () => {
    const world = newWorld({ range: [32_768, 60_999] });
    listen(world, 22, 8080, 40_000);
    const found = await scan(['127.0.0.1', '--ports=all']);
    expect(told(found)).toEqual(['22 open', '8080 open', '40000 open']);
    expect(found.counts).toEqual({ open: 3, closed: 65_532, filtered: 0 });
    const startedAt = performance.now();
    expect(nmap('127.0.0.1', '1-65535').map(({ port }) => port)).toEqual([22, 8080, 40_000]);
    const nmapSeconds = (performance.now() - startedAt) / 1000;
    console.info(`65535 ports: ${found.seconds.toFixed(1)} s, nmap -sT ${nmapSeconds.toFixed(1)} s`);
    const left = execFileSync('ss', ['-tanH', 'state', 'time-wait'], { encoding: 'utf8' });
    expect(left).toBe('');
  });

  itNeeding(missingFirewall ?? missingTool('prlimit'), 'with few descriptors, only more slowly', async () => {
    newWorld();
    firewall(incoming('tcp dport 8000-8299 drop'));
    const launcher = ['prlimit', '--nofile=200:200'];
    const { counts } = await scan(['--ports=8000-8399', '--timeout=100ms'], { launcher });
    expect(counts).toEqual({ open: 0, closed: 100, filtered: 300 });
  });

  it('ends with one line where no local port is left: no port is called closed for that', async () => {
    const world = newWorld({ range: [40_000, 40_003] });
    for (let port = 40_000; port <= 40_003; port++) world.listen('127.0.0.9', port);
    expectOneLine(await run(['scan']), /^scanning 127\.0\.0\.1: no local port is left .*EADDRNOTAVAIL/);
  });

  itNeeding(missingFirewall ?? missingTool('bash'), 'ends at Ctrl-C with what it has', async () => {
    newWorld();
    firewall(incoming('tcp dport 9100-9300 drop'));
    const script =
      '"$@" & while kill -0 $! && [ "$(ss -tanH state syn-sent | wc -l)" -lt 16 ]; do sleep 0.05; done; ' +
      'kill -INT $!; wait $!; echo "ended with $?" >&2';
    const how: How = { launcher: ['bash', '-c', script, '--'] };
    const args = ['scan', '127.0.0.1', '--ports=9000-9300', '--timeout=10m', '--concurrency=16'];
    const { stdout, stderr } = await run(args, how);
    expect(stderr).toBe('ended with 130\n');
    expect(stdout).toMatch(
      /^127\.0\.0\.1, this host: interrupted after 100 of 301 ports in .* s\nNot shown: 100 closed\n$/,
    );
    const partly: Scanned = JSON.parse((await run([...args, '--json'], how)).stdout);
    expect(partly).toMatchObject({ interrupted: true, counts: { open: 0, closed: 100, filtered: 0 } });
  });

  describe('while it is waited for', () => {
    const slow = ['scan', '--ports=8000-8099', '--timeout=700ms'];

    function silence(): void {
      newWorld();
      firewall(incoming('tcp dport 8050 drop'));
    }

    async function onTerminal(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
      const command = `script -qec "stty cols 80; $(printf '%q ' "$@")" /dev/null`;
      return run(args, { launcher: ['bash', '-c', command, '--'], env: { TERM: 'xterm', ...env } });
    }

    const missing = missingFirewall ?? missingTerminal;

    itNeeding(missing, 'a bar moves on a terminal, and is gone at the end', async () => {
      silence();
      const { stdout } = await onTerminal(slow, { NO_COLOR: '1' });
      const [bars = '', report = ''] = stdout.split('\r\u001b[K');
      const drawn = bars.split('\r').slice(1);
      expect(drawn.length).toBeGreaterThan(1);
      for (const bar of drawn) {
        expect(bar).toMatch(/^\[#*-*\] +\d+ %, \d+ of 100 ports of 127\.0\.0\.1, 0 open.\[K$/);
      }
      expect(bars).toContain('\r[#######################-]  99 %, 99 of 100 ports');
      expectHarmless(report.replaceAll('\r\n', '\n'), terminal(80, false));
      expect(report).toContain('8050  filtered');
    });

    itNeeding(missing, 'nothing moves with --json, nor where the terminal cannot', async () => {
      silence();
      expect((await onTerminal([...slow, '--json'])).stdout).toMatch(/^\{\r\n/);
      expect((await onTerminal(slow, { TERM: 'dumb' })).stdout).toMatch(/^localhost/);
    });

    itNeeding(missingFirewall, 'nothing moves in a pipe', async () => {
      silence();
      const { stdout, stderr } = await run(slow, { env: { TERM: 'xterm' } });
      expect(stderr).toBe('');
      expectHarmless(stdout, { columns: undefined, hasColor: false });
    });
  });
});

describe('a scan that cannot be made is one line', () => {
  it.each([
    [['--ports=80-22'], '--ports: invalid value "80-22": expected the lower port first'],
    [
      ['--ports=22,http'],
      '--ports: invalid value "http": expected ports and ranges like 1-1024,8000-9000, all or usual',
    ],
    [['--ports=0-1'], '--ports: invalid value "0": expected a port from 1 to 65535'],
    [['--concurrency=0'], '--concurrency: invalid value "0": expected an integer from 1 to 10000'],
    [['--timeout=1'], '--timeout: invalid duration "1": expected one like 500ms, 15s or 1h30m'],
    [['127.0.0.1', '::1'], 'unexpected argument ::1; see --help'],
    [['127.0.0.1', '--ipv6'], '"127.0.0.1" has no IPv6 address'],
  ])('%j', async (args, line) => {
    expectOneLine(await run(['scan', ...args]), line);
  });

  it('for a host that nobody knows', async () => {
    expectOneLine(
      await run(['scan', 'nobody.invalid']),
      /^resolving "nobody\.invalid": getaddrinfo E\w+ nobody/,
    );
    expectOneLine(await run(['scan', '']), /^"" has no address$/);
  });
});
