/**
 * The unit as a package installs it: with the path of its program, and the package's own user in place of a dynamic one, so that
 * a TLS key or a password file can be made readable for it. Throws where the unit has no such line any more.
 */
export function packagedUnit(unit: string): string {
  return REPLACEMENTS.reduce((text, [line, replacement]) => {
    if (!line.test(text)) throw new Error(`port-exporter.service has no line like ${line}`);
    return text.replace(line, replacement);
  }, unit);
}

const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/^# \/etc\/systemd\/system\/.*\n/, ''],
  [/^# Found in .*\nExecStart=port-exporter$/m, 'ExecStart=/usr/bin/port-exporter'],
  [/^DynamicUser=yes$/m, 'User=port-exporter'],
];
