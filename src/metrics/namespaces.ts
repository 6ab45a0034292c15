import { namespacesOf } from '../snapshot/samplingState.ts';
import { PaintedGauge } from './gauge.ts';
import type { DefineMetricGroup } from './metricGroup.ts';

/** Which network namespaces are sampled. */
export const defineNamespaces: DefineMetricGroup = (registers) => {
  const info = new PaintedGauge(registers, {
    name: 'port_namespace_info',
    help:
      'Always 1; labels to join a network namespace with: its inode (as in lsns), container id, pod uid (as in ' +
      'kube-state-metrics) and the process with the lowest PID in it, found in /proc.',
    labels: ['netns', 'inode', 'container', 'pod_uid', 'process'],
  });
  const seen = new PaintedGauge(registers, {
    name: 'port_namespaces',
    help: 'Network namespaces found in /proc and /run/netns, sampled or not.',
  });
  const unlisted = new PaintedGauge(registers, {
    name: 'port_unlisted_namespace_connections',
    help:
      'TCP connections in network namespaces that no process is in and /run/netns does not name: they are in no ' +
      'other metric. From the kernel (BPF); absent where the source is sock_diag or /proc/net.',
  });
  return {
    clear() {
      unlisted.clear();
      info.clear();
      seen.clear();
    },
    paint(state) {
      if (state.kind === 'sampled') {
        const { namespacesFound, unlistedConnections } = state.snapshot;
        seen.set({}, namespacesFound);
        if (unlistedConnections !== undefined) unlisted.set({}, unlistedConnections);
      }
      for (const { identity } of namespacesOf(state)) {
        const { netns, inode, container, podUid, process } = identity;
        info.set({ netns, inode, container, pod_uid: podUid, process }, 1);
      }
    },
  };
};
