import { leastAvailable } from '../aggregate/exhaustion.ts';
import { endpoint, onDevice } from '../base/endpoint.ts';
import { counted, percent } from '../base/quantities.ts';
import { shellCommand } from '../base/shell.ts';
import { pasteable } from './commands.ts';
import type { Explained, ExplainedDestination } from './explained.ts';
import { snatData, snatLayersTable, snatVerdict } from './explainSnat.ts';
import {
  blockedTable,
  elsewhereTable,
  holdersTable,
  ledgerOf,
  ledgerTable,
  otherCallsTable,
  paragraph,
  processesTable,
  releaseTable,
  remediesTable,
  sysctlTable,
  timeWaitRelease,
} from './explainTables.ts';
import { refusedNow, refusedNowData, refusedNowTable } from './refusedNow.ts';
import { type Remedy, remediesFor } from './remedies.ts';
import type { Report } from './report.ts';
import { emphasisOfRatio, styled } from './style.ts';
import type { Terminal } from './terminal.ts';
import { availableAtMost } from './uncertain.ts';

/** Why a destination has so few ports left, and what would help. */
export function explainReport(explained: Explained): Report {
  const { netns, destination, sourceAddresses, holders, processes, tcp, udp, range, elsewhere } = explained;
  const remedies = remediesFor(destination, holders, tcp, range).map((remedy) =>
    inNamespace(remedy, explained),
  );
  const release = timeWaitRelease(holders.timeWaitLeftMs);
  const ledger = ledgerOf(explained);
  const known = typeof elsewhere === 'string' ? [] : elsewhere;
  return {
    data: {
      netns,
      destination: { ...destination, availableAtMost: availableAtMost(destination, tcp) },
      sourceAddresses,
      ports: ledger,
      owners: holders.owners,
      processes: processes.processes,
      socketsWithoutProcess: processes.unknown,
      timeWaitRelease: release,
      blocked: tcp.blocked,
      capacity: tcp.capacity,
      range,
      otherCalls: { tcpBind: tcp.bind, udpConnect: udp.connect, udpBind: udp.bind },
      refusals: refusedNowData(explained),
      elsewhere: known.map(withCommandLine),
      snat: snatData(explained),
      remedies: remedies.map(withCommandLine),
    },
    exitCode: 0,
    text: (terminal) =>
      [
        heading(explained, terminal),
        refusedNowTable(explained, terminal),
        snatLayersTable(explained, terminal),
        elsewhereTable(known, terminal),
        ...(known.length === 0
          ? []
          : [
              pasteable(
                'TO EXPLAIN IT THERE',
                known.map(({ command }) => command),
                terminal,
              ),
            ]),
        ledgerTable(ledger, terminal),
        holdersTable(holders.owners, terminal),
        processesTable(processes, terminal),
        releaseTable(release, terminal),
        blockedTable(explained, terminal),
        sysctlTable(explained, terminal),
        otherCallsTable(explained, terminal),
        remediesTable(remedies, terminal),
        commandsOf(remedies, terminal),
      ]
        .filter((part) => part !== undefined)
        .join('\n\n'),
  };
}

function withCommandLine<T extends { readonly command?: readonly string[] }>({ command, ...rest }: T) {
  return { ...rest, command: command && shellCommand(command) };
}

/** A sysctl is a namespace's own: its command enters that first, where the shell is not in it. */
function inNamespace({ command, ...remedy }: Remedy, { netnsPath }: Explained): Remedy {
  if (command === undefined) return remedy;
  return {
    ...remedy,
    command: netnsPath === undefined ? command : ['nsenter', `--net=${netnsPath}`, ...command],
  };
}

function commandsOf(remedies: readonly Remedy[], terminal: Terminal): string | undefined {
  const commands = remedies.map(({ command }) => command).filter((command) => command !== undefined);
  if (commands.length === 0) return undefined;
  return [
    pasteable('COMMANDS FOR THESE', commands, terminal),
    ...paragraph('They last until the next boot; a file in /etc/sysctl.d makes them permanent.', terminal),
  ].join('\n');
}

function heading(explained: Explained, terminal: Terminal): string {
  const { destination, sourceAddresses } = explained;
  const others = sourceAddresses - 1;
  const emphasis = emphasisOfRatio(destination.ratio);
  return [
    styled(title(explained), 'heading', terminal),
    ...paragraph(verdict(explained), terminal).map((line) => styled(line, emphasis, terminal)),
    ...snatVerdict(explained, terminal),
    ...refusedNow(explained, terminal),
    ...(others > 0
      ? paragraph(
          `From ${counted(others, 'other source address or device', 'other source addresses or devices')} it is less full.`,
          terminal,
        )
      : []),
    ...[uncertainty(explained), worseCall(explained), notLookedInto(explained)]
      .filter((note) => note !== undefined)
      .flatMap((note) => paragraph(note, terminal)),
  ].join('\n');
}

function title({ destination, netns, isNetnsNamed, elsewhere }: Explained): string {
  const others = typeof elsewhere === 'string' ? [] : elsewhere;
  if (destination.localAddress !== undefined || others.length === 0)
    return nameOf(destination, isNetnsNamed ? ` in ${netns}` : '');
  const [one, ...more] = new Set(others.map((other) => other.netns));
  const where = more.length === 0 ? one : `${1 + more.length} other network namespaces`;
  return nameOf(destination, ` in ${netns}, but in ${where}`);
}

function nameOf(
  { localAddress, device, remoteAddress, remotePort }: ExplainedDestination,
  where: string,
): string {
  if (remoteAddress === undefined || remotePort === undefined)
    return `Any destination: no connections${where}`;
  const to = endpoint(remoteAddress, remotePort);
  if (localAddress === undefined) return `${to}: no connections${where}`;
  return `${onDevice(localAddress, device)} → ${to}${where === '' ? '' : `,${where}`}`;
}

function verdict({ destination, tcp, range }: Explained): string {
  const { ratio } = destination;
  const available = leastAvailable(destination);
  const atMost = availableAtMost(destination, tcp);
  const of = counted(range.usable, 'port');
  if (atMost > available) {
    const least = percent(1 - atMost / range.usable).replace(' %', '');
    const told = `between ${available} and ${atMost} of ${of} left (${least} to ${percent(ratio)} used): `;
    return available === 0
      ? `${told}the next connect() may fail with EADDRNOTAVAIL.`
      : `${told}at least ${calls(available)}.`;
  }
  const told = `${available} of ${of} left (${percent(ratio)} used): `;
  return available === 0
    ? `${told}the next connect() fails with EADDRNOTAVAIL.`
    : `${told}${calls(available)}.`;
}

function calls(count: number): string {
  return `${count} more connect() ${count === 1 ? 'call succeeds' : 'calls succeed'}`;
}

/** Why there is a range. */
function uncertainty({ destination, tcp }: Explained): string | undefined {
  const inferred = availableAtMost(destination, tcp) - destination.available;
  if (inferred === 0) return undefined;
  return (
    `A single sample cannot tell whether ${counted(inferred, 'port')} of other connections ` +
    `${inferred === 1 ? 'is' : 'are'} blocked by bind(address, 0) or left over from a destination that was fuller ` +
    'before; a running exporter can.'
  );
}

/** This destination is not what the namespace is nearest to running out of. */
function worseCall({ worst, destination }: Explained): string | undefined {
  if (worst === undefined || (worst.protocol === 'tcp' && worst.scope === 'connect')) return undefined;
  const { protocol, scope, error, numbers } = worst;
  if (numbers.ratio <= destination.ratio) return undefined;
  const call = scope === 'bind' ? 'bind(address, 0)' : 'connect()';
  const fails =
    numbers.available === 0 ? `fails with ${error}` : `has ${counted(numbers.available, 'port')} left`;
  return `${protocol.toUpperCase()} ${call} is worse: it ${fails}.`;
}

function notLookedInto({ elsewhere }: Explained): string | undefined {
  return typeof elsewhere === 'string'
    ? `It may have connections in another network namespace: ${elsewhere}.`
    : undefined;
}
