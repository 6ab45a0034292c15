import {
  BarGaugeDisplayMode,
  BarGaugeValueMode,
  TableCellDisplayMode,
} from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue, Threshold } from '@grafana/grafana-foundation-sdk/dashboard';
import { LocaleFormat, PercentUnit } from '@grafana/grafana-foundation-sdk/units';
import { PLAIN_STEPS, thresholds } from '../thresholds.ts';

/** A ratio from 0 to 1 as a bar in the colour of its level. */
export function ratioBar(steps: Threshold[]): DynamicConfigValue[] {
  return [
    ...ratio(steps),
    {
      id: 'custom.cellOptions',
      value: {
        type: TableCellDisplayMode.Gauge,
        mode: BarGaugeDisplayMode.Basic,
        valueDisplayMode: BarGaugeValueMode.Color,
      },
    },
    width(180),
  ];
}

/** A number that is coloured by its level. */
export function coloured(unit: string, steps: Threshold[]): DynamicConfigValue[] {
  return [
    { id: 'unit', value: unit },
    { id: 'thresholds', value: thresholds(steps).build() },
    { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorText } },
  ];
}

/** 1 and 0 in words, coloured where it is the unwanted one. */
export function yesOrNo(
  yes: string,
  no: string,
  colors: { yes?: string; no?: string },
): DynamicConfigValue[] {
  return [
    {
      id: 'mappings',
      value: [
        {
          type: 'value',
          options: {
            '0': { index: 0, text: no, ...(colors.no === undefined ? {} : { color: colors.no }) },
            '1': { index: 1, text: yes, ...(colors.yes === undefined ? {} : { color: colors.yes }) },
          },
        },
      ],
    },
    // Where the mapping gives no colour, the threshold's is taken.
    ...coloured('none', PLAIN_STEPS),
  ];
}

/** A number of ports, sockets or connections: all its digits. */
export const COUNT: DynamicConfigValue[] = [{ id: 'unit', value: LocaleFormat }];

function width(pixels: number): DynamicConfigValue {
  return { id: 'custom.width', value: pixels };
}

function ratio(steps: Threshold[]): DynamicConfigValue[] {
  return [
    { id: 'unit', value: PercentUnit },
    { id: 'min', value: 0 },
    { id: 'max', value: 1 },
    { id: 'thresholds', value: thresholds(steps).build() },
  ];
}
