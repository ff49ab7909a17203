import { useState } from 'preact/hooks';
import type { EventData, LaneData } from '../messages.js';
import { describeEvent } from '../words/describe-event.js';
import { timeOfEvent } from '../words/event-time.js';
import { useLanguage, useWords } from './language.js';
import { PlateView } from './plate-view.js';

export interface EventsListProps {
  readonly events: readonly EventData[];
  readonly lanes: readonly LaneData[];
  readonly acknowledged: number | undefined;
  readonly onOlder: (lane: string | undefined) => Promise<void>;
}

/** What happened, newest first, in plain words. */
export function EventsList({ events, lanes, acknowledged, onOlder }: EventsListProps) {
  const words = useWords();
  const language = useLanguage();
  const [lane, setLane] = useState<string | undefined>(undefined);
  const [fetching, setFetching] = useState(false);
  const shown = events.filter((event) => lane === undefined || event.lane === lane);
  const names = new Map(lanes.map((known) => [known.lane, known.name]));
  const older = (): void => {
    setFetching(true);
    onOlder(lane).then(
      () => setFetching(false),
      () => setFetching(false),
    );
  };
  const oldest = shown.at(-1);
  return (
    <aside class="events" aria-label={words.events.title}>
      <header>
        <h2>{words.events.title}</h2>
        <div class="filter" role="group">
          {[undefined, ...lanes].map((known) => (
            <button type="button" key={known?.lane ?? ''} aria-pressed={lane === known?.lane} onClick={() => setLane(known?.lane)}>
              {known?.name ?? words.events.all}
            </button>
          ))}
        </div>
      </header>
      <ol>
        {shown.map((event) => {
          const line = describeEvent(event, words);
          const when = timeOfEvent(event, words, (wallMs) => new Date(wallMs).toLocaleString(language));
          const time = new Date(when.wallMs);
          const reported = acknowledged !== undefined && event.seq <= acknowledged;
          return (
            <li key={event.seq} class={line.tone}>
              <time dateTime={time.toISOString()} title={[time.toLocaleString(language), when.note].filter((part) => part !== '').join(' · ')} class={when.sure === 'unknown' ? 'untrusted' : ''}>
                {when.sure === 'corrected' ? '~' : ''}
                {time.toLocaleTimeString(language, { hour12: false })}
              </time>
              <div class="what">
                <p>
                  <b>{line.title}</b>
                  {line.plate === undefined ? null : <PlateView plate={line.plate} small />}
                </p>
                {line.detail === '' ? null : <p class="detail">{line.detail}</p>}
              </div>
              <span class="where">{event.lane === null ? '' : (names.get(event.lane) ?? event.lane)}</span>
              {acknowledged === undefined ? null : <i class={reported ? 'mark reported' : 'mark'} title={`#${event.seq} ${reported ? words.events.reported : words.events.notReported}`} />}
            </li>
          );
        })}
      </ol>
      {shown.length === 0 ? <p class="nothing">{words.events.empty}</p> : null}
      {oldest !== undefined && oldest.seq > 1 ? (
        <button type="button" class="quiet wide" disabled={fetching} onClick={older}>
          {words.events.older}
        </button>
      ) : null}
    </aside>
  );
}
