import { MAINTAINER, VERSION } from './identity.ts';

const PACKAGE = 'port-exporter';

/** The changelog of the project as deb-changelog(5) wants it: one entry for the release that is packaged. */
export function debianChangelog(markdown: string, date = new Date()): string {
  const [, section = ''] = /^## .*\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(markdown) ?? [];
  const entries = section
    .split(/^- /m)
    .slice(1)
    .map((entry) =>
      entry
        .replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1')
        .replaceAll('`', '')
        .replaceAll(/\s+/g, ' ')
        .trim(),
    );
  const lines = entries.flatMap((entry) => wrapped(entry));
  return `${PACKAGE} (${VERSION}) unstable; urgency=medium\n\n${lines.join('\n')}\n\n -- ${MAINTAINER}  ${rfc5322(date)}\n`;
}

function wrapped(entry: string): string[] {
  const lines: string[] = [];
  let line = '  *';
  for (const word of entry.split(' ')) {
    if (line.length + word.length + 1 > 80 && line.trim() !== '*') {
      lines.push(line);
      line = '   ';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** As `date -R` in UTC. */
function rfc5322(date: Date): string {
  return date.toUTCString().replace('GMT', '+0000');
}
