import { ExporterError } from '../base/errors.ts';
import { costsNumbers } from '../snapshot/failure.ts';
import type { Results } from '../snapshot/results.ts';
import type { FullSample } from '../snapshot/sample.ts';
import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';

/** A namespace of which no number is missing. */
export type WholeNamespace = NamespaceSnapshot & {
  readonly detail: FullSample['detail'];
  readonly results: Pick<Results, 'range' | 'tcp' | 'udp'>;
};

export function isWhole(namespace: NamespaceSnapshot): namespace is WholeNamespace {
  if (namespace.detail !== 'full') return false;
  const { range, tcp, udp } = namespace.results;
  return range !== undefined && tcp !== undefined && udp !== undefined;
}

/** Throws an ExporterError where a number is missing. */
export function whole(namespace: NamespaceSnapshot | undefined): WholeNamespace {
  if (namespace === undefined) throw new ExporterError('no namespace was sampled');
  if (isWhole(namespace)) return namespace;
  const failed = namespace.outcomes.find((outcome) => outcome.error !== undefined && costsNumbers(outcome));
  throw new ExporterError(
    failed ? `collector ${failed.collector}: ${failed.error}` : 'the namespace was only partially sampled',
  );
}
