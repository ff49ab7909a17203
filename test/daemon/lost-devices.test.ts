import { expect, test } from 'vitest';
import type { UnitReport } from '../../src/device/index.js';
import { LostDevices } from '../../src/daemon/lost-devices.js';

type States = Readonly<Record<number, UnitReport['state']>>;

function bus(states: States): { readonly id: string; units(): readonly UnitReport[] } {
  const detail = 'It does not answer.';
  return { id: 'bus', units: () => Object.entries(states).map(([unit, state]) => ({ unit: Number(unit), profile: 'ld120', state, answered: 1, failed: 0, ...(state === 'lost' ? { detail } : {}) })) };
}

test('one dead board of a bus is told once, and once when it answers again', () => {
  const lost = new LostDevices();
  expect(lost.note(bus({ 1: 'ok', 2: 'ok' }), { state: 'ok' })).toEqual([]);
  const dead = bus({ 1: 'ok', 2: 'lost' });
  expect(lost.note(dead, { state: 'ok', detail: 'Unit 2.' })).toEqual([{ type: 'device.lost', payload: { device: 'bus', unit: 2, detail: 'It does not answer.' } }]);
  expect(lost.note(dead, { state: 'ok', detail: 'Unit 2 again.' })).toEqual([]);
  expect(lost.names()).toEqual(['bus unit 2']);
  expect(lost.note(bus({ 1: 'ok', 2: 'ok' }), { state: 'ok' })).toEqual([{ type: 'device.recovered', payload: { device: 'bus', unit: 2 } }]);
  expect(lost.names()).toEqual([]);
});

test('an unplugged bus is one loss, not one for each of its boards; what is dead afterwards is told then', () => {
  const lost = new LostDevices();
  expect(lost.note(bus({ 1: 'lost', 2: 'lost' }), { state: 'lost', detail: 'Unplugged.' })).toEqual([{ type: 'device.lost', payload: { device: 'bus', detail: 'Unplugged.' } }]);
  expect(lost.note(bus({ 1: 'starting', 2: 'starting' }), { state: 'starting' })).toEqual([]);
  expect(lost.note(bus({ 1: 'ok', 2: 'lost' }), { state: 'ok' })).toEqual([
    { type: 'device.recovered', payload: { device: 'bus' } },
    { type: 'device.lost', payload: { device: 'bus', unit: 2, detail: 'It does not answer.' } },
  ]);
});
