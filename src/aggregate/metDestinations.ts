import { ADDRESS_WORDS } from './address.ts';
import type { DecidedPlace, TupleTable } from './tupleTable.ts';

/**
 * Which connections a connect() bound to a device meets besides those bound to the same one, as inet_bound_dev_eq()
 * (include/net/inet_sock.h) decides: those bound to none, and those bound to the VRF that the device belongs to. An
 * unbound connect() meets the unbound ones alone. The tables of a VRF hold no unbound ones, so there only the second
 * remains, and outside of VRFs only the first.
 */
function* pairs(table: TupleTable): Generator<readonly [row: number, met: number]> {
  const deviceWord = 2 * ADDRESS_WORDS[table.family] + 1;
  const { key } = table.keys;
  for (const [row, vrf] of table.deviceRows) {
    for (const device of new Set([0, vrf])) {
      for (let word = 0; word < deviceWord; word++) key[word] = table.keys.word(row, word);
      key[deviceWord] = device;
      const met = table.keys.find();
      if (met >= 0 && met !== row) yield [row, met];
    }
  }
}

/** Whether any does. */
export function meetsOthers(table: TupleTable): boolean {
  return pairs(table).next().done === false;
}

/** Takes from every such destination the ports of the connections that it meets, once each. The table must have kept them. */
export function addMet(table: TupleTable, placeOf: (port: number) => DecidedPlace): void {
  if (table.deviceRows.size === 0 || !table.keepsPorts) return;
  const found = [...pairs(table)];
  const portsOf = new Map<number, Map<number, number>>();
  for (const row of new Set(found.flat())) portsOf.set(row, new Map());
  const { connections } = table;
  for (let index = 0; index < connections.size; index++) {
    portsOf.get(connections.row(index))?.set(connections.port(index), connections.kind(index));
  }
  const heldBy = new Map([...portsOf].map(([row, ports]) => [row, new Set(ports.keys())]));
  for (const [row, met] of found) {
    const held = heldBy.get(row) ?? new Set();
    for (const [port, kind] of portsOf.get(met) ?? []) {
      if (held.has(port)) continue;
      held.add(port);
      table.meet(row, port, placeOf(port), kind);
    }
  }
}
