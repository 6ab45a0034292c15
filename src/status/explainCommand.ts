import { endpoint } from '../base/endpoint.ts';

/** The words of the command that explains a destination; without `netns` in the namespace of who pastes it. */
export function explainCommand(
  netns: string | undefined,
  { remoteAddress, remotePort }: { readonly remoteAddress: string; readonly remotePort: number },
): readonly string[] {
  return [
    ...['port-exporter', 'explain', endpoint(remoteAddress, remotePort)],
    ...(netns === undefined ? [] : [`--netns=${netns}`]),
  ];
}
