import { expect, it } from 'vitest';
import { Slots } from '../../src/probes/slots.ts';

it('runs so many at a time, the others in the order they came, and every one once', async () => {
  const slots = new Slots(3);
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  const task = async (number: number): Promise<number> => {
    begun.push(number);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, number % 4));
    running--;
    if (number % 5 === 0) throw new Error(`task ${number}`);
    return number;
  };
  const numbers = Array.from({ length: 40 }, (_, number) => number);
  const results = await Promise.allSettled(numbers.map((number) => slots.run(() => task(number))));
  expect(begun).toEqual(numbers);
  expect(most).toBe(3);
  expect(results.map(({ status }) => status)).toEqual(
    numbers.map((number) => (number % 5 === 0 ? 'rejected' : 'fulfilled')),
  );
  expect(await slots.run(() => task(1))).toBe(1);
});
