import { endpoint } from '../base/endpoint.ts';

interface Towards {
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** The words of the command that explains a destination; without `netns` in the namespace of who pastes it. */
export function explainCommand(netns: string | undefined, towards: Towards): readonly string[] {
  return commandOf('explain', netns, towards);
}

/** The same of a destination behind a NAT of that namespace. */
export function snatCommand(netns: string | undefined, towards: Towards): readonly string[] {
  return commandOf('snat', netns, towards);
}

function commandOf(
  command: string,
  netns: string | undefined,
  { remoteAddress, remotePort }: Towards,
): string[] {
  return [
    ...['port-exporter', command, endpoint(remoteAddress, remotePort)],
    ...(netns === undefined ? [] : [`--netns=${netns}`]),
  ];
}
