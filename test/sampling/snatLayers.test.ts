import { describe, expect, it } from 'vitest';
import { AssumedPorts } from '../../src/aggregate/snatPorts.ts';
import { snatLayers } from '../../src/sampling/snatLayers.ts';
import type { TrackedNamespace } from '../../src/sampling/trackedNamespaces.ts';
import { RANGE, translated, visitFlows } from '../aggregate/flows.ts';

const DESTINATION = { address: '192.0.2.1', port: 443 };
const ASSUMED = new AssumedPorts([RANGE]);

/** A namespace that translates one connection to the destination, and counts how often it is walked. */
function router(netns: string, walked: string[]): TrackedNamespace {
  return {
    ...{ netns, path: `/run/netns/${netns}`, isOwn: false },
    addresses: () => [],
    look: () => ({ entries: 1, limit: undefined, insertFailed: undefined, timeWaitSeconds: undefined }),
    walk: (visit) => {
      walked.push(netns);
      visitFlows([translated(2000)], visit);
    },
  };
}

function among(count: number, walked: string[]) {
  const others = Array.from({ length: count }, (_, index) => router(`other-${index}`, walked));
  return { own: router('own', walked), others, otherCount: count };
}

describe('NATs on the way to a destination', () => {
  it('are those of every namespace that translates connections to it', () => {
    const { layers, refusal } = snatLayers(among(2, []), 'own', DESTINATION, ASSUMED);
    expect(layers.map(({ netns }) => netns)).toEqual(['own', 'other-0', 'other-1']);
    expect(refusal).toBe(undefined);
  });

  it('are no longer looked for when the time is over, but in the own namespace, and it is said', () => {
    const walked: string[] = [];
    const { layers, refusal } = snatLayers(among(300, walked), 'own', DESTINATION, ASSUMED, 0);
    expect(new Set(walked)).toEqual(new Set(['own']));
    expect(layers.map(({ netns }) => netns)).toEqual(['own']);
    expect(refusal).toBe('300 of 301 network namespaces are left after 0 s');
  });
});
