import { ExporterError } from '../base/errors.ts';
import type { Rounds } from '../sampler/sample.ts';
import type { NamespaceSnapshot } from '../sampler/snapshot.ts';

/** A namespace of which no part failed. */
export type WholeNamespace = NamespaceSnapshot & {
  readonly [Part in 'range' | 'tcp' | 'udp']: NonNullable<NamespaceSnapshot[Part]>;
};

/** The own namespace in one new sample. Throws an ExporterError where any part of it failed. */
export function sampledNamespace(rounds: Rounds): WholeNamespace {
  const [namespace] = rounds.sample().namespaces;
  if (namespace === undefined) throw new ExporterError('no namespace was sampled');
  for (const { collector, error } of namespace.collectors) {
    if (error !== undefined) throw new ExporterError(`collector ${collector}: ${error}`);
  }
  const { range, tcp, udp } = namespace;
  if (range === undefined || tcp === undefined || udp === undefined) {
    throw new ExporterError('the namespace was sampled only in part');
  }
  return { ...namespace, range, tcp, udp };
}
