import { z } from 'zod';
import { jsonObjectSchema } from './messages.js';

const digest = z.string().regex(/^[0-9a-f]{64}$/u);
const name = z.string().min(1).max(64);

/** `config`, down, QoS 1; may be retained: it is a target state, and one that was refused or returned is not tried again. */
export const desiredConfigSchema = z.object({
  version: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).describe('grows with every change; one that failed is not tried again under the same number'),
  id: name.describe('new for each message; comes back in the report'),
  issuer: name.describe('who asks, e.g. platform:alice'),
  whole: z
    .boolean()
    .default(false)
    .describe("false: laid over the technician's file like a JSON merge patch (RFC 7396), lanes merged by id; true: stands in its place"),
  config: jsonObjectSchema.describe('sections and keys as in the configuration file; secrets by reference, {file: secrets/NAME}'),
});

const version = z.number().int().nullable().describe('null: applied on the box by a technician');

const outcomeSchema = z.object({
  version,
  id: z.string(),
  issuer: z.string(),
  outcome: z.enum(['applied', 'refused', 'returned']).describe('refused: never ran; returned: ran, and the one before is in force again'),
  code: z.string().nullable().describe('why, e.g. CONFIG_INVALID, CONFIG_UNHEALTHY'),
  reasons: z.array(z.string()),
  faults: z.array(z.object({ path: z.string(), code: z.string(), text: z.string() })).describe('what is wrong with the configuration, by place'),
  atMs: z.number().int().describe('ms since 1970 UTC, as the gate believed'),
});

/** `config/report`, up, QoS 1, retained: what is in force, what is under way, and how it ended. */
export const configReportSchema = z.object({
  epoch: z.number().int().min(1),
  atMs: z.number().int().describe('ms since 1970 UTC, as the gate believes'),
  active: z
    .object({
      source: z.enum(['file', 'managed']).describe("file: the technician's file alone"),
      version: version,
      id: z.string().nullable(),
      digest: digest.nullable().describe('SHA-256 of the RFC 8785 form of `config` of the desired configuration in force, whether `whole` or not; null for the file alone'),
      effectiveDigest: digest.describe('the same of the whole configuration in force with its defaults; tells when the file on the box was changed'),
    })
    .describe('in force; one on trial too'),
  trial: z
    .object({
      version,
      id: z.string(),
      state: z.enum(['staged', 'deferred', 'trying', 'returning']).describe('staged: waits for quiet lanes; deferred: has waited long, and goes on; trying: in force until proven; returning: failed, waits for quiet lanes'),
    })
    .nullable()
    .describe('under way'),
  highest: z.number().int().min(0).describe('highest version that ever came, refused ones too; a new one is best above it; 0: none'),
  outcome: outcomeSchema.nullable().describe('of the desired configuration this answers; else the last one'),
  reported: jsonObjectSchema.describe('the configuration in force, lists of vehicles left out, secrets as references'),
});

export type DesiredConfig = z.output<typeof desiredConfigSchema>;
export type ConfigReport = z.output<typeof configReportSchema>;
