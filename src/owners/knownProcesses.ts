import { statSync } from 'node:fs';
import { ifReadableNow } from '../base/ifReadable.ts';
import { readUpTo } from '../base/readUpTo.ts';
import { type ProcessStat, parseProcessStat } from './processStat.ts';

/** A process as it was when it was last looked at. */
export interface KnownProcess extends ProcessStat {
  readonly pid: number;
  uid: number;
  /** When it was last looked at. */
  round: number;
}

/** Processes that hold listening sockets: a pid is given again, and names and users may change. */
export class KnownProcesses {
  readonly #procfs: string;
  /** By pid, those looked at longest ago first. */
  readonly #processes = new Map<number, KnownProcess>();
  #round = 0;

  constructor(procfs: string) {
    this.#procfs = procfs;
  }

  beginRound(): void {
    this.#round += 1;
  }

  /** Forgets all others. */
  keepOnly(inUse: ReadonlySet<KnownProcess | undefined>): void {
    for (const [pid, process] of this.#processes) if (!inUse.has(process)) this.#processes.delete(pid);
  }

  /** Looks again, as long as there is time → those that are gone, or whose pid another one has. */
  recheck(isOver: () => boolean): ReadonlySet<KnownProcess> {
    const gone = new Set<KnownProcess>();
    for (const process of [...this.#processes.values()]) {
      if (isOver()) break;
      const isSame = this.#refresh(process);
      this.#processes.delete(process.pid);
      if (isSame) this.#processes.set(process.pid, process);
      else gone.add(process);
    }
    return gone;
  }

  /** The one that has the pid now, undefined where it cannot be read; and the one that had it before, if it is gone. */
  of(pid: number): { readonly process: KnownProcess | undefined; readonly replaced?: KnownProcess } {
    const known = this.#processes.get(pid);
    if (known === undefined) return { process: this.#meet(pid) };
    if (known.round === this.#round || this.#refresh(known)) return { process: known };
    this.#processes.delete(pid);
    return { process: this.#meet(pid), replaced: known };
  }

  clear(): void {
    this.#processes.clear();
  }

  #meet(pid: number): KnownProcess | undefined {
    const seen = this.#look(pid);
    if (seen === undefined) return undefined;
    const process = { pid, round: this.#round, ...seen };
    this.#processes.set(pid, process);
    return process;
  }

  /** False where the process is gone, or another one has its pid. */
  #refresh(process: KnownProcess): boolean {
    const seen = this.#look(process.pid);
    if (seen?.startTime !== process.startTime) return false;
    Object.assign(process, seen, { round: this.#round });
    return true;
  }

  /** The owner of `/proc/<pid>` is the effective user; the kernel hides it below, not there, for a setuid program. */
  #look(pid: number): (ProcessStat & { uid: number }) | undefined {
    return ifReadableNow(`reading the process ${pid}`, () => {
      const stat = parseProcessStat(readUpTo(`${this.#procfs}/${pid}/stat`, STAT_LIMIT));
      return stat && { ...stat, uid: statSync(`${this.#procfs}/${pid}`).uid };
    });
  }
}

const STAT_LIMIT = 2000;
