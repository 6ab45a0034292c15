import type { Dice } from './dice.ts';
import { type Animal, hex, type Zoo } from './zoo.ts';

/** One that comes to live in the zoo. */
export type Arrival = (zoo: Zoo) => Promise<Animal>;

/** Kinds that take a port and a name alone. */
const PLAIN = [
  ...['comm', 'without-arguments', 'many-arguments', 'overwritten-arguments'],
  ...[
    'zombies',
    'mayflies',
    'mayfly-namespaces',
    'shedding',
    'stopped',
    'headless',
    'own-table',
    'elsewhere',
  ],
  ...['vforked', 'undumpable', 'nameless-user', 'traced', 'crowd'],
  ...['many-descriptors', 'odd-descriptors', 'in-flight', 'reuse', 'restless'],
  ...['unsteady', 'pinned', 'container'],
];
/** Those that keep a core busy. */
const BUSY = new Set(['mayflies', 'mayfly-namespaces', 'shedding', 'restless', 'unsteady', 'crowd']);

/** What may stand in /run/netns instead of a network namespace. */
const NOT_A_NAMESPACE = [
  ...['fifo', 'directory', 'file', 'dangling', 'loop', 'zero', 'too-long', 'socket'],
  ...['uts', 'ipc', 'pid', 'user', 'cgroup'],
];

const RANGES = ['1 65535', '32768 60999', '1 1', '65535 65535', '40000 40001'];
const RESERVED = ['\n', '1-65535', '32768-60999', '1,3,5,7,9'].map(hex);
const EVERY_OTHER = '-';

/** The first port of theirs: each has one of its own, below every range in which the kernel chooses. */
const FIRST_PORT = 10_100;

/** Every kind at least once and some more often, in any order, with names and details that the dice choose. */
export function mixture(dice: Dice): Arrival[] {
  let port = FIRST_PORT;
  const times = (limit: number, arrival: () => Arrival) =>
    Array.from({ length: 1 + dice.below(limit) }, arrival);
  const plain = (kind: string): Arrival => {
    const [own, name] = [port++, dice.name(15)];
    return (zoo) => zoo.add(kind, own, name);
  };
  const cgroup = (): Arrival => {
    const [own, name, length] = [port++, dice.name(15), dice.below(3) === 0 ? 255 : 40];
    const [path, depth, isRemoved] = [dice.name(length, '/\n'), dice.one([1, 2, 20, 70]), dice.below(2)];
    return (zoo) => zoo.add('cgroup', own, name, zoo.cgroup, hex(path), depth, isRemoved);
  };
  const ownNamespace = (): Arrival => {
    const [own, name, range, reserved] = [
      port++,
      dice.name(15),
      dice.one(RANGES),
      dice.one([...RESERVED, EVERY_OTHER]),
    ];
    const [isUp, connections] = [dice.below(2), dice.below(50)];
    return (zoo) => zoo.add('own-namespace', own, name, hex(range), reserved, isUp, connections);
  };
  // Two of the same name would be in each other's way.
  const netnsName = () => Buffer.concat([Buffer.from(String(port++)), dice.name(250, '/')]).subarray(0, 255);
  const devices = (): Arrival => {
    const [own, name, count] = [port++, dice.name(15), 1 + dice.below(20)];
    // dev_valid_name() of net/core/dev.c, whose isspace() is that of latin1; a `%` would be a format.
    const device = dice.name(12, '/:% \t\n\v\f\r\u00a0');
    return (zoo) => zoo.add('devices', own, name, hex(device), count);
  };
  const named = (): Arrival => {
    const name = netnsName();
    return (zoo) => zoo.add('named-namespace', 0, 'x', hex(name));
  };
  const otherwise = (what: string): Arrival => {
    const name = netnsName();
    return (zoo) => zoo.add('named-otherwise', 0, 'x', hex(name), what);
  };
  const mounts = (kind: string, most: number): Arrival => {
    const [own, name, path, count] = [port++, dice.name(15), dice.name(200, '/.'), 1 + dice.below(most)];
    return (zoo) => zoo.add(kind, own, name, hex(path), count);
  };
  return dice.shuffled([
    ...PLAIN.flatMap((kind) => times(BUSY.has(kind) ? 1 : 3, () => plain(kind))),
    ...times(4, cgroup),
    ...times(4, ownNamespace),
    ...times(4, named),
    ...times(2, devices),
    ...NOT_A_NAMESPACE.map(otherwise),
    mounts('mounts', 3000),
    mounts('mounts-here', 300),
  ]);
}

/** What stands in the place of /etc/passwd and /etc/services, as the exporter sees them. */
export async function falsifyFiles(zoo: Zoo, dice: Dice): Promise<void> {
  for (const file of ['passwd', 'services']) {
    await zoo.add('false-file', 0, 'x', file, dice.one(['zero', 'fifo', 'sparse', 'newlines', 'garbage']));
  }
}
