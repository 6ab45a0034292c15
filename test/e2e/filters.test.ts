import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { newWorld, times } from '../live/support/exact.ts';
import { describeLive } from '../live/support/privilege.ts';
import { SERVER_PORT, type World } from '../live/support/world.ts';
import { run } from './support/program.ts';

const RANGE: [number, number] = [40_000, 40_199];

interface Row {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly used: { readonly established: number; readonly timeWait: number; readonly other: number };
  readonly owners: readonly { readonly owner?: string; readonly closeWait: number }[];
}

/** Connections to three addresses, some of them over and waiting. */
function populate(world: World): void {
  times(9, () => world.connect('127.0.0.2'));
  times(5, () => world.connect('127.0.0.3'));
  times(2, () => world.connect('127.0.0.4'));
  world.timeWait(7, '127.0.0.4');
  world.listen('127.0.0.1', 8002);
  world.bound('0.0.0.0', 53, { type: 'udp' });
}

async function destinations(
  ...words: readonly string[]
): Promise<{ rows: Row[]; total: number; code: unknown }> {
  const { code, stdout, stderr } = await run(['destinations', ...words, '--json']);
  expect(stderr).toBe('');
  const { destinations: rows, total } = JSON.parse(stdout);
  return { rows, total, code };
}

/** Connections by where they go to, as ss counts them; those that connect() made have a port of the range. */
function ss(...filter: readonly string[]): Record<string, number> {
  const output = execFileSync('ss', ['-Htn', ...filter], { encoding: 'utf8' });
  const places = output.split('\n').flatMap((line) => {
    const [, local = '', remote = ''] = /(\S+:\d+) +(\S+:\d+)/.exec(line) ?? [];
    const port = Number(local.replace(/^.*:/, ''));
    return port >= RANGE[0] && port <= RANGE[1] ? [remote] : [];
  });
  return Object.fromEntries(
    [...new Set(places)].map((place) => [place, places.filter((one) => one === place).length]),
  );
}

function counted(rows: readonly Row[], of: (row: Row) => number): Record<string, number> {
  return Object.fromEntries(rows.map((row) => [`${row.remoteAddress}:${row.remotePort}`, of(row)]));
}

const held = ({ used }: Row) => used.established + used.timeWait + used.other;

describeLive('a filter shows what ss shows with it', () => {
  it.each([
    [['dport', '=', `:${SERVER_PORT}`]],
    [['dport', '=', ':9']],
    [['dst', '127.0.0.3']],
    [['dst', `127.0.0.2:${SERVER_PORT}`]],
    [['dst', '127.0.0.2/31']],
    [['dst', '127.0.0.2/31', 'and', 'dport', '=', `:${SERVER_PORT}`]],
    [['src', '127.0.0.1']],
    [['src', '127.0.0.9']],
  ])('%j', async (filter) => {
    populate(newWorld({ range: RANGE }));
    const { rows, total, code } = await destinations(...filter);
    const expected = ss('state', 'all', ...filter);
    expect(counted(rows, held)).toEqual(expected);
    expect([total, code]).toEqual([Object.keys(expected).length, total === 0 ? 1 : 0]);
  });

  it.each([
    ['established', ({ used }: Row) => used.established],
    ['time-wait', ({ used }: Row) => used.timeWait],
  ] as const)('state %s, those with most first', async (state, of) => {
    populate(newWorld({ range: RANGE }));
    const { rows } = await destinations('state', state);
    const expected = ss('state', state, 'dport', '=', `:${SERVER_PORT}`);
    expect(counted(rows, of)).toEqual(expected);
    const counts = rows.map(of);
    expect(counts.length).toBeGreaterThan(0);
    expect(counts).toEqual(counts.toSorted((a, b) => b - a));
  });

  it('state close-wait', async () => {
    populate(newWorld({ range: RANGE }));
    const { rows } = await destinations('state', 'close-wait');
    const closeWait = ({ owners }: Row) => owners.reduce((sum, owner) => sum + owner.closeWait, 0);
    expect(rows.length).toBeGreaterThan(0);
    expect(counted(rows, closeWait)).toEqual(ss('state', 'close-wait'));
  });

  it('process: by name and by pid, and nobody else', async () => {
    populate(newWorld({ range: RANGE }));
    const name = readFileSync('/proc/self/comm', 'utf8').trim();
    const sockets = execFileSync('ss', ['-Htnp', 'state', 'all'], { encoding: 'utf8' }).split('\n');
    const mine = sockets.filter((line) => line.includes(`,pid=${process.pid},`));
    const places = mine.map((line) => / (127\.0\.0\.[234]:\d+) +users/.exec(line)?.[1]);
    for (const wanted of [name, String(process.pid)]) {
      const { rows } = await destinations('process', wanted);
      expect(Object.keys(counted(rows, held)).toSorted()).toEqual(
        [...new Set(places)].filter((place) => place !== undefined).toSorted(),
      );
    }
    expect(await destinations('process', 'nosuchprocess')).toMatchObject({ rows: [], total: 0, code: 1 });
  });

  it('owner: whoever the unfiltered table names', async () => {
    populate(newWorld({ range: RANGE }));
    const all = (await destinations()).rows;
    const owners = new Set(all.flatMap((row) => row.owners.map(({ owner }) => owner)));
    expect(owners.size).toBeGreaterThan(0);
    for (const owner of owners) {
      const { rows } = await destinations('owner', owner ?? '');
      expect(rows.length).toBe(all.filter((row) => row.owners.some((one) => one.owner === owner)).length);
    }
    expect(await destinations('owner', 'nosuch.service')).toMatchObject({ rows: [], code: 1 });
  });
});

describeLive('what is shown of what was filtered or sorted', () => {
  it('is limited, and says how many more there are', async () => {
    populate(newWorld({ range: RANGE }));
    const { stdout } = await run(['destinations', 'dst', '127.0.0.2/31', '--limit=1']);
    expect(stdout).toContain('127.0.0.2:');
    expect(stdout).toMatch(/\n1 more destination; --limit shows more\.\n$/);
  });

  it('is the first by that column of all there are, not of the fullest', async () => {
    populate(newWorld({ range: RANGE }));
    const { rows, total } = await destinations('--sort=time-wait', '--limit=1');
    expect(rows.map(({ remoteAddress }) => remoteAddress)).toEqual(['127.0.0.4']);
    expect(total).toBe(3);
  });

  it('listeners, as ss -l has them', async () => {
    populate(newWorld({ range: RANGE }));
    const ports = async (...words: string[]) => {
      const { stdout } = await run(['listeners', ...words, '--json']);
      return (JSON.parse(stdout).listeners as { address: string; port: number }[]).map(
        ({ address, port }) => `${address}:${port}`,
      );
    };
    const listening = (kind: string, ...filter: string[]) =>
      execFileSync('ss', [kind, ...filter], { encoding: 'utf8' })
        .split('\n')
        .flatMap((line) => /(\S+:\d+) /.exec(line)?.[1] ?? []);
    for (const filter of [
      ['sport', '=', ':8002'],
      ['src', '127.0.0.2'],
      ['src', '127.0.0.0/8'],
      ['sport', '=', ':9'],
    ]) {
      const found = await ports('state', 'listening', ...filter);
      expect(found.toSorted()).toEqual(listening('-Hltn', ...filter).toSorted());
    }
    expect(await ports('state', 'unconnected')).toEqual(listening('-Hlun'));
    expect(await ports('8002')).toEqual(['127.0.0.1:8002']);
  });
});
