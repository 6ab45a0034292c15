import { shellCommand } from '../base/shell.ts';
import type { Explained } from './explained.ts';
import { paragraph } from './explainTables.ts';
import { mostRefusedTable, refusedData, refusedText } from './refusedCalls.ts';
import { styled } from './style.ts';
import type { Terminal } from './terminal.ts';

// Whether calls fail now: part of an explanation.

/** undefined where it was not counted. */
export function refusedNowData(explained: Explained) {
  const { refused } = explained;
  return refused && { ...refusedData(refused), toThisDestination: towardsIt(explained) };
}

/** In lines; none where it was not counted. */
export function refusedNow(explained: Explained, terminal: Terminal): string[] {
  const { refused, isNetnsNamed, netns } = explained;
  if (refused === undefined) return [];
  const count = refused.tally.refused;
  const netnsFlag = isNetnsNamed ? [`--netns=${netns}`] : [];
  const command = shellCommand(['port-exporter', 'refusals', '--follow', ...netnsFlag]);
  const towards = count === 0 ? '' : `, ${towardsIt(explained)} of them to this destination`;
  const told = `${refusedText(refused)}${towards}; to watch: ${command}`;
  return paragraph(told, terminal).map((line) => styled(line, count === 0 ? 'plain' : 'alarm', terminal));
}

/** undefined where none was. */
export function refusedNowTable({ refused, netns }: Explained, terminal: Terminal): string | undefined {
  return refused && mostRefusedTable(refused.tally, netns, terminal);
}

function towardsIt({ refused, netns, destination }: Explained): number {
  const { remoteAddress, remotePort } = destination;
  if (refused === undefined || remoteAddress === undefined || remotePort === undefined) return 0;
  return refused.tally.towards(netns, remoteAddress, remotePort);
}
