import type { Limits } from '../../aggregate/limits.ts';
import { single } from '../flag.ts';
import type { FlagValues } from '../readFlags.ts';
import { parseLimit } from '../values.ts';

const SERIES = 'Series:';

export const SERIES_FLAGS = {
  'destinations.limit': single(
    { group: SERIES, describe: 'Maximum destinations to export, the fullest first', default: '20' },
    parseLimit,
  ),
  'local-addresses.limit': single(
    { group: SERIES, describe: 'Maximum local addresses to export, the fullest first', default: '20' },
    parseLimit,
  ),
  'listeners.limit': single(
    { group: SERIES, describe: 'Maximum listeners to export, the fullest queues first', default: '500' },
    parseLimit,
  ),
  'owners.limit': single(
    {
      group: SERIES,
      describe: 'Maximum owners to export, those with the most ports first; 0 disables them',
      default: '20',
    },
    parseLimit,
  ),
  'snat.limit': single(
    {
      group: SERIES,
      describe: 'Maximum SNAT destinations to export, the fullest first; 0 disables them',
      default: '20',
    },
    parseLimit,
  ),
};

export function limitsOf(values: FlagValues<typeof SERIES_FLAGS>): Limits {
  return {
    destinations: values['destinations.limit'],
    localAddresses: values['local-addresses.limit'],
    listeners: values['listeners.limit'],
    owners: values['owners.limit'],
    snat: values['snat.limit'],
  };
}
