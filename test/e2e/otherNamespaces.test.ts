import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { newHolder } from '../live/support/holder.ts';
import { NAME_PREFIX, NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeLive } from '../live/support/privilege.ts';
import { parseExposition, type Series } from '../support/exposition.ts';
import { itNeeding, missingNobody, missingTool, NOBODY } from './support/needs.ts';
import { Daemon, type How, run, withMounts } from './support/program.ts';
import { refusingSetns } from './support/refusingSetns.ts';

/** Names of the namespaces in which `collector` was tried, and whether it succeeded. */
function successOf(series: readonly Series[], collector: string): Record<string, number> {
  return Object.fromEntries(
    series
      .filter(
        ({ name, labels }) => name === 'port_exporter_sample_success' && labels['collector'] === collector,
      )
      .map(({ labels, value }) => [labels['netns'], value]),
  );
}

function linesWith(text: string, pattern: RegExp): string[] {
  return text.split('\n').filter((line) => pattern.test(line));
}

interface Scrape {
  readonly series: readonly Series[];
  /** Everything that was logged. */
  readonly log: string;
}

async function scrapedOnce(args: readonly string[], how: How = {}): Promise<Scrape> {
  const { code, stdout, stderr } = await run(['--once', ...args], how);
  expect(code, stderr).toBe(0);
  return { series: parseExposition(stdout), log: stderr };
}

/** After several rounds. */
async function scraped(args: readonly string[], how: How = {}): Promise<Scrape> {
  const daemon = await Daemon.started(['--sample.interval=20ms', '--sample.max-duty=1', ...args], how);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const answer = await daemon.get('/metrics');
  const ready = await daemon.get('/-/ready');
  expect(ready.status, ready.text).toBe(200);
  await daemon.end();
  return { series: parseExposition(answer.text), log: daemon.lines.join('\n') };
}

const BOTH = { '--once': scrapedOnce, 'as a daemon': scraped };
const CASES = Object.keys(BOTH) as (keyof typeof BOTH)[];
/** As root, but without those capabilities. */
const without = (capability: string) => [
  'setpriv',
  ...[`--bounding-set=-${capability}`, `--inh-caps=-${capability}`, '--'],
];
/** As nobody with those capabilities, in a mount namespace that `mounts` changed. */
const asNobodyWith = (capability: string, mounts: string) => [
  ...withMounts(mounts),
  'setpriv',
  ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
  ...[`--inh-caps=+${capability}`, `--ambient-caps=+${capability}`, '--'],
];

describeLive('the program sees other namespaces', () => {
  it.each(CASES)('by a regular expression of their names, and the own one: %s', async (how) => {
    const [wanted, unwanted] = [new NamedNamespace({ range: [40000, 40049] }), new NamedNamespace()];
    wanted.inside((world) => world.connect('127.0.0.1'));
    const { series } = await BOTH[how]([`--namespaces=${wanted.name}|nothing`]);
    const names = Object.keys(successOf(series, 'range'));
    expect(names).toHaveLength(2);
    expect(names).toContain(wanted.name);
    expect(names).not.toContain(unwanted.name);
    const usable = series.find(
      ({ name, labels }) => name === 'port_ephemeral_ports' && labels['netns'] === wanted.name,
    );
    expect(usable?.value).toBe(50);
  });

  it('only the own one with --namespaces=self, which asks for nothing', async () => {
    const { series, log } = await scrapedOnce(['--namespaces=self', '--processes.budget=0'], {
      launcher: without('sys_admin'),
    });
    expect(Object.keys(successOf(series, 'range'))).toHaveLength(1);
    expect(successOf(series, 'enter')).toEqual({});
    expect(log).toBe('');
  });
});

describeLive('where other namespaces are out of reach, the own one is sampled and one line says why', () => {
  const NEEDED = 'needs CAP_SYS_ADMIN: ';
  const NEEDED_BOTH = 'needs CAP_SYS_ADMIN, and CAP_SYS_PTRACE to find them: ';
  const HELD = 'denied although CAP_SYS_ADMIN is held (a security module, or another user namespace): ';

  async function expectOwnOnly(how: keyof typeof BOTH, launched: How, why: string): Promise<void> {
    const { series, log } = await BOTH[how](['--namespaces=all', '--sample.source=netlink'], launched);
    for (const collector of ['range', 'tcp', 'udp']) {
      expect(Object.values(successOf(series, collector))).toEqual([1]);
    }
    expect(Object.values(successOf(series, 'enter'))).toEqual([0]);
    const remedy = why === HELD ? '' : 'AmbientCapabilities= in a systemd unit grants it, ';
    expect(linesWith(log, /collector=enter/)).toEqual([
      expect.stringMatching(
        /level=warn msg="collector failed" netns=\S+ collector=enter error="only the own /,
      ),
    ]);
    expect(log).toContain(
      `"only the own network namespace is sampled: entering others: ${why}setns(): operation not permitted ` +
        `(EPERM); ${remedy}--namespaces=self disables this"`,
    );
  }

  it.each(CASES)('without CAP_SYS_ADMIN: %s', (how) =>
    expectOwnOnly(how, { launcher: without('sys_admin') }, NEEDED),
  );

  for (const how of CASES) {
    itNeeding(missingNobody, `as nobody: ${how}`, () => expectOwnOnly(how, { uid: NOBODY }, NEEDED_BOTH));
    itNeeding(missingTool('gcc'), `where setns() is refused by a filter: ${how}`, () =>
      expectOwnOnly(how, { launcher: refusingSetns() }, HELD),
    );
  }
});

describeLive('where BPF reads the tables, other namespaces need not be entered', () => {
  it.each(CASES)('without CAP_SYS_ADMIN all are sampled whole, but for their canary: %s', async (how) => {
    const named = new NamedNamespace();
    named.inside((world) => world.connect('127.0.0.1'));
    const { series, log } = await BOTH[how](['--namespaces=all'], { launcher: without('sys_admin') });
    expect(successOf(series, 'enter')[named.name]).toBe(1);
    expect(successOf(series, 'tcp')[named.name]).toBe(1);
    expect(successOf(series, 'canary')).not.toHaveProperty(named.name);
    const ofNamed = series.filter(({ labels }) => labels['netns'] === named.name);
    const shown = (name: string) => ofNamed.find((one) => one.name === name)?.value;
    expect(shown('port_exporter_sample_detail')).toBe(1);
    expect(shown('port_destinations')).toBe(1);
    expect(log).not.toContain(named.name);
  });
});

describeLive('where some namespaces cannot be found, one line says why, and the others are sampled', () => {
  async function expectFound(
    how: keyof typeof BOTH,
    launcher: readonly string[],
    why: RegExp,
  ): Promise<void> {
    const named = new NamedNamespace();
    await newHolder();
    const { series, log } = await BOTH[how](['--namespaces=all'], { launcher });
    const entered = successOf(series, 'enter');
    expect(entered[named.name]).toBe(/EACCES/.test(why.source) ? undefined : 1);
    const [own = ''] = Object.entries(successOf(series, 'udp')).flat();
    expect(entered[own]).toBe(0);
    const lines = linesWith(log, /collector=enter/);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(why);
  }

  for (const how of CASES) {
    itNeeding(missingNobody, `/proc with hidepid: ${how}`, () =>
      expectFound(
        how,
        asNobodyWith('sys_admin', 'mount -t proc -o hidepid=2 proc /proc'),
        /\/proc hides processes \(hidepid=\): needs CAP_SYS_PTRACE/,
      ),
    );
    itNeeding(missingNobody, `links of /proc that are not ours to read: ${how}`, () =>
      expectFound(how, asNobodyWith('sys_admin', 'true'), /<pid>\/ns\/net: needs CAP_SYS_PTRACE: pid \d+/),
    );
    itNeeding(missingNobody, `/run/netns that is not ours to read: ${how}`, () =>
      expectFound(
        how,
        asNobodyWith('sys_admin', 'mount -t tmpfs -o mode=700 tmpfs /run/netns'),
        /reading the directory \/run\/netns: permission denied \(EACCES\)/,
      ),
    );
  }

  it.each(CASES)('a name behind which is no namespace is none: %s', async (how) => {
    const launcher = withMounts(`touch /run/netns/${NAME_PREFIX}x`);
    new NamedNamespace();
    const { series } = await BOTH[how]([`--namespaces=${NAME_PREFIX}x`], { launcher });
    execFileSync('rm', ['-f', `/run/netns/${NAME_PREFIX}x`]);
    expect(Object.keys(successOf(series, 'enter'))).toHaveLength(1);
  });
});

describeLive('where some namespaces may not be entered, each is one line', () => {
  // Privileged towards its own namespaces alone, of which there are two.
  const LAUNCHER = [
    ...['unshare', '--user', '--map-root-user', '--net', 'sh', '-c'],
    ...['setpriv --pdeathsig KILL unshare --net sleep 1000 & sleep 0.3; exec "$@"', 'sh'],
  ];
  const OURS = `--namespaces=${NAME_PREFIX}.*|net:.*`;

  function expectOneLineEach(refused: readonly NamedNamespace[], log: string): void {
    for (const { name, path } of refused) {
      expect(linesWith(log, new RegExp(`netns=${name}`))).toEqual([
        expect.stringContaining(
          `level=warn msg="collector failed" netns=${name} collector=enter error="entering ${path}: setns(): operation not permitted (EPERM)`,
        ),
      ]);
    }
  }

  it('and the others are sampled', async () => {
    const refused = [new NamedNamespace(), new NamedNamespace()];
    const { series, log } = await scrapedOnce([OURS], { launcher: LAUNCHER });
    for (const { name } of refused) {
      expect(successOf(series, 'enter')[name]).toBe(0);
      expect(successOf(series, 'tcp')).not.toHaveProperty(name);
    }
    expect(Object.values(successOf(series, 'tcp'))).toEqual([1, 1]);
    expectOneLineEach(refused, log);
  });

  it('however many rounds there are', async () => {
    const refused = [new NamedNamespace(), new NamedNamespace()];
    const flags = ['--sample.interval=20ms', '--sample.max-duty=1', OURS];
    const daemon = await Daemon.started(flags, { launcher: LAUNCHER });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await daemon.end();
    expectOneLineEach(refused, daemon.lines.join('\n'));
  });
});
