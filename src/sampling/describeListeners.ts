import type { Listener } from '../aggregate/listeners.ts';
import type { DescribedListener } from '../snapshot/describedListener.ts';
import type { Protocol } from '../snapshot/protocol.ts';
import { listenersOf, type NamespaceSample } from '../snapshot/sample.ts';
import type { OwnerResolver } from './ownerResolver.ts';

/** Every listener that is exported, of both protocols. */
export function listenersIn(
  sample: NamespaceSample,
): { readonly protocol: Protocol; readonly listener: Listener }[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    (listenersOf(sample, protocol)?.fullest ?? []).map((listener) => ({ protocol, listener })),
  );
}

/** Says who they are. */
export function describeListeners(
  sample: NamespaceSample,
  ownerResolver: Pick<OwnerResolver, 'describe'>,
): DescribedListener[] {
  return listenersIn(sample).map(({ protocol, listener }) => ownerResolver.describe(protocol, listener));
}
