import { optional, toggle } from '../flag.ts';
import { pathOf } from '../values.ts';

export const MODE = 'Mode:';

export const MODE_FLAGS = {
  once: toggle({ group: MODE, describe: 'Print the metrics of one sample to stdout and exit' }),
  'config.check': toggle({
    group: MODE,
    describe: 'Check --web.config.file, the files it names, and --probe.file; exit with 1 if one is invalid',
  }),
  'debug.record': optional(
    {
      group: MODE,
      describe: 'Record the raw kernel answers to one sample in a new file',
      hidden: true,
      suggests: 'file',
    },
    pathOf('a file'),
  ),
};
