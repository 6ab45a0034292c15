export type Protocol = 'tcp' | 'udp';
