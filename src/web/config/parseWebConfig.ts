import { type ParsedYaml, parseYaml } from '../../base/parseYaml.ts';
import { type WebConfigFile, webConfigSchema } from './schema.ts';

export type ParsedWebConfig = ParsedYaml<WebConfigFile>;

/**
 * The text of a web configuration file. Throws an ExporterError that begins with `name` and the line. None shows a value
 * of a user: a password may stand where its hash should.
 */
export function parseWebConfig(text: string, name: string): ParsedWebConfig {
  return parseYaml(text, name, webConfigSchema, ['basic_auth_users'], 'text');
}
