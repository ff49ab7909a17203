import { afterEach, beforeEach, describe, it } from 'vitest';
import { ContractBench, contractCases, type DeviceRig } from './device-contract-cases.js';

/** Runs what every driver promises in `src/device/contract.ts` against one device, simulated or real. */
export function deviceContract(name: string, make: () => DeviceRig | Promise<DeviceRig>): void {
  describe(`${name} keeps the contract of a device`, () => {
    let bench: ContractBench;

    beforeEach(async () => {
      bench = new ContractBench(await make());
    });

    afterEach(() => bench.end());

    for (const { name: promise, run } of contractCases) it(promise, () => run(bench));
  });
}
