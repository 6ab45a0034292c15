import { leastRatioOf } from '../../src/status/level.ts';

/** Where the alerts stand, and so where the dashboard changes colour. Ratios from 0 to 1. */

/** From here on connect() has to search for a free port, and becomes slower. */
export const SLOW = leastRatioOf('half');
export const NEAR = leastRatioOf('near');
export const IMMINENT = leastRatioOf('imminent');

/** Of the limit of a listener's accept queue. */
export const QUEUE_NEAR_LIMIT = 0.8;

/** Of the new packets of a destination behind a NAT, that find no port. */
export const SNAT_REFUSING = 0.01;
/** Of its ports. */
export const SNAT_RUNNING_OUT = 0.5;
/** Of the limit of the table of tracked connections. */
export const CONNTRACK_NEAR_LIMIT = 0.9;

/** At the present rate, in seconds. */
export const EXHAUSTED_WITHIN = 3600;

/** How many of its intervals a sample stays fresh, as for /-/ready. */
export const FRESH_INTERVALS = 3;
