import { setMaxListeners } from 'node:events';
import { ExporterError } from '../base/errors.ts';
import { type ConnectOutcome, tcpConnect } from '../probes/tcpConnect.ts';

/** What is to be scanned, and how hard. */
export interface ScanPlan {
  /** An IP address. */
  readonly address: string;
  /** Each at most once. */
  readonly ports: readonly number[];
  /** For each connect(), of which a port that does not answer gets two. */
  readonly timeoutMs: number;
  /** The most connections under way at once: each holds a descriptor, and a local port. */
  readonly concurrency: number;
  /** Ends the scan early: what is under way then is not in the result. */
  readonly signal: AbortSignal;
  readonly onScanned: (port: ScannedPort) => void;
}

/** The states of `nmap -sT`: accepted; refused; no answer, or word from on the way that there is no way. */
export type PortState = 'open' | 'closed' | 'filtered';

export interface ScannedPort {
  readonly port: number;
  readonly state: PortState;
  /** The errno by name that connect(2) ended with; undefined where it is open. ETIMEDOUT for no answer. */
  readonly error: string | undefined;
}

/**
 * One connect() to each port, in ascending order, and one more where the first is not answered. Each is ended by a reset,
 * which leaves no TIME_WAIT. Throws an ExporterError where this machine has nothing to ask with: no local port, or no
 * descriptor even for one connection at a time.
 *
 * @returns the ports that were asked, in ascending order
 */
export async function scanPorts(plan: ScanPlan): Promise<ScannedPort[]> {
  const ending = new AbortController();
  const { signal } = ending;
  // Every connection listens to it.
  setMaxListeners(0, signal);
  const end = () => ending.abort();
  plan.signal.addEventListener('abort', end, { once: true });
  const waiting = plan.ports.toSorted((a, b) => b - a);
  const scanned: ScannedPort[] = [];
  let atWork = 0;
  const work = async () => {
    atWork++;
    for (let port = waiting.pop(); port !== undefined; port = waiting.pop()) {
      const outcome = await ask({ ...plan, signal }, port);
      if (signal.aborted) break;
      if (isOutOfDescriptors(outcome) && atWork > 1) {
        // Fewer at once then; whoever is still at work takes this port too.
        waiting.push(port);
        break;
      }
      const result = { port, ...stateOf(outcome, plan.address, port) };
      scanned.push(result);
      plan.onScanned(result);
    }
    atWork--;
  };
  try {
    await Promise.all(Array.from({ length: Math.min(plan.concurrency, waiting.length) }, work));
  } finally {
    plan.signal.removeEventListener('abort', end);
    end();
  }
  return scanned.toSorted((a, b) => a.port - b.port);
}

/** A lost packet is no firewall: who does not answer is asked again, with new SYNs from another port. */
async function ask({ address, timeoutMs, signal }: ScanPlan, port: number): Promise<ConnectOutcome> {
  const target = { address, port, timeoutMs, signal };
  const first = await tcpConnect(target);
  return !first.connected && first.reason === 'timeout' ? await tcpConnect(target) : first;
}

/** errno(3): of this process, of the whole machine. */
function isOutOfDescriptors(outcome: ConnectOutcome): boolean {
  return !outcome.connected && (outcome.error === 'EMFILE' || outcome.error === 'ENFILE');
}

function stateOf(outcome: ConnectOutcome, address: string, port: number): Omit<ScannedPort, 'port'> {
  if (outcome.connected) return { state: 'open', error: undefined };
  const { reason, error } = outcome;
  if (reason === 'refused') return { state: 'closed', error };
  if (reason === 'no_local_port') {
    throw new ExporterError(
      `scanning ${address}: no local port is left to connect to port ${port} (${error}); see port-exporter explain`,
    );
  }
  if (OWN_FAILURES.has(error)) {
    throw new ExporterError(`scanning ${address}: this host cannot connect to port ${port} (${error})`);
  }
  return { state: 'filtered', error };
}

/** connect(2), socket(2): they say nothing of the far end. */
const OWN_FAILURES: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EAFNOSUPPORT',
  'EUNKNOWN',
]);
