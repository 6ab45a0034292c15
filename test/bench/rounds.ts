import type { Contender, ContenderName } from './contenders.ts';
import { quantile, type Summary, summarize } from './statistics.ts';

/** Seconds of each contender in each round. */
export class Timings {
  readonly #seconds: ReadonlyMap<ContenderName, readonly number[]>;

  constructor(seconds: ReadonlyMap<ContenderName, readonly number[]>) {
    this.#seconds = seconds;
  }

  of(name: ContenderName): Summary {
    return summarize(this.#rounds(name));
  }

  /** How many times as long as `other`: the median of the rounds' own ratios, because a slow spell hits both of a round. */
  ratio(name: ContenderName, other: ContenderName): number {
    const others = this.#rounds(other);
    const ratios = this.#rounds(name).map((seconds, round) => seconds / (others[round] ?? Number.NaN));
    return quantile(ratios, 0.5);
  }

  #rounds(name: ContenderName): readonly number[] {
    const seconds = this.#seconds.get(name);
    if (seconds === undefined) throw new RangeError(`${name} was not timed`);
    return seconds;
  }
}

/**
 * Lets the contenders take turns, each round starting with another one, so that whatever slows the machine for a while
 * slows all of them. The first round warms up and is not counted.
 */
export async function runRounds(contenders: readonly Contender[], rounds: number): Promise<Timings> {
  const seconds = new Map<ContenderName, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + 1 + turn) % contenders.length];
      if (contender === undefined) continue;
      const repetitions = await contender.time();
      if (round >= 0) seconds.get(contender.name)?.push(quantile(repetitions, 0.5));
    }
  }
  return new Timings(seconds);
}
