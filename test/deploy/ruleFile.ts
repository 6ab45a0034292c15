import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** Where what is deployed lies. */
export const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));

export interface Recording {
  readonly record: string;
  readonly expr: string;
}

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook_url', string>>;
}

export interface RuleFile {
  readonly groups: readonly {
    readonly name: string;
    readonly interval?: string;
    readonly rules: readonly (Recording | Alert)[];
  }[];
}

/** The rules as they are deployed. */
export function readRules(): RuleFile {
  return parse(readFileSync(`${DEPLOY}/prometheus/rules.yml`, 'utf8'));
}

export function alertsOf({ groups }: RuleFile): Alert[] {
  return groups.flatMap(({ rules }) => rules.filter((rule) => 'alert' in rule));
}

export function recordingsOf({ groups }: RuleFile): Recording[] {
  return groups.flatMap(({ rules }) => rules.filter((rule) => 'record' in rule));
}
