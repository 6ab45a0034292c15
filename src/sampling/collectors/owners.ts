import { ExporterError } from '../../base/errors.ts';
import { nameOwners } from '../nameOwners.ts';
import { attributes, type Collector } from './collector.ts';

/** Whose sockets hold the usable ports. */
export const ownersCollector: Collector<'owners'> = {
  name: 'owners',
  finds: 'names',
  open: (namespace) => ({
    collect({ results, ports }) {
      const { ownerResolver, options } = namespace;
      if (results.tcp === undefined && results.udp === undefined)
        throw new Error('not sampled: no sockets are known');
      if (!attributes(namespace)) return {};
      if (ownerResolver.obstacle !== undefined)
        throw new ExporterError(`owners of sockets are unknown: ${ownerResolver.obstacle}`);
      const ownerOf = (id: number) => ownerResolver.ownerOf(id);
      const owners = Object.fromEntries(
        Object.entries(ports).map(([protocol, held]) => [
          protocol,
          nameOwners(held.byCgroup(), options.limits.owners, ownerOf),
        ]),
      );
      if (ownerResolver.failure !== undefined) throw new Error(ownerResolver.failure);
      return owners;
    },
  }),
};
