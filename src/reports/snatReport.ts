import type { SnatExplained } from '../aggregate/snatHolders.ts';
import { endpoint } from '../base/endpoint.ts';
import { counted, percent } from '../base/quantities.ts';
import { shellCommand } from '../base/shell.ts';
import { pasteable } from './commands.ts';
import { paragraph } from './explainTables.ts';
import type { Report } from './report.ts';
import type { SnatAnswered } from './snatAnswered.ts';
import {
  isNoticed,
  isTableFull,
  keepsPorts,
  type SnatRemedy,
  shareOf,
  snatRemedies,
} from './snatRemedies.ts';
import {
  emphasisOfRefusal,
  expiryOf,
  expiryTable,
  othersTable,
  portsTable,
  snatHoldersTable,
  snatRemediesTable,
} from './snatTables.ts';
import { emphasisOfRatio, styled } from './style.ts';
import type { Terminal } from './terminal.ts';

/** Who holds the ports of a NAT towards a destination, and what would help. */
export function snatReport(answered: SnatAnswered): Report {
  const { netns, tracked, explained, others, notRead } = answered;
  if (explained === undefined)
    return {
      data: { netns, tracked, holders: [], remedies: [], others, notRead },
      exitCode: 0,
      text: (terminal) =>
        [...paragraph(nothing(answered), terminal), ...notReadLines(answered, terminal)].join('\n'),
    };
  const remedies = snatRemedies(explained, tracked).map((remedy) => inNamespace(remedy, answered));
  const { holders, secondsLeft: _, timeWaitSecondsLeft: __, zone, ...destination } = explained;
  const expiry = expiryOf(explained);
  return {
    data: {
      netns,
      tracked,
      destination: { ...destination, ...(zone === 0 ? {} : { zone }) },
      holders: holders.map((holder) => ({ ...holder, isOwn: answered.addresses.has(holder.address) })),
      expiry,
      remedies: remedies.map(({ command, ...rest }) => ({
        ...rest,
        command: command && shellCommand(command),
      })),
      ...{ others, otherCount: answered.otherCount, notRead },
    },
    exitCode: 0,
    text: (terminal) =>
      [
        heading(answered, explained, terminal),
        portsTable(explained, terminal),
        snatHoldersTable(answered, terminal),
        expiryTable(expiry, terminal),
        snatRemediesTable(remedies, terminal),
        commandsOf(remedies, terminal),
        othersTable(answered, terminal),
      ]
        .filter((part) => part !== undefined)
        .join('\n\n'),
  };
}

/** A sysctl is a namespace's own: its command enters that first, where the shell is not in it. */
function inNamespace({ command, ...remedy }: SnatRemedy, { netnsPath }: SnatAnswered): SnatRemedy {
  if (command === undefined) return remedy;
  return {
    ...remedy,
    command: netnsPath === undefined ? command : ['nsenter', `--net=${netnsPath}`, ...command],
  };
}

function commandsOf(remedies: readonly SnatRemedy[], terminal: Terminal): string | undefined {
  const commands = remedies.map(({ command }) => command).filter((command) => command !== undefined);
  return commands.length === 0 ? undefined : pasteable('COMMANDS FOR THESE', commands, terminal);
}

function heading(answered: SnatAnswered, explained: SnatExplained, terminal: Terminal): string {
  const { available, ratio, refusalRatio, first, last } = explained;
  const used = `${available} of ${counted(last - first + 1, 'port')} left (${percent(ratio)} used)`;
  const emphasis = isNoticed(refusalRatio) ? emphasisOfRefusal(refusalRatio) : emphasisOfRatio(ratio);
  return [
    ...paragraph(title(answered, explained), terminal).map((line) => styled(line, 'heading', terminal)),
    ...paragraph(`${used}: ${chance(explained)}.`, terminal).map((line) => styled(line, emphasis, terminal)),
    ...[symptom(explained), keeping(explained)]
      .filter((note) => note !== undefined)
      .flatMap((note) => paragraph(note, terminal)),
    ...tracking(answered, terminal),
    ...notReadLines(answered, terminal),
  ].join('\n');
}

function title({ netns, isAll, isNetnsNamed, wanted }: SnatAnswered, explained: SnatExplained): string {
  const { natAddress, remoteAddress, remotePort, protocol, zone } = explained;
  const to = endpoint(remoteAddress, remotePort);
  // After DNAT it is another than people connect to.
  const named = wanted === undefined || wanted === to ? '' : ` (${wanted} before DNAT)`;
  const zoned = zone === 0 ? '' : `, zone ${zone}`;
  const where = isAll || isNetnsNamed ? `, in ${netns}` : '';
  return `${natAddress} → ${to}${named}, ${protocol.toUpperCase()}${zoned}${where}`;
}

/** What becomes of a new packet. */
function chance(explained: SnatExplained): string {
  const { refusalRatio, available } = explained;
  if (refusalRatio >= 1) return 'no new packet finds a port, and all are dropped';
  if (!isNoticed(refusalRatio) && available === 0)
    return 'new packets get the ports of connections in TIME_WAIT, which the kernel ends for them';
  if (refusalRatio === 0) return 'every new packet finds one';
  return `${shareOf(refusalRatio)} of new packets find none and are dropped`;
}

function symptom({ refusalRatio, protocol }: SnatExplained): string | undefined {
  if (!isNoticed(refusalRatio)) return undefined;
  return protocol === 'tcp'
    ? 'Nobody is told: connect() takes 1 s or 3 s, since each retransmission searches again, or times out.'
    : 'Nobody is told: what is sent is lost.';
}

function keeping(explained: SnatExplained): string | undefined {
  const { kept, translated, refusalRatio } = explained;
  if (!keepsPorts(explained)) return undefined;
  const limit = isNoticed(refusalRatio) ? ', so the share is an upper limit' : '';
  return `The rule keeps the port of a client where it is free (${kept} of ${translated} kept theirs)${limit}.`;
}

function tracking({ tracked, exportedFrom }: SnatAnswered, terminal: Terminal): string[] {
  const { entries, limit, insertFailed } = tracked;
  const of = limit === undefined ? '' : ` of ${limit} (${percent(entries / limit)})`;
  const dropped =
    insertFailed === undefined ? '' : `; dropped for want of a port, or in a race: ${insertFailed}`;
  const metric =
    entries < exportedFrom
      ? ` The exporter has metrics of it from ${exportedFrom} tracked connections on.`
      : '';
  return paragraph(`Tracked connections: ${entries}${of}${dropped}.${metric}`, terminal).map((line) =>
    styled(line, isTableFull(tracked) ? 'alarm' : 'plain', terminal),
  );
}

/** Why there is nothing to explain. */
function nothing(answered: SnatAnswered): string {
  const { wanted, hasNat, tracked, isAll, netns, rangePorts } = answered;
  const where = isAll ? 'in any network namespace' : `in ${netns}`;
  const elsewhere = isAll ? '' : ' --netns=all looks into the others.';
  if (hasNat)
    return `No port behind a NAT is held towards ${wanted} ${where}: all ${rangePorts} are left.${elsewhere}`;
  const entries = counted(tracked.entries, 'connection is', 'connections are');
  return `No connection has its source translated ${where}: there is no SNAT (${entries} tracked).${elsewhere}`;
}

function notReadLines({ notRead }: SnatAnswered, terminal: Terminal): string[] {
  const [one, ...more] = notRead;
  if (one === undefined) return [];
  const rest = more.length === 0 ? '' : `; and ${more.length} more`;
  return paragraph(`Not read: ${one}${rest}.`, terminal);
}
