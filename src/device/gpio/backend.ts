import { GateError } from '../../base/index.js';
import { CharBackend, readCharChips } from './chardev.js';
import { readChips, type ChipLabel } from './chips.js';
import type { GpioBackend, GpioInterface } from './line.js';
import { SysfsBackend } from './sysfs.js';

/**
 * Looks which chips are there now.
 * @throws GateError `DEVICE_LOST` where the kernel offers no GPIO at all
 */
export async function openBackend(which: GpioInterface): Promise<GpioBackend> {
  switch (which) {
    case 'chardev':
      return await CharBackend.look();
    case 'sysfs':
      return await SysfsBackend.look();
    case 'auto': {
      const chardev = await CharBackend.look();
      // A lane must not depend on the legacy interface where it is not needed.
      const sysfs = await SysfsBackend.look().catch((error: unknown) => (error instanceof GateError ? error : new GateError('DEVICE_LOST', String(error), {}, error)));
      return {
        open: (options, clock) => (chardev.has(options.ref) || sysfs instanceof GateError ? chardev.open(options) : sysfs.open(options, clock)),
      };
    }
  }
}

/** Every chip that either interface shows, those of the character device first; none where the kernel offers no GPIO. */
export async function listChips(): Promise<readonly ChipLabel[]> {
  const { chips } = await readCharChips();
  const legacy = await readChips().catch(() => []);
  return [...chips, ...legacy.filter(({ label }) => !chips.some((chip) => chip.label === label))];
}
