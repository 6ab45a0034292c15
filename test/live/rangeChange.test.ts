import { expect, it } from 'vitest';
import { expectPromiseKept, newWorld, times } from './support/exact.ts';
import { newExporter } from './support/exporter.ts';
import { READS_BUCKETS } from './support/kernel.ts';
import { describeLive } from './support/privilege.ts';
import { untilRefused } from './support/world.ts';

const RANGE = 'net.ipv4.ip_local_port_range';

/** Connections to one destination, and others that did bind() first; then the range changes while all of them live. */
async function expectKept(
  first: string,
  changed: readonly string[],
  plain: number,
  bound: number,
): Promise<void> {
  const world = newWorld();
  world.sysctl(RANGE, first);
  const exporter = newExporter();
  times(bound, () => world.connect('127.0.0.3', 8001, { from: '127.0.0.1' }));
  times(plain, () => world.connect('127.0.0.2'));
  await exporter.sample();
  const evidence = READS_BUCKETS ? 'bucket' : 'inferred';
  expect(exporter.value('port_ephemeral_blocked_ports', { evidence })).toBe(bound);
  for (const range of changed) {
    world.sysctl(RANGE, range);
    // And again, because one sample leaves for the next what it was left.
    for (const _ of [1, 2]) await exporter.sample();
    const promised = exporter.value('port_connect_capacity_ports', { protocol: 'tcp' });
    const made: number[] = [];
    untilRefused(() => made.push(world.connect('127.0.0.9')));
    for (const fd of made) world.abort(fd);
    expectPromiseKept(exporter, promised, made.length, { told: range });
  }
  const there = exporter.value('port_destination_available_ports', { remote_address: '127.0.0.2' });
  expectPromiseKept(exporter, there, untilRefused(() => world.connect('127.0.0.2')).succeeded);
}

describeLive('A change of ip_local_port_range', () => {
  it('to a first port of the other parity makes no connection bound, and no bound one plain', () =>
    expectKept('40000 40099', ['40001 40100'], 30, 12));

  it('and back', () => expectKept('40000 40099', ['40001 40100', '40000 40099'], 30, 12));

  it('of its size alone', () => expectKept('40000 40099', ['40000 40199'], 30, 12));

  it('while a destination is past its half', () => expectKept('40000 40099', ['40001 40100'], 60, 12));
});
