import { execFileSync } from 'node:child_process';
import { missingTool } from './needs.ts';

/** Why no firewall can be set up in a network namespace here. */
export const missingFirewall = missingTool('nft');

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
