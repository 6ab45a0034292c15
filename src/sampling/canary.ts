import { release } from 'node:os';
import type { TcpSnapshot } from '../aggregate/tcpSnapshot.ts';
import type { UdpSnapshot } from '../aggregate/udp.ts';
import { KernelError } from '../base/errors.ts';
import { BlockedPortQuestions } from '../kernel/blockedPorts.ts';
import type { Libc } from '../kernel/libc.ts';
import { bindOnLoopback } from '../kernel/loopbackBind.ts';
import { releaseAtLeast } from '../kernel/release.ts';
import type { CanaryAnswer } from '../snapshot/canaryAnswer.ts';
import type { Protocol } from '../snapshot/protocol.ts';

/** What one sample calculated. */
export interface Calculated {
  /** The kernel may refuse with one port left: RangeSnapshot.leavesOneOut. */
  readonly leavesOneOut: boolean;
  readonly tcp: Pick<TcpSnapshot, 'onLoopback' | 'bindMayBlock'> | undefined;
  readonly udp: Pick<UdpSnapshot, 'onLoopback'> | undefined;
}

/** Asks the kernel for ports in one namespace, sample after sample. */
export class Canary {
  readonly #libc: Libc;
  readonly #exact: () => Readonly<Record<Protocol, boolean>>;
  readonly #leavesNothing: boolean;
  #answersQuestions = true;
  readonly #disagreements = new Map<string, number>();

  /**
   * @param exact which protocol's calculation knows every socket, at this sample: only that can be refuted
   * @param kernelRelease since 6.18 a port is as free as before once its binder closed it
   */
  constructor(libc: Libc, exact: () => Readonly<Record<Protocol, boolean>>, kernelRelease = release()) {
    this.#exact = exact;
    this.#libc = libc;
    this.#leavesNothing = releaseAtLeast(kernelRelease, 6, 18);
  }

  /** Asks which ports are blocked; undefined where this kernel cannot be asked. The caller gives it back. */
  openQuestions(): BlockedPortQuestions | undefined {
    if (!this.#answersQuestions) return undefined;
    try {
      return new BlockedPortQuestions(this.#libc);
    } catch (error) {
      if (error instanceof KernelError) return undefined;
      throw error;
    }
  }

  /** One that was not answered sent a packet instead: none is asked any more. */
  closeQuestions(questions: BlockedPortQuestions): void {
    this.#answersQuestions = questions.works;
    questions.close();
  }

  /** One bind(loopback, 0) for each protocol and family, on the calling thread, which must be in the namespace. */
  ask(calculated: Calculated): CanaryAnswer[] {
    const exact = this.#exact();
    return KEYS.map(({ protocol, family }) => {
      const asked = this.#mayAsk(protocol, calculated) ? this.#bind(protocol, family) : NOT_ASKED;
      const available = exact[protocol] ? calculated[protocol]?.onLoopback[family] : undefined;
      const disagrees = isRefuted(available, asked, protocol === 'tcp' && calculated.leavesOneOut);
      const key = `${protocol} ${family}`;
      const disagreements = (this.#disagreements.get(key) ?? 0) + (disagrees ? 1 : 0);
      this.#disagreements.set(key, disagreements);
      return { protocol, family, ...asked, calculated: available, disagrees, disagreements };
    });
  }

  #bind(protocol: Protocol, family: CanaryAnswer['family']): Asked {
    const { seconds, error } = bindOnLoopback(this.#libc, protocol, family === 'ipv4' ? 4 : 6);
    if (error !== undefined && NO_ADDRESS.has(error)) return { ...NOT_ASKED, error };
    return { succeeded: error === undefined, seconds, error };
  }

  /** On kernels that would keep the port blocked it asks only where that takes it from nobody. */
  #mayAsk(protocol: Protocol, { tcp }: Calculated): boolean {
    return protocol === 'udp' || this.#leavesNothing || tcp?.bindMayBlock === false;
  }
}

const KEYS = (['tcp', 'udp'] as const).flatMap((protocol) =>
  (['ipv4', 'ipv6'] as const).map((family) => ({ protocol, family })),
);

type Asked = Pick<CanaryAnswer, 'succeeded' | 'seconds' | 'error'>;

const NOT_ASKED: Asked = { succeeded: undefined, seconds: undefined, error: undefined };

/** What socket() and bind() say where the family is switched off or has no loopback address: nothing about ports. */
const NO_ADDRESS: ReadonlySet<string> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

/** @param mayMissOne the kernel may refuse with one port left */
function isRefuted(available: number | undefined, { error, succeeded }: Asked, mayMissOne: boolean): boolean {
  if (available === undefined || succeeded === undefined) return false;
  if (succeeded) return available === 0;
  return error === 'EADDRINUSE' && available > (mayMissOne ? 1 : 0);
}
