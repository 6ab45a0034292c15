import { endpoint } from '../base/endpoint.ts';
import { escapeInvisible } from '../base/logfmt.ts';
import type { RefusalEvent } from '../snapshot/refusals.ts';
import { errorOf } from '../status/refusals.ts';
import { type LineColumn, LineTable } from './lineTable.ts';
import {
  mostRefusedTable,
  nameOfCall,
  nameOfProcess,
  type Refused,
  refusedData,
  refusedText,
} from './refusedCalls.ts';
import { styled } from './style.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

/** Refused calls as they happen, in lines without their newlines. */
export interface RefusalLines {
  refused(events: readonly RefusalEvent[]): string[];
  /** So many more were refused than are shown. */
  more(count: number): string[];
  summary(refused: Refused): string[];
}

/** For a person. The namespace `own` is not named. */
export function refusalText(own: string, terminal: Terminal): RefusalLines {
  const table = new LineTable(columnsFor(own), terminal);
  let isBegun = false;
  return {
    refused(events) {
      const heading = isBegun || events.length === 0 ? [] : [table.heading()];
      isBegun ||= events.length > 0;
      return [...heading, ...events.map((event) => table.line(event))];
    },
    more: (count) => [styled(`… ${count} more not shown`, 'warning', terminal)],
    summary(refused) {
      const most = mostRefusedTable(refused.tally, own, terminal);
      return [
        ...(isBegun ? [''] : []),
        ...wrapped(sentence(refused), terminal.columns ?? Number.POSITIVE_INFINITY),
        ...(most === undefined ? [] : ['', most]),
      ];
    },
  };
}

/** For a program: an object in each line. */
export const REFUSAL_JSON: RefusalLines = {
  refused: (events) => events.map((event) => jsonLine(eventData(event))),
  more: (notShown) => [jsonLine({ notShown })],
  summary: (refused) => [jsonLine(refusedData(refused))],
};

function jsonLine(data: unknown): string {
  return escapeInvisible(JSON.stringify(data));
}

function eventData({ atMs, isLikely, localAddress, remote, ...event }: RefusalEvent) {
  const { netns, protocol, scope, process, pid, owner } = event;
  return {
    time: new Date(atMs).toISOString(),
    ...{ process, pid, owner, netns, protocol, scope, localAddress },
    ...(remote && { remoteAddress: remote.address, remotePort: remote.port }),
    error: errorOf(event),
    likely: isLikely,
  };
}

function sentence(refused: Refused): string {
  const { likely } = refused.tally;
  return likely === 0
    ? `${refusedText(refused)}.`
    : `${refusedText(refused)}, of which ${likely} likely: ${WHY_LIKELY}`;
}

const WHY_LIKELY =
  'the descriptor had failed to connect before, and then a route that depends on the source port or a security module ' +
  'looks the same.';

function columnsFor(own: string): readonly LineColumn<RefusalEvent>[] {
  return [
    { title: 'TIME', width: 12, text: ({ atMs }) => timeOfDay(new Date(atMs)) },
    { title: 'PROCESS', width: 16, text: nameOfProcess },
    { title: 'OWNER', width: 18, text: ({ owner }) => owner },
    { title: 'CALL', width: 11, text: nameOfCall },
    { title: 'FROM', width: 10, text: ({ localAddress }) => localAddress },
    {
      title: 'TO',
      width: 15,
      text: ({ remote }) => (remote === undefined ? '-' : endpoint(remote.address, remote.port)),
    },
    {
      title: 'ERROR',
      width: 13,
      text: (event) => `${errorOf(event)}${event.isLikely ? ' (likely)' : ''}`,
      emphasis: ({ isLikely }) => (isLikely ? 'warning' : 'alarm'),
    },
    { title: 'NETNS', width: 5, text: ({ netns }) => (netns === own ? '' : netns) },
  ];
}

/** `14:03:22.123` of this machine's clock. */
function timeOfDay(date: Date): string {
  const digits = (value: number, count = 2) => String(value).padStart(count, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((value) => digits(value));
  return `${time.join(':')}.${digits(date.getMilliseconds(), 3)}`;
}
