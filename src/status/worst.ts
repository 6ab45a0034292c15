import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';
import { levelOf, severityOf } from './level.ts';
import { type RegimeNumbers, type RegimeStatus, regimesOf } from './regimes.ts';
import { type NatStatus, type NatWorst, natOf } from './snat.ts';

// Which is worst: the one answer of the page, systemctl status, the command line and explain.

/** One of the four ways to be given a port, with its numbers. */
export interface WorstRegime extends RegimeStatus {
  readonly numbers: RegimeNumbers;
}

/** What is said first of a namespace: one of the four calls, or a NAT that is worse than all of them. */
export type Lead =
  | { readonly kind: 'call'; readonly call: WorstRegime }
  | { readonly kind: 'nat'; readonly nat: NatWorst };

/** What leadOf() chooses from. */
export interface Led {
  /** undefined where none of its regimes is known. */
  readonly worst: WorstRegime | undefined;
  /** undefined where there is neither a NAT nor connection tracking. */
  readonly nat: NatStatus | undefined;
}

/** From here on bind() is clearly worse than connect(), should both be of one level. */
const CLEARLY = 0.1;

/**
 * Of one namespace. With a single source address bind() is nearly always at or above connect(), while what fails is
 * connect(): that leads unless somebody calls bind(address, 0) there, and it is clearly worse.
 */
export function worstOf(regimes: readonly RegimeStatus[]): WorstRegime | undefined {
  const known = regimes.filter(isKnown);
  const connect = highest(known.filter(({ scope }) => scope === 'connect'));
  const bind = highest(known.filter(({ scope, isCalled }) => scope === 'bind' && isCalled));
  if (connect === undefined || bind === undefined) return connect ?? bind ?? highest(known);
  return isClearlyWorse(bind.numbers, connect.numbers) ? bind : connect;
}

/** undefined where nothing is known. A NAT is worth a word only where it is near: then, and at the same level, calls lead. */
export function leadOf({ worst, nat }: Led): Lead | undefined {
  if (nat?.worst !== undefined && nearnessOfNat(nat.worst) > nearnessOf(worst))
    return { kind: 'nat', nat: nat.worst };
  return worst && { kind: 'call', call: worst };
}

/** Where it is worst of all, the own namespace first where others are no worse. */
export function worstNamespace(
  namespaces: readonly NamespaceSnapshot[],
): { readonly netns: string; readonly lead: Lead } | undefined {
  const rows = namespaces.flatMap((namespace) => {
    const led = { worst: worstOf(regimesOf(namespace)), nat: natOf(namespace) };
    const lead = leadOf(led);
    return lead === undefined ? [] : [{ netns: namespace.netns, lead, urgency: urgencyOf(led) }];
  });
  return rows.toSorted((a, b) => b.urgency - a.urgency)[0];
}

/** Sorts namespaces by what leads, the worst first. */
export function urgencyOf({ worst, nat }: Led): number {
  return Math.max(nearnessOf(worst), nat?.worst === undefined ? -1 : nearnessOfNat(nat.worst));
}

/**
 * Sorts the worst calls of namespaces, the highest first: measured ones that are near, then those that may be near and were not read whole,
 * then all others by level. An estimate is no fact, and neither outranks nor hides one.
 */
export function nearnessOf(worst: WorstRegime | undefined): number {
  if (worst === undefined) return -1;
  const { ratio, isEstimated } = worst.numbers;
  const severity = severityOf(levelOf(ratio));
  const isNear = severity >= severityOf('near');
  return (isNear ? (isEstimated ? 100 : 200) : 0) + severity * 10 + (isEstimated ? 0 : 2) + ratio;
}

/** Below every call of the same level: that one's applications are here, and are told. */
function nearnessOfNat({ level, ratio }: NatWorst): number {
  return level === 'ok' ? -1 : 200 + severityOf(level) * 10 + ratio;
}

function isKnown(regime: RegimeStatus): regime is WorstRegime {
  return regime.numbers !== undefined;
}

function highest(regimes: readonly WorstRegime[]): WorstRegime | undefined {
  return regimes.reduce<WorstRegime | undefined>(
    (worst, one) => (worst === undefined || one.numbers.ratio > worst.numbers.ratio ? one : worst),
    undefined,
  );
}

function isClearlyWorse({ ratio }: RegimeNumbers, than: RegimeNumbers): boolean {
  return severityOf(levelOf(ratio)) > severityOf(levelOf(than.ratio)) || ratio >= than.ratio + CLEARLY;
}
