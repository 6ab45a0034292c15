import { optional, toggle } from '../flag.ts';
import { pathOf } from '../values.ts';

export const MODE = 'Mode:';

export const MODE_FLAGS = {
  once: toggle({ group: MODE, describe: 'Print the metrics of one sample to stdout and exit' }),
  'debug.record': optional(
    { group: MODE, describe: 'Record the raw kernel answers to one sample in a new file', hidden: true },
    pathOf('a file'),
  ),
};
