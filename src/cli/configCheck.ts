import { ExporterError, errorLine } from '../base/errors.ts';
import { FileReader } from '../base/fileReader.ts';
import { configReport } from '../reports/configReport.ts';
import type { Invocation } from './command.ts';
import type { Options } from './options.ts';

type Files = Pick<Options, 'web' | 'probes'>;

/** Reads the files that a daemon with these options would read, and starts none. */
export function checkInvocation(options: Files): Invocation {
  return { kind: 'report', asJson: false, report: async () => configReport(await checkFiles(options)) };
}

async function checkFiles({ web, probes }: Files) {
  const checked: { file: string; failure: string | undefined }[] = [];
  const check = async (file: string | undefined, load: (file: string) => Promise<unknown>) => {
    if (file !== undefined) checked.push({ file, failure: await failureOf(() => load(file)) });
  };
  await check(web.configFile, async (file) => {
    const { loadWebConfig } = await import('../web/config/loadWebConfig.ts');
    return loadWebConfig(file, new FileReader());
  });
  await check(probes.file, async (file) => {
    const { loadProbeFile } = await import('../probes/probeFile.ts');
    const taken = probes.targets.map(({ name }) => name);
    return loadProbeFile(file, new FileReader(), taken);
  });
  return checked;
}

/** The line that a daemon would end with; undefined where the file is good. */
async function failureOf(load: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await load();
    return undefined;
  } catch (error) {
    if (error instanceof ExporterError) return errorLine(error);
    throw error;
  }
}
