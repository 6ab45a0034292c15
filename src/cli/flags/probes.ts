import type { ProbeOptions } from '../../probes/openProbes.ts';
import { parseProbe } from '../../probes/target.ts';
import { distinct, optional, repeatable } from '../flag.ts';
import type { FlagValues } from '../readFlags.ts';
import { pathOf } from '../values.ts';

const PROBES = 'Probes:';

export const PROBE_FLAGS = {
  probe: distinct(
    repeatable(
      {
        group: PROBES,
        describe: 'Probe tcp://HOST:PORT or tcp://[IPV6]:PORT every 15s; repeatable',
        default: '',
      },
      parseProbe,
    ),
  ),
  'probe.file': optional(
    { group: PROBES, describe: 'YAML file of more probes; reloaded when it changes', suggests: 'file' },
    pathOf('a file'),
  ),
};

export function probeOptions(values: FlagValues<typeof PROBE_FLAGS>): ProbeOptions {
  return { targets: values.probe, file: values['probe.file'] };
}
