import { single } from '../flag.ts';
import type { FlagValues } from '../readFlags.ts';
import { pathOf } from '../values.ts';

const PATHS = 'Paths:';

export const PATH_FLAGS = {
  'path.procfs': single(
    { group: PATHS, describe: 'Mount point of procfs', default: '/proc', suggests: 'directory' },
    pathOf('a directory'),
  ),
  'path.sysfs': single(
    { group: PATHS, describe: 'Mount point of sysfs', default: '/sys', suggests: 'directory' },
    pathOf('a directory'),
  ),
};

/** Where the kernel's file systems are mounted. */
export function mountsOf(values: FlagValues<typeof PATH_FLAGS>): { procfs: string; sysfs: string } {
  return { procfs: values['path.procfs'], sysfs: values['path.sysfs'] };
}
