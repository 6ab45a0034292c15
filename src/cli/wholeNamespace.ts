import { ExporterError } from '../base/errors.ts';
import { costsNumbers } from '../snapshot/failure.ts';
import type { NamespaceSnapshot } from '../snapshot/snapshot.ts';

/** A namespace of which no number is missing. */
export type WholeNamespace = NamespaceSnapshot & {
  readonly [Part in 'range' | 'tcp' | 'udp']: NonNullable<NamespaceSnapshot[Part]>;
};

export function isWhole(namespace: NamespaceSnapshot): namespace is WholeNamespace {
  const { range, tcp, udp } = namespace;
  return range !== undefined && tcp !== undefined && udp !== undefined;
}

/** Throws an ExporterError where a number is missing. */
export function whole(namespace: NamespaceSnapshot | undefined): WholeNamespace {
  if (namespace === undefined) throw new ExporterError('no namespace was sampled');
  if (isWhole(namespace)) return namespace;
  const failed = namespace.collectors.find((outcome) => outcome.error !== undefined && costsNumbers(outcome));
  throw new ExporterError(
    failed ? `collector ${failed.collector}: ${failed.error}` : 'the namespace was sampled only in part',
  );
}
