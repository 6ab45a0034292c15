import { AssumedPorts, EVERY_OTHER, type SnatPorts } from '../aggregate/snatPorts.ts';
import type { Explained } from '../reports/explained.ts';
import { snatCommand } from '../status/explainCommand.ts';
import type { Asked } from './query.ts';
import type { Endpoint } from './values.ts';

/** The NATs that translate connections of a namespace to a destination: a layer that refuses without telling anybody. */
export function snatOnTheWay(
  asked: Asked,
  netns: string,
  wanted: Endpoint | undefined,
  ports: readonly SnatPorts[],
): Explained['snat'] {
  if (wanted === undefined) return { layers: [], refusal: undefined };
  const { layers, refusal } = asked.snatLayers(netns, wanted, new AssumedPorts(ports));
  return {
    refusal,
    layers: layers.map(({ explained, isPassed, netns: whose }) => {
      const { natAddress, remoteAddress, remotePort, first, last, available, ratio, refusalRatio } =
        explained;
      const command = [...snatCommand(whose, explained), ...ports.map(flagOf)];
      return {
        ...{ netns: whose, natAddress, remoteAddress, remotePort, first, last },
        ...{ available, ratio, refusalRatio, isPassed, command },
      };
    }),
  };
}

function flagOf({ name, first, last }: SnatPorts): string {
  return `--snat.ports=${name === EVERY_OTHER ? '' : `${name}=`}${first}-${last}`;
}
