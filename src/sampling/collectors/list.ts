import type { Results } from '../../snapshot/results.ts';
import { canaryCollector } from './canary.ts';
import type { Collector } from './collector.ts';
import { conntrackCollector } from './conntrack.ts';
import { ownersCollector } from './owners.ts';
import { rangeCollector } from './range.ts';
import { snatCollector } from './snat.ts';
import { tcpCollector } from './tcp.ts';
import { udpCollector } from './udp.ts';

/** In the order in which they run: each finds in the round what those before it found. */
export const COLLECTORS: readonly AnyCollector[] = [
  rangeCollector,
  tcpCollector,
  udpCollector,
  ownersCollector,
  canaryCollector,
  conntrackCollector,
  snatCollector,
];

/** A collector of one of the results: its type does not say which. */
export type AnyCollector = { [Name in keyof Results]: Collector<Name> }[keyof Results];
