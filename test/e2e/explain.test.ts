import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { newCgroups, UNIQUE } from '../live/support/cgroups.ts';
import { newWorld, times } from '../live/support/exact.ts';
import { NamedNamespace } from '../live/support/namedNamespace.ts';
import { describeInCgroups, describeLive, describeOverBpf } from '../live/support/privilege.ts';
import { SERVER_PORT, untilRefused, type World } from '../live/support/world.ts';
import { missingNobody, NOBODY } from './support/needs.ts';
import { type How, run } from './support/program.ts';

interface Explained {
  readonly refusals?: { readonly refused: number };
  readonly destination: {
    readonly available: number;
    readonly availableAtMost: number;
    readonly used: { readonly established: number; readonly timeWait: number; readonly other: number };
  };
  readonly ports: Readonly<Record<string, number>>;
  readonly owners: readonly { readonly owner: string; readonly ports: number; readonly timeWait: number }[];
  readonly processes: readonly { readonly pid: number; readonly sockets: number }[];
  readonly timeWaitRelease: readonly { readonly withinSeconds: number; readonly ports: number }[];
  readonly remedies: readonly {
    readonly remedy: string;
    readonly owner?: string;
    readonly freesPorts: number;
  }[];
}

async function explain(args: readonly string[] = [], how: How = {}): Promise<Explained> {
  const { code, stdout, stderr } = await run(['explain', ...args, '--json'], how);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** A program in the namespace that opens and ends connections as fast as it can. It ends with the test. */
async function churn({ name }: NamedNamespace): Promise<ChildProcess> {
  const child = spawn('ip', ['netns', 'exec', name, process.execPath, '-e', CHURN], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

/** The server closes first, so that no TIME_WAIT stays on the side that is explained; some connections are kept. */
const CHURN = `
  const net = require('node:net');
  const server = net.createServer((socket) => setTimeout(() => socket.resetAndDestroy(), 20 * Math.random()));
  server.listen(8001, '127.0.0.2', 4096, () => {
    let open = 0;
    const more = () => {
      while (open < 2000) {
        open++;
        const socket = net.connect(8001, '127.0.0.2');
        socket.on('error', () => {});
        socket.on('close', () => { open--; });
      }
    };
    setInterval(more, 1);
    setTimeout(() => console.log('busy'), 1000);
  });
`;

describeLive('what is explained is of one moment', () => {
  it('its tables add up while connections come and go', async () => {
    const namespace = new NamedNamespace({ range: [20_000, 59_999] });
    await churn(namespace);
    for (let round = 0; round < 5; round++) {
      const { destination, ports, owners, timeWaitRelease } = await explain([
        `127.0.0.2:${SERVER_PORT}`,
        `--netns=${namespace.name}`,
      ]);
      const { established, timeWait, other } = destination.used;
      const held = established + timeWait + other;
      expect(held).toBeGreaterThan(100);
      expect(owners.reduce((sum, owner) => sum + owner.ports, 0)).toBe(held);
      expect(owners.reduce((sum, owner) => sum + owner.timeWait, 0)).toBe(timeWait);
      expect(timeWaitRelease.at(-1)?.ports).toBe(timeWait);
      const { usable = 0, blocked = 0, heldBlocked = 0, reclaimable = 0, left } = ports;
      expect(ports['held']).toBe(held);
      expect(usable - blocked - held + heldBlocked + reclaimable).toBe(left);
      expect(left).toBe(destination.available);
    }
  });
});

describeLive(
  'one reading over netlink gives a range that the kernel is in, and one of bind buckets the number',
  () => {
    const OTHER = `127.0.0.3:${SERVER_PORT}`;
    const NETLINK = '--sample.source=netlink';

    it('where a destination was past its half and drained again', async () => {
      const world = newWorld({ range: [40_000, 40_099] });
      const open: number[] = [];
      times(80, () => open.push(world.connect('127.0.0.2')));
      // The first fifty are those of the half that is taken first.
      for (const fd of open.splice(0, 50)) world.abort(fd);
      const { destination } = await explain([OTHER, NETLINK]);
      expect(destination).toMatchObject({ available: 70, availableAtMost: 100 });
      const exact = await explain([OTHER]);
      expect(exact.destination).toMatchObject({ available: 100, availableAtMost: 100 });
      expect((await run(['explain', OTHER, NETLINK])).stdout).toContain(
        '\nbetween 70 and 100 of 100 ports left (0.0 to 30.0 % used): at least 70 more connect() calls succeed.\n',
      );
      expect(untilRefused(() => world.connect('127.0.0.3')).succeeded).toBe(100);
    });

    it('where connections did bind(address, 0) first', async () => {
      const world = newWorld({ range: [40_000, 40_099] });
      times(30, () => world.connect('127.0.0.2', SERVER_PORT, { from: '127.0.0.9' }));
      const { destination } = await explain([OTHER, NETLINK]);
      expect(destination).toMatchObject({ available: 70, availableAtMost: 100 });
      const exact = await explain([OTHER]);
      expect(exact.destination).toMatchObject({ available: 70, availableAtMost: 70 });
      expect(untilRefused(() => world.connect('127.0.0.3')).succeeded).toBe(70);
    });

    it('and none where nothing is uncertain', async () => {
      const world = newWorld({ range: [40_000, 40_099] });
      world.listen('127.0.0.9', 40_010);
      times(30, () => world.connect('127.0.0.2'));
      const { destination } = await explain();
      expect(destination).toMatchObject({ available: 69, availableAtMost: 69 });
      expect(untilRefused(() => world.connect('127.0.0.2')).succeeded).toBe(69);
    });
  },
);

describeInCgroups('who holds the ports of a destination', () => {
  it('has one remedy for each owner with many connections, which frees what it says', async () => {
    const world = newWorld({ range: [40_000, 40_099] });
    const cgroups = newCgroups();
    const owners = ['checkout', 'mailer', 'tiny'].map((name) => `${UNIQUE}-${name}.service`);
    const [checkout = '', mailer = '', tiny = ''] = owners;
    const open: number[] = [];
    cgroups.within(checkout, () => times(40, () => open.push(world.connect('127.0.0.2'))));
    cgroups.within(mailer, () => times(20, () => world.connect('127.0.0.2')));
    cgroups.within(tiny, () => world.connect('127.0.0.2'));
    const { destination, remedies, processes } = await explain();
    expect(remedies.filter(({ remedy }) => remedy === 'poolConnections')).toEqual([
      expect.objectContaining({ owner: checkout, freesPorts: 40 }),
      expect.objectContaining({ owner: mailer, freesPorts: 20 }),
    ]);
    expect(processes).toEqual([expect.objectContaining({ pid: process.pid, sockets: 61 })]);
    const { stdout } = await run(['explain']);
    expect(stdout).toContain(`\n   40  close or pool the connections of ${checkout}\n`);
    for (const fd of open) world.abort(fd);
    const { succeeded } = untilRefused(() => world.connect('127.0.0.2'));
    expect(succeeded).toBe(destination.available + 40);
  });
});

describeOverBpf('whether calls are refused now', () => {
  const SETUP = { range: [40_000, 40_009] } as const;
  const TO = `127.0.0.2:${SERVER_PORT}`;

  /** Calls that are refused, until the test ends. */
  function refuseOn(world: World): void {
    const refuse = () => expect(() => world.connect('127.0.0.2')).toThrow('EADDRNOTAVAIL');
    const timer = setInterval(refuse, 20);
    onTestFinished(() => clearInterval(timer));
  }

  it('is counted for a second where no port is left, with who was refused last', async () => {
    const world = newWorld(SETUP);
    times(10, () => world.connect('127.0.0.2'));
    refuseOn(world);
    for (const args of [[], [TO], [TO, `--netns=${process.pid}`]]) {
      const { refusals } = await explain(args);
      expect(refusals).toMatchObject({
        ...{ likely: 0, toThisDestination: refusals?.refused },
        most: [{ remoteAddress: '127.0.0.2', last: { pid: process.pid } }],
      });
      expect(refusals?.refused).toBeGreaterThan(10);
    }
    const { stdout } = await run(['explain']);
    expect(stdout).toMatch(/^\d+ .*calls were refused in 1s, \d+ of them to this .* refusals --follow$/m);
    expect(stdout).toContain(`/${process.pid} `);
  });

  it('is said too where none is', async () => {
    const world = newWorld(SETUP);
    times(9, () => world.connect('127.0.0.2'));
    expect((await explain()).refusals).toMatchObject({ refused: 0, toThisDestination: 0, most: [] });
    expect((await run(['explain'])).stdout).toMatch(
      /^No .*calls were refused in 1s; to watch: port-exporter /m,
    );
  });

  it('is not asked where it is far from that, nor where BPF is not wanted, nor of who may not', async () => {
    const world = newWorld(SETUP);
    times(7, () => world.connect('127.0.0.2'));
    expect(await explain()).not.toHaveProperty('refusals');
    times(3, () => world.connect('127.0.0.2'));
    expect(await explain(['--sample.source=netlink'])).not.toHaveProperty('refusals');
    if (missingNobody === undefined)
      expect(await explain([], { uid: NOBODY })).not.toHaveProperty('refusals');
  });
});
