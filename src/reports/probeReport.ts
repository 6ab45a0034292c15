import { formatDuration } from '../base/duration.ts';
import { escapeInvisible } from '../base/logfmt.ts';
import { shellCommand } from '../base/shell.ts';
import { errnoText } from '../kernel/errnoText.ts';
import type { Attempt, ProbeOutcome } from '../probes/probe.ts';
import type { Endpoint } from '../probes/target.ts';
import { explainCommand } from '../status/explainCommand.ts';
import type { Report } from './report.ts';
import { type Emphasis, styled } from './style.ts';

export interface Probed extends Endpoint {
  /** '' where the port has none. */
  readonly service: string;
  readonly timeoutMs: number;
  /** Where it was asked for by `--netns`. */
  readonly netns?: string | undefined;
  readonly outcome: ProbeOutcome;
}

/** One probe, in the words of OpenBSD's `nc -zv`: a line for each address that was tried. */
export function probeReport(probed: Probed): Report {
  const { host, port, source, service, outcome } = probed;
  return {
    data: {
      ...{ host, port, service: service === '' ? undefined : service, source },
      success: outcome.failure === undefined,
      reason: outcome.failure?.reason,
      error: outcome.failure?.error,
      resolveSeconds: outcome.resolveSeconds,
      connectSeconds: outcome.connectSeconds,
      attempts: outcome.attempts.map(({ address, seconds, ...attempt }) => ({
        ...{ address, seconds, success: attempt.connected },
        ...(attempt.connected ? {} : { reason: attempt.reason, error: attempt.error }),
      })),
    },
    exitCode: outcome.failure === undefined ? 0 : 1,
    text(terminal) {
      return linesOf(probed)
        .map(([line, emphasis]) => styled(line, emphasis, terminal))
        .join('\n');
    },
  };
}

type Line = readonly [text: string, emphasis: Emphasis];

function linesOf(probed: Probed): Line[] {
  const { host, port, timeoutMs, outcome, netns } = probed;
  const [first] = outcome.attempts;
  if (first === undefined && outcome.failure !== undefined) {
    const why = lookupText(outcome.failure.error, timeoutMs);
    const shown = escapeInvisible(JSON.stringify(host));
    return [[`getaddrinfo for host ${shown} port ${port}: ${why}`, 'alarm']];
  }
  const lines = outcome.attempts.map(
    (attempt): Line => [attemptLine(attempt, probed), attempt.connected ? 'plain' : 'alarm'],
  );
  const full = outcome.attempts.find((one) => !one.connected && one.reason === 'no_local_port');
  if (full === undefined) return lines;
  const command = shellCommand(explainCommand(netns, { remoteAddress: full.address, remotePort: port }));
  return [...lines, [`no local port is left for it; see: ${command}`, 'plain']];
}

function attemptLine(attempt: Attempt, { host, port, service, source }: Probed): string {
  const { address } = attempt;
  const to = host === address ? host : `${host} (${address})`;
  if (attempt.connected) {
    return `Connection to ${to} ${port} port [tcp/${service === '' ? '*' : service}] succeeded!`;
  }
  const connect = `connect to ${to} port ${port} (tcp)`;
  if (attempt.reason === 'timeout') {
    return `${connect} timed out: no answer in ${attempt.seconds.toFixed(1)} s`;
  }
  const line = `${connect} failed: ${errnoText(attempt.error)}`;
  if (attempt.reason !== 'no_source_address') return line;
  return `${line}: this host has no address ${source === undefined ? 'to connect from' : source}`;
}

/** The text of gai_strerror(3), and one of our own for what has no code there. */
function lookupText(error: string, timeoutMs: number): string {
  switch (error) {
    case 'ENOTFOUND':
      return 'Name or service not known';
    case 'EAI_AGAIN':
      return 'Temporary failure in name resolution';
    case 'EAI_FAIL':
      return 'Non-recoverable failure in name resolution';
    case 'ETIMEDOUT':
      return `no answer within ${formatDuration(timeoutMs)}`;
    default:
      return error;
  }
}
