import { bundle, ROOT } from '../../deploy/bundle/bundle.ts';

/** Parts of the program that are measured by themselves, bundled as the program is. Below the checkout, where koffi is found. */
const FOLDER = `${ROOT}/.cache/bench`;

const PARTS = {
  session: 'src/sampling/session.ts',
  openRefusals: 'src/refusals/openRefusals.ts',
  conntrackReader: 'src/sampling/conntrackReader.ts',
};

export async function buildParts(): Promise<void> {
  await bundle(PARTS, FOLDER);
}

/** What it exports. The types are those of the source, so that a change of the interface fails the type check. */
export async function builtPart<Exports>(name: keyof typeof PARTS): Promise<Exports> {
  return (await import(`${FOLDER}/${name}.js`)) as Exports;
}
