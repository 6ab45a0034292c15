import { ephemeralRange, rangeSnapshot } from '../../aggregate/range.ts';
import { readPortSysctls } from '../../kernel/sysctl.ts';
import type { Collector } from './collector.ts';

/** The ephemeral port range of the namespace, from sysctls. */
export const rangeCollector: Collector<'range'> = {
  name: 'range',
  finds: 'numbers',
  open: ({ options, source }) => ({
    collect(round) {
      const sysctls = source.readSysctls?.() ?? readPortSysctls(options.procfs);
      const range = ephemeralRange(sysctls);
      round.range = { sysctls, range };
      return rangeSnapshot(range, sysctls);
    },
  }),
};
