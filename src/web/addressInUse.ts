import ipaddr from 'ipaddr.js';
import type { DescribedListener } from '../snapshot/describedListener.ts';
import type { ListenAddress } from './listenAddress.ts';

/** More than a line can name. */
const MOST_NAMED = 3;

/**
 * Who keeps an address from being listened on: `nginx/812 of nginx.service`; undefined where none of the listeners does, or
 * nothing is known of those that do.
 */
export function holdersOf(
  address: ListenAddress,
  listeners: readonly DescribedListener[],
): string | undefined {
  const names = listeners
    .filter(
      (listener) =>
        listener.protocol === 'tcp' && listener.port === address.port && conflicts(address, listener),
    )
    .map(nameOf);
  const known = [...new Set(names)].filter((name) => name !== '');
  return known.length === 0 ? undefined : known.slice(0, MOST_NAMED).join(', ');
}

/** Whether one socket may not listen on the address beside the other. What a name stands for is not known: it may be any. */
function conflicts({ host }: ListenAddress, { address, family, ipv6Only }: DescribedListener): boolean {
  if (host === undefined || !ipaddr.isValid(host) || host === '::') return true;
  const takesIpv4 = family === 4 || (address === '::' && !ipv6Only);
  if (host === '0.0.0.0') return takesIpv4;
  const isIpv4 = ipaddr.IPv4.isValid(host);
  if (isIpv4 ? takesIpv4 && (address === '0.0.0.0' || address === '::') : address === '::') return true;
  return (family === 4) === isIpv4 && ipaddr.parse(host).toString() === ipaddr.parse(address).toString();
}

/** '' where nothing is known of it. The root cgroup says nothing. */
function nameOf({ process, pid, owner }: DescribedListener): string {
  const holder = pid === undefined ? '' : `${process}/${pid}`;
  return [holder, owner].filter((part) => part !== '' && part !== '/').join(' of ');
}
