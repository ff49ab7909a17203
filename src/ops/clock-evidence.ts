import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';

/**
 * What the machine says about its clock. `synchronised`: a time service has set it since the boot, or a battery clock
 * agrees with it; `unsynchronised`: there is a time service and it has not; `silent`: nothing here knows.
 */
export type ClockEvidence = 'synchronised' | 'unsynchronised' | 'silent';

const rtcToleranceMs = 5_000;

/**
 * Gathers the evidence without root: systemd-timesyncd's flag file, the kernel's own state as `timedatectl` reports it
 * (chrony and ntpd set it too), and a hardware clock that kept running without power.
 * @param wallMs what the system clock says now
 * @param earliestMs no true time lies before this
 */
export async function readClockEvidence(wallMs: number, earliestMs: number): Promise<ClockEvidence> {
  if (await exists('/run/systemd/timesync/synchronized')) return 'synchronised';
  const kernel = await kernelSynchronised();
  if (kernel === true) return 'synchronised';
  const rtcMs = await hardwareClockMs();
  // A hardware clock without battery comes up in 1970; one that was set by hand differs from the system's.
  if (rtcMs !== undefined && rtcMs >= earliestMs && Math.abs(rtcMs - wallMs) <= rtcToleranceMs) return 'synchronised';
  return kernel === undefined ? 'silent' : 'unsynchronised';
}

/** Undefined where there is no service to ask. */
async function kernelSynchronised(): Promise<boolean | undefined> {
  const answer = await new Promise<string | undefined>((resolve) => {
    execFile('timedatectl', ['show', '--property=NTPSynchronized', '--value'], { timeout: 5_000 }, (error, stdout) => {
      resolve(error === null ? stdout.trim() : undefined);
    });
  });
  if (answer === 'yes') return true;
  return answer === 'no' ? false : undefined;
}

async function hardwareClockMs(): Promise<number | undefined> {
  try {
    const seconds = Number(await readFile('/sys/class/rtc/rtc0/since_epoch', 'utf8'));
    return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
