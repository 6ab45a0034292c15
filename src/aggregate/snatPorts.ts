/** The ports that SNAT chooses from for one address, or for every other one. */
export interface SnatPorts {
  /** An address as people write it, or `EVERY_OTHER`. */
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

export const EVERY_OTHER = 'any';

/** What the kernel takes for a client whose own port is 1024 or higher, without a range in the rule. */
export const USUAL_PORTS: SnatPorts = { name: EVERY_OTHER, first: 1024, last: 65_535 };

/** Which ports are assumed for which address: the kernel does not tell. */
export class AssumedPorts {
  readonly everyOther: SnatPorts;
  /** Fewest ports of any address. */
  readonly fewest: number;
  readonly #byAddress: ReadonlyMap<string, SnatPorts>;

  constructor(given: readonly SnatPorts[]) {
    this.#byAddress = new Map(given.map((ports) => [ports.name, ports]));
    this.everyOther = this.#byAddress.get(EVERY_OTHER) ?? USUAL_PORTS;
    this.fewest = Math.min(...[this.everyOther, ...given].map(portCount));
  }

  /** @param address is only asked for where it makes a difference */
  of(address: () => string): SnatPorts {
    if (this.#byAddress.size === 0) return this.everyOther;
    return this.#byAddress.get(address()) ?? this.everyOther;
  }
}

export function portCount({ first, last }: SnatPorts): number {
  return last - first + 1;
}
