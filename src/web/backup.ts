import type { FastifyInstance } from 'fastify';
import * as z from 'zod/mini';
import { GateError, type JsonObject } from '../base/index.js';
import { replyOf } from './errors.js';
import type { GatePort } from './port.js';
import { parse } from './requests.js';

const backupBody = z.strictObject({ evidence: z._default(z.boolean(), false) });

/**
 * `POST /api/journal/backup.jsonl`, on the control socket alone: one JSON object a line, `{kind: 'progress', part, done,
 * total}` as often as a hundredth is done, last `{kind: 'made', path, bytes, manifest}` or `{kind: 'failed', error}`. A
 * reader that goes away does not end the backup.
 */
export function registerBackupApi(app: FastifyInstance, gate: GatePort): void {
  app.post('/api/journal/backup.jsonl', async (request, reply) => {
    const { evidence } = parse(backupBody, request.body ?? {}, 'request');
    if (gate.backup === undefined) throw new GateError('JOURNAL_CLOSED', 'This gate keeps no journal to back up.');
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': 'application/jsonl; charset=utf-8', 'cache-control': 'no-store' });
    raw.flushHeaders();
    const send = (message: JsonObject): void => {
      if (!raw.destroyed) raw.write(`${JSON.stringify(message)}\n`);
    };
    let told = '';
    try {
      const made = await gate.backup(evidence, (progress) => {
        const share = typeof progress['done'] === 'number' && typeof progress['total'] === 'number' ? Math.floor((100 * progress['done']) / Math.max(1, progress['total'])) : 0;
        const now = `${JSON.stringify(progress['part'])} ${share}`;
        if (now === told) return;
        told = now;
        send({ ...progress, kind: 'progress' });
      });
      send({ ...made, kind: 'made' });
    } catch (error) {
      const { code, message } = replyOf(error).body.error;
      send({ kind: 'failed', error: { code, message } });
    }
    raw.end();
  });
}
