/** Fuzzes every parser, or one, for so long: `npm run fuzz -- --seconds 600 --parser passwd`. What is new stays in corpus/. */
import { parseArgs } from 'node:util';
import { keep, readCorpus } from './corpus.ts';
import { fuzz } from './fuzz.ts';
import { TARGETS } from './targets.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    parser: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const targets = TARGETS.filter(({ name }) => values.parser === undefined || name === values.parser);
if (targets.length === 0) throw new Error(`--parser: one of ${TARGETS.map(({ name }) => name).join(' ')}`);
const eachMs = (Number(values.seconds) * 1000) / targets.length;
console.log(`seed ${values.seed}`);
for (const target of targets) {
  const until = performance.now() + eachMs;
  const { inputs, added, finding } = await fuzz(target, readCorpus(target.name), {
    seed: Number(values.seed),
    isOver: () => performance.now() >= until,
  });
  for (const input of added) keep(target.name, input);
  console.log(`${target.name}: ${inputs} inputs, ${added.length} new`);
  if (finding === undefined) continue;
  process.exitCode = 1;
  console.log(`FINDING in ${keep(target.name, finding.input)}: ${finding.what}`);
}
