import { useState } from 'preact/hooks';
import * as z from 'zod/mini';
import type { LaneData } from '../messages.js';
import { order, Refusal, type Target } from './client.js';
import type { Words } from '../words/en.js';
import { word } from '../words/look-up.js';
import { useWords } from './language.js';

type Progress =
  | { readonly kind: 'ordering'; readonly target: Target }
  | { readonly kind: 'done'; readonly target: Target; readonly at: string }
  | { readonly kind: 'failed'; readonly words: string };

/** What a lane answers; where it names a reason, that reason has words. */
const resultSchema = z.object({ result: z.object({ outcome: z.optional(z.string()), state: z.optional(z.string()), reason: z.optional(z.nullable(z.string())) }) });

function refusalWords(cause: unknown, words: Words): string {
  if (!(cause instanceof Refusal)) return String(cause);
  const named = Object.entries(words.commandReasons).find(([code]) => new RegExp(`(^|[^\\w-])${code}($|[^\\w-])`, 'u').test(cause.message));
  return words.errors[cause.code] ?? (cause.code === 'COMMAND_REFUSED' ? named?.[1] : undefined) ?? cause.message;
}

/** Whether a press makes sense now; the lane has the last word in any case. */
function sensible(lane: LaneData, target: Target): boolean {
  switch (target) {
    case 'open':
      return lane.boom !== 'open' && lane.boom !== 'opening';
    case 'close':
      return lane.boom !== 'closed' && lane.boom !== 'closing' && !lane.held && !lane.fire;
    case 'hold':
      return !lane.held;
    case 'release':
      return lane.held;
  }
}

/** One press orders, with a reason, and says how it went. */
export function Commands({ lane, mayOrder, onSignIn }: { readonly lane: LaneData; readonly mayOrder: boolean; readonly onSignIn: () => void }) {
  const words = useWords();
  const [reason, setReason] = useState<string | undefined>(undefined);
  const [progress, setProgress] = useState<Progress | undefined>(undefined);
  if (!mayOrder) {
    return (
      <footer class="commands">
        <button type="button" class="quiet wide" onClick={onSignIn}>
          {words.signInToOrder}
        </button>
      </footer>
    );
  }
  const shownReason = reason ?? words.reasons[0] ?? '';
  const press = async (target: Target): Promise<void> => {
    if (shownReason.trim() === '') {
      setProgress({ kind: 'failed', words: words.reasonMissing });
      return;
    }
    setProgress({ kind: 'ordering', target });
    try {
      const { result } = await order(resultSchema, lane.lane, target, shownReason.trim());
      const outcome = result.outcome ?? result.state ?? 'done';
      setProgress(
        outcome === 'done' || outcome === 'accepted'
          ? { kind: 'done', target, at: new Date().toLocaleTimeString(undefined, { hour12: false }) }
          : { kind: 'failed', words: word(words.commandReasons, result.reason ?? outcome) },
      );
    } catch (cause) {
      setProgress({ kind: 'failed', words: refusalWords(cause, words) });
    }
  };
  const busy = progress?.kind === 'ordering';
  const list = `reasons-${lane.lane}`;
  const button = (target: Target) => (
    <button type="button" class={`order ${target}`} disabled={busy || !sensible(lane, target)} onClick={() => void press(target)}>
      {words.actions[target]}
    </button>
  );
  return (
    <footer class="commands">
      <div class="orders">
        {button('open')}
        {button('close')}
        {lane.held ? button('release') : button('hold')}
      </div>
      <label class="reason">
        <span>{words.reason}</span>
        <input value={shownReason} list={list} maxLength={200} autocomplete="off" onFocus={(event) => event.currentTarget.select()} onInput={(event) => setReason(event.currentTarget.value)} />
        <datalist id={list}>
          {words.reasons.map((text) => (
            <option key={text} value={text} />
          ))}
        </datalist>
      </label>
      <p class={`progress ${progress?.kind ?? ''}`} role="status" aria-live="polite">
        {progress === undefined
          ? ''
          : progress.kind === 'ordering'
            ? words.ordering[progress.target]
            : progress.kind === 'done'
              ? `${words.ordered[progress.target]} · ${progress.at} · ${words.onRecord}`
              : progress.words}
      </p>
    </footer>
  );
}
