import { counted } from '../base/quantities.ts';
import { shellCommand } from '../base/shell.ts';
import { pasteable } from './commands.ts';
import type { Explained } from './explained.ts';
import { paragraph } from './explainTables.ts';
import { LEFT_COLUMNS } from './leftColumns.ts';
import { isNoticed, shareOf } from './snatRemedies.ts';
import { DROPPED_COLUMN, type Left } from './snatTables.ts';
import { styled } from './style.ts';
import { type Column, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

// What an explanation says of the NATs on the way to a destination.

export function snatData({ snat: { layers, refusal } }: Explained) {
  return {
    layers: layers.map(({ command, ...layer }) => ({ ...layer, command: shellCommand(command) })),
    refusal,
  };
}

/** Which layer refuses, where it is not connect() itself, or not alone. */
export function snatVerdict(
  { snat: { layers, refusal }, destination, netns }: Explained,
  terminal: Terminal,
): string[] {
  const [worst] = layers;
  const notLooked = refusal === undefined ? [] : paragraph(`SNAT was not looked at: ${refusal}.`, terminal);
  if (worst === undefined || !isNoticed(worst.refusalRatio)) return notLooked;
  const whose = worst.netns === netns ? 'this namespace' : worst.netns;
  const others = worst.isPassed ? '' : ', as far as the connections of others tell';
  const own = destination.available > 0 ? ', and not connect()' : ' too';
  const text =
    `The SNAT of ${whose} (NAT address ${worst.natAddress}) refuses${others}${own}: ` +
    `${worst.available} of ${counted(worst.last - worst.first + 1, 'port')} left, ` +
    `${shareOf(worst.refusalRatio)} of new packets dropped in silence.`;
  return [...paragraph(text, terminal).map((line) => styled(line, 'alarm', terminal)), ...notLooked];
}

const LAYERS_SHOWN = 5;

export function snatLayersTable({ snat, destination }: Explained, terminal: Terminal): string | undefined {
  if (snat.layers.length === 0) return undefined;
  const shown = snat.layers.slice(0, LAYERS_SHOWN);
  const rows: Layer[] = [
    { ...destination, refusalRatio: undefined, name: 'connect(): ports of this namespace' },
    ...shown.map((layer) => ({
      ...layer,
      name: `SNAT of ${layer.netns}, from ${layer.natAddress}${layer.isPassed ? '' : ' (of other clients)'}`,
    })),
  ];
  const rest = snat.layers.length - shown.length;
  const commands = shown.map(({ command }) => command);
  const distinct = commands.filter(
    (command, index) =>
      commands.findIndex((other) => shellCommand(other) === shellCommand(command)) === index,
  );
  return [
    renderTable(LAYER_COLUMNS, rows, terminal),
    ...(rest > 0 ? [`${rest} more; --json shows all.`] : []),
    '',
    pasteable('TO EXPLAIN THE SNAT', distinct, terminal),
  ].join('\n');
}

type Layer = Left & { readonly name: string };

const LAYER_COLUMNS: readonly Column<Layer>[] = [
  { title: 'ON THE WAY', text: ({ name }) => name },
  ...LEFT_COLUMNS,
  DROPPED_COLUMN,
];
