import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';
import { levelOf, severityOf } from './level.ts';
import { type RegimeNumbers, type RegimeStatus, regimesOf } from './regimes.ts';

// Which is worst: the one answer of the page, systemctl status, the command line and explain.

/** One of the four ways to be given a port, with its numbers. */
export interface WorstRegime extends RegimeStatus {
  readonly numbers: RegimeNumbers;
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

/** Where it is worst of all, the own namespace first where others are no worse. */
export function worstNamespace(
  namespaces: readonly NamespaceSnapshot[],
): { readonly netns: string; readonly worst: WorstRegime } | undefined {
  const rows = namespaces.flatMap((namespace) => {
    const worst = worstOf(regimesOf(namespace));
    return worst === undefined ? [] : [{ netns: namespace.netns, worst }];
  });
  return rows.toSorted((a, b) => nearnessOf(b.worst) - nearnessOf(a.worst))[0];
}

/**
 * Sorts namespaces, the highest first: measured ones that are near, then those that may be near and were not read whole,
 * then all others by level. An estimate is no fact, and neither outranks nor hides one.
 */
export function nearnessOf(worst: WorstRegime | undefined): number {
  if (worst === undefined) return -1;
  const { ratio, isEstimated } = worst.numbers;
  const severity = severityOf(levelOf(ratio));
  const isNear = severity >= severityOf('near');
  return (isNear ? (isEstimated ? 100 : 200) : 0) + severity * 10 + (isEstimated ? 0 : 2) + ratio;
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
