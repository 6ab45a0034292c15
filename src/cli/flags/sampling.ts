import { parsePeriod } from '../../base/duration.ts';
import type { SamplingOptions } from '../../sampling/samplingOptions.ts';
import { SOURCE_KINDS } from '../../sockets/source.ts';
import { distinct, repeatable, single, toggle } from '../flag.ts';
import type { FlagValues } from '../readFlags.ts';
import {
  oneOf,
  parseLimit,
  parseNamespaces,
  parsePeriodOrNone,
  parseRatio,
  parseShare,
  parseSnatPorts,
} from '../values.ts';

const SAMPLING = 'Sampling:';
const NAMESPACES = 'Namespaces:';

const SOURCES = ['auto', ...SOURCE_KINDS] as const;

export const SAMPLING_FLAGS = {
  'sample.interval': single(
    { group: SAMPLING, describe: 'Interval between sample starts', default: '5s' },
    parsePeriod,
  ),
  'sample.max-duty': single(
    {
      group: SAMPLING,
      describe: 'Maximum CPU time for sampling, as a share of one core; stretches the interval',
      default: '0.05',
    },
    parseShare,
  ),
  'sample.source': single(
    {
      group: SAMPLING,
      describe: 'Source of sockets: auto, bpf, netlink or procfs',
      default: 'auto',
      suggests: SOURCES,
    },
    oneOf(SOURCES),
  ),
  'peak.window': single(
    { group: SAMPLING, describe: 'Time window of the peak ratios', default: '1m' },
    parsePeriod,
  ),
  namespaces: single(
    {
      group: NAMESPACES,
      describe: 'Namespaces to sample: self, all or a regular expression',
      default: 'all',
      suggests: ['self', 'all'],
    },
    parseNamespaces,
  ),
  'namespaces.limit': single(
    { group: NAMESPACES, describe: 'Maximum namespaces to sample, by number of sockets', default: '500' },
    parseLimit,
  ),
  'namespaces.full-dump-above': single(
    { group: NAMESPACES, describe: 'Dump other namespaces above this share of their ports', default: '0.05' },
    parseRatio,
  ),
  'processes.budget': single(
    {
      group: SAMPLING,
      describe: 'Maximum time to find processes of new listeners; 0 disables it',
      default: '100ms',
    },
    parsePeriodOrNone,
  ),
  'snat.ports': distinct(
    repeatable(
      {
        group: SAMPLING,
        describe:
          'Ports that SNAT chooses from, FIRST-LAST or ADDRESS=FIRST-LAST; otherwise 1024-65535; repeatable',
        default: '',
      },
      parseSnatPorts,
    ),
  ),
  'no-refusals': toggle({
    group: SAMPLING,
    describe: 'Do not count refused calls, for which BPF programs are attached',
  }),
  'no-canary': toggle({
    group: SAMPLING,
    describe: 'Do not request an ephemeral port in each sample, nor test whether ports are blocked',
  }),
};

/** Beside the flags of this file those of limits and paths decide; the rest is how the program was called. */
export function samplingOptions(
  values: FlagValues<typeof SAMPLING_FLAGS>,
  rest: Pick<
    SamplingOptions,
    'limits' | 'procfs' | 'sysfs' | 'hasBudget' | 'destinationOwners' | 'keepsConnections' | 'recordFile'
  >,
): SamplingOptions {
  return {
    intervalMs: values['sample.interval'],
    maxDuty: values['sample.max-duty'],
    source: values['sample.source'],
    peakWindowMs: values['peak.window'],
    namespaces: values.namespaces,
    namespacesLimit: values['namespaces.limit'],
    fullDumpAbove: values['namespaces.full-dump-above'],
    snatPorts: values['snat.ports'],
    processBudgetMs: values['processes.budget'],
    canary: !values['no-canary'],
    // Another source is chosen to do without BPF.
    countsRefusals: !values['no-refusals'] && ['auto', 'bpf'].includes(values['sample.source']),
    ...rest,
  };
}
