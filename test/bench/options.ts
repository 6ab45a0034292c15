import { parseArgs } from 'node:util';
import { BenchError } from './benchError.ts';

export interface BenchOptions {
  /** TCP sockets of the largest population, both ends counted. */
  readonly sockets: number;
  readonly rounds: number;
  /** Requests to /metrics while samples run back to back. */
  readonly requests: number;
  /** Small namespaces beside the largest population. */
  readonly pods: number;
  /** Entries of connection tracking. */
  readonly tracked: number;
  /** Measured alone: what is behind a NAT. */
  readonly only: 'nat' | undefined;
}

export function parseOptions(args: string[]): BenchOptions {
  try {
    const { values } = parseArgs({
      args,
      options: {
        sockets: { type: 'string', default: '400000' },
        rounds: { type: 'string', default: '7' },
        requests: { type: 'string', default: '2000' },
        pods: { type: 'string', default: '200' },
        tracked: { type: 'string', default: '200000' },
        only: { type: 'string' },
      },
    });
    if (values.only !== undefined && values.only !== 'nat')
      throw new BenchError(`--only must be nat, not "${values.only}"`);
    return {
      only: values.only,
      tracked: wholeNumber('--tracked', values.tracked, 1000),
      sockets: wholeNumber('--sockets', values.sockets, 4000),
      rounds: wholeNumber('--rounds', values.rounds, 1),
      requests: wholeNumber('--requests', values.requests, 100),
      pods: wholeNumber('--pods', values.pods, 1),
    };
  } catch (error) {
    if (error instanceof TypeError) throw new BenchError(error.message);
    throw error;
  }
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new BenchError(`${name} must be a whole number of at least ${least}, not "${text}"`);
}
