import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExporterError } from '../../src/base/errors.ts';
import type { Invocation } from '../../src/cli/command.ts';
import { parseCommandLine } from '../../src/cli/commandLine.ts';
import { OPTION_FLAGS, type Options } from '../../src/cli/options.ts';
import type { Query } from '../../src/cli/query.ts';
import { environmentVariable } from '../../src/cli/readFlags.ts';

async function options(argv: readonly string[], environment: Record<string, string> = {}): Promise<Options> {
  const invocation = await parseCommandLine(argv, environment);
  if (invocation.kind !== 'run' && invocation.kind !== 'once')
    throw new Error(`does not run: ${JSON.stringify(invocation)}`);
  return invocation.options;
}

async function query(argv: readonly string[], environment: Record<string, string> = {}): Promise<Query> {
  const invocation = await parseCommandLine(argv, environment);
  if (invocation.kind !== 'query') throw new Error(`asks nothing: ${JSON.stringify(invocation)}`);
  return invocation.query;
}

async function printed(argv: readonly string[]): Promise<string> {
  const invocation = await parseCommandLine(argv, {});
  if (invocation.kind !== 'print') throw new Error('nothing printed');
  return invocation.text;
}

/** Every flag, something that is not its default, and a value that does not fit. */
const FLAGS: readonly (readonly [flag: string, value: string, changed: object, bad: string])[] = [
  ['web.listen-address', '[::1]:1', { web: { listenAddresses: [{ host: '::1', port: 1 }] } }, '10069'],
  ['web.telemetry-path', '/m', { web: { telemetryPath: '/m' } }, '/-/m'],
  ['web.config.file', '/etc/web.yml', { web: { configFile: '/etc/web.yml' } }, ''],
  ['web.max-requests', '0', { web: { maxRequests: 0 } }, '-1'],
  ['web.allowed-hosts', '.Example.org', { web: { allowedHosts: ['.example.org'] } }, 'a b'],
  [
    'web.dashboard-url',
    'https://grafana.example/d/x?var-instance=db-7:1',
    { web: { dashboardUrl: 'https://grafana.example/d/x?var-instance=db-7:1' } },
    'javascript:x',
  ],
  ['web.runbook-url', 'http://wiki/ports', { web: { runbookUrl: 'http://wiki/ports' } }, '/ports'],
  ['sample.interval', '500ms', { sampling: { intervalMs: 500 } }, '5'],
  ['sample.max-duty', '1', { sampling: { maxDuty: 1 } }, '0'],
  ['sample.source', 'procfs', { sampling: { source: 'procfs' } }, 'proc'],
  ['destinations.limit', '7', { sampling: { limits: { destinations: 7 } } }, 'many'],
  ['local-addresses.limit', '8', { sampling: { limits: { localAddresses: 8 } } }, '-1'],
  ['listeners.limit', '9', { sampling: { limits: { listeners: 9 } } }, '1e9'],
  ['owners.limit', '0', { sampling: { limits: { owners: 0 } } }, 'all'],
  ['snat.limit', '0', { sampling: { limits: { snat: 0 } } }, 'all'],
  [
    'snat.ports',
    '2001:DB8:0::1=1024-2047',
    { sampling: { snatPorts: [{ name: '2001:db8::1', first: 1024, last: 2047 }] } },
    '2048-1024',
  ],
  ['processes.budget', '0', { sampling: { processBudgetMs: 0 } }, '2d'],
  ['namespaces', 'web-.*', { sampling: { namespaces: /^(?:web-.*)$/u } }, ']'],
  ['namespaces.limit', '3', { sampling: { namespacesLimit: 3 } }, 'all'],
  ['namespaces.full-dump-above', '0', { sampling: { fullDumpAbove: 0 } }, '2'],
  [
    'probe',
    'tcp://[2001:db8::1]:443',
    { probes: { targets: [{ name: 'tcp://[2001:db8::1]:443', host: '2001:db8::1', port: 443 }] } },
    'db:5432',
  ],
  ['probe.file', '/etc/probes.yml', { probes: { file: '/etc/probes.yml' } }, ''],
  ['peak.window', '1h30m', { sampling: { peakWindowMs: 5_400_000 } }, '0'],
  ['path.procfs', '/host/proc', { sampling: { procfs: '/host/proc' } }, ''],
  ['path.sysfs', '/host/sys', { sampling: { sysfs: '/host/sys' } }, ''],
  ['log.level', 'debug', { log: { level: 'debug' } }, 'loud'],
  ['log.format', 'json', { log: { format: 'json' } }, 'xml'],
  ['debug.record', '/tmp/recording', { sampling: { recordFile: '/tmp/recording' } }, ''],
];

const SWITCHES: readonly (readonly [flag: string, isOn: (options: Options) => boolean])[] = [
  ['web.systemd-socket', ({ web }) => web.systemdSocket],
  ['web.disable-exporter-metrics', ({ web }) => !web.exporterMetrics],
  ['no-web.page', ({ web }) => !web.page],
  ['no-canary', ({ sampling }) => !sampling.canary],
  ['no-refusals', ({ sampling }) => !sampling.countsRefusals],
  ['once', ({ sampling }) => !sampling.hasBudget],
];
/** They end in something else than options. */
const ELSEWHERE = ['config.check'];
const REPEATABLE = ['web.listen-address', 'web.allowed-hosts', 'probe', 'snat.ports'];

describe('without flags', () => {
  it('the defaults hold', async () => {
    expect(await options([])).toEqual({
      web: {
        listenAddresses: [{ port: 10_069 }],
        systemdSocket: false,
        telemetryPath: '/metrics',
        configFile: undefined,
        maxRequests: 40,
        allowedHosts: [],
        exporterMetrics: true,
        page: true,
        dashboardUrl: undefined,
        runbookUrl: undefined,
      },
      sampling: {
        ...{ intervalMs: 5_000, maxDuty: 0.05, source: 'auto', hasBudget: true, peakWindowMs: 60_000 },
        limits: { destinations: 20, localAddresses: 20, listeners: 500, owners: 20, snat: 20 },
        snatPorts: [],
        ...{ processBudgetMs: 100, destinationOwners: true, keepsConnections: false, canary: true },
        countsRefusals: true,
        ...{ namespaces: 'all', namespacesLimit: 500, fullDumpAbove: 0.05 },
        ...{ procfs: '/proc', sysfs: '/sys', recordFile: undefined },
      },
      probes: { targets: [], file: undefined },
      log: { level: 'info', format: 'logfmt' },
    });
  });

  it('and every flag is in the tests below', () => {
    const tested = [...FLAGS.map(([flag]) => flag), ...SWITCHES.map(([flag]) => flag), ...ELSEWHERE];
    expect(tested.sort()).toEqual(Object.keys(OPTION_FLAGS).sort());
  });

  it('the options are frozen throughout', async () => {
    const { web, sampling, log, ...rest } = await options([]);
    for (const part of [web, web.listenAddresses, ...web.listenAddresses, sampling, log]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(rest).toBeDefined();
    expect(Object.isFrozen(await options([]))).toBe(true);
  });
});

describe.each(FLAGS)('--%s', (flag, value, changed, bad) => {
  const variable = environmentVariable(flag);

  it('changes its own option and no other', async () => {
    const defaults = await options([]);
    const changedOptions = await options([`--${flag}=${value}`]);
    expect(changedOptions).toMatchObject(changed);
    expect(changedOptions).not.toEqual(defaults);
    expect(await options([`--${flag}`, value])).toEqual(changedOptions);
  });

  it('comes from the environment too', async () => {
    expect(await options([], { [variable]: value })).toEqual(await options([`--${flag}=${value}`]));
  });

  it('beats the environment, even one that does not fit', async () => {
    expect(await options([`--${flag}=${value}`], { [variable]: 'no/such value' })).toMatchObject(changed);
  });

  it('is unset by an empty variable', async () => {
    expect(await options([], { [variable]: '' })).toEqual(await options([]));
  });

  it('with a bad value is named with it, as the flag or as the variable', async () => {
    const line = new RegExp(`^--${flag}: invalid [a-z ]+ ${JSON.stringify(bad)}: expected [^\\n]+$`);
    await expect(parseCommandLine([`--${flag}=${bad}`], {})).rejects.toThrow(line);
    if (bad === '') return;
    const variableLine = new RegExp(
      `^${variable}: invalid [a-z ]+ ${JSON.stringify(bad)}: expected [^\\n]+$`,
    );
    await expect(parseCommandLine([], { [variable]: bad })).rejects.toThrow(variableLine);
  });

  it('needs a value', async () => {
    for (const argv of [[`--${flag}`], [`--${flag}`, '--once'], [`--${flag}=`]]) {
      await expect(parseCommandLine(argv, {})).rejects.toThrow(
        new RegExp(`^--${flag}: invalid [a-z ]+ "": `),
      );
    }
  });
});

describe.each(FLAGS.filter(([flag]) => !REPEATABLE.includes(flag)))('--%s', (flag, value) => {
  it('is refused when given twice', async () => {
    await expect(parseCommandLine([`--${flag}=${value}`, `--${flag}=${value}`], {})).rejects.toThrow(
      new ExporterError(`--${flag}: cannot be repeated: "${value}", "${value}"`),
    );
  });
});

describe('--web.listen-address', () => {
  const both = [{ port: 1 }, { host: '::1', port: 2 }];

  it('may be repeated', async () => {
    const { web } = await options(['--web.listen-address=:1', '--web.listen-address', '[::1]:2']);
    expect(web.listenAddresses).toEqual(both);
  });

  it('has commas between several addresses in the environment', async () => {
    const { web } = await options([], { PORT_EXPORTER_WEB_LISTEN_ADDRESS: ':1, [::1]:2' });
    expect(web.listenAddresses).toEqual(both);
  });
});

describe('--probe', () => {
  it('may be repeated', async () => {
    const { probes } = await options(['--probe=tcp://a:1', '--probe', 'tcp://b:2']);
    expect(probes.targets).toEqual([
      { name: 'tcp://a:1', host: 'a', port: 1, intervalMs: 15_000, timeoutMs: 5_000 },
      { name: 'tcp://b:2', host: 'b', port: 2, intervalMs: 15_000, timeoutMs: 5_000 },
    ]);
    expect((await options([], { PORT_EXPORTER_PROBE: 'tcp://a:1, tcp://b:2' })).probes).toEqual(probes);
  });

  it('is refused when the same is given twice', async () => {
    await expect(parseCommandLine(['--probe=tcp://a:1', '--probe=tcp://a:1'], {})).rejects.toThrow(
      new ExporterError('--probe: duplicate value "tcp://a:1"'),
    );
  });
});

describe.each(SWITCHES)('--%s', (flag, isOn) => {
  const variable = environmentVariable(flag);

  it('takes no value', async () => {
    expect(isOn(await options([`--${flag}`]))).toBe(true);
    await expect(parseCommandLine([`--${flag}=maybe`], {})).rejects.toThrow(ExporterError);
  });

  it.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
    ['', false],
  ])('is %j in the environment → %s', async (text, expected) => {
    expect(isOn(await options([], { [variable]: text }))).toBe(expected);
  });

  it('is nothing else in the environment', async () => {
    await expect(parseCommandLine([], { [variable]: 'maybe' })).rejects.toThrow(
      new ExporterError(`${variable}: invalid value "maybe": expected true or false`),
    );
  });
});

describe('the environment', () => {
  it('may hold what Kubernetes puts there for a service of this name', async () => {
    const environment = {
      PORT_EXPORTER_SERVICE_HOST: '10.0.0.1',
      PORT_EXPORTER_SERVICE_PORT: '10069',
      PORT_EXPORTER_PORT: 'tcp://10.0.0.1:10069',
      PORT_EXPORTER_PORT_10069_TCP_ADDR: '10.0.0.1',
    };
    expect(await options([], environment)).toEqual(await options([]));
  });
});

describe('--version', () => {
  it('prints what other programs of Prometheus do', async () => {
    expect(await printed(['--version'])).toMatch(
      /^port-exporter, version \d+\.\d+\.\d+\S* \(revision: \w+\)\n {2}node version: +v[\d.]+\n {2}platform: +linux\/\w+$/,
    );
  });
});

describe('--help', () => {
  it.each([[[]], [['listeners']], [['probe']]])('is -h as well: %j', async (words) => {
    const help = await printed([...words, '--help']);
    expect(help).toMatch(/-h, --help +Show help and exit/);
    expect(await printed([...words, '-h'])).toBe(help);
  });

  it('shows every flag with its default, and the environment, in at most 100 columns', async () => {
    const help = await printed(['--help']);
    for (const [name, flag] of Object.entries(OPTION_FLAGS)) {
      expect(help.includes(`--${name} `)).toBe(name !== 'debug.record');
      if (!flag.isSwitch && flag.default !== '') expect(help).toContain(`[default: ${flag.default}]`);
    }
    expect(help).toContain('PORT_EXPORTER_WEB_LISTEN_ADDRESS');
    expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});

describe('a question', () => {
  it.each(['listeners', 'destinations', 'explain', 'scan'])(
    '%s asks once, of everything there is',
    async (command) => {
      const { options: asked, asJson } = await query([command]);
      expect(asJson).toBe(false);
      const everything = command === 'destinations' ? 20 : Number.MAX_SAFE_INTEGER;
      const listeners = Number.MAX_SAFE_INTEGER;
      expect(asked.sampling.limits).toMatchObject({ destinations: everything, listeners });
      expect((await query([command, '--json'])).asJson).toBe(true);
    },
  );

  it('takes where to read from, from its flags or the environment', async () => {
    const flags = ['--sample.source=procfs', '--path.procfs=/p', '--path.sysfs=/s', '--log.level=debug'];
    const wanted = {
      sampling: { source: 'procfs', procfs: '/p', sysfs: '/s' },
      log: { level: 'debug' },
    };
    expect((await query(['listeners', ...flags])).options).toMatchObject(wanted);
    const environment = {
      PORT_EXPORTER_SAMPLE_SOURCE: 'procfs',
      PORT_EXPORTER_PATH_PROCFS: '/p',
      PORT_EXPORTER_PATH_SYSFS: '/s',
      PORT_EXPORTER_LOG_LEVEL: 'debug',
      PORT_EXPORTER_JSON: 'true',
    };
    const asked = await query(['listeners'], environment);
    expect(asked.options).toMatchObject(wanted);
    expect(asked.asJson).toBe(true);
  });

  it('is asked whatever else the environment says', async () => {
    expect((await query(['listeners'], { PORT_EXPORTER_WEB_LISTEN_ADDRESS: 'nonsense' })).asJson).toBe(false);
  });

  it('looks for processes only where they are shown', async () => {
    expect((await query(['listeners'])).options.sampling.processBudgetMs).toBeGreaterThan(1000);
    expect((await query(['explain'])).options.sampling.processBudgetMs).toBe(0);
    expect((await query(['scan'])).options.sampling.processBudgetMs).toBe(0);
  });

  it('is asked in the namespace that it names, if any', async () => {
    expect((await query(['listeners'])).netns).toBeUndefined();
    for (const command of ['listeners', 'destinations', 'explain', 'scan'])
      expect((await query([command, '--netns=web'])).netns).toBe('web');
    expect((await query(['explain'], { PORT_EXPORTER_NETNS: '812' })).netns).toBe('812');
    for (const command of ['listeners', 'destinations', 'explain'])
      expect((await query([command, '--netns', 'all'])).netns).toBe('all');
  });

  it.each([['scan'], ['probe', 'localhost', '80']])('%s comes from one namespace', async (...argv) => {
    await expect(parseCommandLine([...argv, '--netns=all'], {})).rejects.toThrow(
      new ExporterError(
        '--netns: invalid value "all": expected NAME or PID, since a connection is made from one namespace',
      ),
    );
  });

  it('connects only where it scans, and then from the threads of the namespace', async () => {
    expect((await query(['scan'])).connects).toBe(true);
    expect((await query(['explain'])).connects).toBe(false);
  });

  it('takes a limit of its own', async () => {
    expect((await query(['destinations', '--limit=3'])).options.sampling.limits.destinations).toBe(3);
    await expect(query(['destinations', '--limit=-1'])).rejects.toThrow(
      new ExporterError('--limit: invalid value "-1": expected an integer from 0 to 100000'),
    );
  });

  it.each([
    [
      ['listeners', 'nosuch'],
      'invalid filter "nosuch": expected PORT or state, sport, src, owner, process, user with a value',
    ],
    [['destinations', 'dport'], 'dport: has no value'],
    [
      ['destinations', '--sort=size'],
      '--sort: invalid value "size": expected one of from, to, estab, time-wait, other, reusable, left, used',
    ],
    [['listeners', '0'], 'invalid value "0": expected a port from 1 to 65535'],
    [['explain', '192.0.2.1'], 'invalid value "192.0.2.1": expected ADDRESS:PORT or [IPV6]:PORT'],
    [['explain', '2001:db8::1:443'], 'invalid value "2001:db8::1:443": expected ADDRESS:PORT or [IPV6]:PORT'],
    [['scan', '--ports=9-1'], '--ports: invalid value "9-1": expected the lower port first'],
    [['explain', '192.0.2.1:0'], 'invalid value "0": expected a port from 1 to 65535'],
  ])('%j is one line', async (argv, line) => {
    await expect(parseCommandLine(argv, {})).rejects.toThrow(new ExporterError(line));
  });

  it.each(['listeners', 'destinations', 'explain', 'refusals', 'scan', 'probe'])(
    '%s has a help of its own, in at most 100 columns',
    async (command) => {
      const help = await printed([command, '--help']);
      expect(help).toContain('--json');
      expect(help).toContain('--netns');
      expect(help).not.toContain('--web.listen-address ');
      expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
      expect(await printed(['--help'])).toContain(`port-exporter ${command}`);
    },
  );
});

describe('a probe', () => {
  it.each([
    [['localhost', '0'], 'invalid value "0": expected a port from 1 to 65535'],
    [
      ['localhost', 'nosuch'],
      'invalid value "nosuch": expected a port from 1 to 65535 or the name of a service',
    ],
    [['', '80'], 'invalid value "": expected a host name or an IP address'],
    [
      ['127.0.0.1', '80', '--source=::1'],
      'invalid value "::1": expected an IPv4 address, the family of 127.0.0.1',
    ],
    [
      ['127.0.0.1', '80', '--source=eth0'],
      '--source: invalid value "eth0": expected an IP address of this host',
    ],
    [['127.0.0.1', '80', '--timeout=0'], '--timeout: invalid value "0": expected a duration from 1ms to 1d'],
    [['127.0.0.1'], 'missing argument: expected probe <host> <port>; see --help'],
  ])('of %j is one line', async (argv, line) => {
    await expect(parseCommandLine(['probe', ...argv], {})).rejects.toThrow(new ExporterError(line));
  });

  it('prints JSON where it is told to', async () => {
    expect(await parseCommandLine(['probe', 'localhost', '80'], {})).toMatchObject({ asJson: false });
    expect(await parseCommandLine(['probe', '::1', '80', '--json'], {})).toMatchObject({
      ...{ kind: 'report', asJson: true },
    });
  });
});

describe('refusals', () => {
  it('are watched for a while, or until the end', async () => {
    for (const argv of [[], ['--for=1m'], ['--follow'], ['--netns=all', '--json']])
      expect(await parseCommandLine(['refusals', ...argv], {})).toMatchObject({ kind: 'watch' });
  });

  it.each([
    [['--follow', '--for=5s'], '--for: not with --follow, which ends with Ctrl-C'],
    [['--for=0'], '--for: invalid value "0": expected a duration from 1ms to 1d'],
    [['--for=ten'], '--for: invalid duration "ten": expected one like 500ms, 15s or 1h30m'],
  ])('%j is one line', async (argv, line) => {
    await expect(parseCommandLine(['refusals', ...argv], {})).rejects.toThrow(new ExporterError(line));
  });
});

/** The compiler refuses it when a kind is missing. */
const KINDS: Readonly<Record<Invocation['kind'], true>> = {
  run: true,
  once: true,
  query: true,
  report: true,
  watch: true,
  print: true,
};

describe('a usage error', () => {
  it.each([
    [['--sample=1'], 'unknown flag --sample'],
    [['--no-once'], 'unknown flag --no-once'],
    [['-x'], 'unknown flag -x'],
    [['serve'], 'unknown command serve'],
    [['scan', '80', '443'], 'unexpected argument 443'],
    [['refusals', '80'], 'unexpected argument 80'],
    [['listeners', '--once'], 'unknown flag --once'],
    [['--json'], 'unknown flag --json'],
    [['--', 'serve'], 'unknown command serve'],
    [['--a', '--b'], 'unknown flag --a'],
  ])('of %j is one line that names it', async (argv, named) => {
    const failure = await parseCommandLine(argv, {}).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(ExporterError);
    expect(String(failure)).toBe(`ExporterError: ${named}; see --help`);
  });

  it('is an ExporterError of one line, whatever the arguments', async () => {
    const words = [
      ...Object.keys(OPTION_FLAGS).map((name) => `--${name}`),
      '--',
      '-',
      '--help',
      '--no-help',
      ...['listeners', 'destinations', 'explain', 'refusals', 'scan', 'probe'],
      ...['--json', '--limit', '--ports', '192.0.2.1:80'],
      '=',
      ':1',
    ];
    const argument = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...words));
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { maxLength: 6 }), async (argv) => {
        try {
          expect(KINDS).toHaveProperty((await parseCommandLine(argv, {})).kind);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ExporterError);
          expect(String(thrown)).not.toContain('\n');
        }
      }),
      // Every word alone as well, or chance decides whether a flag is tried.
      { examples: words.map((word) => [[word]]), numRuns: words.length + 100 },
    );
  });
});
