import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';

const fileSchema = z.object({ version: z.literal(1), startedMs: z.number(), values: z.record(z.string(), z.unknown()) });

/**
 * What a commissioning has learned so far, by step, in a file beside the configuration: a dropped SSH session goes on
 * where it was. Holds no secret.
 */
export class Memory {
  readonly #path: string | undefined;
  readonly #values = new Map<string, unknown>();
  #startedMs: number;

  /** @param path undefined keeps everything in memory only */
  constructor(path: string | undefined, nowMs: number) {
    this.#path = path;
    this.#startedMs = nowMs;
  }

  /** @returns when the commissioning began that is found in the file; undefined where there is none to go on with */
  async load(): Promise<number | undefined> {
    if (this.#path === undefined) return undefined;
    try {
      const parsed = fileSchema.safeParse(JSON.parse(await readFile(this.#path, 'utf8')));
      if (!parsed.success) return undefined;
      this.#startedMs = parsed.data.startedMs;
      for (const [id, value] of Object.entries(parsed.data.values)) this.#values.set(id, value);
      return this.#startedMs;
    } catch {
      // None, or one cut off in the writing: a fresh start costs some answers and no more.
      return undefined;
    }
  }

  async forget(nowMs: number): Promise<void> {
    this.#values.clear();
    this.#startedMs = nowMs;
    if (this.#path !== undefined) await rm(this.#path, { force: true });
  }

  /** The step's value if it was taken before, else `run`'s, which is then kept. */
  async keep<Value>(id: string, schema: z.ZodType<Value>, run: () => Promise<Value>): Promise<Value> {
    const known = schema.safeParse(this.#values.get(id));
    if (this.#values.has(id) && known.success) return known.data;
    const value = await run();
    this.#values.set(id, value);
    await this.#save();
    return value;
  }

  /** Lets one step be taken again. */
  async drop(id: string): Promise<void> {
    if (this.#values.delete(id)) await this.#save();
  }

  async #save(): Promise<void> {
    if (this.#path === undefined) return;
    const text = `${JSON.stringify({ version: 1, startedMs: this.#startedMs, values: Object.fromEntries(this.#values) }, undefined, 2)}\n`;
    await writeFile(`${this.#path}.new`, text, { mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
  }
}
