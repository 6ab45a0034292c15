import type { Command } from '../../src/cli/command.ts';
import type { Flag } from '../../src/cli/flag.ts';
import { environmentVariable } from '../../src/cli/readFlags.ts';

interface Described {
  readonly version: string;
  /** Of the release, as ISO 8601 has it: `2026-01-31`. */
  readonly date: string;
  /** The default command first. */
  readonly commands: readonly Command[];
}

/** The manual page in the macros of man(7), from the tables that `--help` is made of. */
export function manPage({ version, date, commands }: Described): string {
  const [daemon, ...others] = commands;
  if (daemon === undefined) throw new Error('no command');
  const flags = visible(daemon);
  return `${[
    `.TH PORT\\-EXPORTER 1 ${date} "port\\-exporter ${version}" "User Commands"`,
    '.SH NAME',
    `port\\-exporter \\- ${escaped('Prometheus exporter for ephemeral port exhaustion, and its questions at a shell')}`,
    '.SH SYNOPSIS',
    '.B port\\-exporter',
    '.RI [ flags ]',
    ...others.flatMap((command) => [
      '.br',
      `.B port\\-exporter ${escaped(command.pattern)}`,
      '.RI [ flags ]',
    ]),
    '.SH DESCRIPTION',
    `${escaped(daemon.describe)}.`,
    'Without a command it is a daemon that samples the socket tables of the kernel and serves metrics for Prometheus, and a',
    'status page.',
    '.SH COMMANDS',
    ...others.flatMap(commandSection),
    '.SH OPTIONS',
    'Of the daemon. Each can also be set by the environment variable that is named with it; several values are then separated by',
    'commas. Flags take precedence.',
    ...[...new Set(flags.map(([, { group }]) => group))].flatMap((group) => [
      `.SS ${escaped(group.replace(/:$/, ''))}`,
      ...flags
        .filter(([, flag]) => flag.group === group)
        .flatMap(([name, flag]) => flagEntry(name, flag, true)),
    ]),
    ...REST,
  ].join('\n')}\n`;
}

const REST = [
  '.SH SIGNALS',
  '.TP',
  '.B SIGHUP',
  'Reload the web configuration and the probe file.',
  '.TP',
  '.BR SIGTERM , " SIGINT"',
  'Stop.',
  '.SH FILES',
  '.TP',
  '.I /etc/default/port\\-exporter',
  'Environment of the service: every flag as a variable.',
  '.TP',
  '.I /usr/share/doc/port\\-exporter/examples/',
  'Drop\\-ins for systemd, rules and alerts for Prometheus, a dashboard for Grafana, runbooks, and the reference.',
  '.SH EXIT STATUS',
  '0 for success; 1 where a question is answered with no, something failed, or the command line is wrong; 130 for a command that',
  'Ctrl\\-C ended before its time.',
  '.SH SEE ALSO',
  '.BR ss (8),',
  '.BR lsof (8),',
  '.BR ip\\-netns (8),',
  '.BR prometheus (1),',
  '.BR systemctl (1)',
];

function commandSection(command: Command): string[] {
  return [
    `.SS ${escaped(command.pattern)}`,
    `${escaped(command.describe)}.`,
    ...Object.entries(command.positionals ?? {}).flatMap(([name, describe]) => [
      '.TP',
      `.I ${escaped(name)}`,
      escaped(describe),
    ]),
    ...visible(command).flatMap(([name, flag]) => flagEntry(name, flag, false)),
  ];
}

function visible({ flags }: Command): [string, Flag<unknown>][] {
  return Object.entries(flags).filter(([, { hidden = false }]) => !hidden);
}

function flagEntry(
  name: string,
  { describe, isSwitch, default: byDefault }: Flag<unknown>,
  hasVariable: boolean,
) {
  const value = isSwitch ? '' : '=\\fIVALUE\\fR';
  const known = [
    ...(isSwitch || byDefault === '' ? [] : [`default: ${byDefault}`]),
    ...(hasVariable ? [environmentVariable(name)] : []),
  ];
  return [
    '.TP',
    `\\fB${escaped(`--${name}`)}\\fR${value}`,
    `${escaped(describe)}${known.length === 0 ? '' : ` (${escaped(known.join('; '))})`}.`,
  ];
}

/** What roff would take for an escape, a hyphen or a request. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}
