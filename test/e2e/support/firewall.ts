import { execFileSync } from 'node:child_process';
import { enterFreshNamespace } from '../../live/support/posix.ts';

/** Why no firewall can be set up in a network namespace here: the tool, the privilege, or parts of the kernel. */
export const missingFirewall = tryFirewall();

function tryFirewall(): string | undefined {
  try {
    const leave = enterFreshNamespace();
    try {
      firewall(
        incoming('tcp dport 1 quota until 1 bytes drop', 'tcp dport 1 reject with icmpx type no-route'),
        redirecting('tcp dport 1 redirect to :2'),
      );
    } finally {
      leave();
    }
    return undefined;
  } catch (error) {
    return `no firewall: ${error}`;
  }
}

/** Rules of nft(8) for a table `inet filter`, in the network namespace of this thread. They end with it. */
export function firewall(...chains: readonly string[]): void {
  const table = ['table inet filter {', ...chains, '}', ''].join('\n');
  execFileSync('nft', ['-f', '-'], { input: table, stdio: ['pipe', 'ignore', 'pipe'] });
}

/** A chain that the rules of what comes in stand in, a rule each. */
export function incoming(...rules: readonly string[]): string {
  return chain('input', 'filter', 0, rules);
}

/** A chain that the rules of what leads elsewhere stand in, for connections made here. */
export function redirecting(...rules: readonly string[]): string {
  return chain('output', 'nat', -100, rules);
}

function chain(hook: string, type: string, priority: number, rules: readonly string[]): string {
  return [
    `chain ${hook} {`,
    `type ${type} hook ${hook} priority ${priority}; policy accept;`,
    ...rules,
    '}',
  ].join('\n');
}
