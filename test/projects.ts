/**
 * Which test file runs how: files and folders of test/. What is in no list is a unit test, which needs no build, no
 * privilege and no time.
 */

/** Need the build in dist/, root, a large program of others, or a process of their own. */
export const MACHINE = [
  'test/live/**/*.test.ts',
  'test/e2e/**/*.test.ts',
  'test/deploy/dashboard.test.ts',
  'test/deploy/helm.test.ts',
  'test/deploy/kubernetes.test.ts',
  'test/deploy/kubernetesComponents.test.ts',
  'test/deploy/kubernetesPod.test.ts',
  'test/deploy/reference/commands.test.ts',
  'test/deploy/reference/metrics.test.ts',
  'test/deploy/rules.test.ts',
  'test/deploy/sbom.test.ts',
  // loads programs into the kernel
  'test/kernel/bpf.test.ts',
  // compiles
  'test/kernel/bpfBlob.rebuild.test.ts',
  'test/refusals/openRefusals.test.ts',
  'test/probes/tcpConnect.test.ts',
  'test/scan/scan.test.ts',
  // sees every socket of its process: no other test may share it
  'test/sockets/source.test.ts',
];

/** Unit tests that replace modules, which shows in every later file of their process. */
export const MOCKING = ['test/kernels/recordings.test.ts'];

/** Have real peers: what fails there in CI is asked once more, and reported. Nothing else is. */
export const PEERS = [
  // Prometheus and Alertmanager
  'test/e2e/alerting.test.ts',
  'test/e2e/dashboard.test.ts',
  'test/e2e/prometheus.test.ts',
  // a browser
  'test/e2e/page.test.ts',
  'test/e2e/pageInTrouble.test.ts',
  'test/e2e/pageNat.test.ts',
  // systemd as PID 1
  'test/e2e/systemd.test.ts',
];

/** Run once more with the kernel's tables read by BPF: what they promise is to be exact over either source. */
export const OVER_BPF = [
  'ambiguous',
  'bind',
  'blocked',
  'canary',
  'connect',
  'devices',
  'everything',
  'listeners',
  'namespaces',
  'owners',
  'range',
  'rangeChange',
  'timeWait',
  'udp',
].map((name) => `test/live/${name}.test.ts`);

/** Do what they can to make the machine slow: nothing else runs beside them. */
export const ALONE = [
  'test/e2e/attacks.test.ts',
  'test/hostile/**/*.test.ts',
  'test/live/churn.test.ts',
  'test/live/refusalStorms.test.ts',
  'test/live/zoo.test.ts',
];

/** Change the kernel for good: after everything else, and only where `isDisposable` says that it is nobody's. */
export const LAST = ['test/e2e/lockdown.test.ts'];
