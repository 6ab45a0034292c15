import { constants } from 'node:os';
import { ExporterError, KernelError } from '../base/errors.ts';
import { readSysctl, sysctlPath } from './procfs.ts';

/** What decides which ports connect() and bind(0) may choose, in the namespace of the thread that read it. */
export interface PortSysctls {
  readonly range: PortRange;
  /** `ip_local_reserved_ports`: inclusive pairs, withheld from automatic choice; they may lie outside the range. */
  readonly reserved: readonly (readonly [first: number, last: number])[];
  /** TIME_WAIT reusable by connect(): 0 never, 1 always, 2 on loopback. */
  readonly twReuse: 0 | 1 | 2;
  /** Without TCP timestamps no TIME_WAIT is reusable. */
  readonly timestamps: boolean;
  /** The age from which a TIME_WAIT is reusable. */
  readonly twReuseDelayMs: number;
  /** `tcp_l3mdev_accept`: sockets of VRFs share their ports with those outside. True where the kernel knows no VRF. */
  readonly l3mdevAccept: boolean;
}

/** A range of ports, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The range must be there. The others may be absent on old kernels and in sandboxes: then nothing is reserved, and
 * TIME_WAIT is not reusable, so that a number of available ports is rather too low than too high.
 */
export function readPortSysctls(procfs: string): PortSysctls {
  const range = readParsed(procfs, 'net/ipv4/ip_local_port_range', parsePortRange);
  if (range === undefined) {
    const path = sysctlPath(procfs, 'net/ipv4/ip_local_port_range');
    throw new KernelError(`open() of ${path}`, constants.errno.ENOENT);
  }
  return {
    range,
    reserved: readParsed(procfs, 'net/ipv4/ip_local_reserved_ports', parseReservedPorts) ?? [],
    twReuse: readParsed(procfs, 'net/ipv4/tcp_tw_reuse', parseTwReuse) ?? 0,
    timestamps: readParsed(procfs, 'net/ipv4/tcp_timestamps', parseSwitch) ?? false,
    twReuseDelayMs: readParsed(procfs, 'net/ipv4/tcp_tw_reuse_delay', parseTwReuseDelay) ?? TW_REUSE_DELAY_MS,
    l3mdevAccept: readParsed(procfs, 'net/ipv4/tcp_l3mdev_accept', parseSwitch) ?? true,
  };
}

/** What `tcp_twsk_unique` of net/ipv4/tcp_ipv4.c had built in before the sysctl existed. */
const TW_REUSE_DELAY_MS = 1000;

/** `32768<tab>60999` */
export function parsePortRange(text: string): PortRange {
  const [, first, last] = /^\s*(\d+)\s+(\d+)\s*$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last) };
  if (!isPortRange(range.first, range.last) || range.first === 0) {
    throw unexpected('two ports from 1 to 65535, the first not above the last', text);
  }
  return range;
}

/** `1,2-4,10-10`, or nothing. */
export function parseReservedPorts(text: string): [first: number, last: number][] {
  const list = text.trim();
  if (list === '') return [];
  return list.split(',').map((entry) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(entry) ?? [];
    const pair: [number, number] = [Number(first), Number(last)];
    if (!isPortRange(...pair)) throw unexpected('a list of ports and ranges such as 1,2-4', entry);
    return pair;
  });
}

export function parseTwReuse(text: string): 0 | 1 | 2 {
  const value = parseNumber(text, '0, 1 or 2');
  if (value !== 0 && value !== 1 && value !== 2) throw unexpected('0, 1 or 2', text);
  return value;
}

/** 0 off; `tcp_timestamps` has two ways of being on: 1 with a random offset per connection, 2 without. */
export function parseSwitch(text: string): boolean {
  return parseNumber(text, '0, 1 or 2') !== 0;
}

/** Milliseconds. */
export function parseTwReuseDelay(text: string): number {
  return parseNumber(text, 'a number of milliseconds');
}

function parseNumber(text: string, expected: string): number {
  if (!/^\s*\d{1,15}\s*$/.test(text)) throw unexpected(expected, text);
  return Number(text);
}

/** False for NaN too. */
function isPortRange(first: number, last: number): boolean {
  return first <= last && last <= 65_535;
}

function unexpected(expected: string, text: string): ExporterError {
  const shown = text.slice(0, 60).replaceAll(/[^ -~]/g, ' ');
  return new ExporterError(`expected ${expected}, got "${shown}"`);
}

function readParsed<T>(procfs: string, name: string, parse: (text: string) => T): T | undefined {
  const text = readSysctl(procfs, name);
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch (thrown) {
    if (!(thrown instanceof ExporterError)) throw thrown;
    throw new ExporterError(`${sysctlPath(procfs, name)}: ${thrown.message}`);
  }
}
