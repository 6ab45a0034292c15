import { PortSet } from '../aggregate/portSet.ts';
import { invalidValue } from '../base/errors.ts';
import { parsePort } from './values.ts';

const LAST_PORT = 65_535;

/** Ports in ascending order; or `usual`, which depends on the machine. */
export type PortList = 'usual' | readonly number[];

/** `usual`, `all`, or ports and ranges separated by commas, in any order and overlapping as they may. */
export function parsePortList(text: string): PortList {
  if (text === 'usual') return 'usual';
  const ports = new PortSet(1, LAST_PORT);
  if (text === 'all') ports.addRange(1, LAST_PORT);
  else for (const item of text.split(',')) ports.addRange(...parseRange(item.trim()));
  return listOf((port) => ports.has(port));
}

/**
 * From 1 to 1024, where the services of old are, and every port that is known to be some service's.
 *
 * @param isKnown whether there is a name for the port, or a listener on it
 */
export function usualPorts(isKnown: (port: number) => boolean): readonly number[] {
  return listOf((port) => port <= 1024 || isKnown(port));
}

/** `22`, or `8000-9000` with both ends. */
function parseRange(item: string): [first: number, last: number] {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(item) ?? [];
  if (first === undefined || last === undefined) throw invalidValue(item, EXPECTED);
  const range: [number, number] = [parsePort(first), parsePort(last)];
  if (range[0] > range[1]) throw invalidValue(item, 'the lower port first');
  return range;
}

const EXPECTED = 'ports and ranges like 1-1024,8000-9000, all or usual';

function listOf(isIn: (port: number) => boolean): number[] {
  return Array.from({ length: LAST_PORT }, (_, index) => index + 1).filter(isIn);
}
