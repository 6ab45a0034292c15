import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration } from '../base/duration.ts';
import { ExporterError } from '../base/errors.ts';
import { escapeInvisible } from '../base/logfmt.ts';
import { monotonicMs } from '../kernel/clock.ts';
import { isAbandoned } from '../kernel/libc.ts';
import { stderrLines } from '../kernel/stderr.ts';
import { openRefusals, type Refusals } from '../refusals/openRefusals.ts';
import { REFUSAL_JSON, type RefusalLines, refusalText } from '../reports/refusalsReport.ts';
import { terminalOf } from '../reports/terminal.ts';
import { HostNames } from '../sampling/hostNames.ts';
import { RefusalReports } from '../sampling/refusalReports.ts';
import type { RefusalReport } from '../snapshot/refusals.ts';
import { RefusalTally } from '../status/refusalTally.ts';
import { netnsInode } from './netns.ts';
import { printWhileRead, UNREAD } from './output.ts';

/** A person sees no delay in it, and there are at most so many grace periods of the kernel's. */
const DRAIN_MS = 200;
/** How long a reader that is stuck is waited for once the command was told to end. */
const LAST_WORDS_MS = 500;
const STDOUT = 1;

export interface Watch {
  /** What `--netns` says. */
  readonly netns: string | undefined;
  readonly procfs: string;
  readonly sysfs: string;
  readonly asJson: boolean;
  /** undefined: until a signal. */
  readonly forMs: number | undefined;
}

/** Prints refused calls as they happen → the exit code. Throws an ExporterError where none can be counted. */
export async function watchRefusals({ netns, procfs, sysfs, asJson, forMs }: Watch): Promise<number> {
  const ending = new Ending();
  const names = new HostNames({ procfs, sysfs }, netnsInode(netns, procfs));
  const lines = asJson ? REFUSAL_JSON : refusalText(names.own, terminalOf(process.stdout, process.env));
  const watched = new Watched(new RefusalReports(openCounting(), names), lines);
  const isUnread = isAbandoned(STDOUT);
  sayBeginning(forMs);
  if (forMs !== undefined) ending.comesAfter(forMs);
  while (ending.how === undefined) {
    const text = watched.next();
    // What the reader does not take is not read from the kernel either, whose queue is bounded.
    if (text !== '') await ending.notBeyond(printWhileRead(text));
    else if (isUnread()) return UNREAD;
    await ending.notBeyond(sleep(DRAIN_MS));
  }
  const { how } = ending;
  // From here on a signal ends the process.
  ending.close();
  const text = watched.end();
  names.close();
  const printed = printWhileRead(text);
  await (how === 'time' ? printed : Promise.race([printed, sleep(LAST_WORDS_MS)]));
  return how === 'time' || forMs === undefined ? 0 : 128 + constants.signals[how];
}

/** Throws an ExporterError where not one of the calls is counted. */
function openCounting(): Refusals {
  const refusals = openRefusals();
  if (refusals.regimes.some(({ isCounted }) => isCounted)) return refusals;
  const reasons = new Set(refusals.regimes.flatMap(({ reason }) => reason ?? []));
  refusals.close();
  throw new ExporterError(`counting refused calls: ${[...reasons].join('; ')}`);
}

/** For whoever waits at a terminal, and would else see nothing until something happens. */
function sayBeginning(forMs: number | undefined): void {
  if (process.stderr.isTTY !== true) return;
  say(`watching ${forMs === undefined ? 'until Ctrl-C' : `for ${formatDuration(forMs)}`}`);
}

function say(line: string): void {
  stderrLines().write(`port-exporter: ${escapeInvisible(line)}\n`);
}

/** What is shown of what happened so far. */
class Watched {
  readonly #reports: RefusalReports;
  readonly #lines: RefusalLines;
  readonly #tally = new RefusalTally();
  readonly #startedAtMs = monotonicMs();
  #counted: RefusalReport['counted'] = [];
  #obstacles = '';
  /** Refused calls that were not shown. Below 0 where some were shown that are yet to be counted. */
  #notShown = 0;

  constructor(reports: RefusalReports, lines: RefusalLines) {
    this.#reports = reports;
    this.#lines = lines;
  }

  /** Lines of what happened since the last time; '' where nothing did. */
  next(): string {
    const report = this.#reports.next();
    if (report === undefined) return '';
    this.#sayObstacles(report);
    this.#counted = report.counted;
    const before = this.#tally.refused;
    this.#tally.take(report, monotonicMs());
    this.#notShown += this.#tally.refused - before - report.events.length;
    const more = Math.max(0, this.#notShown);
    this.#notShown -= more;
    return textOf([...this.#lines.refused(report.events), ...(more > 0 ? this.#lines.more(more) : [])]);
  }

  /** The last of them, and the summary. Leaves nothing in the kernel. */
  end(): string {
    const last = this.next();
    const durationMs = monotonicMs() - this.#startedAtMs;
    this.#reports.close();
    return last + textOf(this.#lines.summary({ durationMs, counted: this.#counted, tally: this.#tally }));
  }

  #sayObstacles({ obstacles, interruptions, lost }: RefusalReport): void {
    const said = obstacles.join('; ');
    if (said !== this.#obstacles && said !== '') say(`not counted here: ${said}`);
    this.#obstacles = said;
    for (const call of interruptions) say(`${call}: some refused calls may be missing`);
    if (lost.namespaces > 0) say(`${lost.namespaces} failed calls fit in no kernel table`);
  }
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
type How = 'time' | (typeof SIGNALS)[number];

/** The end of the time, or a signal. */
class Ending {
  #how: How | undefined;
  /** Ends what is waited for. */
  #wake = (): void => {};
  #timer: NodeJS.Timeout | undefined;
  readonly #end = (how: How): void => {
    this.#how ??= how;
    this.#wake();
  };

  constructor() {
    for (const signal of SIGNALS) process.once(signal, this.#end);
  }

  get how(): How | undefined {
    return this.#how;
  }

  comesAfter(milliseconds: number): void {
    this.#timer = setTimeout(this.#end, milliseconds, 'time');
  }

  /** Waits for the work, but not beyond the end. */
  async notBeyond(work: Promise<void>): Promise<void> {
    if (this.#how !== undefined) return;
    await Promise.race([work, new Promise<void>((resolve) => (this.#wake = resolve))]);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const signal of SIGNALS) process.off(signal, this.#end);
  }
}
