/**
 * Waits until a real process or port got there: asks again every few milliseconds up to a deadline.
 * @returns the first value of `condition` that is neither false nor undefined
 * @throws Error naming `what` when the deadline passes
 */
export async function until<T>(
  condition: () => T | false | undefined | Promise<T | false | undefined>,
  { timeoutMs = 20_000, what = 'the condition' }: { readonly timeoutMs?: number; readonly what?: string } = {},
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== undefined) return value;
    if (performance.now() > deadlineMs) throw new Error(`${what} did not come within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
